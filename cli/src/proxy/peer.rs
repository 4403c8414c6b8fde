//! [`Peer`]: a client's connection, which can be asked whether the client is still there while its body has not been read.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

/// How often a client is looked after that waits with a body in hand.
const EVERY: Duration = Duration::from_millis(100);

/// A client's connection. A clone is the same one.
#[derive(Clone)]
pub(super) struct Peer(Arc<Inner>);

struct Inner {
    stream: TcpStream,
    /// Free for another when the connection has ended, as a tunnel too.
    _place: OwnedSemaphorePermit,
}

impl Peer {
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        // An answer leaves as soon as it is there.
        let _ = stream.set_nodelay(true);
        Self(Arc::new(Inner {
            stream,
            _place: place,
        }))
    }

    /// Ends when the client has closed its side. Of a client whose request has been read hyper sees that by itself, and drops what it
    /// waits for; it does not look beyond a body that nobody reads.
    pub(super) async fn gone(&self) {
        loop {
            // Ready at once where there is something to be read, and where nothing will ever be.
            if self
                .0
                .stream
                .ready(Interest::READABLE)
                .await
                .is_ok_and(|is| is.is_read_closed() || is.is_error())
            {
                return;
            }
            sleep(EVERY).await;
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(cx))?;
            match self.0.stream.try_read_buf(buf) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done.map(|_| ())),
            }
        }
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream| stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(&self.0.stream);
        Poll::Ready(match socket.shutdown(Shutdown::Write) {
            // The other side was faster.
            Err(why) if why.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        })
    }
}

impl Peer {
    fn write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.stream.poll_write_ready(cx))?;
            match write(&self.0.stream) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

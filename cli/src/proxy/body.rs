//! Bodies on their way through: a frame is asked for when the next hop has room for it, and not before.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

use super::told::Told;

/// How long an origin may leave an `Expect: 100-continue` without answer before the body is sent all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that a client sends.
pub(super) struct Upload {
    /// What was read of it already.
    read: VecDeque<Frame<Bytes>>,
    rest: Incoming,
    /// How long it may stand still.
    longest: Duration,
    still: Option<Pin<Box<Sleep>>>,
    gate: Option<Gate>,
}

impl Upload {
    pub(super) fn new(rest: Incoming, longest: Duration) -> Self {
        Self {
            read: VecDeque::new(),
            rest,
            longest,
            still: None,
            gate: None,
        }
    }

    /// Reads the next frame, and keeps it to be sent. False at the end.
    pub(super) async fn look(&mut self) -> Result<bool, Broken> {
        let next = std::future::poll_fn(|cx| self.poll_rest(cx)).await;
        match next {
            None => Ok(false),
            Some(frame) => {
                self.read.push_back(frame?);
                Ok(true)
            }
        }
    }

    /// What was looked at, in order.
    pub(super) fn looked_at(&self) -> Vec<u8> {
        let data = self.read.iter().filter_map(Frame::data_ref);
        data.fold(Vec::new(), |mut all, data| {
            all.extend_from_slice(data);
            all
        })
    }

    pub(super) fn is_read(&self) -> bool {
        self.rest.is_end_stream()
    }

    /// Sends nothing until the origin wants it.
    pub(super) fn gated(&mut self) -> Opener {
        let (opener, is_open) = oneshot::channel();
        self.gate = Some(Gate {
            is_open,
            patience: Box::pin(sleep(PATIENCE)),
        });
        Opener(Arc::new(Mutex::new(Some(opener))))
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.rest).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.still = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Broken::Client)))
            }
            Poll::Pending => {
                let longest = self.longest;
                let still = self.still.get_or_insert_with(|| Box::pin(sleep(longest)));
                ready!(still.as_mut().poll(cx));
                Poll::Ready(Some(Err(Broken::Still(longest))))
            }
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if let Some(gate) = &mut this.gate {
            if !ready!(gate.poll(cx)) {
                return Poll::Ready(Some(Err(Broken::Unwanted)));
            }
            this.gate = None;
        }
        match this.read.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => this.poll_rest(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().filter_map(Frame::data_ref);
        let read: u64 = read.map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut both = SizeHint::new();
        both.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            both.set_upper(upper.saturating_add(read));
        }
        both
    }
}

/// Closed until the origin has said 100, or nothing for too long.
struct Gate {
    is_open: oneshot::Receiver<()>,
    patience: Pin<Box<Sleep>>,
}

impl Gate {
    /// Whether the body is wanted.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Poll::Ready(opened) = Pin::new(&mut self.is_open).poll(cx) {
            return Poll::Ready(opened.is_ok());
        }
        self.patience.as_mut().poll(cx).map(|()| true)
    }
}

/// Opens a gate. When the last of its clones is dropped before, the body is unwanted.
#[derive(Clone)]
pub(super) struct Opener(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl Opener {
    pub(super) fn open(&self) {
        let opener = self.0.lock().map_or(None, |mut there| there.take());
        if let Some(opener) = opener {
            // Nobody is there to hear where the request was given up.
            let _ = opener.send(());
        }
    }
}

/// Why a body from a client ends before its end.
#[derive(Debug)]
pub(crate) enum Broken {
    Client(hyper::Error),
    Still(Duration),
    Unwanted,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(why) => write!(f, "the client's body broke: {why}"),
            Self::Still(longest) => write!(f, "the client's body stood still for {longest:?}"),
            Self::Unwanted => f.write_str("the origin did not want the body"),
        }
    }
}

impl std::error::Error for Broken {}

/// A body that a client gets.
pub(super) enum Download {
    /// The proxy's own.
    Own(Option<Bytes>),
    /// The origin's.
    Passed {
        body: Incoming,
        /// Of an answer whose body tells more of it.
        told: Option<Box<Told>>,
        /// Of a request whose body may still wait at its gate.
        opener: Option<Opener>,
    },
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passed { body, told, opener } => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                if let Some(there) = told {
                    if let Some(data) = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref()) {
                        there.note(data);
                    }
                    if frame.is_none() || body.is_end_stream() {
                        there.has_ended();
                        *told = None;
                    }
                }
                if frame.is_none() || body.is_end_stream() {
                    *opener = None;
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Passed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Passed { body, .. } => body.size_hint(),
        }
    }
}

/// Ends a wait that is to end some time.
pub(super) fn from_now(span: Duration) -> Instant {
    // Beyond what the clock can count it is a day.
    let day = Duration::from_secs(86_400);
    Instant::now() + span.min(day)
}

//! Connections of clients: how many, how long each may take with its head, and their end.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::forward::Shared;
use super::own;
use super::peer::Peer;

/// The longest head, and how much of a body is read ahead, in bytes.
const HEAD: usize = 32 << 10;
/// So many connections more are told that there are too many; any beyond are closed.
const TOLD: usize = 64;
/// How long requests under way may take after a signal to stop.
const GRACE: Duration = Duration::from_secs(5);
/// After a connection could not be accepted, as files are short.
const REST: Duration = Duration::from_millis(20);

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    pub(super) head_timeout: Duration,
}

/// Serves until `stop`, and then what is under way.
pub(super) async fn serve(
    listener: TcpListener,
    proxy: Shared,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let told = Arc::new(Semaphore::new(TOLD));
    let (stopping, is_stopping) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(why) => {
                if !is_the_clients(&why) {
                    sleep(REST).await;
                }
                continue;
            }
        };
        let (place, is_full) = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => (place, false),
            Err(_) => match Arc::clone(&told).try_acquire_owned() {
                Ok(place) => (place, true),
                Err(_) => continue,
            },
        };
        let proxy = (!is_full).then(|| Arc::clone(&proxy));
        let peer = Peer::new(stream, place);
        connection(peer, proxy, bounds, is_stopping.clone());
    }
    drop(listener);
    drop(stopping);
    let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    let _ = timeout(GRACE, places.acquire_many(all)).await;
}

/// Serves one connection; one too many, which has no proxy, is told so.
fn connection(
    peer: Peer,
    proxy: Option<Shared>,
    bounds: Bounds,
    mut is_stopping: watch::Receiver<()>,
) {
    let of_service = peer.clone();
    let service = service_fn(move |request| {
        let (proxy, peer) = (proxy.clone(), of_service.clone());
        async move {
            Ok::<_, Infallible>(match proxy {
                Some(proxy) => proxy.answer(request, &peer).await,
                None => too_many(bounds.connections),
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_header_size(HEAD)
        .max_buf_size(2 * HEAD)
        .serve_connection(TokioIo::new(peer), service)
        .with_upgrades();
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        // A connection that breaks is the client's to notice.
        tokio::select! {
            _ = connection.as_mut() => {}
            _ = is_stopping.changed() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    });
}

fn too_many(connections: usize) -> http::Response<super::body::Download> {
    let mut answer = own::busy(
        1,
        &format!("there are {connections} connections already, which --connections allows"),
    );
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// It was gone before it was accepted.
fn is_the_clients(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

//! Connections of which only bytes are handed on: after CONNECT, and after an upgrade.

use std::io;

use apiqueue::Turn;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::body::Download;
use super::head::{Refusal, Target};
use super::own::PROXY_STATUS;
use super::upstream::CONNECT;

/// Said with each tunnel.
const BY_CONNECTION: &str =
    "apiqueue; details=\"paced by connection: requests inside are not seen\"";

/// A connection to the target of a CONNECT.
pub(super) async fn connect(target: &Target) -> Result<TcpStream, Refusal> {
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    let why = match timeout(CONNECT, TcpStream::connect((host, target.port))).await {
        Ok(Ok(stream)) => {
            // Bytes go on as they come.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
        Ok(Err(why)) => why,
        Err(_) => io::Error::from(io::ErrorKind::TimedOut),
    };
    let (status, error) = match why.kind() {
        io::ErrorKind::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "connection_timeout"),
        io::ErrorKind::ConnectionRefused => (StatusCode::BAD_GATEWAY, "connection_refused"),
        _ if why.raw_os_error().is_none() => (StatusCode::BAD_GATEWAY, "dns_error"),
        _ => (StatusCode::BAD_GATEWAY, "destination_unavailable"),
    };
    let why = format!("{host}:{}: {why}", target.port);
    Err(Refusal::of(status, Some(error), why))
}

/// The answer to a CONNECT whose connection stands.
pub(super) fn opened() -> Response<Download> {
    let mut answer = Response::new(Download::Own(None));
    let paced = http::HeaderValue::from_static(BY_CONNECTION);
    answer.headers_mut().insert(PROXY_STATUS, paced);
    answer
}

/// Hands on bytes between a client and the target of its CONNECT. The call is under way until both sides have closed.
pub(super) fn between(client: OnUpgrade, origin: TcpStream, turn: Option<Turn<'static>>) {
    tokio::spawn(async move {
        if let Ok(client) = client.await {
            copy(TokioIo::new(client), origin).await;
        }
        drop(turn);
    });
}

/// The same after an answer that switches protocols.
pub(super) fn switched(client: OnUpgrade, origin: OnUpgrade, turn: Option<Turn<'static>>) {
    tokio::spawn(async move {
        if let (Ok(client), Ok(origin)) = tokio::join!(client, origin) {
            copy(TokioIo::new(client), TokioIo::new(origin)).await;
        }
        drop(turn);
    });
}

async fn copy(
    mut one: impl AsyncRead + AsyncWrite + Unpin,
    mut other: impl AsyncRead + AsyncWrite + Unpin,
) {
    // Who closes early is the other side's to notice: it sees the end of the bytes.
    let _ = copy_bidirectional(&mut one, &mut other).await;
}

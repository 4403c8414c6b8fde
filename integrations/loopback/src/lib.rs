//! A real HTTP/1.1 server on loopback, for the tests of the integrations. What it does is in the path:
//!
//! | path | answer |
//! |---|---|
//! | `/delay/MS` | 200 after so many milliseconds |
//! | `/throttle/SECONDS` | 503 with that `Retry-After`, and `x` in place of a number: without the header |
//! | `/left/N/SECONDS` | 200 with `X-RateLimit-Remaining` and `-Reset` of these |
//! | `/reset` | none: the connection is closed |
//! | `/hang` | none: the connection stays open |
//! | anything else | 200 |
//!
//! It notes when each request arrived, and its path and query.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The server, on a thread of its own, for as long as this lives.
#[derive(Debug)]
pub struct Loopback {
    /// Where it listens.
    pub address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When its head had arrived.
    pub at: Instant,
    /// Its path and query.
    pub target: String,
}

impl Loopback {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When the system allows no server on loopback.
    #[must_use]
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread");
        // Bound without the runtime, as the caller may be in one of its own.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("its address");
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&arrivals);
        runtime.spawn(async move {
            serve(TcpListener::from_std(listener).expect("a socket"), noted).await;
        });
        Self {
            address,
            arrivals,
            runtime: Some(runtime),
        }
    }

    /// The URL of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has arrived so far.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    /// The shortest time between two arrivals.
    #[must_use]
    pub fn shortest_gap(&self) -> Option<Duration> {
        let arrivals = self.arrivals();
        arrivals
            .windows(2)
            .map(|pair| pair[1].at - pair[0].at)
            .min()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, arrivals: Arc<Mutex<Vec<Arrival>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let arrivals = Arc::clone(&arrivals);
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                arrivals.lock().unwrap().push(Arrival {
                    at: Instant::now(),
                    target: request.uri().to_string(),
                });
                answer(request.uri().path().to_owned())
            });
            // A connection that breaks is the client's to notice, and here often meant.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// An error closes the connection.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("reset on purpose")
    }
}

impl std::error::Error for Reset {}

async fn answer(path: String) -> Result<Response<Full<Bytes>>, Reset> {
    let mut parts = path.trim_start_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("delay"), Some(ms)) => {
            tokio::time::sleep(Duration::from_millis(ms.parse().unwrap_or(0))).await;
        }
        (Some("throttle"), Some(hint)) => {
            let answer = Response::builder().status(503);
            let answer = match hint.parse::<u64>() {
                Ok(_) => answer.header("retry-after", hint),
                Err(_) => answer,
            };
            return Ok(answer.body(Full::default()).unwrap());
        }
        (Some("left"), Some(left)) => {
            let answer = Response::builder()
                .header("x-ratelimit-remaining", left)
                .header("x-ratelimit-reset", parts.next().unwrap_or_default());
            return Ok(answer.body(Full::default()).unwrap());
        }
        (Some("reset"), _) => return Err(Reset),
        (Some("hang"), _) => std::future::pending().await,
        _ => {}
    }
    Ok(Response::new(Full::from("ok")))
}

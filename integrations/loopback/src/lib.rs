//! A real HTTP/1.1 server on loopback, for the tests of the integrations. What it does is in the path:
//!
//! | path | answer |
//! |---|---|
//! | `/delay/MS` | 200 after so many milliseconds |
//! | `/throttle/SECONDS` | 503 with that `Retry-After`, and `x` in place of a number: without the header |
//! | `/left/N/SECONDS` | 200 with `X-RateLimit-Remaining` and `-Reset` of these |
//! | `/answer/STATUS/NAME=VALUE/…` | that status, with these headers, a `+` in them for a space |
//! | `/forbidden/MESSAGE` | 403 as GitHub gives it, with calls left and this message in its body |
//! | `/cut/STATUS` | that status and the first of a body; then the connection is closed; of a 403 as GitHub gives it |
//! | `/stall/STATUS` | the same; then nothing more comes, and the connection stays open |
//! | `/reset` | none: the connection is closed |
//! | `/hang` | none: the connection stays open |
//! | anything else | 200 |
//!
//! What the AWS SDK takes for an answer without volumes is the body of a 200. It notes when each request arrived, its path,
//! query and headers, and how many were under way at once. [`Loopback::answering`] has a test's own answers come first.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod answers;
mod body;
pub mod fleet;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
pub use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, http};
pub use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::body::Body;

const BODY: &str = "<DescribeVolumesResponse/>";

/// The server, on a thread of its own, for as long as this lives.
#[derive(Debug)]
pub struct Loopback {
    /// Where it listens.
    pub address: SocketAddr,
    notes: Arc<Notes>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// A test's own answers; none for what the path says.
type Answers = dyn Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync;

#[derive(Debug, Default)]
struct Notes {
    arrivals: Mutex<Vec<Arrival>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

/// A request that is not answered yet.
struct UnderWay(Arc<Notes>);

impl UnderWay {
    fn begin(notes: &Arc<Notes>) -> Self {
        let under_way = notes.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        notes.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        Self(Arc::clone(notes))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When its head had arrived.
    pub at: Instant,
    /// Its path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
}

impl Loopback {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When the system allows no server on loopback.
    #[must_use]
    pub fn start() -> Self {
        Self::answering(|_| None)
    }

    /// The same, but its answers have no `Date`.
    ///
    /// # Panics
    /// When the system allows no server on loopback.
    #[must_use]
    pub fn without_dates() -> Self {
        Self::serving(Arc::new(|_| None), false)
    }

    /// The same with answers of the test's own, to requests that have come whole. Where it gives none, the path says what comes. One with
    /// a header `x-after` leaves so many milliseconds later.
    ///
    /// # Panics
    /// When the system allows no server on loopback.
    #[must_use]
    pub fn answering(
        answers: impl Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::serving(Arc::new(answers), true)
    }

    fn serving(answers: Arc<Answers>, dates: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread");
        // Bound without the runtime, as the caller may be in one of its own.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("its address");
        let notes = Arc::new(Notes::default());
        let noted = Arc::clone(&notes);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            serve(listener, noted, answers, dates).await;
        });
        Self {
            address,
            notes,
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
        self.notes.arrivals.lock().unwrap().clone()
    }

    /// The most requests that had arrived and were not answered, at any time so far.
    #[must_use]
    pub fn most_under_way(&self) -> usize {
        self.notes.most_under_way.load(Ordering::SeqCst)
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

async fn serve(listener: TcpListener, notes: Arc<Notes>, answers: Arc<Answers>, dates: bool) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (notes, answers) = (Arc::clone(&notes), Arc::clone(&answers));
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                notes.arrivals.lock().unwrap().push(Arrival {
                    at: Instant::now(),
                    target: request.uri().to_string(),
                    headers: request.headers().clone(),
                });
                let under_way = UnderWay::begin(&notes);
                let answers = Arc::clone(&answers);
                async move {
                    let _until_it_is_answered = under_way;
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
                    let request = Request::from_parts(parts, body);
                    match answers(&request) {
                        Some(answer) => {
                            let after = answer.headers().get("x-after");
                            let after = after.and_then(|ms| ms.to_str().ok()?.parse().ok());
                            tokio::time::sleep(Duration::from_millis(after.unwrap_or(0))).await;
                            Ok(answer.map(Body::whole))
                        }
                        None => answer(request.uri().path()).await,
                    }
                }
            });
            // A connection that breaks is the client's to notice, and here often meant.
            let _ = hyper::server::conn::http1::Builder::new()
                .auto_date_header(dates)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// As GitHub gives it while calls are left.
fn forbidden() -> http::response::Builder {
    Response::builder()
        .status(403)
        .header("x-github-request-id", "0F5A:2B:1C")
        .header("x-ratelimit-remaining", "21")
        .header("x-ratelimit-reset", "60")
}

/// An error closes the connection.
#[derive(Debug)]
pub(crate) struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("reset on purpose")
    }
}

impl std::error::Error for Reset {}

async fn answer(path: &str) -> Result<Response<Body>, Reset> {
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
            return Ok(answer.body(Body::whole("")).unwrap());
        }
        (Some("left"), Some(left)) => {
            let answer = Response::builder()
                .header("x-ratelimit-remaining", left)
                .header("x-ratelimit-reset", parts.next().unwrap_or_default());
            return Ok(answer.body(Body::whole("")).unwrap());
        }
        (Some("answer"), Some(status)) => {
            let headers = parts.filter_map(|header| header.split_once('='));
            let answer = Response::builder().status(status);
            let answer = headers.fold(answer, |answer, (name, value)| {
                answer.header(name, value.replace('+', " "))
            });
            return Ok(answer.body(Body::whole("")).unwrap());
        }
        (Some("forbidden"), Some(message)) => {
            let body = format!("{{\"message\":\"{}\"}}", message.replace('+', " "));
            return Ok(forbidden().body(Body::whole(body)).unwrap());
        }
        (Some(how @ ("cut" | "stall")), Some(status)) => {
            let answer = match status {
                "403" => forbidden(),
                _ => Response::builder().status(status),
            };
            let body = match how {
                "cut" => Body::cut(),
                _ => Body::stalled(),
            };
            return Ok(answer.body(body).unwrap());
        }
        (Some("reset"), _) => return Err(Reset),
        (Some("hang"), _) => std::future::pending().await,
        _ => {}
    }
    Ok(Response::new(Body::whole(BODY)))
}

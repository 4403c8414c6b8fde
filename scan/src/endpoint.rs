//! A throttling API on loopback: real HTTP/1.1, EC2's error body, a bucket for each action that all callers on an account
//! share.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::bucket::Buckets;

const THROTTLED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"#;
const NO_ACTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>MissingAction</Code><Message>The request must contain the parameter Action.</Message></Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"#;

/// How many snapshots the account has, where pages are asked for.
const SNAPSHOTS: usize = 2_000;
/// The longest form that is read, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// The server, for as long as this lives.
pub struct Endpoint {
    address: SocketAddr,
    throttled: Arc<AtomicUsize>,
    runtime: tokio::runtime::Runtime,
}

impl Endpoint {
    /// Serves `buckets` on a free port of loopback.
    ///
    /// # Errors
    /// The system's, where it has no port or no thread left.
    pub fn start(buckets: Buckets) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        // Bound without the runtime, as the caller may be in one of its own.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let throttled = Arc::new(AtomicUsize::new(0));
        runtime.spawn(serve(listener, Arc::new(buckets), throttled.clone()));
        Ok(Self {
            address,
            throttled,
            runtime,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends, and tells how many calls it has throttled by its own count.
    #[must_use]
    pub fn stop(self) -> usize {
        self.runtime.shutdown_background();
        self.throttled.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, buckets: Arc<Buckets>, throttled: Arc<AtomicUsize>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, say: others will be closed.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (buckets, throttled) = (buckets.clone(), throttled.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (buckets, throttled) = (buckets.clone(), throttled.clone());
            async move {
                let answer = answer(request, &buckets).await;
                if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                    throttled.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        tokio::spawn(async move {
            // A connection that breaks is the client's to notice.
            let _ = hyper::server::conn::http1::Builder::new()
                // The time may be mocked, which clients would correct by it.
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// EC2 is at the root; every other path is some other service, and no concern of this account's buckets. Parameters are in the
/// query, or in a form as the SDKs send it.
async fn answer(request: Request<Incoming>, buckets: &Buckets) -> Response<Full<Bytes>> {
    if request.uri().path() != "/" {
        return response(StatusCode::OK, "<Response/>".into());
    }
    let (head, body) = request.into_parts();
    let Ok(form) = Limited::new(body, MAX_FORM).collect().await else {
        return response(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new());
    };
    let form = form.to_bytes();
    let form = String::from_utf8_lossy(&form);
    let parameter = |wanted: &str| {
        let query = head.uri.query().unwrap_or_default().split('&');
        query
            .chain(form.split('&'))
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| name.starts_with(wanted))
            .map(|(_, value)| value)
    };
    let Some(action) = parameter("Action") else {
        return response(StatusCode::BAD_REQUEST, NO_ACTION.into());
    };
    let page = parameter("MaxResults");
    let narrowed = page.is_some() || parameter("Filter.").is_some();
    if !buckets.take(account(&head), action, narrowed) {
        return response(StatusCode::SERVICE_UNAVAILABLE, THROTTLED.into());
    }
    let found = match page {
        Some(size) if action == "DescribeSnapshots" => {
            page_of_snapshots(size, parameter("NextToken"))
        }
        _ => String::new(),
    };
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{found}</{action}Response>"#
    );
    response(StatusCode::OK, body.into())
}

/// A page of the account's snapshots; the mark of the next one is the number of its first snapshot.
fn page_of_snapshots(size: &str, mark: Option<&str>) -> String {
    let size = size.parse().unwrap_or(SNAPSHOTS);
    let first = mark.and_then(|mark| mark.parse().ok()).unwrap_or(0);
    let end = SNAPSHOTS.min(first + size);
    let items: String = (first..end)
        .map(|n| format!("<item><snapshotId>snap-{n:08x}</snapshotId></item>"))
        .collect();
    let next = if end < SNAPSHOTS {
        format!("<nextToken>{end}</nextToken>")
    } else {
        String::new()
    };
    format!("<snapshotSet>{items}</snapshotSet>{next}")
}

/// The account is all that counts: who on it calls is not looked at.
fn account(head: &Parts) -> &str {
    head.headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, credential)| credential.split('/').next())
        .unwrap_or_default()
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/xml"),
    );
    response
}

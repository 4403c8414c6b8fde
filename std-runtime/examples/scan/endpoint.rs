//! A throttling API on loopback: real HTTP/1.1, EC2's error body, one bucket for everybody on the account.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::bucket::Bucket;

const THROTTLED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"#;
const SNAPSHOTS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><snapshotSet/></DescribeSnapshotsResponse>"#;

/// The server, for as long as this lives.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    throttled: Arc<AtomicUsize>,
    runtime: tokio::runtime::Runtime,
}

impl Endpoint {
    /// Serves `bucket` on a free port of loopback.
    pub(crate) fn start(bucket: Bucket) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let bucket = Arc::new(bucket);
        let throttled = Arc::new(AtomicUsize::new(0));
        runtime.spawn(serve(listener, bucket, throttled.clone()));
        Ok(Self {
            address,
            throttled,
            runtime,
        })
    }

    /// How many calls it has throttled, by its own count, and ends.
    pub(crate) fn stop(self) -> usize {
        self.runtime.shutdown_background();
        self.throttled.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, bucket: Arc<Bucket>, throttled: Arc<AtomicUsize>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (bucket, throttled) = (bucket.clone(), throttled.clone());
        let answer = service_fn(move |_: Request<Incoming>| {
            let answer = if bucket.take() {
                answer(StatusCode::OK, SNAPSHOTS)
            } else {
                throttled.fetch_add(1, Ordering::Relaxed);
                answer(StatusCode::SERVICE_UNAVAILABLE, THROTTLED)
            };
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(async move {
            // A connection that breaks is the client's to notice.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn answer(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/xml"),
    );
    response
}

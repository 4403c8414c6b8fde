//! gRPC by `tonic`: a turn for each call. A server refuses by `RESOURCE_EXHAUSTED`, which is a 200 by HTTP, so a closure reads it, and
//! `grpc-retry-pushback-ms` (gRPC's proposal A6), how long to stay away. `cargo run --example grpc`, on a server on loopback.
use std::time::Duration;

use apiqueue::{ApiQueue, Route, Turn};
use apiqueue_tower::{BoxError, QueueLayer, Queued};
use http::{Request, Response};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;

/// A channel whose calls take their turn.
pub type Paced = Queued<Channel, Request<Body>, Response<Body>>;

/// With its queue, which refusals hold.
pub fn paced(channel: Channel, queue: ApiQueue) -> Paced {
    let route = Route::to(queue);
    let http = route.clone();
    let layer = QueueLayer::heeding(route, move |turn: Turn, answer: &Response<Body>| {
        let headers = answer.headers();
        match Status::from_header_map(headers).map(|status| status.code()) {
            Some(Code::ResourceExhausted) => {
                let pushback = headers.get("grpc-retry-pushback-ms");
                let pushback = pushback.and_then(|ms| ms.to_str().ok()?.parse().ok());
                turn.throttled(Some(
                    Duration::from_millis(pushback.unwrap_or(1_000)).min(Duration::from_secs(60)),
                ));
            }
            // A proxy on the way refuses by HTTP.
            _ => http.answered(Some(turn), answer.status(), headers),
        }
    });
    layer.layer(channel)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (_, health) = tonic_health::server::health_reporter();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(
        Server::builder()
            .add_service(health)
            .serve_with_incoming(incoming),
    );
    let channel = Endpoint::new(format!("http://{address}"))?.connect_lazy();
    let queue = ApiQueue::builder().per_second(10).name("health").start()?;
    let mut client = HealthClient::new(paced(channel, queue.clone()));
    for _ in 0..5 {
        let answer = client
            .check(HealthCheckRequest {
                service: String::new(),
            })
            .await?;
        println!("{:?}", answer.into_inner().status());
    }
    println!("{}", queue.stats());
    Ok(())
}

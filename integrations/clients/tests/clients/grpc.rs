use apiqueue::ApiQueue;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::grpc_client::{Paced, paced};
use crate::{every, is_free, is_held};

/// A server whose every call goes through this.
async fn server(
    check: impl Fn() -> Result<(), Status> + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let (_, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, move |call: Request<()>| check().map(|()| call));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = TcpIncoming::from(listener);
    tokio::spawn(
        Server::builder()
            .add_service(health)
            .serve_with_incoming(incoming),
    );
    address
}

fn client(address: SocketAddr, queue: &ApiQueue) -> HealthClient<Paced> {
    let channel = Endpoint::new(format!("http://{address}")).unwrap();
    HealthClient::new(paced(channel.connect_lazy(), queue.clone()))
}

async fn check(mut client: HealthClient<Paced>) -> Result<(), Status> {
    let service = String::new();
    client.check(HealthCheckRequest { service }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_share_one_line() {
    let queue = every(2);
    let client = client(server(|| Ok(())).await, &queue);
    let callers: Vec<_> = (0..64)
        .map(|_| tokio::spawn(check(client.clone())))
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((queue.stats().released, queue.len()), (64, 0));
}

#[tokio::test]
async fn a_refusal_holds_as_long_as_the_server_pushes_back_and_other_errors_do_not() {
    let refusal = |pushback: Option<&'static str>| {
        move || {
            let mut metadata = MetadataMap::new();
            if let Some(pushback) = pushback {
                metadata.insert("grpc-retry-pushback-ms", pushback.parse().unwrap());
            }
            Err(Status::with_metadata(
                Code::ResourceExhausted,
                "slow down",
                metadata,
            ))
        }
    };
    let queue = every(1);
    let why = check(client(server(refusal(Some("30000"))).await, &queue)).await;
    assert_eq!(why.unwrap_err().code(), Code::ResourceExhausted);
    is_held(&queue, 30);

    let queue = every(1);
    assert!(
        check(client(server(refusal(None)).await, &queue))
            .await
            .is_err()
    );
    assert!(queue.enqueue().unwrap().await.unwrap().held() > Duration::ZERO);

    let queue = every(1);
    let denied = server(|| Err(Status::permission_denied("no"))).await;
    assert!(check(client(denied, &queue)).await.is_err());
    is_free(&queue);
}

#[tokio::test]
async fn the_channel_s_timeout_does_not_count_the_wait() {
    let queue = every(1_500);
    queue.wait_turn().unwrap();
    let address = server(|| Ok(())).await;
    let channel = Endpoint::new(format!("http://{address}")).unwrap();
    let channel = channel.timeout(Duration::from_secs(1)).connect_lazy();
    check(HealthClient::new(paced(channel, queue)))
        .await
        .unwrap();
}

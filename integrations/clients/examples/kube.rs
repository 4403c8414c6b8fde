//! Kubernetes by `kube`: each attempt takes its turn, its own retries included, and a 429 of the API server holds all.
//! `cargo run --example kube`, on a server on loopback.
use apiqueue::ApiQueue;
use apiqueue_loopback::{Loopback, Response};
use apiqueue_tower::{BoxError, QueueLayer};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ConfigExt};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};
use tower::ServiceBuilder;
use tower::retry::RetryLayer;

/// Inside of the retries, outside of the connection. A real server wants `config.auth_layer()` and a connector with TLS, too.
pub fn client(config: Config, queue: ApiQueue) -> Client {
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryPolicy::default()))
        .layer(QueueLayer::new(queue))
        .service(Http::builder(TokioExecutor::new()).build_http::<Body>());
    Client::new(service, config.default_namespace)
}

/// The pods of the default namespace.
pub fn pods(client: Client) -> Api<DynamicObject> {
    let pod = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    Api::default_namespaced_with(client, &pod)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Loopback::answering(|_| {
        let list = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#;
        Some(Response::new(list.into()))
    });
    let queue = ApiQueue::builder()
        .per_second(10)
        .name("kubernetes")
        .start()?;
    let pods = pods(client(Config::new(server.url("/").parse()?), queue.clone()));
    for _ in 0..5 {
        println!("{} pods", pods.list(&Default::default()).await?.items.len());
    }
    println!("{}", queue.stats());
    Ok(())
}

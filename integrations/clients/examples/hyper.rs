//! hyper's own client through the tower layer. `cargo run --example hyper`, on a server on loopback.
use apiqueue::ApiQueue;
use apiqueue_loopback::{Bytes, Loopback};
use apiqueue_tower::{BoxError, QueueLayer};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, Service, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Loopback::start();
    let queue = ApiQueue::builder().per_second(10).name("service").start()?;
    let http = Client::builder(TokioExecutor::new()).build_http();
    let mut client = QueueLayer::new(queue.clone()).layer(http);
    for _ in 0..5 {
        let request = Request::get(server.url("/")).body(Empty::<Bytes>::new())?;
        let answer: Response<Incoming> = client.ready().await?.call(request).await?;
        println!("{}", answer.status());
    }
    println!("{}", queue.stats());
    Ok(())
}

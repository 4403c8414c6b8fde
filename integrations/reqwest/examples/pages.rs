//! A page a turn: GitHub's pages by plain reqwest, each of which tells in its `Link` where the next one is.
//! `cargo run -p apiqueue-reqwest --example pages`, on a server on loopback.
use apiqueue::ApiQueue;
use apiqueue_loopback::{Loopback, Response};
use apiqueue_reqwest::QueueMiddleware;
use reqwest::StatusCode;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Result};

/// The bodies of all pages from this one on. A page that is refused for coming too often is asked for once more: by then the middleware has
/// held the queue for as long as the answer said, and the turn comes after that.
pub(crate) async fn pages(client: &ClientWithMiddleware, first: String) -> Result<Vec<String>> {
    let (mut pages, mut next) = (Vec::new(), Some(first));
    while let Some(url) = &next {
        let answer = client.get(url).send().await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            continue;
        }
        let answer = answer.error_for_status()?;
        next = answer
            .headers()
            .get("link")
            .and_then(|link| next_of(link.to_str().ok()?));
        pages.push(answer.text().await?);
    }
    Ok(pages)
}

/// Of `<https://…?page=2>; rel="next", <https://…?page=9>; rel="last"` the first.
fn next_of(link: &str) -> Option<String> {
    let next = link.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (url, _) = next.trim().strip_prefix('<')?.split_once('>')?;
    Some(url.to_owned())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let server = Loopback::answering(|request| {
        let (host, page) = (
            request.headers()["host"].to_str().ok()?,
            request.uri().query(),
        );
        let next = match page {
            None => "page=2",
            Some("page=2") => "page=3",
            _ => return Some(Response::new("the end".into())),
        };
        let link = format!("<http://{host}/issues?{next}>; rel=\"next\"");
        Response::builder()
            .header("link", link)
            .body("issues".into())
            .ok()
    });
    let queue = ApiQueue::builder().per_second(10).name("github").start()?;
    let client = ClientBuilder::new(reqwest::Client::new());
    let client = client.with(QueueMiddleware::new(queue.clone())).build();
    println!("{:?}", pages(&client, server.url("/issues")).await?);
    println!("{}", queue.stats());
    Ok(())
}

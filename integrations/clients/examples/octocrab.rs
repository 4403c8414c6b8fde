//! GitHub by `octocrab`: a turn for each request, so one for each page, and the limits that GitHub tells are heeded, the secondary one
//! too, which only the body of a 403 may tell. `cargo run --example octocrab`, on a server on loopback.
use apiqueue::{ApiQueue, Throttled};
use apiqueue_loopback::{Loopback, Response};
use apiqueue_tower::{BoxError, QueueLayer};
use http::Uri;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder, Page};
use tower::Layer;

/// A real one wants a connector with TLS, and its token in an `ExtraHeadersLayer`.
pub fn client(base: Uri, queue: ApiQueue) -> Octocrab {
    let http = Http::builder(TokioExecutor::new()).build_http::<OctoBody>();
    let built = OctocrabBuilder::new_empty()
        .with_service(QueueLayer::new(queue).layer(http))
        .with_layer(&BaseUriLayer::new(base))
        .with_auth(AuthState::None)
        .build();
    match built {
        Ok(client) => client,
    }
}

/// Holds the queue after an error that names a limit.
pub fn heed(queue: &ApiQueue, why: &octocrab::Error) {
    if let octocrab::Error::GitHub { source, .. } = why
        && let Some(headers) = &source.headers
        && let Some(hold) = Throttled::default().hold_with_body(
            source.status_code,
            headers,
            source.message.as_bytes(),
        )
    {
        // Never too long, as it is capped.
        let _ = queue.hold_for(hold);
    }
}

/// All pages, each in its turn.
pub async fn all_issues(
    client: &Octocrab,
    queue: &ApiQueue,
) -> octocrab::Result<Vec<serde_json::Value>> {
    let issues = async {
        let first: Page<serde_json::Value> = client.get("/repos/a/b/issues", None::<&()>).await?;
        client.all_pages(first).await
    };
    issues.await.inspect_err(|why| heed(queue, why))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Loopback::answering(|request| {
        let page = request.uri().query().unwrap_or("page=1");
        let next = match page {
            "page=1" => "page=2",
            "page=2" => "page=3",
            _ => return Some(Response::new(r#"[{"id":3}]"#.into())),
        };
        let link = format!("</repos/a/b/issues?{next}>; rel=\"next\"");
        let answer = Response::builder().header("link", link);
        answer.body(r#"[{"id":1}]"#.into()).ok()
    });
    let queue = ApiQueue::builder().per_second(10).name("github").start()?;
    let client = client(server.url("").parse()?, queue.clone());
    println!("{} issues", all_issues(&client, &queue).await?.len());
    println!("{}", queue.stats());
    Ok(())
}

//! Requests and tokens a minute on one account: reserve an estimate, then charge or refund what the answer says that it has used.
//! `cargo run -p apiqueue-reqwest --example llm`, on a server on loopback that counts both and throttles; with `-- --unpaced` you see
//! what it does to those who do not wait.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod model;
mod server;

use std::sync::Arc;
use std::time::Instant;

use apiqueue::Rate;

use crate::model::{Model, Result};
use crate::server::Server;

const CALLS: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    // 6,000 requests a minute of which 40 may gather, 1,200,000 tokens of which 6,000 may.
    let server = Server::start((40, 100.0), (6_000, 20_000.0));
    let (requests, tokens) = match std::env::args().nth(1).as_deref() {
        Some("--unpaced") => (
            Rate::per_second(1_000_000)?,
            Rate::per_second(1_000_000_000)?.burst(1 << 20)?,
        ),
        // Half of what may gather, and a tenth less each second: calls come as the network likes, and others may use the account.
        _ => (
            Rate::per_second(90)?.burst(20)?,
            Rate::per_second(18_000)?.burst(3_000)?,
        ),
    };
    let model = Arc::new(Model::new(server.loopback.url("/"), requests, tokens)?);
    let began = Instant::now();
    let calls: Vec<_> = (0..CALLS)
        .map(|n| {
            let model = Arc::clone(&model);
            let prompt = "Tell me about rate limits. ".repeat(1 + n % 7);
            tokio::spawn(async move { model.ask(&prompt, 500).await })
        })
        .collect();
    let (mut used, mut said) = (0, 0);
    for call in calls {
        if let Ok(answer) = call.await? {
            used += answer.used;
            said += answer.text.len();
        }
    }
    println!(
        "{:?} for {CALLS} calls, {used} tokens, {said} letters",
        began.elapsed()
    );
    println!("the server: {:?}", server.counts());
    println!("{}\n{}", model.requests.stats(), model.tokens.stats());
    Ok(())
}

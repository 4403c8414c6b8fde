//! Requests and tokens on one account, over real sockets: the client of `examples/llm`, against its server that counts both.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../examples/llm/model.rs"]
mod model;
#[path = "../examples/llm/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use apiqueue::{ApiQueue, Rate};

use crate::model::Model;
use crate::server::{Counts, Server};

const HOUR: Duration = Duration::from_secs(3600);
/// Its estimate is too low: a token for each two of its words.
const SHORT_WORDS: &str = "a b c d e f g h i j k l m n o p q r s t u v w x y z";
/// And here it is too high.
const LONG_WORDS: &str = "unconditionally incomprehensible misunderstandings notwithstanding";

fn client(server: &Server, requests: Rate, tokens: Rate) -> Arc<Model> {
    Arc::new(Model::new(server.loopback.url("/"), requests, tokens).unwrap())
}

/// So many permits, and no more while a test runs.
fn only(permits: u32) -> Rate {
    Rate::every(HOUR).unwrap().burst(permits).unwrap()
}

fn plenty() -> Rate {
    Rate::per_second(1_000).unwrap().burst(1_000).unwrap()
}

/// Exactly so many permits are left, which it takes.
fn are_left(queue: &ApiQueue, permits: usize) {
    if permits > 0 {
        let waiter = queue.enqueue_weighted(permits).unwrap();
        assert!(!waiter.is_waiting(), "{permits} are not left");
        waiter.wait().unwrap();
    }
    assert!(queue.try_acquire().is_err(), "more than {permits} are left");
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn sixty_four_callers_are_never_throttled() {
    let server = Server::start((50, 200.0), (12_000, 6_600.0));
    let requests = Rate::per_second(150).unwrap().burst(20).unwrap();
    let tokens = Rate::per_second(6_000).unwrap().burst(3_000).unwrap();
    let model = client(&server, requests, tokens);
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let model = Arc::clone(&model);
            let prompt = [SHORT_WORDS, LONG_WORDS][n % 2].repeat(1 + n % 3);
            tokio::spawn(async move { model.ask(&prompt, 300).await })
        })
        .collect();
    let mut used = 0;
    for call in calls {
        used += call.await.unwrap().unwrap().used;
    }
    // More than its bucket could have held.
    assert!(used > 9_000, "{used}");
    let counts = Counts {
        answered: 64,
        throttled: 0,
        tokens: used,
    };
    assert_eq!(server.counts(), counts);
}

#[tokio::test]
async fn what_is_refunded_and_charged_comes_to_what_was_used() {
    let server = Server::start((1_000, 1_000.0), (100_000, 1_000.0));
    let model = client(&server, plenty(), only(7_500));
    let mut calls = Vec::new();
    let (mut estimates, mut used) = (0, 0);
    let (mut was_charged, mut was_refunded) = (false, false);
    for n in 0..24 {
        let prompt = [SHORT_WORDS, LONG_WORDS][n % 2].repeat(1 + n % 4);
        let most = if n % 2 == 0 { 1 } else { 600 };
        let estimate = prompt.len().div_ceil(4) + most;
        estimates += estimate;
        let model = Arc::clone(&model);
        let call = tokio::spawn(async move { model.ask(&prompt, most).await });
        calls.push((estimate, call));
    }
    for (estimate, call) in calls {
        let limit = Duration::from_secs(60);
        let answer = tokio::time::timeout(limit, call).await.expect("an answer");
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.text, "Quite so.");
        used += answer.used;
        was_charged |= answer.used > estimate;
        was_refunded |= answer.used < estimate;
    }
    assert!(was_charged && was_refunded);
    // Refunds are what let the last ones in: for an hour there are no more.
    assert!(estimates > 7_500 && used < 7_500, "{estimates} {used}");
    assert_eq!(server.counts().tokens, used);
    are_left(&model.tokens, 7_500 - used);
}

#[tokio::test]
async fn a_call_given_up_before_it_is_sent_has_taken_nothing() {
    let server = Server::start((1_000, 1_000.0), (100_000, 1_000.0));
    let model = client(&server, only(2), only(1_000));
    let ask = |most| {
        let model = Arc::clone(&model);
        tokio::spawn(async move { model.ask("four", most).await.map(|answer| answer.used) })
    };
    // It waits for tokens, and one behind it for both.
    let spent = ask(500).await.unwrap().unwrap();
    let tokens = ask(999);
    until(|| model.tokens.len() == 1).await;
    let (behind, last) = (ask(10), ask(10));
    tokio::task::yield_now().await;
    behind.abort();
    tokens.abort();
    // Whoever is last has lost nothing by those.
    let spent = spent + last.await.unwrap().unwrap();
    // There is no request left for this one, which has its tokens already.
    let requests = ask(400);
    until(|| model.requests.len() == 1).await;
    assert!(
        model
            .tokens
            .enqueue_weighted(1_000 - spent)
            .unwrap()
            .is_waiting()
    );
    requests.abort();
    assert!(requests.await.unwrap_err().is_cancelled());
    are_left(&model.tokens, 1_000 - spent);
    assert_eq!(server.counts().answered, 2);
}

#[tokio::test]
async fn a_call_given_up_on_the_wire_has_taken_what_it_may_have_cost() {
    let server = Server::start((1_000, 1_000.0), (100_000, 1_000.0));
    let model = client(&server, plenty(), only(1_000));
    let asker = Arc::clone(&model);
    let call = tokio::spawn(async move { asker.ask("four", 300).await.map(drop) });
    until(|| server.counts().answered == 1).await;
    call.abort();
    if call.await.is_err() {
        are_left(&model.tokens, 1_000 - 301);
    }
}

#[tokio::test]
async fn a_call_that_is_throttled_all_the_same_holds_the_requests_and_takes_no_tokens() {
    // Others have used the account.
    let server = Server::start((1, 0.01), (100_000, 1_000.0));
    let model = client(&server, plenty(), only(1_000));
    let used = model.ask("four", 300).await.unwrap().used;
    // Its headers said so, and the next one would wait.
    assert!(
        model
            .requests
            .enqueue_within(Duration::from_secs(5))
            .is_err()
    );
    model.requests.resume();
    model.requests.set_rate(plenty());
    let why = model.ask("four", 300).await.err().unwrap();
    assert_eq!(why.to_string(), "throttled");
    let held = model.requests.enqueue().unwrap();
    assert!(held.await.unwrap().held() > Duration::ZERO);
    are_left(&model.tokens, 1_000 - used);
    assert_eq!(server.counts().throttled, 1);
}

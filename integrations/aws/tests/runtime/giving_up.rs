//! Whoever gives up costs nobody a turn, at whatever stage.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use apiqueue::ApiQueue;
use apiqueue_aws::Paced;
use apiqueue_loopback::Loopback;
use aws_sdk_polly::Client;
use aws_sdk_polly::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_polly::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_polly::error::BoxError;

use crate::setup::{HOUR, Time, call, config, only};

type Call = Pin<Box<dyn Future<Output = bool> + Send>>;

/// So many calls, none of which has been polled.
fn calls(client: &Client, count: usize) -> Vec<Call> {
    let call = |_| {
        let client = client.clone();
        Box::pin(async move { call(&client).await }) as Call
    };
    (0..count).map(call).collect()
}

/// Polls each once: those in line come to stand there in this order.
async fn poll_each(calls: &mut [Call]) {
    for call in calls {
        let once = std::future::poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        });
        once.await;
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

/// A client and its queue, whose permit is gone.
async fn in_line(server: &Loopback, path: &str) -> (Time, ApiQueue, Client) {
    let time = Time::default();
    let queue = time.stepped();
    assert!(queue.try_acquire().is_ok());
    let config = config(server, path, &Paced::routed(only(&queue)), &time).await;
    (time, queue, Client::new(&config))
}

#[tokio::test]
async fn of_sixty_four_callers_those_who_stay_go_one_each_hour() {
    let server = Loopback::start();
    let (time, queue, client) = in_line(&server, "/").await;
    let mut all = calls(&client, 64);
    // Before their place: they were never polled.
    drop(all.split_off(56));
    poll_each(&mut all).await;
    assert_eq!(queue.stats().depth, 56);
    // In line: the head, the tail, and each third.
    let mut left: Vec<Call> = Vec::new();
    for (n, call) in all.into_iter().enumerate() {
        if n != 0 && n != 55 && n % 3 != 1 {
            left.push(call);
        }
    }
    assert_eq!(queue.stats().cancelled, 56 - left.len() as u64);
    // Released, and dropped before it knows: the next one goes in the same hour, a nanosecond later.
    time.step(&queue);
    drop(left.remove(0));
    time.0.advance(1);
    let _ = queue.advance();
    let stay = left.len();
    let left: Vec<_> = left.into_iter().map(tokio::spawn).collect();
    for (hour, call) in left.into_iter().enumerate() {
        if hour > 0 {
            time.step(&queue);
        }
        let answered = tokio::time::timeout(Duration::from_secs(10), call).await;
        let answered = answered.unwrap_or_else(|_| panic!("hour {hour}: waits"));
        assert!(answered.unwrap(), "hour {hour}");
        assert_eq!(server.arrivals().len(), hour + 1, "in order, one each hour");
    }
    assert_eq!(server.arrivals().len(), stay);
    assert_eq!(queue.under_way(), 0);
}

#[tokio::test]
async fn who_gives_up_on_the_wire_has_used_a_turn_and_no_more() {
    let server = Loopback::start();
    let (time, queue, client) = in_line(&server, "/hang").await;
    for n in 1..=5 {
        let mut calls = calls(&client, 1);
        poll_each(&mut calls).await;
        time.step(&queue);
        let on_the_wire = tokio::spawn(calls.remove(0));
        until("arrives", || server.arrivals().len() == n).await;
        assert_eq!(queue.under_way(), 1);
        on_the_wire.abort();
        assert!(on_the_wire.await.is_err());
        assert_eq!(queue.under_way(), 0);
    }
    let stats = queue.stats();
    assert_eq!((stats.released, stats.given_back), (6, 0));
}

/// Fails between the turn and the HTTP client.
#[derive(Debug)]
struct Fails;

impl Intercept for Fails {
    fn name(&self) -> &'static str {
        "Fails"
    }

    fn modify_before_transmit(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Err("refused by an interceptor".into())
    }
}

#[tokio::test]
async fn an_attempt_that_dies_between_turn_and_client_gives_its_turn_back() {
    let (server, time) = (Loopback::start(), Time::default());
    let queue = ApiQueue::builder().every(HOUR).at_once(1).start().unwrap();
    let config = config(&server, "/", &Paced::routed(only(&queue)), &time).await;
    let fails = aws_sdk_polly::config::Builder::from(&config).interceptor(Fails);
    let fails = Client::from_conf(fails.build());
    for n in 1..=10 {
        assert!(!call(&fails).await);
        let stats = queue.stats();
        assert_eq!((stats.given_back, queue.under_way()), (n, 0));
    }
    // The same hour's permit is still there for somebody else.
    assert!(call(&Client::new(&config)).await);
    assert_eq!(server.arrivals().len(), 1);
}

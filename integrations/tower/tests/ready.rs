//! The layer that waits in `poll_ready`.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{ApiQueue, Builder, Closed, Stop, Turn};
use apiqueue_tower::{BoxError, ReadyLayer};
use tower::{Layer, Service, ServiceExt, service_fn};

const MILLI: u64 = 1_000_000;

fn layer(queue: &ApiQueue) -> ReadyLayer<u32> {
    ReadyLayer::heeding(queue.clone(), |turn: Turn, _: &u32| turn.ok())
}

fn echo(n: u32) -> impl Future<Output = Result<u32, BoxError>> {
    ready(Ok(n))
}

/// A queue on a clock that stands, driven by hand.
fn by_hand(builder: Builder) -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = builder.clock(Arc::clone(&clock)).manual().start().unwrap();
    (queue, clock)
}

fn every(ms: u64) -> ApiQueue {
    let builder = ApiQueue::builder().every(Duration::from_millis(ms));
    builder.strict().start().unwrap()
}

#[tokio::test]
async fn every_clone_waits_for_a_turn_of_its_own() {
    let queue = every(30);
    let client = layer(&queue).layer(service_fn(echo));
    let start = Instant::now();
    let clones: Vec<_> = (0..4)
        .map(|n| tokio::spawn(client.clone().oneshot(n)))
        .collect();
    for (n, clone) in (0..).zip(clones) {
        assert_eq!(clone.await.unwrap().unwrap(), n);
    }
    assert!(start.elapsed() >= Duration::from_millis(90));
    assert!(queue.stats().released >= 4);
}

#[tokio::test]
async fn a_turn_that_nobody_used_is_given_back() {
    let queue = every(3_600_000);
    let mut unused = layer(&queue).layer(service_fn(echo));
    unused.ready().await.unwrap();
    assert!(queue.try_acquire().is_err());
    drop(unused);
    let mut next = layer(&queue).layer(service_fn(echo));
    next.ready().await.unwrap();
    assert_eq!(queue.stats().given_back, 1);
}

#[tokio::test]
async fn a_call_that_was_not_ready_is_refused_and_a_stopped_queue_says_closed() {
    let queue = every(1);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let mut client = layer(&queue).layer(service_fn(move |n| {
        noted.lock().unwrap().push(n);
        echo(n)
    }));
    let why = client.call(1).await.unwrap_err();
    assert_eq!(
        why.to_string(),
        "the service was called before it was ready"
    );
    assert!(calls.lock().unwrap().is_empty());
    queue.stop(Stop::Now);
    let why = client.ready().await.err().unwrap();
    assert!(why.is::<Closed>(), "{why}");
}

#[test]
fn clones_that_were_made_ready_long_ago_do_not_call_all_at_once() {
    let (queue, clock) = by_hand(ApiQueue::builder().per_second(20));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let inner = {
        let (calls, clock) = (Arc::clone(&calls), Arc::clone(&clock));
        service_fn(move |n| {
            calls.lock().unwrap().push((clock.now(), n));
            echo(n)
        })
    };
    let client = layer(&queue).layer(inner);
    let mut cx = Context::from_waker(Waker::noop());
    let mut clones: Vec<_> = (0..20).map(|_| client.clone()).collect();
    for clone in &mut clones {
        while clone.poll_ready(&mut cx).is_pending() {
            clock.advance(50 * MILLI);
            let _ = queue.advance();
        }
    }
    let start = clock.now();
    assert_eq!(start, 950 * MILLI);
    let mut answers: Vec<_> = (0..)
        .zip(&mut clones)
        .map(|(n, clone)| Box::pin(clone.call(n)))
        .collect();
    while !answers.is_empty() {
        answers.retain_mut(|answer| answer.as_mut().poll(&mut cx).is_pending());
        clock.advance(MILLI);
        let _ = queue.advance();
    }
    let calls = calls.lock().unwrap();
    // The last one was in time, and one permit that was given back is there at once. The others are spaced.
    let order: Vec<_> = calls.iter().map(|(_, n)| *n).collect();
    assert_eq!(order[0], 19);
    assert!(order[1..].iter().copied().eq(0..19), "{order:?}");
    assert!(calls[19].0 >= start + 900 * MILLI, "{calls:?}");
    for pair in calls[1..].windows(2) {
        assert!(pair[1].0 - pair[0].0 >= 50 * MILLI, "{calls:?}");
    }
    assert_eq!(queue.stats().given_back, 19);
}

#[test]
fn a_permit_is_good_for_an_interval_and_for_a_millisecond_at_least() {
    for (interval, age, is_late) in [
        (50_000, 49_999, false),
        (50_000, 50_000, true),
        (10, 999, false),
        (10, 1_000, true),
    ] {
        let rate = ApiQueue::builder().every(Duration::from_micros(interval));
        let (queue, clock) = by_hand(rate);
        let mut client = layer(&queue).layer(service_fn(echo));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(client.poll_ready(&mut cx).is_ready());
        clock.advance(age * 1_000);
        // Ready is ready, by the rules of `Service`, until it is called.
        assert!(client.poll_ready(&mut cx).is_ready());
        let answer = Box::pin(client.call(1)).as_mut().poll(&mut cx);
        assert!(matches!(answer, Poll::Ready(Ok(1))));
        assert_eq!(queue.stats().given_back, u64::from(is_late), "{interval}");
    }
}

#[test]
fn a_late_call_goes_to_the_end_of_the_line_and_leaves_it_when_it_is_dropped() {
    let (queue, clock) = by_hand(ApiQueue::builder().per_second(20).at_once(1));
    let mut client = layer(&queue).layer(service_fn(echo));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(client.poll_ready(&mut cx).is_pending());
    let _ = queue.advance();
    assert!(client.poll_ready(&mut cx).is_ready());
    assert_eq!(queue.under_way(), 1);
    let first = queue.enqueue().unwrap();
    clock.advance(60 * MILLI);
    let mut answer = Box::pin(client.call(1));
    let _ = queue.advance();
    assert!(answer.as_mut().poll(&mut cx).is_pending());
    assert!(!first.is_waiting() && queue.len() == 1);
    drop(answer);
    assert_eq!(queue.stats().cancelled, 1);
}

#[test]
fn the_turn_is_kept_until_the_answer() {
    type Answer = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

    let (queue, clock) = by_hand(ApiQueue::builder().per_second(20).at_once(2));
    let mut answers: VecDeque<Answer> = [Box::pin(pending()) as Answer, Box::pin(echo(2))].into();
    let inner = move |_| answers.pop_front().unwrap();
    let inner = Arc::new(Mutex::new(inner));
    let inner = service_fn(move |n: u32| (inner.lock().unwrap())(n));
    let mut client = layer(&queue).layer(inner);
    let mut cx = Context::from_waker(Waker::noop());
    let mut calls = Vec::new();
    for n in 0..2 {
        while client.poll_ready(&mut cx).is_pending() {
            clock.advance(50 * MILLI);
            let _ = queue.advance();
        }
        calls.push(Box::pin(client.call(n)));
    }
    assert_eq!(queue.under_way(), 2);
    assert!(calls[0].as_mut().poll(&mut cx).is_pending());
    assert!(calls[1].as_mut().poll(&mut cx).is_ready());
    // The future that is over is not dropped yet.
    assert_eq!(queue.under_way(), 1);
    drop(calls);
    assert_eq!(queue.under_way(), 0);
}

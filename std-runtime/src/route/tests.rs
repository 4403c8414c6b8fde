#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue_core::{Bounds, Closed, Constants, Cubic, ManualClock};
use futures_lite::future::block_on;
use http::HeaderName;

use super::*;
use crate::queue::Stop;
use crate::rate::Rate;
use crate::registry::{Limit, Limits};
use crate::wait::turn::Turn;

const SECOND: u64 = 1_000_000_000;

/// A queue of ten a second on a clock that stands, driven by hand.
fn by_hand() -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .per_second(10)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (queue, clock)
}

fn adaptive() -> (ApiQueue, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let rate = |n| Rate::per_second(n).unwrap().into();
    let bounds = Bounds::new(rate(1), rate(1000), SECOND).unwrap();
    let controller = Cubic::new(bounds, rate(100), Constants::CALM).unwrap();
    let queue = ApiQueue::builder()
        .adaptive(controller)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (queue, clock)
}

fn turn(route: &Route<str>) -> Option<Turn<'static>> {
    let place = route.place("request").unwrap()?;
    Some(block_on(async { place.await?.await }).unwrap())
}

fn answered(route: &Route<str>, status: u16, headers: &[(&'static str, &str)]) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    route.answered(turn(route), StatusCode::from_u16(status).unwrap(), &map);
}

/// For how many tenths of a second nobody goes after one that just went.
fn tenths_to_the_next(queue: &ApiQueue, clock: &ManualClock<u64>) -> u64 {
    (1..)
        .find(|_| {
            clock.advance(SECOND / 10);
            queue.try_acquire().is_ok()
        })
        .unwrap()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn answers_that_throttle_hold_by_default_as_long_as_they_say() {
    let (queue, clock) = by_hand();
    let route = Route::from(queue.clone());
    for (status, headers, tenths) in [
        (200, &[][..], 1),
        (429, &[("retry-after", "3")], 30),
        (503, &[], 10),
        (503, &[("retry-after", "0")], 1),
        (429, &[("retry-after", "86400")], 600),
        (500, &[("retry-after", "3")], 1),
        (403, &[], 1),
        (403, &[("retry-after", "3")], 30),
        (403, &[("gh-limited-by", "time-based")], 600),
        (
            403,
            &[("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "5")],
            1,
        ),
        (
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")],
            50,
        ),
        (
            429,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")],
            50,
        ),
        (429, &[("retry-after-ms", "2500")], 25),
    ] {
        clock.advance(SECOND);
        answered(&route, status, headers);
        assert_eq!(
            tenths_to_the_next(&queue, &clock),
            tenths,
            "{status} {headers:?}"
        );
    }
}

#[test]
fn the_body_of_a_github_403_is_heeded() {
    let (queue, clock) = by_hand();
    let route: Route<str> = Route::to(queue.clone());
    let mut headers = HeaderMap::new();
    headers.insert("x-github-request-id", "0F5A:2B".parse().unwrap());
    for (body, tenths) in [
        (&b"Must have admin rights"[..], 1),
        (b"a secondary rate limit", 600),
    ] {
        clock.advance(SECOND);
        route.answered_with_body(turn(&route), StatusCode::FORBIDDEN, &headers, body);
        assert_eq!(tenths_to_the_next(&queue, &clock), tenths);
    }
    // An adaptive queue hears that the call was refused.
    let (queue, _clock) = adaptive();
    let before = queue.rate().interval();
    let route: Route<str> = Route::to(queue.clone()).never_hold();
    let body = b"secondary rate limit";
    route.answered_with_body(turn(&route), StatusCode::FORBIDDEN, &headers, body);
    assert!(queue.rate().interval() > before);
}

#[test]
fn a_route_holds_as_it_is_told_or_never() {
    let (queue, clock) = by_hand();
    let longer = Throttled::default().without_hint(seconds(4));
    answered(&Route::to(queue.clone()).hold(longer), 503, &[]);
    assert_eq!(tenths_to_the_next(&queue, &clock), 40);

    let follow = Follow::new(rate(1), rate(10), longer).unwrap();
    let route = Route::to(queue.clone()).follow(follow).never_hold();
    clock.advance(SECOND);
    answered(&route, 429, &[("retry-after", "3")]);
    assert_eq!(tenths_to_the_next(&queue, &clock), 1);
    let left = [("x-ratelimit-remaining", "20"), ("x-ratelimit-reset", "10")];
    clock.advance(SECOND);
    answered(&route, 200, &left);
    assert_eq!(queue.rate(), rate(2));
}

fn rate(per_second: u32) -> Rate {
    Rate::per_second(per_second).unwrap()
}

#[test]
fn of_several_holds_the_longest_counts() {
    let empty = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")];
    let capped = |cap| Throttled::default().cap(seconds(cap));
    for (hold, follow, status, tenths) in [
        (60, 60, 200, 50), // by the headers alone
        (60, 2, 200, 20),
        (60, 2, 429, 30), // Retry-After: 3
        (1, 60, 429, 30),
        (1, 2, 429, 20),
    ] {
        let (queue, clock) = by_hand();
        let follow = Follow::new(rate(1), rate(10), capped(follow)).unwrap();
        let route = Route::to(queue.clone()).hold(capped(hold)).follow(follow);
        let mut headers = empty.to_vec();
        if status == 429 {
            headers.push(("retry-after", "3"));
        }
        answered(&route, status, &headers);
        assert_eq!(
            tenths_to_the_next(&queue, &clock),
            tenths,
            "{hold} {status}"
        );
    }
    // One that is on already is not shortened.
    let (queue, clock) = by_hand();
    let route = Route::to(queue.clone());
    let turn = turn(&route);
    queue.hold_for(seconds(9)).unwrap();
    route.answered(turn, StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new());
    assert_eq!(tenths_to_the_next(&queue, &clock), 90);
}

#[test]
fn an_adaptive_queue_hears_of_every_refusal_and_keeps_its_own_rate() {
    let follow = Follow::new(rate(1), rate(1000), Throttled::default()).unwrap();
    let left = [("x-ratelimit-remaining", "20"), ("x-ratelimit-reset", "10")];
    let retry = [("retry-after", "3")];
    let route = |queue: &ApiQueue| Route::to(queue.clone()).never_hold();
    for (status, headers, follows, is_slower) in [
        (200, &left[..], true, false),
        (404, &[], true, false),
        (429, &[], false, true),
        (503, &[], true, true),
        (403, &[], true, false),
        (403, &retry, false, true), // as GitHub says it
        (403, &retry, true, true),
    ] {
        let (queue, _clock) = adaptive();
        let before = queue.rate();
        let route = match follows {
            true => route(&queue).follow(follow),
            false => route(&queue),
        };
        answered(&route, status, headers);
        let after = queue.rate().interval();
        assert_eq!(
            after > before.interval(),
            is_slower,
            "{status} {headers:?} {after:?}"
        );
    }
    // The hold comes with it.
    let (queue, clock) = adaptive();
    answered(&Route::to(queue.clone()), 429, &retry);
    assert!(queue.rate().interval() > Duration::from_millis(10));
    assert_eq!(tenths_to_the_next(&queue, &clock), 30);
}

#[test]
fn an_answer_can_charge_more_and_too_much_is_nothing() {
    let (queue, clock) = by_hand();
    let route = Route::to(queue.clone()).charge(|status, headers| {
        let cost = headers.get("x-cost").map(|cost| cost.to_str().unwrap());
        assert_eq!(status, 200);
        cost.map_or(0, |cost| cost.parse().unwrap())
    });
    for (cost, tenths) in [("5", 6), ("0", 1), ("18446744073709551615", 1)] {
        clock.advance(SECOND);
        answered(&route, 200, &[("x-cost", cost)]);
        assert_eq!(tenths_to_the_next(&queue, &clock), tenths, "{cost}");
    }
}

#[test]
fn a_key_without_a_limit_has_no_place_and_its_answers_do_nothing() {
    let limits = Limits::new(Limit::None).set("slow", Limit::rate(rate(1)));
    let registry = Registry::from(limits);
    let route = Route::keyed(registry.clone(), str::to_owned);
    assert!(route.place("other").unwrap().is_none());
    assert!(route.place("slow").unwrap().is_some());
    route.answered(None, StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new());
    let queue = registry.queue(&"slow".to_owned()).unwrap().unwrap();
    assert_eq!(queue.stats().given_back + queue.stats().cancelled, 1);

    let limits = Limits::new(Limit::Queue(ApiQueue::builder().per_second(0)));
    let route = Route::keyed(Registry::from(limits), str::to_owned);
    assert!(matches!(route.place("any"), Err(StartError::Rate(_))));
}

#[test]
fn places_are_taken_at_once_and_calls_are_under_way_until_the_answer() {
    let queue = ApiQueue::builder().at_once(1).start().unwrap();
    let route: Route<str> = Route::to(queue.clone());
    let one = route.place("a").unwrap().unwrap();
    let other = route.place("b").unwrap().unwrap();
    // Polled first, and the second all the same.
    let mut other = block_on(other).unwrap();
    let first = block_on(async { one.await?.await }).unwrap();
    assert_eq!(queue.under_way(), 1);
    assert!(other.try_wait().unwrap().is_none());
    route.answered(Some(first), StatusCode::OK, &HeaderMap::new());
    let second = other.wait().unwrap();
    assert_eq!(queue.under_way(), 1);
    drop(second); // no answer came
    drop(turn(&route));
    queue.stop(Stop::Now);
    let place = route.place("c").unwrap().unwrap();
    assert_eq!(block_on(place).map(drop), Err(Closed));
}

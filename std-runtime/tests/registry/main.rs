//! Queues by key: one for each, held to its limit, forgotten only when nobody can tell.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "toml")]
mod aws;
#[cfg(feature = "toml")]
mod file;
mod forget;
mod names;
mod stop;
mod user_code;
mod within;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Limit, Limits, Rate, Registry};

fn per_second(n: u32) -> Limit {
    Limit::rate(Rate::per_second(n).unwrap())
}

fn interval_of(limits: &Limits, key: &str) -> Option<Duration> {
    match limits.of(key) {
        Limit::None => None,
        Limit::Queue(builder) => Some(builder.manual().start().unwrap().rate().interval()),
    }
}

/// Keys by number, by hand on a clock that stands, at one each 100 ns with a burst of 2.
fn by_hand(keep: usize) -> (Registry<u32>, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let of_all = Arc::clone(&clock);
    let registry = Registry::new(move |_: &u32| {
        Limit::Queue(
            ApiQueue::builder()
                .every(Duration::from_nanos(100))
                .burst(2)
                .capacity(4)
                .clock(Arc::clone(&of_all))
                .manual(),
        )
    });
    (registry.keep(keep), clock)
}

fn queue(registry: &Registry<u32>, key: u32) -> ApiQueue {
    registry.queue(&key).unwrap().unwrap()
}

#[test]
fn the_own_limit_comes_before_the_most_specific_pattern_and_that_before_the_default() {
    let limits = Limits::new(per_second(1))
        .set("ec2/*", per_second(10))
        .set("*/eu-west-1", per_second(20))
        .set("ec2/*/describe*", per_second(50))
        .set("ec2/us-east-1", per_second(100))
        .set("sts/*", Limit::None);
    let per = |n: u64| Some(Duration::from_nanos(1_000_000_000 / n));
    assert_eq!(interval_of(&limits, "s3/us-east-1"), per(1));
    assert_eq!(interval_of(&limits, "ec2/us-west-2"), per(10));
    assert_eq!(
        interval_of(&limits, "ec2/eu-west-1"),
        per(20),
        "ten characters against four"
    );
    assert_eq!(
        interval_of(&limits, "ec2/us-west-2/describe-volumes"),
        per(50)
    );
    assert_eq!(interval_of(&limits, "ec2/us-east-1"), per(100));
    assert_eq!(interval_of(&limits, "sts/us-east-1"), None);
}

#[test]
fn a_pattern_fits_as_a_whole() {
    let limits = Limits::new(Limit::None)
        .set("a*b*c", per_second(1))
        .set("*x", per_second(2));
    let fits = |key: &str| interval_of(&limits, key).is_some();
    for key in ["abc", "a-b-c", "abcbc", "abbc", "x", "yx"] {
        assert!(fits(key), "{key}");
    }
    for key in ["ab", "bc", "abcd", "xabc ", "", "xy", "ac"] {
        assert!(!fits(key), "{key}");
    }
}

#[test]
fn a_key_has_one_queue_however_many_ask_at_once() {
    let (registry, clock) = by_hand(usize::MAX);
    let gate = Barrier::new(8);
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                gate.wait();
                for key in 0..500 {
                    if queue(&registry, key).try_acquire().is_ok() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(registry.len(), 500);
    assert_eq!(passed.into_inner(), 2 * 500, "the burst of each key, once");
    drop(clock);
}

/// Threads that use and forget few keys in a registry that keeps only one: each key's releases stay within its limit.
#[test]
fn eviction_under_load_never_splits_a_key() {
    const KEYS: u32 = 4;
    let (registry, _clock) = by_hand(1);
    let passed: [AtomicUsize; KEYS as usize] = Default::default();
    thread::scope(|scope| {
        for n in 0..4 {
            let (registry, passed) = (&registry, &passed);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(n);
                for _ in 0..20_000 {
                    let key = random.u32(..KEYS);
                    if queue(registry, key).try_acquire().is_ok() {
                        passed[key as usize].fetch_add(1, Ordering::Relaxed);
                    }
                    // A crowd of others, so that there is always something to forget.
                    drop(queue(registry, KEYS + random.u32(..64)));
                }
            });
        }
    });
    for (key, passed) in passed.iter().enumerate() {
        assert_eq!(
            passed.load(Ordering::Relaxed),
            2,
            "key {key}, on a clock that stands"
        );
    }
}

#[test]
fn a_limit_that_cannot_be_is_told_when_the_key_is_asked_for() {
    let registry: Registry<u32> =
        Registry::new(|_| Limit::Queue(ApiQueue::builder().per_second(0)));
    let why = registry.queue(&1).unwrap_err().to_string();
    assert_eq!(why, "0 releases a second is not in 1..=1000000000");
    assert!(registry.is_empty());
}

#[test]
fn a_hundred_thousand_keys_are_kept_on_one_driver_thread() {
    let registry: Registry<u32> = Registry::new(|_| {
        Limit::Queue(
            ApiQueue::builder()
                .every(Duration::from_secs(3600))
                .capacity(4),
        )
    });
    for key in 0..100_000 {
        queue(&registry, key).enqueue().unwrap().wait().unwrap();
    }
    assert_eq!(registry.len(), 100_000);
    assert!(queue(&registry, 77_777).try_acquire().is_err());
}

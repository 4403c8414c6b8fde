//! Queues by key: one for each, held to its limit, forgotten only when nobody can tell.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Limit, Limits, Rate, Registry, Stop};

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

#[test]
fn more_keys_than_are_kept_push_out_those_at_rest() {
    let (registry, _clock) = by_hand(10);
    for key in 0..1_000 {
        let _ = queue(&registry, key);
    }
    assert!(registry.len() <= 11, "{}", registry.len());
}

#[test]
fn a_key_that_somebody_waits_on_is_not_lost() {
    let (registry, clock) = by_hand(1);
    let held = queue(&registry, 0);
    let _used = [held.enqueue().unwrap(), held.enqueue().unwrap()];
    let waiter = held.enqueue().unwrap();
    assert!(waiter.is_waiting());
    drop(held);
    for key in 1..100 {
        let _ = queue(&registry, key);
    }
    clock.advance(100);
    assert_eq!(queue(&registry, 0).advance().released, 1);
    assert!(!waiter.is_waiting());
}

#[test]
fn forgetting_a_key_gives_nothing_back() {
    let (registry, clock) = by_hand(1);
    let churn = || (1..100).for_each(|key| drop(queue(&registry, key)));
    assert!(queue(&registry, 0).try_acquire().is_ok());
    assert!(queue(&registry, 0).try_acquire().is_ok());
    churn();
    assert!(
        queue(&registry, 0).try_acquire().is_err(),
        "the burst was used"
    );
    clock.advance(100);
    churn();
    assert!(
        queue(&registry, 0).try_acquire().is_ok(),
        "one is free again"
    );
    assert!(
        queue(&registry, 0).try_acquire().is_err(),
        "and not the whole burst"
    );
}

#[test]
fn forgetting_a_key_ends_no_hold_and_undoes_no_rate() {
    let (registry, clock) = by_hand(1);
    let churn = || (10..100).for_each(|key| drop(queue(&registry, key)));
    queue(&registry, 0)
        .hold_for(Duration::from_nanos(1_000))
        .unwrap();
    queue(&registry, 1).set_rate(Rate::every(Duration::from_secs(1)).unwrap());
    queue(&registry, 2).stop(Stop::Now);
    churn();
    clock.advance(900);
    churn();
    assert!(queue(&registry, 0).try_acquire().is_err());
    assert_eq!(
        queue(&registry, 1).rate().interval(),
        Duration::from_secs(1)
    );
    assert!(queue(&registry, 2).is_closed());
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
fn stopping_the_registry_stops_every_queue() {
    let (registry, _clock) = by_hand(usize::MAX);
    let queues: Vec<_> = (0..5).map(|key| queue(&registry, key)).collect();
    assert_eq!(registry.stop(Stop::Now), 5);
    assert!(queues.iter().all(ApiQueue::is_closed));
    assert_eq!(registry.queues().len(), 5);
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

#[cfg(feature = "toml")]
mod from_toml {
    use apiqueue::Registry;

    fn refusal(text: &str) -> String {
        Registry::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn everything_can_be_said() {
        let registry = Registry::from_toml(
            "[default]\nunlimited = true\n\n[\"ec2/*\"]\nevery = \"100ms\"\nburst = 50\nstrict = true\ncapacity = 100\ncatch_up = \"20ms\"\n",
        )
        .unwrap();
        assert!(registry.queue(&"sts/x".to_owned()).unwrap().is_none());
        let ec2 = registry.queue(&"ec2/x".to_owned()).unwrap().unwrap();
        assert_eq!(ec2.name(), "ec2/x");
        assert_eq!(
            (
                ec2.rate().burst_size(),
                ec2.rate().is_strict(),
                ec2.capacity()
            ),
            (50, true, 128)
        );
        assert_eq!(ec2.rate().interval().as_millis(), 100);
    }

    #[test]
    fn a_time_to_catch_up_that_is_none_is_named() {
        let why = refusal("[default]\nper_second = 1\ncatch_up = \"5 parsecs\"\n");
        assert!(
            why.starts_with("line 3: default.catch_up: \"5 parsecs\" is no time such as \"100ms\""),
            "{why}"
        );
        let why = refusal("[default]\nper_second = 1\ncatch_up = \"3years\"\n");
        assert!(
            why.ends_with("is not in 0ns..=72057594.037927935s"),
            "{why}"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_line_key_and_range() {
        for (text, told) in [
            (
                "",
                "line 1: default: missing: say per_second, every or unlimited = true there",
            ),
            (
                "[default]\nper_second = -3",
                "line 2: default.per_second: -3 releases a second is not in 1..=1000000000",
            ),
            (
                "[default]\nevery = \"0ms\"",
                "line 2: default.every: an interval of 0ns is not in 1ns..=72057594.037927935s",
            ),
            (
                "[default]\nper_second = 1\n[\"a/*\"]\nper_second = 5\nburst = 0",
                "line 5: a/*.burst: a burst of 0 is not in 1..=360287970 at this interval",
            ),
            (
                "[default]\nper_second = 1\ncapacity = 99999999",
                "line 3: default.capacity: a capacity of 99999999 is not in 1..=16777216",
            ),
            (
                "[default]\nper_second = 1\nevery = \"1s\"",
                "line 1: default: say one of per_second, every and unlimited = true",
            ),
            (
                "[default]\nunlimited = true\nburst = 2",
                "line 1: default: unlimited = true goes with nothing else",
            ),
        ] {
            assert_eq!(refusal(text), told);
        }
    }

    #[test]
    fn what_toml_itself_finds_wrong_has_its_line_too() {
        let unknown = refusal("[default]\nper_second = 1\nbusrt = 2");
        assert!(
            unknown.starts_with("line 3: ") && unknown.contains("busrt"),
            "{unknown}"
        );
        assert!(refusal("[default]\nper_second = \"x\"").starts_with("line 2: "));
        assert!(refusal("[default\n").starts_with("line 1: "));
        assert!(
            refusal("[default]\nevery = \"soon\"")
                .starts_with("line 2: default.every: \"soon\" is no time")
        );
    }
}

/// Whatever a key's queue is fed by: it is kept while something of it is used, held or changed, and forgotten after.
#[test]
fn queues_of_every_kind_are_forgotten_when_at_rest_and_not_before() {
    let limit = || Rate::every(Duration::from_nanos(100)).unwrap();
    let kinds: [&(dyn Fn() -> apiqueue::Builder + Sync); 3] = [
        &|| ApiQueue::builder().rate(limit()).at_once(1),
        &|| ApiQueue::builder().limit(limit()).limit(limit()),
        &|| ApiQueue::builder().at_once(3),
    ];
    for kind in kinds {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let builder = kind().clock(Arc::clone(&clock)).manual();
        let registry = Registry::new(move |_: &u32| Limit::Queue(builder.clone())).keep(1);
        let first = queue(&registry, 1);
        let mut waiter = first.enqueue().unwrap();
        drop(first);
        drop(queue(&registry, 2));
        assert_eq!(registry.len(), 2, "somebody is in line");
        let _ = queue(&registry, 1).advance();
        let turn = waiter.try_wait().unwrap().unwrap();
        drop(waiter);
        drop(queue(&registry, 3));
        assert_eq!(registry.queues().len(), 2, "a turn is held");
        turn.ok();
        clock.advance(1_000);
        let _ = queue(&registry, 1).advance();
        queue(&registry, 1)
            .hold_for(Duration::from_nanos(10))
            .unwrap();
        for key in 4..8 {
            drop(queue(&registry, key));
        }
        assert!(registry.queues().iter().any(|(key, _)| *key == 1), "held");
        // A hold has spent the burst, which without a limit takes 4.3 s to gather.
        clock.advance(5_000_000_000);
        let _ = queue(&registry, 1).advance();
        for key in 8..16 {
            drop(queue(&registry, key));
        }
        assert!(registry.queues().iter().all(|(key, _)| *key != 1));
    }
}

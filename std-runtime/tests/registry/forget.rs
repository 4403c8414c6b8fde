//! When a key's queue is forgotten, and when not.

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::{Cubic, ManualClock};
use apiqueue::{ApiQueue, Builder, Limit, Rate, Registry, Stop};

use crate::{by_hand, queue};

const SECOND: u64 = 1_000_000_000;

/// Keys by number, by hand on a clock that stands, each queue from this builder.
fn all_from(builder: Builder) -> (Registry<u32>, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let builder = builder.capacity(4).clock(Arc::clone(&clock)).manual();
    let registry = Registry::new(move |_: &u32| Limit::Queue(builder.clone()));
    (registry, clock)
}

fn has(registry: &Registry<u32>, key: u32) -> bool {
    registry.queues().iter().any(|(there, _)| *there == key)
}

/// Asks for so many keys that are not used otherwise.
fn churn(registry: &Registry<u32>, count: u32) {
    let first = 1_000_000;
    (first..first + count).for_each(|key| drop(queue(registry, key)));
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
    churn();
    clock.advance(900);
    churn();
    assert!(queue(&registry, 0).try_acquire().is_err());
    assert_eq!(
        queue(&registry, 1).rate().interval(),
        Duration::from_secs(1)
    );
}

/// Whatever a key's queue is fed by: it is kept while something of it is used, held or changed, and forgotten after.
#[test]
fn queues_of_every_kind_are_forgotten_when_at_rest_and_not_before() {
    let limit = || Rate::every(Duration::from_nanos(100)).unwrap();
    let kinds: [&(dyn Fn() -> Builder + Sync); 3] = [
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

#[test]
fn what_is_kept_can_be_said_on_any_handle_at_any_time() {
    let (registry, _clock) = by_hand(usize::MAX);
    let clone = registry.clone();
    churn(&registry, 100);
    assert_eq!(registry.len(), 100);
    let _clone = clone.keep(10);
    for key in 0..100 {
        drop(queue(&registry, key));
    }
    assert!(registry.len() <= 11, "{}", registry.len());
}

/// 2,500 keys with `keep(10)` stayed for ever, each with a rate of its own.
#[test]
fn a_rate_that_was_found_is_forgotten_after_a_minute_without_a_release() {
    let limit = ApiQueue::builder().adaptive(Cubic::default());
    let (registry, clock) = all_from(limit);
    let registry = registry.keep(10);
    for key in 0..2_500 {
        let queue = queue(&registry, key);
        let before = queue.rate();
        queue.wait_turn().unwrap().throttled(None);
        assert_ne!(queue.rate(), before);
    }
    assert_eq!(registry.len(), 2_500, "all have learnt something");
    clock.advance(59 * SECOND);
    churn(&registry, 1_000);
    assert!(registry.len() >= 2_500);
    clock.advance(SECOND);
    for key in 2_000_000..2_002_000 {
        drop(queue(&registry, key));
    }
    assert!(registry.len() <= 11, "{}", registry.len());
}

/// It may be slower or faster than the rule's: what was used by the rule's rate is not given back for being free at another.
#[cfg(feature = "http")]
#[test]
fn a_found_rate_is_kept_while_the_burst_of_the_rule_has_not_gathered() {
    let limit = ApiQueue::builder().every(Duration::from_secs(100)).burst(3);
    let (registry, clock) = all_from(limit);
    let registry = registry.keep(1);
    for _ in 0..3 {
        queue(&registry, 0).wait_turn().unwrap().ok();
    }
    let fast = apiqueue::Advice {
        evenly: false,
        rate: Some(Rate::per_second(10).unwrap()),
        ..apiqueue::Advice::default()
    };
    fast.apply(&queue(&registry, 0));
    for at in [60, 299] {
        clock.set(at * SECOND);
        churn(&registry, 20);
        assert!(has(&registry, 0), "after {at} s");
    }
    clock.set(300 * SECOND);
    churn(&registry, 20);
    assert!(!has(&registry, 0));
}

#[cfg(feature = "http")]
#[test]
fn a_rate_set_by_hand_is_kept_until_it_is_set_back() {
    let (registry, clock) = all_from(ApiQueue::builder().per_second(1));
    let registry = registry.keep(1);
    let by_hand = Rate::per_second(7).unwrap();
    let found = apiqueue::Advice {
        evenly: false,
        rate: Some(Rate::per_second(5).unwrap()),
        ..apiqueue::Advice::default()
    };
    found.apply(&queue(&registry, 0));
    queue(&registry, 0).set_rate(by_hand);
    clock.advance(10_000 * SECOND);
    churn(&registry, 20);
    assert_eq!(queue(&registry, 0).rate(), by_hand);
    queue(&registry, 0).set_rate(Rate::per_second(1).unwrap());
    churn(&registry, 20);
    assert!(!has(&registry, 0));
}

#[test]
fn a_stopped_queue_is_replaced_by_one_that_goes_on_where_it_ended() {
    let (registry, clock) = by_hand(usize::MAX);
    assert!(queue(&registry, 0).try_acquire().is_ok());
    queue(&registry, 0).stop(Stop::Now);
    let new = queue(&registry, 0);
    assert!(!new.is_closed());
    clock.advance(1);
    assert!(new.try_acquire().is_ok(), "one was left of the burst");
    assert!(new.try_acquire().is_err(), "of two");
    new.stop(Stop::Now);
    let new = queue(&registry, 0);
    clock.advance(99);
    assert!(new.try_acquire().is_err(), "not before the old one");
    clock.advance(1);
    assert!(new.try_acquire().is_ok());
    assert_eq!(registry.len(), 1);
}

#[test]
fn a_stopped_queue_s_hold_outlives_it() {
    let (registry, clock) = by_hand(usize::MAX);
    let hold = Duration::from_nanos(5_000);
    queue(&registry, 0).hold_for(hold).unwrap();
    queue(&registry, 0).stop(Stop::Now);
    let new = queue(&registry, 0);
    clock.advance(4_999);
    assert!(new.try_acquire().is_err());
    clock.advance(1);
    assert!(new.try_acquire().is_ok());
}

#[test]
fn a_queue_that_was_at_rest_when_it_was_stopped_is_replaced_by_one_with_its_burst() {
    let (registry, _clock) = by_hand(usize::MAX);
    queue(&registry, 0).stop(Stop::Now);
    let new = queue(&registry, 0);
    assert!(new.try_acquire().is_ok() && new.try_acquire().is_ok());
    assert!(new.try_acquire().is_err());
}

/// Or its key would have the calls of two queues under way, and the releases of both.
#[test]
fn a_stopped_queue_is_not_replaced_before_it_is_over() {
    let (registry, clock) = all_from(ApiQueue::builder().per_second(1).at_once(1));
    let old = queue(&registry, 0);
    let turn = old.wait_turn().unwrap();
    old.stop(Stop::Now);
    assert!(queue(&registry, 0).is_closed(), "a call is under way");
    turn.ok();
    assert!(!queue(&registry, 0).is_closed());

    let old = queue(&registry, 1);
    drop(old.wait_turn().unwrap());
    let waiter = old.enqueue().unwrap();
    let no_time = Stop::Drain {
        timeout: Duration::from_secs(3_600),
    };
    let mut draining = std::pin::pin!(old.stop_async(no_time));
    assert!(
        futures_lite::future::block_on(futures_lite::future::poll_once(&mut draining)).is_none()
    );
    assert!(queue(&registry, 1).is_closed(), "it drains");
    clock.advance(SECOND);
    let _ = old.advance();
    drop(waiter);
    let _ = old.advance();
    assert!(!queue(&registry, 1).is_closed());
}

#[test]
fn a_stopped_queue_is_forgotten_when_its_burst_could_be_given_out_again() {
    for limit in [
        ApiQueue::builder().per_second(1).burst(2),
        ApiQueue::builder().per_second(1).burst(2).at_once(8),
    ] {
        let (registry, clock) = all_from(limit);
        let registry = registry.keep(1);
        drop(queue(&registry, 0).wait_turn().unwrap());
        drop(queue(&registry, 0).wait_turn().unwrap());
        queue(&registry, 0).stop(Stop::Now);
        clock.set(2 * SECOND - 1);
        churn(&registry, 20);
        assert_eq!(registry.queues().len(), 2, "not all of it is free");
        clock.set(2 * SECOND);
        churn(&registry, 20);
        assert!(!has(&registry, 0));
    }
}

#[test]
fn threads_that_stop_and_ask_get_no_more_than_one_queue_gives() {
    let (registry, _clock) = by_hand(2);
    let passed = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (registry, passed) = (&registry, &passed);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(n);
                for _ in 0..5_000 {
                    let queue = queue(registry, 0);
                    if queue.try_acquire().is_ok() {
                        passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                    if random.u8(..4) == 0 {
                        queue.stop(Stop::Now);
                    }
                    drop(crate::queue(registry, 1 + random.u32(..16)));
                }
            });
        }
    });
    assert!(passed.into_inner() <= 2, "on a clock that stands");
}

//! Keys whose queues share an account's limits.

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{Account, ApiQueue, Limit, Rate, Registry, Stop};

use crate::queue;

const SECOND: u64 = 1_000_000_000;

/// An account of one a second with a burst of 3, and two calls under way; its keys have one each 10 s.
fn account_of(keep: usize) -> (Account, Registry<u32>, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let account = Account::builder()
        .limit(Rate::per_second(1).unwrap().burst(3).unwrap())
        .at_once(2)
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    let builder = ApiQueue::builder()
        .every(Duration::from_secs(10))
        .capacity(4)
        .within(&account);
    let registry = Registry::new(move |_: &u32| Limit::Queue(builder.clone()));
    (account, registry.keep(keep), clock)
}

#[test]
fn a_key_counts_on_the_account_s_limits_as_on_its_own() {
    let (_account, registry, clock) = account_of(usize::MAX);
    assert!(queue(&registry, 0).try_acquire().is_ok());
    assert!(queue(&registry, 0).try_acquire().is_err(), "its own limit");
    assert!(queue(&registry, 1).try_acquire().is_ok());
    assert!(queue(&registry, 2).try_acquire().is_ok());
    assert!(queue(&registry, 3).try_acquire().is_err(), "the account's");
    clock.advance(SECOND);
    assert!(queue(&registry, 3).try_acquire().is_ok());
}

/// What the keys have used of the account is the account's, which stays; of their own limits nothing is given back.
#[test]
fn keys_of_an_account_are_forgotten_at_rest_and_give_nothing_back() {
    let (account, registry, clock) = account_of(1);
    assert!(queue(&registry, 0).try_acquire().is_ok());
    (100..120).for_each(|key| drop(queue(&registry, key)));
    assert!(queue(&registry, 0).try_acquire().is_err(), "not forgotten");
    assert!(registry.len() <= 3, "{}", registry.len());
    for key in [1, 2] {
        assert!(queue(&registry, key).try_acquire().is_ok());
    }
    assert!(queue(&registry, 3).try_acquire().is_err(), "the account's");
    clock.advance(10 * SECOND);
    let _ = account.advance();
    (200..220).for_each(|key| drop(queue(&registry, key)));
    assert!(registry.queues().iter().all(|(key, _)| *key > 2));
}

/// One that waits on the account alone is in line; and a call under way is counted on a queue that is not forgotten meanwhile.
#[test]
fn a_key_in_line_or_under_way_on_an_account_is_not_forgotten() {
    let (account, registry, clock) = account_of(1);
    let turns = [0, 1].map(|key| {
        let mut waiter = queue(&registry, key).enqueue().unwrap();
        let _ = account.advance();
        waiter.try_wait().unwrap().unwrap()
    });
    let mut third = queue(&registry, 2).enqueue().unwrap();
    assert!(third.is_waiting(), "two calls are under way");
    clock.advance(100 * SECOND);
    let _ = account.advance();
    (100..120).for_each(|key| drop(queue(&registry, key)));
    assert!(third.is_waiting());
    drop(turns);
    let _ = account.advance();
    third.try_wait().unwrap().unwrap().ok();
    drop(third);
    clock.advance(100 * SECOND);
    let _ = account.advance();
    (120..150).for_each(|key| drop(queue(&registry, key)));
    assert!(registry.queues().iter().all(|(key, _)| *key > 2));
}

#[test]
fn stopping_a_registry_drains_an_account_s_keys_by_its_limits() {
    let account = Account::builder()
        .limit(Rate::per_second(500).unwrap())
        .start()
        .unwrap();
    let of_rule = account.clone();
    let registry = Registry::new(move |_: &u32| {
        Limit::Queue(ApiQueue::builder().capacity(4).within(&of_rule))
    });
    let waiters: Vec<_> = (0..20)
        .map(|key| queue(&registry, key).enqueue().unwrap())
        .collect();
    let report = registry.stop(Stop::Drain {
        timeout: Duration::from_secs(300),
    });
    assert_eq!((report.queues.len(), report.total().abandoned), (20, 0));
    assert!(waiters.iter().all(|waiter| !waiter.is_waiting()));
}

#[test]
fn a_key_of_an_account_that_was_stopped_is_replaced_and_gives_nothing_back() {
    let (_account, registry, clock) = account_of(usize::MAX);
    assert!(queue(&registry, 0).try_acquire().is_ok());
    queue(&registry, 0).stop(Stop::Now);
    let new = queue(&registry, 0);
    assert!(!new.is_closed());
    clock.advance(10 * SECOND - 1);
    assert!(new.try_acquire().is_err());
    clock.advance(1);
    assert!(new.try_acquire().is_ok());
}

/// Its rate is then not the one that its queues began with, and a new one would have the same.
#[test]
fn keys_of_an_account_whose_rate_was_changed_are_forgotten() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let account = Account::builder()
        .limit(Rate::per_second(1).unwrap())
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    let builder = ApiQueue::builder().capacity(4).within(&account);
    let registry = Registry::new(move |_: &u32| Limit::Queue(builder.clone())).keep(1);
    drop(queue(&registry, 0));
    account.set_rate(0, Rate::per_second(7).unwrap()).unwrap();
    (100..120).for_each(|key| drop(queue(&registry, key)));
    assert!(registry.queues().iter().all(|(key, _)| *key > 0));
}

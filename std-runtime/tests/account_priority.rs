//! Priorities inside an account: the higher goes first, the lowest still moves.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{Account, AccountBuilder, ApiQueue, Rate, StartError, Waiter};

const MS: u64 = 1_000_000;

fn every_ms(aging_ms: u64) -> (Account, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(1));
    let account = Account::builder()
        .limit(Rate::per_second(1000).unwrap().strict())
        .aging(Duration::from_millis(aging_ms))
        .clock(Arc::clone(&clock))
        .manual();
    (account.start().unwrap(), clock)
}

fn queue(account: &Account, priority: u8) -> ApiQueue {
    let queue = ApiQueue::builder().within(account).priority(priority);
    queue.capacity(2048).start().unwrap()
}

fn fill(queue: &ApiQueue, count: usize) -> Vec<Waiter> {
    (0..count).map(|_| queue.enqueue().unwrap()).collect()
}

fn gone(line: &[Waiter]) -> usize {
    line.iter().filter(|waiter| !waiter.is_waiting()).count()
}

#[test]
fn the_higher_goes_first_and_the_lower_once_in_each_aging() {
    let (account, clock) = every_ms(50);
    let (low, middle, high) = (queue(&account, 0), queue(&account, 3), queue(&account, 7));
    let lines = [&low, &middle, &high].map(|queue| fill(queue, 1500));
    for _ in 0..1000 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    let [low, middle, high] = lines.each_ref().map(|line| gone(line));
    // One in each 50 ms, and never later than two releases after: the other's of that time, and its own.
    assert!((1000 / 52..=1000 / 50).contains(&low), "{low}");
    assert!((1000 / 52..=1000 / 50).contains(&middle), "{middle}");
    assert_eq!(low + middle + high, 1000);
}

#[test]
fn whoever_is_alone_has_all_whatever_its_priority() {
    let (account, clock) = every_ms(1000);
    let (low, high) = (queue(&account, 0), queue(&account, 1));
    let line = fill(&low, 20);
    for _ in 0..10 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    assert_eq!(gone(&line), 10);
    // The next one is the higher's as soon as it comes.
    let first = high.enqueue().unwrap();
    assert_eq!(account.advance().released, 1);
    assert!(!first.is_waiting());
    assert_eq!(gone(&line), 10);
}

#[test]
fn shares_divide_within_a_priority() {
    let (account, clock) = every_ms(1000);
    let start = |priority, share| {
        let inner = Account::builder().within(&account).priority(priority);
        let inner = inner.share(share).start().unwrap();
        let queue = ApiQueue::builder().within(&inner).capacity(2048);
        queue.start().unwrap()
    };
    let queues = [start(2, 3), start(2, 1), start(0, 1000)];
    let lines = queues.each_ref().map(|queue| fill(queue, 1000));
    for _ in 0..400 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    assert_eq!(lines.each_ref().map(|line| gone(line)), [300, 100, 0]);
}

#[test]
fn a_priority_that_is_none_is_refused() {
    let (account, _) = every_ms(1);
    let refused = |builder: AccountBuilder| builder.start().unwrap_err().to_string();
    let inner = || Account::builder().within(&account);
    assert_eq!(
        refused(inner().priority(8)),
        "a priority of 8 is not in 0..=7"
    );
    let why = ApiQueue::builder().per_second(1).priority(1).start();
    assert!(matches!(
        why,
        Err(StartError::Needs {
            one: "priority",
            other: "within"
        })
    ));
    assert!(refused(Account::builder().priority(1)).contains("within"));
}

#[test]
fn headroom_is_left_of_each_rate() {
    let second = Duration::from_secs(1);
    let told = |rate: Rate, percent| rate.leave_percent(percent).map(|rate| rate.to_string());
    let rate = Rate::per_second(20).unwrap().burst(100).unwrap();
    assert_eq!(told(rate, 0).unwrap(), rate.to_string());
    assert_eq!(told(rate, 50).unwrap(), "10/s (burst 50)");
    assert_eq!(told(rate, 99).unwrap(), "one each 5s");
    assert_eq!(
        told(rate, 100).unwrap_err().to_string(),
        "100 percent is not in 0..=99"
    );
    let window = Rate::at_most(5_000, 3600 * second).unwrap();
    assert_eq!(told(window, 20).unwrap(), "4000 in any 3600s");
    assert!(rate.strict().leave_percent(10).unwrap().is_strict());
    let slowest = Rate::every(Duration::from_secs(60_000_000)).unwrap();
    assert!(told(slowest, 99).is_err());
}

#[test]
fn releases_that_are_far_apart_turn_no_priority_round() {
    let (account, clock) = every_ms(1);
    let (low, high) = (queue(&account, 0), queue(&account, 7));
    let lines = [&low, &high].map(|queue| fill(queue, 400));
    for _ in 0..400 {
        assert_eq!(account.advance().released, 1);
        // As if each took far longer than the aging.
        clock.advance(20 * MS);
    }
    let [low, high] = lines.each_ref().map(|line| gone(line));
    assert_eq!((low, high), (100, 300));
}

#[test]
fn a_lower_one_whose_first_changes_its_weight_still_ages() {
    let (account, clock) = every_ms(20);
    account
        .set_rate(
            0,
            Rate::per_second(1000).unwrap().burst(2).unwrap().strict(),
        )
        .unwrap();
    let (low, high) = (queue(&account, 0), queue(&account, 1));
    let _line = fill(&high, 1000);
    let mut heavy = false;
    let mut first = low.enqueue().unwrap();
    let second = low.enqueue().unwrap();
    for _ in 0..60 {
        // The first leaves again and again, and another of another weight comes before those who stay.
        heavy = !heavy;
        drop(std::mem::replace(
            &mut first,
            low.enqueue_weighted(if heavy { 2 } else { 1 }).unwrap(),
        ));
        let _ = account.advance();
        clock.advance(MS);
    }
    assert!(!second.is_waiting(), "it is passed over for ever");
}

//! Accounts at their edges: clocks that fall back or panic, limits that change under callers, drains by hand, races for one permit.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{Account, ApiQueue, Bound, EnqueueError, Rate, Stop, Waiter};

const SECOND: u64 = 1_000_000_000;
/// Longer than anything here takes, however busy the machine.
const LONG: Duration = Duration::from_secs(60);

fn every(seconds: u64) -> Rate {
    Rate::every(Duration::from_secs(seconds)).unwrap()
}

/// One of its readings is an old one.
struct Glitch {
    now: AtomicU64,
    /// How many readings are left before it.
    left: AtomicI64,
}

impl Clock for Glitch {
    type Tick = u64;

    fn now(&self) -> u64 {
        if self.left.fetch_sub(1, SeqCst) == 0 {
            500 * SECOND
        } else {
            self.now.load(SeqCst)
        }
    }
}

#[test]
fn one_old_reading_releases_nobody_early() {
    for kind in ["several limits", "calls under way", "account"] {
        for reading in 0..60 {
            let clock = Arc::new(Glitch {
                now: 0.into(),
                left: (-1).into(),
            });
            let account = Account::builder()
                .limit(every(10))
                .clock(Arc::clone(&clock))
                .manual()
                .start()
                .unwrap();
            let own = ApiQueue::builder().clock(Arc::clone(&clock)).manual();
            let builder = match kind {
                "several limits" => own.limit(every(10)).limit(every(10)),
                "calls under way" => own.limit(every(10)).at_once(100),
                _ => ApiQueue::builder().within(&account),
            };
            let queue = builder.start().unwrap();
            let first = queue.enqueue().unwrap();
            let _ = queue.advance();
            assert!(!first.is_waiting());
            clock.now.store(1_000 * SECOND, SeqCst);
            clock.left.store(reading, SeqCst);
            let line: Vec<Waiter> = (0..10).map(|_| queue.enqueue().unwrap()).collect();
            for _ in 0..10 {
                let _ = queue.advance();
            }
            let gone = line.iter().filter(|waiter| !waiter.is_waiting()).count();
            assert!(
                gone <= 1,
                "{kind}: {gone} at one moment, by old reading {reading}"
            );
        }
    }
}

#[test]
fn a_change_reaches_who_came_to_a_line_that_another_queue_has_seen_empty() {
    let account = Account::builder().limit(every(7200)).start().unwrap();
    let [one, other] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    for _ in 0..20 {
        account.set_rate(0, every(7200)).unwrap();
        let _ = one.try_acquire();
        let leaves = one.enqueue().unwrap();
        // The driver sees it, mostly, and sleeps until its turn.
        thread::sleep(Duration::from_millis(5));
        drop(leaves);
        assert!(other.try_acquire().is_err());
        let mut stays = one.enqueue().unwrap();
        account
            .set_rate(0, Rate::per_second(1_000_000).unwrap())
            .unwrap();
        stays.wait_timeout(LONG).unwrap();
    }
}

#[test]
fn what_a_call_may_weigh_follows_the_account() {
    let burst = |n| every(1).burst(n).unwrap();
    let account = Account::builder().limit(burst(5)).start().unwrap();
    let inner = Account::builder().within(&account).start().unwrap();
    let queue = ApiQueue::builder().within(&inner).start().unwrap();
    let own = ApiQueue::builder()
        .within(&inner)
        .rate(burst(9))
        .start()
        .unwrap();
    let most = |queue: &ApiQueue| match queue.enqueue_weighted(100).unwrap_err() {
        EnqueueError::Weight { max, .. } => max,
        other => panic!("{other}"),
    };
    assert_eq!((most(&queue), most(&own)), (5, 5));
    account.set_rate(0, burst(1)).unwrap();
    assert_eq!((most(&queue), most(&own)), (1, 1));
    assert_eq!(queue.rate(), burst(1));
    account.set_rate(0, burst(20)).unwrap();
    assert_eq!((most(&queue), most(&own)), (20, 9));
    assert_eq!((queue.rate(), own.rate()), (burst(20), burst(9)));
    // One that comes later is told what holds now.
    let later = ApiQueue::builder().within(&inner).start().unwrap();
    assert_eq!((most(&later), later.rate()), (20, burst(20)));
}

#[test]
fn an_estimate_counts_what_those_ahead_cost() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let queue = ApiQueue::builder()
        .limit(every(1).burst(5).unwrap())
        .limit(every(1).burst(9).unwrap())
        .clock(clock)
        .manual()
        .start()
        .unwrap();
    let line = [(); 4].map(|()| queue.enqueue_weighted(5).unwrap());
    assert_eq!(queue.advance().released, 1);
    let last = line[3].estimate().unwrap();
    let left = last.saturating_duration_since(std::time::Instant::now());
    assert!(
        left > Duration::from_secs(13),
        "3 × 5 permits, one a second: {left:?}"
    );
}

#[test]
fn a_full_account_says_so_for_whoever_has_become_due_meanwhile() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let root = Account::builder().manual().clock(Arc::clone(&clock));
    let root = root.start().unwrap();
    let full = Account::builder().at_once(1).within(&root).start().unwrap();
    let queue = ApiQueue::builder()
        .within(&full)
        .limit(every(1))
        .start()
        .unwrap();
    let turn = queue.wait_turn().unwrap();
    let waiter = queue.enqueue().unwrap();
    let _ = root.advance();
    clock.advance(3 * SECOND);
    let _ = root.advance();
    let stats = root.stats();
    assert_eq!(stats.inside[0].bound_by, Some(Bound::Calls), "{stats}");
    drop(turn);
    assert_eq!(root.advance().released, 1);
    assert!(!waiter.is_waiting());
}

#[test]
fn a_queue_at_its_calls_says_so() {
    let account = Account::builder().start().unwrap();
    let queue = ApiQueue::builder()
        .within(&account)
        .at_once(1)
        .start()
        .unwrap();
    let _turn = queue.wait_turn().unwrap();
    let _waiter = queue.enqueue().unwrap();
    assert_eq!(account.stats().inside[0].bound_by, Some(Bound::Calls));
}

#[test]
fn a_drain_of_an_account_that_is_driven_by_hand_ends_with_its_time() {
    let account = Account::builder()
        .limit(every(7200))
        .manual()
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    let timeout = Duration::from_millis(20);
    let mut stop = pin!(queue.stop_async(Stop::Drain { timeout }));
    let mut cx = Context::from_waker(Waker::noop());
    let report = loop {
        let _ = account.advance();
        if let Poll::Ready(report) = stop.as_mut().poll(&mut cx) {
            break report;
        }
        thread::yield_now();
    };
    assert_eq!((report.released, report.abandoned), (0, 1));
    assert!(!line[0].is_waiting());
    drop(line);
}

/// Panics when it is told to.
struct Breaks(AtomicBool);

impl Clock for Breaks {
    type Tick = u64;

    fn now(&self) -> u64 {
        assert!(!self.0.load(SeqCst), "on purpose");
        7
    }
}

#[test]
fn a_clock_that_breaks_tells_everybody_in_line() {
    for kind in ["plain", "several limits", "calls under way", "account"] {
        let clock = Arc::new(Breaks(false.into()));
        let account = Account::builder()
            .limit(every(3600))
            .clock(Arc::clone(&clock))
            .start()
            .unwrap();
        let own = ApiQueue::builder().clock(Arc::clone(&clock));
        let builder = match kind {
            "plain" => own.rate(every(3600)),
            "several limits" => own.limit(every(3600)).limit(every(3600)),
            "calls under way" => own.rate(every(3600)).at_once(3),
            _ => ApiQueue::builder().within(&account),
        };
        let queue = builder.start().unwrap();
        let _turn = queue.wait_turn().unwrap();
        let mut waiter = queue.enqueue().unwrap();
        clock.0.store(true, SeqCst);
        // Whatever has the driver look.
        drop(queue.enqueue());
        queue.hold_for(Duration::from_secs(1)).unwrap();
        assert_eq!(
            waiter.wait_timeout(LONG).map(drop),
            Err(apiqueue::WaitError::Closed),
            "{kind}"
        );
    }
}

#[test]
fn a_heavy_call_never_goes_for_the_price_of_a_light_one_that_left() {
    let burst = 100_000;
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let account = Account::builder()
        .limit(every(60).burst(burst).unwrap())
        .clock(clock)
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    let used = AtomicU64::new(0);
    thread::scope(|scope| {
        for weight in [1, 50] {
            let (queue, used) = (&queue, &used);
            scope.spawn(move || {
                for turn in 0..5_000 {
                    let Ok(mut waiter) = queue.enqueue_weighted(weight) else {
                        continue;
                    };
                    // The light ones leave at once, mostly; all do after a while.
                    let looks = if weight > 1 || turn % 16 == 0 { 200 } else { 0 };
                    for _ in 0..looks {
                        if let Ok(None) = waiter.try_wait() {
                            thread::yield_now();
                            continue;
                        }
                        used.fetch_add(weight as u64, SeqCst);
                        break;
                    }
                }
            });
        }
    });
    let used = used.load(SeqCst);
    // What is left in hand, and not a permit more.
    let left = (0..).take_while(|_| queue.try_acquire().is_ok()).count();
    assert!(
        used + left as u64 <= burst.into(),
        "{used} and {left} of {burst}"
    );
}

#[test]
fn a_free_permit_needs_no_driver() {
    let account = Account::builder()
        .limit(every(3600).burst(10).unwrap())
        .at_once(9)
        .start()
        .unwrap();
    let queues = [
        ApiQueue::builder().within(&account).start().unwrap(),
        ApiQueue::builder()
            .limit(every(1))
            .limit(every(3600))
            .start()
            .unwrap(),
        ApiQueue::builder()
            .rate(every(3600))
            .at_once(2)
            .start()
            .unwrap(),
    ];
    for queue in &queues {
        let mut waiter = queue.enqueue().unwrap();
        assert!(
            waiter.try_wait().unwrap().is_some(),
            "at once, by the caller itself"
        );
    }
}

#[test]
fn a_permit_that_was_taken_at_once_and_never_seen_comes_back() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let account = Account::builder()
        .limit(every(3600))
        .clock(Arc::clone(&clock))
        .start()
        .unwrap();
    let [one, other] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    drop(one.enqueue().unwrap());
    clock.advance(1); // less a tick
    let mut waiter = other.enqueue().unwrap();
    waiter.wait_timeout(LONG).unwrap();
    drop(one.enqueue().unwrap());
    let stats = account.stats();
    assert_eq!((stats.released, stats.in_line), (2, 0));
}

#[test]
fn an_account_shows_what_binds_where() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let aws = Account::builder()
        .name("aws")
        .limit(Rate::per_second(20).unwrap())
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    let region = |name: &str| {
        let region = Account::builder().name(name).within(&aws);
        region.limit(Rate::per_second(12).unwrap())
    };
    let (eu, us) = (
        region("eu").at_once(8).start().unwrap(),
        region("us").start().unwrap(),
    );
    let describe = ApiQueue::builder().name("describe").within(&eu);
    let describe = describe.rate(every(2)).start().unwrap();
    let run = ApiQueue::builder().within(&us).start().unwrap();
    let _line = [(); 3].map(|()| describe.enqueue().unwrap());
    let _more = [(); 2].map(|()| run.enqueue().unwrap());
    us.hold_for(Duration::from_secs(2)).unwrap();
    let _ = aws.advance();
    assert_eq!(
        aws.to_string(),
        "aws             20/s; 4 in line, 1 released\n\
         ├─ eu           12/s, 1 of 8 calls; 2 in line, 1 released\n\
         │  └─ describe  one each 2s; 2 in line, 1 released; waits for one each 2s\n\
         └─ us           12/s; 2 in line, 0 released; held for 2.0s\n   \
            └─ queue     2 in line, 0 released"
    );
    let stats = aws.stats();
    assert_eq!(stats.inside[1].bound_by, Some(Bound::Hold));
    assert!(matches!(
        stats.inside[0].inside[0].bound_by,
        Some(Bound::Rate(_))
    ));
}

#[test]
fn what_an_account_may_not_be_is_refused_by_name() {
    let account = Account::builder().start().unwrap();
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let builder = Account::builder;
    for (refused, why) in [
        (builder().at_once(0), "0 calls at once"),
        (builder().within(&account).share(0), "a share of 0"),
        (builder().share(2), "share"),
        (builder().within(&account).manual(), "manual"),
        (builder().within(&account).clock(clock), "clock"),
    ] {
        let said = refused.start().unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn calls_at_once_are_counted_at_every_node() {
    let account = Account::builder().at_once(3).start().unwrap();
    let inner = Account::builder()
        .within(&account)
        .at_once(2)
        .start()
        .unwrap();
    let [deep, other] = [(); 2].map(|()| ApiQueue::builder().within(&inner).start().unwrap());
    let shallow = ApiQueue::builder().within(&account).start().unwrap();
    let turns = [deep.wait_turn().unwrap(), other.wait_turn().unwrap()];
    let mut third = deep.enqueue().unwrap();
    assert!(other.try_acquire().is_err());
    let outer = shallow.wait_turn().unwrap();
    let mut fourth = shallow.enqueue().unwrap();
    assert!(third.is_waiting() && fourth.is_waiting());
    assert_eq!(inner.stats().bound_by, Some(Bound::Calls));
    assert_eq!(account.stats().under_way, 3);
    let [first, second] = turns;
    drop(first);
    let third = third.wait_timeout(LONG).unwrap();
    assert!(fourth.is_waiting());
    drop((second, outer));
    let fourth = fourth.wait_timeout(LONG).unwrap();
    assert_eq!(account.stats().under_way, 2);
    drop((third, fourth));
    assert_eq!(account.stats().under_way, 0);
}

#[test]
fn an_account_makes_up_what_its_driver_was_late_for_those_who_waited() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let rate = Rate::per_second(1000).unwrap();
    let account = Account::builder()
        .limit(rate)
        .catch_up(Duration::from_millis(4))
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    let line: Vec<Waiter> = (0..30).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(account.advance().released, 1);
    clock.advance(3 * SECOND / 1000 + 7);
    assert_eq!(account.advance().released, 3, "all that was due");
    clock.advance(9 * SECOND / 1000);
    let late = account.advance().released;
    assert_eq!(late, 5, "one in its time, and what 4 ms make up");
    // Nobody waits: no more than the burst, however long that lasts.
    drop(line);
    assert_eq!(account.advance().released, 0);
    clock.advance(SECOND);
    let _few: Vec<Waiter> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(account.advance().released, 1);
}

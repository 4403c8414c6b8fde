//! What attacks on accounts have found, each as it was seen.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::core::{Clock, ManualClock};
use apiqueue::{Account, ApiQueue, Rate, StartError, Stop, Turn, Waiter};

const MS: u64 = 1_000_000;
/// Longer than anything here takes, however busy the machine.
const LONG: Duration = Duration::from_secs(60);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn every(n: u64) -> Rate {
    Rate::every(ms(n)).unwrap()
}

/// The driver had been told of the same time by a queue that is gone.
#[test]
fn a_queue_that_comes_after_all_others_have_gone_is_driven() {
    let account = Account::builder().limit(every(300)).start().unwrap();
    let first = ApiQueue::builder().within(&account).start().unwrap();
    drop(first.wait_turn().unwrap());
    let waiter = first.enqueue().unwrap();
    thread::sleep(ms(10));
    drop((waiter, first));
    thread::sleep(ms(10));
    let next = ApiQueue::builder().within(&account).start().unwrap();
    next.enqueue().unwrap().wait_timeout(LONG).unwrap();
}

/// Slow where the driver reads it.
struct Slow(Instant);

impl Clock for Slow {
    type Tick = u64;

    fn now(&self) -> u64 {
        let reading = u64::try_from(self.0.elapsed().as_nanos()).unwrap();
        if thread::current().name() == Some("apiqueue") {
            thread::sleep(ms(2));
        }
        reading + 1_000
    }
}

#[test]
fn a_call_that_is_over_before_its_release_is_counted_is_over() {
    let account = Account::builder()
        .at_once(1)
        .clock(Arc::new(Slow(Instant::now())))
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    for _ in 0..10 {
        let first = queue.wait_turn_timeout(LONG).unwrap();
        let mut waiter = queue.enqueue().unwrap();
        drop(first);
        let begun = Instant::now();
        while waiter.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < LONG, "the call before is never over");
            thread::yield_now();
        }
    }
    // Counted a moment later.
    while account.stats().under_way > 0 {
        thread::yield_now();
    }
}

/// Counts its readings, and panics once it is told to.
#[derive(Default)]
struct Breaks {
    is_broken: AtomicBool,
    readings: AtomicUsize,
}

impl Clock for Breaks {
    type Tick = u64;

    fn now(&self) -> u64 {
        self.readings.fetch_add(1, SeqCst);
        assert!(!self.is_broken.load(SeqCst), "on purpose");
        7
    }
}

#[test]
fn the_driver_leaves_a_queue_alone_whose_clock_has_broken() {
    for within in [false, true] {
        let clock = Arc::new(Breaks::default());
        let account = Account::builder()
            .limit(every(100))
            .clock(Arc::clone(&clock))
            .start()
            .unwrap();
        let queue = if within {
            ApiQueue::builder().within(&account)
        } else {
            ApiQueue::builder()
                .rate(every(100))
                .clock(Arc::clone(&clock))
        };
        let queue = queue.start().unwrap();
        let _turn = queue.wait_turn().unwrap();
        let mut waiter = queue.enqueue().unwrap();
        clock.is_broken.store(true, SeqCst);
        assert!(waiter.wait_timeout(LONG).is_err());
        thread::sleep(ms(20));
        let before = clock.readings.load(SeqCst);
        thread::sleep(ms(50));
        let more = clock.readings.load(SeqCst) - before;
        assert!(more < 100, "{more} readings in 50 ms");
    }
}

#[test]
fn a_permit_that_came_back_is_used_before_another_passes() {
    for round in 0..20 {
        let clock = Arc::new(ManualClock::<u64>::new(0));
        let account = Account::builder()
            .limit(every(20))
            .catch_up(Duration::ZERO)
            .clock(Arc::clone(&clock))
            .start()
            .unwrap();
        let queue = ApiQueue::builder().within(&account).start().unwrap();
        let unseen = queue.enqueue().unwrap();
        clock.advance(21 * MS);
        drop(unseen);
        let _turn = queue.wait_turn_timeout(LONG).unwrap();
        assert!(
            queue.try_acquire().is_err(),
            "round {round}: two at one moment"
        );
    }
}

#[test]
fn a_permit_that_came_back_is_not_lost_in_a_look_for_another() {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let account = Account::builder()
        .limit(every(3_600_000))
        .clock(Arc::clone(&clock))
        .start()
        .unwrap();
    let [one, other] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    for _ in 0..200 {
        let turn = one.wait_turn_timeout(LONG).unwrap();
        let mut waiter = other.enqueue().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| _ = one.try_acquire().map(Turn::give_back));
            turn.give_back();
        });
        clock.advance(MS);
        // Less a tick, it is there; whoever looked in between.
        waiter.wait_timeout(LONG).unwrap().give_back();
        clock.advance(7_200_000 * MS);
        account.resume();
    }
}

#[test]
fn queues_that_are_new_each_time_starve_nobody() {
    for nested in [false, true] {
        let clock = Arc::new(ManualClock::<u64>::new(1));
        let account = Account::builder()
            .limit(every(1))
            .clock(Arc::clone(&clock))
            .manual()
            .start()
            .unwrap();
        let start = |share| {
            let queue = ApiQueue::builder().share(share);
            if nested {
                let inner = Account::builder().within(&account).share(share);
                let inner = inner.start().unwrap();
                queue.within(&inner).start().unwrap()
            } else {
                queue.within(&account).start().unwrap()
            }
        };
        let old = start(3);
        let line: Vec<Waiter> = (0..1000).map(|_| old.enqueue().unwrap()).collect();
        let new = || {
            let queue = start(1);
            let waiter = queue.enqueue().unwrap();
            (queue, waiter)
        };
        let mut newcomer = new();
        for _ in 0..400 {
            assert_eq!(account.advance().released, 1);
            if !newcomer.1.is_waiting() {
                newcomer = new();
            }
            clock.advance(MS);
        }
        let gone = line.iter().filter(|waiter| !waiter.is_waiting()).count();
        assert!(
            gone >= 200,
            "a share of 3 beside one of 1 got {gone} of 400"
        );
    }
}

/// The thread that is called `slow` reads it, and then sleeps.
struct Suspends(Arc<ManualClock<u64>>);

impl Clock for Suspends {
    type Tick = u64;

    fn now(&self) -> u64 {
        let reading = self.0.now();
        if thread::current().name() == Some("slow") {
            thread::sleep(ms(100));
        }
        reading
    }
}

fn slowly<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    let thread = thread::Builder::new().name("slow".into());
    let slow = thread.spawn(call).unwrap();
    thread::sleep(ms(30));
    slow
}

#[test]
fn a_rate_that_is_set_by_an_old_reading_frees_nothing() {
    let mock = Arc::new(ManualClock::<u64>::new(1));
    let account = Account::builder()
        .limit(every(1000))
        .clock(Arc::new(Suspends(Arc::clone(&mock))))
        .manual()
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    let _line: Vec<Waiter> = (0..10).map(|_| queue.enqueue().unwrap()).collect();
    assert_eq!(account.advance().released, 1);
    mock.set(1 + 400 * MS);
    let other = account.clone();
    let slow = slowly(move || other.set_rate(0, every(100)).unwrap());
    mock.set(1 + 1000 * MS);
    assert_eq!(account.advance().released, 1);
    slow.join().unwrap();
    assert_eq!(account.advance().released, 0);
}

#[test]
fn nobody_gets_a_permit_after_a_stop_has_returned() {
    for how in [Stop::Now, Stop::Drain { timeout: LONG }] {
        let mock = Arc::new(ManualClock::<u64>::new(1));
        let account = Account::builder()
            .limit(every(1))
            .clock(Arc::new(Suspends(mock)))
            .start()
            .unwrap();
        let queue = ApiQueue::builder().within(&account).start().unwrap();
        let other = queue.clone();
        let slow = slowly(move || {
            let turn = other.wait_turn().is_ok();
            (turn, Instant::now())
        });
        queue.stop(how);
        let stopped = Instant::now();
        let (is_ok, at) = slow.join().unwrap();
        assert!(!is_ok || at <= stopped, "{how:?}");
    }
}

#[test]
fn a_clock_at_the_edge_of_what_can_be_told_hangs_nothing() {
    let clock = Arc::new(ManualClock::<u64>::new(5));
    let account = Account::builder()
        .limit(every(1))
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    let _line: Vec<Waiter> = (0..10).map(|_| queue.enqueue().unwrap()).collect();
    for reading in [5_u64.wrapping_sub(1 << 62), u64::MAX, u64::MAX / 2, 0] {
        for near in [reading.wrapping_sub(1), reading, reading.wrapping_add(1)] {
            clock.set(near);
            let _ = account.advance();
        }
    }
}

#[test]
fn accounts_go_so_deep_and_no_deeper() {
    let mut account = Account::builder().limit(every(1)).start().unwrap();
    for _ in 1..64 {
        account = Account::builder().within(&account).start().unwrap();
    }
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    for _ in 0..20 {
        queue.wait_turn().unwrap();
    }
    let refused = Account::builder().within(&account).start().unwrap_err();
    assert!(matches!(refused, StartError::Depth { depth: 65, max: 64 }));
    assert_eq!(
        refused.to_string(),
        "65 accounts inside each other is not in 1..=64"
    );
}

//! Queues of a fleet's limit, driven by the process's thread, over the in-process backend. Real time: order, counts, and times from below.
#![allow(clippy::unwrap_used)]

use std::ops::Deref;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::{
    ApiQueue, Builder, Closed, EnqueueError, HoldError, Rate, StartError, Stop, TryAcquireError,
    WaitError,
};
use apiqueue_fleet::{Action, Backend, Call, FleetError, FleetLimit, FleetStats, InProcess, Terms};

const MS: Duration = Duration::from_millis(1);

/// A queue of a limit, as on a host of its own.
#[derive(Debug)]
struct Host {
    queue: ApiQueue,
    limit: FleetLimit,
}

impl Host {
    fn fleet(&self) -> FleetStats {
        self.limit.stats()
    }
}

impl Deref for Host {
    type Target = ApiQueue;

    fn deref(&self) -> &ApiQueue {
        &self.queue
    }
}

fn start(limit: FleetLimit, builder: Builder) -> Host {
    let queue = builder.shared(limit.clone()).start().unwrap();
    Host { queue, limit }
}

fn per_second(n: u32) -> Builder {
    ApiQueue::builder().per_second(n)
}

fn every(interval: Duration) -> Builder {
    ApiQueue::builder().every(interval)
}

fn on(backend: &InProcess) -> FleetLimit {
    backend.limit("limit")
}

fn queue(n: u32) -> Host {
    start(on(&InProcess::new()), per_second(n))
}

/// Waits for what other threads do. Half a minute is for ever.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "never {what}");
        thread::sleep(MS);
    }
}

#[test]
fn waiters_are_released_in_the_order_in_which_they_came() {
    let queue = queue(500);
    let line: Vec<_> = (0..40).map(|_| queue.enqueue().unwrap()).collect();
    loop {
        // From the last one on, so that whoever is found released has all of those before it released by then.
        let waiting: Vec<_> = line
            .iter()
            .rev()
            .map(|waiter| waiter.is_waiting())
            .collect();
        assert!(
            waiting.is_sorted_by(|later, earlier| later >= earlier),
            "{waiting:?}"
        );
        if !waiting[0] {
            break;
        }
        thread::sleep(MS);
    }
    assert_eq!(queue.fleet().slots_used, 40);
}

#[test]
fn two_hosts_together_never_exceed_the_rate_and_both_get_on() {
    let backend = InProcess::new();
    let hosts = [(); 2].map(|()| start(on(&backend), every(5 * MS)));
    let begun = Instant::now();
    thread::scope(|scope| {
        for host in hosts.iter().flat_map(|host| [host; 4]) {
            scope.spawn(|| {
                for _ in 0..25 {
                    host.enqueue().unwrap().wait().unwrap();
                }
            });
        }
    });
    // The first slot was not before this began, and the last release not before its slot.
    assert!(begun.elapsed() >= 199 * 5 * MS);
    let stats = hosts.map(|host| host.fleet());
    assert_eq!(stats.each_ref().map(|stats| stats.slots_used), [100, 100]);
    assert!(stats.iter().all(|stats| stats.hosts == 2));
    assert_eq!(stats[0].epoch, stats[1].epoch);
}

#[test]
fn a_host_where_nobody_waits_makes_no_call() {
    let queue = queue(1_000);
    thread::sleep(20 * MS);
    let stats = queue.fleet();
    assert_eq!(
        (stats.backend_calls, stats.slots_granted, stats.hosts),
        (0, 0, 0)
    );
}

#[test]
fn slots_are_given_back_when_all_have_left() {
    let queue = start(on(&InProcess::new()), every(200 * MS));
    queue.enqueue().unwrap().wait().unwrap();
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    until("granted", || queue.fleet().slots_held > 0);
    drop(line);
    until("given back", || queue.fleet().slots_given_back > 0);
    let stats = queue.fleet();
    assert_eq!(
        stats.slots_granted,
        stats.slots_used + stats.slots_given_back + stats.slots_lost
    );
}

#[test]
fn a_host_that_is_gone_costs_no_more_than_its_lease() {
    let backend = InProcess::new();
    let queue = start(on(&backend), every(10 * MS));
    // It dies with eight slots.
    let call = Call {
        host: 1,
        label: "another".into(),
        priority: 0,
        known: Terms {
            interval: 10_000,
            ..Terms::default()
        },
        grace: 0,
        window: 10_000_000,
        action: Action::Reserve {
            want: 8,
            spacing: 0,
            after: 0,
            horizon: 2_000_000,
            burst: 1,
            gathered: 0,
        },
    };
    let begun = Instant::now();
    let lease = poll_once(backend.call("limit", call)).unwrap();
    assert_eq!(lease.granted(), 8);
    queue.enqueue().unwrap().wait().unwrap();
    assert!(begun.elapsed() >= 80 * MS);
    assert_eq!(queue.fleet().hosts, 2);
}

/// What the in-process backend answers is there at once.
fn poll_once<T>(
    mut answer: apiqueue_fleet::Answer<'_, T>,
) -> Result<T, apiqueue_fleet::BackendError> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match answer.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => unreachable!("it answers at once"),
    }
}

#[test]
fn a_hold_by_one_host_holds_the_other_and_either_ends_it() {
    let backend = InProcess::new();
    let [one, other] = [(); 2].map(|()| start(on(&backend), per_second(1_000)));
    one.hold_for(Duration::from_secs(3600)).unwrap();
    until("told", || one.fleet().epoch.is_some());
    let waiter = other.enqueue().unwrap();
    let timeout = 100 * MS;
    assert_eq!(
        one.enqueue().unwrap().wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    assert!(waiter.is_waiting());
    let here = one.enqueue().unwrap();
    other.resume();
    waiter.wait().unwrap();
    here.wait().unwrap();
    assert_eq!(one.fleet().epoch, other.fleet().epoch);
}

#[test]
fn a_hold_here_acts_on_the_slots_that_are_held() {
    let queue = queue(1_000);
    let line: Vec<_> = (0..500).map(|_| queue.enqueue().unwrap()).collect();
    until("granted", || queue.fleet().slots_held > 0);
    queue.hold_for(Duration::from_secs(3600)).unwrap();
    // One may be on its way at the moment of the hold.
    thread::sleep(5 * MS);
    let released = queue.fleet().slots_used;
    thread::sleep(50 * MS);
    assert_eq!(queue.fleet().slots_used, released);
    assert!(line[499].is_waiting());
}

#[test]
fn a_hold_without_an_end_is_refused() {
    let why = queue(1_000).hold_for(Duration::MAX).unwrap_err();
    assert!(
        matches!(why, HoldError { duration: Duration::MAX, max } if max > Duration::from_secs(60_000_000))
    );
}

#[test]
fn a_new_rate_by_one_host_is_the_others_with_their_next_lease() {
    let backend = InProcess::new();
    let [one, other] = [(); 2].map(|()| start(on(&backend), every(Duration::from_secs(3600))));
    other.enqueue().unwrap().wait().unwrap();
    let line = [other.enqueue().unwrap(), one.enqueue().unwrap()];
    one.set_rate(Rate::per_second(1_000).unwrap());
    assert_eq!(one.rate(), Rate::per_second(1_000).unwrap(), "here at once");
    for waiter in line {
        waiter.wait().unwrap();
    }
    assert_eq!(other.rate(), one.rate());
    assert_eq!(other.stats().rate, one.rate());
}

#[test]
fn stopping_one_host_tells_its_waiters_and_leaves_the_others_alone() {
    let backend = InProcess::new();
    let [one, other] = [(); 2].map(|()| start(on(&backend), per_second(5)));
    let mut line: Vec<_> = (0..20).map(|_| one.enqueue().unwrap()).collect();
    let report = one.stop(Stop::Now);
    let told = line.iter_mut().filter_map(|waiter| waiter.try_wait().err());
    assert_eq!(told.count(), report.abandoned);
    assert!(report.abandoned > 0);
    assert!(matches!(one.enqueue(), Err(EnqueueError::Closed)));
    assert_eq!(one.try_acquire().map(drop), Err(TryAcquireError::Closed));
    assert!(one.is_closed() && !other.is_closed());
    other.enqueue().unwrap().wait().unwrap();
}

#[test]
fn a_drain_releases_those_in_line_and_gives_the_rest_back() {
    let queue = queue(500);
    let line: Vec<_> = (0..30).map(|_| queue.enqueue().unwrap()).collect();
    let report = queue.stop(Stop::Drain {
        timeout: Duration::from_secs(60),
    });
    // Some may have been released before.
    assert!(report.released <= 30);
    assert_eq!((report.abandoned, queue.fleet().slots_used), (0, 30));
    assert!(line.into_iter().all(|waiter| waiter.wait().is_ok()));
    until("left", || queue.fleet().slots_held == 0);
}

#[test]
fn a_drain_that_takes_too_long_is_cut_short() {
    let queue = start(on(&InProcess::new()), every(Duration::from_secs(3600)));
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    until("first", || !line[0].is_waiting());
    let report = queue.stop(Stop::Drain { timeout: 50 * MS });
    assert_eq!(report.abandoned, 1);
    let [first, second] = line;
    assert_eq!(
        (first.wait().map(drop), second.wait().map(drop)),
        (Ok(()), Err(Closed))
    );
}

#[test]
fn waiters_outlive_the_last_handle_and_are_released_in_their_turn() {
    let queue = queue(100);
    let line: Vec<_> = (0..5).map(|_| queue.enqueue().unwrap()).collect();
    drop(queue);
    for waiter in line {
        waiter.wait().unwrap();
    }
}

#[test]
fn the_thread_comes_and_goes_with_the_queues() {
    for _ in 0..300 {
        let queue = queue(1_000_000);
        queue.enqueue().unwrap().wait().unwrap();
    }
}

#[test]
fn a_slot_is_taken_without_waiting_only_where_one_is_held_and_due() {
    let queue = start(
        on(&InProcess::new()),
        every(400 * MS).catch_up(Duration::from_secs(1)),
    );
    assert_eq!(
        queue.try_acquire().map(drop),
        Err(TryAcquireError::NotYet { at: None })
    );
    assert_eq!(queue.fleet().backend_calls, 0, "it asks nobody");
    let waiter = queue.enqueue().unwrap();
    until("first", || !waiter.is_waiting());
    let line = [queue.enqueue().unwrap(), queue.enqueue().unwrap()];
    until("granted", || queue.fleet().slots_held > 0);
    assert_eq!(queue.try_acquire().map(drop), Err(TryAcquireError::Queued));
    drop(line);
    let mut taken = Err(TryAcquireError::Queued);
    until("due", || {
        taken = queue.try_acquire().map(drop);
        taken.is_ok()
    });
    assert_eq!(queue.stats().released, queue.fleet().slots_used);
}

#[test]
fn async_callers_stand_in_the_same_line() {
    let queue = start(on(&InProcess::new()), per_second(1_000).capacity(2));
    futures_lite::future::block_on(async {
        for _ in 0..5 {
            queue.enqueue_async().await.unwrap().await.unwrap();
        }
        let report = queue.stop_async(Stop::Now).await;
        assert_eq!(report.abandoned, 0);
    });
    assert_eq!(queue.stats().released, 5);
}

#[test]
fn a_full_line_says_so_and_those_who_wait_for_a_place_get_one() {
    let queue = start(on(&InProcess::new()), per_second(500).capacity(1));
    let first = queue.enqueue().unwrap();
    assert_eq!(queue.capacity(), 1);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| queue.enqueue_wait().unwrap().wait().unwrap());
        }
        let place = queue.enqueue_wait_timeout(Duration::from_secs(60)).unwrap();
        place.wait().unwrap();
    });
    first.wait().unwrap();
    assert_eq!(queue.stats().released, 8);
}

#[test]
fn queues_of_one_name_share_a_limit_without_a_backend_of_their_own() {
    let named = |name| {
        let limit = InProcess::of_this_process().limit(name);
        start(limit, every(Duration::from_secs(3600)))
    };
    let [one, other, another] = ["shared", "shared", "another"].map(named);
    one.enqueue().unwrap().wait().unwrap();
    another.enqueue().unwrap().wait().unwrap();
    let timeout = 50 * MS;
    assert_eq!(
        other.enqueue().unwrap().wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
}

#[test]
fn a_backend_that_has_forgotten_is_waited_out() {
    let backend = InProcess::new();
    let limit = on(&backend).horizon(100 * MS).timeout(100 * MS);
    let queue = start(limit, per_second(1_000));
    queue.enqueue().unwrap().wait().unwrap();
    let begun = Instant::now();
    backend.forget();
    queue.enqueue().unwrap().wait().unwrap();
    assert!(begun.elapsed() >= 200 * MS, "a horizon and a timeout");
    assert_eq!(queue.fleet().times_forgotten, 1);
}

#[test]
fn a_limit_without_a_name_goes_by_that_of_each_queue() {
    let limit = InProcess::new().limit("");
    let hour = every(Duration::from_secs(3600)).shared(limit.clone());
    let named = |name| hour.clone().name(name).start().unwrap();
    let [one, other, another] = ["ec2", "ec2", "s3"].map(named);
    one.wait_turn().unwrap();
    another.wait_turn().unwrap();
    let timeout = 50 * MS;
    assert_eq!(
        other.enqueue().unwrap().wait_timeout(timeout).map(drop),
        Err(WaitError::TimedOut { timeout })
    );
    let stats = limit.stats();
    assert_eq!((stats.queues, stats.slots_used), (3, 2));
    drop([one, other, another]);
    until("gone", || limit.stats().queues == 0);
    assert_eq!(limit.stats().slots_used, 2, "what was counted stays");
}

#[test]
fn what_can_not_be_is_refused_with_the_value_and_the_range() {
    let limit = || InProcess::new().limit("limit");
    let refused =
        |limit: FleetLimit, builder: Builder| match builder.shared(limit).start().unwrap_err() {
            StartError::Source(why) => *why.downcast::<FleetError>().unwrap(),
            other => unreachable!("{other}"),
        };
    let named = |name: &str| {
        let limit = InProcess::new().limit(name);
        refused(limit, per_second(10)).to_string()
    };
    assert!(named("").contains("1..=200 bytes"));
    assert!(named(&"x".repeat(201)).contains("1..=200 bytes"));
    assert!(named("a\nb").contains(r#""a\nb""#));
    assert!(named("a{b}").contains("without braces"));
    let why = |limit: FleetLimit| refused(limit, per_second(10)).to_string();
    assert_eq!(
        why(limit().max_lease(0)),
        "a largest lease of 0 is not in 1..=65536"
    );
    assert_eq!(
        why(limit().horizon(MS)),
        "a horizon of 1ms is not in 100ms..=3600s"
    );
    assert_eq!(
        why(limit().timeout(Duration::ZERO)),
        "a timeout of 0ns is not in 1ms..=60s"
    );
    let why = |builder: Builder| refused(limit(), builder).to_string();
    assert_eq!(
        why(per_second(10).catch_up(2_000 * MS)),
        "a time to catch up of 2s is not in 1ms..=1s"
    );
    assert_eq!(
        why(per_second(10).catch_up(Duration::ZERO)),
        "a time to catch up of 0ns is not in 1ms..=1s"
    );
    assert_eq!(
        why(per_second(10).burst(70_000)),
        "a burst of 70000 is not in 1..=65536"
    );
    assert_eq!(
        refused(limit(), per_second(10).strict()),
        FleetError::Strict
    );
    let why = |builder: Builder| builder.shared(limit()).start().unwrap_err().to_string();
    assert!(why(per_second(0)).contains("0 releases a second is not in 1..="));
    assert!(why(per_second(10).capacity(0)).contains("a capacity of 0 is not in"));
    let none = ApiQueue::builder().shared(limit()).start().unwrap_err();
    assert!(matches!(none, StartError::NoRate));
    let outer = per_second(10).burst(70_000).shared(limit()).start();
    let outer = outer.unwrap_err().to_string();
    assert!(
        outer.contains("a burst of 70000 is not in 1..=65536"),
        "{outer}"
    );
}

#[test]
fn a_new_rate_lets_in_who_costs_no_more_than_its_burst() {
    let queue = queue(1_000);
    assert!(matches!(
        queue.enqueue_weighted(2),
        Err(EnqueueError::Weight { weight: 2, max: 1 })
    ));
    let burst = Rate::per_second(100).unwrap().burst(50).unwrap();
    queue.set_rate(burst);
    assert_eq!(queue.rate(), burst);
    queue.enqueue_weighted(2).unwrap().wait().unwrap();
    assert!(matches!(
        queue.enqueue_weighted(51),
        Err(EnqueueError::Weight {
            weight: 51,
            max: 50
        })
    ));
}

#[test]
fn stats_tell_the_line_the_slots_and_the_backend() {
    let queue = queue(1_000);
    queue.enqueue().unwrap().wait().unwrap();
    let shown = queue.fleet().to_string();
    for part in [
        "limit: 1 hosts, 1 of them here",
        "1 granted, 1 used",
        "1 calls, 0 failed",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(format!("{:?}", queue.limit).contains(r#"name: "limit""#));
    assert!(queue.stats().to_string().contains("one each 1ms"));
}

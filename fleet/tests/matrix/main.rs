//! Everything with everything: wherever a queue's permits come from, each way to wait, leave, change and end it does what it says.
//! On the mock clock, driven by hand, a millisecond at a time; the one thread that blocks is waited for.
#![allow(clippy::unwrap_used, clippy::panic)]

mod rig;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use apiqueue::core::Cubic;
use apiqueue::{
    Account, ApiQueue, Builder, EnqueueError, Stop, TryAcquireError, WaitError, Waiter,
};
use apiqueue_fleet::InProcess;

use rig::{ALL, INTERVAL, MS, Rig, Source, every};

fn for_all(test: impl Fn(Rig)) {
    for source in ALL {
        test(Rig::new(source));
    }
}

#[test]
fn blocked() {
    for_all(|rig| {
        let waiter = rig.queue.enqueue().unwrap();
        let thread = thread::spawn(move || waiter.wait().map(drop));
        rig.pass(INTERVAL - 1);
        assert!(!thread.is_finished(), "{:?}", rig.source);
        rig.pass(2);
        thread.join().unwrap().unwrap();
    });
}

#[test]
fn awaited() {
    for_all(|rig| {
        let mut cx = Context::from_waker(Waker::noop());
        let mut turn = pin!(rig.queue.turn());
        assert!(turn.as_mut().poll(&mut cx).is_pending());
        let after = rig.after(|| matches!(turn.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
        assert!(
            (INTERVAL..=INTERVAL + 1).contains(&after),
            "{:?}",
            rig.source
        );
    });
}

#[test]
fn polled_in_order() {
    for_all(|rig| {
        let mut line: Vec<_> = (0..5).map(|_| rig.queue.enqueue().unwrap()).collect();
        for place in 0..5 {
            assert_eq!(line[place].position(), Some(0), "{:?}", rig.source);
            let turn = rig.comes(&mut line[place], INTERVAL);
            assert!(turn.waited() >= Duration::from_millis(INTERVAL));
            assert!(line[place + 1..].iter().all(Waiter::is_waiting));
        }
    });
}

#[test]
fn timed_out_and_waited_on() {
    for_all(|rig| {
        let mut waiter = rig.queue.enqueue().unwrap();
        let timeout = Duration::ZERO;
        rig.pass(3);
        assert_eq!(
            waiter.wait_timeout(timeout).unwrap_err(),
            WaitError::TimedOut { timeout }
        );
        rig.comes(&mut waiter, INTERVAL - 3);
        let mut place = rig.queue.enqueue().unwrap();
        rig.pass(INTERVAL + 1);
        assert!(place.wait_timeout(timeout).is_ok(), "{:?}", rig.source);
    });
}

#[test]
fn dropped_before_the_release() {
    for_all(|rig| {
        let first = rig.queue.enqueue().unwrap();
        let second = rig.queue.enqueue().unwrap();
        let mut third = rig.queue.enqueue().unwrap();
        drop(second);
        rig.pass(3);
        drop(first);
        rig.comes(&mut third, INTERVAL - 3);
        assert_eq!(rig.queue.stats().cancelled, 2);
    });
}

#[test]
fn dropped_after_the_release_unseen() {
    for_all(|rig| {
        let first = rig.queue.enqueue().unwrap();
        rig.pass(INTERVAL + 1);
        drop(first);
        let mut second = rig.queue.enqueue().unwrap();
        match rig.source {
            // Whoever grants has it back.
            Source::Granted => assert_eq!(rig.queue.take_returned(), 1),
            _ => drop(rig.comes(&mut second, 0)),
        }
        assert_eq!(rig.queue.stats().cancelled, 1, "{:?}", rig.source);
        assert_eq!(rig.queue.under_way(), 0);
    });
}

#[test]
fn given_back() {
    for_all(|rig| {
        let mut first = rig.queue.enqueue().unwrap();
        rig.comes(&mut first, INTERVAL).give_back();
        let mut second = rig.queue.enqueue().unwrap();
        match rig.source {
            Source::Granted => assert_eq!(rig.queue.take_returned(), 1),
            _ => drop(rig.comes(&mut second, 0)),
        }
        assert_eq!(rig.queue.stats().given_back, 1);
    });
}

#[test]
fn weighted() {
    for source in ALL {
        let bursts = !matches!(source, Source::Fleet | Source::Account | Source::Several);
        let rated = matches!(source, Source::Rate | Source::AtOnce | Source::Adaptive);
        let rig = Rig::with(source, |builder| {
            if rated && source != Source::Adaptive {
                builder.burst(2)
            } else {
                builder
            }
        });
        if source == Source::Adaptive {
            rig.queue.set_rate(every(INTERVAL).burst(2).unwrap());
        }
        if !bursts {
            let why = rig.queue.enqueue_weighted(2).unwrap_err();
            assert_eq!(why, EnqueueError::Weight { weight: 2, max: 1 });
            continue;
        }
        // What is in hand goes first.
        while rig.queue.try_acquire().is_ok() {}
        rig.pass(1);
        let mut spent = Vec::new();
        while rated && spent.len() < 2 {
            let mut waiter = rig.queue.enqueue().unwrap();
            rig.after(|| waiter.try_wait().unwrap().is_some());
            spent.push(waiter);
        }
        let mut heavy = rig.queue.enqueue_weighted(2).unwrap();
        let mut light = rig.queue.enqueue().unwrap();
        if rated {
            rig.comes(&mut heavy, 2 * INTERVAL);
            rig.comes(&mut light, INTERVAL);
        } else {
            // A grant is for whoever is first, whatever it costs: that is the affair of whoever grants.
            rig.after(|| heavy.try_wait().unwrap().is_some());
            rig.comes(&mut light, INTERVAL);
        }
    }
}

#[test]
fn charged_and_refunded() {
    for_all(|rig| {
        rig.queue.charge(2).unwrap();
        let mut waiter = rig.queue.enqueue().unwrap();
        let more = match rig.source {
            Source::Granted => 0,
            _ => 2,
        };
        rig.comes(&mut waiter, (1 + more) * INTERVAL);
        rig.queue.charge(1).unwrap();
        rig.queue.refund(1);
        let mut waiter = rig.queue.enqueue().unwrap();
        rig.comes(&mut waiter, INTERVAL);
    });
}

#[test]
fn held_and_resumed() {
    for_all(|rig| {
        let mut waiter = rig.queue.enqueue().unwrap();
        rig.queue.hold_for(Duration::from_millis(50)).unwrap();
        let held = match rig.source {
            // What is granted goes.
            Source::Granted => INTERVAL,
            _ => 50,
        };
        let turn = rig.comes(&mut waiter, held);
        assert_eq!(turn.waited_for(), apiqueue::WaitedFor::Hold);
        drop(turn);
        let mut waiter = rig.queue.enqueue().unwrap();
        rig.queue.hold_for(Duration::from_secs(60)).unwrap();
        rig.pass(5);
        rig.queue.resume();
        let after = rig.after(|| waiter.try_wait().unwrap().is_some());
        assert!(after <= INTERVAL + 1, "{:?}: {after}", rig.source);
    });
}

#[test]
fn faster_and_slower() {
    for_all(|rig| {
        if matches!(rig.source, Source::Granted | Source::Account) {
            return;
        }
        rig.queue.set_rate(every(4 * INTERVAL));
        assert_eq!(rig.queue.rate(), every(4 * INTERVAL), "{:?}", rig.source);
        let mut waiter = rig.queue.enqueue().unwrap();
        rig.comes(&mut waiter, 4 * INTERVAL);
        let mut waiter = rig.queue.enqueue().unwrap();
        rig.pass(2);
        rig.queue.set_rate(every(4));
        let after = rig.after(|| waiter.try_wait().unwrap().is_some());
        assert!(after <= 5, "{:?}: {after}", rig.source);
    });
}

#[test]
fn stopped_now() {
    for_all(|rig| {
        let mut waiters: Vec<_> = (0..3).map(|_| rig.queue.enqueue().unwrap()).collect();
        let report = rig.queue.stop(Stop::Now);
        assert_eq!((report.released, report.abandoned), (0, 3));
        rig.pass(5 * INTERVAL);
        for waiter in &mut waiters {
            assert!(waiter.try_wait().is_err(), "{:?}", rig.source);
        }
        assert!(rig.queue.is_empty());
        assert_eq!(rig.queue.stats().depth, 0);
        assert_eq!(rig.queue.enqueue().unwrap_err(), EnqueueError::Closed);
        assert_eq!(
            rig.queue.try_acquire().unwrap_err(),
            TryAcquireError::Closed
        );
    });
}

#[test]
fn drained() {
    for_all(|rig| {
        let mut waiters: Vec<_> = (0..3).map(|_| rig.queue.enqueue().unwrap()).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let timeout = Duration::from_secs(3600);
        let mut stop = pin!(rig.queue.stop_async(Stop::Drain { timeout }));
        assert!(stop.as_mut().poll(&mut cx).is_pending(), "{:?}", rig.source);
        assert_eq!(rig.queue.enqueue().unwrap_err(), EnqueueError::Closed);
        for waiter in &mut waiters {
            rig.comes(waiter, INTERVAL);
        }
        let Poll::Ready(report) = stop.as_mut().poll(&mut cx) else {
            panic!("{:?}: the drain is over", rig.source);
        };
        assert_eq!((report.released, report.abandoned), (3, 0));
    });
}

#[test]
fn whose_last_handle_is_dropped() {
    for_all(|rig| {
        if rig.source == Source::Granted {
            // Who grants holds a handle.
            return;
        }
        let mut waiter = rig.queue.enqueue().unwrap();
        let Rig {
            queue,
            clock,
            account,
            source,
            ..
        } = rig;
        let other = queue.clone();
        drop(queue);
        for _ in 0..=INTERVAL {
            clock.advance(MS);
            match &account {
                Some(account) => drop(account.advance()),
                None => drop(other.advance()),
            }
        }
        drop(other);
        assert!(waiter.try_wait().unwrap().is_some(), "{source:?}");
    });
}

#[test]
fn limited_calls_wait_for_the_end_of_one() {
    let rig = Rig::new(Source::AtOnce);
    let mut line: Vec<_> = (0..3).map(|_| rig.queue.enqueue().unwrap()).collect();
    let first = rig.comes(&mut line[0], INTERVAL);
    let second = rig.comes(&mut line[1], INTERVAL);
    assert_eq!(rig.queue.under_way(), 2);
    rig.pass(10 * INTERVAL);
    assert!(line[2].is_waiting());
    drop(first);
    let third = rig.comes(&mut line[2], 0);
    assert_eq!(rig.queue.under_way(), 2);
    drop((second, third));
    assert_eq!(rig.queue.under_way(), 0);
}

#[test]
fn what_can_t_be_together_is_refused_at_the_builder() {
    let account = Account::builder().limit(every(1)).manual().start().unwrap();
    let fleet = InProcess::new().limit("refused");
    let builder = ApiQueue::builder;
    let refused: [(Builder, &str); 7] = [
        (builder(), "a queue needs a rate: every, per_second or rate"),
        (
            builder().granted().within(&account),
            "a queue can't be started with both `granted` and `within`",
        ),
        (
            builder()
                .per_second(1)
                .shared(fleet.clone())
                .limit(every(1)),
            "a queue can't be started with both `shared` and `limit`",
        ),
        (
            builder().shared(fleet.clone()).within(&account),
            "a queue can't be started with both `shared` and `within`",
        ),
        (
            builder().adaptive(Cubic::default()).per_second(1),
            "a queue can't be started with both `adaptive` and `a rate`",
        ),
        (
            builder().per_second(1).share(2),
            "`share` means nothing without `within`",
        ),
        (
            builder().per_second(1).at_once(0),
            "0 calls at once is less than the least, 1",
        ),
    ];
    for (builder, why) in refused {
        assert_eq!(builder.start().unwrap_err().to_string(), why);
    }
}

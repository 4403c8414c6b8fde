//! Several limits at once, and queues that share them: with the mock clock, driven by hand, but for the last ones.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use apiqueue::core::ManualClock;
use apiqueue::{Account, ApiQueue, LimitError, Next, Rate, Stop, Waiter};

const MS: u64 = 1_000_000;

fn every(ms: u64) -> Rate {
    Rate::every(Duration::from_millis(ms)).unwrap().strict()
}

fn by_hand(limits: &[Rate]) -> (Account, Arc<ManualClock<u64>>) {
    let clock = Arc::new(ManualClock::<u64>::new(0));
    let account = limits
        .iter()
        .fold(Account::builder(), |builder, &rate| builder.limit(rate))
        .clock(Arc::clone(&clock))
        .manual()
        .start()
        .unwrap();
    (account, clock)
}

fn fill(queue: &ApiQueue, count: usize) -> Vec<Waiter> {
    (0..count).map(|_| queue.enqueue().unwrap()).collect()
}

fn released(line: &[Waiter]) -> usize {
    line.iter().filter(|waiter| !waiter.is_waiting()).count()
}

#[test]
fn a_queue_of_two_limits_keeps_both() {
    // One each 10 ms, and 20 a second.
    let (account, clock) = by_hand(&[every(10), every(50).burst(20).unwrap()]);
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    let line = fill(&queue, 60);
    let mut at = Vec::new();
    for ms in 0..2_000 {
        let gone = account.advance().released;
        at.extend((0..gone).map(|_| ms));
        clock.advance(MS);
    }
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 10), "{at:?}");
    assert!(
        at.windows(21).all(|many| many[20] - many[0] >= 50),
        "20, and then one each 50 ms"
    );
    // 20 that had gathered and one each 50 ms: 24 in the 250 ms that the first limit takes for them, and so on.
    assert_eq!(released(&line), 20 + 1_999 / 50);
    assert!(
        line.windows(2)
            .all(|pair| pair[0].is_waiting() <= pair[1].is_waiting()),
        "in order"
    );
}

#[test]
fn what_one_limit_refuses_is_taken_from_none() {
    let (account, clock) = by_hand(&[every(10).burst(5).unwrap()]);
    let slow = ApiQueue::builder()
        .within(&account)
        .limit(every(1_000))
        .start()
        .unwrap();
    let quick = ApiQueue::builder().within(&account).start().unwrap();
    let slow_line = fill(&slow, 3);
    assert_eq!(account.advance().released, 1);
    for _ in 0..5 {
        assert_eq!(
            account.advance().released,
            0,
            "its own limit does not allow it"
        );
    }
    let quick_line = fill(&quick, 5);
    assert_eq!(
        account.advance().released,
        4,
        "four of the account's five are left"
    );
    clock.advance(10 * MS);
    assert_eq!(account.advance().released, 1);
    assert_eq!((released(&slow_line), released(&quick_line)), (1, 5));
}

#[test]
fn queues_share_by_their_weights_and_none_starves() {
    let (account, clock) = by_hand(&[every(1)]);
    let queues = [1, 2, 5].map(|share| {
        ApiQueue::builder()
            .within(&account)
            .share(share)
            .capacity(1024)
            .start()
            .unwrap()
    });
    let lines = queues.each_ref().map(|queue| fill(queue, 1000));
    for passed in 1..=800_u64 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
        for (line, share) in lines.iter().zip([1, 2, 5]) {
            let due = passed * share;
            let got = released(line) as u64 * 8;
            assert!(
                got + 8 + share >= due && got <= due + 8 + share,
                "{got} of {due} eighths"
            );
        }
    }
    assert_eq!(lines.each_ref().map(|line| released(line)), [100, 200, 500]);
}

#[test]
fn who_was_away_has_neither_debt_nor_credit() {
    let (account, clock) = by_hand(&[every(1)]);
    let [first, second] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let line = fill(&first, 300);
    for _ in 0..100 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    let late = fill(&second, 100);
    for _ in 0..100 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    assert_eq!(released(&late), 50);
    assert_eq!(released(&line), 150);
}

#[test]
fn a_heavy_call_of_one_queue_is_not_starved_by_light_ones_of_another() {
    let (account, clock) = by_hand(&[every(1).burst(10).unwrap()]);
    let [light, heavy] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let many = fill(&light, 200);
    let ten = heavy.enqueue_weighted(10).unwrap();
    let mut ms = 0;
    while ten.is_waiting() {
        let _ = account.advance();
        clock.advance(MS);
        ms += 1;
        assert!(ms < 40, "it waits for ever");
    }
    for _ in 0..100 {
        let _ = account.advance();
        clock.advance(MS);
    }
    let passed = released(&many) as u64;
    assert!(
        passed + 10 <= 10 + ms + 100,
        "{passed} light ones and the heavy one in {ms} + 100 ms"
    );
    assert!(passed + 10 >= 100, "and none of it was lost");
}

#[test]
fn a_hold_or_a_rate_of_one_queue_is_its_own_and_that_of_the_account_is_everybody_s() {
    let (account, clock) = by_hand(&[every(1)]);
    let [first, second] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let lines = [fill(&first, 100), fill(&second, 100)];
    first.hold_for(Duration::from_millis(50)).unwrap();
    for _ in 0..50 {
        let _ = account.advance();
        clock.advance(MS);
    }
    assert_eq!(lines.each_ref().map(|line| released(line)), [0, 50]);
    account.hold_for(Duration::from_millis(50)).unwrap();
    for _ in 0..50 {
        assert_eq!(account.advance().released, 0);
        clock.advance(MS);
    }
    second.set_rate(every(10));
    for _ in 0..20 {
        let _ = account.advance();
        clock.advance(MS);
    }
    assert_eq!(lines.each_ref().map(|line| released(line)), [18, 52]);
    account.set_rate(0, every(1_000)).unwrap();
    let told = account.set_rate(1, every(1)).unwrap_err();
    assert_eq!(told, LimitError { index: 1, count: 1 });
    assert!(matches!(account.advance().next, Next::At(_)));
    for _ in 0..100 {
        assert_eq!(account.advance().released, 0);
        clock.advance(MS);
    }
}

#[test]
fn a_release_that_nobody_saw_is_given_back_to_the_account_and_to_the_queue() {
    let (account, clock) = by_hand(&[every(1_000)]);
    let [first, second] = [(); 2].map(|()| {
        ApiQueue::builder()
            .within(&account)
            .limit(every(10))
            .start()
            .unwrap()
    });
    let unseen = first.enqueue().unwrap();
    assert_eq!(account.advance().released, 1);
    drop(unseen);
    let next = second.enqueue().unwrap();
    clock.advance(1); // less a tick
    assert_eq!(account.advance().released, 1);
    assert!(!next.is_waiting());
    // Given back once, and not by who was told.
    drop(next);
    let third = second.enqueue().unwrap();
    clock.advance(500 * MS);
    assert_eq!(account.advance().released, 0);
    drop(third);
}

#[test]
fn charges_and_refunds_count_on_every_limit_or_on_none() {
    let (account, clock) = by_hand(&[every(10).burst(10).unwrap()]);
    let queue = ApiQueue::builder()
        .within(&account)
        .limit(every(1).burst(10).unwrap())
        .start()
        .unwrap();
    queue.charge(10).unwrap();
    let line = fill(&queue, 2);
    assert_eq!(account.advance().released, 0);
    clock.advance(10 * MS);
    assert_eq!(account.advance().released, 1);
    queue.refund(1);
    assert_eq!(account.advance().released, 0, "less a tick");
    clock.advance(1);
    assert_eq!(account.advance().released, 1);
    assert_eq!(released(&line), 2);
    let why = queue.charge(usize::MAX).unwrap_err();
    assert!(why.max < usize::MAX);
}

#[test]
fn a_queue_that_is_gone_or_stopped_leaves_its_share_to_the_others() {
    let (account, clock) = by_hand(&[every(1)]);
    let [first, second] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let gone = fill(&first, 50);
    let line = fill(&second, 50);
    first.stop(Stop::Now);
    assert!(gone.into_iter().all(|waiter| waiter.wait().is_err()));
    drop(first);
    for _ in 0..50 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    assert_eq!(released(&line), 50);
}

#[test]
fn a_queue_stopped_with_waiters_still_held_keeps_nobody_else() {
    let (account, clock) = by_hand(&[every(1)]);
    let [first, second] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let held = fill(&first, 5);
    let line = fill(&second, 5);
    first.stop(Stop::Now);
    for _ in 0..5 {
        assert_eq!(account.advance().released, 1);
        clock.advance(MS);
    }
    assert_eq!(released(&line), 5);
    assert_eq!(account.advance().next, Next::OnEnqueue);
    drop(held);
}

#[test]
fn the_driver_s_thread_drives_an_account_s_queues_and_no_limit_is_exceeded() {
    let account = Account::builder()
        .limit(Rate::per_second(2_000).unwrap().strict())
        .start()
        .unwrap();
    let queues = [(); 3].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let start = Instant::now();
    thread::scope(|scope| {
        for queue in &queues {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        queue.enqueue().unwrap().wait().unwrap();
                    }
                });
            }
        }
    });
    assert!(start.elapsed() >= Duration::from_micros(119 * 500));
    assert_eq!(
        queues.each_ref().map(|queue| queue.stats().released),
        [40; 3]
    );
}

#[test]
fn a_drain_of_one_queue_ends_while_the_others_go_on() {
    let account = Account::builder()
        .limit(Rate::per_second(1_000).unwrap())
        .start()
        .unwrap();
    let [first, second] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    let others = fill(&second, 40);
    let line = fill(&first, 10);
    let report = first.stop(Stop::Drain {
        timeout: Duration::from_secs(60),
    });
    assert_eq!(report.abandoned, 0);
    // Some may have been released before the stop.
    for waiter in line.into_iter().chain(others) {
        waiter.wait().unwrap();
    }
}

#[test]
fn a_faster_rate_of_the_account_reaches_those_who_wait() {
    let account = Account::builder()
        .limit(Rate::every(Duration::from_secs(3_600)).unwrap())
        .start()
        .unwrap();
    let queue = ApiQueue::builder().within(&account).start().unwrap();
    queue.enqueue().unwrap().wait().unwrap();
    let next = queue.enqueue().unwrap();
    account
        .set_rate(0, Rate::per_second(1_000).unwrap())
        .unwrap();
    next.wait().unwrap();
}

/// The one who was told when the next is due may have left: another has to be.
#[test]
fn who_waits_behind_one_that_left_is_told_when_it_is_due() {
    let account = Account::builder()
        .limit(Rate::per_second(100).unwrap().burst(50).unwrap())
        .start()
        .unwrap();
    let start = || ApiQueue::builder().within(&account).start().unwrap();
    let (first, second) = (start(), start());
    let slow = ApiQueue::builder()
        .per_second(20)
        .within(&account)
        .start()
        .unwrap();
    slow.wait_turn().unwrap();
    first.charge(49).unwrap();
    let heavy = first.enqueue_weighted(50).unwrap();
    let light = second.enqueue_weighted(10).unwrap();
    let leaves = slow.enqueue().unwrap();
    drop(heavy);
    drop(leaves);
    // Due in a tenth of a second, where the heavy one was in half of one; that it comes at all is what can be told on a busy machine.
    light.wait().unwrap();
}

/// What is dropped by whoever looks at an account's queues is user code.
#[test]
fn a_queue_that_is_dropped_while_its_account_looks_may_call_that_account() {
    use apiqueue::core::{Change, Controller, Outcome};

    #[derive(Clone)]
    struct Calls(Account, bool);
    impl Controller<u64> for Calls {
        fn rate(&self) -> apiqueue::core::Rate<u64> {
            Rate::per_second(1_000_000).unwrap().into()
        }
        fn outcome(&mut self, _: u64, _: u64, _: Outcome<u64>) -> Change<'_, u64> {
            Change::new(None, None)
        }
    }
    impl Drop for Calls {
        fn drop(&mut self) {
            self.0.resume();
            if self.1 {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        }
    }
    let account = Account::builder()
        .limit(Rate::per_second(1_000_000).unwrap())
        .start()
        .unwrap();
    let busy = ApiQueue::builder().within(&account).start().unwrap();
    let ends = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                busy.wait_turn().unwrap();
            }
        });
        for _ in 0..300 {
            let calls = Calls(account.clone(), false);
            let queue = ApiQueue::builder().adaptive(calls).within(&account).start();
            drop(queue.unwrap().enqueue().unwrap());
        }
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    busy.wait_turn().unwrap();
}

#[test]
fn a_queue_of_limits_gives_a_permit_without_a_line_and_overtakes_nobody() {
    let (account, clock) = by_hand(&[every(10).burst(2).unwrap()]);
    let [first, second] = [(); 2].map(|()| ApiQueue::builder().within(&account).start().unwrap());
    first.try_acquire().unwrap();
    let heavy = second.enqueue_weighted(2).unwrap();
    assert!(
        first.try_acquire().is_err(),
        "one is in hand, and another is before"
    );
    clock.advance(10 * MS);
    assert!(first.try_acquire().is_err());
    assert_eq!(account.advance().released, 1);
    assert!(!heavy.is_waiting());
    let Err(apiqueue::TryAcquireError::NotYet { at: Some(_) }) = first.try_acquire() else {
        panic!("nobody waits any more");
    };
    clock.advance(10 * MS);
    first.try_acquire().unwrap();
    assert!(first.try_acquire().is_err());
}

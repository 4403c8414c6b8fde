//! Limits within an account under random operations: in no window too many, and nobody is stuck. Ran with 300 seeds of 6 s as well.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use apiqueue::core::ManualClock;
use apiqueue::{ApiQueue, Rate, Waiter};
use apiqueue_fleet::{FleetLimit, InProcess};

const MS: u64 = 1_000_000;
const LATE: usize = 100;

struct Host {
    queue: ApiQueue,
    /// Each with what it costs.
    line: Vec<(Waiter, usize)>,
}

fn run(seed: u64) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let clock = Arc::new(ManualClock::<u64>::new(1_000 * MS));
    let backend = InProcess::with_clock(Arc::clone(&clock));
    let limit = |name: &str| backend.limit(name).begin_at_once();
    let account = limit("account");
    let account_ms = random.usize(5..30);
    let rate = Rate::every(Duration::from_millis(account_ms as u64)).unwrap();
    let own_ms: Vec<usize> = (0..2).map(|_| random.usize(2..40)).collect();
    let limits: Vec<FleetLimit> = (0..2)
        .map(|n| limit(&format!("own-{n}")).within(&account, rate))
        .collect();
    let burst = random.usize(1..5);
    let hosts_of: Vec<usize> = (0..random.usize(2..6))
        .map(|_| random.usize(0..2))
        .collect();
    let mut hosts: Vec<Host> = hosts_of
        .iter()
        .map(|&of| {
            let interval = Duration::from_millis(own_ms[of] as u64);
            let builder = ApiQueue::builder().every(interval).burst(burst as u32);
            let builder = builder.shared(limits[of].clone()).clock(Arc::clone(&clock));
            Host {
                queue: builder.manual().start().unwrap(),
                line: Vec::new(),
            }
        })
        .collect();
    // When each was released, of which limit, and what it cost.
    let mut released: Vec<(usize, usize, usize)> = Vec::new();
    let end = 3_000;
    for at in 0..end {
        if random.u8(0..40) == 0 {
            let n = random.usize(0..hosts.len());
            let host = &mut hosts[n];
            match random.u8(0..9) {
                0..4 => {
                    for _ in 0..random.usize(1..40) {
                        let weight = random.usize(1..=burst);
                        if let Ok(waiter) = host.queue.enqueue_weighted(weight) {
                            host.line.push((waiter, weight));
                        }
                    }
                }
                4 if !host.line.is_empty() => {
                    let gone = random.usize(0..host.line.len());
                    drop(host.line.swap_remove(gone));
                }
                5 => host.line.clear(),
                6 => {
                    let ms = random.u64(1..300);
                    host.queue.hold_for(Duration::from_millis(ms)).unwrap();
                }
                7 => host.queue.resume(),
                8 => {
                    if let Ok(turn) = host.queue.try_acquire() {
                        released.push((at, hosts_of[n], 1));
                        drop(turn);
                    }
                }
                _ => {}
            }
        }
        for (host, &of) in hosts.iter_mut().zip(&hosts_of) {
            if random.u8(0..20) == 0 {
                continue; // a driver that is late
            }
            let _ = host.queue.advance();
            host.line
                .retain_mut(|(waiter, weight)| match waiter.try_wait() {
                    Ok(Some(_)) => {
                        released.push((at, of, *weight));
                        false
                    }
                    _ => true,
                });
        }
        clock.advance(MS);
    }
    for (what, interval, queues, own) in [
        ("account", account_ms, hosts.len(), None),
        (
            "own 0",
            own_ms[0],
            hosts_of.iter().filter(|&&of| of == 0).count(),
            Some(0),
        ),
        (
            "own 1",
            own_ms[1],
            hosts_of.iter().filter(|&&of| of == 1).count(),
            Some(1),
        ),
    ] {
        let gathered = if own.is_none() { 1 } else { burst };
        let all: Vec<_> = released
            .iter()
            .filter(|one| own.is_none_or(|own| own == one.1))
            .collect();
        for first in 0..all.len() {
            let mut cost = 0;
            for last in first..all.len() {
                cost += all[last].2;
                // Each queue may have what its first in line costs in hand.
                let most =
                    gathered + (all[last].0 - all[first].0 + LATE) / interval + queues * burst;
                if cost > most {
                    return Err(format!(
                        "{what}: {cost} of {most} from {} to {}, {queues} queues, burst {burst}, {account_ms} {own_ms:?}",
                        all[first].0, all[last].0
                    ));
                }
            }
        }
    }
    // Nobody is stuck.
    for host in &mut hosts {
        host.queue.resume();
    }
    for _ in 0..100_000 {
        for host in &mut hosts {
            let _ = host.queue.advance();
            host.line
                .retain_mut(|(waiter, _)| !matches!(waiter.try_wait(), Ok(Some(_))));
        }
        clock.advance(MS);
        if hosts.iter().all(|host| host.line.is_empty()) {
            return Ok(());
        }
    }
    let left: Vec<_> = hosts.iter().map(|host| host.line.len()).collect();
    Err(format!("stuck: {left:?}"))
}

#[test]
fn whatever_is_done_no_window_has_too_many_and_nobody_is_stuck() {
    let failed: Vec<_> = (1..=3)
        .filter_map(|seed| run(seed).err().map(|why| (seed, why)))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

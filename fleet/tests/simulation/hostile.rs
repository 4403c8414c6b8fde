//! What breaks a fleet: hosts that come and go, states that are lost again and again, clocks, and configurations that differ.

use apiqueue_fleet::Away;

use crate::plan::{Fault, MS, Plan, SECOND};
use crate::seed;
use crate::world::World;

const HOUR: i64 = 3_600_000_000;

/// Hosts that work for `work` each, `apart` after one another; then the server is gone, and all have work.
fn staggered(number: u64, hosts: usize, apart: u64, work: u64) -> (World, u64) {
    let mut plan = Plan::new(seed(number), hosts, 100);
    plan.idle = hosts;
    plan.away = Away::default();
    for id in 0..hosts {
        let at = id as u64 * apart;
        plan.faults.push((at, Fault::Come(id, 8)));
        plan.faults.push((at + work, Fault::Go(id)));
    }
    let gone = (hosts as u64 - 1) * apart + work;
    plan.faults.push((gone, Fault::Down(90 * SECOND)));
    plan.faults
        .extend((0..hosts).map(|id| (gone + 100 * MS, Fault::Come(id, 8))));
    plan.until = gone + 80 * SECOND;
    (World::run(plan), gone)
}

#[test]
fn hosts_that_worked_in_turn_do_not_exceed_the_rate_when_the_server_is_gone() {
    for (number, hosts, apart, work) in [
        (40, 5, 11 * SECOND, 8 * SECOND),
        (41, 8, 2_600 * MS, 2_500 * MS),
        (42, 8, 2_600 * MS, 7_500 * MS),
        (43, 50, 300 * MS, 7 * SECOND),
        (44, 3, 6 * SECOND, 6 * SECOND),
    ] {
        let (world, gone) = staggered(number, hosts, apart, work);
        let what = format!("{hosts} hosts {} ms apart, without the server", apart / MS);
        let run = world.measure(&what, gone, gone + 70 * SECOND);
        // One release of each host more.
        assert!(run.excess <= world.slack() + hosts as f64, "{what}");
        let alone = world.log.between(gone + SECOND, gone + 60 * SECOND) as f64;
        assert!(alone <= 59.0 * 100.0 + hosts as f64, "{what}: {alone}");
    }
}

#[test]
fn hosts_that_have_asked_long_enough_keep_the_rate_without_the_server() {
    let mut plan = Plan::new(seed(45), 4, 100);
    plan.away = Away::default();
    plan.faults = vec![(8 * SECOND, Fault::Down(10 * SECOND))];
    let world = World::run(plan);
    let run = world.measure("4 hosts, 10 s without the server", 8 * SECOND, 18 * SECOND);
    assert!(run.excess <= world.slack() + 4.0);
    assert!(run.mean >= 0.9);
}

#[test]
fn a_rate_that_the_server_forgot_comes_back_whoever_asks_first() {
    let mut plan = Plan::new(seed(46), 5, 100);
    // The last one knows only the rate that it was built with.
    plan.faults = vec![
        (3 * SECOND, Fault::Go(4)),
        (5 * SECOND, Fault::Retune(0, 50 * MS)),
        (10 * SECOND, Fault::Forget),
        (10 * SECOND + 1, Fault::Come(4, 4)),
    ];
    let world = World::run(plan);
    world.measure("a fifth of the rate, forgotten", 10 * SECOND, 20 * SECOND);
    let after = world.log.between(11 * SECOND, 20 * SECOND);
    assert!((160..=190).contains(&after), "{after} of 180");
    let at_once = world.log.between(10 * SECOND, 11 * SECOND);
    assert!(at_once <= 60, "{at_once} of 20, until all have heard");
}

#[test]
fn a_state_that_is_lost_again_and_again_starves_nobody() {
    for (number, every) in [(47, 500 * MS), (48, 100 * MS), (49, 2 * SECOND)] {
        let mut plan = Plan::new(seed(number), 8, 200);
        plan.until = 40 * SECOND;
        let losses = (8 * SECOND..38 * SECOND).step_by(usize::try_from(every).unwrap());
        plan.faults = losses.map(|at| (at, Fault::Forget)).collect();
        let world = World::run(plan);
        let what = format!("all state lost each {} ms", every / MS);
        let run = world.measure(&what, 8 * SECOND, 38 * SECOND);
        assert!(run.excess <= world.slack() + 8.0, "{what}");
        assert!(run.mean >= 0.9, "{what}");
        assert!(run.stall <= 200 * MS, "{what}");
        assert!(world.hosts().all(|host| host.counts(0).forgotten > 0));
    }
}

#[test]
fn evictions_at_random_moments_cost_little() {
    let mut plan = Plan::new(seed(50), 8, 200);
    plan.until = 60 * SECOND;
    let mut at = 6 * SECOND;
    let mut random = plan.seed;
    while at < 58 * SECOND {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        at += 50 * MS + (random >> 33) % (3 * SECOND);
        plan.faults.push((at, Fault::Forget));
    }
    let world = World::run(plan);
    let run = world.measure("evictions each 50 to 3,050 ms", 6 * SECOND, 58 * SECOND);
    assert!(run.excess <= world.slack() + 8.0);
    assert!(run.mean >= 0.85);
    assert!(run.stall <= 300 * MS);
}

/// Nine hosts with one caller each, whose calls take exactly so long.
fn lone_callers(number: u64, thinks: &[u64], per_second: u64) -> (World, Vec<u64>) {
    let mut plan = Plan::new(seed(number), 9, per_second);
    plan.callers = 1;
    plan.thinks = thinks.to_vec();
    plan.is_steady = true;
    plan.wakes = 500;
    plan.one_way = (100, 500);
    plan.until = 30 * SECOND;
    let world = World::run(plan);
    let what = format!(
        "9 lone callers, calls of {:?} ms",
        thinks.iter().map(|t| t / MS).collect::<Vec<_>>()
    );
    let run = world.measure(&what, 5 * SECOND, 30 * SECOND);
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    assert!(run.calls_per_release <= 0.2, "{what}");
    let counts = world.log.by_host(9, 5 * SECOND, 30 * SECOND);
    println!("{counts:?}");
    (world, counts)
}

#[test]
fn a_lone_caller_gets_a_fair_share_however_long_its_calls_take() {
    for (number, thinks) in [
        (51, vec![20 * MS]),
        (52, vec![0, 20 * MS, 35 * MS]),
        (53, vec![35 * MS]),
        (54, vec![0]),
        (55, vec![0, 0, 0, 0, 0, 0, 0, 0, 20 * MS]),
    ] {
        let (_, counts) = lone_callers(number, &thinks, 225);
        for (host, count) in counts.iter().enumerate() {
            assert!(
                *count as f64 >= 0.9 * 25.0 * 25.0,
                "host {host}: {count} of 625"
            );
        }
    }
}

#[test]
fn hosts_of_other_horizons_grant_nothing_twice() {
    let mut plan = Plan::new(seed(56), 41, 100);
    plan.horizon = 20 * SECOND;
    plan.horizons = vec![2 * SECOND];
    plan.until = 60 * SECOND;
    let world = World::run(plan);
    // A limit that is not known begins after 20 s.
    let run = world.measure(
        "a horizon of 2 s among forty of 20",
        25 * SECOND,
        60 * SECOND,
    );
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    assert!(run.mean >= 0.98);
}

#[test]
fn the_same_rate_and_short_holds_again_and_again_cost_next_to_nothing() {
    let mut plan = Plan::new(seed(57), 4, 100);
    plan.faults = (25..100)
        .map(|at| (at * 200 * MS, Fault::Retune(at as usize % 4, 10 * MS)))
        .collect();
    let world = World::run(plan);
    let run = world.measure(
        "the same rate, five times a second",
        5 * SECOND,
        20 * SECOND,
    );
    assert!(run.mean >= 0.98);

    let mut plan = Plan::new(seed(58), 4, 100);
    plan.faults = (50..200)
        .map(|at| (at * 100 * MS, Fault::Hold(at as usize % 4, 20 * MS)))
        .collect();
    let world = World::run(plan);
    let run = world.measure("a hold of 20 ms each 100 ms", 5 * SECOND, 20 * SECOND);
    // A fifth of the time nobody is released on the host that holds, and on those who hear of it.
    assert!(run.mean >= 0.8);
}

#[test]
fn rates_and_holds_at_random_from_all_hosts_keep_the_bounds() {
    for number in 60..70 {
        let mut plan = Plan::new(seed(number), 8, 200);
        plan.until = 60 * SECOND;
        let mut random = plan.seed;
        let mut below = |n: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        for _ in 0..200 {
            let at = SECOND + below(50 * SECOND);
            let host = usize::try_from(below(8)).unwrap();
            plan.faults.push(match below(4) {
                0 => (at, Fault::Retune(host, 5 * MS + below(20) * MS)),
                1 => (at, Fault::Resume(host)),
                2 => (at, Fault::Hold(host, below(300 * MS))),
                _ => (at, Fault::Forget),
            });
        }
        // Ends as it began.
        plan.faults.push((52 * SECOND, Fault::Retune(0, 5 * MS)));
        plan.faults.push((52 * SECOND + MS, Fault::Resume(1)));
        let world = World::run(plan);
        let run = world.measure(
            "rates, holds and losses at random",
            54 * SECOND,
            60 * SECOND,
        );
        // Never faster than the fastest of them.
        assert_eq!(world.twice, 0, "{number}");
        assert!(run.excess <= world.slack() + 8.0, "{number}");
        assert!(run.mean >= 0.97, "{number}: it goes on as before");
    }
}

#[test]
fn a_clock_that_steps_during_a_hold_neither_ends_nor_extends_it() {
    for (number, step) in [(70, HOUR), (71, -HOUR)] {
        let mut plan = Plan::new(seed(number), 8, 200);
        plan.faults = vec![
            (6 * SECOND, Fault::Hold(3, 3 * SECOND)),
            (7 * SECOND, Fault::Step(step)),
        ];
        let world = World::run(plan);
        world.measure("1 h of the clock in a hold of 3 s", 6 * SECOND, 20 * SECOND);
        assert_eq!(world.log.between(6_600 * MS, 9 * SECOND), 0, "{step}");
        let after = world.log.between(10 * SECOND, 15 * SECOND);
        assert!(after >= 950, "{step}: {after} of 1000");
    }
}

#[test]
fn hosts_that_are_up_before_the_server_begin_when_it_is_there() {
    let mut plan = Plan::new(seed(72), 50, 100);
    plan.away = Away::default();
    plan.faults = vec![(0, Fault::Down(5 * SECOND))];
    let world = World::run(plan);
    let run = world.measure("50 hosts up before the server", 8 * SECOND, 20 * SECOND);
    assert_eq!(world.log.between(0, 5 * SECOND), 0);
    assert!(world.log.between(5 * SECOND, 8 * SECOND) > 0);
    assert!(run.excess <= world.slack());
    assert!(run.mean >= 0.99);
}

#[test]
fn fifty_hosts_at_a_hundred_a_second() {
    let mut plan = Plan::new(seed(73), 50, 100);
    plan.until = 60 * SECOND;
    let world = World::run(plan);
    let run = world.measure("50 hosts at 100/s", 5 * SECOND, 60 * SECOND);
    world.assert_even(&run, 0.99);
    assert!(run.calls_per_release <= 2.5);
}

/// Hosts that come and go, a server that is gone and comes back with or without its state, and a clock that steps, all at random: whoever goes
/// on without the server knows how many there are at most.
#[test]
fn hosts_that_go_on_by_themselves_are_never_more_than_they_know() {
    let mut alone = 0;
    for number in 80..120 {
        let mut random = seed(number);
        let mut below = |n: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        let steps = number % 2 == 0;
        let hosts = 2 + usize::try_from(below(12)).unwrap();
        let mut plan = Plan::new(seed(number), hosts, 100);
        plan.idle = usize::try_from(below(hosts as u64 + 1)).unwrap();
        plan.away = Away::default();
        plan.until = 90 * SECOND;
        let mut at = SECOND;
        while at < 80 * SECOND {
            at += below(1_500 * MS);
            let host = usize::try_from(below(hosts as u64)).unwrap();
            let fault = match below(12) {
                0..5 => Fault::Come(host, 4),
                5..8 => Fault::Go(host),
                8 => Fault::Down(below(8 * SECOND)),
                9 if steps => Fault::Step(HOUR),
                10 if steps => Fault::Step(-HOUR),
                _ => Fault::Forget,
            };
            plan.faults.push((at, fault));
            if matches!(fault, Fault::Down(_)) && below(2) == 0 {
                plan.faults.push((at, Fault::Forget));
            }
        }
        let world = World::run(plan);
        let run = world.measure("hosts, the server and its clock at random", 0, 90 * SECOND);
        // Hosts that do not know yet that the server is back go on for a timeout and a pause, and with a clock that has stepped forward
        // leases are granted again.
        let known_later = 0.6 * 100.0 + world.twice as f64;
        assert!(
            run.excess <= world.slack() + hosts as f64 + known_later,
            "{number}"
        );
        assert!(steps || world.twice == 0, "{number}: {} twice", world.twice);
        alone += world.hosts().map(|host| host.counts(0).alone).sum::<u64>();
    }
    assert!(alone > 10_000, "{alone} releases without the server");
}

//! Hosts of several priorities.

use crate::log::jain;
use crate::plan::{Fault, MS, Plan, SECOND};
use crate::seed;
use crate::world::World;

/// A run of a host for each of these priorities, with callers for more than the whole rate each.
fn busy(number: u64, priorities: &[u8], per_second: u64) -> Plan {
    let mut plan = Plan::new(seed(number), priorities.len(), per_second);
    plan.priorities = priorities.to_vec();
    plan.callers = 64;
    plan
}

/// Of the rate, what the hosts of each priority got, the lowest first.
fn parts(world: &World, from: u64, to: u64) -> Vec<(u8, f64)> {
    let counts = world.log.by_host(world.plan.hosts, from, to);
    let all = (to - from) as f64 / world.plan.interval as f64;
    let mut priorities = world.plan.priorities.clone();
    priorities.sort_unstable();
    priorities.dedup();
    let part = |priority: &u8| {
        let of = counts.iter().zip(&world.plan.priorities);
        let of = of.filter(|(_, own)| *own == priority);
        (*priority, of.map(|(n, _)| *n).sum::<u64>() as f64 / all)
    };
    let parts = priorities.iter().map(part).collect();
    println!("parts {parts:.3?}");
    parts
}

fn measured(what: &str, plan: Plan) -> (World, Vec<(u8, f64)>) {
    let until = plan.until;
    let world = World::run(plan);
    let run = world.measure(what, 4 * SECOND, until);
    let parts = parts(&world, 4 * SECOND, until);
    let counts = world.log.by_host(world.plan.hosts, 4 * SECOND, until);
    println!("by host {counts:?}");
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    (world, parts)
}

#[test]
fn a_busy_important_host_gets_nine_tenths_and_the_others_the_rest() {
    for (number, lows) in [(80, 1), (81, 3), (82, 9)] {
        let mut priorities = vec![0; lows];
        priorities.push(7);
        let (_, parts) = measured("1 important host, busy", busy(number, &priorities, 100));
        assert!(parts[1].1 >= 0.88);
        assert!(parts[0].1 >= 0.08);
    }
}

#[test]
fn many_important_hosts_of_few_callers_get_it_among_few_slots() {
    let mut priorities = vec![0; 25];
    priorities.extend([1; 25]);
    let mut plan = busy(83, &priorities, 100);
    plan.callers = 4;
    plan.until = 60 * SECOND;
    let (world, parts) = measured("25 important hosts and 25 others at 100/s", plan);
    assert!(parts[1].1 >= 0.85);
    assert!(parts[0].1 >= 0.05);
    let counts = world.log.by_host(50, 4 * SECOND, 60 * SECOND);
    assert!(jain(&counts[..25]) >= 0.9);
    assert!(jain(&counts[25..]) >= 0.95);
}

#[test]
fn what_the_important_ones_leave_the_others_get() {
    for (number, think) in [(84, 20 * MS), (85, 80 * MS)] {
        let run = |top| {
            let mut plan = busy(number, &[0, 0, 0, top], 100);
            plan.thinks = vec![20 * MS, 20 * MS, 20 * MS, think];
            // The last has one caller.
            plan.faults = vec![(0, Fault::Go(3)), (2 * SECOND, Fault::Come(3, 1))];
            let (world, _) = measured(&format!("one of four of one caller, priority {top}"), plan);
            world.log.between(4 * SECOND, 20 * SECOND) as f64
        };
        // Nothing is wasted that would not be among equals.
        let (equals, before) = (run(0), run(5));
        assert!(before >= 0.95 * equals, "{before} of {equals}");
    }
}

#[test]
fn an_important_host_that_dies_or_rests_leaves_all_to_the_others() {
    for (number, fault) in [(86, Fault::Kill(3)), (87, Fault::Go(3))] {
        let mut plan = busy(number, &[0, 0, 0, 5], 100);
        plan.faults = vec![(6 * SECOND, fault)];
        let world = World::run(plan);
        let run = world.measure("an important host is gone", 7 * SECOND, 20 * SECOND);
        let counts = world.log.by_host(4, 7 * SECOND, 20 * SECOND);
        assert!(run.mean >= 0.97);
        assert!(jain(&counts[..3]) >= 0.9);
    }
}

#[test]
fn an_important_host_that_comes_waits_for_what_the_others_hold() {
    for (number, lows) in [(88, 1), (89, 3), (90, 49)] {
        let mut priorities = vec![0; lows];
        priorities.push(1);
        let mut plan = busy(number, &priorities, 100);
        let come = 10 * SECOND;
        plan.faults = vec![(3, Fault::Go(lows)), (come, Fault::Come(lows, 64))];
        // Those of before that are on their way are not let in.
        let world = World::run(plan);
        let first = (come..20 * SECOND)
            .step_by(MS as usize)
            .find(|at| world.log.by_host(lows + 1, come, *at)[lows] > 0);
        let first = first.unwrap() - come;
        let counts = world
            .log
            .by_host(lows + 1, come + SECOND, come + 6 * SECOND);
        println!(
            "{lows} others had everything: first after {} ms, then {} of 500",
            first / MS,
            counts[lows]
        );
        assert!(first <= 500 * MS + 100 * MS);
        assert!(counts[lows] >= 425);
    }
}

#[test]
fn each_of_many_priorities_goes_before_those_below() {
    let (_, parts) = measured("8 priorities", busy(91, &[0, 1, 2, 3, 4, 5, 6, 7], 100));
    assert!(parts[7].1 >= 0.85);
    // None starves.
    for (priority, part) in &parts {
        assert!(*part >= 0.004, "{priority}: {part}");
    }
    // The highest is about, and wants nothing.
    let mut plan = busy(92, &[0, 1, 7], 100);
    plan.faults = vec![(3, Fault::Go(2))];
    plan.faults
        .extend((1..60).map(|n| (n * SECOND, Fault::Come(2, 1))));
    plan.faults
        .extend((1..60).map(|n| (n * SECOND + 100 * MS, Fault::Go(2))));
    let (_, parts) = measured("the highest of three wants next to nothing", plan);
    assert!(parts[1].1 >= 0.75);
    assert!(parts[0].1 >= 0.05);
}

#[test]
fn slots_far_apart_go_to_the_important_ones_first() {
    let mut plan = busy(93, &[0, 0, 0, 0, 3, 3], 100);
    plan.interval = 2 * SECOND;
    plan.until = 4000 * SECOND;
    let (_, parts) = measured("0.5/s", plan.clone());
    assert!(parts[1].1 >= 0.8);
    assert!(parts[0].1 >= 0.05);
    // They are about, and want nothing: they come for a moment now and then.
    plan.faults = vec![(3, Fault::Go(4)), (4, Fault::Go(5))];
    plan.faults
        .extend((1..400).map(|n| (n * 10 * SECOND, Fault::Come(4, 1))));
    let (_, parts) = measured("0.5/s, one caller", plan);
    assert!(parts[0].1 + parts[1].1 >= 0.85);
}

#[test]
fn lone_callers_and_weights_are_fair_within_a_priority() {
    let mut plan = busy(94, &[0, 0, 0, 4, 4, 4, 4, 4, 4], 225);
    plan.callers = 1;
    plan.is_steady = true;
    let (world, parts) = measured("9 hosts of one caller, 6 of them important", plan);
    let counts = world.log.by_host(9, 4 * SECOND, 20 * SECOND);
    assert!(jain(&counts[3..]) >= 0.95);
    assert!(parts[0].1 + parts[1].1 >= 0.95);
    // Their leases are longer than the shorter horizon.
    for (horizon, weights, times) in [
        (1_000 * MS, [1, 3, 1, 3], 2.5..=3.5),
        (500 * MS, [1, 3, 1, 3], 1.5..=3.5),
        (500 * MS, [1; 4], 0.9..=1.1),
        (2_000 * MS, [1; 4], 0.9..=1.1),
    ] {
        let mut plan = busy(95, &[0, 0, 4, 4], 100);
        plan.weights = weights.to_vec();
        plan.horizon = horizon;
        let (world, parts) = measured(&format!("weights of {weights:?}, horizon {horizon}"), plan);
        let counts = world.log.by_host(4, 4 * SECOND, 20 * SECOND);
        let found = counts[3] as f64 / counts[2] as f64;
        assert!(times.contains(&found), "{found}");
        assert!(parts[1].1 >= 0.88);
        assert!(parts[0].1 >= 0.08);
    }
}

#[test]
fn high_rates_take_few_calls() {
    let mut plan = busy(97, &[0, 0, 0, 4, 4], 2_000);
    plan.callers = 128;
    let world = World::run(plan);
    let run = world.measure(
        "5 hosts at 2,000/s, 2 of them important",
        4 * SECOND,
        20 * SECOND,
    );
    let parts = parts(&world, 4 * SECOND, 20 * SECOND);
    assert!(parts[1].1 >= 0.88);
    assert!(parts[0].1 >= 0.08);
    assert!(run.calls_per_release <= 0.05);
}

#[test]
fn equals_that_rest_do_not_take_the_precedence_away() {
    let mut priorities = vec![0; 3];
    priorities.extend([5; 11]);
    let mut plan = busy(96, &priorities, 100);
    for id in 4..14 {
        plan.faults.push((3, Fault::Go(id)));
        for n in 0..10 {
            let at = n * 2 * SECOND + id as u64 * 150 * MS;
            plan.faults.push((at, Fault::Come(id, 1)));
            plan.faults.push((at + 200 * MS, Fault::Go(id)));
        }
    }
    let (_, parts) = measured("1 busy important host and 10 that rest", plan);
    assert!(parts[1].1 >= 0.85);
}

//! One fault each in the middle of a run.

use apiqueue_fleet::Away;
use std::time::Duration;

use crate::plan::{Fault, MS, Plan, SECOND};
use crate::seed;
use crate::world::World;

/// 1,000 hosts at 5,000/s: leases of one or two slots, a fifth of a second of them out at any moment.
fn plan(number: u64, faults: Vec<(u64, Fault)>) -> Plan {
    let mut plan = Plan::new(seed(number), 1_000, 5_000);
    plan.callers = 8;
    plan.until = 15 * SECOND;
    plan.faults = faults;
    plan
}

/// From losing its state to granting again: the grace, and the answer's way.
const GRACE: u64 = 750 * MS + MS;

#[test]
fn a_failover_that_loses_the_last_writes_overlaps_at_most_a_lease_of_each_host() {
    let faults = vec![
        (8 * SECOND, Fault::Snapshot),
        (8 * SECOND + 200 * MS, Fault::Failover),
    ];
    let world = World::run(plan(20, faults));
    let run = world.measure("failover, 200 ms of writes lost", 7 * SECOND, 10 * SECOND);
    assert!(world.twice > 0, "nothing was lost");
    assert!(world.twice <= 1_000 * u64::from(world.largest));
    assert!(run.excess <= world.slack() + world.twice as f64);
}

#[test]
fn a_server_that_forgets_everything_waits_out_the_leases_of_before() {
    let world = World::run(plan(21, vec![(8 * SECOND, Fault::Forget)]));
    let run = world.measure("all state lost", 7 * SECOND, 15 * SECOND);
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    assert!(run.stall <= GRACE + 200 * MS);
}

#[test]
fn a_clock_that_steps_forward_overlaps_at_most_a_lease_of_each_host() {
    let world = World::run(plan(
        22,
        vec![(8 * SECOND, Fault::Step(3600 * SECOND as i64))],
    ));
    let run = world.measure("the server's clock 1 h forward", 7 * SECOND, 15 * SECOND);
    assert!(world.twice <= 1_000 * u64::from(world.largest));
    assert!(run.excess <= world.slack() + world.twice as f64);
    assert!(run.stall <= 100 * MS);
}

#[test]
fn a_clock_that_steps_backward_stalls_for_the_grace_and_not_for_the_step() {
    let world = World::run(plan(
        23,
        vec![(8 * SECOND, Fault::Step(-3600 * SECOND as i64))],
    ));
    let run = world.measure("the server's clock 1 h backward", 7 * SECOND, 15 * SECOND);
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    assert!(run.stall <= GRACE + 200 * MS);
}

#[test]
fn without_the_backend_nobody_is_released_where_that_was_chosen() {
    let mut plan = plan(24, vec![(8 * SECOND, Fault::Down(3 * SECOND))]);
    plan.away = Away::Stop;
    let world = World::run(plan);
    let run = world.measure("3 s without the server: stop", 7 * SECOND, 15 * SECOND);
    assert!(run.excess <= world.slack());
    // Until the longest pause between two tries is over.
    assert!((2_500 * MS..=4_200 * MS).contains(&run.stall));
    assert_eq!(world.log.between(9 * SECOND, 11 * SECOND), 0);
    assert!(world.hosts().all(|host| host.counts(0).alone == 0));
}

#[test]
fn without_the_backend_the_hosts_share_the_rate_where_that_was_chosen() {
    let mut plan = plan(25, vec![(8 * SECOND, Fault::Down(6 * SECOND))]);
    plan.away = Away::default();
    let world = World::run(plan);
    let run = world.measure("6 s without the server: share", 7 * SECOND, 15 * SECOND);
    // Each host's grid may be one ahead of the fleet's, and when the server is back those who do not know yet go on for the
    // longest pause between two tries, which is 100 ms with 1,000 hosts.
    assert!(run.excess <= world.slack() + 1_000.0 + 500.0);
    let alone = world.log.between(10 * SECOND, 14 * SECOND) as f64;
    assert!((0.95..=1.05).contains(&(alone / 20_000.0)), "{alone}");
}

#[test]
fn going_on_alone_ends_when_its_time_is_over() {
    let mut plan = plan(26, vec![(8 * SECOND, Fault::Down(7 * SECOND))]);
    plan.away = Away::Full {
        at_most: Duration::from_secs(1),
    };
    let world = World::run(plan);
    let run = world.measure(
        "7 s without the server: full rate for 1 s",
        7 * SECOND,
        15 * SECOND,
    );
    // At most a second of the full rate for each host.
    assert!(run.excess <= world.slack() + 1_000.0 * 5_000.0);
    // Two calls have failed by then, and the second is over.
    assert_eq!(world.log.between(10_600 * MS, 15 * SECOND), 0);
    assert!(world.hosts().any(|host| host.counts(0).alone > 0));
}

#[test]
fn hosts_that_die_cost_at_most_their_leases() {
    let faults = (0..500).map(|id| (8 * SECOND, Fault::Kill(id))).collect();
    let world = World::run(plan(27, faults));
    let run = world.measure("500 of 1,000 hosts die", 7 * SECOND, 15 * SECOND);
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    let missing = 8.0 * 5_000.0 - world.log.between(7 * SECOND, 15 * SECOND) as f64;
    // A lease each, and one more that was on its way.
    assert!(
        missing <= 500.0 * 2.0 * f64::from(world.largest),
        "{missing}"
    );
    let after = world.log.between(9 * SECOND, 15 * SECOND) as f64 / 30_000.0;
    assert!(after >= 0.99, "{after}");
}

#[test]
fn a_host_that_was_stopped_lets_the_slots_go_that_it_has_missed() {
    let faults = (0..500)
        .map(|id| (8 * SECOND, Fault::Pause(id, 3 * SECOND)))
        .collect();
    let world = World::run(plan(28, faults));
    let run = world.measure(
        "500 of 1,000 hosts stand still for 3 s",
        7 * SECOND,
        15 * SECOND,
    );
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
}

#[test]
fn a_hold_by_one_host_reaches_all_within_the_horizon_and_so_does_its_end() {
    let faults = vec![
        (8 * SECOND, Fault::Hold(7, 60 * SECOND)),
        (11 * SECOND, Fault::Resume(9)),
    ];
    let world = World::run(plan(29, faults));
    world.measure("a hold by one host", 7 * SECOND, 15 * SECOND);
    assert_eq!(
        world.log.by_host(1_000, 8 * SECOND, 11 * SECOND)[7],
        0,
        "here at once"
    );
    // A lease was at most a fifth of a second of slots ahead, and its end a round trip later.
    assert_eq!(world.log.between(8_500 * MS, 11 * SECOND), 0);
    assert!(world.log.between(11 * SECOND, 13_500 * MS) > 0);
    let mean = world.log.between(14 * SECOND, 15 * SECOND) as f64 / 5_000.0;
    assert!(mean >= 0.99, "{mean}");
}

#[test]
fn a_new_rate_by_one_host_reaches_all_within_the_horizon() {
    let faults = vec![
        (6 * SECOND, Fault::Retune(3, 1_000)),
        (10 * SECOND, Fault::Retune(4, 100)),
    ];
    let world = World::run(plan(30, faults));
    world.measure(
        "a fifth of the rate, then ten times that",
        4 * SECOND,
        15 * SECOND,
    );
    let slack = world.lateness() as f64;
    let slow = world.log.excess(1_000, 6_500 * MS, 10 * SECOND);
    assert!(slow <= slack / 1_000.0 + 1.0, "{slow}");
    let fast = world.log.excess(100, 10 * SECOND, 15 * SECOND);
    assert!(fast <= slack / 100.0 + 1.0, "{fast}");
    for (from, to, per_second) in [(7, 10, 1_000.0), (13, 15, 10_000.0)] {
        let count = world.log.between(from * SECOND, to * SECOND) as f64;
        let mean = count / (per_second * (to - from) as f64);
        assert!(mean >= 0.98, "{mean} from {from} to {to}");
    }
}

#[test]
fn a_hundred_milliseconds_and_five_of_a_hundred_lost_keep_the_bounds() {
    let mut plan = plan(31, Vec::new());
    plan.one_way = (50 * MS, 50 * MS);
    plan.loss = 50_000;
    let world = World::run(plan);
    let run = world.measure("100 to 200 ms, 5 % lost each way", 5 * SECOND, 15 * SECOND);
    assert_eq!(world.twice, 0);
    assert!(run.excess <= world.slack());
    assert!(run.mean >= 0.85);
}

//! Fleets of up to 10,000 hosts in virtual time, against the bounds that the crate states. Every run is told by its seed, which
//! it prints with what came out; `FLEET_SEED=n` runs all with another.
#![allow(clippy::unwrap_used)]

mod faults;
mod hostile;
mod log;
mod node;
mod plan;
mod priorities;
mod world;

use log::jain;
use plan::{MS, Plan, SECOND};
use world::World;

pub(crate) fn seed(default: u64) -> u64 {
    std::env::var("FLEET_SEED").map_or(default, |text| text.parse().unwrap())
}

#[test]
fn ten_thousand_hosts_share_a_rate_exactly_and_fairly() {
    let mut plan = Plan::new(seed(1), 10_000, 10_000);
    plan.until = 25 * SECOND;
    let world = World::run(plan);
    let run = world.measure("10,000 hosts at 10,000/s", 5 * SECOND, 25 * SECOND);
    world.assert_even(&run, 0.99);
    // A slot a second for each of them: a lease of more would be hoarding.
    assert!(run.calls_per_release <= 1.2);
}

#[test]
fn one_message_of_a_hundred_lost_costs_the_slots_that_were_in_it() {
    let mut plan = Plan::new(seed(2), 10_000, 10_000);
    plan.loss = 10_000;
    plan.until = 25 * SECOND;
    let world = World::run(plan);
    let run = world.measure("the same, 1 % lost each way", 5 * SECOND, 25 * SECOND);
    world.assert_even(&run, 0.98);
}

#[test]
fn more_hosts_than_slots_within_the_horizon_get_their_share_all_the_same() {
    let mut plan = Plan::new(seed(3), 10_000, 1_000);
    plan.until = 130 * SECOND;
    let world = World::run(plan);
    let run = world.measure("10,000 hosts at 1,000/s", 10 * SECOND, 130 * SECOND);
    world.assert_even(&run, 0.99);
    assert!(run.calls_per_release <= 2.5);
}

#[test]
fn few_hosts_at_a_high_rate_make_few_calls() {
    let mut plan = Plan::new(seed(4), 4, 2_000);
    plan.callers = 64;
    let world = World::run(plan);
    let run = world.measure("4 hosts at 2,000/s", 4 * SECOND, 20 * SECOND);
    world.assert_even(&run, 0.99);
    assert!(run.calls_per_release <= 0.02);
}

#[test]
fn at_one_slot_in_ten_seconds_each_of_a_hundred_gets_its_turn() {
    let mut plan = Plan::new(seed(5), 100, 1);
    plan.interval = 10 * SECOND;
    plan.until = 30_000 * SECOND;
    let world = World::run(plan);
    let run = world.measure("100 hosts at 0.1/s", 100 * SECOND, 30_000 * SECOND);
    world.assert_even(&run, 0.99);
}

#[test]
fn a_host_far_away_is_not_starved() {
    let mut plan = Plan::new(seed(6), 8, 100);
    plan.one_way = (100, 300);
    plan.until = 40 * SECOND;
    plan.far = Some((0, 20 * MS));
    let world = World::run(plan);
    let run = world.measure(
        "8 hosts at 100/s, one 40 to 80 ms away",
        4 * SECOND,
        40 * SECOND,
    );
    assert_eq!(world.twice, 0);
    assert!(run.mean >= 0.99);
    assert!(run.jain >= 0.95);
    let far = world.log.by_host(8, 4 * SECOND, 40 * SECOND)[0] as f64;
    assert!(far >= 0.8 * 3600.0 / 8.0, "{far}");
}

#[test]
fn an_idle_host_reserves_nothing_and_the_busy_ones_get_it_all() {
    let mut plan = Plan::new(seed(7), 40, 1_000);
    plan.callers = 16;
    plan.idle = 36;
    let world = World::run(plan);
    let run = world.measure(
        "4 busy and 36 idle hosts at 1,000/s",
        4 * SECOND,
        20 * SECOND,
    );
    let counts = world.log.by_host(40, 0, 20 * SECOND);
    assert!(run.mean >= 0.99);
    assert!(jain(&counts[36..]) >= 0.95);
    for id in 0..36 {
        assert_eq!(world.host(id).counts(0).calls, 0);
    }
}

#[test]
fn a_seed_tells_the_whole_run() {
    let run = || {
        let mut plan = Plan::new(seed(8), 50, 500);
        plan.loss = 20_000;
        plan.until = 5 * SECOND;
        World::run(plan)
    };
    let (one, other) = (run(), run());
    assert_eq!(one.calls, other.calls);
    assert_eq!(one.log, other.log);
}

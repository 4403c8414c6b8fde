//! The quick set: every operation, stopped at every step, meets every other one.
#![allow(missing_docs)]

use apiqueue_explorer::config;
use apiqueue_explorer::explore::{Bounds, explore};
use apiqueue_explorer::report::Report;
use apiqueue_explorer::turns;

const ONE: Bounds = Bounds {
    all: 1,
    main: 1,
    nested_main: 0,
    nested_few: 0,
};

/// Explores the configurations of these names, and wants at least so many interleavings.
fn finds_nothing(names: &[&str], bounds: Bounds, least: u64) {
    let configs = config::all();
    let mut total = Report::default();
    for name in names {
        let found = configs.iter().find(|config| config.name == *name);
        let Some(config) = found else {
            unreachable!("no configuration {name}");
        };
        for start in 0..config.starts.len() {
            for op in 0..config.ops.len() {
                total.merge(explore(config, start, op, bounds));
            }
        }
    }
    println!("{} interleavings", total.cases);
    assert_eq!(total.found, 0, "{}", total.text(3));
    assert!(
        total.cases >= least,
        "only {} interleavings, where {least} are expected",
        total.cases
    );
}

#[test]
fn a_ring_of_one_keeps_every_promise() {
    let names = [
        "plain-1-32-even-wrap",
        "plain-1-64-near",
        "weighted-1-32-burst",
    ];
    finds_nothing(&names, ONE, 300_000);
}

#[test]
fn a_ring_of_two_keeps_every_promise() {
    let names = [
        "plain-2-64-burst",
        "plain-2-32-far-quarter",
        "weighted-2-32-burst",
        "plain-2-32-late",
    ];
    finds_nothing(&names, ONE, 450_000);
}

#[test]
fn a_ring_of_four_keeps_every_promise() {
    let names = ["plain-4-32-burst", "weighted-4-64-burst"];
    finds_nothing(&names, ONE, 350_000);
}

#[test]
fn two_who_take_turns_keep_every_promise() {
    let mut total = Report::default();
    for config in config::all() {
        total.merge(turns::explore(&config, 1, 500));
    }
    assert_eq!(total.found, 0, "{}", total.text(3));
}

#[test]
fn two_who_stand_still_at_once_stop_nobody_else() {
    let nested = Bounds {
        all: 0,
        main: 0,
        nested_main: 0,
        nested_few: 1,
    };
    finds_nothing(&["plain-1-64-near"], nested, 500_000);
}

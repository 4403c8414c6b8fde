//! What the adaptive controllers reach against a simulated server: share used, refusals, time to converge, fairness.
//!
//! `cargo test -p apiqueue-tests --test adaptive -- --ignored --nocapture table` prints the table of `docs/adaptive.md`,
//! and `-- --ignored picture` draws its picture.
#![cfg(not(loom))]
#![allow(missing_docs, clippy::unwrap_used)]

use apiqueue_core::{Aimd, Bounds, Constants, Cubic, Rate};
use apiqueue_tests::chart::{Curve, svg};
use apiqueue_tests::server::{Backoff, Client, Paced, Second, Server, World};

const SECOND: u64 = 1_000_000;
/// Each rate of the server lasts so many seconds; the second half of it counts as steady.
const PHASE: usize = 600;
const RATES: [u64; 4] = [20, 40, 10, 20];
/// Two clients share so much.
const SHARED: u64 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Aimd,
    Calm,
    Aws,
    Backoff,
}

fn per_second(n: u64) -> Rate<u64> {
    Rate::<u64>::per_second(n, SECOND).unwrap()
}

fn bounds() -> Bounds<u64> {
    let slowest = Rate::<u64>::every(2 * SECOND).unwrap();
    Bounds::new(slowest, per_second(200), SECOND).unwrap()
}

/// From 2 a second, wherever the server's limit is.
fn client(kind: Kind) -> Box<dyn Client> {
    let cubic = |constants| {
        let cubic = Cubic::new(bounds(), per_second(2), constants).unwrap();
        Box::new(Paced::new(cubic, 0))
    };
    match kind {
        Kind::Aimd => Box::new(Paced::new(
            Aimd::new(bounds(), per_second(2), 150).unwrap(),
            0,
        )),
        Kind::Calm => cubic(Constants::CALM),
        Kind::Aws => cubic(Constants::AWS),
        Kind::Backoff => Box::new(Backoff::new(16)),
    }
}

/// What part of all calls was refused.
fn refused(sum: Second) -> f64 {
    sum.refused as f64 / (sum.taken + sum.refused) as f64
}

struct Phase {
    rate: u64,
    /// Of what the server gave, in the steady half.
    share: f64,
    /// In the steady half.
    refused: f64,
    /// Seconds until five of them together are within a tenth of the server's rate.
    converged: Option<usize>,
    /// Calls refused in the half that begins with the step.
    at_step: u64,
}

/// One client while the server's rate steps up and down.
fn stepped(kind: Kind, bucket: u64) -> World {
    let mut world = World::new(Server::new(RATES[0], bucket));
    world.join(client(kind));
    for rate in RATES {
        world.server.per_second = rate;
        world.run(PHASE);
    }
    world
}

fn phases(kind: Kind, bucket: u64) -> Vec<Phase> {
    let world = stepped(kind, bucket);
    RATES
        .into_iter()
        .enumerate()
        .map(|(i, rate)| phase(&world, i * PHASE, rate))
        .collect()
}

fn phase(world: &World, start: usize, rate: u64) -> Phase {
    let end = start + PHASE;
    let middle = end - PHASE / 2;
    let steady = world.sum(0, middle, end);
    let converged = (0..PHASE - 5).find(|s| {
        let five = world.sum(0, start + s, start + s + 5);
        let offered = (five.taken + five.refused) as f64 / 5.0;
        (0.9..=1.1).contains(&(offered / rate as f64))
    });
    Phase {
        rate,
        share: steady.taken as f64 / (rate as usize * PHASE / 2) as f64,
        refused: refused(steady),
        converged,
        at_step: world.sum(0, start, middle).refused,
    }
}

struct Pair {
    share: f64,
    refused: f64,
    /// Jain's index over the last phase.
    fairness: f64,
    /// Seconds from the second client's start until the index of twenty of them is 0.95.
    fair_after: Option<usize>,
}

fn jain(x: u64, y: u64) -> f64 {
    let (x, y) = (x as f64, y as f64);
    (x + y) * (x + y) / (2.0 * (x * x + y * y))
}

/// Two clients of the same kind, the second of which joins when the first has found the rate.
fn pair(kind: Kind, bucket: u64) -> Pair {
    let mut world = World::new(Server::new(SHARED, bucket));
    world.join(client(kind));
    world.run(PHASE);
    world.join(client(kind));
    world.run(2 * PHASE);
    let taken = |client, from, to| world.sum(client, from, to).taken;
    let (from, to) = (2 * PHASE, 3 * PHASE);
    let (a, b) = (world.sum(0, from, to), world.sum(1, from, to));
    let both = Second {
        taken: a.taken + b.taken,
        refused: a.refused + b.refused,
    };
    Pair {
        share: both.taken as f64 / (SHARED as usize * PHASE) as f64,
        refused: refused(both),
        fairness: jain(a.taken, b.taken),
        fair_after: (PHASE..to - 20)
            .find(|&s| jain(taken(0, s, s + 20), taken(1, s, s + 20)) >= 0.95)
            .map(|s| s - PHASE),
    }
}

fn seconds(n: Option<usize>) -> String {
    n.map_or("never".into(), |n| format!("{n} s"))
}

/// The one client's rows.
fn print_phases(bucket: u64, kind: Kind) {
    let phases = phases(kind, bucket);
    let column = |cell: &dyn Fn(&Phase) -> String| {
        let cells: Vec<String> = phases.iter().map(cell).collect();
        cells.join(" · ")
    };
    println!(
        "| {bucket} | {kind:?} | {} | {} | {} | {} |",
        column(&|p| format!("{:.1}", p.share * 100.0)),
        column(&|p| format!("{:.2}", p.refused * 100.0)),
        column(&|p| seconds(p.converged)),
        column(&|p| p.at_step.to_string()),
    );
}

const ALL: [Kind; 4] = [Kind::Aimd, Kind::Calm, Kind::Aws, Kind::Backoff];
const BUCKETS: [u64; 4] = [50, 10, 5, 2];

#[test]
#[ignore = "prints, and asserts nothing"]
fn table() {
    println!(
        "| bucket | client | share used, % | refused, % | converged after | refused in the 300 s from the step |"
    );
    for bucket in BUCKETS {
        for kind in ALL {
            print_phases(bucket, kind);
        }
    }
    println!("| bucket | two clients | share used, % | refused, % | Jain | fair after |");
    for bucket in BUCKETS {
        for kind in ALL {
            let pair = pair(kind, bucket);
            println!(
                "| {bucket} | {kind:?} | {:.1} | {:.2} | {:.3} | {} |",
                pair.share * 100.0,
                pair.refused * 100.0,
                pair.fairness,
                seconds(pair.fair_after)
            );
        }
    }
}

#[test]
#[ignore = "writes docs/adaptive.svg, and asserts nothing"]
fn picture() {
    const BUCKET: u64 = 50;
    const STEP: usize = 10;
    let total = PHASE * RATES.len();
    let limit = RATES
        .into_iter()
        .enumerate()
        .flat_map(|(i, rate)| [i, i + 1].map(|edge| ((edge * PHASE) as f64, rate as f64)));
    let mut curves = vec![Curve {
        name: "what the server allows",
        color: "#222222",
        points: limit.collect(),
    }];
    let kinds = [
        (
            Kind::Backoff,
            "#999999",
            "no queue, 16 threads with exponential backoff",
        ),
        (Kind::Aws, "#d55e00", "Cubic, Constants::AWS"),
        (Kind::Aimd, "#0072b2", "Aimd, growth 0.15"),
        (Kind::Calm, "#009e73", "Cubic, Constants::CALM"),
    ];
    let named = kinds.map(|(kind, color, name)| {
        let world = stepped(kind, BUCKET);
        let part = refused(world.sum(0, 0, total)) * 100.0;
        (
            world,
            color,
            format!("{name}: {part:.2} % of all calls refused"),
        )
    });
    for (world, color, name) in &named {
        let points = (0..total).step_by(STEP).map(|s| {
            let sum = world.sum(0, s, s + STEP);
            let offered = (sum.taken + sum.refused) as f64 / STEP as f64;
            ((s + STEP / 2) as f64, offered)
        });
        curves.push(Curve {
            name,
            color,
            points: points.collect(),
        });
    }
    let head = (
        "Calls per second against a limit that moves",
        "Simulated: a token bucket of 50, calls of about 0.1 s, means of 10 s.",
    );
    let text = svg(
        head,
        &curves,
        (total as f64, 100.0),
        (PHASE as f64 / 2.0, 20.0),
    );
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/adaptive.svg");
    std::fs::write(place, text).unwrap();
}

/// The promises of one client, with the time that each phase's step may take.
fn keeps(kind: Kind, bucket: u64, most_refused: f64, within: [usize; 4]) {
    for (phase, within) in phases(kind, bucket).into_iter().zip(within) {
        let at = phase.rate;
        assert!(
            phase.share >= 0.95,
            "{kind:?}: {} used of {at}/s",
            phase.share
        );
        assert!(
            phase.refused <= most_refused,
            "{kind:?}: {} refused at {at}/s",
            phase.refused
        );
        assert!(
            phase.converged.is_some_and(|after| after <= within),
            "{kind:?}: {:?} s to {at}/s",
            phase.converged
        );
    }
}

fn share_fairly(kind: Kind, bucket: u64, most_refused: f64) {
    let pair = pair(kind, bucket);
    assert!(pair.share >= 0.95, "{kind:?}: {} used", pair.share);
    assert!(
        pair.refused <= most_refused,
        "{kind:?}: {} refused",
        pair.refused
    );
    assert!(pair.fairness >= 0.95, "{kind:?}: Jain {}", pair.fairness);
}

#[test]
fn aimd_uses_the_rate_and_is_hardly_refused() {
    keeps(Kind::Aimd, 50, 0.01, [10, 120, 10, 60]);
    keeps(Kind::Aimd, 10, 0.01, [10, 120, 10, 60]);
}

#[test]
fn calm_cubic_uses_the_rate_and_is_hardly_refused() {
    keeps(Kind::Calm, 50, 0.01, [30, 30, 10, 20]);
    keeps(Kind::Calm, 10, 0.01, [30, 30, 10, 20]);
}

/// They return to the limit every few seconds, so they can't be refused less often.
#[test]
fn the_constants_of_aws_are_quick_and_refused_more_often() {
    keeps(Kind::Aws, 50, 0.04, [10, 10, 10, 10]);
    assert!(phases(Kind::Aws, 50)[0].refused > 0.01);
}

#[test]
fn two_clients_share_a_server_fairly() {
    share_fairly(Kind::Aimd, 50, 0.01);
    share_fairly(Kind::Calm, 50, 0.01);
    share_fairly(Kind::Aws, 50, 0.02);
}

#[test]
fn backoff_alone_is_refused_every_second_call() {
    for phase in phases(Kind::Backoff, 50) {
        assert!(phase.refused > 0.4, "{} refused", phase.refused);
    }
}

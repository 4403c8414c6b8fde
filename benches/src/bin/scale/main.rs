//! How costs grow: with the number of waiters in one queue, and with the number of queues on the driver's thread.
//! `cargo run --release -p apiqueue-benches --bin scale`.
//!
//! Takes about two and a half minutes; `-- --quick` about twenty seconds. Each curve has the order that it should be of, and
//! the exponent `k` of `n^k` that fits it best. Ends with an error where that is not the one expected. Linux only.
#![allow(clippy::unwrap_used, missing_docs)]

mod fit;
mod queues;
mod waiters;

use std::path::PathBuf;
use std::process::ExitCode;

use apiqueue_benches::report::{Better, Column, Report, Role, Table, column};
use apiqueue_benches::{machine, readme};
use clap::Parser;

/// Measures how the costs of apiqueue grow.
#[derive(Parser)]
struct Options {
    /// Short runs: to see that it works
    #[arg(long)]
    quick: bool,
    /// One JSON object a line instead of tables
    #[arg(long)]
    json: bool,
    /// Puts the tables into the README of the benchmarks, or into FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = readme::PAGE)]
    readme: Option<PathBuf>,
}

/// A curve: what it is called, which order it should be of, and what it is at `n`.
struct Curve {
    name: &'static str,
    order: Order,
    cost: Box<dyn Fn(u32) -> f64>,
}

/// What a curve should be of.
#[derive(Clone, Copy)]
enum Order {
    Constant,
    Logarithmic,
}

impl Order {
    /// The largest exponent that passes for it. A logarithm over five or six decades, on top of a constant, looks like a
    /// small power, and so do caches that grow too small; a linear part would not.
    fn limit(self) -> f64 {
        match self {
            Self::Constant => 0.15,
            Self::Logarithmic => 0.25,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Constant => "O(1)",
            Self::Logarithmic => "O(log n)",
        }
    }
}

const SIZES: [(&str, u32); 7] = [
    ("1", 1),
    ("10", 10),
    ("100", 100),
    ("1,000", 1_000),
    ("10,000", 10_000),
    ("100,000", 100_000),
    ("1,000,000", 1_000_000),
];

/// Measures the curves in turn, fits them, and says whether all are as expected.
fn draw(
    report: &mut Report,
    mut table: Table,
    curves: &[Curve],
    sizes: &[(&str, u32)],
    rounds: u32,
) -> bool {
    for _ in 0..rounds {
        for curve in curves {
            let costs: Vec<f64> = sizes.iter().map(|(_, n)| (curve.cost)(*n)).collect();
            let points = sizes
                .iter()
                .map(|(_, n)| f64::from(*n))
                .zip(costs.iter().copied());
            let exponent = fit::exponent(points);
            let row: Vec<f64> = costs.iter().copied().chain([exponent]).collect();
            table.add(&title(curve), Role::Ours, &row);
        }
    }
    let mut as_expected = true;
    for curve in curves {
        let exponent = table
            .value(&title(curve), EXPONENT.name)
            .unwrap_or(f64::NAN);
        let fits = exponent <= curve.order.limit();
        as_expected &= fits;
        if !fits {
            eprintln!("{} grows as n^{exponent:.2}", title(curve));
        }
    }
    report.show(table);
    as_expected
}

const EXPONENT: Column = column("exponent", "", Better::Neither);

fn title(curve: &Curve) -> String {
    format!("{}: {}", curve.name, curve.order.name())
}

fn columns(sizes: &[(&'static str, u32)], unit: &'static str) -> Vec<Column> {
    let sizes = sizes
        .iter()
        .map(|(name, _)| column(name, unit, Better::Neither));
    sizes.chain([EXPONENT]).collect()
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut report = Report::new(options.json);
    let quick = options.quick;

    let table = Table::new(
        "scale-waiters",
        "Cost by the number of waiters in line",
        &columns(&SIZES, "ns"),
    );
    let curves = waiters::curves();
    let mut as_expected = draw(
        &mut report,
        table,
        &curves,
        &SIZES,
        if quick { 2 } else { 9 },
    );

    let sizes = &SIZES[..6];
    let table = Table::new(
        "scale-queues",
        "CPU of a release by the number of queues on the driver's thread, all of them together 1000 releases a second",
        &columns(sizes, "µs"),
    );
    let curves = queues::curves(quick);
    as_expected &= draw(
        &mut report,
        table,
        &curves,
        sizes,
        if quick { 1 } else { 3 },
    );

    let wake_ups = queues::idle_wake_ups(if quick { 1000 } else { 100_000 });
    if wake_ups > 0 {
        eprintln!("{wake_ups} wake-ups of the driver's thread while nothing was due");
        as_expected = false;
    }
    let written = options.readme.map_or(Ok(()), |page| {
        let mut blocks = report.blocks();
        let note = if quick { " A quick run." } else { "" };
        let measured = format!("{}{note}", machine::describe());
        blocks.push(("scale-machine".to_owned(), measured));
        readme::replace(&page, &blocks)
    });
    if let Err(why) = &written {
        eprintln!("{why}");
    }
    match as_expected && written.is_ok() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

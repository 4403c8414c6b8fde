//! What users would pick instead, side by side with this in one run: `cargo run --release -p apiqueue-benches --bin peers`.
//!
//! Takes about a quarter of an hour; `-- --quick` under a minute. Contenders take turns, and each figure is the median of
//! several rounds, with the distance that half of the rounds keep to it. Linux only.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod busy;
mod cancel;
mod changes;
mod contenders;
mod cost;
mod crowd;
mod idle;
mod memory;
mod pacing;
mod pictures;
mod tally;
mod throughput;

use std::path::PathBuf;
use std::process::ExitCode;

use apiqueue_benches::report::Report;
use apiqueue_benches::{machine, readme};
use clap::{Parser, ValueEnum};

#[global_allocator]
static ALLOCATOR: apiqueue_benches::allocations::Counting = apiqueue_benches::allocations::Counting;

/// Measures apiqueue and what a user would pick instead.
#[derive(Parser)]
struct Options {
    /// Short runs, under a minute together: to see that it works
    #[arg(long)]
    quick: bool,
    /// One JSON object a line instead of tables
    #[arg(long)]
    json: bool,
    /// Only this part; can be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<Part>,
    /// Puts the tables into the README of the benchmarks, or into FILE, and the pictures beside it
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = readme::PAGE)]
    readme: Option<PathBuf>,
    /// Draws the pictures of what was measured into DIR
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An acquire when a permit is free
    Cost,
    /// Many that call as fast as they are let
    Throughput,
    /// How evenly calls leave
    Pacing,
    /// The same beside two busy processes
    Busy,
    /// First come, first served? Wake-ups and switches
    Order,
    /// CPU and wake-ups while many wait
    Waiting,
    /// Bytes of a waiter, allocations
    Memory,
    /// Those who leave the line
    Cancel,
    /// Changes of rate and holds
    Changes,
}

fn main() -> ExitCode {
    busy::or_go_on();
    let options = Options::parse();
    let mut report = Report::new(options.json);
    let quick = options.quick;
    let (mut gaps, mut waiting) = (Vec::new(), Vec::new());
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        match part {
            Part::Cost => cost::run(&mut report, quick),
            Part::Throughput => throughput::run(&mut report, quick),
            Part::Pacing => gaps = pacing::run(&mut report, quick),
            Part::Busy => pacing::run_busy(&mut report, quick),
            Part::Order => tally::run(&mut report, quick),
            Part::Waiting => waiting = idle::run(&mut report, quick),
            Part::Memory => memory::run(&mut report, quick),
            Part::Cancel => cancel::run(&mut report, quick),
            Part::Changes => changes::run(&mut report, quick),
        }
    }
    let folder = options.pictures.or_else(|| {
        let page = options.readme.as_ref()?;
        Some(page.parent()?.join("pictures"))
    });
    let measured = format!(
        "{}{}",
        machine::describe(),
        if quick { " A quick run." } else { "" }
    );
    let drawn = folder.map_or(Ok(()), |folder| {
        pictures::draw(&folder, &measured, &gaps, &waiting)
    });
    let written = options.readme.map_or(Ok(()), |page| {
        let mut blocks = report.blocks();
        if options.only.is_empty() {
            blocks.push(("peers-machine".to_owned(), measured));
        }
        readme::replace(&page, &blocks).map_err(Into::into)
    });
    match drawn.and(written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

//! The story that this project exists for: a scanner of many threads calls an API that throttles the whole account.
//!
//! `cargo run --release --example scan` starts a throttling HTTP endpoint on loopback (token buckets of EC2's shape) and
//! scans it four times: with the usual retries and backoff, with a delay on every call, through a queue, and through one
//! that has to find the rate. Somebody else on the account makes a call now and then: the queue's row shows that nobody was
//! throttled, and the fastest scan that can be said of. `--help` tells the rest.
//!
//! `modes` is where the ways to behave differ (`fleet` is the queue of several such programs), `run` is one of them from start to end; `scanner` and `bystander` are the
//! account's callers, through `client`; what they call is the endpoint of this package's library; `tally`, `progress`, `report` and `picture` show it; `options` and `interrupt` are the user's.

mod adaptive;
mod bystander;
mod client;
mod fleet;
mod interrupt;
mod modes;
mod options;
mod picture;
mod progress;
mod report;
mod run;
mod scanner;
mod tally;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::client::Failure;
use crate::interrupt::Interrupt;
use crate::modes::Mode;
use crate::options::Options;
use crate::run::Outcome;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = Interrupt::listen()
        .map_err(Failure::from)
        .and_then(|interrupt| scan(&options, &interrupt));
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("scan: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn scan(options: &Options, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    if options.serve {
        return fleet::serve(options, &interrupt.next_end()).map(|()| ExitCode::SUCCESS);
    }
    let mut stdout = io::stdout();
    if !options.json {
        writeln!(stdout, "{}", report::heading(options))?;
    }
    let modes = match &options.mode {
        Some(mode) => std::slice::from_ref(mode),
        None if options.fleet.is_some() => &[Mode::Queue],
        None => Mode::value_variants(),
    };
    let (mut outcomes, mut failure) = (Vec::new(), None);
    for &mode in modes {
        match run::run(mode, options, &interrupt.next_end()) {
            Ok(outcome) => outcomes.push(outcome),
            Err(why) => failure = Some(why),
        }
        let interrupted = interrupt.is_pressed();
        if let (true, None, Some(outcome)) = (options.json, &failure, outcomes.last()) {
            writeln!(stdout, "{}", report::json(outcome, interrupted)?)?;
        }
        if interrupted || failure.is_some() {
            break;
        }
    }
    if !options.json && !outcomes.is_empty() {
        writeln!(stdout, "{}", report::table(&outcomes))?;
    }
    if let Some(why) = failure {
        return Err(why);
    }
    if interrupt.is_pressed() {
        tell_interrupted(options, &outcomes);
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let paths = picture::draw(&outcomes, options)?;
    for path in paths {
        // Among JSON nobody looks for paths.
        let told = format!("picture: {}", path.display());
        if options.json {
            eprintln!("{told}");
        } else {
            writeln!(stdout, "{told}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_interrupted(options: &Options, outcomes: &[Outcome]) {
    if let Some(last) = outcomes.last() {
        let (mode, items, all) = (last.mode.name(), last.items, options.calls);
        eprintln!("interrupted: {mode} did {items} of {all} snapshots; no picture is drawn");
    }
}

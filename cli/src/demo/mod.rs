//! `apiqueue demo`: the story in one picture.
//!
//! | | |
//! |---|---|
//! | `api` | an API on loopback that throttles an account, and its client |
//! | `scan` | a scan of the account in one mode, and a bystander |

mod api;
mod scan;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Failure, Outcome, unwritten};
use scan::{BIN, BUCKET, Bin, ITEMS, Mode, REFILL, SCALE, SHARE, THREADS};

/// How many columns a picture has at most.
const WIDTH: usize = 72;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows in some 20 s what a queue is good for: a scan of an account, in three ways.
///
/// The API is one of its own, on loopback, that throttles the whole account as EC2 does. Nothing else is called.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Outcome {
    say(&format!(
        "{THREADS} threads list {ITEMS} snapshots. Each takes a call to EC2, which is throttled, and three to other services.\n\
         The account's bucket holds {BUCKET} calls and refills at {REFILL} a second ({SCALE} times as fast as EC2's).\n\
         Somebody else on the account, an auto-scaling group, calls EC2 now and then. A throttled call is a failure there.\n"
    ))?;
    let mut outcomes = Vec::new();
    for mode in Mode::ALL {
        let bar = bar(mode);
        let outcome = scan::run(mode, |items| bar.set_position(items as u64))?;
        bar.finish_and_clear();
        say(&picture(&outcome))?;
        outcomes.push(outcome);
    }
    say(&summary(&outcomes))?;
    Ok(ExitCode::SUCCESS)
}

fn bar(mode: Mode) -> ProgressBar {
    let target = match io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let style = ProgressStyle::with_template("{prefix:<8} {bar:40} {pos}/{len}, {elapsed}");
    ProgressBar::with_draw_target(Some(ITEMS as u64), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(mode.name())
}

fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(unwritten)
}

/// The calls of a mode over time, and what came of them.
fn picture(outcome: &scan::Outcome) -> String {
    let mode = outcome.mode;
    // A bin of the picture is as many of the scan's as it takes.
    let step = outcome.bins.len().div_ceil(WIDTH).max(1);
    let line = |of: fn(&Bin) -> usize| -> String {
        let columns = outcome.bins.chunks(step);
        let most = 2.0 * REFILL * BIN.as_secs_f64();
        columns
            .map(|bins| {
                let mean = bins.iter().map(of).sum::<usize>() as f64 / bins.len() as f64;
                level(mean / most)
            })
            .collect()
    };
    format!(
        "{:<8} {}\n  calls      {}\n  throttled  {}\n  {:.1} s, {} calls throttled; of the bystander's {} calls {} failed\n",
        mode.name(),
        mode.about(),
        line(|bin| bin.done),
        line(|bin| bin.throttled),
        outcome.took.as_secs_f64(),
        outcome.throttled,
        outcome.bystander_calls,
        outcome.bystander_failures,
    )
}

/// Nothing is a space.
fn level(part: f64) -> char {
    if part <= 0.0 {
        return ' ';
    }
    let level = (part * LEVELS.len() as f64) as usize;
    LEVELS[level.min(LEVELS.len() - 1)]
}

fn summary(outcomes: &[scan::Outcome]) -> String {
    let mut text = format!(
        "{:<10}{:>8}{:>12}{:>20}\n",
        "", "time", "throttled", "bystander failed"
    );
    for outcome in outcomes {
        let failed = format!(
            "{} of {}",
            outcome.bystander_failures, outcome.bystander_calls
        );
        let took = format!("{:.1} s", outcome.took.as_secs_f64());
        let (name, throttled) = (outcome.mode.name(), outcome.throttled);
        text.push_str(&format!("{name:<10}{took:>8}{throttled:>12}{failed:>20}\n"));
    }
    let ideal = (ITEMS - 1) as f64 / (REFILL * SHARE);
    text.push_str(&format!(
        "\nAt {:.0} % of the refill, {ideal:.1} s are ideal. Your own calls: apiqueue run --rate 9/s -- COMMAND {{}} < lines",
        SHARE * 100.0
    ));
    text
}

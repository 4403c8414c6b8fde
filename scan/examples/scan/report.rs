//! What the modes came to: a table for people, or an object a line for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::bystander::Calls;
use crate::options::Options;
use crate::run::Outcome;

/// An outcome as JSON. Fields are only ever added, and at the end.
#[derive(Serialize)]
struct Row {
    mode: &'static str,
    wall_s: f64,
    ideal_s: f64,
    calls: usize,
    throttled: usize,
    bystander_failures: usize,
    cpu_s: f64,
    wasted: usize,
    bystander_calls: usize,
    launch_failures: usize,
    launch_calls: usize,
    interrupted: bool,
}

/// One object, without the end of its line.
///
/// # Errors
/// None that can happen: all fields are numbers and names.
pub(crate) fn json(outcome: &Outcome, interrupted: bool) -> serde_json::Result<String> {
    let thousandths = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    let (describe, launch) = (outcome.bystander.describe, outcome.bystander.launch);
    serde_json::to_string(&Row {
        mode: outcome.mode.name(),
        wall_s: thousandths(outcome.wall),
        ideal_s: thousandths(outcome.ideal),
        calls: outcome.items,
        throttled: outcome.throttled(),
        bystander_failures: describe.failed + launch.failed,
        cpu_s: thousandths(outcome.cpu),
        wasted: outcome.wasted,
        bystander_calls: describe.made + launch.made,
        launch_failures: launch.failed,
        launch_calls: launch.made,
        interrupted,
    })
}

/// What is about to happen.
pub(crate) fn heading(options: &Options) -> String {
    let endpoint = match &options.endpoint {
        Some(url) => format!("at {url}"),
        None => format!(
            "the account's bucket holds {} and refills {} a second",
            options.bucket,
            plain(options.refill())
        ),
    };
    format!(
        "{} threads, {} snapshots; {endpoint}; the queue runs at {} a second\n",
        options.threads,
        options.calls,
        plain(options.rate())
    )
}

/// As many decimals as it has, but not more than people read.
pub(crate) fn plain(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

const COLUMNS: [&str; 9] = [
    "mode",
    "time s",
    "ideal s",
    "calls/s",
    "throttled",
    "wasted",
    "bystander failed",
    "its launches failed",
    "CPU s",
];

const LEGEND: &str = "\
throttled: answers of RequestLimitExceeded, to whomever on the account
wasted: EC2 calls of the scanner that were throttled, and how many of all its EC2 calls that is
bystander: an auto-scaling group on the same account; its launches (RunInstances) have a bucket of their own";

/// All rows, and what the columns mean.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(COLUMNS);
    for outcome in outcomes {
        table.add_row(row(outcome));
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if number > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n\n{LEGEND}", table.trim_fmt())
}

fn row(outcome: &Outcome) -> [String; COLUMNS.len()] {
    let attempts = (outcome.items + outcome.wasted).max(1);
    let share = 100 * outcome.wasted / attempts;
    let failed = |calls: Calls| format!("{} of {}", calls.failed, calls.made);
    [
        outcome.mode.name().into(),
        format!("{:.2}", outcome.wall),
        format!("{:.2}", outcome.ideal),
        format!("{:.1}", outcome.items as f64 / outcome.wall),
        outcome.throttled().to_string(),
        format!("{} ({share} %)", outcome.wasted),
        failed(outcome.bystander.describe),
        failed(outcome.bystander.launch),
        format!("{:.2}", outcome.cpu),
    ]
}

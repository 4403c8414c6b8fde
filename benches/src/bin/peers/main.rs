//! What users would pick instead, side by side with this in one run: `cargo run --release -p apiqueue-benches --bin peers`.
//!
//! Takes about a minute and a half; `-- --quick` about twenty seconds. `-- --json` prints one object a line. Contenders take
//! turns, and each figure is the median of several rounds.
#![allow(clippy::unwrap_used, missing_docs)]

mod contenders;
mod cost;
mod pacing;
mod report;

use std::time::Duration;

use crate::report::Report;

fn main() {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let (quick, json) = (asked("--quick"), asked("--json"));
    let mut report = Report::new(json);
    cost::run(&mut report, if quick { 5 } else { 15 });
    for interval in [Duration::from_millis(10), Duration::from_millis(1)] {
        pacing::run(&mut report, interval, if quick { 1 } else { 5 });
    }
    pacing::order(&mut report);
}

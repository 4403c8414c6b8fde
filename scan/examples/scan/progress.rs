//! The bar of a mode while it runs, on a terminal only.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt::End;
use crate::modes::{Mode, Pace};
use crate::options::Options;
use crate::tally::Tally;

const TICK: Duration = Duration::from_millis(100);
const LOOK: &str = "{prefix:<8} {bar:28} {pos:>6}/{len} {msg}, {eta} left";

/// Shows the run until the end is raised, and passes that on to whoever waits in the mode's line.
pub(crate) fn run(mode: Mode, options: &Options, pace: &dyn Pace, tally: &Tally, end: &End) {
    let bar = ProgressBar::with_draw_target(Some(options.calls.into()), target());
    bar.set_style(
        ProgressStyle::with_template(LOOK).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let bar = bar.with_prefix(mode.name()).with_message("begins");
    loop {
        let over = end.sleep(TICK);
        let items = tally.items();
        bar.set_message(format!(
            "{:>5.0} calls/s, {} throttled, {} in line",
            items as f64 / tally.elapsed().as_secs_f64(),
            tally.throttled(),
            pace.depth()
        ));
        bar.set_position(items as u64);
        if over {
            break;
        }
    }
    pace.stop();
    bar.abandon();
}

fn target() -> ProgressDrawTarget {
    if stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

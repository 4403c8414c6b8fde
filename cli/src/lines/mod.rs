//! `apiqueue lines`: lets lines through at a steady rate.

#[cfg(unix)]
mod pipe;
#[cfg(unix)]
mod through;

use crate::error::Outcome;
use crate::pace::Pace;

/// Lets the lines of standard input through to standard output at a steady rate, first to last.
///
/// tail -f urls | apiqueue lines --every 100ms | xargs -n 1 curl -sO
///
/// A line is read when its turn has come, and no byte beyond it: a signal, or a reader that is gone, loses none, and what is not let through
/// is left in standard input for the next reader. Lines are bytes that end in a newline; the last one may lack it.
///
/// SIGINT, SIGTERM and SIGHUP end it once the line in hand is written, with 128 and the signal's number as exit code; a second one ends it at
/// once. 141 if the reader of standard output is gone.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pace: Pace,
}

#[cfg(unix)]
pub(crate) fn run(args: &Args) -> Outcome {
    through::run(&args.pace)
}

#[cfg(not(unix))]
pub(crate) fn run(_args: &Args) -> Outcome {
    Err(crate::error::Failure::usage("lines is for Unix"))
}

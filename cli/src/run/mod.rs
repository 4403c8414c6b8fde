//! `apiqueue run`: lines become commands, started at a steady rate.
//!
//! | | |
//! |---|---|
//! | `template`, `input` | the command, and the lines |
//! | `work` | what each worker does: a line, a turn, a job |
//! | `job`, `output` | a job's process, and what it writes |
//! | `halt` | when to stop before the end |
//! | `report` | how it goes |
//! | `all` | the run from start to end |

#[cfg(unix)]
mod all;
#[cfg(unix)]
mod halt;
#[cfg(unix)]
mod input;
#[cfg(unix)]
mod job;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod template;
#[cfg(unix)]
mod work;

use std::ffi::OsString;
use std::time::Duration;

use crate::error::Outcome;
use crate::pace::{Pace, duration};

/// Runs a command for each line of standard input, started at a steady rate.
///
/// apiqueue run --rate 10/s -- aws ec2 describe-snapshots --snapshot-ids {} < ids
///
/// The line takes the place of each {} in the command, its number that of {#}; without {} it is the last argument. No shell reads it. Arguments
/// after ::: are the lines, if there are any: apiqueue run --rate 1/s -- ping -c 1 {} ::: a.example b.example
///
/// Ctrl-C, SIGTERM and SIGHUP: no more commands start, those that run are waited for. A second one ends these, too.
///
/// Exit codes, as those of GNU parallel: 0 if all commands succeeded, 1 to 100 if so many failed, 101 if more did, 255 for other trouble; 126 or 127 if the
/// program can't be run; after --halt that of the command; 128 and its number after a signal. 2 for bad usage: then nothing was started.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pace: Pace,

    /// How many commands run at once, at most
    #[arg(short, long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: u16,

    /// Print what commands write in the order of the lines, not in that in which they end
    #[arg(short, long)]
    keep_order: bool,

    /// Let commands write at once, whatever mixes
    #[arg(short, long, conflicts_with = "keep_order")]
    ungroup: bool,

    /// Lines end in a zero byte, not in a newline
    #[arg(short = '0', long)]
    null: bool,

    /// Hold the line and try again after this exit code; several with commas
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..))]
    retry_after_exit: Vec<u8>,

    /// For how long to hold, doubled up to 64 times as long when the next try fails, too
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration, requires = "retry_after_exit")]
    hold: Duration,

    /// How often a line is tried again before it counts as failed
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 10,
        requires = "retry_after_exit"
    )]
    retries: u32,

    /// When to start no more: never, or soon or now (which ends those that run) with fail=N, success=N or done=N, such as soon,fail=1
    #[arg(long, value_name = "WHEN", default_value = "never")]
    halt: String,

    /// Tell events as JSON, one a line, on standard error or in a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", require_equals = true)]
    json: Option<String>,

    /// Tell nothing of how it goes, only what could not be run and what becomes of a shared limit
    #[arg(short, long)]
    quiet: bool,

    /// The command, and after ::: its lines
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[cfg(unix)]
pub(crate) fn run(args: Args) -> Outcome {
    all::run(args)
}

#[cfg(not(unix))]
pub(crate) fn run(_args: Args) -> Outcome {
    Err(crate::error::Failure::usage("run is for Unix"))
}

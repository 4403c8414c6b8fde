//! `apiqueue exec`: waits for its turn, then becomes the program.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use crate::error::{Failure, Outcome};
use crate::pace::{Demand, End, Pace};

/// This command itself has failed, as `env`, `nohup` and `timeout` have it.
const OWN: u8 = 125;

/// Waits for its turn among all processes that share a name, then becomes the program.
///
/// For cron jobs, Makefiles and CI: `apiqueue exec --share ec2 --rate 10/s -- aws ec2 describe-regions`
///
/// The program takes this process's place: its number, its files, its signals, its exit code. A process that is killed while
/// it waits costs the others one slot at most.
///
/// Exit codes are the program's; 2 for bad usage, 125 if the shared limit can't be reached, 126 if the program can't be run, 127 if it is not found.
/// Then nothing was run.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pace: Pace,

    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let line = args
        .pace
        .open(Demand::Once, &what(&args.program), |news| {
            let _ = writeln!(std::io::stderr(), "apiqueue: {news}");
        })
        .map_err(|failure| failure.or_code(OWN))?;
    if !line.is_shared() {
        return Err(Failure::usage(
            "exec waits among processes: say the NAME that they share as --share",
        ));
    }
    let turn = line.enqueue().and_then(|waiter| line.wait(waiter));
    match turn {
        Ok(turn) => drop(turn),
        Err(End::Failed(failure)) => return Err(failure.or_code(OWN)),
        Err(End::Closed) => return Err(Failure::new(OWN, "the line was closed")),
    }
    // Its own slot is used. Should it hold another one, nobody is to wait for it.
    line.leave();
    become_program(&args.program)
}

/// The program's name without its directory, for others to see.
fn what(program: &[OsString]) -> String {
    let name = program.first().map(Path::new).and_then(Path::file_name);
    name.unwrap_or_default().display().to_string()
}

#[cfg(unix)]
fn become_program(program: &[OsString]) -> Outcome {
    use std::io::ErrorKind;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let [name, arguments @ ..] = program else {
        return Err(Failure::usage("say the program to become"));
    };
    let error = Command::new(name).args(arguments).exec();
    let code = match error.kind() {
        ErrorKind::NotFound => 127,
        _ => 126,
    };
    Err(Failure::new(code, format_args!("{name:?}: {error}")))
}

#[cfg(not(unix))]
fn become_program(_program: &[OsString]) -> Outcome {
    Err(Failure::usage(
        "exec is for Unix: only there a process becomes another program; use run",
    ))
}

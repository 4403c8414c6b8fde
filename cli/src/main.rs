//! The command `apiqueue`: pacing for programs that nobody wants to change.
//!
//! | | |
//! |---|---|
//! | `run` | lines become commands |
//! | `exec` | a turn among processes, then the program itself |
//! | `lines` | lines, let through at a steady rate |
//! | `proxy` | HTTP requests, each in its turn |
//! | `status` | how shared limits are doing |
//! | `limits` | the limits that AWS publishes |
//! | `demo` | the story in one picture |
//! | `pages` | man pages, and completions for shells |
//! | `pace` | the rate, and who else goes by it |
//! | `signals` | those that ask to end |
//! | `error` | what goes wrong, and with which exit code |
#![forbid(unsafe_code)]

mod demo;
mod error;
mod exec;
mod limits;
mod lines;
mod pace;
mod pages;
#[cfg(feature = "proxy")]
mod proxy;
mod run;
#[cfg(unix)]
mod signals;
mod status;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Outcome;

/// Pacing for programs that nobody wants to change: one fair schedule, shared by processes.
#[derive(Parser)]
#[command(name = "apiqueue", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Exec(exec::Args),
    Lines(lines::Args),
    #[cfg(feature = "proxy")]
    Proxy(proxy::Args),
    Status(status::Args),
    Limits(limits::Args),
    Demo(demo::Args),
    Man(pages::Man),
    Completions(pages::Completions),
}

fn main() -> ExitCode {
    // Bad usage ends here, with exit code 2.
    let cli = Cli::parse();
    run_command(cli.command).unwrap_or_else(|failure| {
        // Where standard error is closed, nobody can be told.
        let _ = writeln!(std::io::stderr(), "apiqueue: {failure}");
        failure.code()
    })
}

fn run_command(command: Command) -> Outcome {
    match command {
        Command::Run(args) => run::run(args),
        Command::Exec(args) => exec::run(&args),
        Command::Lines(args) => lines::run(&args),
        #[cfg(feature = "proxy")]
        Command::Proxy(args) => proxy::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Limits(args) => limits::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Man(args) => pages::man(&args),
        Command::Completions(args) => pages::completions(&args),
    }
}

//! The command `apiqueue`: pacing for programs that nobody wants to change.
//!
//! | | |
//! |---|---|
//! | `limits` | the limits that AWS publishes |
//! | `pages` | man pages, and completions for shells |
//! | `proxy` | HTTP requests, each in its turn |
//! | `error` | what goes wrong, and with which exit code |
#![forbid(unsafe_code)]

mod error;
mod limits;
mod pages;
#[cfg(feature = "proxy")]
mod proxy;

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
    Limits(limits::Args),
    #[cfg(feature = "proxy")]
    Proxy(proxy::Args),
    Man(pages::Man),
    Completions(pages::Completions),
}

fn main() -> ExitCode {
    // Bad usage ends here, with exit code 2.
    let cli = Cli::parse();
    run(cli.command).unwrap_or_else(|failure| {
        // Where standard error is closed, nobody can be told.
        let _ = writeln!(std::io::stderr(), "apiqueue: {failure}");
        failure.code()
    })
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Limits(args) => limits::run(&args),
        #[cfg(feature = "proxy")]
        Command::Proxy(args) => proxy::run(&args),
        Command::Man(args) => pages::man(&args),
        Command::Completions(args) => pages::completions(&args),
    }
}

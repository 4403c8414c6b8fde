//! Builds the core once with every mutant in it, each chosen at run time, and runs the tests against one after the other.
//! A mutant that no test notices is a hole in the tests, or is listed in `equivalent.txt` with the argument why it is none.
#![allow(missing_docs, reason = "a program")]

mod killers;
mod mutate;
mod report;
mod rules;
mod run;
mod syntax;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line asks for.
#[derive(Default)]
pub struct Options {
    /// Only mutants of this file.
    only: Option<String>,
    /// Only this mutant.
    mutant: Option<usize>,
    /// Keep what an earlier run has killed.
    resume: bool,
    /// Without loom, whose build and runs take the longest.
    no_loom: bool,
    /// Without the explorer, whose quick set takes half a minute.
    no_explorer: bool,
    /// Those that are explained already are not tried.
    unexplained: bool,
    /// The longest that a model of loom may take, in seconds.
    longest_model: Option<u64>,
    /// Only lists the mutants.
    list: bool,
}

const USAGE: &str = "apiqueue-mutants [--only FILE] [--mutant N] [--resume] [--no-loom] [--no-explorer] \
     [--longest-model SECONDS] [--unexplained] [--list]";

fn options() -> Option<Options> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => options.only = Some(arguments.next()?.trim_end_matches(".rs").to_owned()),
            "--mutant" => options.mutant = Some(arguments.next()?.parse().ok()?),
            "--resume" => options.resume = true,
            "--no-loom" => options.no_loom = true,
            "--no-explorer" => options.no_explorer = true,
            "--unexplained" => options.unexplained = true,
            "--longest-model" => options.longest_model = Some(arguments.next()?.parse().ok()?),
            "--list" => options.list = true,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    match run::run(&repository, &options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

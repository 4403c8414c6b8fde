//! `apiqueue man` and `apiqueue completions`: pages made of what the command line knows of itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::Cli;
use crate::error::{Failure, Outcome, unwritten};

/// Prints the man page, or writes those of all subcommands to a directory.
#[derive(clap::Args)]
pub(crate) struct Man {
    /// Write apiqueue.1, apiqueue-run.1 and so on there, in place of printing the first one
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// Prints the completions for a shell.
///
/// In bash: source <(apiqueue completions bash)
#[derive(clap::Args)]
pub(crate) struct Completions {
    shell: Shell,
}

pub(crate) fn man(args: &Man) -> Outcome {
    let command = Cli::command();
    match &args.dir {
        None => print(&page(command).map_err(unwritten)?)?,
        Some(directory) => {
            write_all(command, directory).map_err(|error| {
                Failure::trouble(format_args!("{directory:?} can't be written: {error}"))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completions(args: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "apiqueue", &mut script);
    print(&script)?;
    Ok(ExitCode::SUCCESS)
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

fn write_all(command: Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command, directory)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(unwritten)
}

//! `apiqueue limits`: the limits that come with the command.

use std::io::Write;
use std::process::ExitCode;

use apiqueue::Limits;

use crate::error::{Outcome, unwritten};

/// Prints the limits that AWS publishes, as TOML, to begin a file of your own from.
///
/// A tenth of each is left to the account's other callers. Each service's page is cited in the file.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Outcome {
    let mut out = std::io::stdout().lock();
    out.write_all(Limits::AWS.as_bytes())
        .and_then(|()| out.flush())
        .map_err(unwritten)?;
    Ok(ExitCode::SUCCESS)
}

//! [`Failure`]: what ends the command before its time, and the exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a subcommand ends.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Bad usage: an option's value, or options that don't go together. Nothing was started.
pub(crate) const USAGE: u8 = 2;
/// Something that this command needs is not there: a directory, a server, standard output.
pub(crate) const TROUBLE: u8 = 1;

/// Why the command has failed, and with which exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Bad usage. The message names the value and what it may be.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(USAGE, message)
    }

    /// Something is not there, or does not work.
    pub(crate) fn trouble(message: impl fmt::Display) -> Self {
        Self::new(TROUBLE, message)
    }

    /// With an exit code of the subcommand's own.
    pub(crate) fn new(code: u8, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// With this exit code in place of the one for trouble.
    pub(crate) fn or_code(self, code: u8) -> Self {
        match self.code {
            TROUBLE => Self { code, ..self },
            _ => self,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What can't be written to standard output.
pub(crate) fn unwritten(error: io::Error) -> Failure {
    Failure::trouble(format_args!("standard output can't be written: {error}"))
}

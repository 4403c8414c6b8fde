//! [`FileError`]: what is wrong in a file, and where.

use std::error::Error;
use std::fmt;

/// What is wrong in a file of limits, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The line, counted from 1.
    pub line: usize,
    /// The key, with its table.
    pub key: String,
    /// What is wrong, with the value and what it may be.
    pub what: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl Error for FileError {}

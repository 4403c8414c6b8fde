//! [`Directory`]: where the files are, and who may use them.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::lock::{Locked, open_unlocked};
use super::name::file_name;
use super::slots;
use crate::backend::BackendError;

/// A directory of the user's own.
const PRIVATE: u32 = 0o700;
const FILE: u32 = 0o600;
/// A file in a directory that a group may write.
const GROUP_FILE: u32 = 0o660;

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Of its files.
    mode: u32,
}

impl Directory {
    /// Makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
        let refused = |error: &dyn std::fmt::Display| {
            BackendError::Refused(format!("the directory {path:?} can't be used: {error}"))
        };
        make(path).map_err(|error| refused(&error))?;
        // As it is now, whatever becomes of links in it and of this process's working directory.
        let real = fs::canonicalize(path).map_err(|error| refused(&error))?;
        let found = fs::metadata(&real).map_err(|error| refused(&error))?;
        if !found.is_dir() {
            return Err(refused(&"it is not a directory"));
        }
        let mode = found.mode() & 0o7777;
        if mode & 0o002 != 0 {
            return Err(refused(&format_args!(
                "everybody may write it (mode {mode:04o}); one is needed that only its user, or its group, may write, such as a new one in it"
            )));
        }
        let mode = if mode & 0o020 == 0 { FILE } else { GROUP_FILE };
        Ok(Self { path: real, mode })
    }

    /// That of the user whose process this is.
    pub(super) fn for_user() -> Result<Self, BackendError> {
        let absolute = |name: &str| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|it| it.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .ok_or_else(|| {
                let why = "neither XDG_STATE_HOME nor HOME is an absolute path: no directory of this user is known";
                BackendError::Refused(why.to_owned())
            })?;
        let path = state.join("apiqueue");
        let directory = Self::open(&path)?;
        let owner = fs::metadata(&directory.path).map(|found| found.uid());
        match owner {
            Ok(owner) if owner == geteuid().as_raw() => Ok(directory),
            Ok(owner) => Err(BackendError::Refused(format!(
                "the directory {path:?} is that of user {owner}, not of user {}",
                geteuid().as_raw()
            ))),
            Err(error) => Err(BackendError::Refused(format!(
                "the directory {path:?} can't be used: {error}"
            ))),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a limit.
    pub(super) fn file(&self, limit: &str) -> PathBuf {
        self.path.join(file_name(limit))
    }

    /// The names of the limits that have a file in it, sorted. A file of which none can be read any more is passed over.
    pub(super) fn limits(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != "limit") {
                continue;
            }
            let found = open_unlocked(&path).and_then(|file| slots::read(&file));
            let newest = found.ok().and_then(|found| found.newest);
            names.extend(newest.map(|(_, record)| record.limit));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Locks a file in it. None if somebody else has it.
    pub(super) fn lock(&self, file: &Path) -> io::Result<Option<Locked>> {
        match Locked::open(file, self.mode) {
            // Somebody has deleted the directory. One of a group is not made anew, as it may have been made otherwise.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.mode == FILE => {
                make(&self.path)?;
                Locked::open(file, self.mode)
            }
            other => other,
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE).create(path)
}

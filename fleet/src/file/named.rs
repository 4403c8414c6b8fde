//! Limits by a name alone: where the processes of one user meet, whatever program each of them is.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::FileBackend;
use super::directory::Directory;
use crate::backend::BackendError;
use crate::error::MAX_NAME;
use crate::limit::FleetLimit;

/// The variable that has the directory.
const VARIABLE: &str = "APIQUEUE_DIR";

impl FileBackend {
    /// The limit that every process of this user means by `name`, for [`Builder::shared`](apiqueue::Builder::shared): that of this name in
    /// [`for_names`](Self::for_names).
    ///
    /// 1 to 200 bytes without `/`, `\`, braces and control characters. What has a separator in it is a path, and means a file of its own to those
    /// who write it: it is not taken for a name, here nor by the command or the Python package.
    ///
    /// # Errors
    /// [`BackendError::Refused`], if it is not such a name, and those of [`for_names`](Self::for_names).
    pub fn named(name: &str) -> Result<FleetLimit, BackendError> {
        Ok(Self::for_name(name)?.limit(name))
    }

    /// [`for_names`](Self::for_names), for those who have a name that stands before the names of several limits.
    ///
    /// # Errors
    /// Those of [`named`](Self::named).
    pub fn for_name(name: &str) -> Result<Self, BackendError> {
        check(name)?;
        Self::for_names()
    }

    /// In the directory where the processes of this user meet by a name alone: the first of these.
    ///
    /// | | |
    /// |---|---|
    /// | `$APIQUEUE_DIR` | if it is set: a directory as for [`open`](Self::open), such as one that a group shares |
    /// | `apiqueue` in `$XDG_RUNTIME_DIR` | if that is an absolute path, and a directory of this user that nobody else may write |
    /// | `apiqueue` in `/run/user/UID` | likewise: what the variable is in a session, for a cron job, which has none |
    /// | `/tmp/apiqueue-UID` | made with mode 0700; refused if it is a link, another user's, or others have any right to it |
    ///
    /// So a name means the same schedule in a terminal, a cron job and a service. `$TMPDIR` does not count, nor `$HOME`: tools and
    /// sessions set them as they like, and each value would be a schedule of its own. Runtime directories are in memory, so that no disk
    /// makes anybody wait; that they are forgotten in a reboot costs nothing, as nobody who held a slot outlives it. The one that a login
    /// makes is also removed after the user's last session, unless the user lingers: processes that go on after that, and those that
    /// come then, meet in `/tmp`.
    ///
    /// # Errors
    /// [`BackendError::Refused`] with the path and the reason, if none of them can be used.
    pub fn for_names() -> Result<Self, BackendError> {
        Self::for_names_at(&Places::of_this_process())
    }

    /// On a machine of which a test says what its directories are.
    ///
    /// # Errors
    /// Those of [`for_names`](Self::for_names).
    #[doc(hidden)]
    pub fn for_names_at(places: &Places) -> Result<Self, BackendError> {
        Ok(Self::new(places.directory()?, super::this_machine()))
    }
}

/// What the directory of names depends on.
#[derive(Clone, Debug)]
pub struct Places {
    /// What the user says.
    pub told: Option<OsString>,
    /// That of the session.
    pub runtime: Option<OsString>,
    /// That of the user's sessions.
    pub run_user: PathBuf,
    /// Where everybody may write.
    pub temporary: PathBuf,
    /// Whose process this is.
    pub user: u32,
}

impl Places {
    fn of_this_process() -> Self {
        let user = geteuid().as_raw();
        Self {
            told: env::var_os(VARIABLE).filter(|told| !told.is_empty()),
            runtime: env::var_os("XDG_RUNTIME_DIR"),
            run_user: PathBuf::from(format!("/run/user/{user}")),
            temporary: PathBuf::from("/tmp"),
            user,
        }
    }

    fn directory(&self) -> Result<Directory, BackendError> {
        if let Some(told) = &self.told {
            let told = Path::new(told);
            if !told.is_absolute() {
                return Err(BackendError::Refused(format!(
                    "{VARIABLE} is {told:?}, not an absolute path"
                )));
            }
            return Directory::open(told);
        }
        let runtime = self.runtime.as_ref().map(PathBuf::from);
        let session = [runtime, Some(self.run_user.clone())]
            .into_iter()
            .flatten()
            .find(|path| path.is_absolute() && self.is_own(path));
        let path = match session {
            Some(session) => session.join("apiqueue"),
            None => self.temporary.join(format!("apiqueue-{}", self.user)),
        };
        self.make(&path).map_err(|why| {
            BackendError::Refused(format!("the directory {path:?} can't be used: {why}"))
        })?;
        Directory::open(&path)
    }

    /// Whether it is a directory of this user that nobody else may write. Links to one count.
    fn is_own(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| {
            found.is_dir() && found.uid() == self.user && found.mode() & 0o022 == 0
        })
    }

    /// Makes it if it is not there. What is there already, others may have put there.
    fn make(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.fault(&fs::symlink_metadata(path)?)
            .map_or(Ok(()), |why| Err(io::Error::other(why)))
    }

    fn fault(&self, found: &Metadata) -> Option<String> {
        let mode = found.mode() & 0o7777;
        if !found.is_dir() {
            Some("it is not a directory".to_owned())
        } else if found.uid() != self.user {
            let (owner, user) = (found.uid(), self.user);
            Some(format!("it is that of user {owner}, not of user {user}"))
        } else if mode & 0o077 != 0 {
            Some(format!("its mode is {mode:04o}, not 0700"))
        } else {
            None
        }
    }
}

fn check(name: &str) -> Result<(), BackendError> {
    let bad = |c: char| matches!(c, '/' | '\\' | '{' | '}') || c.is_control();
    if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
        return Err(BackendError::Refused(format!(
            "the name {name:?} is not of 1..={MAX_NAME} bytes without '/', '\\', braces and control characters"
        )));
    }
    Ok(())
}

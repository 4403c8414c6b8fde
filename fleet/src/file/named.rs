//! [`Named`]: a shared limit by what a user says in one word, such as an argument of a command.

use std::path::Path;

use super::FileBackend;
use crate::backend::BackendError;
use crate::error::{FleetError, MAX_NAME};
use crate::limit::FleetLimit;

/// A limit, or a group of them, that was [named](FileBackend::named) in one word.
#[derive(Clone, Debug)]
pub struct Named {
    files: FileBackend,
    name: String,
}

impl FileBackend {
    /// What `said` names: processes that say the same share a limit.
    ///
    /// | said | the limit | in the directory |
    /// |---|---|---|
    /// | a name: `ec2` | `ec2` | [of this user](Self::for_user) |
    /// | an absolute path: `/srv/limits/ec2` | its last part: `ec2` | the rest: `/srv/limits`, [made](Self::open) if it is not there |
    ///
    /// ```
    /// use apiqueue::ApiQueue;
    /// use apiqueue_fleet::FileBackend;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let said = folder.path().join("limits/ec2");
    /// # let said = said.to_str().unwrap();
    /// let ec2 = FileBackend::named(said)?; // or "ec2"
    /// let queue = ApiQueue::builder().per_second(100).shared(ec2.limit()).start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`BackendError::Refused`] with what was said and why: it is empty, a path that is relative or has no last part, or no
    /// [name](FleetLimit::new) of a limit; or the directory can't be used.
    pub fn named(said: &str) -> Result<Named, BackendError> {
        let path = Path::new(said);
        let is_path = said.contains('/');
        if is_path && !path.is_absolute() {
            let why = "a path has to be absolute";
            return Err(BackendError::Refused(format!("{said:?}: {why}")));
        }
        let name = match path.file_name() {
            _ if !is_path => said,
            Some(last) => last.to_str().unwrap_or_default(),
            None => "",
        };
        let bad = |c: char| c == '{' || c == '}' || c.is_control();
        if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
            let name = name.to_owned();
            let why = FleetError::Name { name };
            return Err(BackendError::Refused(format!("{said:?}: {why}")));
        }
        let files = match path.parent() {
            Some(directory) if is_path => Self::open(directory)?,
            _ => Self::for_user()?,
        };
        let name = name.to_owned();
        Ok(Named { files, name })
    }
}

impl Named {
    /// The limit.
    pub fn limit(&self) -> FleetLimit {
        self.files.limit(&self.name)
    }

    /// The limit of a key, where one word names many: `ec2/eu-west-1`, of the word `ec2` and the key `eu-west-1`.
    pub fn limit_of(&self, key: &str) -> FleetLimit {
        self.files.limit(format!("{}/{key}", self.name))
    }

    /// What the limit is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its file is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.files.directory()
    }
}

//! [`Locked`]: a file that nobody else reads or writes meanwhile.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

/// How often the lock is tried at once, which takes about as long as it is held: some microseconds.
const TRIES: u32 = 16;

/// Links are not followed, a device or a pipe does not make it wait.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    options.read(true).custom_flags(flags).open(path)
}

/// A file as it is, whoever has it locked: for what never changes in it.
pub(super) fn open_unlocked(path: &Path) -> io::Result<File> {
    open(&mut OpenOptions::new(), path)
}

/// A file that is locked as long as this is there. The kernel unlocks it if its holder dies.
///
/// The file is opened for each call. So its lock, which belongs to what was opened, also keeps the other threads of this process away, and
/// a forked child has none of it. And a file that was deleted meanwhile is not mistaken for the one that took its place.
pub(super) struct Locked {
    pub(super) file: File,
    pub(super) is_empty: bool,
    /// Device and number.
    identity: (u64, u64),
}

impl Locked {
    /// Opens and locks the file, which is made with these permissions if there is none. None if somebody else has it. Does not wait
    /// for whoever that is.
    pub(super) fn open(path: &Path, mode: u32) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(mode);
        let locked = Self::lock(&mut options, path)?;
        if let Some(locked) = &locked
            && locked.is_empty
        {
            locked.permit(mode)?;
        }
        Ok(locked)
    }

    /// The same, but makes and changes nothing.
    pub(super) fn open_to_read(path: &Path) -> io::Result<Option<Self>> {
        Self::lock(&mut OpenOptions::new(), path)
    }

    fn lock(options: &mut OpenOptions, path: &Path) -> io::Result<Option<Self>> {
        let file = open(options, path)?;
        for _ in 0..TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Self::of(file).map(Some),
                // Nor is the processor left to others meanwhile: a busy machine could keep it for long.
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// What was just locked. Unlocked if it can't be used.
    fn of(file: File) -> io::Result<Self> {
        let mut locked = Self {
            file,
            is_empty: false,
            identity: (0, 0),
        };
        let found = locked.file.metadata()?;
        if !found.is_file() {
            let error = io::ErrorKind::InvalidInput;
            return Err(io::Error::new(error, "it is not a regular file"));
        }
        locked.is_empty = found.len() == 0;
        locked.identity = (found.dev(), found.ino());
        Ok(locked)
    }

    /// Of a new file the process's mask has taken some of its permissions.
    fn permit(&self, mode: u32) -> io::Result<()> {
        let found = self.file.metadata()?;
        if found.mode() & 0o777 != mode && found.uid() == geteuid().as_raw() {
            self.file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Whether `path` still means this file. If not, it was deleted or moved before it was locked, and others lock another one.
    pub(super) fn is_still_at(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == self.identity),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing it is not enough if a child was forked meanwhile, which has it open, too. It can't fail: it is open and locked.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

//! [`Locked`]: a file that nobody else reads or writes meanwhile.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

/// How often the lock is tried at once, before others are let go first: it is held for some microseconds.
const TRIES: u32 = 16;

/// A file that is locked as long as this is there. The kernel unlocks it if its holder dies.
///
/// The file is opened for each call. So its lock, which belongs to what was opened, also keeps the other threads of this process away, and
/// a forked child has none of it. And a file that was deleted meanwhile is not mistaken for the one that took its place.
pub(super) struct Locked {
    pub(super) file: File,
    pub(super) is_empty: bool,
}

impl Locked {
    /// Opens and locks the file, which is made with these permissions if there is none. None if somebody else has it. Does not wait
    /// for whoever that is.
    pub(super) fn open(path: &Path, mode: u32) -> io::Result<Option<Self>> {
        for _ in 0..TRIES {
            let file = open(path, mode)?;
            let mut is_locked = false;
            for _ in 0..TRIES {
                match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        is_locked = true;
                        break;
                    }
                    Err(Errno::WOULDBLOCK) => thread::yield_now(),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if !is_locked {
                return Ok(None);
            }
            let mut locked = Self {
                file,
                is_empty: false,
            };
            let opened = locked.file.metadata()?;
            if !opened.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
            }
            // Whose name is gone, or means another file: then others lock that.
            match fs::symlink_metadata(path) {
                Ok(there) if there.dev() == opened.dev() && there.ino() == opened.ino() => {}
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            locked.is_empty = opened.len() == 0;
            let is_own = opened.uid() == geteuid().as_raw();
            if locked.is_empty && is_own && opened.mode() & 0o777 != mode {
                // The process's mask has taken some of them.
                locked.file.set_permissions(Permissions::from_mode(mode))?;
            }
            return Ok(Some(locked));
        }
        Ok(None)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing it is not enough if a child was forked meanwhile, which has it open, too. It can't fail: it is open and locked.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Links are not followed, a device or a pipe does not make it wait.
fn open(path: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)
}

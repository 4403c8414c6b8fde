//! [`FileBackend`]: the schedule in files, for the processes of one machine.
//!
//! A file for each limit. A call opens it, locks it, reads the clock and the newest record, changes the calendar, writes the new record, and
//! only then answers: what was granted is in the file before anybody hears of it. Nothing of a call is left when it has answered, so
//! that there is nothing that could go wrong in a forked child, or among threads.
//!
//! | | |
//! |---|---|
//! | `clock` | one clock for all processes, across suspends and reboots |
//! | `encoding`, `record` | a calendar, and what else is known of a limit, as bytes |
//! | `slots` | the two places of a file, and what a writer that died leaves behind |
//! | `grace` | a calendar of which something may be missing |
//! | `lock`, `directory`, `name` | who may have which file |
//! | `named` | a limit by one word of a user |
//! | `alarm` | those who found it locked come again |

mod alarm;
mod clock;
mod directory;
mod encoding;
mod grace;
mod lock;
mod name;
mod named;
mod reader;
mod record;
mod slots;
mod tries;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::backend::{Answer, Backend, BackendError, Call, LimitState, Reply};
use crate::guarded::guarded;
use crate::limit::FleetLimit;
use crate::telemetry;
use alarm::Alarm;
use clock::ThisMachine;
pub use clock::{Boot, MachineClock, Reading};
use directory::Directory;
use lock::Locked;
pub use named::Named;
use record::Record;
use slots::Found;
use tries::Tries;

/// A call that had the file for longer than this, because its process stood still, has failed: its slots may be long over.
const LONGEST_CALL: u64 = 500_000;

/// The schedule in files of one directory, for the processes of one machine: without a server, and kept when all of them end.
///
/// ```
/// use apiqueue::ApiQueue;
/// use apiqueue_fleet::FileBackend;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("limits");
/// let files = FileBackend::open(path)?; // or `FileBackend::for_user()`
/// let ec2 = ApiQueue::builder().per_second(100).shared(files.limit("ec2")).start()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`FleetLimit::look`] makes and changes no file.
///
/// A handle: clones mean the same files. It keeps none of them open, and works in a forked child, too. A call takes about 10 µs and asks for no
/// thread, unless it finds the file locked: then one wakes it to try again. It waits for no lock, and does not flush to the disk; where a disk
/// can't keep up the system may make it wait all the same. A directory in memory (`$XDG_RUNTIME_DIR`) is free of that, and forgotten in a reboot.
///
/// # Cancel safety
/// A call whose future is dropped before it has answered was not carried out.
///
/// | what happens | what comes of it |
/// |---|---|
/// | a process is killed, at whatever step | the kernel unlocks its file. Its slots are gone. If it was in the middle of a write, the others wait out the grace, as after a loss |
/// | a process is stopped, or stands still, while it has a file | calls on this limit fail as [`BackendError::Away`] after 200 ms, until it goes on or is killed. Nothing blocks meanwhile. Its own call fails, too, after half a second: by so much a slot may be late, whatever [`FleetLimit::timeout`] says |
/// | a file is damaged, or cut off | found by its checksums. If one of its two records can still be read, the terms go on, and all wait out the grace, as [`News::Forgot`](crate::News::Forgot) tells; if none, the limit begins anew, after the grace. [`losses`](Self::losses) counts it |
/// | a file is deleted, or the directory is | the limit begins anew, after the grace |
/// | a file is put back as it was at some time before | not found out: what was granted since is granted again |
/// | the disk is full, or the directory can't be written | calls fail, and nothing is granted |
/// | the machine is suspended | the clock counts that time |
/// | the wall clock is set | nothing |
/// | a reboot | the schedule goes on. As much time has passed as the wall clock says, or none if it went back |
/// | a power failure | what the system had not written to the disk, mostly of the last half minute, is forgotten and may be granted again |
///
/// The grace is horizon + timeout + interval, of which no more than a horizon counts: 0.75 s to 1.25 s by default. The first call of a limit
/// that has no file waits it out, too: that there is no file does not say that there was none.
///
/// # Permissions
/// The directory is one that not everybody may write. One that is made has mode 0700, and its files have 0600. In a directory that its group may
/// write, they have 0660: several users share limits in a directory made by `install -d -m 2770 -g GROUP`. Links in the place of a file are not
/// followed. Whoever may write the directory can change the schedule.
///
/// # Where it works
/// On Unix; there is no such type elsewhere. On local file systems: not on network file systems, and between virtual machines, as their
/// clocks and locks differ. Containers share it if they share the directory and the kernel. On Linux the clock counts suspended time, and
/// tells boots from each other, if `/proc` is there; elsewhere, or without it, it may count less than has passed, never more.
///
/// A child that is forked at the very moment at which another thread has a file locked keeps it locked if its parent is also killed in
/// this moment, until it ends or executes another program.
#[derive(Clone)]
pub struct FileBackend {
    shared: Arc<Shared>,
}

struct Shared {
    directory: Directory,
    clock: Arc<dyn MachineClock>,
    alarm: Alarm,
    losses: AtomicU64,
}

impl FileBackend {
    /// The limit of this name here, for [`Builder::shared`](apiqueue::Builder::shared): [`FleetLimit::new`].
    pub fn limit(&self, name: impl Into<String>) -> FleetLimit {
        FleetLimit::new(name, self.clone())
    }

    /// In a directory, which is made, with those above it, if it is not there.
    ///
    /// # Errors
    /// [`BackendError::Refused`] with the path and the reason, if it can't be made, is none, or may be written by everybody.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, BackendError> {
        Self::open_with_clock(directory, Arc::new(ThisMachine::new()))
    }

    /// In the directory of this user: `apiqueue` in `$XDG_STATE_HOME` or, without it, in `~/.local/state`. It outlasts reboots.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and if neither variable is an absolute path, or the directory is another user's.
    pub fn for_user() -> Result<Self, BackendError> {
        Ok(Self::new(
            Directory::for_user()?,
            Arc::new(ThisMachine::new()),
        ))
    }

    /// On a machine of which a test says what its clocks say.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    #[doc(hidden)]
    pub fn open_with_clock(
        directory: impl AsRef<Path>,
        clock: Arc<dyn MachineClock>,
    ) -> Result<Self, BackendError> {
        Ok(Self::new(Directory::open(directory.as_ref())?, clock))
    }

    fn new(directory: Directory, clock: Arc<dyn MachineClock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                directory,
                clock,
                alarm: Alarm::new(),
                losses: AtomicU64::new(0),
            }),
        }
    }

    /// Where the files are, without links.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.shared.directory.path()
    }

    /// How often this handle and its clones have found a file that was half written or damaged, so that the grace had to be waited out.
    /// With the feature `tracing` each is told as a warning, too.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.shared.losses.load(Ordering::Relaxed)
    }

    /// Tries until it gets the file, or for 200 ms.
    fn again<'a, T: Send + 'a>(
        &'a self,
        limit: &'a str,
        once: impl Fn() -> Result<Option<T>, BackendError> + Send + 'a,
    ) -> Answer<'a, T> {
        let mut tries = Tries::default();
        Box::pin(poll_fn(move |context| {
            match once() {
                Ok(Some(answer)) => return Poll::Ready(Ok(answer)),
                Ok(None) => {}
                Err(why) => return Poll::Ready(Err(why)),
            }
            match tries.pause() {
                Ok(pause) => {
                    self.shared.alarm.wake_after(pause, context.waker());
                    Poll::Pending
                }
                Err(spent) => Poll::Ready(Err(BackendError::Away(format!(
                    "another process has kept {:?} locked for {spent:?}: it may be stopped",
                    self.shared.directory.file(limit)
                )))),
            }
        }))
    }
}

impl Shared {
    /// None if somebody else has the file.
    fn call(&self, limit: &str, call: &Call) -> Result<Option<Reply>, BackendError> {
        let path = self.directory.file(limit);
        let done = self.change(&path, limit, call);
        let done = done.map_err(|error| error.about(&path))?;
        let Some(Done { answer, is_lost }) = done else {
            return Ok(None);
        };
        if is_lost {
            self.losses.fetch_add(1, Ordering::Relaxed);
            // With the file unlocked, as subscribers are user code.
            guarded(|| telemetry::lost(limit, &path));
        }
        answer.map(Some)
    }

    fn change(&self, path: &Path, limit: &str, call: &Call) -> Result<Option<Done>, Trouble> {
        let Some(locked) = self.directory.lock(path)? else {
            return Ok(None);
        };
        let Some((found, reading)) = self.read(path, limit, &locked)? else {
            return Ok(None);
        };
        let (last, mut record) = match found.newest {
            Some((last, record)) => (Some(last), record),
            None => (None, Record::new(limit, reading)),
        };
        record.anchor = record.anchor.at(reading);
        let now = record.anchor.now;
        if let Some(state) = &mut record.calendar.state
            && !found.is_sound
        {
            grace::wait_out(state, now, call.grace);
        }
        let answer = record.calendar.apply(now, call);
        slots::write(&locked.file, last, &record)?;
        let took = record.anchor.at(self.clock.read()).now - now;
        let answer = if took > LONGEST_CALL {
            let took = Duration::from_micros(took);
            let why = format!("this process stood still for {took:?} in a call");
            Err(BackendError::Away(why))
        } else {
            Ok(answer)
        };
        Ok(Some(Done {
            answer,
            is_lost: !found.is_sound && !locked.is_empty,
        }))
    }

    /// None if somebody else has the file. Writes nothing.
    fn look(&self, path: &Path, limit: &str) -> Result<Option<Option<LimitState>>, Trouble> {
        let locked = match Locked::open_to_read(path) {
            Ok(Some(locked)) => locked,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(None)),
            Err(error) => return Err(error.into()),
        };
        let found = self.read(path, limit, &locked)?;
        Ok(found.map(|(found, reading)| {
            let (_, record) = found.newest?;
            record.calendar.look(record.anchor.at(reading).now)
        }))
    }

    /// What is in a file, and when that was. None if it is not in its place any more.
    fn read(
        &self,
        path: &Path,
        limit: &str,
        locked: &Locked,
    ) -> Result<Option<(Found, Reading)>, Trouble> {
        // Read under the lock, so that no call sees a time before that of the one before it.
        let reading = self.clock.read();
        // Only now, so that what is granted here was granted before the file was deleted, should it be: whoever makes it anew waits out
        // the grace from then on.
        if !locked.is_still_at(path)? {
            return Ok(None);
        }
        let found = slots::read(&locked.file)?;
        if let Some(version) = found.foreign {
            return Err(Trouble::Foreign(version));
        }
        match found.newest {
            Some((_, record)) if record.limit != limit => Err(Trouble::Another(record.limit)),
            newest => Ok(Some((Found { newest, ..found }, reading))),
        }
    }
}

/// A call that had the file, and has left its record there.
struct Done {
    answer: Result<Reply, BackendError>,
    /// Whether the file was half written or damaged.
    is_lost: bool,
}

/// Why a file can't be used.
enum Trouble {
    Io(io::Error),
    /// It is of another version.
    Foreign(u32),
    /// It is another limit's.
    Another(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Trouble {
    fn about(self, path: &Path) -> BackendError {
        match self {
            Self::Io(error) => {
                let why = format!("{path:?} can't be used: {error}");
                match error.kind() {
                    io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::InvalidInput => BackendError::Refused(why),
                    _ => BackendError::Away(why),
                }
            }
            Self::Foreign(version) => BackendError::Refused(format!(
                "{path:?} is of version {version}, where {} is known: it was written by another release of apiqueue-fleet",
                encoding::VERSION
            )),
            Self::Another(limit) => {
                BackendError::Refused(format!("{path:?} is the file of the limit {limit:?}"))
            }
        }
    }
}

impl fmt::Debug for FileBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBackend")
            .field("directory", &self.directory())
            .field("losses", &self.losses())
            .finish_non_exhaustive()
    }
}

impl Backend for FileBackend {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        self.again(limit, move || self.shared.call(limit, &call))
    }

    /// Of a file that is half written or damaged, what is still known. That the next call has to wait out the grace is not seen before it
    /// is made.
    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.again(limit, move || {
            let path = self.shared.directory.file(limit);
            let state = self.shared.look(&path, limit);
            state.map_err(|error| error.about(&path))
        })
    }
}

//! [`Output`]: what jobs write, each job's kept together, in the order of the lines on request.
//!
//! A job writes to files without a name, so that its output takes no memory however much it is. What has to wait for earlier jobs is moved to
//! one such file for all, so that it takes no open files either.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

/// The files that a job writes to.
pub(super) struct Written {
    pub(super) out: File,
    pub(super) err: File,
}

impl Written {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            out: nameless()?,
            err: nameless()?,
        })
    }
}

fn nameless() -> io::Result<File> {
    tempfile::tempfile().map_err(|error| match error.kind() {
        // Not to be taken for a program that is not there.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            let place = std::env::temp_dir();
            io::Error::other(format!("no file for its output in {place:?}: {error}"))
        }
        _ => error,
    })
}

/// A part of the file for all.
struct Part {
    at: u64,
    out: u64,
    err: u64,
}

#[derive(Default)]
struct State {
    /// The next one to be shown.
    next: u64,
    /// None for those that have shown nothing.
    waiting: BTreeMap<u64, Option<Part>>,
    /// Where the order is kept.
    spool: Option<File>,
    end: u64,
}

/// Standard output and error of this process.
pub(super) struct Output {
    keeps_order: bool,
    state: Mutex<State>,
}

impl Output {
    pub(super) fn new(keeps_order: bool) -> io::Result<Self> {
        let spool = keeps_order.then(nameless).transpose()?;
        Ok(Self {
            keeps_order,
            state: Mutex::new(State {
                next: 1,
                spool,
                ..State::default()
            }),
        })
    }

    /// Shows what the job of this number has written; or later, if others come before it. None where it has not run.
    ///
    /// `around` is called with each writing, for what else is on the terminal.
    pub(super) fn show(
        &self,
        number: u64,
        written: Option<Written>,
        around: &dyn Fn(&mut dyn FnMut()),
    ) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.keeps_order {
            return written.map_or(Ok(()), |written| shown(around, || show(written)));
        }
        if number != state.next {
            let part = written.map(|written| state.keep(written)).transpose()?;
            state.waiting.insert(number, part.flatten());
            return Ok(());
        }
        state.next += 1;
        shown(around, || {
            written.map_or(Ok(()), show)?;
            while let Some(part) = state.take_next() {
                part.map_or(Ok(()), |part| state.show(&part))?;
            }
            Ok(())
        })
    }

    /// Shows all that still waits for jobs which did not run.
    pub(super) fn finish(&self, around: &dyn Fn(&mut dyn FnMut())) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        shown(around, || {
            while let Some((_, part)) = state.waiting.pop_first() {
                part.map_or(Ok(()), |part| state.show(&part))?;
            }
            Ok(())
        })
    }
}

fn shown(
    around: &dyn Fn(&mut dyn FnMut()),
    write: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let (mut write, mut done) = (Some(write), Ok(()));
    around(&mut || {
        if let Some(write) = write.take() {
            done = write();
        }
    });
    done
}

fn show(written: Written) -> io::Result<()> {
    copy(&written.out, 0, None, &mut io::stdout().lock())?;
    // Where standard error is closed, nobody wants it.
    let _ = copy(&written.err, 0, None, &mut io::stderr().lock());
    Ok(())
}

fn copy(mut from: &File, at: u64, length: Option<u64>, to: &mut impl Write) -> io::Result<()> {
    from.seek(SeekFrom::Start(at))?;
    io::copy(&mut from.take(length.unwrap_or(u64::MAX)), to)?;
    to.flush()
}

impl State {
    fn keep(&mut self, written: Written) -> io::Result<Option<Part>> {
        let lengths = (written.out.metadata()?.len(), written.err.metadata()?.len());
        if lengths == (0, 0) {
            return Ok(None);
        }
        let Some(spool) = &mut self.spool else {
            return Ok(None);
        };
        let at = self.end;
        spool.seek(SeekFrom::Start(at))?;
        let mut counts = [0; 2];
        for (mut from, count) in [written.out, written.err].into_iter().zip(&mut counts) {
            from.seek(SeekFrom::Start(0))?;
            *count = io::copy(&mut from, spool)?;
        }
        let [out, err] = counts;
        self.end = at + out + err;
        Ok(Some(Part { at, out, err }))
    }

    fn take_next(&mut self) -> Option<Option<Part>> {
        let part = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(part)
    }

    fn show(&mut self, part: &Part) -> io::Result<()> {
        let Some(spool) = &self.spool else {
            return Ok(());
        };
        let Part { at, out, err } = *part;
        copy(spool, at, Some(out), &mut io::stdout().lock())?;
        let _ = copy(spool, at + out, Some(err), &mut io::stderr().lock());
        if self.waiting.is_empty() {
            spool.set_len(0)?;
            self.end = 0;
        }
        Ok(())
    }
}

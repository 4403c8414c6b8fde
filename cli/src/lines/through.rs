//! Line by line: wait for input, then for the turn, then read and write.
//!
//! Nothing is in hand while this waits, but for a line that comes in pieces. Whatever was read is written, whole or not, before the end:
//! with what is left in the input, it is what there was.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use apiqueue::Turn;

use super::pipe::{Pipe, Ready};
use crate::error::{Failure, Outcome, unwritten};
use crate::pace::{Demand, End, Line, Pace};
use crate::signals;

/// A line that is longer is read in blocks from here on.
const LONG: usize = 64 * 1024;
/// How many bytes of a long one at a time.
const BLOCK: usize = 16 * 1024;
/// A turn that is older when its line is whole is not that line's any more.
const FRESH: Duration = Duration::from_millis(2);
/// What a shell says of a program whose reader is gone.
const GONE: u8 = 141;

pub(super) fn run(pace: &Pace) -> Outcome {
    let line = pace.open(Demand::Many, "lines", |news| {
        let _ = writeln!(io::stderr(), "apiqueue: {news}");
    })?;
    let end = Arc::new(AtomicI32::new(0));
    let (bell, rung) = UnixStream::pair()
        .map_err(|why| Failure::trouble(format_args!("no pair of sockets: {why}")))?;
    let (ended, queue) = (end.clone(), line.queue.clone());
    signals::on_end(move |signal, count| {
        if count > 1 {
            // The line in hand can't be written, as nobody reads.
            process::exit(signals::exit_code(signal).into());
        }
        ended.store(signal, Ordering::SeqCst);
        queue.stop(apiqueue::Stop::Now);
        // A bell that is full rings already.
        let _ = (&bell).write(&[0]);
    })?;
    let (input, output) = (io::stdin(), io::stdout());
    let through = Through {
        line: &line,
        pipe: Pipe {
            input: input.as_fd(),
            output: output.as_fd(),
            bell: rung.as_fd(),
        },
        end: &end,
    };
    let outcome = through.run();
    line.leave();
    outcome
}

struct Through<'a> {
    line: &'a Line,
    pipe: Pipe<'a>,
    /// The signal that asked to end; 0 for none.
    end: &'a AtomicI32,
}

/// How reading a line has ended.
#[derive(PartialEq, Eq)]
enum Read {
    Whole,
    /// The input is at its end.
    Last,
    /// There is to be an end, or the reader is gone.
    Stopped(Ready),
}

impl Through<'_> {
    fn run(&self) -> Outcome {
        // What was read beyond a long line's end comes first the next time.
        let mut held = Vec::new();
        loop {
            if held.is_empty() {
                match self.wait()? {
                    Ready::Input => {}
                    ready => return self.ended(ready),
                }
                // The end is to be seen without a turn for it.
                if !self.pipe.has_bytes() && self.read_some(&mut held, 1)? == Some(0) {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            let turn = match self.turn(&held)? {
                Some(turn) => turn,
                None => return self.ended(Ready::Bell),
            };
            let read = self.read_line(&mut held)?;
            if held.is_empty() {
                turn.give_back();
                return match read {
                    Read::Stopped(ready) => self.ended(ready),
                    _ => Ok(ExitCode::SUCCESS),
                };
            }
            let length = held.iter().position(|byte| *byte == b'\n');
            let length = length.map_or(held.len(), |newline| newline + 1);
            if turn.age() > FRESH && !matches!(read, Read::Stopped(_)) {
                // It came in pieces. The next line is not to follow on its heels.
                drop(turn);
                if self.turn(&held)?.is_none() {
                    return self.ended(Ready::Bell);
                }
            }
            if let Err(error) = self.pipe.write(&held[..length]) {
                return unwritable(error);
            }
            held.drain(..length);
            if let Read::Stopped(ready) = read {
                return self.ended(ready);
            }
        }
    }

    /// None when there is to be an end: then what is in hand was written.
    fn turn(&self, in_hand: &[u8]) -> Result<Option<Turn<'static>>, Failure> {
        let turn = self
            .line
            .enqueue()
            .and_then(|waiter| self.line.wait(waiter));
        match turn {
            Ok(turn) => Ok(Some(turn)),
            Err(why) => {
                self.pipe.write(in_hand).map_err(unwritten)?;
                match why {
                    End::Closed => Ok(None),
                    End::Failed(failure) => Err(failure),
                }
            }
        }
    }

    /// Reads until there is a whole line.
    fn read_line(&self, held: &mut Vec<u8>) -> Result<Read, Failure> {
        if held.contains(&b'\n') {
            return Ok(Read::Whole);
        }
        loop {
            match self.wait()? {
                Ready::Input => {}
                ready => return Ok(Read::Stopped(ready)),
            }
            let most = if held.len() < LONG { 1 } else { BLOCK };
            let had = held.len();
            match self.read_some(held, most)? {
                Some(0) => return Ok(Read::Last),
                Some(_) if held[had..].contains(&b'\n') => return Ok(Read::Whole),
                _ => {}
            }
        }
    }

    /// None where there is nothing yet after all. What was read before is written where there is an error.
    fn read_some(&self, held: &mut Vec<u8>, most: usize) -> Result<Option<usize>, Failure> {
        match self.pipe.read(held, most) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => {
                self.pipe.write(held).map_err(unwritten)?;
                Err(unread(error))
            }
        }
    }

    fn wait(&self) -> Result<Ready, Failure> {
        self.pipe.wait().map_err(unread)
    }

    fn ended(&self, why: Ready) -> Outcome {
        match self.end.load(Ordering::SeqCst) {
            0 if why == Ready::Gone => Ok(ExitCode::from(GONE)),
            0 => Err(Failure::trouble("the line was closed")),
            signal => Ok(ExitCode::from(signals::exit_code(signal))),
        }
    }
}

fn unread(error: io::Error) -> Failure {
    Failure::trouble(format_args!("standard input can't be read: {error}"))
}

fn unwritable(error: io::Error) -> Outcome {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(ExitCode::from(GONE)),
        _ => Err(unwritten(error)),
    }
}

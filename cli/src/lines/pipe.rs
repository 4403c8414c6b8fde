//! [`Pipe`]: standard input and output, a byte read at a time and nothing kept.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread, read, write};

/// What ends a wait for input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// There is something to read, or the end.
    Input,
    /// The reader of the output is gone.
    Gone,
    /// The bell was rung.
    Bell,
}

/// The two ends, and a bell that ends a wait.
pub(super) struct Pipe<'a> {
    pub(super) input: BorrowedFd<'a>,
    pub(super) output: BorrowedFd<'a>,
    pub(super) bell: BorrowedFd<'a>,
}

impl Pipe<'_> {
    /// Waits until there is something to read. The bell goes before a reader that is gone, and that before input.
    pub(super) fn wait(&self) -> io::Result<Ready> {
        // A reader that is gone is an error of the output, which is told unasked.
        let mut ends = [
            PollFd::from_borrowed_fd(self.bell, PollFlags::IN),
            PollFd::from_borrowed_fd(self.output, PollFlags::empty()),
            PollFd::from_borrowed_fd(self.input, PollFlags::IN),
        ];
        loop {
            match poll(&mut ends, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let [bell, output, input] = ends.each_ref().map(PollFd::revents);
            if !bell.is_empty() {
                return Ok(Ready::Bell);
            }
            // A pipe's error is a reader that is gone; a socket's reader that is gone is both of its sides hung up.
            if output.intersects(PollFlags::ERR | PollFlags::NVAL) {
                return Ok(Ready::Gone);
            }
            if !input.is_empty() {
                return Ok(Ready::Input);
            }
        }
    }

    /// Whether there are bytes to read, as far as this kind of file tells.
    pub(super) fn has_bytes(&self) -> bool {
        ioctl_fionread(self.input).is_ok_and(|count| count > 0)
    }

    /// Up to `most` bytes, to the end of `line`; none at the end of the input, nothing yet as [`ErrorKind::WouldBlock`].
    pub(super) fn read(&self, line: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let had = line.len();
        line.resize(had + most, 0);
        let got = loop {
            match read(self.input, &mut line[had..]) {
                Err(Errno::INTR) => {}
                got => break got,
            }
        };
        line.truncate(had + got.unwrap_or(0));
        Ok(got?)
    }

    /// All of it, however long the reader takes.
    pub(super) fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match write(self.output, bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_for_room()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Somebody else who has this file made it not to block.
    fn wait_for_room(&self) -> io::Result<()> {
        let mut end = [PollFd::from_borrowed_fd(
            self.output.as_fd(),
            PollFlags::OUT,
        )];
        match poll(&mut end, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

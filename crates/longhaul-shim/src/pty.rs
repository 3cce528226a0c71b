//! A child on a terminal: the only case in which the shim copies bytes.
//!
//! Nobody types, so echo is off: `out` holds what the child wrote and nothing else. Standard input
//! is fed from `in` and then ended, as a person would with ^D. There is no `err` apart from `out`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{grantpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};

use crate::files::Pty;
use crate::platform;

/// Bytes held on their way to `out`. Private memory of every terminal job, so not generous.
const BUFFER_BYTES: usize = 16 << 10;
/// The most a terminal's line takes; longer ones would be cut by the kernel.
const FEED_BYTES: usize = 1024;

/// The shim's end of a terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: File,
    out: File,
    /// What was read from the child and is not in `out` yet.
    held: Vec<u8>,
    /// What the child is still to be fed; `None` when the end was told.
    feed: Option<Feed>,
    /// No process holds the other end any more.
    pub(crate) closed: bool,
}

#[derive(Debug)]
struct Feed {
    input: Option<File>,
    pending: Vec<u8>,
    end_of_file: u8,
    last: u8,
}

/// What the terminal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// `out` takes no bytes at present (full disk): come back in a while.
    pub(crate) later: bool,
}

impl Terminal {
    /// Opens a terminal of this size; gives also the child's end.
    pub(crate) fn open(size: Pty, input: Option<File>, out: File) -> io::Result<(Self, OwnedFd)> {
        let master = platform::open_terminal()?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let child = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
        let mut modes = tcgetattr(&child)?;
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&child, OptionalActions::Now, &modes)?;
        let size = Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&child, size)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let end_of_file = modes.special_codes[SpecialCodeIndex::VEOF];
        let feed = Feed { input, pending: Vec::new(), end_of_file, last: b'\n' };
        let terminal = Self {
            master: File::from(master),
            out,
            held: Vec::new(),
            feed: Some(feed),
            closed: false,
        };
        Ok((terminal, child))
    }

    /// What is worth waiting for.
    pub(crate) fn wants(&self) -> Wants {
        let later = !self.held.is_empty();
        // A hung-up terminal is always ready, so it is not waited for while it cannot be emptied.
        let open = !later && !self.closed;
        Wants { read: open, write: open && self.feed.is_some(), later }
    }

    /// Copies what there is, without waiting.
    pub(crate) fn copy(&mut self) {
        self.feed();
        let mut buffer = [0; BUFFER_BYTES];
        while self.flush() && !self.closed {
            match self.master.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(got) => self.held.extend_from_slice(&buffer[..got]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // EIO is how Linux says that the last process has closed its end.
                Err(_) => self.closed = true,
            }
        }
    }

    /// Writes what is held; false if `out` takes no more at present.
    fn flush(&mut self) -> bool {
        while !self.held.is_empty() {
            match self.out.write(&self.held) {
                Ok(wrote) => drop(self.held.drain(..wrote)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The child waits meanwhile, as it would for a slow terminal; nothing is lost.
                Err(_) => return false,
            }
        }
        self.held = Vec::new();
        true
    }

    fn feed(&mut self) {
        while let Some(feed) = &mut self.feed {
            if feed.pending.is_empty() && !feed.refill() {
                self.feed = None;
                return;
            }
            match rustix::io::write(&self.master, &feed.pending) {
                Ok(wrote) => {
                    feed.last = feed.pending[wrote.saturating_sub(1)];
                    feed.pending.drain(..wrote);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.feed = None,
            }
        }
    }
}

impl Feed {
    /// Gets more to feed; false when even the end was told.
    fn refill(&mut self) -> bool {
        let Some(input) = &mut self.input else {
            if self.end_of_file == 0 {
                return false;
            }
            // In the middle of a line the first one only sends off the line.
            let times = if self.last == b'\n' { 1 } else { 2 };
            self.pending = vec![self.end_of_file; times];
            self.end_of_file = 0;
            return true;
        };
        let mut buffer = [0; FEED_BYTES];
        match input.read(&mut buffer) {
            Ok(got) if got > 0 => self.pending.extend_from_slice(&buffer[..got]),
            // What cannot be read any more counts as the end.
            Ok(_) | Err(_) => self.input = None,
        }
        self.input.is_some() || self.refill()
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

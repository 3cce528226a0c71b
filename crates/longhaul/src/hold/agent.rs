//! The agent's process and its pipes. Each pipe has a thread: neither direction ever waits for the
//! other, and a line is read only when the last one has been dealt with.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Bytes of a line that is understood. A longer one is passed on in pieces of this size.
const LINE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Messages that wait for an agent which does not read; with more it never will.
const UNREAD_MAX: usize = 1_024;

/// What the agent's process does.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A part of a line that is too long.
    Piece(Vec<u8>),
    /// There will be no more lines.
    Closed,
    /// It has ended; its process is not collected yet.
    Left,
}

/// A running agent. Its group is its own: who asks us to stop must not stop it before we could.
#[derive(Debug)]
pub(super) struct Agent {
    child: Child,
    group: Pid,
    inbox: Option<SyncSender<String>>,
    is_collected: bool,
}

impl Agent {
    /// Starts it. What it does comes out of the receiver.
    pub(super) fn start(argv: &[String], cwd: &str) -> io::Result<(Self, Receiver<Heard>)> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "there is no program to run");
        let (program, arguments) = argv.split_first().ok_or_else(none)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(cwd).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let group = Pid::from_child(&child);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).expect("both were asked for");
        let (heard, hears) = channel(1);
        let (inbox, messages) = sync_channel::<String>(UNREAD_MAX);
        std::thread::spawn(move || write_all(stdin, messages.into_iter()));
        let reader = heard.clone();
        std::thread::spawn(move || read_all(stdout, &reader));
        std::thread::spawn(move || {
            // It stays uncollected, so that its number is nobody else's while signals may be sent.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _waited = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(group), ended));
            let _told = heard.blocking_send(Heard::Left);
        });
        Ok((Self { child, group, inbox: Some(inbox), is_collected: false }, hears))
    }

    /// Sends a message; false if the agent has stopped reading for good.
    pub(super) fn send(&self, message: String) -> bool {
        let Some(inbox) = &self.inbox else { return false };
        !matches!(inbox.try_send(message), Err(TrySendError::Full(_)))
    }

    /// Closes its stdin once it has read what was sent.
    pub(super) fn close(&mut self) {
        self.inbox = None;
    }

    /// Sends its group a signal. One that has ended is past caring.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.is_collected {
            let _sent = kill_process_group(self.group, signal);
        }
    }

    /// How it ended, as a shell tells it. Call it once it has.
    pub(super) fn collect(&mut self) -> i32 {
        self.is_collected = true;
        match self.child.wait() {
            Ok(status) => status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1),
            Err(_) => 1,
        }
    }
}

fn write_all(mut stdin: ChildStdin, messages: impl Iterator<Item = String>) {
    for mut message in messages {
        message.push('\n');
        // An agent that has closed its stdin will say how the turn ended, or its end will.
        if stdin.write_all(message.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_all(stdout: ChildStdout, heard: &Sender<Heard>) {
    let mut reader = BufReader::new(stdout);
    let mut is_within = false;
    loop {
        let mut line = vec![];
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            break;
        }
        let is_whole = line.last() == Some(&b'\n');
        let is_long = is_within || (!is_whole && line.len() as u64 == LINE_BYTES_MAX);
        is_within = is_long && !is_whole;
        let told = if is_long {
            heard.blocking_send(Heard::Piece(line))
        } else {
            if is_whole {
                line.pop();
            }
            heard.blocking_send(Heard::Line(line))
        };
        if told.is_err() {
            return;
        }
    }
    if is_within {
        // So that what is written after it is a line of its own.
        let _told = heard.blocking_send(Heard::Piece(b"\n".to_vec()));
    }
    let _told = heard.blocking_send(Heard::Closed);
}

//! One turn with one agent: the protocol says what to send and what to decide, this does it.

use super::agent::{Agent, Heard};
use super::log::{Log, complain};
use super::{BROKEN, Held, NOT_FOUND, NOT_RUNNABLE, decide};
use crate::clock::Elapsed;
use longhaul_agents::{Client, ClientEvent, PermissionChoice, Turn};
use longhaul_core::time::{Millis, Timestamp};
use rustix::process::Signal;
use std::io::{self, ErrorKind, Stdout};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// How long an agent may take to leave once its turn is over and its stdin is closed. Some never do.
const LEAVE_MAX: Millis = Millis::from_secs(3);
/// How long an agent that is asked to stop may take to say that it has.
const CANCEL_MAX: Millis = Millis::from_secs(5);
/// From SIGTERM to SIGKILL.
const TERM_MAX: Millis = Millis::from_secs(2);
/// How long the pipe of an agent that is gone is read on: something that it started may hold it.
const DRAIN_MAX: Millis = Millis::new(500);

/// What is done when the time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Terminate,
    Kill,
    Leave,
}

struct Talk {
    agent: Agent,
    cwd: String,
    client: Client,
    log: Log<Stdout>,
    elapsed: Elapsed,
    /// When what is waited for is no longer.
    due: Option<(Timestamp, Next)>,
    decisions: JoinSet<(usize, PermissionChoice)>,
    /// Whether the protocol came to its end, rather than only the process to its own.
    is_over: bool,
    /// How the agent's process ended.
    left: Option<i32>,
    is_closed: bool,
}

/// Holds it to its end and says with which code.
pub(super) fn hold(held: Held) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let held_to_the_end = runtime.and_then(|runtime| runtime.block_on(talk(held)));
    held_to_the_end.unwrap_or_else(|error| {
        complain(&format!("the agent could not be held: {error}"));
        BROKEN
    })
}

async fn talk(held: Held) -> io::Result<u8> {
    // Before there is an agent: from now on a SIGTERM is a message for it.
    let mut asked_to_stop = signal(SignalKind::terminate())?;
    let (agent, mut heard) = match Agent::start(&held.argv, &held.cwd) {
        Ok(started) => started,
        Err(error) => {
            let program = held.argv.first().map_or("", String::as_str);
            complain(&format!("could not run `{program}`: {error}"));
            let is_missing = error.kind() == ErrorKind::NotFound;
            return Ok(if is_missing { NOT_FOUND } else { NOT_RUNNABLE });
        }
    };
    let Held { argv: _, cwd, prompt, conversation, tool_servers } = held;
    let turn = Turn { cwd: cwd.clone(), prompt, conversation, tool_servers, ..Turn::default() };
    let mut talk = Talk {
        agent,
        cwd,
        client: Client::new(&turn),
        log: Log::new(io::stdout()),
        elapsed: Elapsed::start(),
        due: None,
        decisions: JoinSet::new(),
        is_over: false,
        left: None,
        is_closed: false,
    };
    loop {
        talk.act()?;
        if talk.left.is_some() && talk.is_closed {
            return Ok(talk.code());
        }
        let is_due = talk.due.map(|(at, _)| talk.elapsed.instant_of(at));
        tokio::select! {
            heard = heard.recv() => talk.hear(heard.unwrap_or(Heard::Closed))?,
            decided = talk.decisions.join_next(), if !talk.decisions.is_empty() => {
                // A decision that came to nothing is none, and the agent gets its answer all the same.
                if let Some(Ok((number, choice))) = decided {
                    talk.client.answer(number, choice);
                }
            }
            _ = asked_to_stop.recv() => talk.stop(),
            () = until(is_due) => {
                if let Some(code) = talk.time_is_up() {
                    return Ok(code);
                }
            }
        }
    }
}

async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Talk {
    /// Does what the protocol says, each thing written down first.
    fn act(&mut self) -> io::Result<()> {
        while let Some(event) = self.client.poll() {
            match event {
                ClientEvent::Send(message) => {
                    self.log.said(&message)?;
                    if !self.agent.send(message) {
                        complain("the agent asks and does not read its answers");
                        self.due.get_or_insert_with(|| (self.elapsed.now(), Next::Terminate));
                    }
                }
                ClientEvent::Ask(ask) => {
                    let number = ask.number;
                    let deciding = decide::decide(ask, self.cwd.clone());
                    self.decisions.spawn(async move { (number, deciding.await) });
                }
                ClientEvent::Over => {
                    self.is_over = true;
                    self.agent.close();
                    self.decisions.abort_all();
                    self.due_in(LEAVE_MAX, Next::Terminate);
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, heard: Heard) -> io::Result<()> {
        match heard {
            Heard::Line(line) => {
                self.log.heard(&line)?;
                // What is no text is no message.
                self.client.on_line(&String::from_utf8_lossy(&line));
            }
            Heard::Piece(piece) => self.log.piece(&piece)?,
            Heard::Closed => self.is_closed = true,
            Heard::Left => {
                let code = self.agent.collect();
                self.log.exit(code)?;
                self.left = Some(code);
                self.due_in(DRAIN_MAX, Next::Leave);
            }
        }
        Ok(())
    }

    /// Somebody wants the turn to end: the agent is asked to, and may say how far it came.
    fn stop(&mut self) {
        self.client.cancel();
        if self.due.is_none() {
            self.due_in(CANCEL_MAX, Next::Terminate);
        }
    }

    fn due_in(&mut self, wait: Millis, next: Next) {
        self.due = Some((self.elapsed.now().plus(wait), next));
    }

    /// Gives the code to leave with, if there is nothing more to wait for.
    fn time_is_up(&mut self) -> Option<u8> {
        match self.due.take()?.1 {
            Next::Terminate => {
                self.agent.signal(Signal::TERM);
                self.due_in(TERM_MAX, Next::Kill);
            }
            Next::Kill => self.agent.signal(Signal::KILL),
            Next::Leave => return Some(self.code()),
        }
        None
    }

    /// A turn that is over is over, however its process left; otherwise the process has the last word.
    fn code(&self) -> u8 {
        let of_process = self.left.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        if self.is_over { 0 } else { of_process }
    }
}

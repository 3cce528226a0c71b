//! How a turn ended: what the CLI said, what its exit shows, and what we did, in one table.
//!
//! An exit code alone proves nothing: CLIs exit with 0 after refused requests, after signals and
//! after tools that nobody approved, and with 1 after answers that are complete.

use crate::failure::{Class, Failure};
use crate::memory::{Memory, Terminal};
use crate::turn::Conversation;
use crate::usage::{Carry, Usage};
use serde::{Deserialize, Serialize};

/// The end of the process, and our part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How the process ended.
    pub exit: Exit,
    /// Whether somebody asked for the turn to be cancelled.
    pub cancelled: bool,
    /// Whether we stopped a process that stayed on after it had said how the turn ended.
    pub lingered: bool,
}

impl End {
    /// A process that ended by itself.
    #[must_use]
    pub fn code(code: i32) -> Self {
        Self { exit: Exit::Code(code), cancelled: false, lingered: false }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It never began.
    NeverStarted,
    /// Nobody saw it: the host went down, or what watched it did.
    Unseen,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How.
    pub ending: Ending,
    /// The conversation, if it has an id: for the next turn, and for people.
    pub conversation: Option<String>,
    /// Whether another conversation answered than was to be resumed.
    pub is_mismatch: bool,
    /// What the agent said last, shortened.
    pub said: String,
    /// What the turn used.
    pub used: Usage,
    /// Whether `used` is all of it. If not it is the least: the CLI ended before it told, or counts
    /// from a beginning that we do not know.
    pub is_used_whole: bool,
    /// For the next turn of this conversation.
    pub carry: Option<Carry>,
    /// Tool calls that were refused. The turn may have succeeded all the same.
    pub denied: u64,
}

/// How a turn ended, in kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The CLI said that it is done. What the agent did is for others to judge.
    Succeeded {
        /// An exit that does not fit, though nobody asked for it. The work is done; doing it again
        /// would do it twice.
        despite: Option<Exit>,
    },
    /// The turn ended to wait for an answer about a tool call. Resuming asks again.
    Deferred {
        /// The call.
        call_id: String,
        /// The tool.
        tool: String,
    },
    /// We were asked to cancel it, and it did not finish before.
    Cancelled,
    /// It failed.
    Failed(Failure),
}

/// What sets one CLI's table apart from another's.
pub(crate) trait Table {
    /// What an exit code means that says more than `not zero`.
    fn code(&self, _memory: &Memory, _code: i32) -> Option<Class> {
        None
    }

    /// An end that is nowhere said, made out of what was: for CLIs without an event that ends a turn.
    fn unsaid(&self, _memory: &Memory, _exit: Exit) -> Option<Ending> {
        None
    }
}

/// The table that all share.
pub(crate) fn judge(table: &dyn Table, memory: &Memory, end: End) -> Verdict {
    let ending = ending(table, memory, end);
    let is_done = matches!(ending, Ending::Succeeded { .. } | Ending::Deferred { .. });
    let used = memory.used();
    let is_used_whole = is_done && !memory.is_partial && used == memory.used;
    Verdict {
        ending,
        conversation: memory.conversation.clone(),
        is_mismatch: memory.is_mismatch(),
        said: memory.said.clone(),
        used,
        is_used_whole,
        carry: memory.total.map(|total| Carry { total }).or(memory.base),
        denied: memory.counts.denied,
    }
}

fn ending(table: &dyn Table, memory: &Memory, end: End) -> Ending {
    match memory.end {
        Some(Terminal::Ok) => {
            let fits = end.exit == Exit::Code(0) || end.cancelled || end.lingered;
            return Ending::Succeeded { despite: (!fits).then_some(end.exit) };
        }
        Some(Terminal::Deferred) if !end.cancelled => {
            let (call_id, tool) = memory
                .deferred
                .as_ref()
                .map(|call| (call.id.clone(), call.tool.clone()))
                .unwrap_or_default();
            return Ending::Deferred { call_id, tool };
        }
        Some(Terminal::Deferred | Terminal::Failed) | None if end.cancelled => {
            return Ending::Cancelled;
        }
        Some(Terminal::Failed) => return Ending::Failed(said(table, memory, end.exit)),
        Some(Terminal::Deferred) | None => {}
    }
    if let Some(ending) = table.unsaid(memory, end.exit) {
        return ending;
    }
    Ending::Failed(unsaid(table, memory, end.exit))
}

/// A failure that the CLI ended the turn with. Its own words count for most, unless they say
/// nothing; then the code, then what stderr hinted at.
fn said(table: &dyn Table, memory: &Memory, exit: Exit) -> Failure {
    let said = memory.failure.clone().unwrap_or_else(|| Failure::of(Class::Other, ""));
    if said.weight() > 0 {
        return said;
    }
    let by_code = match exit {
        Exit::Code(code) => table.code(memory, code),
        Exit::Signal(_) | Exit::NeverStarted | Exit::Unseen => None,
    };
    match (by_code, &memory.heard) {
        (Some(class), _) => Failure { class, ..said },
        (None, Some(heard)) if heard.weight() > 0 => {
            Failure { class: heard.class, status: heard.status, reset: heard.reset.clone(), ..said }
        }
        (None, _) => said,
    }
}

/// Why a process ended that said nothing of how the turn did.
fn unsaid(table: &dyn Table, memory: &Memory, exit: Exit) -> Failure {
    let began = memory.conversation.is_some() || memory.counts.tool_calls > 0;
    let by_code = match exit {
        Exit::NeverStarted => return Failure::of(Class::NotRunnable, "it could not be started"),
        Exit::Code(126 | 127) if !began => Some(Class::NotRunnable),
        Exit::Code(code) => table.code(memory, code),
        Exit::Signal(_) | Exit::Unseen => None,
    };
    let known = [&memory.failure, &memory.heard].into_iter().flatten();
    let known = known.filter(|failure| failure.weight() > 0).max_by_key(|failure| failure.weight());
    if let Some(failure) = known
        && by_code != Some(Class::NotRunnable)
    {
        // Words that are plain are plainer than a code; a code is plainer than a guess.
        let class = by_code.filter(|_| failure.weight() < PLAIN).unwrap_or(failure.class);
        return Failure { class, ..failure.clone() };
    }
    let class = by_code.unwrap_or_else(|| class_of_exit(memory, exit, began));
    Failure::of(class, &exit_in_words(exit))
}

/// The weight of words that leave no doubt.
const PLAIN: u8 = 3;

fn class_of_exit(memory: &Memory, exit: Exit, began: bool) -> Class {
    // A CLI that was to resume and ended before it named any conversation has not found it. Those
    // that say so in words are known by them; this is for wordings that nobody has seen yet.
    let is_resumed = matches!(memory.asked, Conversation::Resume(_) | Conversation::Fork(_));
    match exit {
        Exit::Signal(_) => Class::Killed,
        // A shell's way to say signals 1, 2 and 15, which these CLIs follow.
        Exit::Code(129 | 130 | 143) => Class::Interrupted,
        Exit::Code(1..) if is_resumed && !began => Class::ResumeRefused,
        Exit::Code(_) | Exit::NeverStarted | Exit::Unseen => Class::NoResult,
    }
}

fn exit_in_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => {
            format!("it exited with code {code} and did not say how the turn ended")
        }
        Exit::Signal(signal) => format!("signal {signal} ended it before the turn was over"),
        Exit::NeverStarted => "it could not be started".to_owned(),
        Exit::Unseen => "nobody saw how it ended, and it did not say".to_owned(),
    }
}

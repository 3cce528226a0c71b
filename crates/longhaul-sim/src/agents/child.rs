//! A CLI that is not there: a script of what it writes, asks and uses, and how it ends. What it wrote
//! outlives the daemon, as a spool does; the adapter's verdict follows from that and from its exit.

use longhaul_core::command::{Exit, How, StoppedBy};
use longhaul_core::id::JobId;
use longhaul_core::time::Timestamp;
use longhaul_core::turn::{Offsets, Seen, TurnEnd, TurnHow};

/// Which attempt of which job.
pub(super) type Key = (JobId, u32);

/// What a child does next.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Writes an event, having used so many billionths of a dollar more.
    Say(u64),
    /// Writes something to standard error that means nothing.
    Grumble,
    /// Names its conversation.
    Name(String),
    /// Sends mail of this kind.
    Mail {
        /// To whom.
        to: &'static str,
        /// What kind.
        kind: &'static str,
    },
    /// Asks whether a tool call may run.
    Ask {
        /// The call.
        call: String,
        /// Whether it ends to wait for the answer, rather than ask again.
        defers: bool,
    },
    /// Reports about itself.
    Emit,
    /// Takes its mail in the middle of its turn.
    Check,
    /// Says how the turn ended.
    Answer(TurnHow),
    /// Exits.
    Exit(i32),
    /// Does nothing more.
    Hang,
}

/// What it wrote by then.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Where it ends.
    pub(super) to: Offsets,
    /// The entry that it is worth, if it is worth one.
    pub(super) event: Option<String>,
    /// What all up to here came to.
    pub(super) seen: Seen,
    /// What it says about the end.
    pub(super) how: Option<TurnHow>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(super) struct Over {
    pub(super) how: How,
    pub(super) stopped: Option<StoppedBy>,
}

/// One child.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) key: Key,
    pub(super) host: usize,
    pub(super) agent: String,
    /// The conversation that it was to resume.
    pub(super) resumed: Option<String>,
    /// What it does, each after a pause.
    pub(super) acts: Vec<(u64, Act)>,
    /// How many of them it has done.
    pub(super) done: usize,
    pub(super) lines: Vec<Line>,
    pub(super) over: Option<Over>,
    /// How long after it is asked to stop it does.
    pub(super) obeys: Option<u64>,
    pub(super) is_asked_to_stop: bool,
}

impl Child {
    /// Where its output ends after so many lines.
    pub(super) fn offsets(&self, lines: usize) -> Offsets {
        let last = lines.checked_sub(1).and_then(|last| self.lines.get(last));
        last.map_or_else(Offsets::default, |line| line.to)
    }

    /// How many lines end there; `None` if none does.
    pub(super) fn lines_to(&self, taken: Offsets) -> Option<usize> {
        let is_there = |lines: &usize| {
            let to = self.offsets(*lines);
            (to.out, to.err) == (taken.out, taken.err)
        };
        (0..=self.lines.len()).find(is_there)
    }

    /// What so many lines came to.
    pub(super) fn seen(&self, lines: usize) -> Seen {
        let last = lines.checked_sub(1).and_then(|last| self.lines.get(last));
        last.map(|line| line.seen.clone()).unwrap_or_default()
    }

    /// The entries that lines `from..to` are worth.
    pub(super) fn events(&self, from: usize, to: usize) -> Vec<String> {
        self.lines[from..to].iter().filter_map(|line| line.event.clone()).collect()
    }

    /// All entries that it is worth so far.
    pub(super) fn all_events(&self) -> Vec<String> {
        self.events(0, self.lines.len())
    }

    /// Writes a line.
    pub(super) fn write(&mut self, act: &Act) {
        let number = self.lines.len();
        let (mut to, mut seen) = (self.offsets(number), self.seen(number));
        let (job, attempt) = &self.key;
        let text = |what: &str| {
            let text = format!("{job}#{attempt}/{number} {what}");
            Some(format!("{{\"kind\":\"said\",\"text\":\"{text}\"}}"))
        };
        to.out += 11 + number as u64;
        let (mut event, mut how) = (None, None);
        match act {
            Act::Say(nano_usd) => {
                let known = seen.used.nano_usd.unwrap_or(0);
                seen.used.nano_usd = Some(known + nano_usd);
                seen.used.output += 1;
                event = text("says");
            }
            Act::Grumble => (to.out, to.err) = (to.out - 11 - number as u64, to.err + 7),
            Act::Name(conversation) => {
                let is_other = self.resumed.as_ref().is_some_and(|known| known != conversation);
                (seen.conversation, seen.is_mismatch) = (Some(conversation.clone()), is_other);
                event = text("begins");
            }
            Act::Answer(answer) => {
                seen.is_answered = true;
                how = Some(answer.clone());
                event = text("answers");
            }
            Act::Mail { .. }
            | Act::Ask { .. }
            | Act::Emit
            | Act::Check
            | Act::Exit(_)
            | Act::Hang => {
                return;
            }
        }
        self.lines.push(Line { to, event, seen, how });
    }

    /// How it ended, with the adapter's verdict, which goes by all that it wrote.
    pub(super) fn exit(&self, now: Timestamp) -> Option<Exit> {
        let over = self.over.clone()?;
        let is_lost = matches!(over.how, How::Lost(_));
        let mut exit = Exit::bare(over.how.clone(), over.stopped, now);
        let never = matches!(over.how, How::SpawnFailed(_) | How::NeverStarted(_));
        let is_mute = never || is_lost && self.lines.is_empty();
        if !is_mute {
            exit.turn = Some(Box::new(self.verdict(&over)));
        }
        Some(exit)
    }

    /// How its output says that it ended.
    pub(super) fn answer(&self) -> Option<TurnHow> {
        self.lines.iter().find_map(|line| line.how.clone())
    }

    fn verdict(&self, over: &Over) -> TurnEnd {
        let silent = || {
            if over.stopped.is_some() {
                return TurnHow::Cancelled;
            }
            let (class, message) = ("no_result".to_owned(), "it said nothing".to_owned());
            let remedy = longhaul_core::turn::Remedy::Retry;
            TurnHow::Failed { class, message, remedy }
        };
        let mut how = self.answer().unwrap_or_else(silent);
        if let TurnHow::Done { despite } = &mut how {
            let is_odd = !matches!(over.how, How::Exited(0));
            *despite = is_odd.then(|| format!("{:?}", over.how));
        }
        let seen = self.seen(self.lines.len());
        TurnEnd {
            how,
            conversation: seen.conversation,
            is_mismatch: seen.is_mismatch,
            said: "as it was written".to_owned(),
            used: seen.used,
            is_used_whole: true,
            carry: None,
            denied: 0,
            resume_command: None,
            last: Vec::new(),
        }
    }
}

impl Child {
    /// It is gone, and nothing says how.
    pub(super) fn lose(&mut self) {
        if self.over.is_none() {
            self.over = Some(Over { how: How::Lost("its shim is gone".to_owned()), stopped: None });
        }
    }

    /// Whether it will do nothing more by itself.
    pub(super) fn is_hanging(&self) -> bool {
        matches!(self.acts.get(self.done), None | Some((_, Act::Hang)))
    }

    /// Whether it could not be started at all.
    pub(super) fn never_began(&self) -> bool {
        let over = self.over.as_ref();
        over.is_some_and(|over| matches!(over.how, How::SpawnFailed(_) | How::NeverStarted(_)))
    }
}

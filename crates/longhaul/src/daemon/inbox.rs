//! What waits for the engine: asks with somebody waiting for the answer, and reports. Reports go
//! first, because they make room; both are bounded. Not a channel: the engine takes a whole batch
//! under one lock, and waits with a deadline.

use longhaul_core::command::{Command, Reply};
use longhaul_core::limits;
use longhaul_core::time::Timestamp;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

use super::handle::AskError;

/// Asks that may wait; one more is told to come again.
const ASKS_MAX: usize = 4_096;
/// Report batches that may wait; one more is left out, and reconciling brings it back.
const REPORTS_MAX: usize = 65_536;

/// Commands that the engine's thread adds to a batch: "the machine slept", "the host is up".
const OWN_COMMANDS: usize = 2;

/// Where the answer to an ask goes, with the moment that it was decided at.
pub(super) type Answer = oneshot::Sender<Result<(Reply, Timestamp), AskError>>;

/// Some commands that belong into one commit, and who waits for the answer to the last.
pub(super) struct Entry {
    pub(super) commands: Vec<Command>,
    pub(super) answer: Option<Answer>,
}

/// What the engine is to do next.
pub(super) struct Batch {
    /// In the order in which they are decided. Empty when only time has passed.
    pub(super) entries: Vec<Entry>,
    /// Reports were left out since the last batch: ask every row what it wants.
    pub(super) reports_lost: bool,
    /// No more will come.
    pub(super) closed: bool,
}

#[derive(Default)]
struct Waiting {
    reports: VecDeque<Entry>,
    asks: VecDeque<Entry>,
    reports_lost: bool,
    closed: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.asks.is_empty() && !self.reports_lost && !self.closed
    }
}

/// The bounded queue in front of the engine's thread.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// Why an ask was not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Too many wait already.
    Full,
    /// The engine stops.
    Closed,
}

impl Inbox {
    /// Puts what is asked in one commit at the end of the queue. The answer is that to the last.
    pub(super) fn ask(&self, commands: Vec<Command>, answer: Answer) -> Result<(), NotTaken> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(NotTaken::Closed);
        }
        if waiting.asks.len() >= ASKS_MAX {
            return Err(NotTaken::Full);
        }
        waiting.asks.push_back(Entry { commands, answer: Some(answer) });
        // Whoever is woken while this is locked goes to sleep again at once.
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Puts reports that belong into one commit at the end of their queue. Who waits to hear of that
    /// commit is left without an answer if they are left out.
    pub(super) fn report(&self, commands: Vec<Command>, answer: Option<Answer>) {
        assert!(commands.len() <= limits::STEP_COMMANDS_MAX, "reports come in ones and twos");
        let mut waiting = self.lock();
        if waiting.reports.len() >= REPORTS_MAX {
            waiting.reports_lost = true;
        } else if !waiting.closed {
            waiting.reports.push_back(Entry { commands, answer });
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Says that no more will come. What waits is still given out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Gives what there is, at once if there is something, else as soon as something comes, else
    /// nothing after `patience` (for ever if `None`).
    pub(super) fn wait_batch(&self, patience: Option<Duration>) -> Batch {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            waiting = match patience {
                Some(patience) => {
                    let idle = |waiting: &mut Waiting| waiting.is_empty();
                    let waited = self.arrived.wait_timeout_while(waiting, patience, idle);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let idle = |waiting: &mut Waiting| waiting.is_empty();
                    let waited = self.arrived.wait_while(waiting, idle);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        let mut entries = Vec::new();
        let mut room = Room {
            commands: limits::STEP_COMMANDS_MAX - OWN_COMMANDS,
            jobs: limits::BATCH_JOBS_MAX,
        };
        let Waiting { reports, asks, .. } = &mut *waiting;
        room.fill(reports, &mut entries);
        room.fill(asks, &mut entries);
        let reports_lost = std::mem::take(&mut waiting.reports_lost);
        let closed = waiting.closed && waiting.reports.is_empty() && waiting.asks.is_empty();
        Batch { entries, reports_lost, closed }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change is one push or one flag, so a panic elsewhere leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one step may still take.
struct Room {
    commands: usize,
    jobs: usize,
}

impl Room {
    fn fill(&mut self, queue: &mut VecDeque<Entry>, taken: &mut Vec<Entry>) {
        while let Some(next) = queue.front() {
            let commands = next.commands.len();
            let jobs = next.commands.iter().map(jobs_of).sum::<usize>();
            let fits = commands <= self.commands && jobs <= self.jobs;
            // The first of a batch always goes: a batch of jobs may be as large as a step.
            if !fits && !taken.is_empty() {
                return;
            }
            self.commands = self.commands.saturating_sub(commands);
            self.jobs = self.jobs.saturating_sub(jobs);
            taken.extend(queue.pop_front());
        }
    }
}

/// How much a command writes, counted in jobs: an entry of a journal counts as one.
fn jobs_of(command: &Command) -> usize {
    match command {
        Command::Submit(jobs) => jobs.len(),
        Command::Tell { entries, .. } => entries.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::time::Millis;

    fn named(slept: u64) -> Command {
        Command::Woke { slept: Millis::new(slept) }
    }

    fn numbers(batch: &Batch) -> Vec<Command> {
        batch.entries.iter().flat_map(|entry| entry.commands.clone()).collect()
    }

    fn ask(inbox: &Inbox, number: u64) -> Result<(), NotTaken> {
        inbox.ask(vec![named(number)], oneshot::channel().0)
    }

    #[test]
    fn reports_go_before_asks_and_each_in_order() {
        let inbox = Inbox::default();
        ask(&inbox, 1).unwrap();
        inbox.report(vec![named(2), named(3)], None);
        inbox.report(vec![named(4)], None);
        let batch = inbox.wait_batch(None);
        assert_eq!(numbers(&batch), [named(2), named(3), named(4), named(1)]);
    }

    #[test]
    fn no_batch_is_larger_than_a_step() {
        let inbox = Inbox::default();
        for number in 0..1_500 {
            inbox.report(vec![named(number), named(number)], None);
        }
        let mut total = 0;
        while total < 3_000 {
            let batch = inbox.wait_batch(None);
            let commands = numbers(&batch).len();
            assert!(commands < limits::STEP_COMMANDS_MAX, "{commands} in one batch");
            total += commands;
        }
        assert!(inbox.wait_batch(Some(Duration::ZERO)).entries.is_empty());
    }

    #[test]
    fn a_full_inbox_refuses_asks_and_remembers_lost_reports() {
        let inbox = Inbox::default();
        for number in 0..ASKS_MAX as u64 {
            ask(&inbox, number).unwrap();
        }
        assert_eq!(ask(&inbox, 0), Err(NotTaken::Full));
        for _ in 0..=REPORTS_MAX {
            inbox.report(vec![named(0)], None);
        }
        assert!(inbox.wait_batch(None).reports_lost);
        assert!(!inbox.wait_batch(None).reports_lost);
    }

    #[test]
    fn a_closed_inbox_gives_out_what_it_has_and_takes_no_more() {
        let inbox = Inbox::default();
        ask(&inbox, 1).unwrap();
        inbox.close();
        assert_eq!(ask(&inbox, 2), Err(NotTaken::Closed));
        let batch = inbox.wait_batch(None);
        assert_eq!(numbers(&batch), [named(1)]);
        assert!(batch.closed);
    }
}

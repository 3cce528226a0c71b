//! The engine's thread: the only holder of the store. Takes a batch, steps, and only after the
//! commit answers, publishes and hands out wants. Its own timers are the next row that is due and
//! the reconciling of active rows; with nothing to do it sleeps without waking.

use super::board::Board;
use super::feeds::Feeds;
use super::handle::{AskError, stopping};
use super::inbox::{Batch, Entry, Inbox};
use super::journal::Journal;
use super::readers::unreadable;
use super::stop::StopSwitch;
use super::stored::Stored;
use super::tasks::Placed;
use crate::clock::Clock;
use longhaul_core::command::{Command, Deliver, Refused, Reply, Want};
use longhaul_core::credential::Issue;
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::port::{Store, StoreError};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_shim::failpoint;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a failed step's reports are left alone before they are derived again.
const RECOVER_AFTER: Millis = Millis::from_secs(1);
/// How often retention is looked at, while jobs change.
const RETAIN_EVERY: Millis = Millis::from_secs(60);
/// How long after a commit the store erases the traces of secrets, unless more work comes first; and
/// at most this often.
const ERASE_AFTER: Millis = Millis::from_secs(1);
/// The longest the thread waits for a row that is due: the wait does not count suspended time, the
/// rows' deadlines do.
const WAIT_MAX: Millis = Millis::from_secs(60);
/// How often a step is run again because somebody else wrote in between. There is one writer, so
/// even once says that something is odd.
const CONFLICTS_MAX: u32 = 10;

/// What the thread works with.
pub(super) struct EngineParts {
    pub(super) engine: Engine,
    pub(super) store: Box<dyn Store>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) journal: Journal,
    pub(super) feeds: Feeds,
    pub(super) board: Arc<Board<Want>>,
    /// What the driver of tasks takes up.
    pub(super) tasks: Arc<Board<Want>>,
    /// The rows of tasks that were just placed, for that driver.
    pub(super) placed: Placed,
    /// What the courier takes up.
    pub(super) letters: Arc<Board<Deliver>>,
    /// What the driver of credentials takes up.
    pub(super) issues: Arc<Board<Issue>>,
    pub(super) stored: Stored,
    pub(super) clock: Clock,
    pub(super) stop: StopSwitch,
}

/// The running thread.
pub(super) struct EngineThread {
    inbox: Arc<Inbox>,
    thread: JoinHandle<()>,
    fatal: Arc<Mutex<Option<StoreError>>>,
    first_turn: Option<oneshot::Receiver<()>>,
}

impl EngineThread {
    /// Says that the host is up, asks all active rows what they want, and then runs until
    /// [`Self::finish`].
    pub(super) fn start(parts: EngineParts, host_name: String) -> io::Result<Self> {
        let inbox = Arc::clone(&parts.inbox);
        let fatal = Arc::new(Mutex::new(None));
        let (turned, first_turn) = oneshot::channel();
        let mut work = Work {
            parts,
            fatal: Arc::clone(&fatal),
            host_up: Some(Command::HostUp { name: host_name }),
            turned: Some(turned),
            next_due: None,
            reconcile_at: Some(Timestamp::from_millis(0)),
            retain_at: None,
            retained_at: Timestamp::from_millis(0),
            erase_at: None,
        };
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            let _guard = AbortOnPanic;
            work.run();
            if let Err(error) = work.parts.store.close() {
                tracing::warn!(%error, "the store was not put away; the next start does it");
            }
        })?;
        Ok(Self { inbox, thread, fatal, first_turn: Some(first_turn) })
    }

    /// Comes back once the first turn is over, in which the host says that it is up.
    pub(super) async fn first_turn(&mut self) {
        if let Some(turn) = self.first_turn.take() {
            // An engine that ended before is noticed by whoever asks it for something.
            let _ = turn.await;
        }
    }

    /// Decides what still waits, closes the store, and gives what made the engine stop by itself.
    /// Blocks.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        self.inbox.close();
        // A panic there has ended this process already.
        let _ = self.thread.join();
        let fatal = self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take();
        fatal.map_or(Ok(()), Err)
    }
}

/// An engine that panicked may have decided half: the process goes, the jobs do not notice.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

struct Work {
    parts: EngineParts,
    fatal: Arc<Mutex<Option<StoreError>>>,
    /// Not yet committed: nothing is placed before the host is up.
    host_up: Option<Command>,
    /// Told of the first turn.
    turned: Option<oneshot::Sender<()>>,
    next_due: Option<Timestamp>,
    /// When active rows are asked what they want; `None` while there are none.
    reconcile_at: Option<Timestamp>,
    /// When retention is looked at; `None` while nothing changed since.
    retain_at: Option<Timestamp>,
    retained_at: Timestamp,
    /// When the store erases what it no longer needs; `None` while nothing was committed since.
    erase_at: Option<Timestamp>,
}

impl Work {
    fn run(&mut self) {
        loop {
            let batch = self.parts.inbox.wait_batch(self.patience());
            let closed = batch.closed;
            if batch.reports_lost {
                self.reconcile_at = Some(self.parts.clock.now());
            }
            if let Err(error) = self.turn(batch) {
                self.give_up(error);
                return;
            }
            if let Some(turned) = self.turned.take() {
                // Nobody has to wait for it.
                let _ = turned.send(());
            }
            if closed {
                return;
            }
        }
    }

    /// How long to wait for commands; `None` is for ever.
    fn patience(&self) -> Option<Duration> {
        let timers = [self.next_due, self.reconcile_at, self.retain_at, self.erase_at];
        let at = timers.into_iter().flatten().min()?;
        let wait = at.since(self.parts.clock.now()).min(WAIT_MAX);
        Some(Duration::from_millis(wait.get()))
    }

    /// One batch and what time brought. An error is one that the daemon cannot go on with.
    fn turn(&mut self, batch: Batch) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let slept = self.parts.clock.slept_since_last();
        let is_quiet = batch.entries.is_empty();
        let is_due = self.next_due.is_some_and(|at| at <= now);
        if !batch.entries.is_empty() || is_due || slept > Millis::ZERO || self.host_up.is_some() {
            self.step(batch.entries, slept, now)?;
        }
        if self.reconcile_at.is_some_and(|at| at <= now) {
            self.reconcile(now)?;
        }
        if self.retain_at.is_some_and(|at| at <= now) {
            self.retain(now)?;
        }
        // Nobody who asks for something waits for it: with work at hand the next turn tries again.
        if is_quiet && self.erase_at.is_some_and(|at| at <= now) {
            self.erase(now)?;
        }
        if let Err(error) = self.parts.clock.save_if_old() {
            tracing::warn!(%error, "the clock's anchor could not be saved");
        }
        Ok(())
    }

    fn step(
        &mut self,
        entries: Vec<Entry>,
        slept: Millis,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut commands = Vec::with_capacity(entries.len() + 2);
        let woke = (slept > Millis::ZERO).then_some(Command::Woke { slept });
        commands.extend(woke.iter().cloned());
        commands.extend(self.host_up.iter().cloned());
        let mut answers = Vec::with_capacity(entries.len());
        for entry in entries {
            commands.extend(entry.commands);
            // The answer is that to the last command of its entry.
            if let Some(answer) = entry.answer {
                answers.push((commands.len() - 1, answer));
            }
        }
        match self.step_until_settled(&commands, now) {
            Ok(mut step) => {
                // The interesting moment is one at which somebody waits to be told.
                if !answers.is_empty() {
                    failpoint::at("engine.after_commit");
                }
                self.host_up = None;
                if woke.is_some() {
                    self.told_slept(slept);
                }
                let mut replies: Vec<Option<Result<Reply, Refused>>> =
                    std::mem::take(&mut step.replies).into_iter().map(Some).collect();
                for (index, answer) in answers {
                    failpoint::at("engine.before_reply");
                    let reply = replies[index].take().expect("each reply has one asker");
                    // Whoever asked may have gone; what was decided stays decided.
                    let _ = answer.send(reply.map(|reply| (reply, now)).map_err(AskError::Refused));
                }
                self.tell(step, now);
                Ok(())
            }
            Err(error) => {
                for (_, answer) in answers {
                    let _ = answer.send(Err(unreadable(&error)));
                }
                self.recover(error, now)
            }
        }
    }

    fn step_until_settled(
        &mut self,
        commands: &[Command],
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut conflicts = 0;
        loop {
            match self.parts.engine.step(&mut *self.parts.store, commands.to_vec(), now) {
                Err(StoreError::Conflict) if conflicts < CONFLICTS_MAX => conflicts += 1,
                result => return result,
            }
        }
    }

    fn told_slept(&self, slept: Millis) {
        self.parts.clock.told_slept(slept);
        if let Err(error) = self.parts.clock.save() {
            tracing::warn!(%error, "the clock's anchor could not be saved");
        }
    }

    /// Publishes a commit and hands out what it wants.
    fn tell(&mut self, step: Step, now: Timestamp) {
        self.next_due = step.next_due;
        if !(step.wants.is_empty()
            && step.tasks.is_empty()
            && step.deliver.is_empty()
            && step.issue.is_empty())
        {
            let again_at = now.plus(RECONCILE_EVERY);
            self.reconcile_at = Some(self.reconcile_at.map_or(again_at, |at| at.min(again_at)));
        }
        if !step.changed.is_empty() && self.retain_at.is_none() {
            self.retain_at = Some(now.max(self.retained_at.plus(RETAIN_EVERY)));
        }
        if !step.changed.is_empty() && self.erase_at.is_none() {
            self.erase_at = Some(now.plus(ERASE_AFTER));
        }
        self.parts.journal.publish(step.head, &step.changed, &step.inboxes);
        self.parts.feeds.publish(&step.fed);
        self.parts.board.pin(step.wants);
        // The rows before the wants that they are for.
        self.parts.placed.put(step.placed);
        self.parts.tasks.pin(step.tasks);
        self.parts.letters.pin(step.deliver);
        self.parts.issues.pin(step.issue);
    }

    fn reconcile(&mut self, now: Timestamp) -> Result<(), StoreError> {
        match self.parts.engine.reconcile(&mut *self.parts.store, now) {
            Ok(step) => {
                // What wants nothing is not asked again until a step wants something.
                self.reconcile_at = None;
                self.tell(step, now);
                Ok(())
            }
            Err(error) => self.recover(error, now),
        }
    }

    fn retain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.retain_at = None;
        self.retained_at = now;
        self.parts.stored.tick();
        match self.parts.engine.retain(&mut *self.parts.store, now) {
            Ok((step, more)) => {
                self.tell(step, now);
                // Its own changes are no reason to look again; having more to do is.
                self.retain_at = more.then_some(now);
                Ok(())
            }
            Err(error) => self.recover(error, now),
        }
    }

    fn erase(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.erase_at = None;
        match self.parts.store.erase() {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict) => {
                self.erase_at = Some(now.plus(ERASE_AFTER));
                Ok(())
            }
            Err(error) => {
                self.erase_at = Some(now.plus(RETAIN_EVERY));
                self.recover(error, now)
            }
        }
    }

    /// Goes on after a failed transaction, which left nothing behind. Asks were answered, reports
    /// are derived again from evidence. Gives back what cannot be gone on with.
    fn recover(&mut self, error: StoreError, now: Timestamp) -> Result<(), StoreError> {
        match error {
            StoreError::Corrupt(_) | StoreError::Newer(_) => Err(error),
            StoreError::Conflict | StoreError::Full(_) | StoreError::Failed(_) => {
                tracing::error!(%error, "a step was not committed");
                let again_at = now.plus(RECOVER_AFTER);
                self.reconcile_at = Some(again_at);
                self.next_due = self.next_due.map(|at| at.max(again_at));
                Ok(())
            }
        }
    }

    fn give_up(&self, error: StoreError) {
        tracing::error!(%error, "the daemon stops: `longhaul doctor --fix` looks into the store");
        *self.fatal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.parts.stop.stop();
        self.parts.inbox.close();
        // Whoever still waits is told, rather than left with a dropped answer.
        loop {
            let batch = self.parts.inbox.wait_batch(Some(Duration::ZERO));
            for answer in batch.entries.into_iter().filter_map(|entry| entry.answer) {
                let _ = answer.send(Err(stopping()));
            }
            if batch.closed {
                return;
            }
        }
    }
}

/// Reads these rows and nothing else, for tests of those who read.
#[cfg(test)]
pub(super) fn readers_of(
    rows: &[(longhaul_core::port::Table, longhaul_core::port::Row)],
) -> super::Readers {
    let mut store = longhaul_store::MemoryStore::new();
    let mut tx = store.begin().expect("memory");
    for (table, row) in rows {
        tx.save(*table, row, true).expect("there was nothing");
    }
    tx.commit().expect("memory");
    super::Readers::new(vec![store.reader().expect("memory")])
}

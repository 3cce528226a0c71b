//! What a hosted body tells those who follow its job. Entries are gathered and put to the engine in few
//! commands; a body that tells faster than the disk takes it waits. Their order is that of the telling,
//! and all of them are in the journal before the body's end is.

use super::super::handle::{AskError, EngineHandle};
use longhaul_core::command::{Command, Entry, Refused};
use longhaul_core::id::JobId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Entries that wait to be told; a body that has told so many waits.
const WAITING_MAX: usize = 8_192;
/// Bytes of them.
const WAITING_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Entries of one command.
const ENTRIES_MAX: usize = 2_048;
/// Bytes of them, beyond which no more are added.
const ENTRIES_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// Where a hosted body's events go. Cheap to clone.
#[derive(Clone)]
pub struct Voice {
    shared: Arc<Shared>,
}

struct Shared {
    job: JobId,
    attempt: u32,
    engine: EngineHandle,
    queue: Mutex<Queue>,
    /// There is room, all is told, or nothing more is taken.
    moved: Notify,
    /// There is something to tell, or nothing more comes.
    more: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Entry>,
    bytes: usize,
    /// A command is on its way to the disk.
    is_telling: bool,
    /// Somebody puts what waits to the engine.
    is_open: bool,
    /// What waits is told together with the end.
    is_closing: bool,
    /// Why nothing is taken any more.
    over: Option<AskError>,
}

impl Voice {
    pub(super) fn new(job: JobId, attempt: u32, engine: EngineHandle) -> Self {
        let (moved, more) = (Notify::new(), Notify::new());
        let queue = Mutex::default();
        Self { shared: Arc::new(Shared { job, attempt, engine, queue, moved, more }) }
    }

    /// Tells; waits while too much waits already. `Ok` says that it will be told in its order, not that
    /// it is durable: see [`Self::settled`].
    ///
    /// # Errors
    /// [`AskError`]: the attempt is over for the engine, or it takes no more.
    pub async fn tell(&self, entry: Entry) -> Result<(), AskError> {
        loop {
            let mut moved = std::pin::pin!(self.shared.moved.notified());
            moved.as_mut().enable();
            {
                let mut queue = self.queue();
                if let Some(over) = &queue.over {
                    return Err(over.clone());
                }
                if queue.is_closing {
                    return Err(Refused::Stale(self.shared.job.clone()).into());
                }
                if queue.waiting.len() < WAITING_MAX && queue.bytes < WAITING_BYTES_MAX {
                    queue.bytes += entry.text.len();
                    queue.waiting.push_back(entry);
                    break;
                }
            }
            moved.await;
        }
        self.shared.more.notify_one();
        Ok(())
    }

    /// Waits until all that was told before is durable.
    ///
    /// # Errors
    /// As for [`Self::tell`].
    pub async fn settled(&self) -> Result<(), AskError> {
        self.open();
        loop {
            let mut moved = std::pin::pin!(self.shared.moved.notified());
            moved.as_mut().enable();
            {
                let queue = self.queue();
                if let Some(over) = &queue.over {
                    return Err(over.clone());
                }
                if queue.waiting.is_empty() && !queue.is_telling {
                    return Ok(());
                }
            }
            moved.await;
        }
    }

    /// Begins to put what waits to the engine: until then all of it waits for the end, which is soon.
    pub(super) fn open(&self) {
        let mut queue = self.queue();
        if queue.is_open || queue.is_closing {
            return;
        }
        queue.is_open = true;
        drop(queue);
        let voice = self.clone();
        tokio::spawn(async move { voice.pump().await });
    }

    /// Takes no more, and gives what is left to be told before the end.
    pub(super) async fn close(&self) -> Vec<Command> {
        self.queue().is_closing = true;
        self.shared.more.notify_one();
        loop {
            let mut moved = std::pin::pin!(self.shared.moved.notified());
            moved.as_mut().enable();
            if !self.queue().is_telling {
                break;
            }
            moved.await;
        }
        let mut commands = Vec::new();
        while let Some(entries) = self.queue().take() {
            commands.push(self.command(entries));
        }
        // Whoever waits for room is told that there will be none.
        self.shared.moved.notify_waiters();
        commands
    }

    async fn pump(&self) {
        loop {
            let entries = {
                let mut queue = self.queue();
                queue.is_telling = false;
                if queue.is_closing || queue.over.is_some() {
                    None
                } else {
                    let entries = queue.take();
                    queue.is_telling = entries.is_some();
                    Some(entries)
                }
            };
            self.shared.moved.notify_waiters();
            match entries {
                None => return,
                Some(None) => self.shared.more.notified().await,
                Some(Some(entries)) => self.put(entries).await,
            }
        }
    }

    /// Puts entries to the engine. One that it refuses keeps none of the others back.
    async fn put(&self, entries: Vec<Entry>) {
        let mut groups = VecDeque::from([entries]);
        while let Some(entries) = groups.pop_front() {
            match self.ask(&entries).await {
                Ok(()) => {}
                Err(AskError::Refused(refused)) if !matches!(refused, Refused::Stale(_)) => {
                    if let [entry] = &entries[..] {
                        tracing::warn!(job = %self.shared.job, %refused, text = entry.text, "not told");
                        // A result with a hole is none: whoever gives it hears so with the next that it tells.
                        if entry.piece.is_some() && matches!(refused, Refused::TooMany { .. }) {
                            return self.give_up(refused.into());
                        }
                    }
                    if entries.len() > 1 {
                        groups.extend(entries.into_iter().map(|entry| vec![entry]));
                    }
                }
                Err(over) => return self.give_up(over),
            }
        }
    }

    /// Takes no more; all that waits is left out.
    fn give_up(&self, over: AskError) {
        let mut queue = self.queue();
        queue.over = Some(over);
        queue.waiting.clear();
        queue.bytes = 0;
    }

    /// Asks until there is an answer: what was told is not lost because the disk is full for a while.
    async fn ask(&self, entries: &[Entry]) -> Result<(), AskError> {
        loop {
            let asked = self.shared.engine.ask(self.command(entries.to_vec())).await;
            match asked {
                Ok(_) => return Ok(()),
                Err(AskError::Unavailable { retry_after_ms, .. })
                    if !self.shared.engine.is_stopping() =>
                {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn command(&self, entries: Vec<Entry>) -> Command {
        Command::Tell { job: self.shared.job.clone(), attempt: self.shared.attempt, entries }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change is whole before the lock is let go of.
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The oldest that wait, as many as one command takes.
    fn take(&mut self) -> Option<Vec<Entry>> {
        let (mut count, mut bytes) = (0, 0);
        for entry in self.waiting.iter().take(ENTRIES_MAX) {
            if bytes >= ENTRIES_BYTES_MAX {
                break;
            }
            bytes += entry.text.len();
            count += 1;
        }
        self.bytes -= bytes;
        (count > 0).then(|| self.waiting.drain(..count).collect())
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Voice").field("job", &self.shared.job).finish_non_exhaustive()
    }
}

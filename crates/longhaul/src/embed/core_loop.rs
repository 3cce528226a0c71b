//! The machine under its lock, and what it wants made true outside of it. The lock is held for
//! microseconds and never while anything of the embedding program runs.

use super::handle::Life;
use super::options::Options;
use super::runner;
use super::sinks::{Line, Turn};
use crate::clock::Elapsed;
use longhaul_core::roster::{DeadLetter, Key, Roster, SinkKey, Snapshot, Stop, Verdict, Want};
use longhaul_core::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell};
use tokio::task::AbortHandle;

/// What all clones of one `Jobs` share.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) options: Options,
    pub(super) runtime: Handle,
    pub(super) clock: Elapsed,
    /// Something is due earlier than the timer thinks.
    pub(super) earlier: Arc<Notify>,
    /// Something changed that drains or waits for owners look at.
    changed: Notify,
    listeners: AtomicUsize,
    pub(super) disposed: OnceCell<super::Disposed>,
    timer: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) roster: Roster,
    /// By the place of the job's key.
    lives: Vec<Option<Arc<Life>>>,
    pub(super) sinks: BTreeMap<SinkKey, Arc<Line>>,
    /// Tries that did not end at once.
    pub(super) tries: BTreeMap<(Key, u32), AbortHandle>,
    pub(super) kinds: BTreeMap<Arc<str>, super::jobs::Kind>,
    /// When the timer will wake.
    pub(super) armed_at: Option<Timestamp>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let timer = self.timer.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(timer) = timer.take() {
            timer.abort();
        }
    }
}

/// One want, with all that is needed to make it true without the lock.
enum Effect {
    Run(Arc<Life>, u32),
    Admit(Arc<Life>),
    Cancel(Arc<Life>, Stop),
    /// There is something in this sink's line.
    Start(Arc<Line>),
    Abandon(AbortHandle),
    Ended(Turn),
    Orphaned(Box<Snapshot>),
    Dropped(Box<DeadLetter>),
}

impl State {
    pub(super) fn life(&self, key: Key) -> Option<Arc<Life>> {
        let life = self.lives.get(key.place())?.as_ref();
        life.filter(|life| life.key == key).cloned()
    }

    pub(super) fn enter(&mut self, life: Arc<Life>) {
        let place = life.key.place();
        if self.lives.len() <= place {
            self.lives.resize(place + 1, None);
        }
        self.lives[place] = Some(life);
    }

    /// Lets go of a life of which nothing is left to happen.
    pub(super) fn leave(&mut self, key: Key) {
        if let Some(at) = self.lives.get_mut(key.place())
            && at.as_ref().is_some_and(|life| life.key == key)
        {
            *at = None;
        }
    }

    fn effect(&mut self, want: Want) -> Option<Effect> {
        Some(match want {
            Want::Run(key, attempt) => Effect::Run(self.life(key)?, attempt),
            Want::Admit(key) => Effect::Admit(self.life(key)?),
            Want::Cancel(key, stop) => Effect::Cancel(self.life(key)?, stop),
            Want::Deliver(key, number, sink) => {
                let news = self.roster.news(key, number)?;
                let line = self.sinks.get(&sink)?.clone();
                line.push(Turn::Deliver(key, Box::new(news)));
                Effect::Start(line)
            }
            Want::Abandon(key, number) => Effect::Abandon(self.tries.remove(&(key, number))?),
            Want::Ended(key, verdict) => self.judged(key, verdict)?,
            Want::Orphaned(key) => Effect::Orphaned(Box::new(self.roster.look(key)?)),
            Want::Dropped(letter) => Effect::Dropped(letter),
        })
    }

    fn judged(&mut self, key: Key, verdict: Verdict) -> Option<Effect> {
        let life = self.life(key)?;
        let is_alive = self.roster.is_alive(key);
        if !is_alive {
            self.leave(key);
        }
        Some(Effect::Ended(Turn::Ended(life, verdict, is_alive)))
    }
}

impl Shared {
    pub(super) fn new(options: Options, runtime: Handle) -> Self {
        let mut roster = Roster::new(options.terms.clone());
        let clock = Elapsed::start();
        roster.set_slots(options.slots.now().unwrap_or(1), clock.now());
        let state = State {
            roster,
            lives: Vec::new(),
            sinks: BTreeMap::new(),
            tries: BTreeMap::new(),
            kinds: BTreeMap::new(),
            armed_at: None,
        };
        Self {
            state: Mutex::new(state),
            options,
            runtime,
            clock,
            earlier: Arc::new(Notify::new()),
            changed: Notify::new(),
            listeners: AtomicUsize::new(0),
            disposed: OnceCell::new(),
            timer: Mutex::new(None),
        }
    }

    pub(super) fn own_timer(&self, timer: AbortHandle) {
        *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic below is ours and was printed; the machine asserts its own rules.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when the timer will wake, and says it.
    pub(super) fn arm_state(&self) -> Option<Timestamp> {
        let mut state = self.state();
        state.armed_at = state.roster.due_at();
        state.armed_at
    }

    /// Looks, and changes nothing.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state())
    }

    /// Changes something, then makes true what is wanted because of it.
    pub(super) fn act<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut effects = Vec::new();
        let result = {
            let mut state = self.state();
            let result = change(&mut state, now);
            for want in state.roster.take_wants() {
                effects.extend(state.effect(want));
            }
            let due_at = state.roster.due_at();
            if due_at.is_some_and(|due| state.armed_at.is_none_or(|armed| due < armed)) {
                state.armed_at = due_at;
                self.earlier.notify_one();
            }
            result
        };
        self.perform(effects);
        if self.listeners.load(Ordering::Acquire) > 0 {
            self.changed.notify_waiters();
        }
        result
    }

    fn perform(self: &Arc<Self>, effects: Vec<Effect>) {
        let mut line: Option<Arc<Line>> = None;
        for effect in effects {
            match effect {
                Effect::Run(life, attempt) => runner::run_again(self, life, attempt),
                Effect::Admit(life) => life.admitted.notify_one(),
                Effect::Cancel(life, stop) => life.token.cancel(stop),
                Effect::Start(at) => {
                    at.start(self);
                    line = Some(at);
                }
                Effect::Abandon(abort) => abort.abort(),
                // Behind its own delivery, also if another thread is just starting that one: the
                // sink is called before whoever waits for the job goes on.
                Effect::Ended(turn) => match line.take() {
                    Some(line) => {
                        line.push(turn);
                        line.start(self);
                    }
                    None => turn.ended(),
                },
                Effect::Orphaned(snapshot) => self.orphaned(*snapshot),
                Effect::Dropped(letter) => self.undelivered(*letter),
            }
        }
    }

    fn orphaned(&self, snapshot: Snapshot) {
        tracing::warn!(job = %snapshot.id, "a body ignores its cancellation and keeps its slot");
        if let Some(tell) = &self.options.on_orphan {
            let _panicked = catch_unwind(AssertUnwindSafe(|| tell(snapshot)));
        }
    }

    pub(super) fn undelivered(&self, letter: DeadLetter) {
        tracing::warn!(job = %letter.news.id, because = %letter.because, "a result was not told");
        if let Some(keep) = &self.options.on_undelivered {
            let _panicked = catch_unwind(AssertUnwindSafe(|| keep(letter)));
        }
    }

    /// As [`Self::act`], after asking how many slots there are: outside of the lock, since the
    /// function is not ours.
    pub(super) fn act_on_slots<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut State, Timestamp) -> T,
    ) -> T {
        let slots = self.options.slots.now();
        self.act(|state, now| {
            if let Some(slots) = slots {
                state.roster.set_slots(slots, now);
            }
            change(state, now)
        })
    }

    /// Waits until `look` finds something, looking again after every change.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let _listening = Listening::begin(&self.listeners);
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = self.look(&mut look) {
                return found;
            }
            changed.await;
        }
    }
}

struct Listening<'a>(&'a AtomicUsize);

impl<'a> Listening<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

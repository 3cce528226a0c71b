//! Sinks: async functions that are given an owner's results, in the order in which they were owed.

use super::core_loop::Shared;
use super::durable::{Durable, Told};
use super::handle::Life;
use super::runner::panicked;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use longhaul_core::roster::{Id, Key, News, OwnerName, SinkKey, Verdict};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// Why a sink did not take a result. Made from any error by `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkFailure(pub(super) String);

impl SinkFailure {
    /// A failure in words; they stand in the dead letter, if it comes to that.
    pub fn new(words: impl fmt::Display) -> Self {
        Self(words.to_string())
    }
}

impl<E: std::error::Error> From<E> for SinkFailure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(super) type Sink =
    Box<dyn Fn(Notice) -> BoxFuture<'static, Result<(), SinkFailure>> + Send + Sync>;

/// A result on its way to its owner. At least once: `Ok` from the sink settles it, anything else
/// brings it again, under the same delivery id.
#[derive(Clone, Debug)]
pub struct Notice {
    news: Arc<News>,
    key: Key,
    shared: Weak<Shared>,
    durable: Option<Told>,
}

impl Notice {
    pub(super) fn of_durable(news: Arc<News>, told: Told) -> Self {
        Self { news, key: Key::nobody(), shared: Weak::new(), durable: Some(told) }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.news.id
    }

    /// Stable over all tries and given to no other result: whoever has it can drop doubles.
    #[must_use]
    pub fn delivery_id(&self) -> String {
        match &self.durable {
            Some(told) => told.delivery.to_string(),
            None => format!("dlv_{}", self.news.delivery),
        }
    }

    /// Which try this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.news.number
    }

    /// How the job ended: `succeeded`, `failed`, `cancelled`, `timed_out` or `lost`.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.news.verdict.ending.name()
    }

    /// The output's text, or what went wrong.
    #[must_use]
    pub fn text(&self) -> &str {
        let Verdict { output, because, .. } = &self.news.verdict;
        let text = output.as_deref().map(|output| output.text.as_str());
        text.filter(|text| !text.is_empty()).or(because.as_deref()).unwrap_or_default()
    }

    /// All of it, as it was when the job ended, whatever has become of the job since.
    #[must_use]
    pub fn news(&self) -> &News {
        &self.news
    }

    /// Whether the result is still to be told by this try. A sink that waits for something before
    /// it hands a result on should ask right before: meanwhile the owner may have begun anew, or
    /// the try run out of time.
    #[must_use]
    pub fn is_current(&self) -> bool {
        if let Some(told) = &self.durable {
            return told.is_current();
        }
        let (key, number) = (self.key, self.news.number);
        let shared = self.shared.upgrade();
        shared.is_some_and(|shared| shared.look(|state| state.roster.is_current(key, number)))
    }
}

/// A registration of a sink. Dropping it leaves the sink where it is.
#[derive(Debug)]
pub struct SinkGuard(pub(super) Guarded);

/// Which registration, in which mode.
#[derive(Debug)]
pub(super) enum Guarded {
    Ephemeral { shared: Weak<Shared>, owner: OwnerName, key: SinkKey },
    Durable { durable: Weak<Durable>, owner: String, number: u64 },
}

impl SinkGuard {
    pub(super) const fn of_durable(durable: Weak<Durable>, owner: String, number: u64) -> Self {
        Self(Guarded::Durable { durable, owner, number })
    }

    /// Takes the sink away: what is owed then waits for the next. False if another sink has taken
    /// its place, which stays.
    pub fn remove(self) -> bool {
        match self.0 {
            Guarded::Ephemeral { shared, owner, key } => shared.upgrade().is_some_and(|shared| {
                // What it captured is let go of without the lock: it may come back in.
                let (_line, is_removed) = shared.act(|state, _| {
                    (state.sinks.remove(&key), state.roster.remove_sink(&owner, key))
                });
                is_removed
            }),
            Guarded::Durable { durable, owner, number } => {
                durable.upgrade().is_some_and(|durable| durable.remove_sink(&owner, number))
            }
        }
    }
}

/// What happens next at a sink.
pub(super) enum Turn {
    Deliver(Key, Box<News>),
    /// The verdict of a job whose delivery is before it in the line, and whether a body is left.
    Ended(Arc<Life>, Verdict, bool),
}

impl Turn {
    /// Tells those who wait for the job.
    pub(super) fn ended(self) {
        match self {
            Self::Ended(life, verdict, is_alive) => {
                life.judged(verdict);
                if !is_alive {
                    life.gone();
                }
            }
            Self::Deliver(..) => unreachable!("deliveries are only in lines"),
        }
    }
}

/// One sink with what is next at it. Filled under the lock of the machine, so in its order; one
/// thread at a time starts what is in it, so tries start in that order too.
pub(super) struct Line {
    sink: Sink,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    turns: VecDeque<Turn>,
    is_being_started: bool,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, queue: Mutex::default() }
    }

    pub(super) fn push(&self, turn: Turn) {
        self.queue(|queue| queue.turns.push_back(turn));
    }

    fn queue<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        change(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts what is in the line, unless somebody is at it, who will find it too.
    pub(super) fn start(&self, shared: &Arc<Shared>) {
        if self.queue(|queue| std::mem::replace(&mut queue.is_being_started, true)) {
            return;
        }
        while let Some(turn) = self.next() {
            match turn {
                Turn::Deliver(key, news) => self.deliver(shared, key, *news),
                Turn::Ended(..) => turn.ended(),
            }
        }
    }

    fn next(&self) -> Option<Turn> {
        self.queue(|queue| {
            let turn = queue.turns.pop_front();
            queue.is_being_started = turn.is_some();
            turn
        })
    }

    fn deliver(&self, shared: &Arc<Shared>, key: Key, news: News) {
        let number = news.number;
        if !shared.look(|state| state.roster.is_current(key, number)) {
            return;
        }
        let notice =
            Notice { news: Arc::new(news), key, shared: Arc::downgrade(shared), durable: None };
        let called = catch_unwind(AssertUnwindSafe(|| (self.sink)(notice)));
        let mut telling = match called {
            Ok(telling) => Box::pin(AssertUnwindSafe(telling).catch_unwind()),
            Err(panic) => return told(shared, key, number, Err(panicked(&*panic))),
        };
        // Begun right here, so that it has begun before anybody learns of the end; and a sink that
        // only notes the result down needs no task.
        let entered = shared.runtime.enter();
        let begun = telling.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(entered);
        if let Poll::Ready(result) = begun {
            return told(shared, key, number, flat(result));
        }
        let theirs = shared.clone();
        let task = shared.runtime.spawn(async move {
            let result = telling.await;
            told(&theirs, key, number, flat(result));
        });
        // It may have been given up, or be done, before its handle could be kept.
        let abort = task.abort_handle();
        let is_kept = shared.act(|state, _| {
            let is_current = state.roster.is_current(key, number);
            if is_current {
                state.tries.insert((key, number), abort.clone());
            }
            is_current
        });
        if !is_kept {
            abort.abort();
        }
    }
}

type Panic = Box<dyn std::any::Any + Send>;

fn flat(result: Result<Result<(), SinkFailure>, Panic>) -> Result<(), String> {
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(SinkFailure(words))) => Err(words),
        Err(panic) => Err(panicked(&*panic)),
    }
}

fn told(shared: &Arc<Shared>, key: Key, number: u32, result: Result<(), String>) {
    shared.act(|state, now| {
        state.tries.remove(&(key, number));
        match result {
            Ok(()) => state.roster.delivered(key, number, now),
            Err(words) => state.roster.failed(key, number, &words, now),
        }
    });
}

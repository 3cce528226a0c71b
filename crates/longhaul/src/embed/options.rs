//! What the jobs of a program are told once.

use longhaul_core::limits;
use longhaul_core::roster::{DeadLetter, Snapshot, Terms, slots_of};
use longhaul_core::time::Millis;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How many bodies may run at once: a number, or a function that is asked again at every check.
#[derive(Clone)]
pub struct Slots(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Slots {
    /// Always this many; rounded down, at least one.
    pub fn fixed(slots: impl Into<f64>) -> Self {
        let slots = slots.into();
        Self(Arc::new(move || slots))
    }

    /// As many as `read` says whenever it matters: at a registration, when a queued body asks, and
    /// when a body ends. Fewer than run stop nobody. After it grew without any of these, call
    /// [`super::Jobs::slots_changed`]. It must not call into [`super::Jobs`].
    pub fn read(read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// None if the function panicked: what it said last goes on to hold then.
    pub(super) fn now(&self) -> Option<u32> {
        catch_unwind(AssertUnwindSafe(|| slots_of((self.0)()))).ok()
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slots").field(&self.now()).finish()
    }
}

pub(super) type OnUndelivered = Arc<dyn Fn(DeadLetter) + Send + Sync>;
pub(super) type OnOrphan = Arc<dyn Fn(Snapshot) + Send + Sync>;

/// Settings of [`super::Jobs`]; the defaults are in `longhaul_core::limits`.
#[derive(Clone)]
pub struct Options {
    pub(super) slots: Slots,
    pub(super) terms: Terms,
    pub(super) on_undelivered: Option<OnUndelivered>,
    pub(super) on_orphan: Option<OnOrphan>,
    pub(super) serve: bool,
    pub(super) program: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slots: Slots::fixed(limits::TASK_SLOTS_DEFAULT),
            terms: Terms::default(),
            on_undelivered: None,
            on_orphan: None,
            serve: false,
            program: PathBuf::from("longhaul"),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("slots", &self.slots)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// How many bodies may run at once; 15 unless said.
    #[must_use]
    pub fn slots(mut self, slots: Slots) -> Self {
        self.slots = slots;
        self
    }

    /// How long an ended job stays in lists; five minutes unless said. A result that nobody took is
    /// tried to be told for at least as long, see [`Self::undelivered_retention`].
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.terms.retention = millis(retention);
        self
    }

    /// The same once somebody has the result; 30 seconds unless said. The shorter of both holds.
    #[must_use]
    pub fn consumed_retention(mut self, retention: Duration) -> Self {
        self.terms.consumed_retention = millis(retention);
        self
    }

    /// How long a result is tried to be told before it becomes a dead letter; five minutes unless
    /// said, and never less than [`Self::retention`].
    #[must_use]
    pub fn undelivered_retention(mut self, retention: Duration) -> Self {
        self.terms.undelivered_retention = millis(retention);
        self
    }

    /// How long a sink may take for one try; 30 seconds unless said. It is dropped then, and called
    /// again later.
    #[must_use]
    pub fn try_timeout(mut self, timeout: Duration) -> Self {
        self.terms.try_ms_max = millis(timeout);
        self
    }

    /// How many results of one owner are told at once; 16 unless said, at least one.
    #[must_use]
    pub const fn tries_at_once(mut self, tries: usize) -> Self {
        self.terms.tries_at_once_max = tries;
        self
    }

    /// How long a body may ignore its cancellation; 30 seconds unless said. Then the job has its
    /// verdict all the same, and is an orphan until the body is gone.
    #[must_use]
    pub fn orphan_after(mut self, span: Duration) -> Self {
        self.terms.orphan_after = millis(span);
        self
    }

    /// How many jobs are kept at once, ended ones included; about two million unless said.
    #[must_use]
    pub const fn jobs_max(mut self, jobs: usize) -> Self {
        self.terms.jobs_max = jobs;
        self
    }

    /// Durable mode: lets clients in at the home's socket, so that `longhaul list` and all others
    /// work beside the program. Who may use the home may then stop its daemon too.
    #[must_use]
    pub const fn serve(mut self) -> Self {
        self.serve = true;
        self
    }

    /// Durable mode: the longhaul that holds the processes of jobs that clients submit at the
    /// socket; `longhaul`, as the path finds it, unless said.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// How many results of one owner are told at once.
    pub(super) fn tries_max(&self) -> usize {
        self.terms.tries_at_once_max.max(1)
    }

    /// How long a sink may take.
    pub(super) const fn try_max(&self) -> Duration {
        Duration::from_millis(self.terms.try_ms_max.get())
    }

    /// Is given each result that is given up for good: at [`super::Jobs::dispose`], and when there
    /// is no more room for dead letters. Write it where the next start finds it.
    #[must_use]
    pub fn on_undelivered(mut self, keep: impl Fn(DeadLetter) + Send + Sync + 'static) -> Self {
        self.on_undelivered = Some(Arc::new(keep));
        self
    }

    /// Is told of each body that ignores its cancellation for too long.
    #[must_use]
    pub fn on_orphan(mut self, tell: impl Fn(Snapshot) + Send + Sync + 'static) -> Self {
        self.on_orphan = Some(Arc::new(tell));
        self
    }
}

pub(super) fn millis(span: Duration) -> Millis {
    Millis::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(limits::SPAN_MAX.get()))
}

//! What is asked for with one job, and whose it is.

use super::options::millis;
use longhaul_core::limits;
use longhaul_core::roster::{self, Ask, Notify, OwnerName};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whose job it is. Jobs of nobody belong together, and to nobody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(pub(super) OwnerName);

impl Owner {
    /// The owner of jobs that have none.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(None)
    }
}

impl From<&str> for Owner {
    fn from(name: &str) -> Self {
        Self(Some(Arc::from(name)))
    }
}

impl From<String> for Owner {
    fn from(name: String) -> Self {
        Self(Some(Arc::from(name)))
    }
}

impl From<Arc<str>> for Owner {
    fn from(name: Arc<str>) -> Self {
        Self(Some(name))
    }
}

impl From<Option<&str>> for Owner {
    fn from(name: Option<&str>) -> Self {
        Self(name.map(Arc::from))
    }
}

impl From<&Self> for Owner {
    fn from(owner: &Self) -> Self {
        owner.clone()
    }
}

/// Whose jobs are meant: one owner's, or everybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner.
    Of(Owner),
}

impl Scope {
    pub(super) fn to_core(&self) -> roster::Scope {
        match self {
            Self::All => roster::Scope::All,
            Self::Of(owner) => roster::Scope::Owner(owner.0.clone()),
        }
    }
}

impl<O: Into<Owner>> From<O> for Scope {
    fn from(owner: O) -> Self {
        Self::Of(owner.into())
    }
}

/// How often a failed body is run again, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further attempts after the first.
    pub times: u32,
    /// Before the first of them; doubles from there.
    pub delay: Duration,
}

pub(super) type OnProgress = Arc<dyn Fn(&Value) + Send + Sync>;

/// What is asked for with one job. The same in every mode.
#[derive(Clone, Default)]
pub struct Spec {
    pub(super) owner: Owner,
    pub(super) id: Option<String>,
    pub(super) label: Option<String>,
    pub(super) agent: Option<Arc<str>>,
    pub(super) queued: bool,
    pub(super) foreground: bool,
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) notify: Notify,
    pub(super) on_progress: Option<OnProgress>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("owner", &self.owner)
            .field("id", &self.id)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Spec {
    /// A job of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A job of this owner.
    #[must_use]
    pub fn of(owner: impl Into<Owner>) -> Self {
        Self { owner: owner.into(), ..Self::default() }
    }

    /// The id it would like. If that is taken it gets `-2`, `-3` and so on behind it; without one,
    /// or with a blank one, `bg_` and a number that is given only once.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What people read; cut after 256 bytes.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        let mut label = label.into();
        while label.len() > limits::WORD_BYTES_MAX {
            label.pop();
        }
        self.label = Some(label);
        self
    }

    /// The agent whose work this is. Waiting for the job then counts as waiting for that agent, so
    /// that two agents that wait for each other are told at once.
    #[must_use]
    pub fn agent(mut self, agent: impl AsRef<str>) -> Self {
        self.agent = Some(Arc::from(agent.as_ref()));
        self
    }

    /// Its body begins at once without a slot, and must ask for one with
    /// [`super::Context::mark_running`] before its real work.
    #[must_use]
    pub const fn queued(mut self) -> Self {
        self.queued = true;
        self
    }

    /// Its caller waits for it: it is in no list and told to nobody until
    /// [`super::JobHandle::promote`], and never after [`super::JobHandle::release`].
    #[must_use]
    pub const fn foreground(mut self) -> Self {
        self.foreground = true;
        self
    }

    /// Runs a body that fails again. Only for kinds: a closure can run once.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Stops it once it has been running for this long; its end is `timed_out`.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Which ends the owner is told; all but cancelled ones unless said.
    #[must_use]
    pub const fn notify(mut self, notify: Notify) -> Self {
        self.notify = notify;
        self
    }

    /// Hears of its progress, ten times a second at most. A panic in it hurts nobody.
    #[must_use]
    pub fn on_progress(mut self, hear: impl Fn(&Value) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(hear));
        self
    }

    pub(super) fn ask(&self, kind: Option<Arc<str>>) -> Ask {
        let retry = self.retry.unwrap_or(Retry { times: 0, delay: Duration::ZERO });
        Ask {
            id: self.id.clone(),
            kind,
            label: self.label.as_deref().map(Box::from),
            agent: self.agent.clone(),
            queued: self.queued,
            foreground: self.foreground,
            retries: retry.times.min(limits::RETRIES_MAX),
            retry_delay: millis(retry.delay),
            timeout: self.timeout.map(millis),
            notify: self.notify,
        }
    }
}

//! Waiting: for results, for an owner's jobs, and who is blocked on whom.

use super::core_loop::{Shared, State};
use super::durable::Durable;
use super::handle::Life;
use super::refused::Refused;
use super::spec::Owner;
use super::{Jobs, Node};
use futures_util::FutureExt;
use futures_util::future::{pending, select_all};
use longhaul_core::id::JobId;
use longhaul_core::roster::{Id, Key, Roster, Stop, Verdict, WaitKey};
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Jobs that somebody watches: their results are held back until this is dropped, and then told if
/// nobody consumed them meanwhile.
#[derive(Debug)]
pub struct Watch {
    shared: Weak<Shared>,
    keys: Vec<Key>,
    durable: Option<(Weak<Durable>, Vec<JobId>)>,
}

impl Watch {
    pub(super) const fn of_durable(durable: Weak<Durable>, jobs: Vec<JobId>) -> Self {
        Self { shared: Weak::new(), keys: Vec::new(), durable: Some((durable, jobs)) }
    }

    /// Lets go, as dropping it does.
    pub fn unwatch(self) {
        drop(self);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((durable, jobs)) = &self.durable
            && let Some(durable) = durable.upgrade()
        {
            durable.unwatch(jobs);
        }
        if let Some(shared) = self.shared.upgrade() {
            shared.act(|state, now| state.roster.unwatch(&self.keys, now));
        }
    }
}

/// Somebody is known to wait until this is dropped.
#[derive(Debug)]
pub struct Blocked {
    shared: Weak<Shared>,
    wait: WaitKey,
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.act(|state, _| state.roster.stopped_waiting(self.wait));
        }
    }
}

/// A result that was fetched by waiting for it: it is consumed, and not told again.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The job.
    pub id: Id,
    /// Its end.
    pub verdict: Verdict,
}

/// What ended a wait.
#[derive(Clone, Debug, PartialEq)]
pub enum Waited<M> {
    /// A message came; it goes before results that came at the same time, which are told as ever.
    Message(M),
    /// At least one result is there, oldest first.
    Finished(Vec<Finished>),
    /// There is nothing to wait for.
    Nothing,
    /// The time was over; results are told as ever.
    TimedOut,
}

impl Jobs {
    /// Holds back the results of these jobs for whoever fetches them itself. Counted: with two
    /// watches on a job the second still holds after the first was dropped. Blank and doubled ids
    /// do not count.
    ///
    /// # Errors
    /// One of the jobs is not there for this owner; nothing is watched then.
    pub fn watch(&self, owner: impl Into<Owner>, ids: &[&str]) -> Result<Watch, Refused> {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.watch(&owner, ids);
        }
        let keys = self.shared.act(|state, _| state.roster.watch(&owner.0, ids.iter().copied()))?;
        Ok(Watch { shared: Arc::downgrade(&self.shared), keys, durable: None })
    }

    /// Says that an agent (an owner of jobs) or a job waits for others until the guard is dropped.
    /// [`Self::wait`] says so by itself; agents that wait for each other in other ways should too.
    ///
    /// # Errors
    /// All of `targets` wait, in the end, for `waiter`: it would never end.
    pub fn blocked(&self, waiter: Node, targets: Vec<Node>) -> Result<Blocked, Refused> {
        let wait = self.shared.act(|state, _| state.roster.wait_for(waiter, targets))?;
        Ok(Blocked { shared: Arc::downgrade(&self.shared), wait })
    }

    /// The node of an owner's job, for [`Self::blocked`].
    #[must_use]
    pub fn node(&self, owner: impl Into<Owner>, id: &str) -> Option<Node> {
        let (owner, id) = (owner.into(), Id::parse(id));
        self.shared.look(|state| state.roster.find(&owner.0, &id)).map(Node::Job)
    }

    /// Waits for the first results of `ids`, or of all jobs of the owner if there are none, and
    /// fetches them. Results that are there already and were not told come at once. Whatever else
    /// ends the wait, also dropping it, leaves the results to be told.
    ///
    /// # Errors
    /// A job is not there, or all of them wait for this owner.
    pub async fn wait<M>(
        &self,
        owner: impl Into<Owner>,
        ids: &[&str],
        timeout: Duration,
        message: impl Future<Output = M>,
    ) -> Result<Waited<M>, Refused> {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.wait(&owner, ids, timeout, message).await;
        }
        let targets = self.shared.act(|state, _| Targets::find(state, &owner, ids))?;
        let (shared, keys) = (Arc::downgrade(&self.shared), targets.keys.clone());
        let _watch = Watch { shared, keys, durable: None };
        let _blocked = match Roster::agent(&owner.0) {
            Some(agent) if !targets.open.is_empty() && targets.there.is_empty() => {
                let nodes = targets.open.iter().map(|life| Node::Job(life.key)).collect();
                Some(self.blocked(agent, nodes)?)
            }
            Some(_) | None => None,
        };
        let results = async {
            if !targets.there.is_empty() {
                return;
            }
            match targets.open.is_empty() {
                true => pending().await,
                false => {
                    let ends = targets.open.iter().map(|life| life.verdict().boxed());
                    select_all(ends).await;
                }
            }
        };
        if targets.there.is_empty() && targets.open.is_empty() {
            // A message that is there already still counts.
            return Ok(message.now_or_never().map_or(Waited::Nothing, Waited::Message));
        }
        tokio::select! {
            biased;
            message = message => Ok(Waited::Message(message)),
            () = results => Ok(Waited::Finished(self.fetch(&targets))),
            () = tokio::time::sleep(timeout) => Ok(Waited::TimedOut),
        }
    }

    fn fetch(&self, targets: &Targets) -> Vec<Finished> {
        self.shared.act(|state, now| {
            let mut finished = Vec::new();
            // In the order of the keys, as they are.
            let mut open = targets.open.iter().peekable();
            for key in &targets.keys {
                // What ended meanwhile was waited for, also if somebody else was quicker to fetch it.
                let life = open.next_if(|life| life.key == *key);
                let ended =
                    life.and_then(|life| Some((life.id.clone(), life.judgement()?.clone())));
                let seen = ended.or_else(|| {
                    let is_there = state.roster.is_unfetched(*key);
                    let job = state.roster.look(*key).filter(|_| is_there)?;
                    Some((job.id, state.roster.verdict(*key)?))
                });
                let Some((id, verdict)) = seen else { continue };
                state.roster.consume_key(*key, now);
                finished.push(Finished { id, verdict });
            }
            finished
        })
    }

    /// Waits until this owner has no job without a verdict, also of those that come meanwhile.
    /// Watched ones do not count if `exclude_watched`. False if the time was over before.
    pub async fn wait_for_owner(
        &self,
        owner: impl Into<Owner>,
        timeout: Duration,
        exclude_watched: bool,
    ) -> bool {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.wait_for_owner(&owner, timeout, exclude_watched).await;
        }
        let none_left = self.shared.until(|state| {
            let (active, watched) = state.roster.active(&owner.0);
            let left = if exclude_watched { active - watched } else { active };
            (left == 0).then_some(())
        });
        tokio::time::timeout(timeout, none_left).await.is_ok()
    }

    /// Cancels all jobs of this owner and waits, at most for `timeout`, until their bodies are gone.
    pub async fn cancel_and_reap(
        &self,
        owner: impl Into<Owner>,
        timeout: Duration,
        reason: impl AsRef<str>,
    ) -> super::Reaped {
        let owner = owner.into();
        if let Some(durable) = &self.durable {
            return durable.cancel_and_reap(&owner, timeout, reason.as_ref()).await;
        }
        let scope = super::Scope::Of(owner).to_core();
        let stop = Stop::Asked(Arc::from(reason.as_ref()));
        let lives = self.shared.act(|state, now| {
            // Those that were stopping before are waited for too.
            let keys = state.roster.cancel_all(&scope, &stop, now);
            let alive = state.roster.alive(&scope);
            let lives = keys.into_iter().chain(alive).filter_map(|key| state.life(key));
            let mut lives: Vec<Arc<Life>> = lives.collect();
            lives.sort_by_key(|life| life.key);
            lives.dedup_by_key(|life| life.key);
            lives
        });
        super::Reaped::wait(lives, timeout).await
    }
}

/// What a wait is for.
struct Targets {
    keys: Vec<Key>,
    there: Vec<Key>,
    open: Vec<Arc<Life>>,
}

impl Targets {
    /// Finds and watches them.
    fn find(state: &mut State, owner: &Owner, ids: &[&str]) -> Result<Self, Refused> {
        let name = &owner.0;
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        if ids.is_empty() {
            let mut keys = state.roster.unfetched(name);
            keys.extend(state.roster.open(name));
            ids = keys
                .iter()
                .filter_map(|key| state.roster.look(*key))
                .map(|job| job.id.to_string())
                .collect();
        }
        let keys = state.roster.watch(name, ids.iter().map(String::as_str))?;
        let there = keys.iter().copied().filter(|key| state.roster.is_unfetched(*key)).collect();
        let open = keys.iter().filter(|key| !state.roster.is_judged(**key));
        let open = open.filter_map(|key| state.life(*key)).collect();
        Ok(Self { keys, there, open })
    }
}

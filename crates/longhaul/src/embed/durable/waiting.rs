//! Waiting for results, and holding them back for whoever fetches them.

use super::asked::OPEN;
use super::{Durable, shown, unknown};
use crate::embed::handle::Life;
use crate::embed::refused::Refused;
use crate::embed::waiting::{Finished, Watch};
use crate::embed::{Owner, Reaped, Scope, Waited};
use futures_util::FutureExt;
use futures_util::future::select_all;
use longhaul_core::delivery::{Delivery, Settled};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

impl Durable {
    /// Watches all of these, or none.
    pub(in crate::embed) fn watch(
        self: &Arc<Self>,
        owner: &Owner,
        ids: &[&str],
    ) -> Result<Watch, Refused> {
        let mut jobs: Vec<JobId> = Vec::new();
        for id in ids.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
            jobs.push(self.find(owner, id).ok_or_else(|| unknown(id))?.id);
        }
        jobs.sort();
        jobs.dedup();
        Ok(self.watch_jobs(jobs))
    }

    fn watch_jobs(self: &Arc<Self>, jobs: Vec<JobId>) -> Watch {
        let mut state = self.state();
        for job in &jobs {
            *state.watches.entry(job.clone()).or_default() += 1;
        }
        Watch::of_durable(Arc::downgrade(self), jobs)
    }

    pub(in crate::embed) fn unwatch(&self, jobs: &[JobId]) {
        let mut state = self.state();
        for job in jobs {
            let Some(count) = state.watches.get_mut(job) else { continue };
            *count -= 1;
            if *count == 0 {
                state.watches.remove(job);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits for the first results and fetches them.
    pub(in crate::embed) async fn wait<M>(
        self: &Arc<Self>,
        owner: &Owner,
        ids: &[&str],
        timeout: Duration,
        message: impl Future<Output = M>,
    ) -> Result<Waited<M>, Refused> {
        let jobs = self.targets(owner, ids)?;
        if jobs.is_empty() {
            // A message that is there already still counts.
            return Ok(message.now_or_never().map_or(Waited::Nothing, Waited::Message));
        }
        let _watch = self.watch_jobs(jobs.iter().map(|job| job.id.clone()).collect());
        let lives: Vec<Arc<Life>> = jobs.iter().map(|job| self.life(job)).collect();
        let results = async {
            select_all(lives.iter().map(|life| life.verdict().boxed())).await;
        };
        tokio::select! {
            biased;
            message = message => Ok(Waited::Message(message)),
            () = results => Ok(Waited::Finished(self.fetch(&jobs))),
            () = tokio::time::sleep(timeout) => Ok(Waited::TimedOut),
        }
    }

    /// What a wait is for: these jobs, or all of the owner's of which it does not know the end.
    fn targets(&self, owner: &Owner, ids: &[&str]) -> Result<Vec<Job>, Refused> {
        let ids: Vec<&str> = ids.iter().map(|id| id.trim()).filter(|id| !id.is_empty()).collect();
        if !ids.is_empty() {
            let found = ids.iter().map(|id| self.find(owner, id).ok_or_else(|| unknown(id)));
            return found.collect();
        }
        let mut jobs = self.jobs(&Scope::Of(owner.clone()), &[]);
        jobs.retain(|job| job.outcome().is_none() || self.is_unfetched(job));
        jobs.reverse();
        Ok(jobs)
    }

    fn is_unfetched(&self, job: &Job) -> bool {
        let delivery = self.look(|reader| shown::delivery_of(reader, job));
        delivery.as_ref().is_some_and(Delivery::is_open)
    }

    /// The results that are there, oldest first; they are settled.
    fn fetch(&self, jobs: &[Job]) -> Vec<Finished> {
        let mut finished = Vec::new();
        for job in jobs {
            let Some(job) = self.look(|reader| super::load(reader, &job.id)) else { continue };
            let Some(verdict) = shown::verdict(&job) else { continue };
            self.settle_one(&job, Settled::Waited);
            finished.push(Finished { id: shown::id(&job), verdict });
        }
        finished
    }

    /// Whether the owner has no open job before the time is over.
    pub(in crate::embed) async fn wait_for_owner(
        self: &Arc<Self>,
        owner: &Owner,
        timeout: Duration,
        exclude_watched: bool,
    ) -> bool {
        let none_left = async {
            loop {
                let mut open = self.jobs(&Scope::Of(owner.clone()), OPEN);
                open.retain(|job| !(exclude_watched && self.is_watched(&job.id)));
                let Some(job) = open.first() else { return };
                self.life(job).verdict().await;
            }
        };
        tokio::time::timeout(timeout, none_left).await.is_ok()
    }

    pub(in crate::embed) async fn cancel_and_reap(
        self: &Arc<Self>,
        owner: &Owner,
        timeout: Duration,
        reason: &str,
    ) -> Reaped {
        let scope = Scope::Of(owner.clone());
        let open = self.jobs(&scope, OPEN);
        let lives = open.iter().map(|job| self.life(job)).collect();
        self.cancel_all(&scope, reason);
        Reaped::wait(lives, timeout).await
    }
}

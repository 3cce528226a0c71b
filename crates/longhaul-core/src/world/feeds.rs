//! Gives what this step recorded its numbers in the sessions that follow. Done once, at the commit, so
//! that a refused command has told nobody and that numbers are as durable as what they stand for.

use super::World;
use crate::event::Fact;
use crate::feed::{FeedRow, Span};
use crate::id::{JobId, SessionId};
use crate::job::Job;
use crate::limits;
use crate::port::{StoreError, Table};
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};

/// Entries of a job that its followers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) job: JobId,
    pub(super) span: Span,
}

impl World<'_> {
    /// Remembers that entries were recorded which followers are told. Call after they were counted.
    pub(super) fn tell(&mut self, id: &JobId, span: Span) -> Result<(), StoreError> {
        let Some(job) = self.rows.jobs.change(&mut *self.tx, id.as_str())?.as_mut() else {
            return Ok(());
        };
        job.tell(span);
        if job.followers.is_empty() {
            return Ok(());
        }
        self.news.push(News { job: id.clone(), span });
        Ok(())
    }

    /// The same for one fact.
    pub(super) fn tell_fact(
        &mut self,
        id: &JobId,
        seq: u64,
        fact: &Fact,
    ) -> Result<(), StoreError> {
        if fact.is_told() { self.tell(id, Span { seq, count: 1 }) } else { Ok(()) }
    }

    /// Tells all followers. Gives the newest number of each session that was told something.
    pub(super) fn feed(&mut self) -> Result<BTreeMap<SessionId, u64>, StoreError> {
        let news = std::mem::take(&mut self.news);
        for News { job, span } in &news {
            let (followers, is_end) = self.followers(job, *span)?;
            for session in followers {
                let now = self.now;
                let slot = self.rows.sessions.change(&mut *self.tx, session.as_str())?;
                let Some(row) = slot.as_mut().filter(|session| !session.is_over()) else {
                    continue;
                };
                // Nothing about a job comes after its end; and what is not of the job is not its newest.
                let early = if is_end { row.warn(job, now, span.count) } else { None };
                let told = row.tell(job, *span);
                let newest = row.newest;
                let late = if is_end { None } else { row.warn(job, now, 0) };
                let finished = [early, told, late];
                self.told_at(job, &session, newest)?;
                self.keep(&session, finished)?;
            }
        }
        let jobs: BTreeSet<JobId> = news.into_iter().map(|news| news.job).collect();
        for job in jobs {
            self.let_go(&job)?;
        }
        // Also whoever was told again what is old.
        let fed = self.grown();
        for session in fed.keys() {
            self.trim(session)?;
        }
        Ok(fed)
    }

    /// Sessions that this step gave numbers to, and the newest of each.
    fn grown(&self) -> BTreeMap<SessionId, u64> {
        let newest =
            |session: &Option<Session>| session.as_ref().map_or(0, |session| session.newest);
        let slots = self.rows.sessions.slots.values();
        let grown = slots.filter(|slot| newest(&slot.current) > newest(&slot.at_begin));
        let grown = grown.filter_map(|slot| slot.current.as_ref());
        grown.map(|session| (session.id.clone(), session.newest)).collect()
    }

    /// Who is told of the job, and whether these are the last entries that it has.
    fn followers(&mut self, job: &JobId, span: Span) -> Result<(Vec<SessionId>, bool), StoreError> {
        let job = self.rows.jobs.slot(&mut *self.tx, job.as_str())?.current.as_ref();
        let is_end = |job: &Job| {
            job.outcome().is_some() && job.told.last().is_some_and(|told| told.end() == span.end())
        };
        Ok(job.map(|job| (job.followers.clone(), is_end(job))).unwrap_or_default())
    }

    fn told_at(&mut self, id: &JobId, by: &SessionId, newest: u64) -> Result<(), StoreError> {
        let job = self.rows.jobs.change(&mut *self.tx, id.as_str())?.as_mut();
        if let Some(job) = job.filter(|job| job.session.as_ref() == Some(by)) {
            job.told_at = newest;
        }
        Ok(())
    }

    pub(crate) fn keep(
        &mut self,
        session: &SessionId,
        finished: impl IntoIterator<Item = Option<crate::feed::Run>>,
    ) -> Result<(), StoreError> {
        for run in finished.into_iter().flatten() {
            self.keep_run(FeedRow { session: session.clone(), run })?;
        }
        Ok(())
    }

    /// Nothing more is told of a job that has ended.
    fn let_go(&mut self, id: &JobId) -> Result<(), StoreError> {
        let job = self.rows.jobs.slot(&mut *self.tx, id.as_str())?.current.as_ref();
        let is_over = |job: &&Job| job.outcome().is_some() && !job.followers.is_empty();
        let Some(by) = job.filter(is_over).map(|job| job.session.clone()) else { return Ok(()) };
        let job = self.rows.jobs.change(&mut *self.tx, id.as_str())?.as_mut();
        let followers = job.map(|job| std::mem::take(&mut job.followers)).unwrap_or_default();
        for follower in followers {
            let slot = self.rows.sessions.change(&mut *self.tx, follower.as_str())?;
            let Some(session) = slot else { continue };
            if session.follows.remove(id) && by.as_ref() == Some(&follower) {
                session.open = session.open.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// Lets the oldest runs go where there are more than are kept: they are the oldest, acknowledged
    /// or not. All that are too many: who is told again of much adds more in a step than one look
    /// removes.
    fn trim(&mut self, id: &SessionId) -> Result<(), StoreError> {
        while self.is_full(id)? {
            let most = limits::FEED_RUNS_AT_ONCE;
            let oldest = self.children(Table::Feed, id.as_str(), most)?;
            // What is counted and not there is nothing that could be removed.
            if oldest.is_empty() {
                break;
            }
            for row in oldest {
                let Some(gone) = self.rows.feeds.change(&mut *self.tx, &row)?.take() else {
                    continue;
                };
                if let Some(session) = self.rows.sessions.change(&mut *self.tx, id.as_str())? {
                    session.floor = gone.run.end() - 1;
                    session.runs -= 1;
                }
            }
        }
        Ok(())
    }

    fn is_full(&mut self, id: &SessionId) -> Result<bool, StoreError> {
        let slot = self.rows.sessions.slot(&mut *self.tx, id.as_str())?;
        Ok(slot.current.as_ref().is_some_and(|session| session.runs > self.feed_runs_max))
    }
}

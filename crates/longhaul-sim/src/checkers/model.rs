//! A second, naive engine for the answers: takes the rows before a step and its commands, and says
//! what each must be answered and how each job must stand. It knows no store, no hour and no slot.

use super::naive;
use super::notes::Notes;
use super::standing;
use super::story::{Is, Owes, Told};
use super::{Broken, Kind, Seen, holds};
use longhaul_core::command::{Command, Exit, Known, Refused, Reply, Submission};
use longhaul_core::id::JobId;
use longhaul_core::limits;
use longhaul_core::outcome::{Ending, Outcome, Reason};
use longhaul_core::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The answer that is right, refusals by their code.
type Right = Result<Reply, &'static str>;

#[derive(Clone)]
struct Model<'a> {
    jobs: BTreeMap<JobId, Told<'a>>,
    pools: BTreeSet<&'a str>,
    notes: Notes<'a>,
    now: Timestamp,
}

/// Holds the replies, and the states that follow from them, against the naive model.
pub(super) fn replies(seen: &Seen<'_>) -> Result<(), Broken> {
    let jobs = seen.before.jobs.iter().map(|(id, kept)| (id.clone(), Told::of(&kept.job)));
    let pools = seen.before.pools.keys().map(String::as_str).collect();
    let (notes, now) = (Notes::of(seen), seen.now);
    if seen.kind != Kind::Batch || seen.batch.is_empty() {
        return standing::check(&notes, seen);
    }
    let mut model = Model { jobs: jobs.collect(), pools, notes, now };
    holds("each command has an answer", seen.batch.len() == seen.step.replies.len(), String::new)?;
    for (command, reply) in seen.batch.iter().zip(&seen.step.replies) {
        let right = model.answer(command);
        holds("replies are right", is_same(&right, reply), || {
            format!("{command:?}: {reply:?}, not {right:?}")
        })?;
    }
    for (id, told) in &model.jobs {
        let job = seen.after.job(id);
        let agrees = job.is_some_and(|job| told.agrees(job));
        holds("jobs stand as the commands left them", agrees, || {
            format!("{id}: {:?}, not {:?}", job.map(|job| &job.state), told.is)
        })?;
    }
    let is_known = |id: &&JobId| !model.jobs.contains_key(*id);
    let unknown = seen.after.jobs.keys().find(is_known);
    holds("no job comes from nowhere", unknown.is_none(), || format!("{unknown:?}"))?;
    standing::check(&model.notes, seen)
}

fn is_same(right: &Right, reply: &Result<Reply, Refused>) -> bool {
    match (right, reply) {
        (Ok(right), Ok(reply)) => right == reply,
        (Err(code), Err(refused)) => *code == refused.code(),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

impl<'a> Model<'a> {
    fn answer(&mut self, command: &'a Command) -> Right {
        match command {
            Command::Submit(jobs) => self.submit(jobs),
            Command::Cancel { job, by_force, tree, .. } => self.cancel(job, *by_force, *tree),
            Command::Purge(job) => self.purge(job),
            Command::SetPool { pool, slots, .. } => self.set_pool(pool, *slots),
            Command::HostUp { .. } => {
                self.pools.insert("default");
                self.notes.host_up();
                Ok(Reply::Done)
            }
            Command::AddSink { .. }
            | Command::RemoveSink(_)
            | Command::Claim { .. }
            | Command::Acknowledge { .. }
            | Command::AcknowledgeAll { .. }
            | Command::Settle { .. }
            | Command::Redeliver(_)
            | Command::Present { .. }
            | Command::Absent(_)
            | Command::Sent { .. }
            | Command::Delivered { .. }
            | Command::DeliveryFailed { .. } => self.about_notices(command),
            Command::AddAgent { .. }
            | Command::RemoveAgent(_)
            | Command::StopAgent { .. }
            | Command::SendMail(_)
            | Command::CheckMail { .. }
            | Command::ReadMail { .. }
            | Command::Authorize { .. }
            | Command::Answer { .. }
            | Command::Ingest(_)
            | Command::Lively { .. }
            | Command::OpenSession { .. }
            | Command::ResumeSession(_)
            | Command::AcknowledgeFeed { .. }
            | Command::Follow { .. }
            | Command::Unfollow { .. }
            | Command::CloseSession { .. }
            | Command::DetachSession { .. }
            | Command::AddToken { .. }
            | Command::RevokeTokens { .. }
            | Command::RotateCredentials { .. }
            | Command::RetryRevoking
            | Command::Minted { .. }
            | Command::MintFailed { .. }
            | Command::Revoked { .. }
            | Command::RevokeFailed { .. }
            | Command::AuthorizeOperation { .. }
            | Command::Delegate { .. }
            | Command::GiveResult { .. }
            | Command::Tell { .. } => {
                unreachable!("lives of agents and of sessions have laws of their own")
            }
            Command::KindUp { .. } | Command::TurnedAway { .. } => Ok(Reply::Done),
            Command::Woke { slept } => {
                self.notes.woke(*slept);
                Ok(Reply::Done)
            }
            Command::Emit { job, attempt, .. } => {
                self.current(job, *attempt)?;
                Ok(Reply::Done)
            }
            Command::Started { job, attempt, .. } => self.started(job, *attempt),
            Command::Exited { job, attempt, exit } => self.exited(job, *attempt, exit),
            Command::Quiet { job, attempt, span } => self.quiet(job, *attempt, *span),
            Command::Cleaned { job, failure } => self.cleaned(job, failure.is_some()),
            Command::Purged { job, failure } => self.purged(job, failure.is_some()),
        }
    }

    fn set_pool(&mut self, pool: &'a str, slots: Option<u32>) -> Right {
        if !self.pools.contains(pool) && slots.is_none() {
            return Err("no_pool");
        }
        self.pools.insert(pool);
        Ok(Reply::Done)
    }

    fn about_notices(&mut self, command: &'a Command) -> Right {
        let notes = &mut self.notes;
        match command {
            Command::AddSink { sink, kind, replace } => notes.add_sink(sink, kind, *replace),
            Command::RemoveSink(sink) => notes.remove_sink(sink),
            Command::Claim { presence, limit } => notes.claim(presence, *limit),
            Command::Acknowledge { owner, deliveries } => notes.acknowledge(owner, deliveries),
            Command::AcknowledgeAll { owner } => notes.acknowledge_all(owner),
            Command::Settle { job, owner, how } => {
                let told = self.jobs.get(job).filter(|told| told.owner == Some(owner.as_str()));
                if !matches!(told.ok_or("not_found")?.is, Is::Ended(_)) {
                    return Err("not_ended");
                }
                notes.settle(job, owner, *how)
            }
            Command::Redeliver(delivery) => {
                let jobs = &self.jobs;
                notes.redeliver(delivery, |job| jobs[job].goes.is_some())
            }
            Command::Present { presence, owner, project } => {
                notes.present(presence, owner, project.as_deref())
            }
            Command::Absent(presence) => notes.absent(presence),
            Command::Sent { delivery, number } => notes.sent(delivery, *number),
            Command::Delivered { delivery, number, .. } => {
                let job = notes.delivered(delivery, *number)?;
                self.job(&job)?.told_at = Some(self.now);
                Ok(Reply::Done)
            }
            command => notes.failed(command),
        }
    }

    fn job(&mut self, id: &JobId) -> Result<&mut Told<'a>, &'static str> {
        self.jobs.get_mut(id).ok_or("not_found")
    }

    fn current(&mut self, id: &JobId, attempt: u32) -> Result<&mut Told<'a>, &'static str> {
        let told = self.job(id)?;
        if told.is_active() && told.attempt == attempt { Ok(told) } else { Err("stale") }
    }

    fn submit(&mut self, jobs: &'a [Submission]) -> Right {
        let before = self.clone();
        let accepted: Result<Vec<_>, _> = jobs.iter().map(|job| self.submit_one(job)).collect();
        match accepted {
            Ok(accepted) => {
                for (job, (id, _)) in
                    jobs.iter().zip(&accepted).filter(|(_, (_, was))| was.is_new())
                {
                    job.retry_of.iter().for_each(|old| self.notes.supersede(old, id));
                }
                Ok(Reply::Submitted(accepted))
            }
            Err(code) => {
                *self = before;
                Err(code)
            }
        }
    }

    fn submit_one(&mut self, job: &'a Submission) -> Result<(JobId, Known), &'static str> {
        if job.spec.timeout == Some(Millis::ZERO) {
            return Err("bad_spec");
        }
        if let Some(known) = self.jobs.get(&job.id) {
            let is_same = *known.spec == job.spec && known.key == job.key.as_deref();
            return if is_same { Ok((job.id.clone(), known.as_known())) } else { Err("id_taken") };
        }
        let of_key = |told: &Told<'_>| job.key.is_some() && told.key == job.key.as_deref();
        if let Some((id, known)) = self.jobs.iter().find(|(_, told)| of_key(told)) {
            return if *known.spec == job.spec {
                Ok((id.clone(), known.as_known()))
            } else {
                Err("key_reused")
            };
        }
        if !self.pools.contains(job.spec.pool.as_str()) {
            return Err("no_pool");
        }
        if job.spec.notify.iter().any(|sink| !self.notes.has_sink(sink)) {
            return Err("no_sink");
        }
        let mut on = job.spec.after.iter().chain(&job.spec.after_any);
        if on.any(|on| !self.jobs.contains_key(on)) {
            return Err("not_found");
        }
        let seq = self.jobs.values().map(|told| told.seq + 1).max().unwrap_or(0);
        self.jobs.insert(job.id.clone(), Told::new(job, seq));
        let has_failed = |on: &JobId| match &self.jobs[on].is {
            Is::Ended(outcome) => outcome.kind != Ending::Succeeded,
            Is::Queued | Is::Starting | Is::Running | Is::Stopping { .. } => false,
        };
        if job.spec.after.iter().any(has_failed) {
            self.end(&job.id, dependency());
        }
        Ok((job.id.clone(), Known::Not))
    }

    /// Ends a job, and with it those that can no longer begin.
    fn end(&mut self, id: &JobId, outcome: Outcome) {
        let success = outcome.kind == Ending::Succeeded;
        let told = self.jobs.get_mut(id).expect("only known jobs end");
        let owes = Owes::Cleaning { tries: 0, is_trying: true };
        told.owes = if told.attempt == 0 { Owes::Nothing } else { owes };
        told.is = Is::Ended(outcome);
        self.notes.owe(id, told.owner, told.project, &told.spec.notify);
        let seq = told.seq;
        let waits = |told: &Told<'_>| {
            told.is == Is::Queued && told.seq > seq && told.spec.after.contains(id)
        };
        let waiting: Vec<JobId> =
            self.jobs.iter().filter(|(_, told)| waits(told)).map(|(id, _)| id.clone()).collect();
        for waiting in waiting.iter().filter(|_| !success) {
            self.end(waiting, dependency());
        }
    }

    fn cancel(&mut self, id: &JobId, by_force: bool, tree: bool) -> Right {
        let mut changed = match self.cancel_one(id, by_force) {
            Ok(changed) => u32::from(changed),
            Err("ended") if tree => 0,
            Err(code) => return Err(code),
        };
        let mut to_visit = if tree { vec![id.clone()] } else { Vec::new() };
        let mut visited = BTreeSet::from([id.clone()]);
        while let Some(parent) = to_visit.pop() {
            let of_parent = |told: &Told<'_>| told.parent == Some(&parent);
            let children: Vec<JobId> = self
                .jobs
                .iter()
                .filter(|(_, told)| of_parent(told))
                .map(|(id, _)| id.clone())
                .collect();
            for child in children {
                if visited.insert(child.clone()) {
                    changed += u32::from(self.cancel_one(&child, by_force).unwrap_or(false));
                    to_visit.push(child);
                }
            }
        }
        Ok(Reply::Cancelled { changed })
    }

    fn cancel_one(&mut self, id: &JobId, by_force: bool) -> Result<bool, &'static str> {
        let told = self.job(id)?;
        if matches!(told.is, Is::Ended(_)) {
            return Err("ended");
        }
        let is_first = !std::mem::replace(&mut told.is_cancelled, true);
        let cancelled = Outcome::plain(Ending::Cancelled);
        match &mut told.is {
            Is::Queued => {
                self.end(id, cancelled);
                return Ok(true);
            }
            Is::Stopping { then: Some(_), by_force: forced } => {
                let is_harder = by_force && !*forced;
                *forced |= by_force;
                return Ok(is_first || is_harder);
            }
            Is::Starting | Is::Running | Is::Stopping { then: None, .. } | Is::Ended(_) => {}
        }
        told.is = Is::Stopping { then: Some(cancelled), by_force };
        Ok(true)
    }

    fn started(&mut self, id: &JobId, attempt: u32) -> Right {
        let told = self.current(id, attempt)?;
        if std::mem::replace(&mut told.began, true) {
            return Err("repeat");
        }
        if matches!(told.is, Is::Starting | Is::Stopping { then: None, .. }) {
            told.is = Is::Running;
        }
        told.launches = 0;
        Ok(Reply::Done)
    }

    fn exited(&mut self, id: &JobId, attempt: u32, exit: &Exit) -> Right {
        let told = self.current(id, attempt)?;
        let meant = match &told.is {
            Is::Stopping { then, .. } => then.clone(),
            Is::Queued | Is::Starting | Is::Running | Is::Ended(_) => None,
        };
        let mut outcome = naive::judge(meant.as_ref(), exit);
        if outcome.is_none() && told.launches + 1 == limits::LAUNCHES_MAX {
            outcome = Some(naive::process(&exit.how));
        }
        let Some(outcome) = outcome else {
            told.launches += 1;
            told.is = Is::Queued;
            return Ok(Reply::Done);
        };
        if told.may_retry(&outcome) {
            told.failures += 1;
            told.launches = 0;
            told.is = Is::Queued;
        } else {
            self.end(id, outcome);
        }
        Ok(Reply::Done)
    }

    fn quiet(&mut self, id: &JobId, attempt: u32, span: Millis) -> Right {
        let told = self.current(id, attempt)?;
        if told.is == Is::Running && told.spec.stall.is_some_and(|stall| span >= stall) {
            let stall = Outcome { reason: Some(Reason::Stall), ..Outcome::plain(Ending::TimedOut) };
            told.is = Is::Stopping { then: Some(stall), by_force: false };
        }
        Ok(Reply::Done)
    }

    fn cleaned(&mut self, id: &JobId, failed: bool) -> Right {
        let told = self.job(id)?;
        told.owes = match told.owes {
            Owes::Cleaning { .. } if !failed => Owes::Nothing,
            Owes::Cleaning { tries, is_trying: true } => {
                let tries = tries + 1;
                let is_last = tries == limits::CLEANUP_TRIES_MAX;
                if is_last { Owes::Stuck } else { Owes::Cleaning { tries, is_trying: false } }
            }
            Owes::Cleaning { .. } | Owes::Nothing | Owes::Stuck => return Err("repeat"),
        };
        Ok(Reply::Done)
    }

    fn purge(&mut self, id: &JobId) -> Right {
        let told = self.job(id)?;
        match (&told.is, told.owes) {
            (Is::Ended(_), Owes::Nothing | Owes::Stuck) => {}
            (Is::Ended(_), Owes::Cleaning { .. }) => return Err("not_cleaned"),
            (Is::Queued | Is::Starting | Is::Running | Is::Stopping { .. }, _) => {
                return Err("not_ended");
            }
        }
        let is_told = told.told_at.is_none_or(|at| at.plus(limits::TOLD_GRACE) <= self.now);
        if !is_told || !self.notes.are_closed(id) {
            return Err("still_owed");
        }
        let told = self.job(id)?;
        told.goes = told.goes.or(Some((0, true)));
        Ok(Reply::Done)
    }

    fn purged(&mut self, id: &JobId, failed: bool) -> Right {
        let told = self.job(id)?;
        match told.goes {
            Some(_) if !failed => {
                self.jobs.remove(id);
                self.notes.all.retain(|_, note| note.job != *id);
            }
            Some((tries, true)) if tries + 1 < limits::CLEANUP_TRIES_MAX => {
                told.goes = Some((tries + 1, false));
            }
            Some((_, true)) => (told.owes, told.goes) = (Owes::Stuck, None),
            Some((_, false)) | None => return Err("repeat"),
        }
        Ok(Reply::Done)
    }
}

const fn dependency() -> Outcome {
    Outcome::because(Ending::Failed, Reason::Dependency, None)
}

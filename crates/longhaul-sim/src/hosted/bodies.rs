//! What jobs do: they begin, ask for leave, spend, delegate, give back, and end.

use super::leases::{CURRENCIES, amount, fruitful, money_of, some_part, some_target};
use super::life::{Life, Next};
use crate::course::{Broken, Here};
use crate::errands::{Errand, errand};
use crate::system::System;
use longhaul_core::amounts::Currency;
use longhaul_core::command::{Command, Entry, Exit, How, Piece, Reply, StoppedBy, Want};
use longhaul_core::delegation::{CallMade, Delegation, Denial, DenialCode, OperationAsk};
use longhaul_core::id::JobId;
use longhaul_core::lease::{Lease, TOOL_CALL};
use longhaul_core::time::{Millis, Timestamp};

/// A body that is alive.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// The process that it is part of.
    pub(super) here: Here,
    is_stopped: bool,
    is_good: bool,
    /// Pieces that it has given back.
    pieces: u64,
}

impl Life {
    /// What the driver of tasks of a process does about a want.
    pub(super) fn drive(
        &mut self,
        here: Here,
        want: Want,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let is_alive = |job: &JobId, attempt| self.is_alive(here, job, attempt);
        let report = match errand(want, is_alive, |job| self.rows.jobs.get(job).cloned()) {
            Errand::Nothing => return Ok(()),
            Errand::Start(job, attempt) => return self.start(here, job, attempt, system),
            Errand::Stop(job, attempt) => {
                self.stop(job, attempt);
                return Ok(());
            }
            Errand::Over(job, attempt, how) => {
                Command::Exited { job, attempt, exit: Exit::bare(how, None, self.course.now()) }
            }
            Errand::Clean(job) => Command::Cleaned { job, failure: None },
            Errand::Purge(job) => {
                let failure = self.course.fails(20).then(|| "busy".to_owned());
                Command::Purged { job, failure }
            }
        };
        self.report(here, report, system).map(drop)
    }

    /// Says one thing. Gives whether it was committed, as far as this process knows.
    fn report(
        &mut self,
        here: Here,
        report: Command,
        system: &mut dyn System,
    ) -> Result<bool, Broken> {
        if !self.course.lives(here) {
            return Ok(false);
        }
        Ok(self.step(here.host, vec![report], system)?.is_some())
    }

    fn is_alive(&self, here: Here, job: &JobId, attempt: u32) -> bool {
        let body = self.bodies.get(&(job.clone(), attempt));
        body.is_some_and(|body| body.here == here)
    }

    fn start(
        &mut self,
        here: Here,
        job: JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let at = self.course.now();
        let started = Command::Started { job: job.clone(), attempt, at, pid: 1 };
        let Some(step) = self.step(here.host, vec![started], system)? else { return Ok(()) };
        if step.replies[0].is_err() {
            return Ok(());
        }
        let is_good = self.course.random.chance(70);
        let body = Body { here, is_stopped: false, is_good, pieces: 0 };
        self.bodies.insert((job.clone(), attempt), body);
        let depth = self.rows.jobs[&job].spec.hosted.as_ref().map_or(0, |hosted| hosted.depth);
        let acts = self.course.random.below(if depth == 0 { 14 } else { 6 });
        for _ in 0..if self.is_deep() { 1 } else { acts } {
            let at = self.course.random.below(if self.is_deep() { 1_500 } else { 12_000 });
            self.course.later(here, at, Next::Acts(job.clone(), attempt));
        }
        let most = if self.course.seed % 10 == 6 { 90_000 } else { 25_000 };
        let at = if self.is_deep() {
            self.course.random.between(25_000, 60_000)
        } else {
            self.course.random.below(if depth == 0 { most } else { 15_000 })
        };
        self.course.later(here, at, Next::Returns(job, attempt));
        Ok(())
    }

    fn stop(&mut self, job: JobId, attempt: u32) {
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return };
        let here = body.here;
        if !std::mem::replace(&mut body.is_stopped, true) {
            let after = self.course.random.below(1_500);
            self.course.later(here, after, Next::Returns(job, attempt));
        }
    }

    /// It does one thing.
    pub(super) fn acts(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        if !self.is_alive(here, job, attempt) {
            return Ok(());
        }
        let has_children = self.family.open(job).next().is_some();
        match if self.is_deep() { 99 } else { self.course.random.below(100) } {
            _ if has_children && self.course.random.chance(30) => {
                self.spends(here, job, attempt, system)
            }
            0..25 => self.asks_leave(here, job, attempt, system),
            25..55 => self.spends(here, job, attempt, system),
            55..66 => self.gives_piece(here, job, attempt, system),
            // As many as it may, at once.
            _ if self.is_broad() && self.tally.too_many == 0 => {
                (0..70).try_for_each(|_| self.delegates(here, job, attempt, system))
            }
            _ => self.delegates(here, job, attempt, system),
        }
    }

    fn asks_leave(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let (capability, target) = some_target(&mut self.course.random);
        self.course.numbered += 1;
        let call = CallMade {
            call_id: format!("call {}", self.course.numbered),
            tool: target.to_owned(),
            args: serde_json::Value::Null,
        };
        let call = (capability == TOOL_CALL || self.course.random.chance(20)).then_some(call);
        let (capability, target) = (capability.to_owned(), target.to_owned());
        let ask = Box::new(OperationAsk { capability, target, resolved: None, call });
        // Who speaks for an attempt that is over is heard no more.
        let attempt = if self.course.random.chance(4) { attempt + 1 } else { attempt };
        let ask = Command::AuthorizeOperation { job: job.clone(), attempt, ask };
        self.report(here, ask, system).map(drop)
    }

    /// Tells what it cost, whether there is so much or not.
    fn spends(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let mut entries = Vec::new();
        let has_children = self.family.open(job).next().is_some();
        for _ in 0..self.course.random.between(1, 4) {
            let currency = *self.course.random.pick(&CURRENCIES);
            let most = if self.course.random.chance(if has_children { 50 } else { 10 }) {
                900
            } else {
                150
            };
            let cost = amount(self.course.random.below(most).cast_signed());
            let currency = Currency::parse(currency).expect("a currency of this world");
            let text = r#"{"kind":"told","name":"metric","body":{"name":"cost.x"}}"#.to_owned();
            entries.push(Entry { text, charge: Some((currency, cost)), piece: None });
        }
        if self.course.random.chance(10) {
            // What is refused with the rest is not counted.
            entries.push(piece("another", 7, 1));
        }
        let tell = Command::Tell { job: job.clone(), attempt, entries };
        if !self.report(here, tell.clone(), system)? && self.course.random.chance(50) {
            // Not committed, so that it may be told again.
            return self.report(here, tell, system).map(drop);
        }
        Ok(())
    }

    fn gives_piece(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let Some(body) = self.bodies.get(&(job.clone(), attempt)) else { return Ok(()) };
        let next = body.pieces;
        let seq = match self.course.random.below(100) {
            0..15 => next + self.course.random.below(3),
            15..35 => next.saturating_sub(1),
            _ => next,
        };
        let of = if self.course.random.chance(6) { 1 } else { attempt };
        let mut entry = piece(&format!("result {of}"), seq, 1 + self.course.random.below(100));
        if let Some(piece) = &mut entry.piece {
            piece.is_last = self.course.random.chance(25);
            piece.bytes = if self.course.random.chance(5) { 1 << 21 } else { piece.bytes };
        }
        let tell = Command::Tell { job: job.clone(), attempt, entries: vec![entry] };
        let Some(step) = self.step(here.host, vec![tell], system)? else { return Ok(()) };
        if let (Ok(Reply::Done), Some(body)) =
            (&step.replies[0], self.bodies.get_mut(&(job.clone(), attempt)))
        {
            body.pieces += 1;
        }
        Ok(())
    }

    fn delegates(
        &mut self,
        here: Here,
        parent: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let is_plain = self.is_broad() || self.is_deep();
        let issuers = if is_plain { 0 } else { 15 };
        let mut child = self.submission(None, issuers);
        let row = &self.rows.jobs[parent];
        let hosted = child.spec.hosted.as_mut().expect("all are hosted");
        let left = row.account.as_ref().map(|account| money_of(account.remaining()));
        let above = &self.family.members[parent].asked;
        let asked = if is_plain {
            fruitful()
        } else {
            some_part(&mut self.course.random, above, &left.unwrap_or_default())
        };
        let above = self.rows.jobs[parent].spec.hosted.as_ref().map(|hosted| hosted.lease.clone());
        let above = above.and_then(|lease| lease.expires_at());
        let expires_at = match (self.course.random.below(10), above) {
            (0, Some(at)) => Some(at.plus(Millis::new(1))),
            (1..4, Some(at)) => Some(at.minus(Millis::new(self.course.random.below(4_000)))),
            (4, None) => {
                Some(self.course.now().plus(Millis::new(self.course.random.below(20_000))))
            }
            _ => None,
        };
        hosted.lease = Lease::parse(&asked, expires_at).expect("a good lease");
        hosted.agent =
            (*self.course.random.pick(&["child", "child", "child", "chore", "other"])).to_owned();
        hosted.input = self.course.random.below(2).to_string();
        let most = if is_plain { 200 } else { 8 };
        let none = Denial::new(DenialCode::AgentNotAvailable, "there is none");
        let ask = Delegation {
            id: format!("part {}", self.course.random.below(most)),
            event: serde_json::json!({}),
            child: if self.course.random.chance(4) { Err(none) } else { Ok(Box::new(child)) },
        };
        let parent = parent.clone();
        let ask = Command::Delegate { parent, attempt, ask: Box::new(ask) };
        if !self.report(here, ask.clone(), system)? || self.course.random.chance(10) {
            // Whoever did not hear the answer asks again.
            return self.report(here, ask, system).map(drop);
        }
        Ok(())
    }

    pub(super) fn returns(
        &mut self,
        here: Here,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let key = (job.clone(), attempt);
        let Some(body) = self.bodies.get(&key).cloned() else { return Ok(()) };
        let error = (!body.is_good).then(|| "no".to_owned());
        let stopped = body.is_stopped.then_some(StoppedBy::Asked);
        let exit = Exit::bare(How::Returned { error, result: None }, stopped, self.course.now());
        let exited = Command::Exited { job: job.clone(), attempt, exit };
        let mut batch = vec![exited];
        // What comes in one step with the end: the end of another, whichever is first.
        if let Some(other) = self.beside(here, &key)
            && self.course.random.chance(15)
        {
            let exit = Exit::bare(How::Lost("gone".into()), None, self.course.now());
            let (job, attempt) = other.clone();
            let place = usize::from(self.course.random.chance(50));
            batch.insert(place, Command::Exited { job, attempt, exit });
            if self.step(here.host, batch, system)?.is_some() {
                self.tally.ended_together += 1;
                self.bodies.remove(&key);
                self.bodies.remove(&other);
                return Ok(());
            }
        } else if self.step(here.host, batch, system)?.is_some() {
            self.bodies.remove(&key);
            return Ok(());
        }
        self.course.later(here, 300, Next::Returns(job.clone(), attempt));
        Ok(())
    }

    /// Another body of the same process.
    fn beside(&self, here: Here, key: &(JobId, u32)) -> Option<(JobId, u32)> {
        let beside = self.bodies.iter().find(|(other, body)| *other != key && body.here == here);
        beside.map(|(other, _)| other.clone())
    }

    /// When a lease that is asked for now is over, if ever.
    pub(super) fn some_expiry(&mut self) -> Option<Timestamp> {
        let span = Millis::new(self.course.random.between(500, 30_000));
        self.course.random.chance(35).then(|| self.course.now().plus(span))
    }
}

fn piece(result: &str, seq: u64, bytes: u64) -> Entry {
    let text = r#"{"kind":"told","name":"result_chunk","body":{}}"#.to_owned();
    let piece = Piece { result: result.to_owned(), seq, bytes, is_last: false };
    Entry { text, charge: None, piece: Some(piece) }
}

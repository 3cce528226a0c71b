//! What jobs do: they begin, ask for leave, spend, delegate, give back, and end.

use super::leases::{CURRENCIES, amount, fruitful, money_of, some_part, some_target};
use super::life::{Life, Next};
use crate::sessions::Broken;
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
    is_stopped: bool,
    is_good: bool,
    /// Pieces that it has given back.
    pieces: u64,
}

impl Life {
    /// What the driver of tasks does about a want.
    pub(super) fn drive(&mut self, want: Want, system: &mut dyn System) -> Result<(), Broken> {
        let is_stop = matches!(want, Want::Stop { .. });
        let (how, job, attempt) = match want {
            Want::Start(job, attempt) if self.is_alive(&job, attempt) => return Ok(()),
            Want::Start(job, attempt) => return self.start(job, attempt, system),
            Want::Watch(job, attempt)
            | Want::Conclude(job, attempt)
            | Want::CallOff(job, attempt)
            | Want::Stop { job, attempt, .. }
                if self.is_alive(&job, attempt) =>
            {
                self.stop(job, attempt, is_stop);
                return Ok(());
            }
            Want::Watch(job, attempt) | Want::Conclude(job, attempt) => {
                (How::Lost("gone".into()), job, attempt)
            }
            Want::CallOff(job, attempt) => (How::NeverStarted(None), job, attempt),
            Want::Stop { job, attempt, .. } => {
                let row = self.rows.jobs.get(&job).and_then(|job| job.current());
                let has_begun = row.is_some_and(|attempt| attempt.started_at.is_some());
                let lost = How::Lost("gone".into());
                (if has_begun { lost } else { How::NeverStarted(None) }, job, attempt)
            }
            Want::Clean(job, _) => {
                return self.report(Command::Cleaned { job, failure: None }, system).map(drop);
            }
            Want::Purge(job, _) => {
                let failure = self.fails(20).then(|| "busy".to_owned());
                return self.report(Command::Purged { job, failure }, system).map(drop);
            }
        };
        let exit = Exit::bare(how, None, self.now());
        self.report(Command::Exited { job, attempt, exit }, system).map(drop)
    }

    /// Says one thing. Gives whether it was committed.
    fn report(&mut self, report: Command, system: &mut dyn System) -> Result<bool, Broken> {
        Ok(self.step(vec![report], system)?.is_some())
    }

    fn is_alive(&self, job: &JobId, attempt: u32) -> bool {
        self.bodies.contains_key(&(job.clone(), attempt))
    }

    fn start(&mut self, job: JobId, attempt: u32, system: &mut dyn System) -> Result<(), Broken> {
        let started = Command::Started { job: job.clone(), attempt, at: self.now(), pid: 1 };
        let Some(step) = self.step(vec![started], system)? else { return Ok(()) };
        if step.replies[0].is_err() {
            return Ok(());
        }
        let is_good = self.random.chance(70);
        self.bodies.insert((job.clone(), attempt), Body { is_stopped: false, is_good, pieces: 0 });
        let depth = self.rows.jobs[&job].spec.hosted.as_ref().map_or(0, |hosted| hosted.depth);
        let acts = self.random.below(if depth == 0 { 14 } else { 6 });
        for _ in 0..if self.is_deep() { 1 } else { acts } {
            let at = self.random.below(if self.is_deep() { 1_500 } else { 12_000 });
            self.push_in(at, Next::Acts(job.clone(), attempt, self.process));
        }
        let most = if self.seed % 10 == 6 { 90_000 } else { 25_000 };
        let at = if self.is_deep() {
            self.random.between(25_000, 60_000)
        } else {
            self.random.below(if depth == 0 { most } else { 15_000 })
        };
        self.push_in(at, Next::Returns(job, attempt, self.process));
        Ok(())
    }

    fn stop(&mut self, job: JobId, attempt: u32, is_asked: bool) {
        let Some(body) = self.bodies.get_mut(&(job.clone(), attempt)) else { return };
        if is_asked && !std::mem::replace(&mut body.is_stopped, true) {
            let after = self.random.below(1_500);
            self.push_in(after, Next::Returns(job, attempt, self.process));
        }
    }

    /// It does one thing.
    pub(super) fn acts(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        if !self.is_alive(job, attempt) {
            return Ok(());
        }
        let has_children = self.family.open(job).next().is_some();
        match if self.is_deep() { 99 } else { self.random.below(100) } {
            _ if has_children && self.random.chance(30) => self.spends(job, attempt, system),
            0..25 => self.asks_leave(job, attempt, system),
            25..55 => self.spends(job, attempt, system),
            55..66 => self.gives_piece(job, attempt, system),
            // As many as it may, at once.
            _ if self.is_broad() && self.tally.too_many == 0 => {
                (0..70).try_for_each(|_| self.delegates(job, attempt, system))
            }
            _ => self.delegates(job, attempt, system),
        }
    }

    fn asks_leave(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let (capability, target) = some_target(&mut self.random);
        self.numbered += 1;
        let call = CallMade {
            call_id: format!("call {}", self.numbered),
            tool: target.to_owned(),
            args: serde_json::Value::Null,
        };
        let call = (capability == TOOL_CALL || self.random.chance(20)).then_some(call);
        let (capability, target) = (capability.to_owned(), target.to_owned());
        let ask = Box::new(OperationAsk { capability, target, resolved: None, call });
        // Who speaks for an attempt that is over is heard no more.
        let attempt = if self.random.chance(4) { attempt + 1 } else { attempt };
        let ask = Command::AuthorizeOperation { job: job.clone(), attempt, ask };
        self.report(ask, system).map(drop)
    }

    /// Tells what it cost, whether there is so much or not.
    fn spends(&mut self, job: &JobId, attempt: u32, system: &mut dyn System) -> Result<(), Broken> {
        let mut entries = Vec::new();
        let has_children = self.family.open(job).next().is_some();
        for _ in 0..self.random.between(1, 4) {
            let currency = *self.random.pick(&CURRENCIES);
            let most =
                if self.random.chance(if has_children { 50 } else { 10 }) { 900 } else { 150 };
            let cost = amount(self.random.below(most).cast_signed());
            let currency = Currency::parse(currency).expect("a currency of this world");
            let text = r#"{"kind":"told","name":"metric","body":{"name":"cost.x"}}"#.to_owned();
            entries.push(Entry { text, charge: Some((currency, cost)), piece: None });
        }
        if self.random.chance(10) {
            // What is refused with the rest is not counted.
            entries.push(piece("another", 7, 1));
        }
        let tell = Command::Tell { job: job.clone(), attempt, entries };
        if !self.report(tell.clone(), system)? && self.random.chance(50) {
            // Not committed, so that it may be told again.
            return self.report(tell, system).map(drop);
        }
        Ok(())
    }

    fn gives_piece(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let Some(body) = self.bodies.get(&(job.clone(), attempt)) else { return Ok(()) };
        let next = body.pieces;
        let seq = match self.random.below(100) {
            0..15 => next + self.random.below(3),
            15..35 => next.saturating_sub(1),
            _ => next,
        };
        let of = if self.random.chance(6) { 1 } else { attempt };
        let mut entry = piece(&format!("result {of}"), seq, 1 + self.random.below(100));
        if let Some(piece) = &mut entry.piece {
            piece.is_last = self.random.chance(25);
            piece.bytes = if self.random.chance(5) { 1 << 21 } else { piece.bytes };
        }
        let tell = Command::Tell { job: job.clone(), attempt, entries: vec![entry] };
        let Some(step) = self.step(vec![tell], system)? else { return Ok(()) };
        if let (Ok(Reply::Done), Some(body)) =
            (&step.replies[0], self.bodies.get_mut(&(job.clone(), attempt)))
        {
            body.pieces += 1;
        }
        Ok(())
    }

    fn delegates(
        &mut self,
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
            some_part(&mut self.random, above, &left.unwrap_or_default())
        };
        let above = self.rows.jobs[parent].spec.hosted.as_ref().map(|hosted| hosted.lease.clone());
        let above = above.and_then(|lease| lease.expires_at());
        let expires_at = match (self.random.below(10), above) {
            (0, Some(at)) => Some(at.plus(Millis::new(1))),
            (1..4, Some(at)) => Some(at.minus(Millis::new(self.random.below(4_000)))),
            (4, None) => Some(self.now().plus(Millis::new(self.random.below(20_000)))),
            _ => None,
        };
        hosted.lease = Lease::parse(&asked, expires_at).expect("a good lease");
        hosted.agent =
            (*self.random.pick(&["child", "child", "child", "chore", "other"])).to_owned();
        hosted.input = self.random.below(2).to_string();
        let most = if is_plain { 200 } else { 8 };
        let none = Denial::new(DenialCode::AgentNotAvailable, "there is none");
        let ask = Delegation {
            id: format!("part {}", self.random.below(most)),
            event: serde_json::json!({}),
            child: if self.random.chance(4) { Err(none) } else { Ok(Box::new(child)) },
        };
        let parent = parent.clone();
        let ask = Command::Delegate { parent, attempt, ask: Box::new(ask) };
        if !self.report(ask.clone(), system)? || self.random.chance(10) {
            // Whoever did not hear the answer asks again.
            return self.report(ask, system).map(drop);
        }
        Ok(())
    }

    pub(super) fn returns(
        &mut self,
        job: &JobId,
        attempt: u32,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        let key = (job.clone(), attempt);
        let Some(body) = self.bodies.get(&key).cloned() else { return Ok(()) };
        let error = (!body.is_good).then(|| "no".to_owned());
        let stopped = body.is_stopped.then_some(StoppedBy::Asked);
        let exit = Exit::bare(How::Returned { error, result: None }, stopped, self.now());
        let exited = Command::Exited { job: job.clone(), attempt, exit };
        let mut batch = vec![exited];
        // What comes in one step with the end: the end of another, whichever is first.
        if let Some(other) = self.bodies.keys().find(|other| **other != key).cloned()
            && self.random.chance(15)
        {
            let exit = Exit::bare(How::Lost("gone".into()), None, self.now());
            let (job, attempt) = other.clone();
            let place = usize::from(self.random.chance(50));
            batch.insert(place, Command::Exited { job, attempt, exit });
            if self.step(batch, system)?.is_some() {
                self.tally.ended_together += 1;
                self.bodies.remove(&key);
                self.bodies.remove(&other);
                return Ok(());
            }
        } else if self.step(batch, system)?.is_some() {
            self.bodies.remove(&key);
            return Ok(());
        }
        self.push_in(300, Next::Returns(job.clone(), attempt, self.process));
        Ok(())
    }

    /// When a lease that is asked for now is over, if ever.
    pub(super) fn some_expiry(&mut self) -> Option<Timestamp> {
        let span = Millis::new(self.random.between(500, 30_000));
        self.random.chance(35).then(|| self.now().plus(span))
    }
}

fn piece(result: &str, seq: u64, bytes: u64) -> Entry {
    let text = r#"{"kind":"told","name":"result_chunk","body":{}}"#.to_owned();
    let piece = Piece { result: result.to_owned(), seq, bytes, is_last: false };
    Entry { text, charge: None, piece: Some(piece) }
}

//! One host's daemon: an inbox, a clock of its own, drivers, and an engine over the shared store.
//! Nothing in it survives a crash but where it is.

use crate::asks::{is_ask, job_of};
use crate::checkers::{Broken, Kind, Seen};
use crate::courier::{Courier, label_of};
use crate::drivers::{Answer, Drivers};
use crate::life::{Life, Next, STEPS_MAX};
use crate::outside::Later;
use crate::plan::Plan;
use crate::script::Label;
use longhaul_core::command::{Command, Place, Reply, Retention, Want};
use longhaul_core::engine::{Engine, RECONCILE_EVERY, Step};
use longhaul_core::id::{HostId, JobId};
use longhaul_core::port::StoreError;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;

/// When all lives begin.
pub(crate) const YEAR_2026: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// Commands of one batch; fewer than the engine takes, so that batches meet.
const BATCH_MAX: usize = 8;

/// A daemon, up or not.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) place: Place,
    pub(crate) is_up: bool,
    pub(crate) reports: Vec<Command>,
    pub(crate) asks: Vec<Command>,
    pub(crate) drivers: Drivers,
    pub(crate) courier: Courier,
    pub(crate) crash_after_commit: Option<(u64, i64)>,
    pub(crate) retains: bool,
    /// How far its clock is from the life's own time, in milliseconds.
    offset: i64,
    next_due: Option<Timestamp>,
    reconcile_at: u64,
    /// Until when a job's earlier wants are on their way: later ones do not overtake them.
    wants_until: BTreeMap<JobId, u64>,
}

impl Daemon {
    pub(crate) fn new(host: usize, plan: &Plan) -> Self {
        let host = HostId::parse(&format!("host_{host:026}")).expect("26 digits");
        let retention = Retention {
            keep: Millis::from_secs(60),
            keep_failed: Millis::from_secs(120),
            jobs_max: plan.jobs_max,
            bytes_max: u64::MAX,
        };
        Self {
            place: Place {
                host,
                boot: "boot0".to_owned(),
                default_slots: 2,
                retention,
                adopt_after: plan.adopt_after.map(Millis::new),
            },
            is_up: false,
            reports: Vec::new(),
            asks: Vec::new(),
            drivers: Drivers::default(),
            courier: Courier::default(),
            crash_after_commit: None,
            retains: false,
            offset: 0,
            next_due: None,
            reconcile_at: 0,
            wants_until: BTreeMap::new(),
        }
    }

    /// What its clock says.
    pub(crate) fn wall(&self, at: u64) -> Timestamp {
        let millis = i64::try_from(at).expect("a life is short") + self.offset;
        Timestamp::from_millis(YEAR_2026.as_millis() + millis)
    }

    /// When it does something by itself.
    pub(crate) fn next_at(&self) -> Option<u64> {
        let due = self.next_due.map(|due| due.as_millis() - self.offset - YEAR_2026.as_millis());
        let due = due.map(|due| u64::try_from(due).unwrap_or(0));
        self.is_up.then(|| due.unwrap_or(u64::MAX).min(self.reconcile_at))
    }

    pub(crate) const fn inbox_is_empty(&self) -> bool {
        self.reports.is_empty() && self.asks.is_empty()
    }

    pub(crate) fn crash(&mut self) {
        self.is_up = false;
        self.reports.clear();
        self.asks.clear();
        self.crash_after_commit = None;
        self.retains = false;
        self.next_due = None;
        self.wants_until.clear();
        self.drivers.watched.clear();
        self.courier.tries.clear();
    }

    pub(crate) fn come_up(&mut self, at: u64, clock: i64) {
        self.is_up = true;
        self.offset += clock;
        self.reconcile_at = at;
    }

    pub(crate) fn reboot(&mut self, boot: u32) {
        self.place.boot = format!("boot{boot}");
    }

    /// The machine slept: its clock went on and nothing else did.
    pub(crate) fn sleep(&mut self, slept: Millis) {
        if self.is_up {
            self.offset += i64::try_from(slept.get()).expect("a sleep is short");
            self.reports.insert(0, Command::Woke { slept });
        }
    }
}

impl Life<'_> {
    /// Lets a daemon do all that is to be done now.
    pub(crate) fn run_daemon(&mut self, host: usize) -> Result<(), Broken> {
        let at = self.at;
        if self.daemons[host].is_up && self.daemons[host].reconcile_at <= at {
            let every = if self.is_calm { 60_000 } else { RECONCILE_EVERY.get() };
            self.daemons[host].reconcile_at = at + every;
            let moment = self.moment(host);
            let quiet = self.daemons[host].drivers.listen(moment, &self.outside);
            self.take_answer(host, Answer { reports: quiet, later: Later::new() });
            self.one_step(host, Kind::Reconcile, Vec::new())?;
        }
        if self.daemons[host].is_up && std::mem::take(&mut self.daemons[host].retains) {
            self.one_step(host, Kind::Retain, Vec::new())?;
        }
        loop {
            let daemon = &mut self.daemons[host];
            let is_due = daemon.next_due.is_some_and(|due| due <= daemon.wall(at));
            let is_endless = self.tally.steps > STEPS_MAX;
            if !daemon.is_up || is_endless || (daemon.inbox_is_empty() && !is_due) {
                return Ok(());
            }
            let reports = daemon.reports.len().min(BATCH_MAX);
            let asks = daemon.asks.len().min(BATCH_MAX - reports);
            let batch = daemon.reports.drain(..reports).chain(daemon.asks.drain(..asks)).collect();
            self.one_step(host, Kind::Batch, batch)?;
        }
    }

    fn one_step(&mut self, host: usize, kind: Kind, batch: Vec<Command>) -> Result<(), Broken> {
        let now = self.daemons[host].wall(self.at);
        let engine = Engine::new(self.daemons[host].place.clone());
        let expected = self.commit_fault();
        let store = &mut *self.store;
        let done = match kind {
            Kind::Batch => self.system.step(&engine, store, batch.clone(), now),
            Kind::Reconcile => self.system.reconcile(&engine, store, now),
            Kind::Retain => self.system.retain(&engine, store, now),
        };
        match done {
            Ok(step) => self.committed(host, kind, batch, step, now),
            Err(error) if Some(&error) == expected.as_ref() => {
                self.failed(host, kind, batch, &error)
            }
            Err(error) => {
                let story = format!("{error} at {batch:?}");
                Err(Broken { law: "no step fails by itself", story })
            }
        }
    }

    fn commit_fault(&self) -> Option<StoreError> {
        let faults = self.commit_faults.lock();
        faults.unwrap_or_else(std::sync::PoisonError::into_inner).front().cloned()
    }

    /// Nothing was committed: asks are asked again by their askers, reports by reconciling.
    fn failed(
        &mut self,
        host: usize,
        kind: Kind,
        batch: Vec<Command>,
        error: &StoreError,
    ) -> Result<(), Broken> {
        self.tally.commits_failed += 1;
        self.trace.say(format_args!("{:>7}ms #{host} {error}", self.at));
        let rows = self.read()?;
        if !rows.is_same(&self.rows) || self.reader_head()? != self.head {
            let story = format!("{batch:?}");
            return Err(Broken { law: "a failed commit leaves nothing behind", story });
        }
        if *error == StoreError::Conflict {
            return self.one_step(host, kind, batch);
        }
        let (asks, mut reports): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_ask);
        for ask in asks {
            self.push(self.at + 1_500, Next::Ask(host, ask));
        }
        // A daemon says again what it knows itself, at once and before anything else.
        let own = |report: &Command| match report {
            Command::Woke { .. } | Command::HostUp { .. } => true,
            // The server speaks for its connections until it is understood.
            Command::Present { .. } | Command::Absent(_) => true,
            _ => false,
        };
        reports.retain(own);
        self.daemons[host].reports.splice(0..0, reports);
        // As a daemon does: not at once again, but soon.
        let soon = self.daemons[host].wall(self.at).plus(Millis::new(100));
        self.daemons[host].next_due = Some(soon);
        Ok(())
    }

    fn committed(
        &mut self,
        host: usize,
        kind: Kind,
        batch: Vec<Command>,
        step: Step,
        now: Timestamp,
    ) -> Result<(), Broken> {
        self.tally.steps += 1;
        self.tell(host, kind, &batch, &step);
        let after = self.read()?;
        let events = self.reader.events(None, self.head, u32::MAX).map_err(unreadable)?;
        let seen = Seen {
            kind,
            place: &self.daemons[host].place,
            batch: &batch,
            step: &step,
            before: &self.rows,
            after: &after,
            events: &events,
            now,
        };
        self.checkers.check(&seen, &self.outside)?;
        self.rows = after;
        self.head = step.head;
        self.daemons[host].next_due = step.next_due;
        for reply in &step.replies {
            self.tally.reply(reply);
        }
        if let Some((down, clock)) = self.daemons[host].crash_after_commit.take() {
            for ask in batch.into_iter().filter(is_ask) {
                self.push(self.at + down + 500, Next::Ask(host, ask));
            }
            self.crash(host, down, clock);
            return Ok(());
        }
        self.replied(host, batch, &step);
        for want in step.wants {
            self.hand_out(host, want);
        }
        for deliver in step.deliver {
            self.hand_over(host, deliver);
        }
        self.wake(&step.inboxes);
        Ok(())
    }

    fn replied(&mut self, host: usize, batch: Vec<Command>, step: &Step) {
        for (command, reply) in batch.into_iter().zip(&step.replies) {
            self.heard(&command, reply);
            let Ok(Reply::Submitted(jobs)) = reply else { continue };
            let first = jobs.first().map_or(Label(0), |(id, _)| Label::of(id));
            if self.is_struck(1, first, self.plan.faults.replies_lost) {
                self.push(self.at + 900, Next::Ask(host, command));
                continue;
            }
            for (id, _) in jobs {
                self.checkers.told(id);
            }
        }
    }

    fn read(&mut self) -> Result<crate::snapshot::Snapshot, Broken> {
        self.rows.read(&mut *self.reader).map_err(unreadable)
    }

    fn reader_head(&mut self) -> Result<longhaul_core::port::Position, Broken> {
        self.reader.head().map_err(unreadable)
    }

    fn tell(&mut self, host: usize, kind: Kind, batch: &[Command], step: &Step) {
        let at = self.at;
        self.trace.say(format_args!("{at:>7}ms #{host} {kind:?} due {:?}", step.next_due));
        for (command, reply) in batch.iter().zip(&step.replies) {
            let reply = reply.as_ref().map_err(ToString::to_string);
            self.trace.say(format_args!("            {command:?}\n              = {reply:?}"));
        }
        for want in &step.wants {
            self.trace.say(format_args!("              want {want:?}"));
        }
        for deliver in &step.deliver {
            self.trace.say(format_args!("              deliver {deliver:?}"));
        }
        for inbox in &step.inboxes {
            self.trace.say(format_args!("              something for {inbox}"));
        }
    }

    /// Gives a want to its driver: now, later, twice or never.
    fn hand_out(&mut self, host: usize, want: Want) {
        let (label, faults) = (Label::of(want.job()), self.plan.faults);
        if self.is_struck(2, label, faults.wants_lost) {
            self.tally.wants_lost += 1;
            return;
        }
        let late = late_by(self, 3, label, faults.wants_late, 3_000);
        let until = self.daemons[host].wants_until.entry(want.job().clone()).or_default();
        let at = (self.at + late).max(*until);
        *until = at;
        if self.is_struck(5, label, faults.wants_twice) {
            self.push(at, Next::Want(host, want.clone()));
        }
        self.push(at, Next::Want(host, want));
    }

    /// A driver acts on a want.
    pub(crate) fn drive(&mut self, host: usize, want: &Want) {
        if let Want::Purge(job, _) = want {
            // A driver keeps the order of what it reports of one job; what is gone is last.
            let is_old = |next: &Next| match next {
                Next::Report(_, report) => job_of(report) == Some(job),
                _ => false,
            };
            self.queue.retain(|_, next| !is_old(next));
        }
        let (moment, plan) = (self.moment(host), self.plan);
        let child = |job, attempt| Self::child(plan, job, attempt);
        let drivers = &mut self.daemons[host].drivers;
        let answer = drivers.answer(want, moment, &mut self.outside, child);
        self.take_answer(host, answer);
    }

    pub(crate) fn take_later(&mut self, later: Later) {
        for (after, what) in later {
            self.push(self.at + after, Next::Outside(what));
        }
    }

    /// Sends what a driver reports: now, later, twice or never.
    pub(crate) fn take_answer(&mut self, host: usize, answer: Answer) {
        self.take_later(answer.later);
        for report in answer.reports {
            self.report(host, report);
        }
    }

    pub(crate) fn report(&mut self, host: usize, report: Command) {
        let faults = self.plan.faults;
        let report = self.system.report(report);
        let label = label(&report);
        if self.is_struck(6, label, faults.reports_lost) {
            self.tally.reports_lost += 1;
            return;
        }
        let late = late_by(self, 7, label, faults.reports_late, 2_000);
        if self.is_struck(9, label, faults.reports_twice) {
            self.tally.reports_twice += 1;
            let later = self.rolled(10, label) % 20_000;
            self.push(self.at + later, Next::Report(host, report.clone()));
        }
        self.push(self.at + late, Next::Report(host, report));
    }
}

/// By how many milliseconds something is late: in `percent` of a hundred cases, less than `most`.
pub(crate) fn late_by(life: &mut Life<'_>, kind: u64, of: Label, percent: u64, most: u64) -> u64 {
    if life.is_struck(kind, of, percent) { life.rolled(kind + 1, of) % most } else { 0 }
}

/// The name under which chance is rolled for a report.
fn label(report: &Command) -> Label {
    match report {
        Command::Sent { delivery, .. }
        | Command::Delivered { delivery, .. }
        | Command::DeliveryFailed { delivery, .. } => label_of(delivery),
        report => job_of(report).map_or(Label(0), Label::of),
    }
}

pub(crate) fn unreadable(error: StoreError) -> Broken {
    Broken { law: "what was committed can be read", story: error.to_string() }
}

//! The laws of notices, checked as [`crate::mutants`] checks the others: each mutant is wrong in one
//! way, and some law must say so, within a few lives.

use crate::mutants::{Lying, surprises};
use crate::warped::Lie;
use longhaul_core::command::{Command, Reply};
use longhaul_core::delivery::Delivery;
use longhaul_core::engine::{Engine, Step};
use longhaul_core::id::DeliveryId;
use longhaul_core::job::Job;
use longhaul_core::port::{Record, Store, StoreError, Table};
use longhaul_core::time::Timestamp;
use longhaul_sim::system::System;

/// In which way notices go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amiss {
    TakesOldTriesForCurrent,
    TakesAcksOfStrangers,
    LetsStrangersSettle,
    TakesOverFromOtherProjects,
    OverhearsAbsence,
    TellsTheOldNewsOfRepeatedJobs,
    LosesADelivery,
    DeliversTwice,
    ReconcilesNoDelivery,
    TellsNobody,
    SaysTakenWhatWasRefused,
    TakesLaterForNever,
    ForgetsThePuttingOff,
    NeverGivesUp,
    SettlesOneMore,
    KeepsRemovedSinks,
    ReplacesSinksUnasked,
    TakesSentForKnown,
    ClaimsTooMuch,
}

struct Odd(Amiss);

fn delivery(store: &dyn Store, id: &DeliveryId) -> Option<Delivery> {
    let row = store.reader().ok()?.load(Table::Delivery, id.as_str()).ok()??;
    Delivery::from_row(&row).ok()
}

impl Odd {
    fn bend(&self, store: &dyn Store, command: Command) -> Command {
        let current = |id: &DeliveryId| delivery(store, id).map_or(0, |found| found.tries);
        match (self.0, command) {
            (Amiss::TakesOldTriesForCurrent, Command::Delivered { delivery, answer, .. }) => {
                let number = current(&delivery);
                Command::Delivered { delivery, number, answer }
            }
            (Amiss::TakesOldTriesForCurrent, Command::Sent { delivery, .. }) => {
                let number = current(&delivery);
                Command::Sent { delivery, number }
            }
            (Amiss::TakesAcksOfStrangers, Command::Acknowledge { owner, deliveries }) => {
                let first = deliveries.first().and_then(|id| delivery(store, id));
                let owner = first.and_then(|found| found.owner).unwrap_or(owner);
                Command::Acknowledge { owner, deliveries }
            }
            (Amiss::LetsStrangersSettle, Command::Settle { job, owner, how }) => {
                let reader = store.reader().ok();
                let row = reader.and_then(|mut reader| reader.load(Table::Job, job.as_str()).ok());
                let found = row.flatten().and_then(|row| Job::from_row(&row).ok());
                let owner = found.and_then(|job| job.owner).unwrap_or(owner);
                Command::Settle { job, owner, how }
            }
            (Amiss::TakesOverFromOtherProjects, Command::Present { presence, owner, .. }) => {
                Command::Present { presence, owner, project: Some("/w/one".to_owned()) }
            }
            (Amiss::TellsTheOldNewsOfRepeatedJobs, Command::Submit(mut jobs)) => {
                jobs.iter_mut().for_each(|job| job.retry_of = None);
                Command::Submit(jobs)
            }
            (Amiss::ReplacesSinksUnasked, Command::AddSink { sink, kind, .. }) => {
                Command::AddSink { sink, kind, replace: true }
            }
            (Amiss::TakesSentForKnown, Command::Sent { delivery: id, number }) => {
                match delivery(store, &id).and_then(|found| found.owner) {
                    Some(owner) => Command::Acknowledge { owner, deliveries: vec![id] },
                    None => Command::Sent { delivery: id, number },
                }
            }
            (Amiss::ClaimsTooMuch, Command::Claim { presence, limit }) => {
                Command::Claim { presence, limit: limit + 1 }
            }
            (_, command) => self.bend_failure(store, command),
        }
    }

    fn bend_failure(&self, store: &dyn Store, command: Command) -> Command {
        let Command::DeliveryFailed { delivery, mut number, answer, mut again_after, mut is_final } =
            command
        else {
            return command;
        };
        match self.0 {
            Amiss::TakesLaterForNever => is_final |= again_after.is_some(),
            Amiss::ForgetsThePuttingOff => again_after = None,
            Amiss::NeverGivesUp => is_final = false,
            Amiss::TakesOldTriesForCurrent => {
                number = self::delivery(store, &delivery).map_or(0, |found| found.tries);
            }
            _ => {}
        }
        Command::DeliveryFailed { delivery, number, answer, again_after, is_final }
    }

    fn is_lost(&self, command: &Command) -> bool {
        match self.0 {
            Amiss::OverhearsAbsence => matches!(command, Command::Absent(_)),
            Amiss::KeepsRemovedSinks => matches!(command, Command::RemoveSink(_)),
            _ => false,
        }
    }
}

impl System for Odd {
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let kept = batch.iter().filter(|command| !self.is_lost(command)).cloned();
        let bent: Vec<Command> = kept.map(|command| self.bend(&*store, command)).collect();
        let mut step = engine.step(store, bent, now)?;
        let mut replies = step.replies.into_iter();
        let answer = |command: &Command| {
            if self.is_lost(command) {
                return Ok(Reply::Done);
            }
            let reply = replies.next().expect("one answer to each command");
            match (self.0, reply) {
                (Amiss::SettlesOneMore, Ok(Reply::Settled(n))) => Ok(Reply::Settled(n + 1)),
                (_, reply) => reply,
            }
        };
        step.replies = batch.iter().map(answer).collect();
        match self.0 {
            Amiss::LosesADelivery => drop(step.deliver.pop()),
            Amiss::DeliversTwice => step.deliver.extend(step.deliver.clone()),
            Amiss::TellsNobody => step.inboxes.clear(),
            _ => {}
        }
        Ok(step)
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut step = engine.reconcile(store, now)?;
        if self.0 == Amiss::ReconcilesNoDelivery {
            step.deliver.clear();
        }
        Ok(step)
    }

    fn report(&mut self, report: Command) -> Command {
        match (self.0, report) {
            (
                Amiss::SaysTakenWhatWasRefused,
                Command::DeliveryFailed { delivery, number, answer, .. },
            ) => Command::Delivered { delivery, number, answer },
            (_, report) => report,
        }
    }
}

const ODD: &[(Amiss, &str)] = &[
    (Amiss::TakesOldTriesForCurrent, "replies are right"),
    (Amiss::TakesAcksOfStrangers, "notices stand as the commands left them"),
    (Amiss::LetsStrangersSettle, "replies are right"),
    (Amiss::TakesOverFromOtherProjects, "who is there is known, and nobody else"),
    (Amiss::OverhearsAbsence, "notices stand as the commands left them"),
    (Amiss::TellsTheOldNewsOfRepeatedJobs, "notices stand as the commands left them"),
    (Amiss::LosesADelivery, "what is claimed is handed to the courier at once"),
    (Amiss::DeliversTwice, "what is claimed is handed to the courier at once"),
    (Amiss::ReconcilesNoDelivery, "what is claimed is handed to the courier at once"),
    (Amiss::TellsNobody, "whoever may take something is told"),
    (Amiss::SaysTakenWhatWasRefused, "what is said to be taken was taken"),
    (Amiss::TakesLaterForNever, "notices stand as the commands left them"),
    (Amiss::ForgetsThePuttingOff, "notices stand as the commands left them"),
    (Amiss::NeverGivesUp, "notices stand as the commands left them"),
    (Amiss::SettlesOneMore, "replies are right"),
    (Amiss::KeepsRemovedSinks, "sinks stand as the commands left them"),
    (Amiss::ReplacesSinksUnasked, "replies are right"),
    (Amiss::TakesSentForKnown, "replies are right"),
    (Amiss::ClaimsTooMuch, "replies are right"),
];

const LIES: &[(Lie, &str)] = &[
    (Lie::LosesInboxRows, "every notice stays as long as its job"),
    (Lie::DoublesNotices, "every end is owed once to each who is to be told"),
    (Lie::DropsDeadLetters, "every notice stays as long as its job"),
    (Lie::KeepsNoticesOfTheRemoved, "every end is owed once to each who is to be told"),
    (Lie::ForgetsFailures, "notices stand as the commands left them"),
    (Lie::TakesLapsesForFailures, "notices stand as the commands left them"),
    (Lie::HurriesAfterFailures, "notices stand as the commands left them"),
    (Lie::FindsTheYoungestFirst, "an owner is told in order"),
    (Lie::SeesNoTries, "a sink is not asked more often at once than it may be"),
    (Lie::SeesOneMoreTry, "nothing waits for a sink that has a free try"),
    (Lie::NeverForgivesTrouble, "sinks stand as the commands left them"),
    (Lie::KeepsHolds, "who holds a notice knows it, and of no other"),
    (Lie::LosesHolds, "who holds a notice knows it, and of no other"),
    (Lie::OpensInboxesAtOnce, "replies are right"),
    (Lie::CountsOneOpenTooMany, "owners know what is open and who is there"),
    (Lie::FindsNothingOpen, "notices stand as the commands left them"),
    (Lie::FindsNoClaims, "what is claimed is handed to the courier at once"),
    (Lie::FindsNoNoticeDue, "nothing is overdue after a step"),
    (Lie::LosesSettledEntries, "folding the journal gives the rows"),
    (Lie::ForgetsWhoIsToBeTold, "a job knows when a sink was told"),
];

#[test]
fn stores_that_lie_about_notices_are_caught() {
    let surprises = surprises(LIES, 1, |lie| Box::new(Lying::new(lie)));
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[test]
fn steps_that_are_wrong_about_notices_are_caught() {
    let surprises = surprises(ODD, 1, |amiss| Box::new(Odd(amiss)));
    assert!(surprises.is_empty(), "{surprises:#?}");
}

/// One host waits for what the other had claimed, for ever.
#[test]
fn a_claim_that_only_its_own_host_ends_is_caught() {
    let table = [(Lie::FindsOwnNoticesDue, "nothing is overdue after a step")];
    let surprises = surprises(&table, 2, |lie| Box::new(Lying::new(lie)));
    assert!(surprises.is_empty(), "{surprises:#?}");
}

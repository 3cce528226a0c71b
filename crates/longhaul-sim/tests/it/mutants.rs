//! The checkers, checked: each mutant is wrong in one way, and some law must say so, within a few
//! lives. A new law arrives with the mutant that nothing else catches.

use crate::warped::{Lie, Warped};
use longhaul_core::command::{Command, Exit, How, Known, Reply, StoppedBy, Want};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::job::Job;
use longhaul_core::port::{Record, Store, StoreError, Table};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_sim::plan::Plan;
use longhaul_sim::shrink;
use longhaul_sim::system::System;
use std::collections::BTreeSet;

/// Lives that a mutant may survive, at most.
const LIVES_MAX: u64 = 40;

/// A store that lies.
pub(crate) struct Lying {
    lie: Lie,
    turns: u64,
}

impl Lying {
    pub(crate) const fn new(lie: Lie) -> Self {
        Self { lie, turns: 0 }
    }
}

impl System for Lying {
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut store = Warped { inner: store, lie: self.lie, turns: &mut self.turns };
        engine.step(&mut store, batch, now)
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut store = Warped { inner: store, lie: self.lie, turns: &mut self.turns };
        engine.reconcile(&mut store, now)
    }

    fn retain(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut store = Warped { inner: store, lie: self.lie, turns: &mut self.turns };
        engine.retain(&mut store, now).map(|(step, _)| step)
    }
}

/// In which way a step is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    TakesStaleReportsAsCurrent,
    TakesOddCodesAsSuccess,
    TakesKillsAsOwnEnds,
    LosesSubmits,
    LosesCancels,
    ForgetsForce,
    DecidesTwice,
    LosesAWant,
    WantsTwice,
    WantsUnchanged,
    ReconcilesNothing,
    AnswersBackwards,
    LivesInThePast,
    RetainsWithoutLimit,
    /// The driver says of what has begun that it has ended.
    ReportsEndsOfTheLiving,
}

struct Bent(Wrong);

impl Bent {
    fn bend(&self, store: &dyn Store, batch: Vec<Command>) -> Vec<Command> {
        batch.into_iter().filter_map(|command| self.bend_one(store, command)).collect()
    }

    fn bend_one(&self, store: &dyn Store, command: Command) -> Option<Command> {
        Some(match (self.0, command) {
            (Wrong::TakesStaleReportsAsCurrent, Command::Exited { job, exit, attempt }) => {
                let row = store.reader().ok()?.load(Table::Job, job.as_str()).ok()?;
                let current = row.and_then(|row| Job::from_row(&row).ok()).map(|job| job.attempt);
                Command::Exited { job, attempt: current.unwrap_or(attempt), exit }
            }
            (Wrong::TakesOddCodesAsSuccess, Command::Exited { job, attempt, mut exit }) => {
                if let How::Exited(code) = &mut exit.how {
                    *code = 0;
                }
                Command::Exited { job, attempt, exit }
            }
            (Wrong::TakesKillsAsOwnEnds, Command::Exited { job, attempt, exit }) => {
                let stopped = exit.stopped.filter(|by| *by != StoppedBy::Asked);
                Command::Exited { job, attempt, exit: Exit { stopped, ..exit } }
            }
            (Wrong::ForgetsForce, Command::Cancel { job, reason, tree, .. }) => {
                Command::Cancel { job, reason, by_force: false, tree }
            }
            (_, command) => command,
        })
    }
}

impl System for Bent {
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let is_lost = |command: &Command| match self.0 {
            Wrong::LosesSubmits => matches!(command, Command::Submit(_)),
            Wrong::LosesCancels => matches!(command, Command::Cancel { .. }),
            _ => false,
        };
        let bent = self.bend(&*store, batch.clone());
        let kept: Vec<Command> = bent.into_iter().filter(|command| !is_lost(command)).collect();
        let now = if self.0 == Wrong::LivesInThePast { now.minus(Millis::new(700)) } else { now };
        if self.0 == Wrong::DecidesTwice {
            engine.step(store, kept.clone(), now)?;
        }
        let mut step = engine.step(store, kept, now)?;
        let mut replies = step.replies.into_iter();
        let answer = |command: &Command| match command {
            Command::Submit(jobs) if is_lost(command) => {
                Ok(Reply::Submitted(jobs.iter().map(|job| (job.id.clone(), Known::Not)).collect()))
            }
            command if is_lost(command) => Ok(Reply::Cancelled { changed: 1 }),
            _ => replies.next().expect("one answer to each command"),
        };
        step.replies = batch.iter().map(answer).collect();
        match self.0 {
            Wrong::LosesAWant => {
                step.wants.pop();
            }
            Wrong::WantsTwice => step.wants.extend(step.wants.clone()),
            Wrong::WantsUnchanged => step.wants.extend(batch.iter().filter_map(|command| {
                let Command::Purge(job) = command else { return None };
                Some(Want::Clean(job.clone(), 1))
            })),
            Wrong::AnswersBackwards => step.replies.reverse(),
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
        if self.0 == Wrong::ReconcilesNothing {
            step.wants.clear();
        }
        Ok(step)
    }

    fn retain(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let (mut step, _) = engine.retain(store, now)?;
        if self.0 != Wrong::RetainsWithoutLimit {
            return Ok(step);
        }
        let ended = store.begin()?.oldest_ended(100)?;
        let ended = ended.iter().filter_map(|id| longhaul_core::id::JobId::parse(id).ok());
        let more = engine.step(store, ended.map(Command::Purge).collect(), now)?;
        let wants: BTreeSet<Want> = step.wants.drain(..).chain(more.wants).collect();
        Ok(Step { wants: wants.into_iter().collect(), ..more })
    }

    fn report(&mut self, report: Command) -> Command {
        match (self.0, report) {
            (Wrong::ReportsEndsOfTheLiving, Command::Started { job, attempt, at, .. }) => {
                let exit = Exit::bare(How::Exited(1), None, at);
                Command::Exited { job, attempt, exit }
            }
            (_, report) => report,
        }
    }
}

/// Which law caught it, and in which life.
fn caught(
    hosts: usize,
    mut mutant: impl FnMut() -> Box<dyn System>,
) -> Option<(&'static str, u64)> {
    (0..LIVES_MAX).find_map(|seed| {
        let broken = shrink::attempt(&Plan::new(seed, hosts), &mut *mutant(), false)?;
        Some((broken.law, seed))
    })
}

const LIES: &[(Lie, &str)] = &[
    (Lie::LosesStartedEntries, "folding the journal gives the rows"),
    (Lie::LosesDependencies, "who waits for whom is kept exactly"),
    (Lie::KeepsDependencies, "who waits for whom is kept exactly"),
    (Lie::OrdersReadyBackwards, "higher priority first, then older"),
    (Lie::SeesNobodyInSlots, "slots are kept"),
    (Lie::SeesOneMoreInSlots, "no free slot is left while a job is ready"),
    (Lie::LosesHours, "columns say what the body says"),
    (Lie::KeepsSecrets, "environments are kept until the end and no longer"),
    (Lie::FindsNothingDue, "nothing is overdue after a step"),
    (Lie::ForgetsTheNextHour, "the step says when the next is due"),
    (Lie::FindsNoLane, "nothing panics"),
    (Lie::FindsNoKey, "no step fails by itself"),
    (Lie::FindsNothingActive, "what changed is wanted at once, and nothing else"),
    (Lie::FindsNoDependents, "jobs stand as the commands left them"),
    (Lie::KeepsEntriesOfTheRemoved, "no entry outlives its job"),
    (Lie::CountsOneEndedTooMany, "retention takes no more than it must"),
    (Lie::LosesCommits, "sinks stand as the commands left them"),
    (Lie::SavesNoPools, "slots are kept"),
];

const WRONGS: &[(Wrong, &str)] = &[
    (Wrong::TakesStaleReportsAsCurrent, "replies are right"),
    (Wrong::TakesOddCodesAsSuccess, "jobs stand as the commands left them"),
    (Wrong::TakesKillsAsOwnEnds, "jobs stand as the commands left them"),
    (Wrong::LosesSubmits, "replies are right"),
    (Wrong::LosesCancels, "replies are right"),
    (Wrong::ForgetsForce, "jobs stand as the commands left them"),
    (Wrong::DecidesTwice, "replies are right"),
    (Wrong::LosesAWant, "what changed is wanted at once, and nothing else"),
    (Wrong::WantsTwice, "nothing is wanted twice in one step"),
    (Wrong::WantsUnchanged, "what changed is wanted at once, and nothing else"),
    (Wrong::ReconcilesNothing, "what changed is wanted at once, and nothing else"),
    (Wrong::AnswersBackwards, "replies are right"),
    (Wrong::LivesInThePast, "what begins gets its hour"),
    (Wrong::RetainsWithoutLimit, "retention takes no more than it must"),
    (Wrong::ReportsEndsOfTheLiving, "an attempt ends only by evidence"),
];

/// What was caught by another law than the table says, or not at all.
pub(crate) fn surprises<M: std::fmt::Debug + Copy>(
    table: &[(M, &str)],
    hosts: usize,
    system: impl Fn(M) -> Box<dyn System>,
) -> Vec<String> {
    let found = table.iter().map(|(mutant, law)| (mutant, law, caught(hosts, || system(*mutant))));
    let surprising = found.filter(|(_, law, caught)| caught.map(|(law, _)| law) != Some(**law));
    surprising.map(|(mutant, law, caught)| format!("{mutant:?}: {caught:?}, not {law}")).collect()
}

#[test]
fn stores_that_lie_are_caught() {
    let surprises = surprises(LIES, 1, |lie| Box::new(Lying::new(lie)));
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[test]
fn steps_that_are_wrong_are_caught() {
    let surprises = surprises(WRONGS, 1, |wrong| Box::new(Bent(wrong)));
    assert!(surprises.is_empty(), "{surprises:#?}");
}

/// What a person is given is a few lines, whatever the life was.
#[test]
fn the_script_of_a_failure_is_made_small() {
    let mutant = || -> Box<dyn System> { Box::new(Lying::new(Lie::KeepsSecrets)) };
    let plan = Plan::new(0, 1);
    let broken = shrink::attempt(&plan, &mut *mutant(), false).expect("this one is caught");
    let small = shrink::shrink(&plan, broken.law, mutant);
    assert!(plan.script.len() > 10 && small.script.len() <= 3, "{} lines", small.script.len());
    let again = shrink::attempt(&small, &mut *mutant(), false).map(|broken| broken.law);
    assert_eq!(again, Some(broken.law));
    let report = shrink::report(&plan, &broken, mutant);
    assert!(report.contains("seed 0 breaks: environments are kept"), "{report}");
    assert!(report.contains("submit "), "{report}");
}

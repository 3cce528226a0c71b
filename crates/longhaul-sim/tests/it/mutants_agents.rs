//! The laws of the lives of agents, checked: each mutant is wrong in one way, and some law must say so
//! within a few lives. A store that bends what is written, a transaction that finds the wrong rows, or
//! an engine that hears or answers wrongly.

use crate::bent::{Bend, Bent};
use longhaul_core::command::{Command, Reply, Want};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::port::{Store, StoreError};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::turn::{Offsets, TurnHow};
use longhaul_sim::agents::{Plan, attempt};
use longhaul_sim::system::System;

/// Lives that a mutant may survive, at most.
const LIVES_MAX: u64 = 60;

struct Bending(Bend);

impl System for Bending {
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.step(&mut Bent { inner: store, bend: self.0 }, batch, now)
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.reconcile(&mut Bent { inner: store, bend: self.0 }, now)
    }
}

/// In which way what is heard or answered is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    TakesWhatWasTaken,
    LosesEvents,
    SwapsEvents,
    ForgetsUse,
    CountsUseTwice,
    LosesConversations,
    NeverHearsAnswers,
    TakesAllEndsAsGood,
    ForgetsVerdicts,
    LosesTerminalMail,
    LosesStops,
    LosesWatches,
    StartsTwice,
    AnswersEveryCallWithYes,
    LosesAnswers,
    LosesHours,
    ParksWithoutLimit,
}

struct Hearing(Wrong);

impl Hearing {
    fn hear(&self, command: Command) -> Command {
        // Something harmless, which is answered as if the other had been heard.
        let nothing = || Command::SetPool { pool: "other".to_owned(), slots: None, paused: None };
        match (self.0, command) {
            (Wrong::LosesTerminalMail, Command::SendMail(mut letter)) if letter.turn.is_some() => {
                letter.turn = None;
                Command::SendMail(letter)
            }
            (Wrong::LosesAnswers, Command::Answer { .. }) => nothing(),
            (wrong, Command::Ingest(mut taking)) => {
                match wrong {
                    Wrong::LosesEvents => taking.events.truncate(1),
                    Wrong::SwapsEvents => taking.events.reverse(),
                    Wrong::ForgetsUse => taking.seen.used = Default::default(),
                    Wrong::CountsUseTwice => {
                        taking.seen.used = taking.seen.used.plus(&taking.seen.used);
                    }
                    Wrong::LosesConversations => taking.seen.conversation = None,
                    Wrong::NeverHearsAnswers => taking.seen.is_answered = false,
                    Wrong::TakesWhatWasTaken => taking.to = Offsets { out: 0, ..taking.to },
                    _ => {}
                }
                Command::Ingest(taking)
            }
            (wrong, Command::Exited { job, attempt, mut exit }) => {
                let end = exit.turn.as_mut();
                match (wrong, end) {
                    (Wrong::TakesAllEndsAsGood, Some(end)) => {
                        end.how = TurnHow::Done { despite: None };
                    }
                    (Wrong::ForgetsVerdicts, Some(_)) => exit.turn = None,
                    (Wrong::ParksWithoutLimit, Some(end)) => {
                        if let TurnHow::Failed { remedy, .. } = &mut end.how {
                            *remedy = longhaul_core::turn::Remedy::Stop;
                        }
                    }
                    (Wrong::LosesConversations, Some(end)) => end.conversation = None,
                    _ => {}
                }
                Command::Exited { job, attempt, exit }
            }
            (_, command) => command,
        }
    }

    fn answer(&self, mut step: Step) -> Step {
        match self.0 {
            Wrong::LosesStops => step.wants.retain(|want| !matches!(want, Want::Stop { .. })),
            Wrong::LosesWatches => step.wants.retain(|want| !matches!(want, Want::Watch(..))),
            Wrong::StartsTwice => {
                for want in &mut step.wants {
                    if let Want::Watch(job, attempt) = want {
                        *want = Want::Start(job.clone(), *attempt + 1);
                    }
                }
            }
            Wrong::AnswersEveryCallWithYes => {
                for reply in step.replies.iter_mut().flatten() {
                    if let Reply::Asked(_) | Reply::Denied { .. } = reply {
                        *reply = Reply::Allowed;
                    }
                }
            }
            Wrong::LosesHours => {
                step.next_due = step.next_due.map(|due| due.plus(Millis::from_secs(60)));
            }
            _ => {}
        }
        step
    }
}

impl System for Hearing {
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let batch = batch.into_iter().map(|command| self.hear(command)).collect();
        engine.step(store, batch, now).map(|step| self.answer(step))
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.reconcile(store, now).map(|step| self.answer(step))
    }
}

fn caught(mut system: impl System) -> Option<(u64, &'static str)> {
    (0..LIVES_MAX).find_map(|seed| {
        let broken = attempt(&Plan::new(seed, 1), &mut system).err()?;
        Some((seed, broken.law))
    })
}

const WRONGS: [Wrong; 17] = [
    Wrong::TakesWhatWasTaken,
    Wrong::LosesEvents,
    Wrong::SwapsEvents,
    Wrong::ForgetsUse,
    Wrong::CountsUseTwice,
    Wrong::LosesConversations,
    Wrong::NeverHearsAnswers,
    Wrong::TakesAllEndsAsGood,
    Wrong::ForgetsVerdicts,
    Wrong::LosesTerminalMail,
    Wrong::LosesStops,
    Wrong::StartsTwice,
    Wrong::AnswersEveryCallWithYes,
    Wrong::LosesHours,
    Wrong::ParksWithoutLimit,
    Wrong::LosesWatches,
    Wrong::LosesAnswers,
];

#[test]
fn engines_that_hear_or_answer_wrongly_are_caught_in_lives_of_agents() {
    let mut alive = Vec::new();
    for wrong in WRONGS {
        let found = caught(Hearing(wrong));
        println!("{wrong:?}: {found:?}");
        alive.extend(found.is_none().then_some(wrong));
    }
    assert!(alive.is_empty(), "{alive:?} survive {LIVES_MAX} lives");
}

#[test]
fn stores_that_bend_rows_are_caught_in_lives_of_agents() {
    let mut alive = Vec::new();
    for bend in Bend::ALL {
        let found = caught(Bending(bend));
        println!("{bend:?}: {found:?}");
        alive.extend(found.is_none().then_some(bend));
    }
    assert!(alive.is_empty(), "{alive:?} survive {LIVES_MAX} lives");
}

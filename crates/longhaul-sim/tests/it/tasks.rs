//! Lives of tasks, and engines that are wrong in one way, which must be caught in them.

use longhaul_core::command::Command;
use longhaul_core::engine::{Engine, Step};
use longhaul_core::port::{Store, StoreError};
use longhaul_core::time::Timestamp;
use longhaul_sim::system::{Honest, System};
use longhaul_sim::tasks::{Life, Tally};

/// Lives without a mutant.
const LIVES: u64 = 120;
/// Lives that a mutant may survive, at most.
const LIVES_MAX: u64 = 60;

#[test]
fn lives_of_tasks_keep_every_law() {
    let mut all = Tally::default();
    for seed in 0..LIVES {
        let tally = Life::play(seed, &mut Honest).unwrap_or_else(|broken| panic!("{broken:?}"));
        if seed % 20 == 0 {
            let again = Life::play(seed, &mut Honest);
            assert_eq!(again.as_ref(), Ok(&tally), "a seed is one life");
        }
        all.begun += tally.begun;
        all.crashes += tally.crashes;
        all.lost += tally.lost;
        all.reruns += tally.reruns;
        all.aside += tally.aside;
        all.stopped += tally.stopped;
        all.ended += tally.ended;
    }
    // A law that nothing happens to holds for nothing.
    let counts = [
        (all.begun, 8),
        (all.crashes, 1),
        (all.lost, 1),
        (all.aside, 1),
        (all.stopped, 2),
        (all.ended, 8),
    ];
    assert!(counts.iter().all(|(count, least)| *count >= least * LIVES), "{all:?}");
    assert!(all.reruns * 4 >= LIVES, "{all:?}");
}

/// In which way an engine is wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    GivesTasksToShims,
    ForgetsThatItEnded,
    TellsNoStops,
    TakesEveryKind,
    StartsAgain,
}

struct Mutant(Wrong);

impl Mutant {
    fn spoil(&self, mut step: Step) -> Step {
        use longhaul_core::command::Want;
        match self.0 {
            Wrong::GivesTasksToShims => step.wants.append(&mut step.tasks),
            Wrong::TellsNoStops => step.tasks.retain(|want| !matches!(want, Want::Stop { .. })),
            Wrong::StartsAgain | Wrong::ForgetsThatItEnded | Wrong::TakesEveryKind => {}
        }
        step
    }
}

impl System for Mutant {
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        mut batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut hidden = Vec::new();
        for command in &mut batch {
            match (self.0, &*command) {
                // As if it had not been heard: its reply says that it was.
                (Wrong::ForgetsThatItEnded, Command::Exited { .. }) => {
                    *command = Command::KindUp { kind: "once".to_owned() };
                }
                (Wrong::TakesEveryKind, Command::HostUp { .. }) => {
                    hidden.push(Command::KindUp { kind: "rare".to_owned() });
                }
                // The start is told as well, and not recorded: the body may begin again.
                (Wrong::StartsAgain, Command::Started { .. }) => {
                    *command = Command::KindUp { kind: "once".to_owned() };
                }
                _ => {}
            }
        }
        let told = batch.len();
        batch.append(&mut hidden);
        let mut step = engine.step(store, batch, now)?;
        step.replies.truncate(told);
        Ok(self.spoil(step))
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.reconcile(store, now).map(|step| self.spoil(step))
    }
}

#[test]
fn wrong_engines_are_caught_in_lives_of_tasks() {
    for wrong in [
        Wrong::GivesTasksToShims,
        Wrong::ForgetsThatItEnded,
        Wrong::TellsNoStops,
        Wrong::TakesEveryKind,
        Wrong::StartsAgain,
    ] {
        let caught = (0..LIVES_MAX).find_map(|seed| Life::play(seed, &mut Mutant(wrong)).err());
        assert!(caught.is_some(), "{wrong:?} survives {LIVES_MAX} lives");
    }
}

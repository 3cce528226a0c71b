//! Lives of in-process jobs, and mutants that must be caught in them: each is wrong in one way.

use longhaul_core::outcome::Ending;
use longhaul_core::roster::{Ask, Id, Key, OwnerName, Refused, Report, Roster, Want};
use longhaul_core::time::{Millis, Timestamp};
use longhaul_sim::roster::{Life, Straight, Tally, Under};

/// Lives without a mutant.
const LIVES: u64 = 300;
/// Lives that a mutant may survive, at most.
const LIVES_MAX: u64 = 60;

#[test]
fn lives_of_in_process_jobs_keep_every_law() {
    let mut all = Tally::default();
    for seed in 0..LIVES {
        let tally = Life::play(seed, &mut Straight).unwrap_or_else(|broken| panic!("{broken:?}"));
        assert_eq!(Life::play(seed, &mut Straight), Ok(tally), "a seed is one life");
        all.registered += tally.registered;
        all.refused += tally.refused;
        all.taken += tally.taken;
        all.failed += tally.failed;
        all.dead += tally.dead;
        all.orphans += tally.orphans;
        all.again += tally.again;
        all.anew += tally.anew;
    }
    // A law that nothing happens to holds for nothing.
    let least = Tally {
        registered: 40,
        refused: 5,
        taken: 10,
        failed: 5,
        dead: 1,
        orphans: 1,
        again: 1,
        anew: 1,
    };
    let counts = [
        (all.registered, least.registered),
        (all.refused, least.refused),
        (all.taken, least.taken),
        (all.failed, least.failed),
        (all.dead, least.dead),
        (all.orphans, least.orphans),
        (all.again, least.again),
        (all.anew, least.anew),
    ];
    assert!(counts.iter().all(|(count, least)| *count >= least * LIVES), "{all:?}");
}

/// In which way a roster is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    HasOneSlotMore,
    FreesSlotsAtCancel,
    GivesIdsAgain,
    LosesEnds,
    RunsNothingAgain,
    LosesAdmissions,
    LosesTries,
    TellsTwice,
    TellsBackwards,
    TellsAnotherTry,
    LosesAnswers,
    TakesFailuresAsTaken,
    ForgetsUnwatching,
    UnwatchesTwice,
    ForgetsTime,
    LivesInTheFuture,
    EndsTwice,
    LosesVerdicts,
    CallsOrphansGone,
    DropsTriesSilently,
}

struct Mutant(Wrong, Option<Id>);

impl Under for Mutant {
    fn register(
        &mut self,
        roster: &mut Roster,
        owner: &OwnerName,
        ask: Ask,
        now: Timestamp,
    ) -> Result<(Key, Id), Refused> {
        let is_numbered = ask.id.is_none();
        let (key, id) = roster.register(owner, ask, now)?;
        if self.0 == Wrong::GivesIdsAgain && is_numbered {
            return Ok((key, self.1.get_or_insert(id).clone()));
        }
        Ok((key, id))
    }

    fn slots(&mut self, slots: u32) -> u32 {
        slots + u32::from(self.0 == Wrong::HasOneSlotMore)
    }

    fn stop(&mut self, roster: &mut Roster, key: Key, attempt: u32, now: Timestamp) -> bool {
        let stopped = Straight.stop(roster, key, attempt, now);
        if self.0 == Wrong::FreesSlotsAtCancel {
            roster.ended(key, attempt, Report::Dropped, now);
        }
        stopped
    }

    fn ended(
        &mut self,
        roster: &mut Roster,
        key: Key,
        attempt: u32,
        report: Report,
        now: Timestamp,
    ) {
        if self.0 != Wrong::LosesEnds {
            roster.ended(key, attempt, report, now);
        }
    }

    fn told(&mut self, roster: &mut Roster, key: Key, number: u32, is_taken: bool, now: Timestamp) {
        match self.0 {
            Wrong::LosesAnswers => {}
            Wrong::TakesFailuresAsTaken => Straight.told(roster, key, number, true, now),
            _ => Straight.told(roster, key, number, is_taken, now),
        }
    }

    fn unwatch(&mut self, roster: &mut Roster, keys: &[Key], now: Timestamp) {
        match self.0 {
            Wrong::ForgetsUnwatching => {}
            Wrong::UnwatchesTwice => {
                roster.unwatch(keys, now);
                roster.unwatch(keys, now);
            }
            _ => roster.unwatch(keys, now),
        }
    }

    fn on_due(&mut self, roster: &mut Roster, now: Timestamp) {
        match self.0 {
            Wrong::ForgetsTime => {}
            Wrong::LivesInTheFuture => roster.on_due(now.plus(Millis::new(5_000))),
            _ => roster.on_due(now),
        }
    }

    fn wants(&mut self, mut wants: Vec<Want>) -> Vec<Want> {
        match self.0 {
            Wrong::RunsNothingAgain => wants.retain(|want| !matches!(want, Want::Run(..))),
            Wrong::LosesAdmissions => wants.retain(|want| !matches!(want, Want::Admit(_))),
            Wrong::LosesTries => wants.retain(|want| !matches!(want, Want::Deliver(..))),
            Wrong::LosesVerdicts => wants.retain(|want| !matches!(want, Want::Ended(..))),
            Wrong::DropsTriesSilently => wants.retain(|want| !matches!(want, Want::Abandon(..))),
            Wrong::TellsBackwards => wants.reverse(),
            Wrong::TellsTwice | Wrong::EndsTwice => {
                let is_meant = |want: &Want| match self.0 {
                    Wrong::TellsTwice => matches!(want, Want::Deliver(..)),
                    _ => matches!(want, Want::Ended(..)),
                };
                let again: Vec<Want> =
                    wants.iter().filter(|want| is_meant(want)).cloned().collect();
                wants.extend(again);
            }
            Wrong::TellsAnotherTry | Wrong::CallsOrphansGone => {
                for want in &mut wants {
                    match want {
                        Want::Deliver(_, number, _) if self.0 == Wrong::TellsAnotherTry => {
                            *number += 1;
                        }
                        Want::Ended(_, verdict) if self.0 == Wrong::CallsOrphansGone => {
                            verdict.is_orphan = false;
                            verdict.ending = Ending::Lost;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        wants
    }
}

const WRONGS: &[(Wrong, &str)] = &[
    (Wrong::HasOneSlotMore, "no more bodies run than may"),
    (Wrong::FreesSlotsAtCancel, "an end is an end or says that it is none"),
    (Wrong::GivesIdsAgain, "no number is given twice"),
    (Wrong::LosesEnds, "bodies are counted"),
    (Wrong::RunsNothingAgain, "slots are counted by bodies that are alive"),
    (Wrong::LosesAdmissions, "slots are counted by bodies that are alive"),
    (Wrong::LosesTries, "nobody waits while there is room to tell"),
    (Wrong::TellsTwice, "one try of a result at a time"),
    (Wrong::TellsBackwards, "first tries begin oldest first"),
    (Wrong::TellsAnotherTry, "what is wanted can be told"),
    (Wrong::LosesAnswers, "nobody waits while there is room to tell"),
    (Wrong::TakesFailuresAsTaken, "every end is told, fetched or a dead letter"),
    (Wrong::ForgetsUnwatching, "watchers are counted"),
    (Wrong::UnwatchesTwice, "what is watched is held back"),
    (Wrong::ForgetsTime, "every end is told, fetched or a dead letter"),
    (Wrong::LivesInTheFuture, "what is wanted can be told"),
    (Wrong::EndsTwice, "a job ends once"),
    (Wrong::LosesVerdicts, "every job ends"),
    (Wrong::CallsOrphansGone, "an end is an end or says that it is none"),
    (Wrong::DropsTriesSilently, "one try of a result at a time"),
];

/// Which law caught it first.
fn caught(wrong: Wrong) -> Option<&'static str> {
    (0..LIVES_MAX).find_map(|seed| {
        let mut mutant = Mutant(wrong, None);
        Life::play(seed, &mut mutant).err().map(|broken| broken.law)
    })
}

#[test]
fn rosters_that_are_wrong_are_caught() {
    let found = WRONGS.iter().map(|(wrong, law)| (wrong, caught(*wrong), *law));
    let surprises: Vec<String> = found
        .filter(|(_, caught, law)| *caught != Some(*law))
        .map(|(wrong, caught, law)| format!("{wrong:?}: {caught:?}, not {law}"))
        .collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
}

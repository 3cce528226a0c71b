//! Engines and stores that are wrong about sessions in one way each: all must be caught.

use crate::crooked::{Crook, Crooked};
use longhaul_core::command::{Command, Known, Reply};
use longhaul_core::engine::{Engine, Step};
use longhaul_core::job::Job;
use longhaul_core::port::{Filter, Record, Store, StoreError, Table};
use longhaul_core::session::Session;
use longhaul_core::time::Timestamp;
use longhaul_sim::sessions::Life;
use longhaul_sim::system::System;
use longhaul_store::MemoryStore;

/// Lives that a mutant may survive, at most.
const LIVES_MAX: u64 = 30;

struct Mutant {
    crook: Crook,
}

impl Mutant {
    fn spoil_batch(&self, store: &dyn Store, batch: &mut [Command]) {
        for command in batch {
            match (self.crook, command) {
                (Crook::TakesAnyToken, Command::ResumeSession(ask)) => {
                    let mut reader = store.reader().expect("memory is sound");
                    let row = reader.load(Table::Session, ask.session.as_str());
                    if let Some(row) = row.expect("memory is sound") {
                        let session = Session::from_row(&row).expect("the engine wrote it");
                        ask.token_sha256 = session.token_sha256;
                    }
                }
                (Crook::TellsNoHistory, Command::Follow { after, .. }) => *after = None,
                (Crook::TellsTooMuch, Command::Follow { after: Some(after), .. }) => {
                    *after = after.saturating_sub(1);
                }
                (Crook::OpensToAll, Command::OpenSession { is_operator, .. }) => {
                    *is_operator = true;
                }
                (Crook::HalvesWindows, Command::OpenSession { window, .. }) => {
                    *window = longhaul_core::time::Millis::new(window.get() / 2);
                }
                (Crook::AcknowledgesTooMuch, Command::AcknowledgeFeed { seq, .. }) => *seq += 9,
                _ => {}
            }
        }
    }
}

/// The ends of all connections, whoever has them.
fn detach_all(store: &dyn Store) -> Vec<Command> {
    let mut reader = store.reader().expect("memory is sound");
    let rows = reader.rows(Table::Session, None, "", u32::MAX).expect("memory is sound");
    let sessions = rows.iter().map(|row| Session::from_row(row).expect("the engine wrote it"));
    let detach = |session: Session| {
        let connection = session.connection()?.clone();
        Some(Command::DetachSession { session: session.id, connection })
    };
    sessions.filter_map(detach).collect()
}

impl Mutant {
    /// Says something else of jobs that are there already, or does.
    fn spoil_known(
        &self,
        engine: &Engine,
        store: &mut dyn Store,
        told: &[Command],
        (step, now): (&mut Step, Timestamp),
    ) -> Result<(), StoreError> {
        for (command, reply) in told.iter().zip(&mut step.replies) {
            let (Command::Submit(asked), Ok(Reply::Submitted(given))) = (command, reply) else {
                continue;
            };
            match (self.crook, given[0].1) {
                (Crook::CallsAllOpen, Known::Over) => given[0].1 = Known::Open,
                (Crook::CallsAllOver, Known::Open) => given[0].1 = Known::Over,
                (Crook::FollowsWhatIsOver, Known::Over) => {
                    let session = asked[0].session.clone().expect("a session asks");
                    let follow =
                        Command::Follow { session, job: given[0].0.clone(), after: Some(0) };
                    step.fed = engine.step(store, vec![follow], now)?.fed;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl System for Mutant {
    fn believes_its_eyes(&self) -> bool {
        self.crook == Crook::BelievesItsEyes
    }

    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        mut batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        self.spoil_batch(store, &mut batch);
        let (count, told) = (batch.len(), batch.clone());
        if self.crook == Crook::DetachesAll
            && batch.iter().any(|command| matches!(command, Command::HostUp { .. }))
        {
            batch.extend(detach_all(store));
        }
        let mut store = Crooked { inner: store, crook: self.crook };
        let mut step = engine.step(&mut store, batch, now)?;
        step.replies.truncate(count);
        self.spoil_known(engine, &mut store, &told, (&mut step, now))?;
        if self.crook == Crook::AsksOthers {
            let mut reader = store.reader()?;
            for row in reader.list(&Filter::default(), None, u32::MAX)? {
                let job = Job::from_row(&row).expect("the engine wrote it");
                step.tasks.extend(job.wants("boot"));
            }
        }
        if self.crook == Crook::WakesNobody {
            step.fed.clear();
        }
        Ok(step)
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut store = Crooked { inner: store, crook: self.crook };
        engine.reconcile(&mut store, now)
    }
}

#[test]
fn engines_that_are_wrong_about_sessions_are_caught() {
    for crook in Crook::ALL {
        let caught = (0..LIVES_MAX).find_map(|seed| {
            let mut mutant = Mutant { crook };
            Life::play(seed, Box::new(MemoryStore::new()), &mut mutant).err()
        });
        let caught = caught.unwrap_or_else(|| panic!("{crook:?} survives {LIVES_MAX} lives"));
        println!("{crook:?}: {} (seed {})", caught.law, caught.seed);
    }
}

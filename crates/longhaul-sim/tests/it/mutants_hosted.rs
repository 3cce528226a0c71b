//! Engines and stores that are wrong about hosted jobs in one way each: all must be caught.

use crate::skewed::{Skew, Skewed};
use longhaul_core::amounts::{Amount, Currency};
use longhaul_core::command::{Command, Reply};
use longhaul_core::credential::{Credential, Made};
use longhaul_core::delegation::DenialCode;
use longhaul_core::engine::{Engine, Step};
use longhaul_core::lease::{Asked, FS_READ, Lease};
use longhaul_core::port::{Record, Store, StoreError, Table};
use longhaul_core::time::Timestamp;
use longhaul_sim::hosted::Life;
use longhaul_sim::system::System;
use longhaul_store::MemoryStore;

/// Lives that a mutant may survive, at most.
const LIVES_MAX: u64 = 40;

fn nothing() -> Made {
    Made { handle: None, shown: "{}".into(), sealed: "nothing".into(), rotate_after: None }
}

struct Mutant {
    skew: Skew,
}

impl Mutant {
    fn spoil_batch(&self, store: &dyn Store, batch: &mut [Command]) {
        for command in batch {
            if let (Skew::BelievesFailures, Command::MintFailed { credential, number, .. }) =
                (self.skew, &*command)
            {
                let (credential, number) = (credential.clone(), *number);
                *command = Command::Minted { credential, number, made: Box::new(nothing()) };
            }
            match (self.skew, command) {
                (Skew::ChargesTwice, Command::Tell { entries, .. }) => {
                    let again: Vec<_> =
                        entries.iter().filter(|it| it.charge.is_some()).cloned().collect();
                    entries.extend(again);
                }
                (Skew::ChargesLess, Command::Tell { entries, .. }) => {
                    for entry in entries {
                        entry.charge =
                            entry.charge.as_ref().map(|_| (Currency::usd(), Amount::ZERO));
                    }
                }
                (Skew::WidensLeases, Command::Delegate { ask, .. }) => {
                    if let Some(hosted) =
                        ask.child.as_mut().ok().and_then(|child| child.spec.hosted.as_mut())
                    {
                        let all = Asked::from([(FS_READ.to_owned(), vec!["/**".to_owned()])]);
                        hosted.lease = Lease::parse(&all, None).expect("a good lease");
                    }
                }
                (
                    Skew::TakesStaleReports,
                    Command::Minted { credential, number, .. }
                    | Command::MintFailed { credential, number, .. }
                    | Command::Revoked { credential, number }
                    | Command::RevokeFailed { credential, number, .. },
                ) => {
                    let mut reader = store.reader().expect("memory is sound");
                    let row = reader.load(Table::Credential, credential.as_str());
                    if let Some(row) = row.expect("memory is sound") {
                        *number = Credential::from_row(&row).expect("the engine wrote it").number;
                    }
                }
                (Skew::GivesToAll, Command::OpenSession { features, .. }) => {
                    features.insert("provisioned_credentials".to_owned());
                }
                _ => {}
            }
        }
    }

    fn spoil_step(&self, batch: &[Command], step: &mut Step) {
        for (command, reply) in batch.iter().zip(&mut step.replies) {
            match (self.skew, command) {
                (Skew::AllowsAll, Command::AuthorizeOperation { .. }) => {
                    *reply = Ok(Reply::Allowed)
                }
                (Skew::DeniesAll, Command::AuthorizeOperation { .. }) => {
                    let (code, reason) = (DenialCode::PermissionDenied, "no".to_owned());
                    *reply = Ok(Reply::Denied { code, reason });
                }
                _ => {}
            }
        }
        if self.skew == Skew::WantsNothing {
            step.issue.clear();
        }
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
        self.spoil_batch(store, &mut batch);
        let mut store = Skewed { inner: store, skew: self.skew };
        let mut step = engine.step(&mut store, batch.clone(), now)?;
        self.spoil_step(&batch, &mut step);
        if self.skew == Skew::TriesForOthers {
            let mut reader = store.reader()?;
            for row in reader.rows(Table::Credential, None, "", u32::MAX)? {
                let row = Credential::from_row(&row).expect("the engine wrote it");
                step.issue.extend(row.host.as_ref().and_then(|host| row.wants(host)));
            }
        }
        Ok(step)
    }

    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut store = Skewed { inner: store, skew: self.skew };
        engine.reconcile(&mut store, now)
    }
}

#[test]
fn engines_that_are_wrong_about_hosted_jobs_are_caught() {
    let mut survive = Vec::new();
    for skew in Skew::ALL {
        let caught = (0..LIVES_MAX).find_map(|seed| {
            let mut mutant = Mutant { skew };
            Life::play(seed, Box::new(MemoryStore::new()), &mut mutant).err()
        });
        match caught {
            Some(caught) => println!("{skew:?}: {} (seed {})", caught.law, caught.seed),
            None => survive.push(skew),
        }
    }
    assert_eq!(survive, [], "after {LIVES_MAX} lives");
}

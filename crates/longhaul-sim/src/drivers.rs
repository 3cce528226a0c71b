//! One host's drivers: they answer wants by the evidence in the folders, and know nothing else. What
//! they have in memory is lost in a crash.

use crate::outside::{Evidence, Key, Later, Outside};
use crate::script::{Child, Label};
use longhaul_core::command::{Command, How, Want};
use longhaul_core::id::JobId;
use longhaul_core::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Failures from here on are as good as endless.
const UNCLEAN_FOR_EVER: u32 = 100;

/// The drivers of one host.
#[derive(Debug, Default)]
pub(crate) struct Drivers {
    /// Attempts that are watched.
    pub(crate) watched: BTreeSet<Key>,
    /// How often cleaning up was tried.
    pub(crate) cleanings: BTreeMap<JobId, u32>,
}

/// When and where a driver acts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// At which host.
    pub(crate) host: usize,
    /// Milliseconds after the life began.
    pub(crate) at: u64,
    /// What the host's clock says.
    pub(crate) wall: Timestamp,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What is reported.
    pub(crate) reports: Vec<Command>,
    /// What follows outside.
    pub(crate) later: Later,
}

impl Drivers {
    /// Makes a want true, or sees that it is.
    pub(crate) fn answer(
        &mut self,
        want: &Want,
        moment: Moment,
        outside: &mut Outside,
        child: impl Fn(Label, u32) -> Child,
    ) -> Answer {
        match want {
            Want::Clean(job, _) => self.clean(job, &child(Label::of(job), 1)),
            // What can never be cleaned cannot be removed either.
            Want::Purge(job, _) if child(Label::of(job), 1).unclean >= UNCLEAN_FOR_EVER => {
                let failure = Some("it is busy".to_owned());
                reported(Command::Purged { job: job.clone(), failure })
            }
            Want::Purge(job, _) => {
                outside.folders.retain(|(of, _), _| of != job);
                self.watched.retain(|(of, _)| of != job);
                reported(Command::Purged { job: job.clone(), failure: None })
            }
            Want::Start(job, attempt)
            | Want::Watch(job, attempt)
            | Want::Conclude(job, attempt)
            | Want::CallOff(job, attempt)
            | Want::Stop { job, attempt, .. } => {
                let key = (job.clone(), *attempt);
                self.watched.insert(key.clone());
                self.about(want, &key, moment, outside, child)
            }
        }
    }

    fn about(
        &self,
        want: &Want,
        key: &Key,
        moment: Moment,
        outside: &mut Outside,
        child: impl Fn(Label, u32) -> Child,
    ) -> Answer {
        let folder = outside.folders.get(key);
        let evidence = folder.map_or(Evidence::NeverBegun, |folder| folder.evidence());
        match (want, evidence) {
            (_, Evidence::Over | Evidence::Orphaned) | (Want::Conclude(..), _) => {
                conclude(key, moment, outside)
            }
            (Want::Start(..), Evidence::NeverBegun) => {
                let child = child(Label::of(&key.0), key.1);
                Answer { reports: Vec::new(), later: outside.launch(key, moment.host, &child) }
            }
            (Want::CallOff(..) | Want::Stop { .. }, Evidence::NeverBegun) => {
                let unlaunched = Child { launch: None, ..child(Label::of(&key.0), key.1) };
                outside.launch(key, moment.host, &unlaunched);
                let folder = outside.folders.get_mut(key).expect("launching makes it");
                folder.write(How::NeverStarted(Some("it was called off".to_owned())), None);
                conclude(key, moment, outside)
            }
            (Want::Stop { by_force, .. }, Evidence::Runs | Evidence::Holds) => {
                Answer { reports: Vec::new(), later: outside.signal(key, *by_force) }
            }
            (Want::Start(..) | Want::Watch(..) | Want::CallOff(..), Evidence::Runs) => {
                let (at, pid) = (moment.wall, key.1);
                reported(Command::Started { job: key.0.clone(), attempt: key.1, at, pid })
            }
            (_, Evidence::Holds | Evidence::NeverBegun) | (_, Evidence::Runs) => Answer::default(),
        }
    }

    /// A hint came, or it is time to look: reports what there is to see of a watched attempt.
    pub(crate) fn look(&self, key: &Key, moment: Moment, outside: &mut Outside) -> Answer {
        if !self.watched.contains(key) {
            return Answer::default();
        }
        let Some(folder) = outside.folders.get(key) else { return Answer::default() };
        match folder.evidence() {
            Evidence::Over | Evidence::Orphaned => conclude(key, moment, outside),
            Evidence::Runs => {
                let (at, pid) = (moment.wall, key.1);
                reported(Command::Started { job: key.0.clone(), attempt: key.1, at, pid })
            }
            Evidence::Holds | Evidence::NeverBegun => Answer::default(),
        }
    }

    /// Reports the attempts of this host that show no sign of life.
    pub(crate) fn listen(&self, moment: Moment, outside: &Outside) -> Vec<Command> {
        let quiet = self.watched.iter().filter_map(|key| {
            let folder = outside.folders.get(key).filter(|folder| folder.host == moment.host)?;
            let span = moment.at.checked_sub(folder.quiet_since()?)?;
            let (job, attempt) = key.clone();
            Some(Command::Quiet { job, attempt, span: Millis::new(span) })
        });
        quiet.collect()
    }

    fn clean(&mut self, job: &JobId, child: &Child) -> Answer {
        let tries = self.cleanings.entry(job.clone()).or_default();
        *tries += 1;
        let failure = (*tries <= child.unclean).then(|| format!("try {tries} failed"));
        reported(Command::Cleaned { job: job.clone(), failure })
    }
}

/// Reports how an attempt ended; for one that nobody holds, makes sure of the end first.
fn conclude(key: &Key, moment: Moment, outside: &mut Outside) -> Answer {
    let lost = How::Lost("no record of its end".to_owned());
    let exit = match outside.folders.get_mut(key) {
        Some(folder) => {
            if folder.record.is_none() {
                folder.write(lost, None);
            }
            folder.exit(moment.wall).expect("it was written above if it was not there")
        }
        None => {
            let child = Child::absent();
            outside.launch(key, moment.host, &child);
            return conclude(key, moment, outside);
        }
    };
    reported(Command::Exited { job: key.0.clone(), attempt: key.1, exit })
}

fn reported(report: Command) -> Answer {
    Answer { reports: vec![report], later: Vec::new() }
}

//! Issuers of credentials, and the driver that asks them: what they do when they are asked, hear
//! half, hear nothing, or are asked by a process that is dead by then.

use super::life::{Life, Next};
use super::vault::goes_on;
use crate::course::{Broken, Here};
use crate::system::System;
use longhaul_core::command::Command;
use longhaul_core::credential::{Issue, Made};
use longhaul_core::id::CredentialId;
use longhaul_core::limits;
use longhaul_core::time::Millis;
use std::collections::BTreeMap;

/// The longest that what nobody waits for any more may take to come to something. A try that is made
/// when that may still be must not be the last.
const LATE_MAX: u64 = limits::MINT_DOUBT_MAX.get() - limits::ISSUE_MAX.get();

/// What there is outside, and what the driver is at.
#[derive(Clone, Debug, Default)]
pub(super) struct Issuer {
    /// What is good for something, by the name under which issuers find it again.
    pub(super) keys: BTreeMap<CredentialId, u64>,
    /// What goes on at each host, and what follows if something else is wanted by now.
    under_way: BTreeMap<(usize, CredentialId), (Issue, Option<Issue>)>,
}

impl Issuer {
    /// The process that asked is dead. What it asked for may come to something all the same.
    pub(super) fn forget(&mut self, host: usize) {
        self.under_way.retain(|(of, _), _| *of != host);
    }
}

/// What comes of a try: when it takes effect, if it does, and what is heard of it, and when.
struct Course {
    takes: Option<u64>,
    heard: u64,
    is_good: bool,
    is_final: bool,
}

impl Life {
    /// Until when issuers revoke nothing, in lives of such issuers.
    pub(super) fn stubborn_until(&self) -> u64 {
        const HOUR: u64 = 3_600_000;
        match self.course.seed % 12 {
            5 => u64::MAX,
            8 => 38 * HOUR,
            11 => 3 * HOUR,
            _ => 0,
        }
    }

    pub(super) fn issue(&mut self, here: Here, wanted: Issue) {
        let key = (here.host, wanted.credential().clone());
        match self.issuer.under_way.get_mut(&key) {
            Some((goes_on, _)) if *goes_on == wanted => {}
            Some((_, next)) => *next = Some(wanted),
            None => self.begin(here, wanted),
        }
    }

    fn begin(&mut self, here: Here, wanted: Issue) {
        // The row is read first: what was wanted a moment ago may be done.
        let row = self.rows.credentials.get(wanted.credential());
        if row.and_then(goes_on).as_ref() != Some(&wanted) {
            return;
        }
        let key = (here.host, wanted.credential().clone());
        self.issuer.under_way.insert(key, (wanted.clone(), None));
        let course = match &wanted {
            Issue::Mint(..) => self.minting(),
            Issue::Revoke(..) => self.revoking(),
        };
        self.course.numbered += 1;
        if let Some(after) = course.takes {
            self.course.after(after, Next::Takes(wanted.clone(), self.course.numbered));
        }
        let report = self.report_of(&wanted, &course);
        self.course.later(here, course.heard, Next::Tried(wanted, Box::new(report)));
    }

    fn minting(&mut self) -> Course {
        let soon = self.course.random.below(1_500);
        let good = Course { takes: Some(soon), heard: soon, is_good: true, is_final: false };
        match if self.course.is_calm() { 0 } else { self.course.random.below(100) } {
            0..58 => good,
            58..70 => {
                let is_final = self.course.random.chance(20);
                Course { takes: None, is_good: false, is_final, ..good }
            }
            // It was made, and the answer cannot be read.
            70..78 => Course { is_good: false, ..good },
            78..90 => {
                self.tally.unheard += 1;
                let heard = limits::ISSUE_MAX.get();
                let takes = self
                    .course
                    .random
                    .chance(70)
                    .then(|| heard + self.course.random.below(LATE_MAX - heard));
                Course { takes, heard, is_good: false, is_final: false }
            }
            _ => {
                let slow = self.course.random.between(3_000, limits::ISSUE_MAX.get());
                Course { takes: Some(slow), heard: slow, ..good }
            }
        }
    }

    fn revoking(&mut self) -> Course {
        let soon = self.course.random.below(1_500);
        let good = Course { takes: Some(soon), heard: soon, is_good: true, is_final: false };
        if self.course.at < self.stubborn_until() {
            return Course { takes: None, is_good: false, ..good };
        }
        match if self.course.is_calm() { 0 } else { self.course.random.below(100) } {
            0..65 => good,
            65..80 => Course { takes: None, is_good: false, ..good },
            80..90 => Course { is_good: false, ..good },
            _ => {
                Course { heard: self.course.random.between(3_000, limits::ISSUE_MAX.get()), ..good }
            }
        }
    }

    fn report_of(&mut self, wanted: &Issue, course: &Course) -> Command {
        let (credential, number) = (wanted.credential().clone(), wanted.number());
        let problem = "no".to_owned();
        match (wanted, course.is_good) {
            (Issue::Mint(..), true) => {
                let rotate_after = self.course.random.chance(50).then_some(Millis::new(1));
                let sealed = format!("value {}", self.course.numbered);
                let made = Made { handle: None, shown: "{}".to_owned(), sealed, rotate_after };
                Command::Minted { credential, number, made: Box::new(made) }
            }
            (Issue::Mint(..), false) => {
                Command::MintFailed { credential, number, problem, is_final: course.is_final }
            }
            (Issue::Revoke(..), true) => Command::Revoked { credential, number },
            (Issue::Revoke(..), false) => Command::RevokeFailed { credential, number, problem },
        }
    }

    /// What was asked of an issuer comes to something, whoever hears of it.
    pub(super) fn takes(&mut self, wanted: &Issue, value: u64) {
        match wanted {
            Issue::Mint(credential, _) => drop(self.issuer.keys.insert(credential.clone(), value)),
            Issue::Revoke(credential, _) => drop(self.issuer.keys.remove(credential)),
        }
    }

    /// The driver has heard how a try went. What is not committed of it is wanted again.
    pub(super) fn tried(
        &mut self,
        here: Here,
        wanted: &Issue,
        report: Command,
        system: &mut dyn System,
    ) -> Result<(), Broken> {
        if self.course.fails(15) {
            let late = self.course.random.below(5_000);
            self.course.later(here, late, Next::Late(Box::new(report.clone())));
        }
        self.step(here.host, vec![report], system)?;
        let key = (here.host, wanted.credential().clone());
        let next = self.issuer.under_way.remove(&key).and_then(|(_, next)| next);
        if let Some(next) = next {
            self.begin(here, next);
        }
        Ok(())
    }
}

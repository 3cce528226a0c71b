//! Laws about credentials: no job goes on without its own, and none is good for anything after that.

use super::life::Life;
use super::rows::{Entry, Rows};
use crate::course::Broken;
use longhaul_core::command::Command;
use longhaul_core::credential::{Credential, CredentialState, Issue};
use longhaul_core::engine::Step;
use longhaul_core::event::Fact;
use longhaul_core::id::CredentialId;
use longhaul_core::job::{Job, JobState};
use longhaul_core::limits;
use longhaul_core::outcome::Reason;
use std::collections::BTreeMap;

/// What was reported of credentials, apart from their rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Vault {
    /// Reports in a row that one was not revoked.
    failures: BTreeMap<CredentialId, u32>,
    /// What was made of each that is good.
    sealed: BTreeMap<CredentialId, String>,
}

/// Whether it is being tried now, and until when that is waited for; none for what nobody tries.
fn tries(of: &Credential) -> Option<(bool, u64)> {
    match of.state {
        CredentialState::Minting { again_at, is_trying }
        | CredentialState::Revoking { again_at, is_trying } => {
            Some((is_trying, u64::try_from(again_at.as_millis()).unwrap_or(0)))
        }
        CredentialState::Active { .. } | CredentialState::Revoked | CredentialState::Stuck => None,
    }
}

/// The try that goes on.
pub(super) fn goes_on(of: &Credential) -> Option<Issue> {
    let (is_trying, _) = tries(of)?;
    let mint = matches!(of.state, CredentialState::Minting { .. });
    let (id, number) = (of.id.clone(), of.number);
    let issue = if mint { Issue::Mint(id, number) } else { Issue::Revoke(id, number) };
    is_trying.then_some(issue)
}

impl Life {
    /// A report that came alone is taken if it is about the try that goes on.
    pub(super) fn heard(
        &mut self,
        before: &Rows,
        command: &Command,
        is_taken: bool,
    ) -> Result<(), Broken> {
        let about = match command {
            Command::Minted { credential, number, .. }
            | Command::MintFailed { credential, number, .. } => {
                Issue::Mint(credential.clone(), *number)
            }
            Command::Revoked { credential, number }
            | Command::RevokeFailed { credential, number, .. } => {
                Issue::Revoke(credential.clone(), *number)
            }
            _ => return Ok(()),
        };
        let known = before.credentials.get(about.credential()).and_then(goes_on);
        self.tally.reports_stale += u64::from(!is_taken);
        self.holds(
            "only reports about the try that goes on are taken",
            is_taken == (known.as_ref() == Some(&about)),
            || format!("{about:?} was taken: {is_taken}, and {known:?} goes on"),
        )
    }

    /// After a step.
    pub(super) fn credentials(
        &mut self,
        (before, host): (&Rows, usize),
        batch: &[Command],
        step: &Step,
        written: &[Entry],
    ) -> Result<(), Broken> {
        for (command, _) in batch.iter().zip(&step.replies).filter(|(_, reply)| reply.is_ok()) {
            self.remember(command);
        }
        for (id, row) in &self.rows.credentials {
            let was = before.credentials.get(id);
            if was != Some(row) {
                let (wants, known) = (goes_on(row), was.and_then(goes_on));
                let is_wanted =
                    wants.iter().all(|it| known.as_ref() == Some(it) || step.issue.contains(it));
                self.holds("what a step begins to try it wants", is_wanted, || {
                    format!("{row:?}, and wanted is {:?}", step.issue)
                })?;
            }
            let is_others = row.host.as_ref().is_some_and(|of| of != self.course.id(host));
            self.holds(
                "what one host tries nobody else changes",
                !is_others || was == Some(row),
                || format!("{was:?} is {row:?} after a step of host {host}"),
            )?;
            let is_kept =
                row.sealed.as_ref() == self.vault.sealed.get(id).filter(|_| row.is_active());
            self.holds("what was made is kept while it is good", is_kept, || format!("{row:?}"))?;
            // What another host tries is for that one to look after.
            let is_own = row.host.as_ref().is_none_or(|of| of == self.course.id(host));
            let is_late = is_own && tries(row).is_some_and(|(_, at)| at <= self.course.at);
            self.holds("no try is overdue", !is_late, || format!("{row:?}"))?;
            let is_of_use = row.is_active() || row.is_minting();
            let is_over = self.rows.is_over(&row.job);
            self.holds("credentials end with their job", !(is_of_use && is_over), || {
                format!("{row:?}")
            })?;
            let is_stuck = row.state == CredentialState::Stuck;
            let failures = self.vault.failures.get(id).copied().unwrap_or(0);
            let is_right = !is_stuck || failures >= limits::REVOKE_TRIES_MAX;
            self.holds("what is stuck was tried often enough", is_right, || format!("{row:?}"))?;
        }
        for job in self.rows.open().filter(|job| !job.issuers().is_empty()) {
            self.provided(job)?;
        }
        self.count_credentials(written);
        Ok(())
    }

    fn remember(&mut self, command: &Command) {
        match command {
            Command::Minted { credential, made, .. } => {
                self.vault.sealed.insert(credential.clone(), made.sealed.clone());
            }
            Command::RevokeFailed { credential, .. } => {
                *self.vault.failures.entry(credential.clone()).or_default() += 1;
            }
            Command::Revoked { credential, .. } => {
                self.vault.failures.remove(credential);
            }
            _ => {}
        }
    }

    /// A job that has begun has one good credential of each issuer; who has all of them begins.
    fn provided(&self, job: &Job) -> Result<(), Broken> {
        let mut good: BTreeMap<&str, u32> = BTreeMap::new();
        for row in self.rows.credentials.values() {
            if row.job == job.id && row.is_active() {
                *good.entry(&row.issuer).or_default() += 1;
            }
        }
        let has_all = job.issuers().iter().all(|issuer| good.get(issuer.as_str()) == Some(&1));
        if let JobState::Preparing { .. } = job.state {
            let since = u64::try_from(job.submitted_at.as_millis()).unwrap_or(0);
            // A machine that sleeps makes nothing.
            let is_late = self.course.at >= since + limits::PREPARING_MAX.get() + self.slept;
            return self.holds(
                "nobody waits for credentials for ever",
                !has_all && !is_late,
                || format!("{} has {good:?}", job.id),
            );
        }
        self.holds("no job goes on without its credentials", has_all, || {
            format!("{} is {:?} and has {good:?}", job.id, job.state)
        })
    }

    fn count_credentials(&mut self, written: &[Entry]) {
        for entry in written {
            let tally = &mut self.tally;
            match &entry.fact {
                Fact::CredentialMinted { .. } => tally.minted += 1,
                Fact::CredentialFailed { again_at: Some(_), .. } => tally.mints_failed += 1,
                Fact::CredentialFailed { again_at: None, .. } => tally.mints_given_up += 1,
                Fact::CredentialRotated { .. } => tally.rotated += 1,
                Fact::CredentialRevoked { .. } => tally.revoked += 1,
                Fact::Ended { outcome } if outcome.reason == Some(Reason::Credentials) => {
                    tally.without_credentials += 1;
                }
                _ => {}
            }
        }
    }

    /// When everybody has left: nothing is good any more but what a person can see to be.
    pub(super) fn nothing_is_good(&mut self) -> Result<(), Broken> {
        let stuck = |row: &Credential| row.state == CredentialState::Stuck;
        let other = self.rows.credentials.values().find(|row| !stuck(row));
        self.holds("credentials are revoked, or stuck", other.is_none(), || format!("{other:?}"))?;
        let is_seen = |id: &CredentialId| self.rows.credentials.contains_key(id);
        let hidden = self.issuer.keys.keys().find(|id| !is_seen(id));
        self.holds("nothing is good that nobody sees", hidden.is_none(), || format!("{hidden:?}"))?;
        self.tally.stuck += self.rows.credentials.len() as u64;
        Ok(())
    }
}

//! The law of the audit: whatever was decided about a right, or became of a credential, is written down
//! once, and nothing else is.

use super::life::Life;
use super::rows::{Entry, Rows};
use crate::course::Broken;
use longhaul_core::command::{Command, Known, Refused, Reply};
use longhaul_core::credential::CredentialState;
use longhaul_core::engine::Step;
use longhaul_core::event::Fact;
use longhaul_core::id::CredentialId;
use longhaul_core::lease::TOOL_CALL;
use std::collections::BTreeMap;

/// How often what is written down, by the names of facts.
type Written = BTreeMap<&'static str, usize>;

/// The facts that this law is about. What was told of a tool call is one of them, for it is what there
/// is about that.
fn name_of(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::OperationDecided { .. }
        | Fact::Delegated { .. }
        | Fact::CredentialMinted { .. }
        | Fact::CredentialFailed { .. }
        | Fact::CredentialRotated { .. }
        | Fact::CredentialRevoked { .. }
        | Fact::CredentialStuck { .. } => Some(fact.name()),
        Fact::Told { decided: true, .. } => Some("told"),
        _ => None,
    }
}

impl Life {
    /// After a step.
    pub(super) fn audited(
        &mut self,
        before: &Rows,
        batch: &[Command],
        step: &Step,
        written: &[Entry],
    ) -> Result<(), Broken> {
        let mut is = Written::new();
        for name in written.iter().filter_map(|entry| name_of(&entry.fact)) {
            *is.entry(name).or_default() += 1;
        }
        let mut should = Written::new();
        for (command, reply) in batch.iter().zip(&step.replies) {
            for name in self.leaves(before, command, reply) {
                *should.entry(name).or_default() += 1;
            }
        }
        self.tally.audited += is.values().sum::<usize>() as u64;
        self.holds("what was decided is written down once", is == should, || {
            format!("{batch:?} left {is:?}, should {should:?}: {written:?}")
        })
    }

    /// What a command that was answered so should have left.
    fn leaves(
        &self,
        before: &Rows,
        command: &Command,
        reply: &Result<Reply, Refused>,
    ) -> Vec<&'static str> {
        let Ok(reply) = reply else { return Vec::new() };
        let is_state = |id: &CredentialId, is: fn(&CredentialState) -> bool| {
            self.rows.credentials.get(id).is_some_and(|row| is(&row.state))
        };
        match command {
            Command::AuthorizeOperation { ask, .. } => {
                let is_call = ask.call.is_some() && ask.capability == TOOL_CALL;
                let told = ask.call.as_ref().map(|_| "told");
                told.into_iter().chain((!is_call).then_some("operation_decided")).collect()
            }
            Command::Delegate { .. } => match reply {
                Reply::Submitted(given) if given[0].1 != Known::Not => Vec::new(),
                _ => vec!["delegated"],
            },
            Command::Minted { credential, .. } => {
                let row = before.credentials.get(credential);
                let is_rotated = row.is_some_and(|row| row.replaces.is_some());
                let rotated = is_rotated.then_some("credential_rotated");
                rotated.into_iter().chain(["credential_minted"]).collect()
            }
            Command::MintFailed { .. } => vec!["credential_failed"],
            Command::Revoked { credential, .. } => {
                // It is looked for once more where something may still come of a try.
                let is_open =
                    is_state(credential, |is| matches!(is, CredentialState::Revoking { .. }));
                (!is_open).then_some("credential_revoked").into_iter().collect()
            }
            Command::RevokeFailed { credential, .. } => {
                let is_stuck = is_state(credential, |is| *is == CredentialState::Stuck);
                is_stuck.then_some("credential_stuck").into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

//! A credential that was made for one job: minted before the job may start, revoked when it is over,
//! however that came. Its value is sealed by whoever mints it; core never sees it.
//!
//! ```text
//!  Minting ──minted──► Active ──the job ended, another took its place──► Revoking ──revoked──► Revoked
//!     │ failed: again                                                  ▲  │ failed: again     │
//!     └──failed for good, the job ended────────────────────────────────┘  └──too often──► Stuck
//! ```
//! Every report carries the number of the try that it is about; a number is never used twice. A try at
//! minting that nobody heard the end of may have made something all the same, and may yet: what comes
//! of it is revoked once more when that can no longer be.

mod life;
#[cfg(test)]
mod tests;

pub use life::AfterMintFailed;

use crate::id::{CredentialId, HostId, JobId};
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// The phase in which followers are told that a credential has taken another's place. Who may have its
/// value is given that when it is told: it stands in no journal.
pub const ROTATED: &str = "credential_rotated";

/// A credential of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Whose.
    pub job: JobId,
    /// Which of the configured issuers makes and revokes it.
    pub issuer: String,
    /// Its number among those that take each other's place.
    pub generation: u32,
    /// The highest such number that was given.
    pub latest: u32,
    /// The one whose place it takes as soon as it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CredentialId>,
    /// Where it is in its life.
    pub state: CredentialState,
    /// The try that goes on, or the next one: the fence of every report.
    pub number: u32,
    /// Tries in a row that failed at what it wants now.
    pub tries: u32,
    /// Which host tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// Until then a try at minting that was given up may still come to something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubtful_until: Option<Timestamp>,
    /// What the issuer needs to revoke it; no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// What clients are shown of it, as JSON text, without its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Its value, sealed; there while it is good, and no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Where a credential is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum CredentialState {
    /// It is being made.
    Minting {
        /// When that is tried again: after a failure, or if nothing is heard.
        again_at: Timestamp,
        /// Whether it is being tried now, rather than waited with.
        is_trying: bool,
    },
    /// It is good.
    Active {
        /// When another takes its place, if that is ever.
        rotate_at: Option<Timestamp>,
    },
    /// It is being revoked.
    Revoking {
        /// When that is tried again: after a failure, or if nothing is heard.
        again_at: Timestamp,
        /// Whether it is being tried now, rather than waited with.
        is_trying: bool,
    },
    /// It is good for nothing any more.
    Revoked,
    /// It could not be revoked; a person must look.
    Stuck,
}

/// What an issuer made.
#[derive(Clone, PartialEq, Eq)]
pub struct Made {
    /// What the issuer needs to revoke it; no secret.
    pub handle: Option<String>,
    /// What clients are shown of it, as JSON text, without its value.
    pub shown: String,
    /// Its value, sealed.
    pub sealed: String,
    /// After how long another should take its place.
    pub rotate_after: Option<Millis>,
}

/// Names what it is about and holds back the value, sealed though it is.
impl std::fmt::Debug for Made {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Made");
        out.field("handle", &self.handle).field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// What the issuer of a host would have true: this try is made and how it went is reported. Told twice
/// it is one try; lost, it is wanted again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Issue {
    /// The credential shall be made. Whatever an earlier try made of it is gone then.
    Mint(CredentialId, u32),
    /// The credential shall be good for nothing, whatever tries have made of it.
    Revoke(CredentialId, u32),
}

impl Issue {
    /// Which credential.
    pub const fn credential(&self) -> &CredentialId {
        match self {
            Self::Mint(credential, _) | Self::Revoke(credential, _) => credential,
        }
    }

    /// Which try.
    pub const fn number(&self) -> u32 {
        match self {
            Self::Mint(_, number) | Self::Revoke(_, number) => *number,
        }
    }
}

impl Credential {
    /// When time alone will change it.
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            CredentialState::Minting { again_at, .. }
            | CredentialState::Revoking { again_at, .. } => Some(again_at),
            CredentialState::Active { rotate_at } => rotate_at,
            CredentialState::Revoked | CredentialState::Stuck => None,
        }
    }

    /// What people call its state.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            CredentialState::Minting { .. } => "minting",
            CredentialState::Active { .. } => "active",
            CredentialState::Revoking { .. } => "revoking",
            CredentialState::Revoked => "revoked",
            CredentialState::Stuck => "stuck",
        }
    }

    /// Whether it is good.
    pub const fn is_active(&self) -> bool {
        matches!(self.state, CredentialState::Active { .. })
    }

    /// Whether it is being made.
    pub const fn is_minting(&self) -> bool {
        matches!(self.state, CredentialState::Minting { .. })
    }

    /// Whether nothing is done about it any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, CredentialState::Revoked | CredentialState::Stuck)
    }

    /// What clients know it by: the same for all that took each other's place.
    pub fn shown_id(&self) -> CredentialId {
        CredentialId::of(&self.job, &self.issuer, 1)
    }

    /// What this host should do about it.
    pub fn wants(&self, host: &HostId) -> Option<Issue> {
        if self.host.as_ref() != Some(host) {
            return None;
        }
        match self.state {
            CredentialState::Minting { is_trying: true, .. } => {
                Some(Issue::Mint(self.id.clone(), self.number))
            }
            CredentialState::Revoking { is_trying: true, .. } => {
                Some(Issue::Revoke(self.id.clone(), self.number))
            }
            CredentialState::Minting { is_trying: false, .. }
            | CredentialState::Revoking { is_trying: false, .. }
            | CredentialState::Active { .. }
            | CredentialState::Revoked
            | CredentialState::Stuck => None,
        }
    }

    /// How it stands towards whoever looks for what is to be done.
    pub const fn phase(&self) -> Phase {
        match self.state {
            CredentialState::Minting { is_trying: true, .. }
            | CredentialState::Revoking { is_trying: true, .. } => Phase::Active,
            CredentialState::Minting { is_trying: false, .. }
            | CredentialState::Revoking { is_trying: false, .. } => Phase::Delayed,
            CredentialState::Active { .. } => Phase::Kept,
            CredentialState::Revoked | CredentialState::Stuck => Phase::Ended,
        }
    }
}

impl Record for Credential {
    const TABLE: Table = Table::Credential;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        Row {
            phase: self.phase(),
            state: self.state_name().to_owned(),
            due_at: self.due_at(),
            host: self.host.as_ref().map(|host| host.as_str().to_owned()),
            parent: Some(self.job.as_str().to_owned()),
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

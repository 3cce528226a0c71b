//! A credential that was made for one job: minted before the job may start, revoked when it is over,
//! however that came. Its value is sealed by whoever mints it; core never sees it.
//!
//! ```text
//!  Minting ──minted──► Active ──the job ended──► Revoking ──revoked──► Revoked
//!     │ failed for good, the job ended  ▲  │ rotated    │ failed: again   │
//!     └───────────────► Revoking        └──┘            └──too often──► Stuck
//! ```

use crate::id::{CredentialId, JobId};
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A credential of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Whose.
    pub job: JobId,
    /// Which of the configured issuers makes and revokes it.
    pub issuer: String,
    /// Where it is in its life.
    pub state: CredentialState,
    /// Tries at what it wants now.
    pub tries: u32,
    /// What the issuer needs to revoke it; no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// What clients are shown of it, as JSON text, without its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Its value, sealed; gone once it is revoked.
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
        /// When that is tried again.
        again_at: Timestamp,
    },
    /// It is good.
    Active,
    /// It is being revoked.
    Revoking {
        /// When that is tried again.
        again_at: Timestamp,
    },
    /// It is good for nothing any more.
    Revoked,
    /// It could not be revoked; a person must look.
    Stuck,
}

impl Credential {
    /// When time alone will change it.
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            CredentialState::Minting { again_at } | CredentialState::Revoking { again_at } => {
                Some(again_at)
            }
            CredentialState::Active | CredentialState::Revoked | CredentialState::Stuck => None,
        }
    }

    /// What people call its state.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            CredentialState::Minting { .. } => "minting",
            CredentialState::Active => "active",
            CredentialState::Revoking { .. } => "revoking",
            CredentialState::Revoked => "revoked",
            CredentialState::Stuck => "stuck",
        }
    }
}

impl Record for Credential {
    const TABLE: Table = Table::Credential;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let is_over = matches!(self.state, CredentialState::Revoked | CredentialState::Stuck);
        Row {
            phase: if is_over { Phase::Ended } else { Phase::Kept },
            state: self.state_name().to_owned(),
            due_at: self.due_at(),
            parent: Some(self.job.as_str().to_owned()),
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

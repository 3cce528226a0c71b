//! Credentials that were made for jobs, never with their values.

use super::Time;
use serde::{Deserialize, Serialize};

/// All credentials of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialsView {
    /// By issuer, then by generation.
    pub credentials: Vec<CredentialView>,
}

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialView {
    /// What clients know it by: the same for all that took each other's place.
    pub id: String,
    /// Which issuer makes and revokes it.
    pub issuer: String,
    /// Its number among those that take each other's place.
    pub generation: u32,
    /// `minting`, `active`, `revoking`, `revoked` or `stuck`.
    pub state: String,
    /// Where it is good for something.
    pub endpoint: Option<String>,
    /// When another takes its place by itself.
    pub rotate_at: Option<Time>,
    /// What went wrong last.
    pub problem: Option<String>,
}

/// Which credentials are to be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateAsk {
    /// The one of this issuer; all if `null`.
    #[serde(default)]
    pub issuer: Option<String>,
}

/// How many credentials are being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// So many.
    pub rotated: u32,
}

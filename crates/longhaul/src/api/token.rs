//! Tokens that principals come over a network with.

use super::Time;
use serde::{Deserialize, Serialize};

/// All tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// By name, then by when they were made.
    pub tokens: Vec<TokenView>,
}

/// One token, of which nobody but its bearer knows more than a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Whom it stands for.
    pub name: String,
    /// What that principal may do.
    pub role: TokenRole,
    /// Since when it is good.
    pub since: Time,
    /// The beginning of its hash, to tell tokens of one principal apart.
    pub hash: String,
}

/// What a principal may do.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    clap::ValueEnum,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum TokenRole {
    /// Ask for jobs, and see and end its own
    #[default]
    Client,
    /// Everything that the owner of the home may
    Operator,
}

/// A token is to be good from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenAsk {
    /// Whom it stands for.
    pub name: String,
    /// What that principal may do.
    #[serde(default)]
    pub role: TokenRole,
}

/// How many tokens are good for nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensRevoked {
    /// So many.
    pub revoked: u32,
}

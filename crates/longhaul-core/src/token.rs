//! Who may come over a network: a principal, known by a token of which only a hash is kept.

use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A token that was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// SHA-256 of the token, in hexadecimal.
    pub sha256: String,
    /// Whom it stands for.
    pub principal: String,
    /// What that principal may do.
    pub role: TokenRole,
    /// Since when.
    pub since: Timestamp,
}

/// What a principal may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRole {
    /// Its own jobs.
    #[default]
    Client,
    /// See and end jobs of every principal.
    Operator,
}

impl TokenRole {
    /// The name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Operator => "operator",
        }
    }
}

impl Record for Token {
    const TABLE: Table = Table::Token;

    fn row_id(&self) -> String {
        self.sha256.clone()
    }

    fn to_row(&self) -> Row {
        let parent = Some(self.principal.clone());
        Row { parent, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

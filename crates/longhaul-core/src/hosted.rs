//! What a job that a session asked for is, beside what every job is: which agent of those that are
//! hosted here, under which authority, for how much.

use crate::lease::Lease;
use serde::{Deserialize, Serialize};

/// What a job of a hosted agent was asked to be. Part of its specification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    /// The agent's name.
    pub agent: String,
    /// Its version, if it has versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is asked, as JSON text.
    pub input: String,
    /// What it may do, and spend. Nothing is allowed that it does not grant.
    #[serde(default)]
    pub lease: Lease,
    /// Ties it to a trace: 32 hexadecimal digits. Says nothing about what it is.
    #[serde(default)]
    pub trace: String,
    /// The parent's own name for it, if it was delegated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<String>,
    /// How many jobs are above it.
    #[serde(default)]
    pub depth: u32,
    /// The client's own fields, as JSON text, that are passed on as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<String>,
}

impl Hosted {
    /// How it is called in lists: `name@version`, or the name alone.
    pub fn reference(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.agent),
            None => self.agent.clone(),
        }
    }

    /// Whether two asks are the same but for their trace.
    pub fn is_same_ask(&self, other: &Self) -> bool {
        Self { trace: String::new(), ..self.clone() }
            == Self { trace: String::new(), ..other.clone() }
    }
}

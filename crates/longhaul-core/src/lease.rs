//! What a job may touch: capabilities, each with patterns of what it is granted for, until a moment.
//!
//! What is not granted is denied. A pattern only ever says yes, so a target that could be read in two
//! ways is refused instead of guessed at ([`target`]). [`pattern`] is the grammar, `inclusion` the
//! proof that one pattern matches no more than another. Nobody looks at a file or a name server here:
//! who enforces a lease on real files resolves links first.

pub mod pattern;
pub mod target;

mod canonical;
mod inclusion;
#[cfg(test)]
mod tests;

use crate::amounts::{Amounts, Currency};
use crate::limits;
use crate::time::Timestamp;
use inclusion::Work;
pub use pattern::Pattern;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
pub use target::Operation;
use thiserror::Error;

/// The capability whose values are amounts of money and not patterns.
pub const COST_BUDGET: &str = "cost.budget";
/// The capability to use models. Where a lease does not name it, the policy of the home decides.
pub const MODEL_USE: &str = "model.use";
/// The capability to read files.
pub const FS_READ: &str = "fs.read";
/// The capability to write files.
pub const FS_WRITE: &str = "fs.write";
/// The capability to fetch from the network; its targets are URLs.
pub const NET_FETCH: &str = "net.fetch";
/// The capability to call tools, by their names.
pub const TOOL_CALL: &str = "tool.call";
/// The capability to have other agents work, by their names.
pub const AGENT_DELEGATE: &str = "agent.delegate";

const KNOWN: [&str; 7] =
    [FS_READ, FS_WRITE, NET_FETCH, TOOL_CALL, AGENT_DELEGATE, COST_BUDGET, MODEL_USE];

/// A lease as it is asked, echoed and stored: capability to texts, exactly as they were written.
pub type Asked = BTreeMap<String, Vec<String>>;

/// What a job may touch, and until when. Every text in it has been read and found good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Lease {
    grants: BTreeMap<String, Vec<Pattern>>,
    budget: Option<Budget>,
    expires_at: Option<Timestamp>,
    /// How the end was written, where that is not how we write it.
    end_text: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Budget {
    texts: Vec<String>,
    amounts: Amounts,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    grants: Asked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_text: Option<String>,
}

/// A text that makes no lease: what it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadLease(pub(crate) String);

/// Why an operation may not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The lease was over at that moment.
    Expired {
        /// When it was over.
        at: Timestamp,
    },
    /// No pattern of the capability matches the target.
    NotGranted {
        /// The capability that was needed.
        capability: String,
        /// The target, in its canonical form.
        target: String,
    },
    /// The target has no single meaning, so that nothing can be granted for it.
    BadTarget {
        /// The capability that was needed.
        capability: String,
        /// The target as it was given, shortened.
        target: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A budget is used up. Only who keeps the budget can say so, not the lease.
    Exhausted {
        /// The currency of which nothing is left.
        currency: Currency,
    },
}

/// What of a child's lease could not be shown to be within its parent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wider {
    /// The capability, or `expires_at`.
    pub capability: String,
    /// The child's pattern, as it was written; empty where the whole capability is meant.
    pub pattern: String,
    problem: String,
}

impl Lease {
    /// Reads a lease. Refuses unknown capabilities, texts that the grammar has no meaning for, and
    /// more than the limits; the reason names the capability and the text.
    pub fn parse(asked: &Asked, expires_at: Option<Timestamp>) -> Result<Self, BadLease> {
        check_size(asked)?;
        let mut lease = Self { expires_at, ..Self::default() };
        for (capability, texts) in asked {
            if !is_capability(capability) {
                let known = KNOWN.join("`, `");
                return Err(BadLease(format!(
                    "`{}` is no capability; there are `{known}`, and `x-vendor.<who>.<what>`",
                    shortened(capability)
                )));
            }
            let bad = |text: &str, problem: &dyn fmt::Display| {
                BadLease(format!("`{capability}` for `{}`: {problem}", shortened(text)))
            };
            if capability == COST_BUDGET {
                let amounts = Amounts::parse(texts.iter().map(String::as_str))
                    .map_err(|error| bad(&error.text, &error))?;
                lease.budget = Some(Budget { texts: texts.clone(), amounts });
                continue;
            }
            let read = |text: &String| {
                Pattern::parse(capability, text).map_err(|problem| bad(text, &problem))
            };
            let patterns = texts.iter().map(read).collect::<Result<_, _>>()?;
            lease.grants.insert(capability.clone(), patterns);
        }
        Ok(lease)
    }

    /// The same lease, whose end is echoed as it was written.
    #[must_use]
    pub fn with_end_text(mut self, text: &str) -> Self {
        let ours = self.expires_at.map(Timestamp::rfc3339);
        self.end_text = ours.filter(|ours| ours != text).map(|_| text.to_owned());
        self
    }

    /// The end, as it was written.
    pub fn end_text(&self) -> Option<String> {
        self.end_text.clone().or_else(|| self.expires_at.map(Timestamp::rfc3339))
    }

    /// The texts that this lease was read from.
    pub fn asked(&self) -> Asked {
        let text = |pattern: &Pattern| pattern.text().to_owned();
        let grants = self.grants.iter();
        let mut asked: Asked = grants
            .map(|(capability, patterns)| (capability.clone(), patterns.iter().map(text).collect()))
            .collect();
        if let Some(budget) = &self.budget {
            asked.insert(COST_BUDGET.to_owned(), budget.texts.clone());
        }
        asked
    }

    /// When it is over, if ever.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// What may be spent, if the lease says so. None, and no currency in it, bound nothing.
    pub fn budget(&self) -> Option<&Amounts> {
        self.budget.as_ref().map(|budget| &budget.amounts)
    }

    /// Whether the lease names a capability with anything in it. Where it does not name
    /// [`MODEL_USE`] at all, the policy decides; see [`Self::names`].
    pub fn grants(&self, capability: &str) -> bool {
        self.patterns(capability).is_some_and(|patterns| !patterns.is_empty())
    }

    /// Whether the lease names a capability, be it to grant nothing.
    pub fn names(&self, capability: &str) -> bool {
        self.grants.contains_key(capability) || capability == COST_BUDGET && self.budget.is_some()
    }

    /// The patterns of a capability, if the lease names it.
    pub fn patterns(&self, capability: &str) -> Option<&[Pattern]> {
        self.grants.get(capability).map(Vec::as_slice)
    }

    /// Whether the lease is over. At the very moment it is.
    pub fn check_expiry(&self, now: Timestamp) -> Result<(), Denied> {
        match self.expires_at {
            Some(at) if now >= at => Err(Denied::Expired { at }),
            _ => Ok(()),
        }
    }

    /// Whether a pattern grants the operation, whatever the time.
    pub fn check_grant(&self, operation: &Operation) -> Result<(), Denied> {
        let mut patterns = self.patterns(operation.capability()).unwrap_or_default().iter();
        if patterns.any(|pattern| operation.is_matched_by(pattern)) {
            return Ok(());
        }
        let capability = operation.capability().to_owned();
        Err(Denied::NotGranted { capability, target: operation.target().to_owned() })
    }

    /// Whether the operation may be done now. The order is expiry, then the budget, then the grant:
    /// who keeps a budget calls [`Self::check_expiry`], looks at it, and calls
    /// [`Self::check_grant`] instead.
    pub fn authorize(&self, operation: &Operation, now: Timestamp) -> Result<(), Denied> {
        self.check_expiry(now)?;
        self.check_grant(operation)
    }

    /// The lease of a child that asks for `child` of this one, with what it inherits: the expiry,
    /// and the models if it names none, which the policy could otherwise widen.
    ///
    /// Refuses what cannot be shown to be within this lease; a proof that would take too long is no
    /// proof. Budgets are compared as they were granted: what is left is asked of the account.
    /// Relative paths are compared as texts, so parent and child must resolve them against one folder.
    pub fn narrow(&self, child: &Self) -> Result<Self, Wider> {
        let mut work = Work::new(limits::NARROW_WORK_MAX);
        for (capability, patterns) in &child.grants {
            let granted = self.patterns(capability).unwrap_or_default();
            for pattern in patterns {
                if !granted.iter().any(|parent| pattern.is_within(parent, &mut work)) {
                    let problem = "the parent's lease does not grant all of it".to_owned();
                    return Err(wider(capability, pattern.text(), problem));
                }
            }
        }
        self.check_budget(child)?;
        let mut narrowed = child.clone();
        narrowed.expires_at = self.narrow_expiry(child)?;
        if child.expires_at.is_none() {
            narrowed.end_text.clone_from(&self.end_text);
        }
        if let (false, Some(models)) = (child.names(MODEL_USE), self.grants.get(MODEL_USE)) {
            narrowed.grants.insert(MODEL_USE.to_owned(), models.clone());
            narrowed.check_whole(MODEL_USE)?;
        }
        Ok(narrowed)
    }

    /// This lease, with all that there is in `most` of each currency that it does not bound itself.
    pub fn bounded_by(&self, most: &Amounts) -> Result<Self, Wider> {
        let mut bounded = self.clone();
        let budget = bounded.budget.get_or_insert_default();
        for (currency, amount) in most.iter() {
            if budget.amounts.of(currency).is_none() {
                budget.amounts.set(currency, amount);
                budget.texts.push(format!("{currency}:{amount}"));
            }
        }
        bounded.check_whole(COST_BUDGET)?;
        Ok(bounded)
    }

    /// Refuses what could be kept, and not be read again: with what was added it is too large.
    fn check_whole(&self, added: &str) -> Result<(), Wider> {
        check_size(&self.asked()).map_err(|bad| wider(added, "", bad.to_string()))
    }

    fn narrow_expiry(&self, child: &Self) -> Result<Option<Timestamp>, Wider> {
        match (self.expires_at, child.expires_at) {
            (Some(parent), Some(child)) if child > parent => {
                let problem = format!("the parent's lease is over at {}", parent.rfc3339());
                Err(wider("expires_at", &child.rfc3339(), problem))
            }
            (parent, child) => Ok(child.or(parent)),
        }
    }

    fn check_budget(&self, child: &Self) -> Result<(), Wider> {
        let none = Amounts::default();
        let granted = self.budget().unwrap_or(&none);
        let Some(asked) = child.budget() else { return Ok(()) };
        for (currency, amount) in asked.iter() {
            if granted.of(currency).is_none_or(|granted| amount > granted) {
                let problem = "the parent's lease does not grant so much".to_owned();
                return Err(wider(COST_BUDGET, &format!("{currency}:{amount}"), problem));
            }
        }
        Ok(())
    }
}

impl TryFrom<Stored> for Lease {
    type Error = BadLease;

    fn try_from(stored: Stored) -> Result<Self, BadLease> {
        let lease = Self::parse(&stored.grants, stored.expires_at)?;
        Ok(Self { end_text: stored.end_text, ..lease })
    }
}

impl From<Lease> for Stored {
    fn from(lease: Lease) -> Self {
        let grants = lease.asked();
        Self { grants, expires_at: lease.expires_at, end_text: lease.end_text }
    }
}

impl Denied {
    /// The stable word for programs: `lease_expired`, `permission_denied` or `budget_exhausted`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "lease_expired",
            Self::NotGranted { .. } | Self::BadTarget { .. } => "permission_denied",
            Self::Exhausted { .. } => "budget_exhausted",
        }
    }

    /// The same for the agent that asked: what is denied, and what would be granted instead.
    pub fn message(&self) -> String {
        match self {
            Self::Expired { at } => {
                format!(
                    "the lease of this job was over at {}; nothing is granted by it",
                    at.rfc3339()
                )
            }
            Self::NotGranted { capability, target } => {
                format!("the lease of this job does not grant `{capability}` for `{target}`")
            }
            Self::BadTarget { capability, target, problem } => {
                format!("`{capability}` is not granted for `{target}`: {problem}")
            }
            Self::Exhausted { currency } => format!(
                "the budget of this job has no {currency} left; only what needs no lease may go on"
            ),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Denied {}

impl fmt::Display for Wider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` for `{}` is wider: {}", self.capability, self.pattern, self.problem)
    }
}

impl std::error::Error for Wider {}

fn wider(capability: &str, pattern: &str, problem: String) -> Wider {
    Wider { capability: capability.to_owned(), pattern: pattern.to_owned(), problem }
}

fn check_size(asked: &Asked) -> Result<(), BadLease> {
    if asked.len() > limits::CAPABILITIES_MAX {
        let max = limits::CAPABILITIES_MAX;
        return Err(BadLease(format!("{} capabilities; at most {max} are taken", asked.len())));
    }
    for (capability, texts) in asked {
        if texts.len() > limits::PATTERNS_MAX {
            let (count, max) = (texts.len(), limits::PATTERNS_MAX);
            let capability = shortened(capability);
            return Err(BadLease(format!(
                "`{capability}`: {count} texts; at most {max} are taken"
            )));
        }
    }
    let bytes: usize = asked
        .iter()
        .map(|(name, texts)| name.len() + texts.iter().map(String::len).sum::<usize>())
        .sum();
    if bytes > limits::LEASE_BYTES_MAX {
        let max = limits::LEASE_BYTES_MAX;
        return Err(BadLease(format!("a lease of {bytes} bytes; at most {max} are taken")));
    }
    Ok(())
}

fn is_capability(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_vendors = name.strip_prefix("x-vendor.").is_some_and(|rest| {
        rest.contains('.') && rest.split('.').all(is_word) && name.len() <= limits::WORD_BYTES_MAX
    });
    KNOWN.contains(&name) || is_vendors
}

/// As much of a text as a message should repeat.
fn shortened(text: &str) -> String {
    const CHARS: usize = 120;
    let mut short: String = text.chars().take(CHARS).filter(|c| !c.is_control()).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

//! What an issuer is asked, and what it answers.

use longhaul_core::amounts::Amount;
use longhaul_core::credential::{Credential, Issue};
use longhaul_core::job::Job;
use longhaul_core::lease::{COST_BUDGET, Lease, MODEL_USE};
use longhaul_core::time::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt;

/// What is asked of an issuer about one credential.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// The credential, and its job where that is still there.
    pub(super) credential: Credential,
    pub(super) job: Option<Job>,
    /// What the job may still spend, by currency.
    pub(super) left: Map<String, Value>,
    pub(super) is_mint: bool,
}

impl Ask {
    /// `chain`: the job, who delegated it, and so on. Of each currency the first that bounds it counts.
    pub(super) fn of(wanted: &Issue, credential: Credential, mut chain: Vec<Job>) -> Self {
        let left = left_of(&chain);
        let job = (!chain.is_empty()).then(|| chain.swap_remove(0));
        Self { credential, job, left, is_mint: matches!(wanted, Issue::Mint(..)) }
    }

    /// What the issuer shall call it: unique, no secret, and known before it is made, so that it can be
    /// revoked although nobody ever heard that it was.
    pub(super) fn name(&self) -> &str {
        self.credential.id.as_str()
    }

    pub(super) fn agent(&self) -> Option<String> {
        Some(self.job.as_ref()?.spec.hosted.as_ref()?.reference())
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        Some(&self.job.as_ref()?.spec.hosted.as_ref()?.lease)
    }

    /// When the job's authority ends, and with it what the credential is good for.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.lease()?.expires_at()
    }

    /// The models that the job may use, as patterns; whatever the issuer's settings say if `None`.
    pub(super) fn models(&self) -> Option<Vec<String>> {
        let patterns = self.lease()?.patterns(MODEL_USE)?;
        Some(patterns.iter().map(|pattern| pattern.text().to_owned()).collect())
    }

    /// What the job has left to spend, by currency.
    pub(super) fn budget(&self) -> Map<String, Value> {
        self.left.clone()
    }

    /// What bounds the credential, in the words of leases.
    pub(super) fn constraints(&self, models: Option<&[String]>) -> Value {
        let mut constraints = Map::new();
        let budget: Vec<String> =
            self.budget().iter().map(|(of, amount)| format!("{of}:{amount}")).collect();
        if !budget.is_empty() {
            constraints.insert(COST_BUDGET.to_owned(), json!(budget));
        }
        if let Some(models) = models {
            constraints.insert(MODEL_USE.to_owned(), json!(models));
        }
        if let Some(at) = self.expires_at() {
            constraints.insert("expires_at".to_owned(), json!(at.rfc3339()));
        }
        Value::Object(constraints)
    }
}

/// What can still be spent under the first budget of each currency. A child without one of its own spends
/// what those above it have, and so does its credential.
pub(super) fn left_of(chain: &[Job]) -> Map<String, Value> {
    let mut left = Map::new();
    for account in chain.iter().filter_map(|job| job.account.as_ref()) {
        for (currency, amount) in account.remaining().iter() {
            let amount = amount.max(Amount::ZERO).to_json();
            left.entry(currency.as_str()).or_insert(Value::Number(amount));
        }
    }
    left
}

/// What an issuer made. Its value never shows in debug output.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) value: String,
    pub(super) handle: Option<String>,
    pub(super) endpoint: String,
    pub(super) models: Option<Vec<String>>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Issued").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Why an issuer did not do what it was asked, in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) problem: String,
    /// Whether asking again would come to the same.
    pub(super) is_final: bool,
}

impl Failed {
    pub(super) fn now(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), is_final: false }
    }

    pub(super) fn for_good(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), is_final: true }
    }
}

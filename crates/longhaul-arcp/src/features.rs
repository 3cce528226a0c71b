//! What both ends of a connection can do. A feature is used only where both said that they have it.

use std::collections::BTreeSet;

/// One of the eleven features that the protocol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Pings, and an end of a connection that has gone silent.
    Heartbeat,
    /// The client says how far it has come.
    Ack,
    /// Jobs can be listed.
    ListJobs,
    /// Jobs of other sessions can be followed.
    Subscribe,
    /// Leases can end at a moment.
    LeaseExpiresAt,
    /// Leases can say what may be spent.
    CostBudget,
    /// Jobs tell how far they have come.
    Progress,
    /// Large results come in pieces.
    ResultChunk,
    /// Agents have versions.
    AgentVersions,
    /// Leases can say which models may be used.
    ModelUse,
    /// Jobs are given credentials of their own.
    ProvisionedCredentials,
}

impl Feature {
    /// All of them, in the order in which a welcome names them.
    pub const ALL: [Self; 11] = [
        Self::Heartbeat,
        Self::Ack,
        Self::ListJobs,
        Self::Subscribe,
        Self::LeaseExpiresAt,
        Self::CostBudget,
        Self::Progress,
        Self::ResultChunk,
        Self::AgentVersions,
        Self::ModelUse,
        Self::ProvisionedCredentials,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Ack => "ack",
            Self::ListJobs => "list_jobs",
            Self::Subscribe => "subscribe",
            Self::LeaseExpiresAt => "lease_expires_at",
            Self::CostBudget => "cost.budget",
            Self::Progress => "progress",
            Self::ResultChunk => "result_chunk",
            Self::AgentVersions => "agent_versions",
            Self::ModelUse => "model.use",
            Self::ProvisionedCredentials => "provisioned_credentials",
        }
    }

    /// The feature of that name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name)
    }
}

/// A set of features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features(BTreeSet<Feature>);

impl Features {
    /// What this runtime always has.
    pub fn always() -> Self {
        let by_issuer = [Feature::ModelUse, Feature::ProvisionedCredentials];
        Self(Feature::ALL.into_iter().filter(|feature| !by_issuer.contains(feature)).collect())
    }

    /// Every feature: what a runtime has that issues credentials.
    pub fn all() -> Self {
        Self(Feature::ALL.into_iter().collect())
    }

    /// The features of those names. What nobody knows is left out: a newer peer may say more.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(Feature::named).collect())
    }

    /// What both have. [arcp §6.2] Nothing outside of it may be used.
    #[must_use]
    pub fn agreed_with(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Whether it is one of them.
    pub fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names, in the order of [`Feature::ALL`].
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|feature| feature.name().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_have_is_agreed_and_unknown_names_are_let_be() {
        let theirs = Features::named(["ack", "model.use", "telepathy", "heartbeat"]);
        assert_eq!(Features::always().agreed_with(&theirs).names(), ["heartbeat", "ack"]);
        assert!(Features::all().agreed_with(&theirs).has(Feature::ModelUse));
        assert!(Features::always().agreed_with(&Features::default()).is_empty());
    }

    #[test]
    fn every_feature_is_found_by_its_name() {
        for feature in Feature::ALL {
            assert_eq!(Feature::named(feature.name()), Some(feature));
        }
    }
}

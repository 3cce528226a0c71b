//! What lists are narrowed by.

/// What a list of jobs is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Any of these states.
    pub states: Vec<String>,
    /// Any of these outcomes.
    pub outcomes: Vec<String>,
    /// This pool.
    pub pool: Option<String>,
    /// This lane.
    pub lane: Option<String>,
    /// This owner.
    pub owner: Option<String>,
    /// This parent.
    pub parent: Option<String>,
    /// All of these labels.
    pub labels: Vec<(String, String)>,
}

/// What a list of deliveries is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The job that is told of.
    pub job: Option<String>,
    /// Any of these states.
    pub states: Vec<String>,
    /// This owner.
    pub owner: Option<String>,
    /// This pool.
    pub pool: Option<String>,
}

/// What a list of messages is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailFilter {
    /// In this mailbox.
    pub to: Option<String>,
    /// From this one.
    pub from: Option<String>,
    /// Of this thread.
    pub thread: Option<String>,
    /// Any of these states.
    pub states: Vec<String>,
    /// Of this kind.
    pub kind: Option<String>,
}

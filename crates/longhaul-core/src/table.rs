//! The tables of a store, by name.

/// The kinds of rows. Adding a machine adds one table of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Units of work.
    Job,
    /// Environments of jobs that may still start: secrets, removed when the job has ended.
    Environment,
    /// "This job waits for that one", found by the one waited for (`parent`).
    Dependency,
    /// Limits shared by many jobs.
    Pool,
    /// Machines that run attempts.
    Host,
    /// Notices on their way, one row for each place that is to be told.
    Delivery,
    /// Named places that notices go to.
    Sink,
    /// Who asked for jobs, and whether they are there to be told.
    Owner,
    /// Live connections of owners (`parent`).
    Presence,
    /// Named workers (`parent`: the agent that one works for).
    Agent,
    /// Environments of agents: secrets.
    AgentEnvironment,
    /// Messages, in the `lane` of whom they are for (`pool`: who sent them; `parent`: their thread).
    Mail,
    /// What the attempts of open turns are given.
    Input,
    /// How far the output of turns has been taken.
    Intake,
    /// Questions to people (`parent`: the job that one is about).
    Approval,
    /// Limits of vendors that were met.
    Quota,
    /// Clients' sessions (`parent`: whose).
    Session,
    /// What sessions were told (`parent`: which session), by its numbers.
    Feed,
    /// Credentials made for jobs (`parent`).
    Credential,
    /// Who may come over a network, by the hash of a token (`parent`: whom it stands for).
    Token,
}

impl Table {
    /// All tables, for stores that set themselves up.
    pub const ALL: [Self; 20] = [
        Self::Job,
        Self::Environment,
        Self::Dependency,
        Self::Pool,
        Self::Host,
        Self::Delivery,
        Self::Sink,
        Self::Owner,
        Self::Presence,
        Self::Agent,
        Self::AgentEnvironment,
        Self::Mail,
        Self::Input,
        Self::Intake,
        Self::Approval,
        Self::Quota,
        Self::Session,
        Self::Feed,
        Self::Credential,
        Self::Token,
    ];

    /// Those whose rows may be due; a store refuses an hour in any other. Every step asks each of them.
    pub const TIMED: [Self; 10] = [
        Self::Job,
        Self::Pool,
        Self::Delivery,
        Self::Sink,
        Self::Owner,
        Self::Agent,
        Self::Approval,
        Self::Quota,
        Self::Session,
        Self::Credential,
    ];

    /// The name a database knows this table by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Environment => "environment",
            Self::Dependency => "dependency",
            Self::Pool => "pool",
            Self::Host => "host",
            Self::Delivery => "delivery",
            Self::Sink => "sink",
            Self::Owner => "owner",
            Self::Presence => "presence",
            Self::Agent => "agent",
            Self::AgentEnvironment => "agent_environment",
            Self::Mail => "mail",
            Self::Input => "input",
            Self::Intake => "intake",
            Self::Approval => "approval",
            Self::Quota => "quota",
            Self::Session => "session",
            Self::Feed => "feed",
            Self::Credential => "credential",
            Self::Token => "token",
        }
    }
}

//! What a script can say about notices: sinks that come and go, owners that come, know and go.

use crate::script::Label;
use longhaul_core::command::Command;
use longhaul_core::delivery::{Destination, Settled};
use longhaul_core::id::DeliveryId;
use longhaul_core::sink::SinkKind;
use std::fmt;

/// The owners of all lives.
pub const OWNERS: [&str; 3] = ["ann", "bob", "cid"];
/// The projects of all lives.
pub const PROJECTS: [&str; 2] = ["/w/one", "/w/two"];
/// The sinks of all lives; each may be there or not.
pub const SINKS: [&str; 3] = ["exec", "hook", "mail"];

/// Something that somebody wants of notices. Owners, projects and sinks by their index.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Somebody adds a sink, or another of its name.
    AddSink {
        /// Which.
        sink: usize,
        /// Which of two addresses it has.
        version: u32,
        /// Whether it may take another's place.
        replace: bool,
    },
    /// Somebody removes a sink.
    RemoveSink(usize),
    /// An owner connects, takes what there is, and goes.
    Come(Visit),
    /// An owner knows of these jobs, perhaps of another's.
    Acknowledge {
        /// Who.
        owner: usize,
        /// Which jobs.
        jobs: Vec<Label>,
    },
    /// An owner knows everything.
    AcknowledgeAll(usize),
    /// An owner has a result from the job itself.
    Settle {
        /// Which job.
        job: Label,
        /// Who.
        owner: usize,
        /// How.
        how: Settled,
    },
    /// Somebody sends again what is dead.
    Redeliver {
        /// Of which job.
        job: Label,
        /// To which sink, or to its owner.
        to: Option<usize>,
    },
}

/// One connection after the other of one client.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Which client.
    pub visitor: u32,
    /// Whose.
    pub owner: usize,
    /// For which project it stands in.
    pub project: Option<usize>,
    /// For how long; for ever if `None`.
    pub stays: Option<u64>,
    /// Of a hundred notices, how many it acknowledges while faults are on.
    pub acks: u64,
    /// Notices that it takes at once.
    pub takes: u32,
}

impl Wish {
    /// What is put to the engine; `None` for a visit, which is more than one command.
    pub(crate) fn command(&self) -> Option<Command> {
        let owned = |owner: &usize| OWNERS[*owner].to_owned();
        Some(match self {
            Self::Come(_) => return None,
            Self::AddSink { sink, version, replace } => {
                let url = format!("http://v{version}.test/");
                let kind = SinkKind::Webhook { url, secret_file: None };
                Command::AddSink { sink: SINKS[*sink].to_owned(), kind, replace: *replace }
            }
            Self::RemoveSink(sink) => Command::RemoveSink(SINKS[*sink].to_owned()),
            Self::Acknowledge { owner, jobs } => {
                let ids = jobs.iter().map(|job| delivery(*job, None)).collect();
                Command::Acknowledge { owner: owned(owner), deliveries: ids }
            }
            Self::AcknowledgeAll(owner) => Command::AcknowledgeAll { owner: owned(owner) },
            Self::Settle { job, owner, how } => {
                Command::Settle { job: job.id(), owner: owned(owner), how: *how }
            }
            Self::Redeliver { job, to } => Command::Redeliver(delivery(*job, *to)),
        })
    }
}

fn delivery(job: Label, to: Option<usize>) -> DeliveryId {
    let to = to.map_or(Destination::Inbox, |sink| Destination::Sink(SINKS[sink].to_owned()));
    DeliveryId::of(&job.id(), &to.place())
}

impl fmt::Display for Wish {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddSink { sink, version, replace } => {
                let replace = if *replace { " for another" } else { "" };
                write!(out, "add sink {} v{version}{replace}", SINKS[*sink])
            }
            Self::RemoveSink(sink) => write!(out, "remove sink {}", SINKS[*sink]),
            Self::Come(visit) => {
                let project = visit.project.map_or("no project", |project| PROJECTS[project]);
                let (owner, visitor) = (OWNERS[visit.owner], visit.visitor);
                let (stays, acks, takes) = (visit.stays, visit.acks, visit.takes);
                write!(out, "{owner} comes as {visitor} for {project}, stays {stays:?}ms, ")?;
                write!(out, "takes {takes}, acknowledges {acks}%")
            }
            Self::Acknowledge { owner, jobs } => {
                write!(out, "{} acknowledges", OWNERS[*owner])?;
                jobs.iter().try_for_each(|job| write!(out, " {job}"))
            }
            Self::AcknowledgeAll(owner) => write!(out, "{} acknowledges all", OWNERS[*owner]),
            Self::Settle { job, owner, how } => {
                write!(out, "{} settles {job}: {}", OWNERS[*owner], how.name())
            }
            Self::Redeliver { job, to } => {
                write!(out, "redeliver {job} to {}", to.map_or("its owner", |sink| SINKS[sink]))
            }
        }
    }
}

//! Who is at the other end of the home's socket: a person, or a process that descends from a job.
//!
//! The same user is not the same authority. What a job runs reaches this socket as its person does,
//! and could leave its token at home to be taken for that person. So it is not asked who it is: the
//! kernel says which process connected, and whose shim is above that one.

use crate::daemon::Ports;
use longhaul_core::id::JobId;
use longhaul_shim::files::TOKEN_VARIABLE;
use longhaul_shim::kin::{self, Descent};
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

/// Who asks, for all requests of one connection.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// Nobody that descends from a job: the user, or what the user runs.
    Person,
    /// A process of a job.
    Inside(Arc<Inside>),
}

/// A process of a job.
#[derive(Debug)]
pub(super) struct Inside {
    /// Which.
    pub(super) job: JobId,
    /// Which attempt it descends from.
    pub(super) attempt: u32,
    /// What its job may ask for; found out when it first matters, and the same for all requests.
    pub(super) bounds: OnceCell<Bounds>,
}

/// What processes of a job may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// What a person may, but not answer the questions that are asked about the job.
    Free,
    /// What the token of its attempt is for, because it works under a lease.
    Lease,
    /// The same, because it is a turn with a policy. With the agent's mailbox.
    Policy(String),
}

impl Peer {
    /// Finds out who connected; `None` if nobody can tell, since whoever it was has gone.
    pub(super) fn of(stream: &UnixStream, ports: &Ports) -> Option<Self> {
        // Where the system does not say who it is there are no shims to look for either.
        let pid = stream.peer_cred().ok()?.pid().unwrap_or(0);
        match kin::descent_of_peer(stream, pid, &ports.home.attempts()) {
            Descent::Unknown => None,
            Descent::Below(folder) => attempt_of(&folder).map(Self::inside),
            Descent::Outside => Some(carried(ports, pid).map_or(Self::Person, Self::inside)),
        }
    }

    fn inside((job, attempt): (JobId, u32)) -> Self {
        Self::Inside(Arc::new(Inside { job, attempt, bounds: OnceCell::new() }))
    }
}

/// Job and attempt of a folder's name.
fn attempt_of(folder: &str) -> Option<(JobId, u32)> {
    let (job, attempt) = folder.rsplit_once('.')?;
    Some((JobId::parse(job).ok()?, attempt.parse().ok()?))
}

/// The attempt whose token the process was started with. Whoever has lost its shim is known by it,
/// and so is what an attempt left running: the token of one that is over is good for nothing.
fn carried(ports: &Ports, pid: i32) -> Option<(JobId, u32)> {
    if u32::try_from(pid).ok()? == std::process::id() {
        return None;
    }
    let token = kin::variable_of(pid, TOKEN_VARIABLE)?;
    let job = JobId::parse(&kin::variable_of(pid, "LONGHAUL_JOB_ID")?).ok()?;
    let attempt = kin::variable_of(pid, "LONGHAUL_ATTEMPT")?.parse().ok()?;
    ports.tokens.is_of(&token, &job, attempt).then_some((job, attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_its_attempt() {
        let id = crate::ids::job_id().unwrap();
        assert_eq!(attempt_of(&format!("{id}.12")), Some((id, 12)));
        for none in ["", "job_1", "job_1.1", ".1", "x.y.z"] {
            assert_eq!(attempt_of(none), None, "{none}");
        }
    }
}

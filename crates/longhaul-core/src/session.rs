//! A session: the durable half of a client's attachment. It outlives its connections; what it was told
//! has numbers without gaps, given in the commit that makes each entry.
//!
//! ```text
//!            detach, the host came up          due
//!  Attached ───────────────────────► Detached ─────► Over ──► its rows are removed
//!     ▲  ▲─── resume (another connection) ─┘           ▲
//!     └────────────── close ───────────────────────────┘
//! ```

use crate::command::Refused;
use crate::feed::{Run, Span, Told};
use crate::id::{ConnectionId, HostId, JobId, SessionId};
use crate::limits;
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A client's attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, made when it was opened.
    pub id: SessionId,
    /// Who it is for.
    pub principal: String,
    /// Whether it may see and end jobs of all principals.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_operator: bool,
    /// The client's name and version, as it says; for people.
    pub client: String,
    /// What was agreed on.
    pub features: BTreeSet<String>,
    /// SHA-256 of the token that resumes it, in hexadecimal. The token itself is kept nowhere.
    pub token_sha256: String,
    /// Where it is in its life.
    pub state: SessionState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How long it can be resumed once its connection is gone.
    pub window: Millis,
    /// The newest number that was given.
    pub newest: u64,
    /// Up to which number the client has said that it is done.
    pub acked: u64,
    /// Up to which number nothing can be told again.
    pub floor: u64,
    /// Runs that lie in rows of their own.
    pub runs: u32,
    /// The newest run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Run>,
    /// Open jobs that it is told of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub follows: BTreeSet<JobId>,
    /// How many of the open jobs it asked for itself.
    pub open: u32,
    /// Whether it was told that it reads too slowly.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_lagging: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Where a session is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum SessionState {
    /// A connection is under it.
    Attached {
        /// Which: the fence of what is said for the session.
        connection: ConnectionId,
        /// The host that it is connected to.
        host: HostId,
    },
    /// It can be resumed.
    Detached {
        /// Until when.
        until: Timestamp,
    },
    /// It is over; its rows are being removed.
    Over {
        /// When the next of them are.
        again_at: Timestamp,
    },
}

/// What a client brings to go on with its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Which session.
    pub session: SessionId,
    /// Who asks, proven.
    pub principal: String,
    /// Whether it may see and end jobs of all principals: now, whatever was so when it was opened.
    pub is_operator: bool,
    /// SHA-256 of the token it was given, in hexadecimal.
    pub token_sha256: String,
    /// SHA-256 of the token it is given for the next time.
    pub next_sha256: String,
    /// Up to which number it has everything.
    pub after: u64,
    /// What is agreed on from now on.
    pub features: BTreeSet<String>,
    /// The new connection.
    pub connection: ConnectionId,
}

impl Session {
    /// Whether it is over.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, SessionState::Over { .. })
    }

    /// The connection under it.
    pub const fn connection(&self) -> Option<&ConnectionId> {
        match &self.state {
            SessionState::Attached { connection, .. } => Some(connection),
            SessionState::Detached { .. } | SessionState::Over { .. } => None,
        }
    }

    /// Whether the token with this SHA-256 resumes it.
    pub fn is_resumed_by(&self, token_sha256: &str) -> bool {
        !self.is_over() && is_same(&self.token_sha256, token_sha256)
    }

    /// Refuses what another connection than the current one says.
    fn fence(&self, connection: &ConnectionId) -> Result<(), Refused> {
        if self.connection() == Some(connection) {
            return Ok(());
        }
        Err(Refused::StaleConnection(self.id.clone()))
    }

    /// A client goes on with it. Gives the connection that this one takes the place of. Refuses
    /// `NoSession` also to other principals, `WrongToken`, and `FeedGone` where it would have a gap.
    pub fn resume(
        &mut self,
        ask: &Resume,
        host: &HostId,
        now: Timestamp,
    ) -> Result<Option<ConnectionId>, Refused> {
        // Its hour may have come while nobody could look at it.
        let is_late = self.connection().is_none() && self.due_at().is_some_and(|due| due <= now);
        if self.is_over() || is_late || self.principal != ask.principal {
            return Err(Refused::NoSession(self.id.clone()));
        }
        if !is_same(&self.token_sha256, &ask.token_sha256) {
            return Err(Refused::WrongToken(self.id.clone()));
        }
        if ask.after > self.newest || ask.after < self.floor {
            let (floor, newest) = (self.floor, self.newest);
            return Err(Refused::FeedGone { session: self.id.clone(), floor, newest });
        }
        let displaced = self.connection().cloned();
        let (connection, host) = (ask.connection.clone(), host.clone());
        self.state = SessionState::Attached { connection, host };
        self.token_sha256.clone_from(&ask.next_sha256);
        self.features.clone_from(&ask.features);
        self.is_operator = ask.is_operator;
        Ok(displaced)
    }

    /// Its connection is gone. Refuses `StaleConnection` if that was displaced before.
    pub fn detach(&mut self, connection: &ConnectionId, now: Timestamp) -> Result<(), Refused> {
        self.fence(connection)?;
        self.lost(now);
        Ok(())
    }

    /// Whatever connection it had is gone.
    pub(crate) fn lost(&mut self, now: Timestamp) {
        if let SessionState::Attached { .. } = self.state {
            self.state = SessionState::Detached { until: now.plus(self.window) };
        }
    }

    /// A closed lid is no absence.
    pub(crate) fn woke(&mut self, slept: Millis) {
        if let SessionState::Detached { until } = &mut self.state {
            *until = until.plus(slept);
        }
    }

    /// The client is done with everything up to `seq`: never less than before, never more than there
    /// is.
    pub fn acknowledge(&mut self, connection: &ConnectionId, seq: u64) -> Result<(), Refused> {
        self.fence(connection)?;
        self.acked = self.acked.max(seq.min(self.newest));
        if self.behind() <= limits::FEED_CAUGHT_UP {
            self.is_lagging = false;
        }
        Ok(())
    }

    /// Numbers that were given and not acknowledged.
    pub const fn behind(&self) -> u64 {
        self.newest - self.acked
    }

    /// The client ends it, or its time is over.
    pub(crate) fn end(&mut self, now: Timestamp) {
        self.state = SessionState::Over { again_at: now };
    }

    /// Gives these entries their numbers. Gives the run that is finished by that, if one is.
    pub(crate) fn tell(&mut self, job: &JobId, span: Span) -> Option<Run> {
        let first = self.newest + 1;
        self.newest += span.count;
        if self.tail.as_mut().is_some_and(|tail| tail.extend(job, span)) {
            return None;
        }
        let what = Told::Job { job: job.clone(), seq: span.seq };
        self.push(Run { first, count: span.count, what })
    }

    /// Tells it once that it reads too slowly, if it said that it would acknowledge; `more` numbers are
    /// about to be given. Gives the run that is finished by that.
    pub(crate) fn warn(&mut self, job: &JobId, now: Timestamp, more: u64) -> Option<Run> {
        let behind = self.behind() + more;
        let acks = self.features.contains("ack");
        if self.is_lagging || !acks || behind <= limits::FEED_LAGGING {
            return None;
        }
        self.is_lagging = true;
        self.newest += 1;
        let what = Told::Lagging { job: job.clone(), at: now, behind };
        self.push(Run { first: self.newest, count: 1, what })
    }

    fn push(&mut self, run: Run) -> Option<Run> {
        assert_eq!(run.end(), self.newest + 1, "numbers have no gaps");
        let finished = self.tail.replace(run);
        self.runs += u32::from(finished.is_some());
        finished
    }

    /// When time alone will change it.
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            SessionState::Attached { .. } => None,
            SessionState::Detached { until } => Some(until),
            SessionState::Over { again_at } => Some(again_at),
        }
    }

    /// What people call its state.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            SessionState::Attached { .. } => "attached",
            SessionState::Detached { .. } => "detached",
            SessionState::Over { .. } => "over",
        }
    }
}

/// Compares in a time that does not tell where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    let differ = one.bytes().zip(other.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && differ == 0
}

impl Record for Session {
    const TABLE: Table = Table::Session;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let phase = if self.is_over() { Phase::Ended } else { Phase::Kept };
        Row {
            phase,
            state: self.state_name().to_owned(),
            due_at: self.due_at(),
            parent: Some(self.principal.clone()),
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn hour(&self) -> Option<Timestamp> {
        self.due_at()
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

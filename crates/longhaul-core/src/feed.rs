//! What a session is told, as runs: which entries of which job have which of the session's numbers.
//! An entry's text is in the journal and nowhere else; a hundred thousand entries of one job are a
//! handful of runs.

use crate::id::{JobId, SessionId};
use crate::port::{Corrupt, Record, Row, Table};
use crate::record::{body, parse};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Entries of a job's journal that follow each other without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The number, within the job, of the first.
    pub seq: u64,
    /// How many; never zero.
    pub count: u64,
}

impl Span {
    /// The number after the last one.
    pub const fn end(&self) -> u64 {
        self.seq + self.count
    }

    /// The part of it whose numbers are in `from..to`; `None` if that is nothing.
    pub fn within(&self, from: u64, to: u64) -> Option<Self> {
        let (seq, end) = (self.seq.max(from), self.end().min(to));
        (seq < end).then(|| Self { seq, count: end - seq })
    }
}

/// Numbers of a session that follow each other, and what they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The session's first number of it.
    pub first: u64,
    /// How many numbers; never zero.
    pub count: u64,
    /// What they stand for.
    pub what: Told,
}

/// What a run's numbers stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Told {
    /// Entries of a job, from this number on.
    Job {
        /// Whose.
        job: JobId,
        /// Its number of the first.
        seq: u64,
    },
    /// One event of the session's own: it reads too slowly. Counts as being about this job.
    Lagging {
        /// The newest job that was told of.
        job: JobId,
        /// When.
        at: Timestamp,
        /// How many numbers had not been acknowledged.
        behind: u64,
    },
}

impl Run {
    /// The number after the last one.
    pub const fn end(&self) -> u64 {
        self.first + self.count
    }

    /// Takes these entries in, if they go on where this run ends.
    pub(crate) fn extend(&mut self, job: &JobId, span: Span) -> bool {
        match &self.what {
            Told::Job { job: mine, seq } if mine == job && seq + self.count == span.seq => {
                self.count += span.count;
                true
            }
            Told::Job { .. } | Told::Lagging { .. } => false,
        }
    }
}

/// A run of a session that nothing is added to any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow {
    /// Whose.
    pub session: SessionId,
    /// What it stands for.
    pub run: Run,
}

impl FeedRow {
    /// The row id of the run that begins with this number: runs of a session sort by it.
    pub fn id_of(session: &SessionId, first: u64) -> String {
        format!("{session}/{first:016x}")
    }
}

impl Record for FeedRow {
    const TABLE: Table = Table::Feed;

    fn row_id(&self) -> String {
        Self::id_of(&self.session, self.run.first)
    }

    fn to_row(&self) -> Row {
        let parent = Some(self.session.as_str().to_owned());
        Row { parent, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_to_what_was_asked_for() {
        let span = Span { seq: 5, count: 10 };
        assert_eq!(span.within(0, 99), Some(span));
        assert_eq!(span.within(7, 9), Some(Span { seq: 7, count: 2 }));
        assert_eq!((span.within(15, 99), span.within(0, 5)), (None, None));
    }

    #[test]
    fn rows_of_a_session_sort_by_their_first_number() {
        let session = SessionId::parse(&format!("sess_{}", "0".repeat(26))).unwrap();
        let ids: Vec<_> =
            [1, 9, 10, 255, 256, u64::MAX].map(|n| FeedRow::id_of(&session, n)).into();
        assert!(ids.is_sorted());
    }
}

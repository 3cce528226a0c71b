//! The rows of sessions, their feeds, and what goes with their jobs.

use super::{Fault, World};
use crate::command::Refused;
use crate::credential::Credential;
use crate::feed::FeedRow;
use crate::id::{CredentialId, JobId, SessionId};
use crate::port::StoreError;
use crate::session::Session;
use crate::token::Token;

impl World<'_> {
    /// A session for reading, if there is one.
    pub fn find_session(&mut self, id: &SessionId) -> Result<Option<&Session>, StoreError> {
        Ok(self.rows.sessions.slot(&mut *self.tx, id.as_str())?.current.as_ref())
    }

    /// A session, if there is one; or room for one.
    pub fn session_slot(&mut self, id: &SessionId) -> Result<&mut Option<Session>, StoreError> {
        self.rows.sessions.change(&mut *self.tx, id.as_str())
    }

    /// A session for changing. Refuses `NoSession`.
    pub fn session(&mut self, id: &SessionId) -> Result<&mut Session, Fault> {
        let session = self.rows.sessions.change(&mut *self.tx, id.as_str())?.as_mut();
        session.ok_or_else(|| Refused::NoSession(id.clone()).into())
    }

    /// Keeps a run that nothing is added to any more.
    pub(super) fn keep_run(&mut self, row: FeedRow) -> Result<(), StoreError> {
        let id = FeedRow::id_of(&row.session, row.run.first);
        *self.rows.feeds.change(&mut *self.tx, &id)? = Some(row);
        Ok(())
    }

    /// A run of a session by the id of its row; `None` removes it.
    pub fn feed_row(&mut self, id: &str) -> Result<&mut Option<FeedRow>, StoreError> {
        self.rows.feeds.change(&mut *self.tx, id)
    }

    /// A credential, if there is one; or room for one.
    pub fn credential(&mut self, id: &CredentialId) -> Result<&mut Option<Credential>, StoreError> {
        self.rows.credentials.change(&mut *self.tx, id.as_str())
    }

    /// A token by its hash, if there is one; or room for one.
    pub fn token(&mut self, sha256: &str) -> Result<&mut Option<Token>, StoreError> {
        self.rows.tokens.change(&mut *self.tx, sha256)
    }

    /// The number of the oldest entry about a job that its followers will be told when this step is
    /// committed.
    pub(crate) fn news_from(&self, job: &JobId) -> Option<u64> {
        self.news.iter().find(|news| news.job == *job).map(|news| news.span.seq)
    }
}

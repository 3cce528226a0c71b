//! How clients' connections learn that their sessions were told something, and that another connection
//! has taken theirs over. Nothing is carried here; who is woken reads from the store.

use longhaul_core::id::{ConnectionId, SessionId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Who is connected for which session. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    seats: Arc<Mutex<Seats>>,
}

/// By session: the one connection that has it, and while it changes hands both.
type Seats = BTreeMap<SessionId, Vec<(ConnectionId, watch::Sender<u64>)>>;

/// A connection that is woken for its session. Dropping it leaves.
#[derive(Debug)]
pub struct Seat {
    session: SessionId,
    connection: ConnectionId,
    newest: watch::Receiver<u64>,
    feeds: Feeds,
}

impl Feeds {
    /// To be called before the engine is asked to give the session to this connection: then neither
    /// news nor the loss of the session to somebody else can be missed.
    #[must_use]
    pub fn watch(&self, session: &SessionId, connection: &ConnectionId) -> Seat {
        let (session, connection) = (session.clone(), connection.clone());
        let sender = watch::Sender::new(0);
        let newest = sender.subscribe();
        let mut seats = self.seats();
        let of_session = seats.entry(session.clone()).or_insert_with(|| Vec::with_capacity(1));
        of_session.retain(|(name, _)| *name != connection);
        of_session.push((connection.clone(), sender));
        drop(seats);
        Seat { session, connection, newest, feeds: self.clone() }
    }

    /// Tells a connection that another one has taken its session over.
    pub fn displace(&self, session: &SessionId, connection: &ConnectionId) {
        self.leave(session, connection);
    }

    /// Tells what a commit told. For the engine alone.
    pub(super) fn publish(&self, fed: &BTreeMap<SessionId, u64>) {
        if fed.is_empty() {
            return;
        }
        let seats = self.seats();
        for (session, newest) in fed {
            for (_, sender) in seats.get(session).into_iter().flatten() {
                sender.send_replace(*newest);
            }
        }
    }

    fn leave(&self, session: &SessionId, connection: &ConnectionId) {
        let mut seats = self.seats();
        if let Some(of_session) = seats.get_mut(session) {
            of_session.retain(|(name, _)| name != connection);
            if of_session.is_empty() {
                seats.remove(session);
            }
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The session.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.session
    }

    /// The connection.
    #[must_use]
    pub const fn connection(&self) -> &ConnectionId {
        &self.connection
    }

    /// The newest number that the session was told since this was made; zero for none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Comes back once the session was told something since this was last awaited; `false` if another
    /// connection has taken it over.
    pub async fn news(&mut self) -> bool {
        self.newest.changed().await.is_ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.feeds.leave(&self.session, &self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(digit: &str) -> SessionId {
        SessionId::parse(&format!("sess_{}", digit.repeat(26))).unwrap()
    }

    fn connection(digit: &str) -> ConnectionId {
        ConnectionId::parse(&format!("conn_{}", digit.repeat(26))).unwrap()
    }

    #[tokio::test]
    async fn who_is_connected_is_woken_by_its_own_session_alone() {
        let feeds = Feeds::default();
        let mut mine = feeds.watch(&session("1"), &connection("1"));
        let other = feeds.watch(&session("2"), &connection("2"));
        feeds.publish(&BTreeMap::from([(session("1"), 5)]));
        assert!(mine.news().await);
        assert!(!other.newest.has_changed().unwrap());
    }

    #[tokio::test]
    async fn who_is_displaced_learns_it_and_its_successor_stays() {
        let feeds = Feeds::default();
        let mut old = feeds.watch(&session("1"), &connection("1"));
        let mut new = feeds.watch(&session("1"), &connection("2"));
        feeds.displace(&session("1"), &connection("1"));
        assert!(!old.news().await);
        drop(old);
        feeds.publish(&BTreeMap::from([(session("1"), 1)]));
        assert!(new.news().await);
        drop(new);
        assert!(feeds.seats().is_empty(), "nobody is left behind");
    }
}

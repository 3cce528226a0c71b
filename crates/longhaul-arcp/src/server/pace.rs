//! How far the feed runs ahead of a client that acknowledges. Where that is too far nothing more of the
//! feed is sent until the client has said that it is further; what it asks is answered all the same.
//! Nothing is lost by it: what is not sent is read again from the journal when its turn comes.

use longhaul_core::limits::{FEED_PATIENCE, FEED_UNACKNOWLEDGED_MAX};
use longhaul_core::time::{Millis, Timestamp};

/// How much is sent to a client that acknowledges without hearing of it, and for how long it is waited
/// for then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Numbers that may be sent and not be acknowledged. At least one.
    pub events_max: u64,
    /// How long the feed stands still for a client that acknowledges nothing.
    pub patience: Millis,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { events_max: FEED_UNACKNOWLEDGED_MAX, patience: FEED_PATIENCE }
    }
}

/// How far a client was sent its feed, and how far it has come.
#[derive(Debug)]
pub(super) struct Pace {
    backlog: Backlog,
    sent: u64,
    done: u64,
    /// Since when the feed stands still.
    paused_at: Option<Timestamp>,
}

impl Pace {
    /// A client that has everything up to `after`: with that it said that it is done with it.
    pub(super) const fn new(backlog: Backlog, after: u64) -> Self {
        Self { backlog, sent: after, done: after, paused_at: None }
    }

    /// Whether one more may be sent.
    pub(super) const fn has_room(&self) -> bool {
        self.sent - self.done < self.backlog.events_max
    }

    pub(super) fn sent(&mut self, seq: u64) {
        self.sent = self.sent.max(seq);
    }

    /// The client is done with everything up to `seq`; with what it was not sent it cannot be. Whoever
    /// gets on, however slowly, is waited for anew.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        let done = seq.min(self.sent);
        if done > self.done {
            self.done = done;
            self.paused_at = None;
        }
    }

    /// Something waits that there is no room for.
    pub(super) fn pause(&mut self, now: Timestamp) {
        self.paused_at.get_or_insert(now);
    }

    /// We did not listen, so it could not be heard.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        if let Some(paused_at) = &mut self.paused_at {
            *paused_at = now;
        }
    }

    /// When it has been waited for long enough.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.paused_at.map(|at| at.plus(self.backlog.patience))
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.due_at().is_some_and(|due| now >= due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKLOG: Backlog = Backlog { events_max: 3, patience: Millis::from_secs(60) };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn so_much_is_sent_ahead_of_what_is_acknowledged() {
        let mut pace = Pace::new(BACKLOG, 10);
        for seq in 11..=13 {
            assert!(pace.has_room());
            pace.sent(seq);
        }
        assert!(!pace.has_room());
        pace.acknowledged(11);
        assert!(pace.has_room());
        // Nobody is done with what does not exist yet.
        pace.acknowledged(99);
        pace.sent(16);
        assert!(!pace.has_room());
    }

    #[test]
    fn who_gets_on_is_waited_for_anew_and_who_does_not_is_given_up() {
        let mut pace = Pace::new(BACKLOG, 0);
        pace.sent(3);
        assert_eq!(pace.due_at(), None, "nothing waits yet");
        pace.pause(at(0));
        pace.pause(at(50));
        assert_eq!((pace.due_at(), pace.is_over(at(59))), (Some(at(60)), false));
        pace.acknowledged(1);
        assert_eq!(pace.due_at(), None);
        pace.sent(4);
        pace.pause(at(59));
        pace.acknowledged(1);
        assert!(pace.is_over(at(119)), "what was said before is no progress");
        pace.put_off(at(119));
        assert!(!pace.is_over(at(178)) && pace.is_over(at(179)));
    }
}

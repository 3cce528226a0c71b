//! Signs of life, of a server as of a client. A peer that has been silent for an interval is pinged, for
//! some speak only when they are; and something is sent in each interval, for others wait for that.

use crate::limits::SILENT_INTERVALS_MAX;
use longhaul_core::time::{Millis, Timestamp};

/// When which end was last heard of.
#[derive(Debug)]
pub(crate) struct Pulse {
    interval: Millis,
    heard_at: Timestamp,
    sent_at: Timestamp,
    pinged_at: Timestamp,
}

/// What time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Wait,
    /// A ping is due.
    Ping,
    /// Nothing was heard for too long.
    Lost,
}

impl Pulse {
    pub(crate) const fn new(interval: Millis, now: Timestamp) -> Self {
        Self { interval, heard_at: now, sent_at: now, pinged_at: now }
    }

    /// Anything at all came in.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.heard_at = self.heard_at.max(now);
    }

    /// Anything at all went out.
    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.sent_at = self.sent_at.max(now);
    }

    /// A ping went out.
    pub(crate) fn pinged(&mut self, now: Timestamp) {
        self.pinged_at = now;
        self.sent(now);
    }

    fn lost_at(&self) -> Timestamp {
        self.heard_at.plus(self.interval.times(SILENT_INTERVALS_MAX))
    }

    fn ping_at(&self) -> Timestamp {
        self.heard_at.min(self.sent_at).max(self.pinged_at).plus(self.interval)
    }

    pub(crate) fn due_at(&self) -> Timestamp {
        self.lost_at().min(self.ping_at())
    }

    /// What is due. [arcp §6.4] Two silent intervals end the connection, never a job.
    pub(crate) fn beat(&self, now: Timestamp) -> Beat {
        if now >= self.lost_at() {
            Beat::Lost
        } else if now >= self.ping_at() {
            Beat::Ping
        } else {
            Beat::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn a_silent_peer_is_pinged_and_then_given_up() {
        let mut pulse = Pulse::new(Millis::from_secs(10), at(0));
        assert_eq!(pulse.due_at(), at(10));
        assert_eq!((pulse.beat(at(9)), pulse.beat(at(10))), (Beat::Wait, Beat::Ping));
        pulse.pinged(at(10));
        pulse.sent(at(10));
        assert_eq!((pulse.beat(at(19)), pulse.beat(at(20))), (Beat::Wait, Beat::Lost));
        pulse.heard(at(19));
        assert_eq!((pulse.beat(at(20)), pulse.due_at()), (Beat::Ping, at(20)));
    }

    #[test]
    fn a_peer_that_only_speaks_still_hears_of_us() {
        let mut pulse = Pulse::new(Millis::from_secs(10), at(0));
        pulse.heard(at(9));
        assert_eq!(pulse.beat(at(10)), Beat::Ping);
        pulse.pinged(at(10));
        pulse.sent(at(10));
        pulse.heard(at(19));
        assert_eq!(pulse.due_at(), at(20));
    }

    #[test]
    fn who_hears_and_is_heard_is_left_alone() {
        let mut pulse = Pulse::new(Millis::from_secs(10), at(0));
        for second in 1..100 {
            pulse.heard(at(second));
            pulse.sent(at(second));
            assert_eq!(pulse.beat(at(second)), Beat::Wait);
        }
    }
}

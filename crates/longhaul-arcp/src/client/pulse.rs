//! Signs of life of the runtime. One that has been silent for an interval is pinged, for some speak
//! only when they are; one that has been silent for two is taken for dead.

use crate::limits::SILENT_INTERVALS_MAX;
use longhaul_core::time::{Millis, Timestamp};

/// When the runtime was last heard of.
#[derive(Debug)]
pub(super) struct Pulse {
    interval: Millis,
    heard_at: Timestamp,
    pinged_at: Timestamp,
}

/// What time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Wait,
    /// A ping is due.
    Ping,
    /// Nothing was heard for too long.
    Lost,
}

impl Pulse {
    pub(super) const fn new(interval: Millis, now: Timestamp) -> Self {
        Self { interval, heard_at: now, pinged_at: now }
    }

    /// Anything at all came in.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.heard_at = self.heard_at.max(now);
    }

    pub(super) fn pinged(&mut self, now: Timestamp) {
        self.pinged_at = now;
    }

    fn lost_at(&self) -> Timestamp {
        self.heard_at.plus(self.interval.times(SILENT_INTERVALS_MAX))
    }

    fn ping_at(&self) -> Timestamp {
        self.heard_at.max(self.pinged_at).plus(self.interval)
    }

    pub(super) fn due_at(&self) -> Timestamp {
        self.lost_at().min(self.ping_at())
    }

    /// What is due. [arcp §6.4] Two silent intervals end the transport, and nothing else.
    pub(super) fn beat(&self, now: Timestamp) -> Beat {
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

    #[test]
    fn a_silent_runtime_is_pinged_and_then_given_up() {
        let at = |secs: i64| Timestamp::from_millis(secs * 1_000);
        let mut pulse = Pulse::new(Millis::from_secs(10), at(0));
        assert_eq!((pulse.beat(at(9)), pulse.beat(at(10))), (Beat::Wait, Beat::Ping));
        pulse.pinged(at(10));
        assert_eq!((pulse.beat(at(19)), pulse.beat(at(20))), (Beat::Wait, Beat::Lost));
        pulse.heard(at(19));
        assert_eq!((pulse.beat(at(28)), pulse.due_at()), (Beat::Wait, at(29)));
    }
}

//! What stands between the simulated world and the roster. [`Straight`] changes nothing; the mutants
//! of the tests change one thing each.

use longhaul_core::roster::{Ask, Id, Key, OwnerName, Refused, Report, Roster, Want};
use longhaul_core::time::Timestamp;

/// The seams at which a roster can be made wrong.
pub trait Under {
    /// A registration.
    fn register(
        &mut self,
        roster: &mut Roster,
        owner: &OwnerName,
        ask: Ask,
        now: Timestamp,
    ) -> Result<(Key, Id), Refused> {
        roster.register(owner, ask, now)
    }

    /// The number of slots, on its way in.
    fn slots(&mut self, slots: u32) -> u32 {
        slots
    }

    /// A cancellation by key.
    fn stop(&mut self, roster: &mut Roster, key: Key, attempt: u32, now: Timestamp) -> bool {
        // Only mutants need the attempt.
        let _unused = attempt;
        roster.stop(key, longhaul_core::roster::Stop::Asked("enough".into()), now)
    }

    /// The report of a body.
    fn ended(
        &mut self,
        roster: &mut Roster,
        key: Key,
        attempt: u32,
        report: Report,
        now: Timestamp,
    ) {
        roster.ended(key, attempt, report, now);
    }

    /// The report of a sink: taken or not.
    fn told(&mut self, roster: &mut Roster, key: Key, number: u32, is_taken: bool, now: Timestamp) {
        if is_taken {
            roster.delivered(key, number, now);
        } else {
            roster.failed(key, number, "no", now);
        }
    }

    /// The end of a watch.
    fn unwatch(&mut self, roster: &mut Roster, keys: &[Key], now: Timestamp) {
        roster.unwatch(keys, now);
    }

    /// The passing of time.
    fn on_due(&mut self, roster: &mut Roster, now: Timestamp) {
        roster.on_due(now);
    }

    /// What is wanted, on its way out.
    fn wants(&mut self, wants: Vec<Want>) -> Vec<Want> {
        wants
    }
}

/// The roster as it is.
#[derive(Clone, Copy, Debug)]
pub struct Straight;

impl Under for Straight {}

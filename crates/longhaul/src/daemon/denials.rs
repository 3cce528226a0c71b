//! Who was turned away, for the audit: the first time at once, and what follows within the minute as a
//! number. A flood of wrong tokens makes one entry a minute, not one each.

use super::handle::EngineHandle;
use crate::clock::Clock;
use longhaul_core::command::Command;
use longhaul_core::id::JobId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Within this time, in milliseconds, the same refusal of the same one is written down once.
const WRITTEN_EVERY_MS: i64 = 60_000;
/// So many are told apart at a time; who comes beyond that is one of the others.
const KNOWN_MAX: usize = 256;
/// Who stands for all that are too many to tell apart.
const OTHERS: &str = "others";

/// Writes down who was turned away. Cheap to clone. What was only counted when the daemon ends, or
/// when nobody is turned away any more, is not told.
#[derive(Clone)]
pub struct Denials {
    engine: EngineHandle,
    clock: Clock,
    seen: Arc<Mutex<BTreeMap<Denial, Count>>>,
}

/// One sort of refusal of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Denial {
    what: &'static str,
    who: String,
    about: Option<JobId>,
}

/// How often since it was written down, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    written_at_ms: i64,
    since: u32,
}

impl Denials {
    pub(super) fn new(engine: EngineHandle, clock: Clock) -> Self {
        Self { engine, clock, seen: Arc::default() }
    }

    /// Notes that `who` was refused: a principal, or an address where none was proven. `what` is
    /// one word: `login`, `follow`, `cancel`.
    pub fn note(&self, what: &'static str, who: &str, about: Option<&JobId>) {
        let now_ms = self.clock.now().as_millis();
        let denial = Denial { what, who: who.to_owned(), about: about.cloned() };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let due = count(&mut seen, denial, now_ms);
        drop(seen);
        if let Some((denial, times)) = due {
            let Denial { what, who, about } = denial;
            let what = what.to_owned();
            self.engine.report(vec![Command::TurnedAway { what, who, about, times }]);
        }
    }
}

/// Counts one; gives what is to be written down now.
fn count(seen: &mut BTreeMap<Denial, Count>, denial: Denial, now_ms: i64) -> Option<(Denial, u32)> {
    let is_old = |count: &Count| now_ms - count.written_at_ms >= WRITTEN_EVERY_MS;
    if !seen.contains_key(&denial) && seen.len() >= KNOWN_MAX {
        seen.retain(|_, count| !is_old(count));
    }
    let denial = if seen.contains_key(&denial) || seen.len() < KNOWN_MAX {
        denial
    } else {
        Denial { who: OTHERS.to_owned(), about: None, ..denial }
    };
    match seen.get_mut(&denial) {
        Some(count) if !is_old(count) => {
            count.since = count.since.saturating_add(1);
            None
        }
        known => {
            let times = known.map_or(1, |count| count.since.saturating_add(1));
            seen.insert(denial.clone(), Count { written_at_ms: now_ms, since: 0 });
            Some((denial, times))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(who: &str) -> Denial {
        Denial { what: "login", who: who.to_owned(), about: None }
    }

    #[test]
    fn a_flood_of_one_is_one_entry_a_minute_with_its_number() {
        let mut seen = BTreeMap::new();
        let mut written = Vec::new();
        for at_ms in 0..2 * WRITTEN_EVERY_MS {
            written.extend(count(&mut seen, login("a"), at_ms));
        }
        assert_eq!(written, [(login("a"), 1), (login("a"), 60_000)]);
    }

    #[test]
    fn more_than_can_be_told_apart_are_the_others() {
        let mut seen = BTreeMap::new();
        let written: Vec<_> =
            (0..10_000).filter_map(|n| count(&mut seen, login(&n.to_string()), 0)).collect();
        assert_eq!(written.len(), KNOWN_MAX + 1);
        assert_eq!(written.last(), Some(&(login(OTHERS), 1)));
        assert_eq!(seen.len(), KNOWN_MAX + 1);
        // Those are forgotten once they are old, and somebody new is told apart again.
        let later = count(&mut seen, login("new"), WRITTEN_EVERY_MS);
        assert_eq!(later, Some((login("new"), 1)));
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn refusals_about_different_jobs_are_different() {
        let mut seen = BTreeMap::new();
        let about = |job: JobId| Denial { what: "follow", who: "a".to_owned(), about: Some(job) };
        for _ in 0..2 {
            let job = crate::ids::job_id().unwrap();
            assert!(count(&mut seen, about(job), 0).is_some());
        }
    }
}

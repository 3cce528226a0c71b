//! Who is connected from where: so many at once, so many of them unknown, and how often an address
//! brought a token that was good for nothing.

use longhaul_core::time::{Millis, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections of one address at once.
const OF_ADDRESS_MAX: u32 = 4_000;
/// Connections of one address that have not proven whose they are.
const STRANGERS_MAX: u32 = 256;
/// Useless tokens of one address after which every further one is answered late.
const FAILURES_FREE: u32 = 10;
/// How long an address is remembered for its last useless token.
const FAILURES_KEPT: Millis = Millis::from_secs(60);
/// Addresses that are remembered for such; the one whose last is longest ago makes room.
const ADDRESSES_MAX: usize = 4_096;
/// How late a useless token is answered then. A good one never is.
const LATE: Duration = Duration::from_secs(1);

/// All who are connected over a network. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Guests {
    most: u32,
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    all: u32,
    of: BTreeMap<IpAddr, Counts>,
    failures: BTreeMap<IpAddr, Failures>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    open: u32,
    strangers: u32,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// One connection. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Guest {
    address: IpAddr,
    is_known: AtomicBool,
    guests: Guests,
}

impl Guests {
    /// For at most so many connections.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, book: Arc::default() }
    }

    /// Takes note of a connection; `None` if there are too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let mut book = self.book();
        let counts = book.of.get(&address).copied().unwrap_or_default();
        let is_full = book.all >= self.most
            || counts.open >= OF_ADDRESS_MAX
            || counts.strangers >= STRANGERS_MAX;
        if is_full {
            return None;
        }
        book.all += 1;
        let Counts { open, strangers } = counts;
        book.of.insert(address, Counts { open: open + 1, strangers: strangers + 1 });
        Some(Guest { address, is_known: AtomicBool::new(false), guests: self.clone() })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change is whole before the next, so a panic elsewhere leaves it whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Where it comes from.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// It has proven whose it is.
    pub(crate) fn is_welcome(&self) {
        if !self.is_known.swap(true, Ordering::Relaxed)
            && let Some(counts) = self.guests.book().of.get_mut(&self.address)
        {
            counts.strangers = counts.strangers.saturating_sub(1);
        }
    }

    /// It brought a token that is good for nothing. Gives how long it waits for its answer.
    pub(crate) fn failed(&self, now: Timestamp) -> Option<Duration> {
        let mut book = self.guests.book();
        book.failures.retain(|_, known| now.since(known.last) < FAILURES_KEPT);
        if book.failures.len() >= ADDRESSES_MAX && !book.failures.contains_key(&self.address) {
            let oldest = book.failures.iter().min_by_key(|(_, known)| known.last);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                book.failures.remove(&oldest);
            }
        }
        let known = book.failures.entry(self.address).or_insert(Failures { count: 0, last: now });
        known.count = known.count.saturating_add(1);
        known.last = now;
        (known.count > FAILURES_FREE).then_some(LATE)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut book = self.guests.book();
        book.all = book.all.saturating_sub(1);
        let Some(counts) = book.of.get_mut(&self.address) else { return };
        counts.open = counts.open.saturating_sub(1);
        if !self.is_known.load(Ordering::Relaxed) {
            counts.strangers = counts.strangers.saturating_sub(1);
        }
        if counts.open == 0 {
            book.of.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn strangers_of_one_address_leave_room_for_others_and_for_those_who_are_known() {
        let guests = Guests::new(10_000);
        let strangers: Vec<_> = std::iter::from_fn(|| guests.enter(HERE)).collect();
        assert_eq!(strangers.len(), STRANGERS_MAX as usize);
        assert!(guests.enter(THERE).is_some());
        strangers[0].is_welcome();
        strangers[0].is_welcome();
        let one = guests.enter(HERE);
        assert!(one.is_some() && guests.enter(HERE).is_none());
        drop((strangers, one));
        assert!(guests.book().of.is_empty() && guests.book().all == 0);
    }

    #[test]
    fn useless_tokens_are_answered_later_and_later_forgotten() {
        let guests = Guests::new(10);
        let guest = guests.enter(HERE).unwrap();
        for _ in 0..FAILURES_FREE {
            assert_eq!(guest.failed(at(0)), None);
        }
        assert_eq!(guest.failed(at(1)), Some(LATE));
        assert_eq!(guests.enter(THERE).unwrap().failed(at(1)), None);
        assert_eq!(guest.failed(at(100)), None);
    }

    #[test]
    fn the_memory_for_useless_tokens_is_bounded() {
        let guests = Guests::new(10);
        for number in 0..ADDRESSES_MAX + 10 {
            let address = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap()));
            guests.enter(address).unwrap().failed(at(i64::try_from(number).unwrap() / 1_000));
        }
        assert_eq!(guests.book().failures.len(), ADDRESSES_MAX);
    }
}

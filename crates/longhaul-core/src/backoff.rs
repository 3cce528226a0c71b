//! Delays between tries: exponential, capped, with jitter that is a hash of a key. Rolling dice here
//! would make two replays of one life differ.

use crate::time::Millis;

/// The delay before try number `tries + 1`, after `tries` failures (1 after the first).
///
/// Doubles from `first` up to `most`, then takes away up to a quarter: which part of the quarter
/// depends only on `key` and `tries`, so that equal jobs spread out and a replay agrees with itself.
pub fn delay(key: &str, tries: u32, first: Millis, most: Millis) -> Millis {
    let doubled = first.get().saturating_mul(1_u64 << tries.saturating_sub(1).min(40));
    let capped = doubled.min(most.get().max(first.get()));
    let spread = capped / 4;
    let taken = if spread == 0 { 0 } else { hash(key, tries) % (spread + 1) };
    Millis::new(capped - taken)
}

/// A number from 0 to below `end`, which must not be 0: for what adds its jitter instead.
pub fn spread(number: u64, tries: u32, end: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(tries);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xff51_afd7_ed55_8ccd) % end
}

/// FNV-1a with a final mix: stable across releases and machines, which `std`'s hasher is not.
fn hash(key: &str, tries: u32) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key.bytes().chain(tries.to_le_bytes()) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state ^= state >> 33;
    state.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap_and_jitter_takes_at_most_a_quarter() {
        let (first, most) = (Millis::from_secs(1), Millis::from_secs(60));
        for tries in 1..50 {
            let whole = 1_000_u64.saturating_mul(1 << (tries - 1).min(40)).min(60_000);
            let got = delay("job_x", tries, first, most).get();
            assert!(got <= whole && got >= whole - whole / 4, "try {tries}: {got} of {whole}");
        }
    }

    #[test]
    fn differs_between_keys_and_never_between_calls() {
        let at = |key| delay(key, 5, Millis::from_secs(1), Millis::from_secs(60));
        assert_eq!(at("a"), at("a"));
        assert!(["b", "c", "d", "e"].iter().any(|key| at(key) != at("a")));
    }
}

//! Ids that follow from what they name. A frame is rendered anew each time it is sent, and has to have
//! the same id each time; nothing in this crate rolls dice.

/// The digits of an id, in the order of their values.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of an id after its prefix.
const BODY_CHARS: usize = 26;

/// Whom a row of ids belongs to; what is the same of all of them is worked out once.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u128);

impl Seed {
    /// The ids that belong to `name`.
    pub fn new(name: &str) -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d).with(name.as_bytes())
    }

    /// The ids of one sort among those of this seed.
    pub fn of(self, sort: &str) -> Self {
        self.with(&[0]).with(sort.as_bytes())
    }

    /// What stands for this seed where nothing needs to be read from it.
    pub(crate) const fn mark(self) -> u128 {
        self.0
    }

    fn with(self, bytes: &[u8]) -> Self {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        Self(bytes.iter().fold(self.0, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
    }

    /// Appends the 26 characters of the id with this number. They read as a ULID does, which is the
    /// one form that every known client takes.
    pub fn write(self, number: u64, out: &mut String) {
        let mut hash = self.with(&number.to_le_bytes()).0;
        hash ^= hash >> 61;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        hash ^= hash >> 67;
        // 26 digits hold 130 bits, so the first one says only three.
        for place in (0..BODY_CHARS).rev() {
            out.push(char::from(DIGITS[(hash >> (5 * place)) as usize & 31]));
        }
    }

    /// The id with this number, under `prefix`.
    pub fn id(self, prefix: &str, number: u64) -> String {
        let mut id = String::with_capacity(prefix.len() + BODY_CHARS);
        id.push_str(prefix);
        self.write(number, &mut id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_follow_from_whose_they_are_and_their_number() {
        let seed = Seed::new("sess_a");
        assert_eq!(seed.id("msg_", 7), seed.id("msg_", 7));
        let mut all = BTreeSet::new();
        for name in ["sess_a", "sess_b", "sess_aa"] {
            all.extend((0..10_000).map(|number| Seed::new(name).id("msg_", number)));
            all.extend((0..10_000).map(|number| Seed::new(name).of("x").id("msg_", number)));
        }
        assert_eq!(all.len(), 60_000);
    }

    #[test]
    fn an_id_reads_as_a_ulid() {
        for number in 0..1_000 {
            let id = Seed::new("x").id("", number);
            assert_eq!(id.len(), 26);
            assert!(id.as_bytes()[0] <= b'7', "{id}");
            assert!(id.bytes().all(longhaul_core::id::is_crockford), "{id}");
        }
    }
}

//! Typed ids. An id is a prefix that says what it names and 26 characters of Crockford base 32, so
//! that ids sort by when they were made. Ids are checked tokens: nothing else ever becomes part of a
//! path. Core never makes one; `longhaul/src/ids.rs` does.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Characters after the prefix.
const BODY_CHARS: usize = 26;

/// Says why a text is not an id of the kind that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} id: expected `{kind}_` and 26 letters or digits")]
pub struct BadId {
    /// The prefix that was expected, without its underscore.
    pub kind: &'static str,
}

/// Tells whether `text` is `prefix_` and exactly 26 characters of Crockford base 32.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|body| body.len() == BODY_CHARS && body.bytes().all(is_crockford))
}

/// Tells whether `byte` may stand in an id after its prefix.
pub fn is_crockford(byte: u8) -> bool {
    byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"ILOU".contains(&byte))
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind starts with, before its underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Checks `text`; gives [`BadId`] unless it is a whole, well-formed id of this kind.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                if is_id(text, $prefix) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId { kind: $prefix })
                }
            }

            /// Gives the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

typed_id!(
    /// Names a job for ever.
    JobId, "job"
);
typed_id!(
    /// Names a delivery for ever: one job's end, told to one place.
    DeliveryId, "dlv"
);
typed_id!(
    /// Names a client's session for ever.
    SessionId, "sess"
);
typed_id!(
    /// Names one connection under a session.
    ConnectionId, "conn"
);
typed_id!(
    /// Names a credential for ever.
    CredentialId, "cred"
);
typed_id!(
    /// Names one live connection of an owner.
    PresenceId, "prs"
);
typed_id!(
    /// Names one message in one mailbox.
    MailId, "mail"
);
typed_id!(
    /// Names one question to a person.
    ApprovalId, "apr"
);
typed_id!(
    /// Names a machine that runs attempts: one home on one machine.
    HostId, "host"
);

/// The digits of an id, in the order of their values.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of an id that say when it was made.
const TIME_CHARS: usize = 10;

/// An id that follows from what it names: it begins when `origin` was made. Core may not make ids, so
/// that it can be run again; what follows from others can be.
fn follows(prefix: &str, origin: &str, words: &[&str]) -> String {
    let body = &origin[origin.len() - BODY_CHARS..];
    let mut id = format!("{prefix}_{}", &body[..TIME_CHARS]);
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let bytes = words.iter().flat_map(|word| [0].into_iter().chain(word.bytes()));
    for byte in body.bytes().chain(bytes) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    hash ^= hash >> 61;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    for _ in TIME_CHARS..BODY_CHARS {
        id.push(char::from(DIGITS[(hash >> 123) as usize]));
        hash <<= 5;
    }
    id
}

impl DeliveryId {
    /// The id of what is owed for `job` to `place`: a notice is never owed twice.
    pub fn of(job: &JobId, place: &str) -> Self {
        Self(follows(Self::PREFIX, job.as_str(), &[place]))
    }
}

impl CredentialId {
    /// The id of the credential of `issuer` that is the `generation`th to be made for `job`.
    pub fn of(job: &JobId, issuer: &str, generation: u32) -> Self {
        Self(follows(Self::PREFIX, job.as_str(), &[issuer, &generation.to_string()]))
    }
}

impl MailId {
    /// The id of the message to `mailbox` that comes of the letter with this id.
    pub fn to_mailbox(letter: &Self, mailbox: &str) -> Self {
        Self(follows(Self::PREFIX, letter.as_str(), &[mailbox]))
    }

    /// The id of what we tell `mailbox` about a job by ourselves, once for each `what`.
    pub fn about(job: &JobId, what: &str, mailbox: &str) -> Self {
        Self(follows(Self::PREFIX, job.as_str(), &[what, mailbox]))
    }
}

impl ApprovalId {
    /// The id of the question about `what` in a turn.
    pub fn of(job: &JobId, what: &str) -> Self {
        Self(follows(Self::PREFIX, job.as_str(), &[what]))
    }
}

impl JobId {
    /// The id of the turn that is made because `mail` waits, in the step at `position`.
    pub fn of_wake(mail: &MailId, position: u64) -> Self {
        Self(follows(Self::PREFIX, mail.as_str(), &[&position.to_string()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_named_by_what_it_is_about() {
        let job = JobId::parse("job_01JD0000000000000000000000").unwrap();
        let id = DeliveryId::of(&job, "inbox");
        assert_eq!(DeliveryId::parse(id.as_str()), Ok(id.clone()));
        assert_eq!(id, DeliveryId::of(&job, "inbox"));
        assert!(id.as_str().starts_with("dlv_01JD000000"), "{id}");
        let other = JobId::parse("job_01JD0000000000000000000001").unwrap();
        let all = [id, DeliveryId::of(&job, "sink:a"), DeliveryId::of(&other, "inbox")];
        assert!(all[0] != all[1] && all[0] != all[2], "{all:?}");
    }

    #[test]
    fn only_whole_ids_of_the_right_kind_pass() {
        let good = "job_01JD0000000000000000000000";
        assert_eq!(JobId::parse(good).unwrap().as_str(), good);
        for bad in [
            "",
            "job_",
            "../x",
            "/etc/passwd",
            "host_01JD0000000000000000000000",
            "job_01JD000000000000000000000",
            "job_01JD00000000000000000000000",
            "job_01jd0000000000000000000000",
            "job_01JD000000000000000000000/",
            "job_01JDILOU00000000000000000I",
        ] {
            assert!(JobId::parse(bad).is_err(), "{bad:?} passed");
        }
    }
}

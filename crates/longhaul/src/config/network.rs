//! What is set about clients over a network, and about sessions.

use crate::daemon::IssuerSetting;
use longhaul_arcp::profile::Profile;
use longhaul_core::limits;
use longhaul_core::time::Millis;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Thirty seconds: what clients of the protocol expect.
const HEARTBEAT: Millis = Millis::from_secs(30);
/// Clients count heartbeats in whole seconds, and one that comes once an hour shows nothing.
const HEARTBEAT_SECS: std::ops::RangeInclusive<u64> = 1..=3_600;
/// Sessions that nobody comes back to are kept no longer than this.
const WINDOW_MAX: Millis = Millis::from_secs(30 * 86_400);
/// Whoever takes nothing for longer than this holds a socket and nothing else.
const PATIENCE_MAX: Millis = Millis::from_secs(3_600);
/// Clients that acknowledge do so every so many events; a feed that stands still before that is stuck.
const UNACKNOWLEDGED_MIN: u64 = 100;

/// Who may ask over a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Names of this machine that requests may come under, beside those that it has for itself.
    pub hosts: Vec<String>,
    /// Origins of web pages that may ask.
    pub origins: Vec<String>,
    /// Who else gives out tokens that are good here.
    pub issuers: Vec<IssuerSetting>,
}

/// How sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// Between two signs of life.
    pub heartbeat: Millis,
    /// How long a session can be gone on with once its connection is gone.
    pub window: Millis,
    /// Events that are sent to a client that acknowledges and need not be acknowledged.
    pub unacknowledged_max: u64,
    /// How long a client may take or acknowledge nothing.
    pub patience: Millis,
    /// How the clients of a principal are spoken to, where that is not to be guessed.
    pub profiles: BTreeMap<String, Profile>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            heartbeat: HEARTBEAT,
            window: limits::SESSION_WINDOW_DEFAULT,
            unacknowledged_max: limits::FEED_UNACKNOWLEDGED_MAX,
            patience: limits::FEED_PATIENCE,
            profiles: BTreeMap::new(),
        }
    }
}

/// The shape of `[listen]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileListen {
    hosts: Vec<String>,
    origins: Vec<String>,
    issuers: Vec<IssuerSetting>,
}

/// The shape of `[sessions]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileSessions {
    heartbeat: Option<Heartbeat>,
    window: Option<Bounded<{ WINDOW_MAX.get() }>>,
    unacknowledged_max: Option<Unacknowledged>,
    patience: Option<Bounded<{ PATIENCE_MAX.get() }>>,
    profiles: BTreeMap<String, Profile>,
}

/// A duration of whole seconds within its bounds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Heartbeat(Millis);

/// A duration of more than nothing and at most so many milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Bounded<const MS_MAX: u64>(Millis);

/// A number of events that no client is stopped by for acknowledging now and then.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
struct Unacknowledged(u64);

impl TryFrom<u64> for Unacknowledged {
    type Error = String;
    fn try_from(events: u64) -> Result<Self, String> {
        if events >= UNACKNOWLEDGED_MIN {
            return Ok(Self(events));
        }
        Err(format!("{events} is less than {UNACKNOWLEDGED_MIN}"))
    }
}

impl TryFrom<String> for Heartbeat {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let span = span(&text)?;
        let is_whole = span.get().is_multiple_of(1_000);
        if is_whole && HEARTBEAT_SECS.contains(&(span.get() / 1_000)) {
            return Ok(Self(span));
        }
        let (least, most) = (HEARTBEAT_SECS.start(), HEARTBEAT_SECS.end());
        Err(format!("`{text}` is not a whole number of seconds from {least} to {most}"))
    }
}

impl<const MS_MAX: u64> TryFrom<String> for Bounded<MS_MAX> {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let span = span(&text)?;
        if span > Millis::ZERO && span.get() <= MS_MAX {
            return Ok(Self(span));
        }
        let hours = MS_MAX / 3_600_000;
        Err(format!("`{text}` is not more than nothing and at most {hours} hours"))
    }
}

fn span(text: &str) -> Result<Millis, String> {
    let span: crate::api::Span =
        text.parse().map_err(|bad: crate::api::BadUnit| bad.to_string())?;
    Ok(Millis::new(span.0))
}

impl FileListen {
    pub(super) fn into_listening(self) -> Listening {
        Listening { hosts: self.hosts, origins: self.origins, issuers: self.issuers }
    }
}

impl FileSessions {
    pub(super) fn into_sessions(self) -> Sessions {
        let plain = Sessions::default();
        Sessions {
            heartbeat: self.heartbeat.map_or(plain.heartbeat, |Heartbeat(span)| span),
            window: self.window.map_or(plain.window, |Bounded(span)| span),
            unacknowledged_max: self
                .unacknowledged_max
                .map_or(plain.unacknowledged_max, |Unacknowledged(events)| events),
            patience: self.patience.map_or(plain.patience, |Bounded(span)| span),
            profiles: self.profiles,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_kept_as_is_set_within_bounds() {
        let sessions = |text: &str| toml::from_str::<FileSessions>(text);
        assert_eq!(sessions("").unwrap().into_sessions(), Sessions::default());
        let text = "heartbeat = \"1s\"\nwindow = \"2h\"\n[profiles]\nbob = \"python\"\n";
        let set = sessions(text).unwrap().into_sessions();
        assert_eq!((set.heartbeat, set.window), (Millis::from_secs(1), Millis::from_secs(7_200)));
        assert_eq!(set.profiles["bob"], Profile::Python);
        let text = "unacknowledged_max = 100\npatience = \"1s\"\n";
        let set = sessions(text).unwrap().into_sessions();
        assert_eq!((set.unacknowledged_max, set.patience), (100, Millis::from_secs(1)));
        for bad in [
            "heartbeat = \"1500ms\"",
            "heartbeat = \"0s\"",
            "heartbeat = \"2h\"",
            "window = \"0s\"",
            "window = \"31d\"",
            "unacknowledged_max = 99",
            "patience = \"0s\"",
            "patience = \"2h\"",
            "profiles = { bob = \"cobol\" }",
            "windows = \"1h\"",
        ] {
            assert!(sessions(bad).is_err(), "{bad}");
        }
    }
}

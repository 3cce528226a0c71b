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
    /// How the clients of a principal are spoken to, where that is not to be guessed.
    pub profiles: BTreeMap<String, Profile>,
}

impl Default for Sessions {
    fn default() -> Self {
        let window = limits::SESSION_WINDOW_DEFAULT;
        Self { heartbeat: HEARTBEAT, window, profiles: BTreeMap::new() }
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
    window: Option<Window>,
    profiles: BTreeMap<String, Profile>,
}

/// A duration of whole seconds within its bounds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Heartbeat(Millis);

/// A duration within its bounds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Window(Millis);

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

impl TryFrom<String> for Window {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let span = span(&text)?;
        if span > Millis::ZERO && span <= WINDOW_MAX {
            return Ok(Self(span));
        }
        Err(format!(
            "`{text}` is not more than nothing and at most {} days",
            WINDOW_MAX.get() / 86_400_000
        ))
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
            window: self.window.map_or(plain.window, |Window(span)| span),
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
        for bad in [
            "heartbeat = \"1500ms\"",
            "heartbeat = \"0s\"",
            "heartbeat = \"2h\"",
            "window = \"0s\"",
            "window = \"31d\"",
            "profiles = { bob = \"cobol\" }",
            "windows = \"1h\"",
        ] {
            assert!(sessions(bad).is_err(), "{bad}");
        }
    }
}

//! Why a turn failed, in classes that decide what is done next: park, wait, begin afresh, give up.

use crate::clip;
use crate::limits::FAILURE_BYTES_MAX;
use crate::reset::{self, Reset};
use serde::{Deserialize, Serialize};

/// Why a turn failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure.
    pub class: Class,
    /// What the CLI said about it, shortened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The vendor's HTTP status, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When the limit ends, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The vendor wants fewer requests; soon it will be well.
    RateLimited,
    /// What the plan allows is used up until it resets.
    UsageLimited,
    /// The vendor is overloaded or broken: 5xx.
    Overloaded,
    /// The vendor could not be reached, or the stream broke off.
    Network,
    /// Not logged in, or the key is refused.
    Auth,
    /// There is no money in the account.
    Billing,
    /// The model does not exist, or not for this account.
    ModelUnknown,
    /// The conversation has grown too long for the model.
    ContextFull,
    /// The vendor refused the request for another reason: 4xx.
    BadRequest,
    /// The conversation to resume does not exist.
    ResumeRefused,
    /// The conversation is in use, or its id is taken. If it was to be begun under our id, an earlier
    /// attempt has begun it: resume it.
    ConversationBusy,
    /// The turn took as many steps as it may.
    MaxTurns,
    /// The turn spent what it may.
    Budget,
    /// The answer was cut off at the model's longest.
    OutputFull,
    /// The turn ended because a tool was refused.
    Denied,
    /// The CLI is not there, or cannot be run.
    NotRunnable,
    /// The CLI did not accept how it was started: flags, settings, an untrusted folder.
    Misused,
    /// It was interrupted, and not by us.
    Interrupted,
    /// It was killed by a signal, and not by us.
    Killed,
    /// It ended without saying how the turn went.
    NoResult,
    /// The CLI said that it failed, in words that say no more.
    Other,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Set the turn aside until the limit ends; that is no attempt.
    Park,
    /// Try again later; that is an attempt.
    Retry,
    /// The conversation cannot be had: begin a new one once, or fail.
    Afresh,
    /// Trying again would fail again: somebody has to do something first.
    Ask,
    /// It went as far as it was allowed to.
    Stop,
}

impl Class {
    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::RateLimited | Self::UsageLimited => Remedy::Park,
            Self::Overloaded
            | Self::Network
            | Self::ConversationBusy
            | Self::Interrupted
            | Self::Killed
            | Self::NoResult
            | Self::Other => Remedy::Retry,
            Self::ResumeRefused => Remedy::Afresh,
            Self::Auth
            | Self::Billing
            | Self::ModelUnknown
            | Self::ContextFull
            | Self::BadRequest
            | Self::Denied
            | Self::NotRunnable
            | Self::Misused => Remedy::Ask,
            Self::MaxTurns | Self::Budget | Self::OutputFull => Remedy::Stop,
        }
    }

    /// Its name, as programs see it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::UsageLimited => "usage_limited",
            Self::Overloaded => "overloaded",
            Self::Network => "network",
            Self::Auth => "auth",
            Self::Billing => "billing",
            Self::ModelUnknown => "model_unknown",
            Self::ContextFull => "context_full",
            Self::BadRequest => "bad_request",
            Self::ResumeRefused => "resume_refused",
            Self::ConversationBusy => "conversation_busy",
            Self::MaxTurns => "max_turns",
            Self::Budget => "budget",
            Self::OutputFull => "output_full",
            Self::Denied => "denied",
            Self::NotRunnable => "not_runnable",
            Self::Misused => "misused",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
            Self::NoResult => "no_result",
            Self::Other => "other",
        }
    }
}

/// What the words of an error stand for. The first that fits counts, so the narrow stand first.
/// Only errors of CLIs are looked at with these, never what a model or a tool said.
const WORDS: &[(Class, &[&str])] = &[
    (
        Class::ResumeRefused,
        &[
            "no conversation found",
            "no rollout found",
            "thread/resume failed",
            "no saved session found",
            "invalid session identifier",
            "session not found",
            "no session found matching",
            "error resuming session",
        ],
    ),
    (
        Class::ConversationBusy,
        &["already in use", "already has an active writer", "session id \"", "is already loaded"],
    ),
    (Class::MaxTurns, &["max session turns", "maximum number of turns", "fatalturnlimitederror"]),
    (Class::Budget, &["maximum budget", "budget exceeded"]),
    (
        Class::UsageLimited,
        &[
            "usage limit",
            "hit your limit",
            "limit reached",
            "out of extra usage",
            "usage_limit_reached",
            "weekly limit",
            "per day",
            "daily quota",
            "exhausted your capacity",
            "exhausted your daily quota",
        ],
    ),
    (
        Class::Billing,
        &[
            "insufficient_quota",
            "insufficient balance",
            "credit balance",
            "payment required",
            "billing",
        ],
    ),
    (
        Class::RateLimited,
        &[
            "rate limit",
            "rate_limit",
            "ratelimit",
            "too many requests",
            "resource_exhausted",
            "quota exceeded",
            "resource has been exhausted",
        ],
    ),
    (
        Class::ContextFull,
        &[
            "prompt is too long",
            "prompt_too_long",
            "context_length_exceeded",
            "context window",
            "maximum context length",
        ],
    ),
    (Class::OutputFull, &["max_output_tokens", "max output tokens"]),
    (
        Class::ModelUnknown,
        &["model_not_found", "model not found", "unknown model", "no such model"],
    ),
    (
        Class::Auth,
        &[
            "authentication",
            "unauthorized",
            "unauthenticated",
            "invalid api key",
            "invalid x-api-key",
            "api key not valid",
            "not logged in",
            "please run /login",
            "missing environment variable",
            "no api key",
            "oauth token",
            "permission_denied",
            "login required",
        ],
    ),
    (
        Class::Misused,
        &[
            "root/sudo privileges",
            "unknown option",
            "unexpected argument",
            "unknown argument",
            "requires --verbose",
            "not inside a trusted directory",
            "untrusted",
            "please set an auth method",
            "input must be provided",
        ],
    ),
    (
        Class::Overloaded,
        &[
            "overloaded",
            "high demand",
            "service unavailable",
            "bad gateway",
            "server_error",
            "internal server error",
        ],
    ),
    (
        Class::Network,
        &[
            "stream disconnected",
            "network error",
            "terminated",
            "socket",
            "econnre",
            "fetch failed",
            "stream ended without",
            "without a finish reason",
            "connection error",
            "connection refused",
            "json parsing failed",
            "in json at position",
            "timed out",
            "timeout",
        ],
    ),
];

impl Failure {
    /// A failure whose class is known from elsewhere; when a limit ends is still looked for.
    pub(crate) fn of(class: Class, message: &str) -> Self {
        let reset = match class.remedy() {
            Remedy::Park => reset::find(message),
            Remedy::Retry | Remedy::Afresh | Remedy::Ask | Remedy::Stop => None,
        };
        let message = clip::encoded(message.trim(), FAILURE_BYTES_MAX).to_owned();
        Self { class, message, status: None, reset }
    }

    /// A failure known by what was said, and by the vendor's HTTP status if it was told.
    pub(crate) fn read(status: Option<u16>, message: &str) -> Self {
        let status = status.or_else(|| status_in(message));
        let class = class_of(status, message).unwrap_or(Class::Other);
        Self { status, ..Self::of(class, message) }
    }

    /// What a line of stderr says about a failure, if it says anything that is known.
    pub(crate) fn heard(line: &str) -> Option<Self> {
        let status = status_in(line);
        let class = class_of(status, line)?;
        Some(Self { status, ..Self::of(class, line) })
    }

    /// How much is known: of two, the one that says more is kept.
    pub(crate) fn weight(&self) -> u8 {
        match self.class {
            Class::Other | Class::NoResult => 0,
            Class::Network | Class::Overloaded | Class::Misused => 1,
            Class::Auth | Class::BadRequest | Class::RateLimited => 2,
            Class::UsageLimited
            | Class::Billing
            | Class::ModelUnknown
            | Class::ContextFull
            | Class::ResumeRefused
            | Class::ConversationBusy
            | Class::MaxTurns
            | Class::Budget
            | Class::OutputFull
            | Class::Denied
            | Class::NotRunnable
            | Class::Interrupted
            | Class::Killed => 3,
        }
    }
}

fn class_of(status: Option<u16>, message: &str) -> Option<Class> {
    let small = message.to_ascii_lowercase();
    let said = WORDS.iter().find(|(_, words)| words.iter().any(|word| small.contains(word)));
    let said = said.map(|(class, _)| *class);
    // A status is plainer than words, which advise (`request a quota increase`); but the words may
    // say which of two things with one status it is.
    match (status, said) {
        (Some(429), Some(Class::UsageLimited | Class::Billing)) => said,
        (Some(429), _) => Some(Class::RateLimited),
        (Some(401), _) => Some(Class::Auth),
        (Some(402), _) => Some(Class::Billing),
        (Some(403), Some(_)) => said,
        (Some(403), None) => Some(Class::Auth),
        (Some(404), Some(Class::ResumeRefused | Class::ModelUnknown)) => said,
        (Some(400..=499), Some(Class::ContextFull | Class::Billing | Class::UsageLimited)) => said,
        (Some(400..=499), _) => Some(Class::BadRequest),
        (Some(500..=599), _) => Some(Class::Overloaded),
        _ => said,
    }
}

/// What stands before a number that is an HTTP status.
const BEFORE_STATUS: &[&str] = &[
    "status ",
    "status: ",
    "error ",
    "error: ",
    "api error: ",
    "code\":",
    "code\": ",
    "code ",
    "http ",
    "(",
];

/// An HTTP status of an error, in words: `last status: 429`, `API Error: 500 …`, `"code":401`, `429: {…`.
fn status_in(text: &str) -> Option<u16> {
    let small = text.to_ascii_lowercase();
    let bytes = small.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = bytes[at..].iter().position(|byte| !byte.is_ascii_digit());
        let end = end.map_or(bytes.len(), |length| at + length);
        let known = at == 0 || BEFORE_STATUS.iter().any(|before| small[..at].ends_with(before));
        if known
            && end - at == 3
            && let Ok(status @ 400..=599) = small[at..end].parse()
        {
            return Some(status);
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_found_and_other_numbers_are_not() {
        for (text, status) in [
            ("exceeded retry limit, last status: 429 Too Many Requests", Some(429)),
            ("unexpected status 401 Unauthorized", Some(401)),
            ("API Error: 500 broke", Some(500)),
            ("[API Error: {\"error\":{\"code\":401,\"message\":\"x\"}}]", Some(401)),
            ("429: {\"message\":\"x\"}", Some(429)),
            ("line 404 of main.rs", None),
            ("error 4290", None),
            ("", None),
        ] {
            assert_eq!(status_in(text), status, "{text}");
        }
    }

    #[test]
    fn errors_as_vendors_word_them_have_their_class() {
        for (text, class) in [
            ("Claude AI usage limit reached|1754870400", Class::UsageLimited),
            ("You've hit your limit · resets 3pm (UTC)", Class::UsageLimited),
            (
                "You've hit your usage limit. Upgrade to Pro or try again in 5 days.",
                Class::UsageLimited,
            ),
            ("429 Quota exceeded for requests per minute", Class::RateLimited),
            ("error 429: Quota exceeded for requests per day", Class::UsageLimited),
            (
                "[API Error: stub error 429]\nTo increase your limits, request a quota increase",
                Class::RateLimited,
            ),
            ("Not logged in · Please run /login", Class::Auth),
            ("Your credit balance is too low to access the API", Class::Billing),
            ("Missing environment variable: `STUB_KEY`.", Class::Auth),
            ("No conversation found with session ID: 2", Class::ResumeRefused),
            ("stream disconnected before completion", Class::Network),
            ("something else entirely", Class::Other),
        ] {
            assert_eq!(Failure::read(None, text).class, class, "{text}");
        }
    }

    #[test]
    fn words_tell_apart_what_one_status_stands_for() {
        for (status, text, class) in [
            (413, "prompt is too long", Class::ContextFull),
            (422, "no such field", Class::BadRequest),
            (404, "model not found", Class::ModelUnknown),
            (404, "not found", Class::BadRequest),
            (403, "credit balance", Class::Billing),
            (403, "", Class::Auth),
            (429, "insufficient_quota", Class::Billing),
            (529, "", Class::Overloaded),
        ] {
            assert_eq!(Failure::read(Some(status), text).class, class, "{status} {text}");
        }
    }

    #[test]
    fn a_limit_says_when_it_ends() {
        let failure = Failure::read(None, "You've hit your usage limit. Try again in 2 hours.");
        assert_eq!(failure.reset, Some(Reset::AfterMs(7_200_000)));
        assert_eq!(failure.class.remedy(), Remedy::Park);
    }
}

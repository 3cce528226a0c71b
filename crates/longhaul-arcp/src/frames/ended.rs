//! How a job's end is told.

use super::{AROUND_BYTES, Entry, Object, Said};
use crate::error::{Code, Denial};
use crate::profile::Profile;
use longhaul_core::event::Fact;
use longhaul_core::outcome::{Ending as Kind, Outcome, Reason};
use std::borrow::Cow;

/// What a job's end has to say besides how it ended. It is not in the journal, and must be the same
/// each time it is told.
#[derive(Clone, Debug, Default)]
pub struct Ending<'a> {
    /// What the job gave, as JSON text. Not set for one that gave pieces.
    pub result: Option<&'a str>,
    /// The pieces that it gave.
    pub result_id: Option<&'a str>,
    /// Bytes of all pieces together.
    pub result_size: Option<u64>,
    /// About the result, for people.
    pub summary: Option<Cow<'a, str>>,
    /// What the job itself says went wrong.
    pub error: Option<&'a Denial>,
}

impl Ending<'_> {
    /// The same with ever less in it, where all of it makes a frame so large: words about a result are
    /// left out before the result is.
    pub(super) fn lesser(&self, size: usize) -> [Self; 2] {
        let words =
            format!("the result makes a frame of {size} bytes, which is more than one may have");
        let without_result =
            Self { result: None, summary: Some(Cow::Owned(words)), error: None, ..self.clone() };
        [Self { summary: None, ..self.clone() }, without_result]
    }
}

/// The message that ends the job; nothing if the entry is not its end. [arcp §7.3] There are four ends
/// on the wire, and a lease or a budget that is used up is an error.
pub(super) fn said<'a>(
    entry: &Entry<'_>,
    ending: Option<&Ending<'_>>,
    profile: Profile,
) -> Option<Said<'a>> {
    let Ok(Fact::Ended { outcome }) = serde_json::from_str(entry.text) else { return None };
    let none = Ending::default();
    let ending = ending.unwrap_or(&none);
    let at = entry.at.rfc3339();
    let as_result = match (outcome.kind, profile) {
        (Kind::Succeeded, _) | (Kind::Cancelled | Kind::TimedOut, Profile::Python) => true,
        (Kind::Cancelled | Kind::TimedOut, Profile::Default | Profile::Go)
        | (Kind::Failed | Kind::Lost, _) => false,
    };
    Some(if as_result {
        Said::End { name: "job.result", payload: result(&outcome, ending, profile, &at) }
    } else {
        Said::End { name: "job.error", payload: error(&outcome, ending, &at) }
    })
}

/// The end's name on the wire.
pub(crate) const fn final_status(kind: Kind) -> &'static str {
    match kind {
        Kind::Succeeded => "success",
        Kind::Failed | Kind::Lost => "error",
        Kind::Cancelled => "cancelled",
        Kind::TimedOut => "timed_out",
    }
}

/// [arcp §8.4] A result is told here or was told in pieces, never both.
fn result(outcome: &Outcome, ending: &Ending<'_>, profile: Profile, at: &str) -> String {
    let has_result = outcome.is_success() && ending.result_id.is_none();
    let given = ending.result.filter(|_| has_result);
    let mirror = given.filter(|_| profile == Profile::Go);
    // Such a client reads the other field only, and a large result has room once.
    let room = profile.frame_bytes_max().saturating_sub(AROUND_BYTES) / 2;
    let inline = given.filter(|text| mirror.is_none() || text.len() <= room);
    let size = ending.result_size.map(|size| size.to_string());
    Object::new()
        .text("final_status", Some(final_status(outcome.kind)))
        .text("summary", ending.summary.as_deref())
        .raw("result", inline)
        .raw("output", mirror)
        .text("result_id", ending.result_id)
        .raw("result_size", size.as_deref())
        .text("completed_at", Some(at))
        .end()
}

/// [arcp §12] Every error says whether the same can be tried again.
fn error(outcome: &Outcome, ending: &Ending<'_>, at: &str) -> String {
    let own = ending.error.filter(|_| outcome.kind == Kind::Failed && !is_ours(outcome));
    let code = own.map_or_else(|| code_of(outcome), |own| own.code);
    let words = own.map_or_else(|| words_of(outcome), |own| own.message.clone());
    let details = own.filter(|own| !own.details.is_empty());
    let details = details.map(|own| serde_json::Value::Object(own.details.clone()).to_string());
    Object::new()
        .text("final_status", Some(final_status(outcome.kind)))
        .text("code", Some(code.name()))
        .text("message", Some(&words))
        .raw("retryable", Some(if code.is_retryable() { "true" } else { "false" }))
        .raw("details", details.as_deref())
        .text("completed_at", Some(at))
        .end()
}

/// Whether we ended the job and not it itself: then its own words do not say why.
fn is_ours(outcome: &Outcome) -> bool {
    matches!(code_of(outcome), Code::LeaseExpired | Code::BudgetExhausted)
}

fn code_of(outcome: &Outcome) -> Code {
    match outcome.kind {
        Kind::Cancelled => Code::Cancelled,
        Kind::TimedOut => Code::Timeout,
        Kind::Succeeded | Kind::Failed | Kind::Lost => match outcome.reason {
            Some(Reason::Budget) => Code::BudgetExhausted,
            Some(Reason::Lease) => Code::LeaseExpired,
            _ => Code::InternalError,
        },
    }
}

/// What went wrong, without paths and traces: this leaves the machine. What a body says of itself is
/// meant to be read.
fn words_of(outcome: &Outcome) -> String {
    match outcome.kind {
        Kind::Succeeded => "it succeeded".to_owned(),
        Kind::Cancelled => "the job was cancelled".to_owned(),
        Kind::TimedOut => "the job ran for longer than it may".to_owned(),
        Kind::Lost => "nobody knows what became of the job: what ran it was restarted".to_owned(),
        Kind::Failed => match (outcome.reason, outcome.exit_code, outcome.signal) {
            (Some(Reason::Budget), ..) => "what the job could spend is spent".to_owned(),
            (Some(Reason::Lease), ..) => "what the job was granted is over".to_owned(),
            (Some(Reason::Spawn), ..) => "the job's program could not be started".to_owned(),
            (_, Some(code), _) => format!("the job's program ended with exit code {code}"),
            (_, _, Some(signal)) => format!("the job's program was ended by signal {signal}"),
            (None, None, None) => {
                outcome.message.clone().unwrap_or_else(|| "the job failed".to_owned())
            }
            (Some(_), None, None) => "the job failed".to_owned(),
        },
    }
}

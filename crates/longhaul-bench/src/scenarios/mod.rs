//! One file a scenario: a user's sentence, how it is measured, and what should come out.

mod backoff;
pub(crate) mod ephemeral;
mod fifty;
mod gib;
mod hook;
mod idle;
mod ingest;
mod list;
mod mail;
mod memory;
mod noop;
mod output;
mod queue;
mod rewatch;
mod run_true;
mod sessions;
mod sinks;
mod submit;
mod turn;
mod wait;
mod webhook;

use crate::args::Scenario;
use crate::bench::Bench;
use crate::report::Line;
use anyhow::Result;

/// Measures one scenario from nothing: no daemon, no home and no peer is shared with another.
pub(crate) fn measure(bench: &Bench, scenario: Scenario) -> Result<Vec<Line>> {
    match scenario {
        Scenario::Submit => submit::measure(bench),
        Scenario::RunTrue => run_true::measure(bench),
        Scenario::Noop => noop::measure(bench),
        Scenario::Queue => queue::measure(bench),
        Scenario::List => list::measure(bench),
        Scenario::Output => output::measure(bench),
        Scenario::Rewatch => rewatch::measure(bench),
        Scenario::Memory => memory::measure(bench),
        Scenario::Idle => idle::measure(bench),
        Scenario::Webhook => webhook::measure(bench),
        Scenario::Wait => wait::measure(bench),
        Scenario::Sinks => sinks::measure(bench),
        Scenario::Backoff => backoff::measure(bench),
        Scenario::Ephemeral => ephemeral::measure(bench),
        Scenario::Turn => turn::measure(bench),
        Scenario::Ingest => ingest::measure(bench),
        Scenario::Fifty => fifty::measure(bench),
        Scenario::Mail => mail::measure(bench),
        Scenario::Gib => gib::measure(bench),
        Scenario::Hook => hook::measure(bench),
        Scenario::Sessions => sessions::measure(bench),
    }
}

/// The name by which it is asked for.
pub(crate) fn name(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Submit => "submit",
        Scenario::RunTrue => "run-true",
        Scenario::Noop => "noop",
        Scenario::Queue => "queue",
        Scenario::List => "list",
        Scenario::Output => "output",
        Scenario::Rewatch => "rewatch",
        Scenario::Memory => "memory",
        Scenario::Idle => "idle",
        Scenario::Webhook => "webhook",
        Scenario::Wait => "wait",
        Scenario::Sinks => "sinks",
        Scenario::Backoff => "backoff",
        Scenario::Ephemeral => "ephemeral",
        Scenario::Turn => "turn",
        Scenario::Ingest => "ingest",
        Scenario::Fifty => "fifty",
        Scenario::Mail => "mail",
        Scenario::Gib => "gib",
        Scenario::Hook => "hook",
        Scenario::Sessions => "sessions",
    }
}

/// A line that says that a peer is missing.
fn missing(scenario: &'static str, peer: &str) -> Line {
    Line::unmeasured(scenario, peer, "not installed; --install-peers would".to_owned())
}

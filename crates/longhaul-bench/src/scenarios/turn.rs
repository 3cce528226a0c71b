//! "What do I pay for running my agent through longhaul?" The bare price is the CLI itself, with a
//! prompt and a reader.

use crate::bench::Bench;
use crate::clock;
use crate::contest::{self, Contender};
use crate::program;
use crate::report::{Figure, Line, Reach, Unit};
use crate::speaker::{self, Speech};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;
use std::process::Command;
use std::time::Duration;

const NAME: &str = "turn";
/// Events of a short turn.
const EVENTS: u64 = 10;
/// Turns of one kind in a round.
const ROUND: usize = 20;
/// Milliseconds that longhaul may add to the bare price, and of them on a core.
const ADDED_MS_MAX: f64 = 10.0;
const CPU_MS_MAX: f64 = 3.0;
/// Turns whose shim is looked at.
const SHIMS: usize = 5;
const LINGER_MS: u64 = 300;
const LOOK: Duration = Duration::from_millis(5);
/// What overstory 0.11 adds, measured on another day on ext4.
const PEER: &str = "overstory 0.11 (113 ms, 27 ms of a core)";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "turn")?;
    let folder = Speech::of(EVENTS).install(bench, "turn-cli")?;
    speaker::add_agent(&subject, "ann", &folder)?;
    let words = ["turn", "ann", "Say what you have to say.", "--follow"];
    let mut contenders = vec![
        Contender::new("longhaul turn --follow", ROUND, || {
            program::run(&mut subject.command(&words))
        }),
        Contender::new("the CLI, bare", ROUND, || {
            let mut bare = Command::new(speaker::program(&folder));
            bare.args(["-p", words[2], "--output-format", "stream-json", "--verbose"]);
            program::run(&mut bare)
        }),
    ];
    let daemon = subject.daemon()?;
    let before = daemon.cpu_ns()?;
    contest::hold(&mut contenders, bench.args.runs)?;
    let daemon_ns = daemon.cpu_ns()? - before;
    let (ours, bare) = (contenders[0].all(), contenders[1].all());
    let added = ours.median() - bare.median();
    let reach = Reach::at_most("p50 < bare + 10 ms", added, ADDED_MS_MAX);
    let daemon_ms = per_turn_ms(daemon_ns, ours.len() + 1);
    let shim_ms = shim_ms(bench)?;
    let client_ms = client_ms(&subject, &words)?;
    let cpu = daemon_ms + shim_ms + client_ms;
    let shown = |value| Figure::once(value, Unit::Milliseconds);
    Ok(vec![
        Line::new(NAME, &contenders[0].name, Figure::latencies(ours)).reach(reach),
        Line::new(NAME, &contenders[1].name, Figure::latencies(bare)).beside(ours.median()),
        Line::new(NAME, "CPU a turn: daemon, shim and client", shown(cpu))
            .reach(Reach::at_most("< 3 ms", cpu, CPU_MS_MAX)),
        Line::new(NAME, "of that, the daemon", shown(daemon_ms)),
        Line::new(NAME, "of that, the shim until its agent has spoken", shown(shim_ms)),
        Line::new(NAME, "of that, `longhaul turn --follow`", shown(client_ms)),
        Line::unmeasured(NAME, PEER, "needs bun; measured apart".to_owned()),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_turn_ms(ns: u64, turns: usize) -> f64 {
    ns as f64 / 1e6 / turns as f64
}

/// CPU of a shim, looked at while its agent lingers.
fn shim_ms(bench: &Bench) -> Result<f64> {
    let subject = Subject::start(bench, "turn-shim")?;
    let speech = Speech { linger_ms: LINGER_MS, ..Speech::of(EVENTS) };
    let folder = speech.install(bench, "turn-shim-cli")?;
    speaker::add_agent(&subject, "ann", &folder)?;
    let mut connection = subject.connect()?;
    let mut samples = Samples::default();
    for _ in 0..SHIMS {
        let id = subject::turn(&mut connection, "ann")?;
        let shim = clock::until("a shim holds the turn", LOOK, || {
            let running = subject::count(&mut connection, "running")? == 1;
            Ok(subject.shims()?.first().copied().filter(|_| running))
        })?;
        clock::rest(Duration::from_millis(LINGER_MS / 2));
        samples.push(per_turn_ms(shim.cpu_ns()?, 1));
        subject::turn_ended(&mut connection, &id, EVENTS)?;
    }
    Ok(samples.median())
}

/// CPU of the clients alone: what this process's children, now over, took more.
fn client_ms(subject: &Subject, words: &[&str]) -> Result<f64> {
    let before = crate::processes::own_children_cpu_ns()?;
    for _ in 0..ROUND {
        program::run(&mut subject.command(words))?;
    }
    Ok(per_turn_ms(crate::processes::own_children_cpu_ns()? - before, ROUND))
}

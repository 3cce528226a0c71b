//! "My job ended: when does my webhook know?" Once from the asking for an outcome that needs no
//! process, which therefore includes its commit, and once from the last act of a job. Whoever has no
//! webhooks lets a hook of the queue post one.

use super::missing;
use crate::bench::Bench;
use crate::clock;
use crate::http::Connection;
use crate::peers::{Kind, Pueue, Spooler};
use crate::receiver::Receiver;
use crate::report::{Figure, Line, Reach, Unit};
use crate::stamp;
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const NAME: &str = "webhook";
const JOBS: usize = 200;
const JOBS_OF_PEERS: usize = 20;
const WARM_UP: usize = 5;
const P50_MS_MAX: f64 = 5.0;
const P99_MS_MAX: f64 = 25.0;
/// Until the daemon has written down that the last notice was taken, and is idle.
const REST: Duration = Duration::from_millis(40);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let receiver = Receiver::start()?;
    let subject = Subject::start(bench, "webhook")?;
    let mut connection = subject.connect()?;
    subject::add_webhook(&mut connection, "bench", &receiver.url("notice"))?;
    let report = bench.folder.join("webhook-end");
    let exits = series(JOBS, || ended(&mut connection, &receiver, &report))?;
    subject::pause(&mut connection, true)?;
    let asks = series(JOBS, || called_off(&mut connection, &receiver))?;

    let (p50, p99) = (asks.median(), asks.quantile(0.99));
    let ours = exits.median();
    let mut lines = vec![
        Line::new(NAME, "cancel asked (commit included) → received", Figure::latencies(&asks))
            .reach(Reach::at_most("p50 < 5 ms", p50, P50_MS_MAX)),
        Line::new(NAME, "of that, p99", Figure::once(p99, Unit::Milliseconds))
            .reach(Reach::at_most("p99 < 25 ms", p99, P99_MS_MAX)),
        Line::new(NAME, "last act of a job → received", Figure::latencies(&exits)),
    ];
    lines.extend(peers(bench, &receiver, &report, ours)?);
    Ok(lines)
}

/// Samples of one thing after another, each on a daemon that has come to rest.
fn series(times: usize, mut act: impl FnMut() -> Result<f64>) -> Result<Samples> {
    let mut samples = Samples::default();
    for sample in 0..WARM_UP + times {
        clock::rest(REST);
        let took = act()?;
        if sample >= WARM_UP {
            samples.push(took);
        }
    }
    Ok(samples)
}

fn ended(connection: &mut Connection, receiver: &Receiver, report: &Path) -> Result<f64> {
    let command = stamp::command(report)?;
    let spec = json!({ "command": command, "cwd": "/", "notify": ["bench"] });
    subject::submit(connection, &spec)?;
    let arrival = receiver.next()?;
    Ok(arrival.at_ms - stamp::reported(report)?)
}

fn called_off(connection: &mut Connection, receiver: &Receiver) -> Result<f64> {
    let mut spec = subject::noop();
    spec["notify"] = json!(["bench"]);
    let job = subject::submit(connection, &spec)?;
    clock::rest(REST);
    let asked_at = clock::monotonic_ms();
    subject::cancel(connection, &job)?;
    Ok(receiver.next()?.at_ms - asked_at)
}

fn peers(bench: &Bench, receiver: &Receiver, report: &Path, ours: f64) -> Result<Vec<Line>> {
    let mut lines = vec![];
    let command = stamp::command(report)?;
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut told = |what: &str, submit: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let samples = series(JOBS_OF_PEERS, || {
            submit()?;
            Ok(receiver.next()?.at_ms - stamp::reported(report)?)
        })?;
        lines.push(Line::new(NAME, what, Figure::latencies(&samples)).beside(ours));
        Ok(())
    };
    if let Some(programs) = bench.peers.programs(Kind::Spooler) {
        let folder = bench.fresh("webhook-spooler")?;
        let spooler = Spooler::start_telling(programs, folder, receiver.port())?;
        told("tsp, TS_ONFINISH posts", &mut || spooler.tell(&words))?;
    }
    if let Some(programs) = bench.peers.programs(Kind::Pueue) {
        let folder = bench.fresh("webhook-pueue")?;
        let pueue = Pueue::start_telling(programs, folder, receiver.port())?;
        let line = command.join(" ");
        told("pueue, its callback posts", &mut || pueue.tell(&["add", "--", &line]))?;
    }
    for kind in [Kind::Spooler, Kind::Pueue] {
        if bench.peers.programs(kind).is_none() {
            lines.push(missing(NAME, kind.name()));
        }
    }
    Ok(lines)
}

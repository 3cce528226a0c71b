//! "How many small jobs get done?" From the first submit to the last end.

use super::missing;
use crate::bench::Bench;
use crate::clock::{self, timed};
use crate::http::Connection;
use crate::peers::{self, Kind, Peer, Pueue};
use crate::program;
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use crate::subject::Subject;
use anyhow::{Context, Result};
use serde_json::Value;
use std::time::Duration;

const NAME: &str = "noop";
const JOBS: usize = 1_000;
/// How many times pueue's rate should be reached.
const PUEUE_TIMES: f64 = 10.0;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let (ours, slots) = longhaul(bench)?;
    let what = format!("{JOBS} jobs, `submit --batch`, {slots} at a time (default)");
    let mut first = Line::new(NAME, what, Figure::runs(&ours, Unit::JobsPerSecond));
    let mut lines = vec![];
    let field = peers::start(bench, NAME)?;
    for mut peer in field.started {
        let rate = rate(peer.as_mut())?;
        let shown = peer.submit_shown();
        if shown.starts_with("pueue") {
            let times = ours.median() / rate;
            first = first.reach(Reach::at_least("10 × pueue's rate", times, PUEUE_TIMES));
        }
        let what = format!("{} jobs, `{shown}` each, defaults", peer.series());
        let figure = Figure::once(rate, Unit::JobsPerSecond);
        lines.push(Line::new(NAME, what, figure).beside(ours.median()));
    }
    lines.insert(0, first);
    if let Some(programs) = bench.peers.programs(Kind::Pueue) {
        // Its default is one task at a time. What it can do with as many as ours is told too.
        let mut pueue = Pueue::start(programs, bench.fresh("noop-pueue-wide")?)?;
        pueue.tell(&["parallel", &slots.to_string()])?;
        let rate = rate(&mut pueue)?;
        let what = format!("{} jobs, pueue set to {slots} at a time", pueue.series());
        let figure = Figure::once(rate, Unit::JobsPerSecond);
        lines.push(Line::new(NAME, what, figure).beside(ours.median()));
    }
    lines.extend(field.missing.into_iter().map(|peer| missing(NAME, peer)));
    Ok(lines)
}

/// Jobs a second of each run, and the slots of the default pool.
fn longhaul(bench: &Bench) -> Result<(Samples, u64)> {
    let batch = bench.folder.join("batch.jsonl");
    fs_err::write(&batch, "{\"command\":[\"true\"]}\n".repeat(JOBS))?;
    let batch = batch.to_str().context("the folder's path is not UTF-8")?;
    let mut rates = Samples::default();
    let mut slots = 0;
    for run in 0..bench.args.runs {
        let subject = Subject::start(bench, &format!("noop-{run}"))?;
        let mut connection = subject.connect()?;
        slots = default_slots(&mut connection)?;
        let took = timed(|| {
            program::run(&mut subject.command(&["submit", "--batch", batch]))?;
            subject.settled(&mut connection, "ended", JOBS)
        })?;
        all_succeeded(&subject)?;
        rates.push(per_second(JOBS, took));
    }
    Ok((rates, slots))
}

/// The slots of the default pool. A daemon answers a moment before its first commit, and until then
/// there is no pool.
fn default_slots(connection: &mut Connection) -> Result<u64> {
    clock::until("the default pool is there", Duration::from_millis(2), || {
        let pools = connection.get("/v1/pools")?;
        let pools = pools["pools"].as_array().context("the answer has no pools")?;
        let pool = pools.iter().find(|pool| pool["name"] == "default");
        Ok(pool.and_then(|pool| pool["slots"].as_u64()))
    })
}

/// A rate of jobs that did not run would be worth nothing.
fn all_succeeded(subject: &Subject) -> Result<()> {
    let words = ["list", "--outcome", "failed,cancelled,timed_out,lost", "--json"];
    let list: Value = serde_json::from_str(&program::output(&mut subject.command(&words))?)?;
    let failed = list["jobs"].as_array().context("the list has no jobs")?.len();
    anyhow::ensure!(failed == 0, "{failed} no-op jobs did not succeed");
    Ok(())
}

/// Jobs a second of one series, submitted one by one as its users do.
fn rate(peer: &mut dyn Peer) -> Result<f64> {
    let jobs = peer.series();
    let took = timed(|| {
        for _ in 0..jobs {
            peer.submit()?;
        }
        peer.drain()
    })?;
    Ok(per_second(jobs, took))
}

#[expect(clippy::cast_precision_loss, reason = "thousands at most")]
fn per_second(jobs: usize, took_ms: f64) -> f64 {
    jobs as f64 * 1000.0 / took_ms
}

//! "Does my job write slower?" The writer times itself; the same program writes to a plain file.

use crate::bench::Bench;
use crate::clock::timed;
use crate::program;
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use crate::writer;
use anyhow::{Context, Result};
use fs_err::OpenOptions;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const NAME: &str = "output";
/// What writing as a job may cost, in times of writing to a plain file.
const TIMES_MAX: f64 = 1.05;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "output")?;
    let (mut jobs, mut files) = (Samples::default(), Samples::default());
    let mut ratios = Samples::default();
    for run in 0..bench.args.runs {
        // Who goes first changes, so that neither always meets the fuller page cache.
        let (job, file) = if run % 2 == 0 {
            let job = as_job(bench, &subject)?;
            (job, to_file(bench)?)
        } else {
            let file = to_file(bench)?;
            (as_job(bench, &subject)?, file)
        };
        jobs.push(speed(bench, job));
        files.push(speed(bench, file));
        ratios.push(job / file);
    }
    let streamed = streamed(bench, &subject)?;
    let size = mebibytes(bench);
    let ours = jobs.median();
    let per = Unit::MebibytesPerSecond;
    Ok(vec![
        Line::new(NAME, format!("{size} MiB written by a job"), Figure::runs(&jobs, per)),
        Line::new(NAME, "the same to a plain O_APPEND file", Figure::runs(&files, per))
            .beside(ours),
        Line::new(
            NAME,
            "time as a job / time to a file, paired",
            Figure::runs(&ratios, Unit::Times),
        )
        .reach(Reach::at_most("within 5 %", ratios.median(), TIMES_MAX)),
        Line::new(
            NAME,
            format!("longhaul run, {size} MiB through it to /dev/null"),
            Figure::runs(&streamed, per),
        )
        .beside(ours),
    ])
}

/// Milliseconds of the writing, as a job of the daemon.
fn as_job(bench: &Bench, subject: &Subject) -> Result<f64> {
    let report = bench.folder.join("job-report");
    settle_disk(&report)?;
    let mut connection = subject.connect()?;
    let command = writer::command(bench, &report)?;
    let spec = json!({ "command": command, "cwd": "/", "max_output": "64G" });
    let id = subject::submit(&mut connection, &spec)?;
    // One question that is answered at the end: asking again and again would take the core that
    // the job writes with.
    let job = loop {
        let job = connection.get(&format!("/v1/jobs/{id}/wait?timeout_ms=60000"))?;
        if job["state"] == "ended" {
            break job;
        }
    };
    let written = job["stdout_bytes"].as_u64();
    anyhow::ensure!(written == Some(bench.args.bytes), "the job has {written:?} bytes");
    drop_output(&mut connection, &id)?;
    writer::reported(&report)
}

/// Milliseconds of the writing, to a plain file on the same disk.
fn to_file(bench: &Bench) -> Result<f64> {
    let report = bench.folder.join("file-report");
    settle_disk(&report)?;
    let path = bench.folder.join("plain-output");
    let file = OpenOptions::new().create(true).append(true).open(&path)?;
    let words = writer::command(bench, &report)?;
    let mut command = Command::new(&words[0]);
    let status = command.args(&words[1..]).stdout(file.into_parts().0).status()?;
    anyhow::ensure!(status.success(), "the writer: {status}");
    fs_err::remove_file(path)?;
    writer::reported(&report)
}

/// Speeds of whole runs whose output is read back while it is written.
fn streamed(bench: &Bench, subject: &Subject) -> Result<Samples> {
    let report = bench.folder.join("run-report");
    let words = writer::command(bench, &report)?;
    let mut speeds = Samples::default();
    for _ in 0..bench.args.runs {
        settle_disk(&report)?;
        let mut command = subject.command(&["run", "--max-output", "64G", "--"]);
        let took = timed(|| program::run(command.args(&words)))?;
        speeds.push(speed(bench, took));
        let mut connection = subject.connect()?;
        let list: Value = connection.get("/v1/jobs?limit=1")?;
        let id = list["jobs"][0]["id"].as_str().context("the list has no job")?;
        drop_output(&mut connection, id)?;
    }
    Ok(speeds)
}

/// No run pays for writing back what another wrote.
fn settle_disk(report: &Path) -> Result<()> {
    if report.exists() {
        fs_err::remove_file(report)?;
    }
    rustix::fs::sync();
    Ok(())
}

/// Frees the disk; several gibibytes would otherwise wait for the end of the scenario.
fn drop_output(connection: &mut crate::http::Connection, id: &str) -> Result<()> {
    let ask = json!({ "older_than_ms": 0, "dry_run": false, "jobs": [id] });
    connection.post("/v1/prune", &ask).map(drop)
}

#[expect(clippy::cast_precision_loss, reason = "sizes of jobs' outputs are far below 2^52")]
fn mebibytes(bench: &Bench) -> f64 {
    bench.args.bytes as f64 / f64::from(1 << 20)
}

fn speed(bench: &Bench, took_ms: f64) -> f64 {
    mebibytes(bench) * 1000.0 / took_ms
}

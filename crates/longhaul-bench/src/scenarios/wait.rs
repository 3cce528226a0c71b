//! "My job ended: when does my `wait` return?" The outcome is a job's being called off, from the
//! asking for it, so that the outcome's own commit is included; and a job's last act.

use crate::bench::Bench;
use crate::clock;
use crate::http::Connection;
use crate::report::{Figure, Line, Reach};
use crate::stamp;
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

const NAME: &str = "wait";
const JOBS: usize = 200;
const PROCESSES: usize = 100;
const WARM_UP: usize = 5;
const P50_MS_MAX: f64 = 3.0;
/// The one who submits is the one who waits, as it is for most: its notice gets settled.
const OWNER: &str = "bench";
/// Until who waits does wait: a process has to start, and to ask.
const BEFORE: Duration = Duration::from_millis(40);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let subject = Subject::start(bench, "wait")?;
    let mut connection = subject.connect()?;
    let mut waiting = subject.connect()?;
    let report = bench.folder.join("wait-end");
    let mut exits = Samples::default();
    for sample in 0..WARM_UP + JOBS {
        let took = ended(&mut connection, &report)?;
        if sample >= WARM_UP {
            exits.push(took);
        }
    }
    subject::pause(&mut connection, true)?;
    let mut polls = Samples::default();
    for sample in 0..WARM_UP + JOBS {
        let took = polled(&mut connection, &mut waiting)?;
        if sample >= WARM_UP {
            polls.push(took);
        }
    }
    let (mut prints, mut ends) = (Samples::default(), Samples::default());
    for sample in 0..WARM_UP + PROCESSES {
        let (printed, ended) = process(&subject, &mut connection)?;
        if sample >= WARM_UP {
            prints.push(printed);
            ends.push(ended);
        }
    }
    let reach = |samples: &Samples| Reach::at_most("p50 < 3 ms", samples.median(), P50_MS_MAX);
    let figure = Figure::latencies;
    Ok(vec![
        Line::new(NAME, "cancel asked (commit included) → HTTP wait answers", figure(&polls))
            .reach(reach(&polls)),
        Line::new(NAME, "cancel asked → `longhaul wait` prints it", figure(&prints))
            .reach(reach(&prints)),
        Line::new(NAME, "cancel asked → `longhaul wait` is gone, notice settled", figure(&ends)),
        Line::new(NAME, "last act of a job → HTTP wait answers", figure(&exits)),
    ])
}

fn queued(connection: &mut Connection) -> Result<String> {
    let mut spec = subject::noop();
    spec["owner"] = json!(OWNER);
    subject::submit(connection, &spec)
}

/// A job ends by itself while a request waits for it.
fn ended(connection: &mut Connection, report: &Path) -> Result<f64> {
    let spec = json!({ "command": stamp::command(report)?, "cwd": "/", "owner": OWNER });
    let job = subject::submit(connection, &spec)?;
    wait(connection, &job)?;
    Ok(clock::monotonic_ms() - stamp::reported(report)?)
}

/// A job is called off while a request waits for it.
fn polled(connection: &mut Connection, waiting: &mut Connection) -> Result<f64> {
    let job = queued(connection)?;
    thread::scope(|scope| {
        let waited = scope.spawn(|| {
            wait(waiting, &job)?;
            anyhow::Ok(clock::monotonic_ms())
        });
        clock::rest(BEFORE);
        let asked_at = clock::monotonic_ms();
        subject::cancel(connection, &job)?;
        let Ok(answered_at) = waited.join() else { bail!("the waiting thread panicked") };
        Ok(answered_at? - asked_at)
    })
}

fn wait(connection: &mut Connection, job: &str) -> Result<()> {
    let ended: Value = connection.get(&format!("/v1/jobs/{job}/wait"))?;
    anyhow::ensure!(
        ended["outcome"]["kind"].is_string(),
        "a wait was over before its job: {ended}"
    );
    Ok(())
}

/// A job is called off while a process waits for it: until it prints, and until it is gone.
fn process(subject: &Subject, connection: &mut Connection) -> Result<(f64, f64)> {
    let job = queued(connection)?;
    let mut command = subject.command(&["wait", &job]);
    command.env("LONGHAUL_OWNER", OWNER).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut out = child.stdout.take().context("its stdout is a pipe")?;
    clock::rest(BEFORE);
    let asked_at = clock::monotonic_ms();
    subject::cancel(connection, &job)?;
    let mut word = [0; 512];
    let printed = out.read(&mut word)?;
    let printed_at = clock::monotonic_ms();
    anyhow::ensure!(printed > 0, "`longhaul wait` said nothing");
    child.wait()?;
    Ok((printed_at - asked_at, clock::monotonic_ms() - asked_at))
}

//! "The daemon was killed. When is everything watched again, and is every exit code right?"
//!
//! Jobs wait at a FIFO. Some are let go while there is no daemon, all others after it is back: a
//! code that is missing or wrong fails the scenario, it is not a slow figure.

use crate::bench::Bench;
use crate::clock::{self, Started};
use crate::http::Connection;
use crate::report::{Figure, Line, Reach, Unit};
use crate::stats::Samples;
use crate::subject::{self, Subject};
use anyhow::Result;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "rewatch";
const JOBS: usize = 1_000;
/// Let go while no daemon runs.
const ORPHANS: usize = 20;
const MS_MAX: f64 = 1_000.0;
const LOOK: Duration = Duration::from_millis(2);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let (mut up, mut watched, mut told) =
        (Samples::default(), Samples::default(), Samples::default());
    for run in 0..bench.args.runs {
        let once = once(bench, run)?;
        up.push(once.up_ms);
        watched.push(once.watched_ms);
        told.push(once.told_ms);
    }
    let ms = Unit::Milliseconds;
    let reach = Reach::at_most("< 1 s", watched.median(), MS_MAX);
    Ok(vec![
        Line::new(
            NAME,
            format!("kill -9, start: {JOBS} jobs watched again"),
            Figure::runs(&watched, ms),
        )
        .reach(reach),
        Line::new(NAME, "of that, until it answers", Figure::runs(&up, ms)),
        Line::new(NAME, "then a job ends: until it is told", Figure::runs(&told, ms)),
        Line::new(NAME, "exit codes complete and right", Figure::once(count_of_jobs(), Unit::Jobs)),
    ])
}

/// What one killing showed.
struct Once {
    up_ms: f64,
    watched_ms: f64,
    told_ms: f64,
}

fn once(bench: &Bench, run: u32) -> Result<Once> {
    let subject = Subject::start(bench, &format!("rewatch-{run}"))?;
    let mut gates = Gates::make(bench, run)?;
    let mut connection = subject.connect()?;
    subject::slots(&mut connection, JOBS)?;
    let specs: Vec<_> = (0..JOBS).map(|job| gates.spec(job)).collect();
    let ids = subject::submit_all(&mut connection, &specs)?;
    subject.settled(&mut connection, "running", JOBS)?;

    let daemon = subject.daemon()?;
    daemon.kill();
    clock::until("the daemon is dead", LOOK, || Ok((!daemon.is_alive()).then_some(())))?;
    gates.open(Gate::Orphans)?;
    clock::until("the orphans' shims are gone", LOOK, || {
        Ok((subject.own_processes()?.len() == JOBS - ORPHANS).then_some(()))
    })?;

    let started = Started::now();
    subject.start_daemon()?;
    let mut connection = subject.connect()?;
    let up_ms = started.elapsed_ms();
    // What ended meanwhile is reported, and nothing else is taken for ended.
    subject.settled(&mut connection, "ended", ORPHANS)?;
    let running = subject::count(&mut connection, "running")?;
    anyhow::ensure!(running == JOBS - ORPHANS, "{running} jobs are running");
    // Rows say that a job runs, not that anybody looks. The daemon waits for each shim's end with a
    // handle of its process: as many handles, as many are watched.
    let daemon = subject.daemon()?;
    clock::until("every shim is watched", LOOK, || {
        Ok((daemon.process_handles()? >= JOBS - ORPHANS).then_some(()))
    })?;
    let watched_ms = started.elapsed_ms();

    let ended = Started::now();
    gates.open(Gate::Last)?;
    subject.settled(&mut connection, "ended", ORPHANS + 1)?;
    let told_ms = ended.elapsed_ms();
    gates.open(Gate::Others)?;
    subject.settled(&mut connection, "ended", JOBS)?;
    check_codes(&mut connection, &ids)?;
    Ok(Once { up_ms, watched_ms, told_ms })
}

fn check_codes(connection: &mut Connection, ids: &[String]) -> Result<()> {
    for (job, id) in ids.iter().enumerate() {
        let answer = connection.get(&format!("/v1/jobs/{id}"))?;
        let told = answer["outcome"]["exit_code"].as_u64();
        let right = code(job);
        anyhow::ensure!(told == Some(right), "{id} ended with {told:?}, not {right}: {answer}");
    }
    Ok(())
}

/// As distinct as eight bits allow.
fn code(job: usize) -> u64 {
    (job % 256) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a thousand")]
fn count_of_jobs() -> f64 {
    JOBS as f64
}

/// Which jobs a FIFO holds back.
#[derive(Clone, Copy)]
enum Gate {
    Orphans,
    Last,
    Others,
}

/// FIFOs from which each job reads one line before it goes on.
///
/// All are held open for reading and writing from the start, so no job waits to open one, none
/// finds an early end, and whoever comes late finds his line waiting.
struct Gates {
    folder: PathBuf,
    held: [fs_err::File; 3],
}

impl Gates {
    fn make(bench: &Bench, run: u32) -> Result<Self> {
        let folder = bench.fresh(&format!("gates-{run}"))?;
        let make = |gate: Gate| -> Result<fs_err::File> {
            let path = path(&folder, gate);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
            Ok(fs_err::OpenOptions::new().read(true).write(true).open(path)?)
        };
        let held = [make(Gate::Orphans)?, make(Gate::Last)?, make(Gate::Others)?];
        Ok(Self { folder, held })
    }

    fn spec(&self, job: usize) -> serde_json::Value {
        let gate = match job {
            job if job < ORPHANS => Gate::Orphans,
            job if job == JOBS - 1 => Gate::Last,
            _ => Gate::Others,
        };
        let gate = path(&self.folder, gate);
        let script = format!("read -r line < '{}'; exit {}", gate.display(), code(job));
        json!({ "command": ["sh", "-c", script], "cwd": "/" })
    }

    /// Lets through all who stand at the gate or ever will.
    fn open(&mut self, gate: Gate) -> Result<()> {
        Ok(self.held[gate as usize].write_all(&[b'\n'; JOBS])?)
    }
}

fn path(folder: &Path, gate: Gate) -> PathBuf {
    folder.join(match gate {
        Gate::Orphans => "orphans",
        Gate::Last => "last",
        Gate::Others => "others",
    })
}

//! Looks everything over and says what is not as it should be. Looking changes nothing.

use super::error::Answer;
use super::{Shared, doctor_agents, doctor_credentials, doctor_home, doctor_notices, worktrees};
use crate::api::{Doctor, Finding, Level, State as JobState};
use crate::clock::wall_now;
use axum::Json;
use axum::extract::State;
use longhaul_core::job::{CleanupState, Job};
use longhaul_core::port::{Filter, Record};

/// Findings of one kind that are named; more are only counted.
pub(super) const NAMED_MAX: usize = 5;
/// Rows looked at in one read.
const PAGE_JOBS: u32 = 500;
/// A wall clock this far from the engine's time is told, in milliseconds.
const CLOCK_APART_MS: u64 = 5_000;

/// `GET /v1/doctor`
pub(super) async fn examine(State(ports): State<Shared>) -> Answer<Json<Doctor>> {
    let mut findings = vec![version()];
    findings.extend(store(&ports).await);
    findings.extend(attempts(&ports));
    findings.extend(cleanups(&ports).await?);
    findings.extend(doctor_notices::examine(&ports).await?);
    findings.extend(doctor_agents::examine(&ports).await?);
    findings.extend(doctor_credentials::examine(&ports).await?);
    findings.push(clock(&ports));
    findings.extend(doctor_home::examine(&ports).await?);
    findings.extend(worktrees::examine(&ports).await?);
    Ok(Json(told(findings)))
}

/// `POST /v1/doctor`
pub(super) async fn mend(State(ports): State<Shared>) -> Answer<Json<Doctor>> {
    let mut findings = worktrees::mend(&ports).await?;
    findings.extend(doctor_credentials::mend(&ports).await?);
    Ok(Json(told(findings)))
}

fn told(findings: Vec<Finding>) -> Doctor {
    let sound = findings.iter().all(|finding| finding.level != Level::Problem);
    Doctor { sound, findings }
}

/// Something that is as it should be.
pub(super) fn fine(what: &str, message: impl Into<String>) -> Finding {
    Finding { what: what.to_owned(), level: Level::Ok, message: message.into(), hint: None }
}

/// Something that is not.
pub(super) fn finding(
    what: &str,
    level: Level,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    let hint = Some(hint.into());
    Finding { what: what.to_owned(), level, message: message.into(), hint }
}

/// Whether the file we run is still there: after an upgrade the old program runs on.
fn version() -> Finding {
    let version = env!("CARGO_PKG_VERSION");
    let program = fs_err::read_link("/proc/self/exe").unwrap_or_default();
    if program.to_string_lossy().ends_with(" (deleted)") {
        let message = format!("the daemon runs version {version}, whose file was replaced");
        let hint = "`longhaul daemon stop`; the next command starts the new one, jobs go on";
        return finding("daemon", Level::Warning, message, hint);
    }
    fine("daemon", format!("runs version {version}"))
}

async fn store(ports: &Shared) -> Vec<Finding> {
    let hint = "keep a copy of the home before anything else; `longhaul explain store_damaged`";
    match ports.readers.read(|reader| reader.check()).await {
        Ok(wrong) if wrong.is_empty() => vec![fine("store", "the database is sound")],
        Ok(wrong) => {
            let problem = |line| finding("store", Level::Problem, line, hint);
            wrong.into_iter().take(NAMED_MAX).map(problem).collect()
        }
        Err(error) => vec![finding("store", Level::Problem, error.to_string(), hint)],
    }
}

/// Attempts that nothing can be proven about.
fn attempts(ports: &Shared) -> Vec<Finding> {
    let doubts = ports.doubts.list();
    if doubts.is_empty() {
        return vec![fine("attempts", "every attempt that should be watched is")];
    }
    let problem = |(job, number, why)| {
        let message = format!("nothing can be proven about attempt {number} of {job}: {why}");
        let folder = ports.home.attempt(&job, number);
        let hint =
            format!("look at `{}`; the attempt counts as running until then", folder.display());
        finding("attempts", Level::Problem, message, hint)
    };
    doubts.into_iter().take(NAMED_MAX).map(problem).collect()
}

/// Ended jobs whose cleaning up was given up.
async fn cleanups(ports: &Shared) -> Answer<Vec<Finding>> {
    let filter = Filter { states: vec![JobState::Ended.name().to_owned()], ..Filter::default() };
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter = filter.clone();
        let page = ports.readers.read(move |reader| {
            let rows = reader.list(&filter, before, PAGE_JOBS)?;
            let last = rows.last().map(|row| row.seq);
            let jobs = rows.iter().map(Job::from_row).collect::<Result<Vec<_>, _>>()?;
            Ok((last, jobs))
        });
        // A row that does not parse is the store's finding, told above.
        let Ok((Some(last), jobs)) = page.await else { break };
        before = Some(last);
        found.extend(jobs.into_iter().filter(|job| job.cleanup.state == CleanupState::Stuck));
    }
    if found.is_empty() {
        return Ok(vec![fine("cleanup", "nothing is stuck")]);
    }
    let problem = |job: &Job| {
        let last = job.cleanup.warnings.last().map_or("no reason is known", |w| w.text.as_str());
        let message = format!("cleaning up after {} was given up: {last}", job.id);
        let hint = format!("put that right, then `longhaul prune {}`", job.id);
        finding("cleanup", Level::Problem, message, hint)
    };
    Ok(found.iter().take(NAMED_MAX).map(problem).collect())
}

/// How far the wall clock is from the time that deadlines go by.
fn clock(ports: &Shared) -> Finding {
    let (engine, wall) = (ports.clock.now(), wall_now());
    let apart = engine.since(wall).get().max(wall.since(engine).get());
    if apart < CLOCK_APART_MS {
        return fine("clock", "the wall clock agrees with the engine's time");
    }
    let message = format!("the wall clock is {} s from the engine's time", apart / 1_000);
    let hint = "deadlines go by the engine's time, which follows slowly; check the system's clock";
    finding("clock", Level::Warning, message, hint)
}

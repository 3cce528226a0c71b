//! Jobs: submitted, listed, shown, cancelled.

use super::around::Glance;
use super::body::parse;
use super::error::{Answer, Failure};
use super::query::Query;
use super::resolve::{find, load};
use super::{Shared, spec, views, worktrees};
use crate::api::{CancelAsk, Cancelled, JobView, JobsPage, OutcomeKind, Spec, State, Submitted};
use crate::daemon::AskError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Given};
use axum::http::StatusCode;
use longhaul_core::agent::Agent;
use longhaul_core::command::{Command, Reply, Submission};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Filter, Record};
use std::sync::Arc;

/// Jobs on one page unless the asker says otherwise.
const PAGE_JOBS: u32 = 50;
/// Jobs on one page at most.
const PAGE_JOBS_MAX: u32 = 1_000;

/// `POST /v1/jobs`
pub(super) async fn submit(
    Given(ports): Given<Shared>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Submitted>)> {
    let spec = Spec::parse(&body).map_err(|bad| Failure::bad_spec(bad.message))?;
    let submission = spec::submission(&ports, spec, &mut spec::Common::default()).await?;
    accept(&ports, submission).await
}

/// Puts one submission to the engine; the job is durable when this answers.
pub(super) async fn accept(
    ports: &Shared,
    submission: Submission,
) -> Answer<(StatusCode, Json<Submitted>)> {
    let reply = ports.engine.ask(Command::Submit(vec![submission])).await?;
    let Reply::Submitted(jobs) = reply else { return Err(odd_reply()) };
    let Some((id, was)) = jobs.into_iter().next() else { return Err(odd_reply()) };
    let stored = views::show_stored(ports, &id).await?;
    let job = stored.ok_or_else(|| Failure::not_found(id.as_str()))?;
    let created = was.is_new();
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Submitted { job, created })))
}

/// The engine answered something else than what was asked.
pub(super) fn odd_reply() -> Failure {
    Failure::bug("the engine's reply does not fit the command")
}

/// `GET /v1/jobs`
pub(super) async fn list(
    Given(ports): Given<Shared>,
    RawQuery(raw): RawQuery,
) -> Answer<Json<JobsPage>> {
    let known = [
        "state", "outcome", "pool", "lane", "agent", "owner", "parent", "label", "limit", "cursor",
    ];
    let query = Query::parse(raw.as_deref(), &known)?;
    let filter = filter(&query)?;
    let limit = query.number("limit")?.unwrap_or(PAGE_JOBS).clamp(1, PAGE_JOBS_MAX);
    // A store numbers no job beyond `i64::MAX`: such a cursor begins with the newest.
    let before = query.number("cursor")?.map(|before: u64| before.min(i64::MAX.unsigned_abs()));
    let reading = Arc::clone(&ports);
    let page = ports.readers.read(move |reader| {
        let mut rows = reader.list(&filter, before, limit + 1)?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| row.seq.to_string());
        let mut glance = Glance::default();
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            let job = Job::from_row(row)?;
            jobs.push(views::show_in_list(&reading, reader, &mut glance, &job)?);
        }
        Ok(JobsPage { jobs, next_cursor })
    });
    Ok(Json(page.await?))
}

fn filter(query: &Query) -> Answer<Filter> {
    let states = query.words("state");
    check_words("state", &states, &State::ALL.map(State::name))?;
    let outcomes = query.words("outcome");
    check_words("outcome", &outcomes, &OutcomeKind::ALL.map(OutcomeKind::name))?;
    let labels: Option<Vec<(String, String)>> = query
        .all("label")
        .map(|label| label.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect();
    let labels = labels.ok_or_else(|| Failure::bad_request("`label` is not KEY=VALUE"))?;
    if labels.len() > limits::LABELS_MAX {
        return Err(Failure::bad_request("no job has that many labels"));
    }
    let text = |name| query.text(name).map(str::to_owned);
    let (pool, owner, parent) = (text("pool"), text("owner"), text("parent"));
    let lane = match (text("lane"), text("agent").map(|agent| Agent::lane(&agent))) {
        (Some(lane), Some(turns)) if lane != turns => {
            return Err(Failure::bad_request("turns of that agent are in no such `lane`"));
        }
        (lane, turns) => turns.or(lane),
    };
    Ok(Filter { states, outcomes, pool, lane, owner, parent, labels })
}

/// Refuses words that are none of `known`.
pub(super) fn check_words(name: &str, words: &[String], known: &[&str]) -> Answer<()> {
    match words.iter().find(|word| !known.contains(&word.as_str())) {
        Some(word) => {
            let word = longhaul_core::decide::clip(word, 40);
            Err(Failure::bad_request(format!("`{word}` is no {name}"))
                .hint(format!("it is one of {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

/// `GET /v1/jobs/{job}`
pub(super) async fn show(
    Given(ports): Given<Shared>,
    Path(job): Path<String>,
) -> Answer<Json<JobView>> {
    let job = find(&ports, &job).await?;
    let (looked_at, id, looking) = (job.clone(), job.id.clone(), Arc::clone(&ports));
    let read = ports.readers.read(move |reader| {
        let workspace = worktrees::of_turn(&looking, reader, &looked_at)?;
        Ok((views::history(reader, &looked_at)?, workspace))
    });
    let (history, workspace) = read.await?;
    let (attempts, spec) = (views::attempts(&ports, &job), views::spec(&job));
    let origin = views::origin(&job);
    let prompt = job.spec.turn.as_ref().map(|turn| turn.prompt.clone());
    let mut view = views::show(&ports, job).await?;
    debug_assert_eq!(view.id, id.as_str());
    view.attempts = Some(attempts);
    view.history = Some(history);
    view.spec = Some(Box::new(spec));
    view.environment = Some(origin);
    if let Some(turn) = &mut view.turn {
        turn.prompt = prompt;
        turn.workspace = workspace;
    }
    Ok(Json(view))
}

/// `POST /v1/jobs/{job}/cancel`
pub(super) async fn cancel(
    Given(ports): Given<Shared>,
    Path(job): Path<String>,
    body: Bytes,
) -> Answer<Json<Cancelled>> {
    let ask: CancelAsk = parse(&body)?;
    let job = find(&ports, &job).await?;
    let id = job.id.clone();
    let (reason, by_force, tree) = (ask.reason, ask.now, ask.tree);
    let command = Command::Cancel { job: id.clone(), reason, by_force, tree };
    let Reply::Cancelled { changed } = ports.engine.ask(command).await? else {
        return Err(odd_reply());
    };
    let job = match views::show_stored(&ports, &id).await? {
        Some(job) => job,
        // Removed between the two: what was read before is the last that is known.
        None => views::show(&ports, job).await?,
    };
    Ok(Json(Cancelled { job, changed }))
}

/// Reads many jobs by id, in order; those that are not there are left out.
pub(super) async fn read_all(ports: &Shared, ids: Vec<JobId>) -> Result<Vec<Job>, AskError> {
    let read = ports.readers.read(move |reader| {
        let mut jobs = Vec::with_capacity(ids.len());
        for id in &ids {
            jobs.extend(load(reader, id)?);
        }
        Ok(jobs)
    });
    read.await
}

//! Removing ended jobs on request. What may not go is told with its reason; what is said to be
//! removed is gone.

use super::body::parse;
use super::error::{Answer, Failure};
use super::resolve::{reread, resolve};
use super::{Shared, jobs, owed};
use crate::api::{Kept, PruneAsk, Pruned, State as JobState};
use crate::daemon::{AskError, JobWatch};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use futures_util::future::join_all;
use longhaul_core::command::{Command, Refused};
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, Purge};
use longhaul_core::limits;
use longhaul_core::port::{Filter, Record};
use longhaul_core::time::{Millis, Timestamp};
use std::time::Duration;

/// Jobs that are being removed at once; their commits are shared.
const AT_ONCE: usize = 64;
/// Rows looked at in one read.
const PAGE_JOBS: u32 = 500;
/// How long the removal of files is waited for before we say that it goes on.
const REMOVAL_MAX: Duration = Duration::from_secs(10);

/// `POST /v1/prune`
pub(super) async fn prune(State(ports): State<Shared>, body: Bytes) -> Answer<Json<Pruned>> {
    let ask: PruneAsk = parse(&body)?;
    if ask.jobs.len() > limits::BATCH_JOBS_MAX {
        let message =
            format!("{} jobs, and {} is the limit", ask.jobs.len(), limits::BATCH_JOBS_MAX);
        return Err(Failure::refused("too_many", message));
    }
    let mut pruned = Pruned::default();
    let ids = if ask.jobs.is_empty() {
        old_enough(&ports, ask.older_than_ms.map(Millis::new)).await?
    } else {
        named(&ports, &ask.jobs, &mut pruned).await?
    };
    for some in ids.chunks(AT_ONCE) {
        if ask.dry_run {
            rehearse(&ports, some, &mut pruned).await?;
        } else {
            let removals = some.iter().map(|id| remove(&ports, id.clone()));
            for (id, kept) in some.iter().zip(join_all(removals).await) {
                note(&mut pruned, id, kept);
            }
        }
    }
    Ok(Json(pruned))
}

fn note(pruned: &mut Pruned, id: &JobId, kept: Option<String>) {
    let id = id.to_string();
    match kept {
        None => pruned.removed.push(id),
        Some(why) => pruned.kept.push(Kept { id, why }),
    }
}

/// Jobs that were named. Those that mean nothing are kept, so to speak: told, without failing the
/// others.
async fn named(ports: &Shared, texts: &[String], pruned: &mut Pruned) -> Answer<Vec<JobId>> {
    let wanted = texts.to_vec();
    let meanings = ports.readers.read(move |reader| {
        wanted.iter().map(|text| resolve(reader, text)).collect::<Result<Vec<_>, _>>()
    });
    let mut ids = Vec::new();
    for (meaning, text) in meanings.await?.into_iter().zip(texts) {
        match meaning.only(text) {
            Ok(id) if !ids.contains(&id) => ids.push(id),
            Ok(_) => {}
            Err(failure) => {
                let id = longhaul_core::decide::clip(text, limits::WORD_BYTES_MAX);
                pruned.kept.push(Kept { id, why: failure.into_message() });
            }
        }
    }
    Ok(ids)
}

/// Ended jobs that ended long enough ago; without a span those whose own keeping is over.
async fn old_enough(ports: &Shared, older_than: Option<Millis>) -> Answer<Vec<JobId>> {
    let now = ports.clock.now();
    let states = vec![JobState::Ended.name().to_owned()];
    let filter = Filter { states, ..Filter::default() };
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let filter = filter.clone();
        let rows =
            ports.readers.read(move |reader| reader.list(&filter, before, PAGE_JOBS)).await?;
        let Some(last) = rows.last() else { return Ok(ids) };
        before = Some(last.seq);
        for row in &rows {
            let job = Job::from_row(row).map_err(|corrupt| {
                Failure::unavailable("store_damaged", corrupt.to_string(), 60_000)
            })?;
            if is_meant(&job, older_than, now) {
                ids.push(job.id);
            }
        }
    }
}

fn is_meant(job: &Job, older_than: Option<Millis>, now: Timestamp) -> bool {
    match older_than {
        Some(span) => job.ended_at().is_some_and(|at| at.plus(span) <= now),
        None => match job.cleanup.purge {
            Purge::At { at } => at <= now,
            Purge::Wanted { .. } => true,
            Purge::None => false,
        },
    }
}

/// What a removal would come to, asked of copies.
async fn rehearse(ports: &Shared, ids: &[JobId], pruned: &mut Pruned) -> Answer<()> {
    let now = ports.clock.now();
    let mut found = jobs::read_all(ports, ids.to_vec()).await?;
    for id in ids {
        let job = found.iter_mut().find(|job| job.id == *id);
        let kept = match job.map(|job| job.purge(now)) {
            Some(Ok(())) => None,
            Some(Err(refused)) => Some(why_kept(ports, refused.into()).await),
            None => Some(Failure::not_found(id.as_str()).into_message()),
        };
        note(pruned, id, kept);
    }
    Ok(())
}

/// Why a removal was refused; if somebody is still to be told, by which notice and until when.
async fn why_kept(ports: &Shared, error: AskError) -> String {
    let AskError::Refused(Refused::StillOwed { job, .. }) = &error else {
        return Failure::from(error).into_message();
    };
    // Without the notices the refusal still says how many there are.
    let notices = owed::of_job(ports, job).await.unwrap_or_default();
    let held: Vec<String> = notices.iter().filter_map(owed::holds).collect();
    if held.is_empty() { error.to_string() } else { format!("{error}: {}", held.join("; ")) }
}

/// Asks for the removal of one job and waits until it is gone. Gives why it is still there, if it is.
async fn remove(ports: &Shared, id: JobId) -> Option<String> {
    let mut watch = ports.journal.watch_job(&id);
    if let Err(error) = ports.engine.ask(Command::Purge(id.clone())).await {
        return Some(why_kept(ports, error).await);
    }
    match tokio::time::timeout(REMOVAL_MAX, until_gone(ports, &id, &mut watch)).await {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some("its files are still being removed".to_owned()),
    }
}

async fn until_gone(ports: &Shared, id: &JobId, watch: &mut JobWatch) -> Result<(), String> {
    loop {
        let job = reread(ports, id).await.map_err(Failure::into_message)?;
        let Some(job) = job else { return Ok(()) };
        if !job.is_purge_wanted() {
            let last = job.cleanup.warnings.last();
            let why = last.map_or("its removal was given up", |warning| warning.text.as_str());
            return Err(why.to_owned());
        }
        watch.changed().await;
    }
}

//! Jobs as they are shown: read, put beside what they wait for, and turned into the wire's shape.

use super::Shared;
use super::around::{Glance, around};
use super::error::Answer;
use super::resolve::load;
use crate::api::{AttemptView, EventView, JobView};
use crate::views;
use longhaul_core::event::Event;
use longhaul_core::id::JobId;
use longhaul_core::job::{Job, JobState};
use longhaul_core::limits;
use longhaul_core::port::{Position, Reader, StoreError};
use longhaul_core::schedule::waits_for;

pub(super) use crate::views::{event, origin, spec, state, time};

/// A job as it is shown, with what it waits for but without attempts and history.
pub(super) async fn show(ports: &Shared, job: Job) -> Answer<JobView> {
    let now = ports.clock.now();
    let waiting_for = if matches!(job.state, JobState::Preparing { .. } | JobState::Queued { .. }) {
        let looked_at = job.clone();
        let around = ports.readers.read(move |reader| around(reader, &looked_at)).await?;
        waits_for(&job, &around, now)
    } else {
        None
    };
    Ok(view(ports, &job, waiting_for))
}

/// A stored job as whoever just changed it is answered; `None` if it is not there.
///
/// No more than a glance at what it waits for: counting who is ahead of it reads the whole queue, and
/// submitting to a long queue would cost more than to an empty one.
pub(super) async fn show_stored(ports: &Shared, id: &JobId) -> Answer<Option<JobView>> {
    let read = ports.readers.glance(|reader| {
        let Some(job) = load(reader, id)? else { return Ok(None) };
        show_in_list(ports, reader, &mut Glance::default(), &job).map(Some)
    });
    Ok(read.await?)
}

/// A job as it is shown in a list.
pub(super) fn show_in_list(
    ports: &Shared,
    reader: &mut dyn Reader,
    glance: &mut Glance,
    job: &Job,
) -> Result<JobView, StoreError> {
    let waiting_for = match glance.at(reader, job)? {
        Some(brief) => Some(brief),
        None => waits_for(job, &around(reader, job)?, ports.clock.now()),
    };
    Ok(view(ports, job, waiting_for))
}

/// A job as it is shown, given what it waits for.
pub(super) fn view(ports: &Shared, job: &Job, waiting_for: Option<String>) -> JobView {
    views::job(job, ports.spools.sizes(job), waiting_for)
}

/// The attempts of a job, the current one with what it has written so far.
pub(super) fn attempts(ports: &Shared, job: &Job) -> Vec<AttemptView> {
    views::attempts(job, ports.spools.sizes(job))
}

/// What the journal says about a job, all of it. What an agent says and does in a turn may be a
/// million entries, and is left to those who ask for events: here is what became of the turn.
pub(super) fn history(reader: &mut dyn Reader, job: &Job) -> Result<Vec<EventView>, StoreError> {
    // Essential entries are kept beyond the limit; a handful more than it is all there can be.
    let most = u32::try_from(limits::EVENTS_PER_JOB_MAX).expect("a small constant") + 100;
    let id = job.id.as_str();
    let mut events = reader.events(Some(id), Position::default(), most)?;
    if job.spec.turn.is_none() {
        return Ok(events.iter().map(event).collect());
    }
    // Where there are more, it is how the turn began and how it ended that counts.
    if let Some(last) = events.last().map(|last| last.position).filter(|_| job.events > most.into())
    {
        let newest = reader.latest(id, most)?;
        events.extend(newest.into_iter().filter(|event| event.position > last));
    }
    let is_ours = |event: &&Event| event.fact().is_some();
    Ok(events.iter().filter(is_ours).map(event).collect())
}

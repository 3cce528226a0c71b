//! What a session is told, read piece by piece and rendered. Nothing is kept but how far it was read:
//! the entries are in the journal, and the same number is the same frame each time.

use super::drive::Session;
use super::subscribe::closed_run_up_to;
use super::{credentials, denial, hosted, told};
use crate::daemon::{AskError, Credentials};
use longhaul_arcp::error::Denial;
use longhaul_arcp::features::Feature;
use longhaul_arcp::frames::{self, Ending, Frames};
use longhaul_arcp::message::Accepted;
use longhaul_arcp::profile::Profile;
use longhaul_arcp::server::{Ended, Fed};
use longhaul_core::event::Event;
use longhaul_core::feed::{FeedRow, Run, Told};
use longhaul_core::id::{JobId, SessionId};
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::session;
use longhaul_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Frames that are read at once.
const FRAMES_MAX: u32 = 512;
/// Bytes of entries after which no more are read at once.
const BYTES_MAX: usize = 256 * 1_024;
/// Entries that are asked for first; more once they turn out to be small.
const ENTRIES_FIRST: u32 = 8;
/// Runs that are read at once.
const RUNS_AHEAD: u32 = 64;
/// Jobs that a feed remembers the standing facts of.
const JOBS_MAX: usize = 256;
/// What is told where an entry is not there any more: its job was removed while somebody was away.
const FORGOTTEN: &str = r#"{"kind":"forgotten"}"#;
/// How the entry of a job's end begins; core writes the kind first.
const ENDED: &str = r#"{"kind":"ended""#;

/// How far a session's feed was read.
pub(super) struct Reading {
    session: SessionId,
    frames: Frames,
    profile: Profile,
    /// Where values of credentials are had, if both ends agreed on them.
    credentials: Option<Credentials>,
    /// The newest number that was read.
    at: u64,
    jobs: BTreeMap<JobId, Arc<Standing>>,
    /// The job that was looked up last, if it was over by then: its end is likely told next.
    over: Option<Box<Job>>,
}

/// What is the same in all frames of a job.
#[derive(Debug, Default)]
struct Standing {
    trace: Option<String>,
    /// Whether this session asked for it, or for what delegated it.
    is_own: bool,
    /// That it is there, for those who did not ask for it: a job that another one delegated.
    accepted: Option<Box<Accepted>>,
}

/// What a read gave.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) fed: Vec<Fed>,
    /// Whether the feed was read to its end.
    pub(super) is_all: bool,
    /// What comes next was trimmed away: the client was gone for too long.
    pub(super) is_gone: bool,
}

impl Reading {
    /// From behind a number on.
    pub(super) fn new(session: &Session, frames: Frames, after: u64) -> Self {
        let (id, profile) = (session.id.clone(), session.profile);
        let is_agreed = session.has(Feature::ProvisionedCredentials);
        let credentials = is_agreed.then(|| session.ports().credentials.clone());
        Self {
            session: id,
            frames,
            profile,
            credentials,
            at: after,
            jobs: BTreeMap::new(),
            over: None,
        }
    }

    /// The newest number that was read.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Reads the next piece.
    pub(super) fn page(&mut self, reader: &mut dyn Reader) -> Result<Page, StoreError> {
        let mut page = Page { fed: Vec::new(), is_all: false, is_gone: false };
        let Some(session) = super::stored(reader, &self.session)? else {
            return Ok(Page { is_gone: true, ..page });
        };
        let mut bytes = 0;
        let mut runs = VecDeque::new();
        while self.at < session.newest && page.fed.len() < FRAMES_MAX as usize && bytes < BYTES_MAX
        {
            let Some(run) = self.next_run(reader, &session, &mut runs)? else {
                return Ok(Page { is_gone: true, ..page });
            };
            bytes += self.read(reader, &run, session.newest, &mut page.fed)?;
        }
        page.is_all = self.at >= session.newest;
        self.over = None;
        Ok(page)
    }

    /// The run that the next number is of; `runs` are those that were read already. A client with many
    /// short jobs has a run for each, so several are read at once after the first.
    fn next_run(
        &self,
        reader: &mut dyn Reader,
        session: &session::Session,
        runs: &mut VecDeque<Run>,
    ) -> Result<Option<Run>, StoreError> {
        let next = self.at + 1;
        if let Some(tail) = session.tail.as_ref().filter(|tail| tail.first <= next) {
            return Ok(Some(tail.clone()).filter(|tail| tail.end() > next));
        }
        if runs.is_empty() {
            let first = closed_run_up_to(reader, &session.id, next)?;
            let Some(first) = first.filter(|run| run.end() > next) else { return Ok(None) };
            let (parent, after) = (session.id.as_str(), FeedRow::id_of(&session.id, first.first));
            if session.tail.as_ref().is_some_and(|tail| tail.first > first.end()) {
                let rows = reader.rows(Table::Feed, Some(parent), &after, RUNS_AHEAD)?;
                for row in &rows {
                    runs.push_back(FeedRow::from_row(row)?.run);
                }
            }
            return Ok(Some(first));
        }
        Ok(runs.pop_front().filter(|run| (run.first..run.end()).contains(&next)))
    }

    /// Reads of a run what is not read yet, so much at once. Gives how many bytes that was.
    fn read(
        &mut self,
        reader: &mut dyn Reader,
        run: &Run,
        newest: u64,
        fed: &mut Vec<Fed>,
    ) -> Result<usize, StoreError> {
        let end = run.end().min(newest + 1);
        match &run.what {
            Told::Lagging { job, at, behind } => {
                let standing = self.standing(reader, job)?;
                let about = frames::Job { id: job.as_str(), trace: standing.trace.as_deref() };
                let seq = self.at + 1;
                let text = self.frames.lagging(seq, about, *at, *behind);
                let bytes = text.len();
                let (job_id, accepted) = (job.to_string(), standing.accepted.clone());
                fed.push(Fed { event_seq: seq, job_id, is_last: false, accepted, text });
                self.at = seq;
                Ok(bytes)
            }
            Told::Job { job, seq } => {
                let (mut bytes, mut count) = (0, ENTRIES_FIRST);
                while self.at + 1 < end && bytes < BYTES_MAX && fed.len() < FRAMES_MAX as usize {
                    let left = u32::try_from(end - 1 - self.at).unwrap_or(u32::MAX);
                    let first = seq + (self.at + 1 - run.first);
                    let count_now = count.min(left);
                    let read = self.entries(reader, job, first, count_now, fed)?;
                    bytes += read;
                    // Small ones are read by the hundred, large ones a few at a time.
                    let average = read / count_now.max(1) as usize + 1;
                    let room = BYTES_MAX.saturating_sub(bytes) / average;
                    count = u32::try_from(room).unwrap_or(u32::MAX).clamp(1, FRAMES_MAX);
                }
                Ok(bytes)
            }
        }
    }

    /// Renders entries of a job from its number `first` on, each under the next number of the session.
    fn entries(
        &mut self,
        reader: &mut dyn Reader,
        job: &JobId,
        first: u64,
        count: u32,
        fed: &mut Vec<Fed>,
    ) -> Result<usize, StoreError> {
        let standing = self.standing(reader, job)?;
        let mut events = reader.entries(job.as_str(), first, count)?.into_iter().peekable();
        let mut bytes = 0;
        for seq in first..first + u64::from(count) {
            let event = events.next_if(|event| event.seq == seq);
            let is_last = event.as_ref().is_some_and(|event| event.body.starts_with(ENDED));
            self.at += 1;
            let text = match &event {
                Some(event) if is_last => self.end(reader, job, &standing, event)?,
                Some(event) => {
                    let disclosed = self.disclosed(reader, job, &standing, &event.body)?;
                    let text = disclosed.as_deref().unwrap_or(&event.body);
                    self.entry(job, &standing, self.at, event.at, text)
                }
                None => self.entry(job, &standing, self.at, Timestamp::from_millis(0), FORGOTTEN),
            };
            bytes += text.len();
            let accepted = standing.accepted.clone();
            let job_id = job.to_string();
            fed.push(Fed { event_seq: self.at, job_id, is_last, accepted, text });
        }
        Ok(bytes)
    }

    /// What is told to this session alone instead of `text`, if there is anything.
    fn disclosed(
        &self,
        reader: &mut dyn Reader,
        job: &JobId,
        standing: &Standing,
        text: &str,
    ) -> Result<Option<String>, StoreError> {
        match &self.credentials {
            Some(known) if standing.is_own => credentials::disclosed(known, reader, job, text),
            Some(_) | None => Ok(None),
        }
    }

    fn entry(
        &self,
        job: &JobId,
        standing: &Standing,
        seq: u64,
        at: Timestamp,
        text: &str,
    ) -> String {
        let about = frames::Job { id: job.as_str(), trace: standing.trace.as_deref() };
        self.frames.frame(seq, about, &frames::Entry { at, text, ending: None })
    }

    fn end(
        &mut self,
        reader: &mut dyn Reader,
        job: &JobId,
        standing: &Standing,
        event: &Event,
    ) -> Result<String, StoreError> {
        let seq = self.at;
        // Nothing more is told of it.
        self.jobs.remove(job);
        let known = self.over.take().filter(|over| over.id == *job).map(|over| *over);
        let known = known.map_or_else(|| hosted(reader, job.as_str()), |job| Ok(Some(job)))?;
        let Some(job) = known else {
            return Ok(self.entry(job, standing, seq, event.at, &event.body));
        };
        // Who asked for it was refused already, and known clients would take a second error for the
        // answer to what they ask next.
        if credentials::has_failed(&job) && job.session.as_ref() == Some(&self.session) {
            return Ok(self.entry(&job.id, standing, seq, event.at, FORGOTTEN));
        }
        Ok(end_frame(&self.frames, seq, &job, event))
    }

    fn standing(
        &mut self,
        reader: &mut dyn Reader,
        id: &JobId,
    ) -> Result<Arc<Standing>, StoreError> {
        if let Some(known) = self.jobs.get(id) {
            return Ok(Arc::clone(known));
        }
        let standing = match hosted(reader, id.as_str())? {
            Some(job) => {
                let is_delegated = job.spec.hosted.as_ref().is_some_and(|h| h.delegate.is_some());
                let is_own = job.session.as_ref() == Some(&self.session);
                let mut accepted = is_delegated.then(|| told::accepted(&job, self.profile));
                if let (Some(told), Some(known), true) = (&mut accepted, &self.credentials, is_own)
                {
                    told.credentials = credentials::of_delegated(known, reader, &job)?;
                }
                let accepted = accepted.map(Box::new);
                let standing = Standing { trace: told::trace(&job), is_own, accepted };
                self.over = Some(Box::new(job)).filter(|job| job.outcome().is_some());
                standing
            }
            None => Standing::default(),
        };
        let standing = Arc::new(standing);
        if self.jobs.len() >= JOBS_MAX {
            self.jobs.clear();
        }
        self.jobs.insert(id.clone(), Arc::clone(&standing));
        Ok(standing)
    }
}

fn end_frame(frames: &Frames, seq: u64, job: &Job, event: &Event) -> String {
    let trace = told::trace(job);
    let about = frames::Job { id: job.id.as_str(), trace: trace.as_deref() };
    let stream = job.stream.as_ref();
    let result = job.result.as_ref().filter(|_| stream.is_none());
    let summary = job.result.as_ref().map(|result| result.text.as_str());
    let failure = told::failure(job);
    let ending = Ending {
        result: result.and_then(|result| result.structured.as_deref()),
        result_id: stream.map(|stream| stream.id.as_str()),
        result_size: stream.map(|stream| stream.bytes),
        summary: summary.filter(|text| !text.is_empty()).map(Cow::Borrowed),
        error: failure.as_ref(),
    };
    let entry = frames::Entry { at: event.at, text: &event.body, ending: Some(&ending) };
    frames.frame(seq, about, &entry)
}

/// The job's own number of the newest entry that followers were told; zero if there is none.
pub(super) fn last_told(job: &Job) -> u64 {
    job.told.last().map_or(0, |span| span.end() - 1)
}

/// How the job ended, as this session was told under that number.
pub(super) async fn ended_frame(
    session: &Session,
    job: &Job,
    event_seq: u64,
) -> Result<Option<Ended>, Denial> {
    let (id, seq) = (job.id.clone(), last_told(job));
    let read = session.ports().readers.glance(move |reader| reader.entries(id.as_str(), seq, 1));
    let events: Result<Vec<Event>, AskError> = read.await;
    let events = events.map_err(denial)?;
    let ended = events.first().filter(|event| event.body.starts_with(ENDED));
    let frame = |event| end_frame(&session.frames(), event_seq, job, event);
    Ok(ended.map(|event| Ended { event_seq, text: frame(event) }))
}

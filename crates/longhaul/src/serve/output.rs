//! A job's output as frames: every byte an attempt wrote, in order, before the next attempt or the
//! end is told. Bytes come straight from the spools; a slow reader holds one piece and its offsets,
//! and the socket's own buffer is what slows us down.

use super::error::{Answer, Failure};
use super::query::Query;
use super::resolve::{find, reread};
use super::{Shared, views};
use crate::api::{FrameKind, frame_header};
use crate::daemon::{Growth, JobWatch, Stream};
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use longhaul_core::id::JobId;
use longhaul_core::job::Job;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Bytes of a spool in one frame, and in memory for one reader.
const PIECE_BYTES: usize = 64 * 1_024;
/// Silence after which the reader is told that somebody is there.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// `GET /v1/jobs/{job}/output`
pub(super) async fn stream(
    State(ports): State<Shared>,
    Path(job): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer<Response> {
    let query = Query::parse(raw.as_deref(), &["follow", "attempt", "stdout", "stderr"])?;
    let follow = query.is_on("follow")?;
    let wanted: Option<u32> = query.number("attempt")?;
    let (stdout, stderr) = (query.number("stdout")?, query.number("stderr")?);
    let job = find(&ports, &job).await?;
    let watch = ports.journal.watch_job(&job.id);
    let attempt = first_attempt(&job, wanted, follow)?;
    let id = job.id.to_string();
    let has_begun = attempt <= job.attempt && attempt > 0;
    let reader = OutputReader {
        is_over: false,
        watch,
        growth: None,
        spools: [Spool::new(Stream::Stdout, stdout), Spool::new(Stream::Stderr, stderr)],
        turn: 0,
        // An attempt that has not begun is waited for: it may never be.
        step: if has_begun { Step::Begin(attempt) } else { Step::Between },
        attempt: if has_begun { attempt } else { attempt.saturating_sub(1) },
        has_begun,
        follow,
        job,
        ports,
    };
    let frames = futures_util::stream::try_unfold(reader, |mut reader| async move {
        let frame =
            reader.next().await.map_err(|failure| io::Error::other(failure.into_message()))?;
        Ok::<_, io::Error>(frame.map(|frame| (frame, reader)))
    });
    let kind = (CONTENT_TYPE, "application/vnd.longhaul.frames");
    let headers = [(kind.0.as_str(), kind.1), ("longhaul-job", id.as_str())];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// Which attempt is given first; zero or one too many if it has not begun.
///
/// Following begins with the first attempt, so that nothing is missed of a job that was quick to
/// fail once; otherwise it is the current one that people mean.
fn first_attempt(job: &Job, wanted: Option<u32>, follow: bool) -> Answer<u32> {
    let will_come = follow && job.outcome().is_none();
    match wanted {
        None if follow => Ok(job.attempts.first().map_or(1, |oldest| oldest.number)),
        None => Ok(job.attempt),
        Some(number) if number >= 1 && (number <= job.attempt || will_come) => Ok(number),
        Some(number) => {
            let message = format!("{} has had no attempt {number}", job.id);
            Err(Failure::refused("no_output", message)
                .hint(format!("`longhaul show {}` lists its attempts", job.id)))
        }
    }
}

/// Whether by its record nothing more can be written by this attempt.
fn is_over(job: &Job, attempt: u32) -> bool {
    let is_past = job.attempt > attempt || job.outcome().is_some();
    is_past || job.current().is_some_and(|now| now.number == attempt && now.ended_at.is_some())
}

/// What the reader does next.
enum Step {
    /// Tells that an attempt begins.
    Begin(u32),
    /// Gives what its spools hold, then waits for more.
    Drain,
    /// All of the attempt was given; the next one, or the end of the job, is waited for.
    Between,
    /// Tells that this was all.
    End,
    /// Nothing follows.
    Over,
}

struct OutputReader {
    ports: Shared,
    job: Job,
    watch: JobWatch,
    growth: Option<Growth>,
    spools: [Spool; 2],
    /// Which spool is read first: they take turns, so that a chatty one does not hide the other.
    turn: usize,
    step: Step,
    attempt: u32,
    follow: bool,
    is_over: bool,
    /// Whether an attempt was told of: the offsets that were asked for belong to the first.
    has_begun: bool,
}

impl OutputReader {
    /// The next frame; `None` when all was given.
    async fn next(&mut self) -> Answer<Option<Bytes>> {
        loop {
            match self.step {
                Step::Begin(number) => return Ok(Some(self.begin(number))),
                Step::Drain => {
                    if let Some(frame) = self.read()? {
                        return Ok(Some(frame));
                    }
                    if self.is_over || !self.follow {
                        self.step = if self.follow { Step::Between } else { Step::End };
                    } else if !self.wait_for_more().await? {
                        return Ok(Some(frame(FrameKind::Alive, b"")));
                    }
                }
                Step::Between => {
                    if self.job.attempt > self.attempt {
                        self.start_over();
                    } else if !self.follow || self.job.outcome().is_some() {
                        self.step = Step::End;
                    } else if !self.wait_for_commit().await? {
                        return Ok(Some(frame(FrameKind::Alive, b"")));
                    }
                }
                Step::End => {
                    self.step = Step::Over;
                    self.refresh().await?;
                    let view = views::show(&self.ports, self.job.clone()).await?;
                    let json = serde_json::to_vec(&view).expect("views are plain trees");
                    return Ok(Some(frame(FrameKind::End, &json)));
                }
                Step::Over => return Ok(None),
            }
        }
    }

    fn begin(&mut self, number: u32) -> Bytes {
        self.attempt = number;
        // Followed before the first read, so that no byte falls between.
        let growth = || self.ports.spools.growth(&self.job.id, number);
        self.growth = self.follow.then(growth);
        self.is_over = is_over(&self.job, number);
        self.step = Step::Drain;
        frame(FrameKind::Attempt, number.to_string().as_bytes())
    }

    fn start_over(&mut self) {
        if self.has_begun {
            self.spools.iter_mut().for_each(Spool::start_over);
        }
        self.has_begun = true;
        self.step = Step::Begin(self.attempt + 1);
    }

    /// The next piece of a spool; `None` if there is nothing more by now.
    fn read(&mut self) -> Answer<Option<Bytes>> {
        for offset in 0..self.spools.len() {
            let index = (self.turn + offset) % self.spools.len();
            let spool = &mut self.spools[index];
            if let Some(frame) = spool.read(&self.ports, &self.job.id, self.attempt, self.follow)? {
                self.turn = index + 1;
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Comes back when there may be more to read, or the job changed; false after long silence.
    async fn wait_for_more(&mut self) -> Answer<bool> {
        let growth = self.growth.as_mut().expect("who waits for more follows");
        tokio::select! {
            biased;
            () = self.watch.changed() => {}
            () = growth.grew() => return Ok(true),
            () = tokio::time::sleep(ALIVE_EVERY) => return Ok(false),
        }
        self.refresh().await?;
        Ok(true)
    }

    async fn wait_for_commit(&mut self) -> Answer<bool> {
        tokio::select! {
            biased;
            () = self.watch.changed() => {}
            () = tokio::time::sleep(ALIVE_EVERY) => return Ok(false),
        }
        self.refresh().await?;
        Ok(true)
    }

    async fn refresh(&mut self) -> Answer<()> {
        let now = reread(&self.ports, &self.job.id).await?;
        self.job = now.ok_or_else(|| Failure::not_found(self.job.id.as_str()))?;
        self.is_over = is_over(&self.job, self.attempt);
        Ok(())
    }
}

/// One stream of the attempt that is being read.
struct Spool {
    stream: Stream,
    /// Where to read next; `None` for a stream that nobody asked for.
    at: Option<u64>,
    file: Option<File>,
    /// Where to stop when not following: what is written meanwhile would make it endless.
    end: u64,
}

impl Spool {
    fn new(stream: Stream, at: Option<u64>) -> Self {
        Self { stream, at, file: None, end: u64::MAX }
    }

    fn start_over(&mut self) {
        self.at = self.at.map(|_| 0);
        self.file = None;
    }

    fn read(
        &mut self,
        ports: &Shared,
        job: &JobId,
        attempt: u32,
        follow: bool,
    ) -> Answer<Option<Bytes>> {
        let Some(at) = &mut self.at else { return Ok(None) };
        if self.file.is_none() {
            let opened = ports.spools.open(job, attempt, self.stream);
            self.file = opened.map_err(|error| {
                Failure::refused("no_output", format!("attempt {attempt} cannot be read: {error}"))
            })?;
            let size = self.file.as_ref().and_then(|file| file.metadata().ok());
            self.end = if follow { u64::MAX } else { size.map_or(0, |about| about.len()) };
        }
        let Some(file) = &self.file else { return Ok(None) };
        let most = usize::try_from(self.end.saturating_sub(*at)).unwrap_or(usize::MAX);
        let piece = read_frame(file, *at, self.stream, most.min(PIECE_BYTES));
        let (frame, count) = piece.map_err(|error| {
            let message = format!("attempt {attempt} cannot be read: {error}");
            Failure::unavailable("unavailable", message, 1_000)
        })?;
        *at += count as u64;
        Ok((count > 0).then_some(frame))
    }
}

/// Reads into the frame itself: between the spool's pages and the socket the bytes move once.
fn read_frame(file: &File, at: u64, stream: Stream, most: usize) -> io::Result<(Bytes, usize)> {
    let kind = match stream {
        Stream::Stdout => FrameKind::Stdout,
        Stream::Stderr => FrameKind::Stderr,
    };
    let header = frame_header(kind, 0).len();
    let mut frame = BytesMut::zeroed(header + most);
    // A spool grows by appending and lies in the page cache, so this does not block for long.
    let count = if most == 0 { 0 } else { file.read_at(&mut frame[header..], at)? };
    let length = u32::try_from(count).expect("a piece is small");
    frame[..header].copy_from_slice(&frame_header(kind, length));
    frame.truncate(header + count);
    Ok((frame.freeze(), count))
}

fn frame(kind: FrameKind, payload: &[u8]) -> Bytes {
    let length = u32::try_from(payload.len()).expect("a job object is far smaller");
    let header = frame_header(kind, length);
    let mut frame = BytesMut::with_capacity(header.len() + payload.len());
    frame.put_slice(&header);
    frame.put_slice(payload);
    frame.freeze()
}

//! The journal as JSON lines or server-sent events. A reader is a cursor and nothing else: however
//! slow it is, nothing is kept for it.

use super::error::{Answer, Failure};
use super::query::Query;
use super::resolve::find;
use super::{Shared, views};
use crate::daemon::JobWatch;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use longhaul_core::event::{Event, Fact};
use longhaul_core::id::JobId;
use longhaul_core::port::{Phase, Position, Reader, StoreError, Table};
use std::io;
use std::time::Duration;
use tokio::sync::watch;

/// Entries that are read at once.
const PAGE_EVENTS: u32 = 256;
/// Entries that are read without leaving the thread.
const FEW_EVENTS: u32 = 16;
/// Silence after which the reader is told that somebody is there.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// `GET /v1/audit`
pub(super) async fn audit(
    given: State<Shared>,
    query: RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    entries(given, query, headers, Which::Audit).await
}

/// `GET /v1/events`
pub(super) async fn stream(
    given: State<Shared>,
    query: RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    entries(given, query, headers, Which::All).await
}

/// Which entries are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    /// Who was let do what.
    Audit,
}

impl Which {
    /// Whether this entry is wanted. What an agent's output said is an entry too, and no fact.
    fn wants(self, event: &Event) -> bool {
        self == Self::All
            || serde_json::from_str::<Fact>(&event.body).is_ok_and(|fact| fact.is_audit())
    }
}

async fn entries(
    State(ports): State<Shared>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    which: Which,
) -> Answer<Response> {
    let query = Query::parse(raw.as_deref(), &["job", "after", "follow"])?;
    let follow = query.is_on("follow")?;
    let job = match query.text("job") {
        Some(job) => Some(find(&ports, job).await?.id),
        None => None,
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // A browser that reconnects knows better than the address it was given first.
    let after = match header("last-event-id") {
        Some(last) => last.parse().map_err(|_| {
            Failure::bad_request("`Last-Event-ID` is not a position of the journal")
        })?,
        None => query.number("after")?.unwrap_or(0),
    };
    let is_sse = header(ACCEPT.as_str()).is_some_and(|kinds| kinds.contains("text/event-stream"));
    let news = match &job {
        Some(job) => News::Job(ports.journal.watch_job(job)),
        None => News::All(ports.journal.head_changes()),
    };
    let after = Position(after);
    let reader = EventReader { ports, job, after, follow, is_sse, news, which, is_over: false };
    let pieces = futures_util::stream::try_unfold(reader, |mut reader| async move {
        let piece =
            reader.next().await.map_err(|failure| io::Error::other(failure.into_message()))?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, reader)))
    });
    let kind = if is_sse { "text/event-stream" } else { "application/x-ndjson" };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

fn page(
    reader: &mut dyn Reader,
    job: Option<&str>,
    after: Position,
    limit: u32,
) -> Result<(bool, Vec<Event>), StoreError> {
    // Asked before the page is read: an end that comes between is seen next time.
    let has_ended = match job {
        Some(job) => reader.load(Table::Job, job)?.is_none_or(|row| row.phase == Phase::Ended),
        None => false,
    };
    Ok((has_ended, reader.events(job, after, limit)?))
}

/// What tells that there is more.
enum News {
    Job(JobWatch),
    All(watch::Receiver<Position>),
}

struct EventReader {
    ports: Shared,
    job: Option<JobId>,
    after: Position,
    follow: bool,
    is_sse: bool,
    news: News,
    which: Which,
    is_over: bool,
}

impl EventReader {
    /// The next piece of the answer; `None` at its end.
    async fn next(&mut self) -> Answer<Option<Bytes>> {
        while !self.is_over {
            let (has_ended, mut events) = self.page().await?;
            if let Some(last) = events.last() {
                self.after = last.position;
                events.retain(|event| self.which.wants(event));
                if events.is_empty() {
                    continue;
                }
                return Ok(Some(self.write(&events)));
            }
            if !self.follow || has_ended {
                self.is_over = true;
            } else if !self.wait().await {
                let alive: &[u8] = if self.is_sse { b":\n\n" } else { b"\n" };
                return Ok(Some(Bytes::from_static(alive)));
            }
        }
        Ok(None)
    }

    /// Whether the job that is followed has ended, or was removed, and what comes next in the journal.
    async fn page(&self) -> Answer<(bool, Vec<Event>)> {
        let (job, after) = (self.job.as_ref().map(JobId::as_str), self.after);
        // Whoever keeps up finds a few new entries each time.
        let few = self.ports.readers.glance(|reader| page(reader, job, after, FEW_EVENTS)).await?;
        if few.1.len() < FEW_EVENTS as usize {
            return Ok(few);
        }
        let job = job.map(str::to_owned);
        let read =
            self.ports.readers.read(move |reader| page(reader, job.as_deref(), after, PAGE_EVENTS));
        Ok(read.await?)
    }

    /// Comes back when there may be more; false after long silence.
    async fn wait(&mut self) -> bool {
        let news = async {
            match &mut self.news {
                News::Job(watch) => watch.changed().await,
                // The sender lives as long as the ports that we hold.
                News::All(head) => drop(head.changed().await),
            }
        };
        tokio::time::timeout(ALIVE_EVERY, news).await.is_ok()
    }

    fn write(&self, events: &[Event]) -> Bytes {
        let mut text = Vec::new();
        for event in events {
            let view = views::event(event);
            if self.is_sse {
                text.extend(format!("id: {}\nevent: {}\ndata: ", view.position, view.kind).bytes());
            }
            serde_json::to_writer(&mut text, &view).expect("views are plain trees");
            text.extend(if self.is_sse { &b"\n\n"[..] } else { b"\n" });
        }
        Bytes::from(text)
    }
}

//! The journal as JSON lines or server-sent events. A reader is a cursor and nothing else: however
//! slow it is, nothing is kept for it.

use super::error::{Answer, Failure};
use super::query::Query;
use super::resolve::{find, reread};
use super::{Shared, views};
use crate::daemon::JobWatch;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use longhaul_core::event::Event;
use longhaul_core::id::JobId;
use longhaul_core::port::Position;
use std::io;
use std::time::Duration;
use tokio::sync::watch;

/// Entries that are read at once.
const PAGE_EVENTS: u32 = 256;
/// Silence after which the reader is told that somebody is there.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// `GET /v1/events`
pub(super) async fn stream(
    State(ports): State<Shared>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
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
    let reader = EventReader { ports, job, after, follow, is_sse, news, is_over: false };
    let pieces = futures_util::stream::try_unfold(reader, |mut reader| async move {
        let piece =
            reader.next().await.map_err(|failure| io::Error::other(failure.into_message()))?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, reader)))
    });
    let kind = if is_sse { "text/event-stream" } else { "application/x-ndjson" };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pieces)).into_response())
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
    is_over: bool,
}

impl EventReader {
    /// The next piece of the answer; `None` at its end.
    async fn next(&mut self) -> Answer<Option<Bytes>> {
        while !self.is_over {
            // Asked before the page is read: an end that comes between is seen next time.
            let has_ended = self.has_ended().await?;
            let events = self.page().await?;
            if let Some(last) = events.last() {
                self.after = last.position;
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

    /// Whether the job that is followed has ended, or was removed.
    async fn has_ended(&self) -> Answer<bool> {
        let Some(job) = &self.job else { return Ok(false) };
        Ok(reread(&self.ports, job).await?.is_none_or(|job| job.outcome().is_some()))
    }

    async fn page(&self) -> Answer<Vec<Event>> {
        let (job, after) = (self.job.clone(), self.after);
        let read = self
            .ports
            .readers
            .read(move |reader| reader.events(job.as_ref().map(JobId::as_str), after, PAGE_EVENTS));
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

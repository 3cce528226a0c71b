//! Inboxes: what an owner has to be told. Listing reads and no more. Who follows is present for as
//! long as its connection lives, takes what is there, and is woken by commits, never by a clock.

use super::Shared;
use super::body::parse;
use super::error::{Answer, Failure};
use super::notices::{cursor, delivery_ids, place_of};
use super::query::Query;
use super::resolve::load;
use crate::api::{AckAsk, Acked, InboxPage, Notice, Wake};
use crate::daemon::{AskError, Connected, InboxWatch, Spools};
use crate::{ids, notice};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::delivery::{Delivery, inbox_lane, project_pool};
use longhaul_core::id::DeliveryId;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::spec::check_word;
use std::io;
use std::time::Duration;

/// Notices on one page of a list, unless the asker says otherwise and at most.
const PAGE_NOTICES_MAX: u32 = 500;
/// Notices in one wake.
const WAKE_NOTICES_MAX: u32 = 100;
/// Silence after which the follower is told that somebody is there.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// After the store could not take a claim, as when the disk is full.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// `GET /v1/inbox`
pub(super) async fn list(
    State(ports): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Answer<Json<InboxPage>> {
    let query = Query::parse(raw.as_deref(), &["owner", "limit", "cursor"])?;
    let owner = owner(&query)?;
    let limit = query.number("limit")?.unwrap_or(PAGE_NOTICES_MAX).clamp(1, PAGE_NOTICES_MAX);
    let after = query.text("cursor").map(cursor).transpose()?;
    let (lane, spools) = (inbox_lane(&owner), ports.spools.clone());
    let page = ports.readers.read(move |reader| {
        let mut rows = reader.open_in_lane(&lane, after, limit + 1)?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(place_of);
        let mut notices = Vec::with_capacity(rows.len());
        for row in &rows {
            notices.extend(told(reader, &spools, &Delivery::from_row(row)?)?);
        }
        Ok((notices, next_cursor))
    });
    let (notices, next_cursor) = page.await?;
    Ok(Json(InboxPage { owner, notices, next_cursor }))
}

/// `POST /v1/inbox/ack`
pub(super) async fn acknowledge(State(ports): State<Shared>, body: Bytes) -> Answer<Json<Acked>> {
    let AckAsk { owner, ids, all } = parse(&body)?;
    check_owner(&owner)?;
    let mut acked = 0;
    match (ids, all) {
        (Some(ids), false) => {
            let ids = delivery_ids(&ports, &ids).await?;
            for some in ids.chunks(limits::ACKS_MAX as usize) {
                let (owner, deliveries) = (owner.clone(), some.to_vec());
                acked += settled(&ports, Command::Acknowledge { owner, deliveries }).await?;
            }
        }
        (None, true) => loop {
            let owner = owner.clone();
            match settled(&ports, Command::AcknowledgeAll { owner }).await? {
                0 => break,
                some => acked += some,
            }
        },
        (Some(_), true) | (None, false) => {
            return Err(Failure::bad_request("either `ids` or `all` says which notices"));
        }
    }
    Ok(Json(Acked { acked }))
}

/// Asks for something that settles notices, and gives how many.
pub(super) async fn settled(ports: &Shared, command: Command) -> Answer<u64> {
    match ports.engine.ask(command).await? {
        Reply::Settled(count) => Ok(count.into()),
        _ => Err(super::jobs::odd_reply()),
    }
}

/// `GET /v1/inbox/follow`
pub(super) async fn follow(
    State(ports): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Answer<Response> {
    let query = Query::parse(raw.as_deref(), &["owner", "project"])?;
    let owner = owner(&query)?;
    let project = query.text("project").map(str::to_owned);
    let presence = ids::presence_id().map_err(|error| {
        Failure::unavailable("unavailable", format!("no random numbers: {error}"), 1_000)
    })?;
    // Both begin before the engine knows of the presence, so that nothing falls between.
    let watch = |place: String| ports.journal.watch_inbox(place);
    let own = watch(inbox_lane(&owner));
    let others = project.as_deref().map(|project| watch(project_pool(Some(project))));
    let connected = ports.presences.connected(presence.clone());
    ports.engine.ask(Command::Present { presence, owner, project }).await?;
    let follower = Follower { ports, connected, own, others, handed: Vec::new(), has_begun: false };
    let pieces = futures_util::stream::try_unfold(follower, |mut follower| async move {
        let piece = follower.next().await;
        let piece = piece.map_err(|failure| io::Error::other(failure.into_message()))?;
        Ok::<_, io::Error>(Some((piece, follower)))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Somebody who is present. Dropped with its connection, which ends that.
struct Follower {
    ports: Shared,
    connected: Connected,
    own: InboxWatch,
    others: Option<InboxWatch>,
    /// What was written last and not yet said to be.
    handed: Vec<(DeliveryId, u32)>,
    has_begun: bool,
}

impl Follower {
    /// The next piece of the answer.
    async fn next(&mut self) -> Answer<Bytes> {
        if !self.has_begun {
            self.has_begun = true;
            return Ok(Bytes::from_static(b":\n\n"));
        }
        // Asked for more, the connection has taken what was written before.
        let sent = |(delivery, number)| Command::Sent { delivery, number };
        let reports: Vec<Command> = self.handed.drain(..).map(sent).collect();
        if !reports.is_empty() {
            self.ports.engine.report(reports);
        }
        loop {
            let claimed = match self.claim().await {
                Ok(claimed) => claimed,
                Err(AskError::Unavailable { code, .. }) if code != "stopping" => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if !claimed.is_empty() {
                let notices = self.read(claimed).await?;
                if !notices.is_empty() {
                    return Ok(wake(notices));
                }
            } else if !self.wait().await {
                return Ok(Bytes::from_static(b":\n\n"));
            }
        }
    }

    async fn claim(&self) -> Result<Vec<(DeliveryId, u32)>, AskError> {
        let presence = self.connected.presence().clone();
        let ask = Command::Claim { presence, limit: WAKE_NOTICES_MAX };
        match self.ports.engine.ask(ask).await? {
            Reply::Claimed(claimed) => Ok(claimed),
            _ => Err(AskError::Bug("the engine's reply does not fit a claim".to_owned())),
        }
    }

    /// Puts the notices together; what was settled since it was claimed is left out.
    async fn read(&mut self, claimed: Vec<(DeliveryId, u32)>) -> Answer<Vec<Notice>> {
        let (spools, presence) = (self.ports.spools.clone(), self.connected.presence().clone());
        let read = self.ports.readers.read(move |reader| {
            let mut found = Vec::with_capacity(claimed.len());
            for (id, number) in claimed {
                let Some(delivery) = load_delivery(reader, &id)? else { continue };
                let is_ours = delivery.held_by() == Some(&presence) && delivery.tries == number;
                if !is_ours {
                    continue;
                }
                if let Some(notice) = told(reader, &spools, &delivery)? {
                    found.push((id, number, notice));
                }
            }
            Ok(found)
        });
        let mut notices = Vec::new();
        for (id, number, notice) in read.await? {
            self.handed.push((id, number));
            notices.push(notice);
        }
        Ok(notices)
    }

    /// Comes back when there may be more; false after long silence.
    async fn wait(&mut self) -> bool {
        let others = async {
            match &mut self.others {
                Some(others) => others.changed().await,
                None => std::future::pending().await,
            }
        };
        let news = async {
            tokio::select! {
                () = self.own.changed() => {}
                () = others => {}
            }
        };
        tokio::time::timeout(ALIVE_EVERY, news).await.is_ok()
    }
}

fn wake(notices: Vec<Notice>) -> Bytes {
    let mut text = b"event: wake\ndata: ".to_vec();
    serde_json::to_writer(&mut text, &Wake { notices }).expect("notices are plain trees");
    text.extend(b"\n\n");
    Bytes::from(text)
}

/// Loads a delivery by its id.
pub(super) fn load_delivery(
    reader: &mut dyn Reader,
    id: &DeliveryId,
) -> Result<Option<Delivery>, StoreError> {
    let row = reader.load(Table::Delivery, id.as_str())?;
    Ok(row.as_ref().map(Delivery::from_row).transpose()?)
}

/// What a delivery tells; `None` once its job is gone.
fn told(
    reader: &mut dyn Reader,
    spools: &Spools,
    delivery: &Delivery,
) -> Result<Option<Notice>, StoreError> {
    let Some(job) = load(reader, &delivery.job)? else { return Ok(None) };
    let Some(about) = &delivery.about else {
        return Ok(Some(notice::of_ended(spools, &job, delivery.into())));
    };
    let approval = super::approvals::load(reader, about)?;
    Ok(approval.map(|approval| notice::of_asked(spools, &job, &approval, delivery.into())))
}

fn owner(query: &Query) -> Answer<String> {
    let owner = query.text("owner").ok_or_else(|| {
        Failure::bad_request("`owner` is missing").hint("an inbox is somebody's: say whose")
    })?;
    check_owner(owner)?;
    Ok(owner.to_owned())
}

fn check_owner(owner: &str) -> Answer<()> {
    check_word("owner", owner).map_err(|bad| Failure::from(Refused::from(bad)))
}

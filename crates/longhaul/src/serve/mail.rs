//! Mail: sent, listed, handed out, read. Who sends and who reads follows from who proves himself.

use super::body::parse;
use super::error::{Answer, Failure};
use super::mail_page::page;
use super::proof::correspondent;
use super::query::Query;
use super::resolve::{CANDIDATES_MAX, as_prefix};
use super::{Shared, jobs};
use crate::api::{
    MailAsk, MailBatch, MailCheckAsk, MailPriority, MailReadAsk, MailState, MailView,
};
use crate::{ids, views};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::decide::clip;
use longhaul_core::id::MailId;
use longhaul_core::limits;
use longhaul_core::mail::{self, Letter, Mail};
use longhaul_core::port::{MailFilter, Reader, Record, StoreError, Table};
use longhaul_core::spec::BadSpec;

/// Messages on one page unless the asker says otherwise.
const PAGE_MAIL: u32 = 50;
/// Messages on one page at most.
const PAGE_MAIL_MAX: u32 = 10_000;
/// Messages that are read by their ids without leaving the thread.
const GLANCE_MAIL: usize = 4;
/// The kind of a letter that names none.
const KIND: &str = "status";

/// `POST /v1/mail`
pub(super) async fn send(
    State(ports): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<(StatusCode, Json<MailBatch>)> {
    let ask: MailAsk = parse(&body)?;
    let id = match &ask.id {
        Some(id) => MailId::parse(id).map_err(|bad| Failure::bad_spec(format!("`id` is {bad}")))?,
        None => ids::mail_id().map_err(|error| {
            Failure::unavailable("unavailable", format!("no random numbers: {error}"), 1_000)
        })?,
    };
    let reply_to = match &ask.reply_to {
        Some(text) => Some(find(&ports, text).await?.id),
        None => None,
    };
    if ask.subject.is_none() && reply_to.is_none() {
        return Err(bad("subject", "is missing"));
    }
    let from = correspondent(&ports, &headers, ask.turn.as_ref(), ask.owner).await?;
    let letter = Letter {
        id,
        from: from.mailbox,
        turn: from.turn,
        to: ask.to,
        kind: ask.kind.unwrap_or_else(|| KIND.to_owned()),
        priority: priority(ask.priority),
        subject: ask.subject.unwrap_or_default(),
        body: ask.body,
        payload: ask.payload.map(|payload| payload.to_string()),
        reply_to,
    };
    let Reply::Mailed(sent) = ports.engine.ask(Command::SendMail(Box::new(letter))).await? else {
        return Err(jobs::odd_reply());
    };
    let mail = shown_all(&ports, sent).await?;
    Ok((StatusCode::CREATED, Json(MailBatch { mail })))
}

/// `GET /v1/mail`
pub(super) async fn list(State(ports): State<Shared>, RawQuery(raw): RawQuery) -> Answer<Response> {
    let known = ["to", "from", "thread", "state", "kind", "limit", "cursor"];
    let query = Query::parse(raw.as_deref(), &known)?;
    let states = query.words("state");
    jobs::check_words("state", &states, &MailState::ALL.map(MailState::name))?;
    let thread = match query.text("thread") {
        Some(text) => Some(find(&ports, text).await?.thread.into()),
        None => None,
    };
    let text = |name| query.text(name).map(str::to_owned);
    let (to, from, kind) = (text("to"), text("from"), text("kind"));
    let filter = MailFilter { to, from, thread, states, kind };
    let limit = query.number("limit")?.unwrap_or(PAGE_MAIL).clamp(1, PAGE_MAIL_MAX);
    let before = query.number("cursor")?.map(|before: u64| before.min(i64::MAX.unsigned_abs()));
    let page = ports.readers.read(move |reader| page(reader, &filter, before, limit));
    Ok(([(CONTENT_TYPE, "application/json")], page.await?).into_response())
}

/// `GET /v1/mail/{id}`
pub(super) async fn show(
    State(ports): State<Shared>,
    Path(id): Path<String>,
) -> Answer<Json<MailView>> {
    Ok(Json(views::mail(find(&ports, &id).await?)))
}

/// `POST /v1/mail/{id}/read`
pub(super) async fn read(
    State(ports): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<MailView>> {
    let ask: MailReadAsk = parse(&body)?;
    let mail = find(&ports, &id).await?;
    let reader = correspondent(&ports, &headers, ask.turn.as_ref(), ask.owner).await?;
    // A person who looks at another's mail does not read it in that one's place.
    if reader.turn.is_none() && mail.to != reader.mailbox {
        return Ok(Json(views::mail(mail)));
    }
    let command = Command::ReadMail { mail: mail.id.clone(), turn: reader.turn };
    ports.engine.ask(command).await?;
    let read = shown_all(&ports, vec![mail.id.clone()]).await?.pop();
    Ok(Json(read.unwrap_or_else(|| views::mail(mail))))
}

/// `POST /v1/mail/check`
pub(super) async fn check(
    State(ports): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<MailBatch>> {
    let ask: MailCheckAsk = parse(&body)?;
    let reader = correspondent(&ports, &headers, ask.turn.as_ref(), ask.owner).await?;
    let mailbox = match ask.agent {
        Some(agent) if reader.turn.is_some() && agent != reader.mailbox => {
            let message = format!(
                "this is a turn of `{}`: the mail of `{}` is not for it",
                reader.mailbox,
                clip(&agent, 100)
            );
            return Err(Failure::new(StatusCode::FORBIDDEN, "forbidden", message));
        }
        Some(agent) => agent,
        None => reader.mailbox,
    };
    let limit = ask.limit.unwrap_or(limits::MAIL_PER_TURN_MAX);
    let limit = limit.clamp(1, limits::MAIL_PER_TURN_MAX);
    let command = Command::CheckMail { mailbox, turn: reader.turn, limit };
    let Reply::Handed(handed) = ports.engine.ask(command).await? else {
        return Err(jobs::odd_reply());
    };
    Ok(Json(MailBatch { mail: shown_all(&ports, handed).await? }))
}

/// Messages as they are shown, in this order.
async fn shown_all(ports: &Shared, ids: Vec<MailId>) -> Answer<Vec<MailView>> {
    let is_few = ids.len() <= GLANCE_MAIL;
    let read = move |reader: &mut dyn Reader| {
        let mut mail = Vec::with_capacity(ids.len());
        for id in &ids {
            mail.extend(load_mail(reader, id)?.map(views::mail));
        }
        Ok(mail)
    };
    Ok(if is_few { ports.readers.glance(read).await? } else { ports.readers.read(read).await? })
}

fn load_mail(reader: &mut dyn Reader, id: &MailId) -> Result<Option<Mail>, StoreError> {
    let row = reader.load(Table::Mail, id.as_str())?;
    Ok(row.as_ref().map(Mail::from_row).transpose()?)
}

/// Finds the message that `text` means: a whole id, or a unique prefix of one.
pub(super) async fn find(ports: &Shared, text: &str) -> Answer<Mail> {
    let found = ports.readers.glance(|reader| {
        let meant = match (MailId::parse(text), as_prefix(MailId::PREFIX, text)) {
            (Ok(id), _) => vec![id.into()],
            (Err(_), Some(prefix)) => reader.by_prefix(Table::Mail, &prefix, CANDIDATES_MAX)?,
            (Err(_), None) => Vec::new(),
        };
        let only = match meant.as_slice() {
            [one] => MailId::parse(one).ok(),
            _ => None,
        };
        let mail = only.map(|id| load_mail(reader, &id)).transpose()?.flatten();
        Ok((meant, mail))
    });
    let (meant, mail) = found.await?;
    if meant.len() > 1 {
        return Err(Failure::ambiguous(text, meant));
    }
    mail.ok_or_else(|| no_mail(text))
}

fn no_mail(text: &str) -> Failure {
    match MailId::parse(text) {
        Ok(id) => Refused::NoMail(id).into(),
        Err(_) => {
            let message = format!("there is no mail `{}`", clip(text, 100));
            Failure::new(StatusCode::NOT_FOUND, "no_mail", message)
                .hint("`longhaul mail list` shows what there is")
        }
    }
}

const fn priority(priority: MailPriority) -> mail::MailPriority {
    match priority {
        MailPriority::Low => mail::MailPriority::Low,
        MailPriority::Normal => mail::MailPriority::Normal,
        MailPriority::High => mail::MailPriority::High,
        MailPriority::Urgent => mail::MailPriority::Urgent,
    }
}

fn bad(field: &'static str, problem: &str) -> Failure {
    Failure::from(Refused::from(BadSpec { field, problem: problem.to_owned() }))
}

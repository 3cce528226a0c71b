//! Receipts: what became of notices; and dead ones owed again.

use super::Shared;
use super::error::{Answer, Failure};
use super::inbox::load_delivery;
use super::query::Query;
use super::resolve::{CANDIDATES_MAX, as_prefix, find};
use crate::api::{DeliveriesPage, DeliveryStage, DeliveryView};
use crate::views;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use longhaul_core::command::{Command, Refused};
use longhaul_core::decide::clip;
use longhaul_core::delivery::Delivery;
use longhaul_core::id::DeliveryId;
use longhaul_core::limits;
use longhaul_core::port::{DeliveryFilter, Record, Row, Table};

/// Notices on one page unless the asker says otherwise.
const PAGE_NOTICES: u32 = 50;
/// Notices on one page at most.
const PAGE_NOTICES_MAX: u32 = 1_000;

/// `GET /v1/notices`
pub(super) async fn list(
    State(ports): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Answer<Json<DeliveriesPage>> {
    let known = ["job", "state", "owner", "limit", "cursor"];
    let query = Query::parse(raw.as_deref(), &known)?;
    let states = query.words("state");
    super::jobs::check_words("state", &states, &DeliveryStage::ALL.map(DeliveryStage::name))?;
    let job = match query.text("job") {
        Some(job) => Some(find(&ports, job).await?.id.to_string()),
        None => None,
    };
    let owner = query.text("owner").map(str::to_owned);
    let filter = DeliveryFilter { job, states, owner, pool: None };
    let limit = query.number("limit")?.unwrap_or(PAGE_NOTICES).clamp(1, PAGE_NOTICES_MAX);
    let before = query.text("cursor").map(cursor).transpose()?;
    let page = ports.readers.read(move |reader| {
        let mut rows = reader.deliveries(&filter, before, limit + 1)?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(place_of);
        let deliveries = rows.iter().map(Delivery::from_row).collect::<Result<Vec<_>, _>>()?;
        let notices = deliveries.iter().map(views::delivery).collect();
        Ok(DeliveriesPage { notices, next_cursor })
    });
    Ok(Json(page.await?))
}

/// `POST /v1/notices/{id}/redeliver`
pub(super) async fn redeliver(
    State(ports): State<Shared>,
    Path(id): Path<String>,
) -> Answer<Json<DeliveryView>> {
    let ids = delivery_ids(&ports, std::slice::from_ref(&id)).await?;
    let id = ids.into_iter().next().ok_or_else(|| no_notice(&id))?;
    ports.engine.ask(Command::Redeliver(id.clone())).await?;
    let wanted = id.clone();
    let delivery = ports.readers.read(move |reader| load_delivery(reader, &wanted)).await?;
    let delivery = delivery.ok_or_else(|| no_notice(id.as_str()))?;
    Ok(Json(views::delivery(&delivery)))
}

/// The deliveries that `texts` mean: whole ids, or unique prefixes of them.
pub(super) async fn delivery_ids(ports: &Shared, texts: &[String]) -> Answer<Vec<DeliveryId>> {
    if texts.len() > limits::INBOX_OPEN_MAX as usize {
        let most = limits::INBOX_OPEN_MAX;
        let message = format!("{} notices at once, and {most} is the limit", texts.len());
        return Err(Failure::refused("too_many", message));
    }
    let whole: Result<Vec<DeliveryId>, _> =
        texts.iter().map(|text| DeliveryId::parse(text)).collect();
    if let Ok(ids) = whole {
        return Ok(ids);
    }
    let wanted = texts.to_vec();
    let found = ports.readers.read(move |reader| {
        let mut found = Vec::with_capacity(wanted.len());
        for text in wanted {
            let meant = match (DeliveryId::parse(&text), as_prefix(DeliveryId::PREFIX, &text)) {
                (Ok(id), _) => vec![id.into()],
                (Err(_), Some(prefix)) => {
                    reader.by_prefix(Table::Delivery, &prefix, CANDIDATES_MAX)?
                }
                (Err(_), None) => Vec::new(),
            };
            found.push((text, meant));
        }
        Ok(found)
    });
    let only = |(text, meant): (String, Vec<String>)| match meant.as_slice() {
        [one] => DeliveryId::parse(one).map_err(|_| no_notice(&text)),
        [] => Err(no_notice(&text)),
        _ => Err(Failure::ambiguous(&text, meant)),
    };
    found.await?.into_iter().map(only).collect()
}

fn no_notice(text: &str) -> Failure {
    match DeliveryId::parse(text) {
        Ok(id) => Failure::from(Refused::NoDelivery(id)),
        Err(_) => {
            let message = format!("there is no notice `{}`", clip(text, 100));
            Failure::new(axum::http::StatusCode::NOT_FOUND, "no_notice", message)
                .hint("`longhaul notices` shows what there is")
        }
    }
}

/// A row's place in the order of deliveries, to go on from.
pub(super) fn place_of(row: &Row) -> String {
    format!("{}.{}", row.seq, row.id)
}

/// Reads a place back.
pub(super) fn cursor(text: &str) -> Answer<(u64, String)> {
    let place = text.split_once('.').and_then(|(seq, id)| {
        let id = DeliveryId::parse(id).ok()?;
        // A store numbers to `i64::MAX`, so beyond it no place was ever given.
        let seq: u64 = seq.parse().ok().filter(|seq| i64::try_from(*seq).is_ok())?;
        Some((seq, id.into()))
    });
    place.ok_or_else(|| Failure::bad_request("`cursor` is not one that was given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_given() {
        let id = "dlv_01JD0000000000000000000000";
        let row = Row { seq: 7, ..Row::kept(id.to_owned(), String::new()) };
        assert_eq!(cursor(&place_of(&row)).unwrap(), (7, id.to_owned()));
        for bad in ["", "7", "7.x", "x.dlv_01JD0000000000000000000000"]
            .into_iter()
            .chain(["9223372036854775808.dlv_01JD0000000000000000000000"])
        {
            assert!(cursor(bad).is_err(), "{bad}");
        }
    }
}

//! Sinks, notices and inboxes: one typed method per request of `docs/http.md`.

use super::body::Payload;
use super::error::ClientError;
use super::inbox::Inbox;
use super::methods::{Client, json, parse, query, segment};
use super::transport::Ask;
use crate::api::{
    AckAsk, Acked, DeliveriesPage, DeliveryView, InboxPage, SettleAsk, SettledAnswer, SinkAsk,
    SinkTested, SinkView, Sinks,
};
use hyper::Method;

/// The code for a notice that is none of the owner's.
const NOT_OURS: &str = "no_notice";

/// What a list of notices is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticesAsk {
    /// About this job (id, prefix or name).
    pub job: Option<String>,
    /// Any of these states.
    pub states: Vec<String>,
    /// About jobs of this owner.
    pub owner: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Those after a page that was given before.
    pub cursor: Option<String>,
}

impl Client {
    /// `GET /v1/sinks`.
    pub async fn sinks(&self) -> Result<Sinks, ClientError> {
        self.get("/v1/sinks".to_owned()).await
    }

    /// `PUT /v1/sinks/{name}`.
    pub async fn put_sink(&self, name: &str, ask: &SinkAsk) -> Result<SinkView, ClientError> {
        let path = format!("/v1/sinks/{}", segment(name));
        let (_, body) = self.transport().ask(Ask::new(Method::PUT, path, json(ask))).await?;
        parse(&body)
    }

    /// `DELETE /v1/sinks/{name}`: what is owed to it is given up.
    pub async fn remove_sink(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("/v1/sinks/{}", segment(name));
        self.transport().ask(Ask::new(Method::DELETE, path, Payload::Empty)).await.map(drop)
    }

    /// `POST /v1/sinks/{name}/test`: sends a notice at once and waits for what the sink says.
    pub async fn test_sink(&self, name: &str) -> Result<SinkTested, ClientError> {
        self.post(format!("/v1/sinks/{}/test", segment(name)), &serde_json::json!({})).await
    }

    /// `GET /v1/inbox`: all that an owner has not acknowledged, page after page. Claims and settles
    /// nothing.
    pub async fn inbox(&self, owner: &str) -> Result<InboxPage, ClientError> {
        let mut whole: InboxPage = self.get(inbox_path(owner, None)).await?;
        while let Some(cursor) = whole.next_cursor.take() {
            let page: InboxPage = self.get(inbox_path(owner, Some(&cursor))).await?;
            whole.notices.extend(page.notices);
            whole.next_cursor = page.next_cursor;
        }
        Ok(whole)
    }

    /// `GET /v1/inbox/follow`: the owner is present for as long as this is kept and read.
    pub fn follow_inbox(&self, owner: String, project: Option<String>) -> Inbox<'_> {
        Inbox::new(self, owner, project)
    }

    /// `POST /v1/inbox/ack`.
    pub async fn acknowledge(&self, ask: &AckAsk) -> Result<Acked, ClientError> {
        self.post("/v1/inbox/ack".to_owned(), ask).await
    }

    /// As [`Self::acknowledge`] for each of these that still is the owner's to acknowledge: what it
    /// took over for another may be that one's again. Gives how many were not settled before.
    pub async fn acknowledge_what_is_ours(
        &self,
        owner: &str,
        ids: &[String],
    ) -> Result<u64, ClientError> {
        let ask = |ids: &[String]| AckAsk {
            owner: owner.to_owned(),
            ids: Some(ids.to_vec()),
            all: false,
        };
        match self.acknowledge(&ask(ids)).await {
            Err(error) if error.code == NOT_OURS => {}
            done => return done.map(|done| done.acked),
        }
        let mut acked = 0;
        for id in ids {
            match self.acknowledge(&ask(std::slice::from_ref(id))).await {
                Ok(done) => acked += done.acked,
                Err(error) if error.code == NOT_OURS => {}
                Err(error) => return Err(error),
            }
        }
        Ok(acked)
    }

    /// `GET /v1/notices`.
    pub async fn notices(&self, ask: &NoticesAsk) -> Result<DeliveriesPage, ClientError> {
        let states = ask.states.join(",");
        let limit = ask.limit.map(|limit| limit.to_string());
        let wanted: Vec<(&str, &str)> = [
            ("job", ask.job.as_ref()),
            ("state", Some(&states).filter(|text| !text.is_empty())),
            ("owner", ask.owner.as_ref()),
            ("limit", limit.as_ref()),
            ("cursor", ask.cursor.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())))
        .collect();
        self.get(format!("/v1/notices{}", query(&wanted))).await
    }

    /// `POST /v1/notices/{id}/redeliver`: a dead notice is owed again.
    pub async fn redeliver(&self, id: &str) -> Result<DeliveryView, ClientError> {
        self.post(format!("/v1/notices/{}/redeliver", segment(id)), &serde_json::json!({})).await
    }

    /// `POST /v1/jobs/{job}/settle`: the owner has the result and need not be told of it.
    pub async fn settle(&self, job: &str, ask: &SettleAsk) -> Result<SettledAnswer, ClientError> {
        self.post(format!("/v1/jobs/{}/settle", segment(job)), ask).await
    }
}

fn inbox_path(owner: &str, cursor: Option<&str>) -> String {
    let mut wanted = vec![("owner", owner)];
    wanted.extend(cursor.map(|cursor| ("cursor", cursor)));
    format!("/v1/inbox{}", query(&wanted))
}

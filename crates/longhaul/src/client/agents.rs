//! Agents, turns and mail: one typed method per request of `docs/http.md`.

use super::body::Payload;
use super::error::ClientError;
use super::methods::{Client, json, mint, parse, query, segment};
use super::transport::Ask;
use crate::api::{
    AgentAsk, AgentView, Agents, MailAsk, MailBatch, MailCheckAsk, MailPage, MailReadAsk, MailView,
    StopAgentAsk, Submitted, TurnAsk,
};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a list of mail is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailListAsk {
    /// In this mailbox.
    pub to: Option<String>,
    /// From this one.
    pub from: Option<String>,
    /// Of the thread of this message (id or prefix).
    pub thread: Option<String>,
    /// Any of these states.
    pub states: Vec<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Those after a page that was given before.
    pub cursor: Option<String>,
}

impl Client {
    /// `GET /v1/agents`.
    pub async fn agents(&self) -> Result<Agents, ClientError> {
        self.get("/v1/agents".to_owned()).await
    }

    /// `GET /v1/agents/{name}`.
    pub async fn agent(&self, name: &str) -> Result<AgentView, ClientError> {
        self.get(format!("/v1/agents/{}", segment(name))).await
    }

    /// `PUT /v1/agents/{name}`: makes an agent, or changes one if that is wished.
    pub async fn put_agent(&self, name: &str, ask: &AgentAsk) -> Result<AgentView, ClientError> {
        let path = format!("/v1/agents/{}", segment(name));
        let (_, body) = self.transport().ask(Ask::new(Method::PUT, path, json(ask))).await?;
        parse(&body)
    }

    /// `DELETE /v1/agents/{name}`: its unread mail is returned.
    pub async fn remove_agent(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("/v1/agents/{}", segment(name));
        self.transport().ask(Ask::new(Method::DELETE, path, Payload::Empty)).await.map(drop)
    }

    /// `POST /v1/agents/{name}/stop`.
    pub async fn stop_agent(
        &self,
        name: &str,
        ask: &StopAgentAsk,
    ) -> Result<AgentView, ClientError> {
        self.post(format!("/v1/agents/{}/stop", segment(name)), ask).await
    }

    /// `POST /v1/agents/{name}/turns`: the turn is durable when this returns. Mints its id if there is
    /// none, so that sending it again never makes two.
    pub async fn submit_turn(
        &self,
        agent: &str,
        mut ask: TurnAsk,
    ) -> Result<Submitted, ClientError> {
        mint(&mut ask.id)?;
        self.post(format!("/v1/agents/{}/turns", segment(agent)), &ask).await
    }

    /// `POST /v1/mail`. Mints the letter's id if there is none. `token` proves the turn that sends.
    pub async fn send_mail(
        &self,
        mut ask: MailAsk,
        token: Option<&str>,
    ) -> Result<MailBatch, ClientError> {
        if ask.id.is_none() {
            let minted = crate::ids::mail_id().map_err(|error| {
                ClientError::unavailable(format!("the system gives no random numbers: {error}"))
            })?;
            ask.id = Some(minted.into());
        }
        self.post_as("/v1/mail".to_owned(), &ask, token, true).await
    }

    /// `GET /v1/mail`: newest first.
    pub async fn mail(&self, ask: &MailListAsk) -> Result<MailPage, ClientError> {
        let states = ask.states.join(",");
        let limit = ask.limit.map(|limit| limit.to_string());
        let wanted: Vec<(&str, &str)> = [
            ("to", ask.to.as_ref()),
            ("from", ask.from.as_ref()),
            ("thread", ask.thread.as_ref()),
            ("state", Some(&states).filter(|text| !text.is_empty())),
            ("kind", ask.kind.as_ref()),
            ("limit", limit.as_ref()),
            ("cursor", ask.cursor.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())))
        .collect();
        self.get(format!("/v1/mail{}", query(&wanted))).await
    }

    /// `GET /v1/mail` for a whole thread, oldest first.
    pub async fn thread(&self, id: &str) -> Result<MailBatch, ClientError> {
        let mut ask = MailListAsk { thread: Some(id.to_owned()), ..MailListAsk::default() };
        let mut mail = Vec::new();
        loop {
            let page = self.mail(&ask).await?;
            mail.extend(page.mail);
            match page.next_cursor {
                Some(cursor) => ask.cursor = Some(cursor),
                None => break,
            }
        }
        mail.reverse();
        Ok(MailBatch { mail })
    }

    /// `POST /v1/mail/{id}/read`: gives the message; it is read if it is the asker's.
    pub async fn read_mail(
        &self,
        id: &str,
        ask: &MailReadAsk,
        token: Option<&str>,
    ) -> Result<MailView, ClientError> {
        self.post_as(format!("/v1/mail/{}/read", segment(id)), ask, token, true).await
    }

    /// `POST /v1/mail/check`: hands out what is unread. Not repeated: what an answer that is lost had
    /// handed out is read, and `mail` lists it.
    pub async fn check_mail(
        &self,
        ask: &MailCheckAsk,
        token: Option<&str>,
    ) -> Result<MailBatch, ClientError> {
        self.post_as("/v1/mail/check".to_owned(), ask, token, false).await
    }

    async fn post_as<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
        token: Option<&str>,
        is_repeatable: bool,
    ) -> Result<T, ClientError> {
        let bearer = token.map(str::to_owned);
        let ask = Ask { bearer, is_repeatable, ..Ask::new(Method::POST, path, json(body)) };
        let (_, body) = self.transport().ask(ask).await?;
        parse(&body)
    }
}

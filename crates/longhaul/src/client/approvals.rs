//! Tool calls that ask, and the answers of people.

use super::error::ClientError;
use super::methods::{Client, json, parse, query, segment};
use super::transport::Ask;
use crate::api::{ApprovalAsk, ApprovalView, ApprovalsPage, AuthorizeAnswer, AuthorizeAsk};
use hyper::Method;
use std::time::Duration;

/// What a list of questions is narrowed by; empty fields do not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalsAsk {
    /// Of this job.
    pub job: Option<String>,
    /// Any of these states.
    pub states: Vec<String>,
    /// Of jobs of this owner.
    pub owner: Option<String>,
    /// About turns of this agent.
    pub agent: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Those after a page that was given before.
    pub cursor: Option<String>,
}

impl Client {
    /// `POST /v1/jobs/{job}/authorize`: may this tool call run? Held for `wait` at most while a person is
    /// asked.
    pub async fn authorize(
        &self,
        job: &str,
        token: &str,
        ask: &AuthorizeAsk,
        wait: Option<Duration>,
    ) -> Result<AuthorizeAnswer, ClientError> {
        let wait = wait.map(|wait| wait.as_millis().to_string());
        let wanted: Vec<(&str, &str)> = wait.iter().map(|ms| ("wait_ms", ms.as_str())).collect();
        let path = format!("/v1/jobs/{}/authorize{}", segment(job), query(&wanted));
        let ask = Ask { bearer: Some(token.to_owned()), ..Ask::new(Method::POST, path, json(ask)) };
        let (_, body) = self.transport().ask(ask).await?;
        parse(&body)
    }

    /// `GET /v1/approvals`.
    pub async fn approvals(&self, ask: &ApprovalsAsk) -> Result<ApprovalsPage, ClientError> {
        let states = ask.states.join(",");
        let limit = ask.limit.map(|limit| limit.to_string());
        let wanted: Vec<(&str, &str)> = [
            ("job", ask.job.as_ref()),
            ("state", Some(&states).filter(|text| !text.is_empty())),
            ("owner", ask.owner.as_ref()),
            ("agent", ask.agent.as_ref()),
            ("limit", limit.as_ref()),
            ("cursor", ask.cursor.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())))
        .collect();
        self.get(format!("/v1/approvals{}", query(&wanted))).await
    }

    /// `POST /v1/approvals/{id}`: answers a question. The same answer again is the same.
    pub async fn answer(&self, id: &str, ask: &ApprovalAsk) -> Result<ApprovalView, ClientError> {
        self.post(format!("/v1/approvals/{}", segment(id)), ask).await
    }
}

//! What a job asks for under its lease, with the token that it was given.

use super::error::ClientError;
use super::methods::{Client, json, parse, segment};
use super::transport::Ask;
use crate::api::{DelegateAnswer, DelegateAsk, OperationAnswer, OperationAsk};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Client {
    /// `POST /v1/jobs/{job}/authorize-operation`: may this be done?
    pub async fn authorize_operation(
        &self,
        job: &str,
        token: &str,
        ask: &OperationAsk,
    ) -> Result<OperationAnswer, ClientError> {
        self.as_job(job, token, "authorize-operation", ask, true).await
    }

    /// `POST /v1/jobs/{job}/delegate`: has another agent work for the job. Under a name of its own the
    /// ask may be repeated.
    pub async fn delegate(
        &self,
        job: &str,
        token: &str,
        ask: &DelegateAsk,
    ) -> Result<DelegateAnswer, ClientError> {
        self.as_job(job, token, "delegate", ask, ask.id.is_some()).await
    }

    async fn as_job<T: DeserializeOwned>(
        &self,
        job: &str,
        token: &str,
        verb: &str,
        ask: &impl Serialize,
        is_repeatable: bool,
    ) -> Result<T, ClientError> {
        let path = format!("/v1/jobs/{}/{verb}", segment(job));
        let bearer = Some(token.to_owned());
        let ask = Ask { bearer, is_repeatable, ..Ask::new(Method::POST, path, json(ask)) };
        let (_, body) = self.transport().ask(ask).await?;
        parse(&body)
    }
}

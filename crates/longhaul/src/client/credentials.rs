//! Credentials of jobs, without their values.

use super::error::ClientError;
use super::methods::{Client, segment};
use crate::api::{CredentialsView, RotateAsk, Rotated};

impl Client {
    /// `GET /v1/jobs/{job}/credentials`.
    pub async fn credentials(&self, job: &str) -> Result<CredentialsView, ClientError> {
        self.get(format!("/v1/jobs/{}/credentials", segment(job))).await
    }

    /// `POST /v1/jobs/{job}/credentials/rotate`: others are made that take their place. Asking again while
    /// they are being made changes nothing.
    pub async fn rotate_credentials(
        &self,
        job: &str,
        ask: &RotateAsk,
    ) -> Result<Rotated, ClientError> {
        self.post(format!("/v1/jobs/{}/credentials/rotate", segment(job)), ask).await
    }
}

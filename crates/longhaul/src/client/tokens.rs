//! Tokens: made here, so that what is secret of them never leaves this process.

use super::body::Payload;
use super::error::ClientError;
use super::methods::{Client, json, parse, segment};
use super::transport::Ask;
use crate::api::{TokenAsk, TokenView, Tokens, TokensRevoked};
use crate::ids;
use hyper::Method;

impl Client {
    /// `GET /v1/tokens`.
    pub async fn tokens(&self) -> Result<Tokens, ClientError> {
        self.get("/v1/tokens".to_owned()).await
    }

    /// `PUT /v1/tokens/{sha256}`: makes a token and has it known by its hash. Gives it beside what the
    /// daemon knows of it; it can be had nowhere again.
    pub async fn add_token(&self, ask: &TokenAsk) -> Result<(String, TokenView), ClientError> {
        let token = ids::token().map_err(|error| {
            ClientError::unavailable(format!("the system gives no random numbers: {error}"))
        })?;
        let path = format!("/v1/tokens/{}", ids::sha256_hex(&token));
        let (_, body) = self.transport().ask(Ask::new(Method::PUT, path, json(ask))).await?;
        Ok((token, parse(&body)?))
    }

    /// `DELETE /v1/tokens/{name}`: all of that name are good for nothing any more.
    pub async fn revoke_tokens(&self, name: &str) -> Result<TokensRevoked, ClientError> {
        let path = format!("/v1/tokens/{}", segment(name));
        // Not repeated: a second answer would say that there is none.
        let ask = Ask { is_repeatable: false, ..Ask::new(Method::DELETE, path, Payload::Empty) };
        let (_, body) = self.transport().ask(ask).await?;
        parse(&body)
    }
}

//! Tokens: who may come over a network. A token itself never comes here to be kept, only its hash.

use super::Shared;
use super::body::parse;
use super::error::{Answer, Failure};
use super::jobs::odd_reply;
use super::views::time;
use crate::api;
use crate::daemon::AskError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use longhaul_core::command::{Command, Refused, Reply};
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::token::{Token, TokenRole};

/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;
/// How many of them are shown.
const HASH_SHOWN: usize = 12;

/// `GET /v1/tokens`
pub(super) async fn list(State(ports): State<Shared>) -> Answer<Json<api::Tokens>> {
    let mut tokens = ports.readers.read(|reader| all(reader)).await?;
    tokens.sort_by(|one, other| (&one.name, one.since).cmp(&(&other.name, other.since)));
    Ok(Json(api::Tokens { tokens }))
}

/// `PUT /v1/tokens/{sha256}`
pub(super) async fn add(
    State(ports): State<Shared>,
    Path(sha256): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<api::TokenView>)> {
    let api::TokenAsk { name, role } = parse(&body)?;
    let is_hash = |text: &str| {
        text.len() == HASH_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !is_hash(&sha256) {
        return Err(Failure::bad_request("a token is named by its SHA-256 in hexadecimal"));
    }
    let (principal, role) = (name.clone(), role_of(role));
    let added =
        ports.engine.ask(Command::AddToken { sha256: sha256.clone(), principal, role }).await;
    let stored = ports.readers.read(move |reader| load(reader, &sha256)).await?;
    match (added, stored) {
        (Ok(_), Some(token)) => Ok((StatusCode::CREATED, Json(view(&token)))),
        // The same once more, as after an answer that was lost.
        (Err(AskError::Refused(Refused::TokenTaken)), Some(token))
            if token.principal == name && token.role == role =>
        {
            Ok((StatusCode::OK, Json(view(&token))))
        }
        (Err(error), _) => Err(error.into()),
        (Ok(_), None) => Err(Failure::unavailable("unavailable", "it was revoked meanwhile", 100)),
    }
}

/// `DELETE /v1/tokens/{name}`: all tokens of that name.
pub(super) async fn revoke(
    State(ports): State<Shared>,
    Path(principal): Path<String>,
) -> Answer<Json<api::TokensRevoked>> {
    match ports.engine.ask(Command::RevokeTokens { principal: principal.clone() }).await? {
        Reply::Revoked(0) => {
            let message = format!("there is no token of `{principal}`");
            Err(Failure::new(StatusCode::NOT_FOUND, "no_token", message)
                .hint("`longhaul token list` shows what there is"))
        }
        Reply::Revoked(revoked) => {
            ports.doors.revoked();
            Ok(Json(api::TokensRevoked { revoked }))
        }
        _ => Err(odd_reply()),
    }
}

fn all(reader: &mut dyn Reader) -> Result<Vec<api::TokenView>, StoreError> {
    let rows = reader.rows(Table::Token, None, "", limits::TOKENS_MAX)?;
    rows.iter().map(|row| Ok(view(&Token::from_row(row)?))).collect()
}

fn load(reader: &mut dyn Reader, sha256: &str) -> Result<Option<Token>, StoreError> {
    let row = reader.load(Table::Token, sha256)?;
    Ok(row.as_ref().map(Token::from_row).transpose()?)
}

fn view(token: &Token) -> api::TokenView {
    let role = match token.role {
        TokenRole::Client => api::TokenRole::Client,
        TokenRole::Operator => api::TokenRole::Operator,
    };
    let hash = token.sha256.chars().take(HASH_SHOWN).collect();
    api::TokenView { name: token.principal.clone(), role, since: time(token.since), hash }
}

const fn role_of(role: api::TokenRole) -> TokenRole {
    match role {
        api::TokenRole::Client => TokenRole::Client,
        api::TokenRole::Operator => TokenRole::Operator,
    }
}

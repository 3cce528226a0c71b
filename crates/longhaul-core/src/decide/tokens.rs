//! Who may come over a network.

use crate::command::{Refused, Reply};
use crate::event::Fact;
use crate::limits;
use crate::port::Table;
use crate::spec::check_word;
use crate::token::{Token, TokenRole};
use crate::world::{Fault, World};

/// Keeps a token's hash.
pub(super) fn add(
    world: &mut World<'_>,
    sha256: String,
    principal: String,
    role: TokenRole,
) -> Result<Reply, Fault> {
    check_word("name", &principal).map_err(Refused::from)?;
    if world.token(&sha256)?.is_some() {
        return Err(Refused::TokenTaken.into());
    }
    let most = limits::TOKENS_MAX;
    if world.scan()?.ids(Table::Token, "", most)?.len() >= most as usize {
        return Err(Refused::TooMany { what: "tokens", limit: most.into() }.into());
    }
    let since = world.now();
    let fact = Fact::TokensChanged { principal: principal.clone(), what: "added".to_owned() };
    let token = Token { sha256: sha256.clone(), principal, role, since };
    *world.token(&sha256)? = Some(token);
    world.record_general(&fact);
    Ok(Reply::Done)
}

/// Forgets all tokens of a principal.
pub(super) fn revoke(world: &mut World<'_>, principal: &str) -> Result<Reply, Fault> {
    let rows = world.scan()?.children(Table::Token, principal, "", limits::TOKENS_MAX)?;
    for sha256 in &rows {
        *world.token(sha256)? = None;
    }
    if !rows.is_empty() {
        let (principal, what) = (principal.to_owned(), "revoked".to_owned());
        world.record_general(&Fact::TokensChanged { principal, what });
    }
    Ok(Reply::Revoked(u32::try_from(rows.len()).unwrap_or(u32::MAX)))
}

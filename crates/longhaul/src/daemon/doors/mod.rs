//! Who may come in over a network: a token is looked at, and a principal or nobody stands before us.
//! Tokens are told by their hashes, so how long a look takes says nothing about them.

mod jwt;

pub use jwt::{IssuerSetting, SigningAlgorithm};

use self::jwt::Issuer;
use super::handle::AskError;
use super::readers::Readers;
use crate::clock::Clock;
use crate::ids;
use longhaul_core::port::{Record, Table};
use longhaul_core::token::{Token, TokenRole};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Bytes of a text that is looked at as a token.
const TOKEN_BYTES_MAX: usize = 16 * 1_024;

/// Somebody who proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its name.
    pub name: String,
    /// Whether it may see and do everything that the owner of the home may.
    pub is_operator: bool,
}

/// A token that lives as long as its daemon, and in no file.
#[derive(Clone)]
pub struct PassingToken {
    /// The token.
    pub token: String,
    /// Whom it stands for.
    pub principal: String,
    /// What that principal may do.
    pub role: TokenRole,
}

impl std::fmt::Debug for PassingToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out: it opens doors.
        out.debug_struct("PassingToken")
            .field("principal", &self.principal)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Looks at tokens. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    readers: Readers,
    passing: Arc<[Known]>,
    issuers: Arc<[Issuer]>,
    clock: Clock,
}

/// A token by its hash.
struct Known {
    sha256: String,
    principal: Principal,
}

impl Doors {
    /// An error says which issuer's key cannot be used, and why.
    pub(super) fn new(
        readers: Readers,
        clock: Clock,
        passing: &[PassingToken],
        issuers: &[IssuerSetting],
    ) -> Result<Self, String> {
        let passing = passing.iter().map(Known::of).collect();
        let issuers = issuers.iter().map(Issuer::load).collect::<Result<_, _>>()?;
        Ok(Self { readers, passing, issuers, clock })
    }

    /// Who brings this token; nobody if it is good for nothing.
    ///
    /// # Errors
    /// As for [`Readers::glance`].
    pub async fn principal(&self, token: &str) -> Result<Option<Principal>, AskError> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let sha256 = ids::sha256_hex(token);
        let is_same = |known: &&Known| known.sha256.as_bytes().ct_eq(sha256.as_bytes()).into();
        if let Some(known) = self.passing.iter().rfind(is_same) {
            return Ok(Some(known.principal.clone()));
        }
        let now = self.clock.now();
        // Two dots, and in no token of ours.
        let signed = self.issuers.iter().filter(|_| token.split('.').count() == 3);
        if let Some(principal) = signed.filter_map(|issuer| issuer.principal(token, now)).next() {
            return Ok(Some(principal));
        }
        let stored = self.readers.glance(move |reader| {
            let row = reader.load(Table::Token, &sha256)?;
            Ok(row.as_ref().map(Token::from_row).transpose()?)
        });
        Ok(stored.await?.map(|token| Principal::of(token.principal, token.role)))
    }

    /// Whether anybody could come in.
    ///
    /// # Errors
    /// As for [`Readers::read`].
    pub async fn has_keys(&self) -> Result<bool, AskError> {
        if !(self.passing.is_empty() && self.issuers.is_empty()) {
            return Ok(true);
        }
        let any = self.readers.read(|reader| reader.ids(Table::Token, "", 1));
        Ok(!any.await?.is_empty())
    }
}

impl Known {
    fn of(passing: &PassingToken) -> Self {
        let PassingToken { token, principal, role } = passing;
        let principal = Principal::of(principal.clone(), *role);
        Self { sha256: ids::sha256_hex(token), principal }
    }
}

impl Principal {
    fn of(name: String, role: TokenRole) -> Self {
        Self { name, is_operator: role == TokenRole::Operator }
    }
}

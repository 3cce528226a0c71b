//! Who may come in over a network: a token is looked at, and a principal or nobody stands before us.
//! Tokens are told by their hashes, so how long a look takes says nothing about them.

mod jwt;

pub use jwt::{IssuerSetting, SigningAlgorithm};

use self::jwt::Issuer;
use super::handle::AskError;
use super::readers::Readers;
use crate::clock::Clock;
use crate::ids;
use longhaul_core::limits;
use longhaul_core::port::{Record, Table};
use longhaul_core::time::Timestamp;
use longhaul_core::token::{Token, TokenRole};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// Bytes of a text that is looked at as a token.
const TOKEN_BYTES_MAX: usize = 16 * 1_024;

/// Somebody who proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its name.
    pub name: String,
    /// Whether it may see and do everything that the owner of the home may.
    pub is_operator: bool,
    /// What that rests on.
    pub proof: Proof,
}

/// What proves who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A token of this home, good until it is revoked.
    Token,
    /// A token of an issuer that was configured.
    Signed {
        /// From then on it is good for nothing.
        until: Timestamp,
    },
    /// The word of a person at the home's own socket.
    Word,
}

/// Watches over a proof while somebody is connected because of it.
pub struct Standing {
    doors: Doors,
    principal: String,
    is_operator: bool,
    proof: Proof,
    revocations: watch::Receiver<u64>,
    /// After how many revocations the token was last seen to be good.
    checked: Option<u64>,
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { principal, proof, checked, .. } = self;
        out.debug_struct("Standing")
            .field("principal", principal)
            .field("proof", proof)
            .field("checked", checked)
            .finish_non_exhaustive()
    }
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
    /// How often tokens were revoked.
    revocations: Arc<watch::Sender<u64>>,
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
        let revocations = Arc::new(watch::Sender::new(0));
        Ok(Self { readers, passing, issuers, clock, revocations })
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
        if token.split('.').count() == 3 {
            let signed = self.issuers.iter().find_map(|issuer| issuer.principal(token, now));
            if signed.is_some() {
                return Ok(signed);
            }
        }
        let stored = self.readers.glance(move |reader| {
            let row = reader.load(Table::Token, &sha256)?;
            Ok(row.as_ref().map(Token::from_row).transpose()?)
        });
        Ok(stored.await?.map(|token| Principal::of(token.principal, token.role)))
    }

    /// What the principal may do by the tokens that are good now; nothing if it has none. One whose
    /// tokens somebody else gives out has none that could be known here.
    ///
    /// # Errors
    /// As for [`Readers::glance`].
    pub async fn role_of(&self, principal: &str) -> Result<Option<TokenRole>, AskError> {
        let passing = self.passing.iter().map(|known| &known.principal);
        let passing = passing.filter(|known| known.name == principal);
        let mut is_operator: Vec<bool> = passing.map(|known| known.is_operator).collect();
        let name = principal.to_owned();
        let stored = self.readers.glance(move |reader| {
            let rows = reader.rows(Table::Token, Some(&name), "", limits::TOKENS_MAX)?;
            Ok(rows.iter().map(Token::from_row).collect::<Result<Vec<_>, _>>()?)
        });
        let stored = stored.await?;
        is_operator.extend(stored.iter().map(|token| token.role == TokenRole::Operator));
        let role = |any| if any { TokenRole::Operator } else { TokenRole::Client };
        Ok((!is_operator.is_empty()).then(|| role(is_operator.contains(&true))))
    }

    /// Watches over what a principal came in with.
    pub fn standing(&self, principal: &Principal) -> Standing {
        Standing {
            doors: self.clone(),
            principal: principal.name.clone(),
            is_operator: principal.is_operator,
            proof: principal.proof,
            revocations: self.revocations.subscribe(),
            checked: None,
        }
    }

    /// Tokens were revoked: whoever is connected because of one is not for much longer.
    pub fn revoked(&self) {
        self.revocations.send_modify(|count| *count += 1);
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

impl Standing {
    /// When time alone ends it.
    pub const fn until(&self) -> Option<Timestamp> {
        match self.proof {
            Proof::Signed { until } => Some(until),
            Proof::Token | Proof::Word => None,
        }
    }

    /// Returns when the token was revoked, also if the principal was given one for less since. May be
    /// dropped at any moment and called again.
    pub async fn lapsed(&mut self) {
        while self.proof == Proof::Token {
            let count = *self.revocations.borrow();
            if self.checked != Some(count) {
                // A store that cannot be read vouches for nobody.
                let role = self.doors.role_of(&self.principal).await.unwrap_or(None);
                if role.is_none_or(|role| self.is_operator && role != TokenRole::Operator) {
                    return;
                }
                self.checked = Some(count);
            } else if self.revocations.changed().await.is_err() {
                break;
            }
        }
        std::future::pending().await
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
        Self { name, is_operator: role == TokenRole::Operator, proof: Proof::Token }
    }
}

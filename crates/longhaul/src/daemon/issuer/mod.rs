//! The driver of credentials: has issuers make and revoke them, seals what was made, and reports. One
//! credential is asked about one thing at a time, so that what revokes it comes after what makes it.

mod command;
mod driver;
mod http;
mod litellm;
mod request;
mod seal;
#[cfg(test)]
mod tests;

pub(super) use self::driver::IssuerDriver;

use self::litellm::Gateway;
use self::request::{Ask, Failed, Issued};
use self::seal::Sealer;
use super::courier::Connector;
use super::{AskError, Readers};
use crate::clock::wall_now;
use crate::config::{Config, Issuer, IssuerKind};
use crate::ids::SECRET_BYTES;
use longhaul_core::command::Command;
use longhaul_core::credential::{Credential, Issue, Made};
use longhaul_core::id::{CredentialId, HostId, JobId};
use longhaul_core::job::Job;
use longhaul_core::limits;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the names of an agent's variables begin with that hold its credentials.
const VARIABLE: &str = "LONGHAUL_CREDENTIAL_";
/// The same for where they are good. No word of it says that it is secret, for it is not.
const ENDPOINT: &str = "LONGHAUL_ENDPOINT_";
/// Credentials of one job that are looked at: those that take each other's place included.
const ROWS_MAX: u32 = 256;

/// Makes, revokes and opens credentials. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    shared: Arc<Shared>,
}

struct Shared {
    issuers: BTreeMap<String, Issuer>,
    sealer: Sealer,
    connector: Connector,
    readers: Readers,
    home: PathBuf,
    host: HostId,
}

/// A credential of a job that is good. Its value never shows in debug output.
#[derive(Clone)]
pub struct Provided {
    /// What clients know it by: the same for all that took each other's place.
    pub id: CredentialId,
    /// Which issuer made it.
    pub issuer: String,
    /// What clients are shown of it, without its value.
    pub shown: Map<String, Value>,
    value: String,
}

impl fmt::Debug for Provided {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Provided").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Provided {
    /// The secret. For its job's agent and the session that asked for the job, and nobody else.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where it is good for something.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.shown.get("endpoint").and_then(Value::as_str).unwrap_or_default()
    }

    /// All of it, as clients are given it. For the session that asked for the job, and nobody else.
    #[must_use]
    pub fn disclosed(&self) -> Map<String, Value> {
        let mut all = self.shown.clone();
        all.insert("value".to_owned(), json!(self.value));
        all
    }
}

impl Credentials {
    pub(super) fn new(
        config: &Config,
        key: &[u8; SECRET_BYTES],
        readers: Readers,
        home: &Path,
        host: HostId,
    ) -> Self {
        // Whoever writes the settings says where issuers are; that may well be in this network.
        let connector = Connector::new(true, config.webhooks.ca_file.clone());
        let (issuers, home) = (config.issuers.clone(), home.to_owned());
        let sealer = Sealer::new(key);
        Self { shared: Arc::new(Shared { issuers, sealer, connector, readers, home, host }) }
    }

    /// Whether there is any issuer: without one nothing is promised to clients.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        !self.shared.issuers.is_empty()
    }

    /// The credentials of a job that are good, in the order of their issuers' names.
    ///
    /// # Errors
    /// [`AskError`]: they cannot be read for now.
    pub async fn of(&self, job: &JobId) -> Result<Vec<Provided>, AskError> {
        let id = job.clone();
        let rows = self.shared.readers.read(move |reader| good_of(reader, &id)).await?;
        Ok(self.open(rows))
    }

    /// The same, for who reads already.
    ///
    /// # Errors
    /// [`StoreError`]: they cannot be read.
    pub fn of_in(&self, reader: &mut dyn Reader, job: &JobId) -> Result<Vec<Provided>, StoreError> {
        Ok(self.open(good_of(reader, job)?))
    }

    /// The credential of a job that clients know by `shown`, in this generation; nothing if that is good no
    /// more.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be read.
    pub fn generation(
        &self,
        reader: &mut dyn Reader,
        job: &JobId,
        shown: &str,
        generation: u64,
    ) -> Result<Option<Provided>, StoreError> {
        let rows = good_of(reader, job)?;
        let is_it = |row: &&Credential| {
            u64::from(row.generation) == generation && row.shown_id().as_str() == shown
        };
        Ok(rows.iter().find(is_it).and_then(|row| self.open_one(row)))
    }

    /// The variables that the processes of a job find them in: their values, and their endpoints.
    pub(super) fn variables(
        &self,
        reader: &mut dyn Reader,
        job: &Job,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let mut variables = BTreeMap::new();
        if job.issuers().is_empty() {
            return Ok(variables);
        }
        for provided in self.of_in(reader, &job.id)? {
            let name = variable(&provided.issuer);
            variables.insert(
                format!("{ENDPOINT}{}", &name[VARIABLE.len()..]),
                provided.endpoint().to_owned(),
            );
            variables.insert(name, provided.value);
        }
        Ok(variables)
    }

    fn open(&self, rows: Vec<Credential>) -> Vec<Provided> {
        let mut all: Vec<Provided> = rows.iter().filter_map(|row| self.open_one(row)).collect();
        all.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        all
    }

    fn open_one(&self, row: &Credential) -> Option<Provided> {
        let value = match self.shared.sealer.open(&row.id, row.sealed.as_deref()?) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(credential = %row.id, %error, "it is of no use to its job");
                return None;
            }
        };
        let shown = serde_json::from_str(row.shown.as_deref().unwrap_or("{}")).unwrap_or_default();
        Some(Provided { id: row.shown_id(), issuer: row.issuer.clone(), shown, value })
    }

    /// Makes one try, and gives its report. `None` if it is not wanted any more.
    async fn act(&self, wanted: &Issue) -> Result<Option<Command>, AskError> {
        let (asked, host) = (wanted.clone(), self.shared.host.clone());
        let looking = self.shared.readers.read(move |reader| look(reader, &asked, &host));
        let Some(ask) = looking.await? else { return Ok(None) };
        let limit = Duration::from_millis(limits::ISSUE_MAX.get());
        let (credential, number) = (wanted.credential().clone(), wanted.number());
        let late = || Failed::now(format!("nothing was heard within {}", limits::ISSUE_MAX));
        Ok(Some(if ask.is_mint {
            let made = tokio::time::timeout(limit, self.mint(&ask, limit)).await;
            match made.unwrap_or_else(|_| Err(late())) {
                Ok(made) => Command::Minted { credential, number, made: Box::new(made) },
                Err(Failed { problem, is_final }) => {
                    Command::MintFailed { credential, number, problem, is_final }
                }
            }
        } else {
            let revoked = tokio::time::timeout(limit, self.revoke(&ask, limit)).await;
            match revoked.unwrap_or_else(|_| Err(late())) {
                Ok(()) => Command::Revoked { credential, number },
                Err(Failed { problem, .. }) => {
                    Command::RevokeFailed { credential, number, problem }
                }
            }
        }))
    }

    async fn mint(&self, ask: &Ask, limit: Duration) -> Result<Made, Failed> {
        let issuer = self.issuer(ask)?;
        let issued = match &issuer.kind {
            IssuerKind::LiteLlm(settings) => {
                let gateway = Gateway { settings, connector: &self.shared.connector };
                gateway.mint(ask, wall_now()).await?
            }
            IssuerKind::Command(settings) => {
                command::mint(settings, ask, &self.shared.home, limit).await?
            }
        };
        let sealed = self.shared.sealer.seal(&ask.credential.id, &issued.value);
        let sealed = sealed.map_err(|error| Failed::now(error.to_string()))?;
        let shown = shown(ask, &issued).to_string();
        Ok(Made { handle: issued.handle, shown, sealed, rotate_after: issuer.rotate_every })
    }

    async fn revoke(&self, ask: &Ask, limit: Duration) -> Result<(), Failed> {
        match &self.issuer(ask)?.kind {
            IssuerKind::LiteLlm(settings) => {
                let gateway = Gateway { settings, connector: &self.shared.connector };
                gateway.revoke(ask).await
            }
            IssuerKind::Command(settings) => {
                command::revoke(settings, ask, &self.shared.home, limit).await
            }
        }
    }

    fn issuer(&self, ask: &Ask) -> Result<&Issuer, Failed> {
        let name = &ask.credential.issuer;
        let issuer = self.shared.issuers.get(name);
        issuer.ok_or_else(|| Failed::for_good(format!("the settings have no `[issuer.{name}]`")))
    }
}

/// What clients are shown of a credential beside its value.
fn shown(ask: &Ask, issued: &Issued) -> Value {
    json!({
        "id": ask.credential.shown_id().as_str(),
        "scheme": "bearer",
        "endpoint": issued.endpoint,
        "profile": ask.credential.issuer,
        "constraints": ask.constraints(issued.models.as_deref()),
    })
}

/// The variable of an issuer: letters and digits, everything else is an underscore.
fn variable(issuer: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' }
    };
    format!("{VARIABLE}{}", issuer.chars().map(plain).collect::<String>())
}

fn good_of(reader: &mut dyn Reader, job: &JobId) -> Result<Vec<Credential>, StoreError> {
    let rows = reader.rows(Table::Credential, Some(job.as_str()), "", ROWS_MAX)?;
    let mut good = Vec::new();
    for row in rows {
        good.push(Credential::from_row(&row)?);
    }
    good.retain(Credential::is_active);
    Ok(good)
}

/// Reads what a try needs, if the credential still wants this very try.
fn look(reader: &mut dyn Reader, wanted: &Issue, host: &HostId) -> Result<Option<Ask>, StoreError> {
    let Some(row) = reader.load(Table::Credential, wanted.credential().as_str())? else {
        return Ok(None);
    };
    let credential = Credential::from_row(&row)?;
    if credential.wants(host).as_ref() != Some(wanted) {
        return Ok(None);
    }
    let chain = chain(reader, &credential.job)?;
    Ok(Some(Ask::of(wanted, credential, chain)))
}

/// A job, who delegated it, who delegated that, and so on; nothing of a job that is gone.
fn chain(reader: &mut dyn Reader, id: &JobId) -> Result<Vec<Job>, StoreError> {
    let (mut chain, mut next) = (Vec::new(), Some(id.clone()));
    while let Some(id) =
        next.take().filter(|_| chain.len() <= limits::DELEGATION_DEPTH_MAX as usize)
    {
        let row = reader.load(Table::Job, id.as_str())?;
        let Some(job) = row.as_ref().map(Job::from_row).transpose()? else { break };
        let is_delegated = job.spec.hosted.as_ref().is_some_and(|hosted| hosted.delegate.is_some());
        next = job.parent.clone().filter(|_| is_delegated);
        chain.push(job);
    }
    Ok(chain)
}

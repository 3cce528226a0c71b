//! The rows beside the job: its environment, what it waits for, pools, hosts; and how each of them,
//! and the job, lies in a database. Every shape that was ever released must stay readable.

use crate::id::{HostId, JobId};
use crate::job::Job;
use crate::limits;
use crate::port::{Corrupt, Record, Row, Table};
use crate::spec::Environment;
use crate::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A limit shared by many jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Jobs that may be active at once.
    pub slots: u32,
    /// Whether it starts nothing for now; what runs goes on.
    pub paused: bool,
    /// Set when one step could not place all that may start: the next one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
}

/// "`job` waits for `on`".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The job that waits.
    pub job: JobId,
    /// The job that it waits for.
    pub on: JobId,
    /// Whether any ending will do.
    pub any: bool,
}

/// The environment of a job that may still start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEnvironment {
    /// Whose it is.
    pub job: JobId,
    /// The secret.
    pub environment: Environment,
}

/// A machine that runs attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its id.
    pub id: HostId,
    /// Its name, for people.
    pub name: String,
    /// The boot of the machine when it was last up.
    pub boot: String,
    /// How often its daemon has come up. Grows.
    pub epoch: u64,
    /// Kinds of tasks that its daemon runs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<String>,
}

pub(crate) fn body<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("core's types are plain trees with text keys")
}

pub(crate) fn parse<T: DeserializeOwned>(row: &Row, table: Table) -> Result<T, Corrupt> {
    serde_json::from_str(&row.body).map_err(|error| Corrupt {
        table,
        id: row.id.clone(),
        message: error.to_string(),
    })
}

impl Record for Job {
    const TABLE: Table = Table::Job;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let is_active = self.phase() == crate::port::Phase::Active;
        assert!(!is_active || self.host.is_some(), "an active job has a host");
        Row {
            phase: self.phase(),
            state: self.state_name().to_owned(),
            due_at: self.due_at(),
            host: self.host.as_ref().map(|host| host.as_str().to_owned()),
            lane: self.spec.lane.clone(),
            parent: self.parent.as_ref().map(|parent| parent.as_str().to_owned()),
            owner: self.owner.clone(),
            pool: Some(self.waits_in()),
            priority: self.spec.priority,
            seq: self.seq,
            key: self.key.clone(),
            name: self.spec.name.clone(),
            outcome: self.outcome().map(|outcome| outcome.kind.name().to_owned()),
            ended_at: self.ended_at(),
            bytes: self.bytes(),
            labels: (!self.spec.labels.is_empty()).then(|| body(&self.spec.labels)),
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn hour(&self) -> Option<Timestamp> {
        self.due_at()
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        let job: Self = parse(row, Self::TABLE)?;
        // The promoted columns are what scans go by: a row whose two halves differ is damaged.
        if job.phase() != row.phase || job.id.as_str() != row.id {
            let message = format!("its body says {:?}, its columns {:?}", job.phase(), row.phase);
            return Err(Corrupt { table: Self::TABLE, id: row.id.clone(), message });
        }
        Ok(job)
    }
}

impl Record for Pool {
    const TABLE: Table = Table::Pool;

    fn row_id(&self) -> String {
        self.name.clone()
    }

    fn to_row(&self) -> Row {
        Row { due_at: self.again_at, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

impl Dependency {
    /// The row id of "`job` waits for `on`".
    pub fn id_of(job: &JobId, on: &JobId) -> String {
        format!("{job}:{on}")
    }
}

impl Record for Dependency {
    const TABLE: Table = Table::Dependency;

    fn row_id(&self) -> String {
        Self::id_of(&self.job, &self.on)
    }

    fn to_row(&self) -> Row {
        let parent = Some(self.on.as_str().to_owned());
        Row { parent, ..Row::kept(self.row_id(), body(self)) }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

impl Record for StoredEnvironment {
    const TABLE: Table = Table::Environment;

    fn row_id(&self) -> String {
        self.job.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        Row::kept(self.row_id(), body(&self.environment))
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        let corrupt = |message| Corrupt { table: Self::TABLE, id: row.id.clone(), message };
        let job = JobId::parse(&row.id).map_err(|bad| corrupt(bad.to_string()))?;
        let environment = serde_json::from_str(&row.body)
            // The parser's own words might quote a secret.
            .map_err(|_| corrupt("not an environment".to_owned()))?;
        Ok(Self { job, environment })
    }
}

impl Record for Host {
    const TABLE: Table = Table::Host;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        Row::kept(self.row_id(), body(self))
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        parse(row, Self::TABLE)
    }
}

impl Pool {
    /// Checks a name and a number of slots as people give them.
    ///
    /// # Errors
    /// [`crate::spec::BadSpec`] for a name that is blank or too long, or for too many slots.
    pub fn check(name: &str, slots: Option<u32>) -> Result<(), crate::spec::BadSpec> {
        crate::spec::check_word("pool", name)?;
        if slots.is_some_and(|slots| slots > limits::SLOTS_MAX) {
            let problem = format!("is more than {}", limits::SLOTS_MAX);
            return Err(crate::spec::BadSpec { field: "slots", problem });
        }
        Ok(())
    }
}

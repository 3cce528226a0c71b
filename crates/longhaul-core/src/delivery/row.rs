//! How a delivery lies in a database, and what it is found by there.

use super::{Delivery, Destination};
use crate::port::{Corrupt, Phase, Record, Row, Table};
use crate::record::{body, parse};

/// What deliveries to a sink are found by.
pub fn sink_pool(sink: &str) -> String {
    format!("sink:{sink}")
}

/// What notices to the owners of a project are found by.
pub fn project_pool(project: Option<&str>) -> String {
    format!("project:{}", project.unwrap_or_default())
}

/// The lane of an owner's own notices.
pub fn inbox_lane(owner: &str) -> String {
    format!("inbox|{owner}")
}

impl Delivery {
    /// Which others it shares tries with, or which project it belongs to.
    pub fn pool(&self) -> String {
        match &self.to {
            Destination::Inbox => project_pool(self.project.as_deref()),
            Destination::Sink(name) => sink_pool(name),
        }
    }

    /// What it keeps its order with.
    pub fn lane(&self) -> String {
        let owner = self.owner.as_deref().unwrap_or_default();
        match &self.to {
            Destination::Inbox => inbox_lane(owner),
            Destination::Sink(name) => format!("{}|{owner}", sink_pool(name)),
        }
    }
}

impl Record for Delivery {
    const TABLE: Table = Table::Delivery;

    fn row_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn to_row(&self) -> Row {
        let is_ended = self.phase() == Phase::Ended;
        Row {
            phase: self.phase(),
            state: self.state_name().to_owned(),
            due_at: self.due_at(),
            host: self.claimant().map(|by| by.host().as_str().to_owned()),
            lane: Some(self.lane()),
            parent: Some(self.job.as_str().to_owned()),
            owner: self.owner.clone(),
            pool: Some(self.pool()),
            seq: self.seq,
            outcome: is_ended.then(|| self.state_name().to_owned()),
            ended_at: self.ended_at(),
            ..Row::kept(self.row_id(), body(self))
        }
    }

    fn from_row(row: &Row) -> Result<Self, Corrupt> {
        let delivery: Self = parse(row, Self::TABLE)?;
        if delivery.phase() != row.phase || delivery.id.as_str() != row.id {
            let message =
                format!("its body says {}, its columns {}", delivery.state_name(), row.state);
            return Err(Corrupt { table: Self::TABLE, id: row.id.clone(), message });
        }
        Ok(delivery)
    }
}

//! The tables of one step, so that each is named once where all of them are meant.

use super::rows::Rows;
use crate::agent::{Agent, AgentEnvironment};
use crate::approval::Approval;
use crate::credential::Credential;
use crate::delivery::Delivery;
use crate::feed::FeedRow;
use crate::job::Job;
use crate::mail::Mail;
use crate::owner::{Owner, Presence};
use crate::port::{Record, StoreError, Table, Tx};
use crate::quota::Quota;
use crate::record::{Dependency, Host, Pool, StoredEnvironment};
use crate::session::Session;
use crate::sink::Sink;
use crate::time::Timestamp;
use crate::token::Token;
use crate::turn::{Input, Intake};

macro_rules! tables {
    ($($field:ident: $record:ty,)*) => {
        /// The rows that a step has touched, table by table.
        pub(super) struct Tables {
            $(pub(super) $field: Rows<$record>,)*
        }

        impl Tables {
            pub(super) const fn new() -> Self {
                Self { $($field: Rows::new(),)* }
            }

            /// The command that was being decided is over; what it changed is undone if it is refused.
            pub(super) fn close_command(
                &mut self,
                tx: &mut dyn Tx,
                is_refused: bool,
            ) -> Result<(), StoreError> {
                $(self.$field.close_command(tx, is_refused)?;)*
                Ok(())
            }

            /// Writes what differs in one table.
            pub(super) fn flush_table(
                &mut self,
                tx: &mut dyn Tx,
                table: Table,
            ) -> Result<(), StoreError> {
                $(if <$record as Record>::TABLE == table {
                    return self.$field.flush(tx);
                })*
                Ok(())
            }

            /// Whether the hour of a row has come that may not be written yet.
            pub(super) fn has_due(&self, now: Timestamp) -> bool {
                $(self.$field.has_due(now))||*
            }

            /// Writes the rest, before a commit.
            pub(super) fn flush_last(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
                $(self.$field.flush_last(tx)?;)*
                Ok(())
            }

            /// Writes what differs from what the transaction has.
            pub(super) fn flush(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
                $(self.$field.flush(tx)?;)*
                Ok(())
            }
        }
    };
}

tables! {
    jobs: Job,
    pools: Pool,
    dependencies: Dependency,
    environments: StoredEnvironment,
    hosts: Host,
    deliveries: Delivery,
    sinks: Sink,
    owners: Owner,
    presences: Presence,
    agents: Agent,
    agent_environments: AgentEnvironment,
    mails: Mail,
    inputs: Input,
    intakes: Intake,
    approvals: Approval,
    quotas: Quota,
    sessions: Session,
    feeds: FeedRow,
    credentials: Credential,
    tokens: Token,
}

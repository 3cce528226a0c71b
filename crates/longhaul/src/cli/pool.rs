//! `longhaul pool`: limits shared by many jobs.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use crate::api::{PoolAsk, PoolView, Pools};

/// Limit how many jobs run at once
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul pool set gpu --slots 2
  longhaul submit --pool gpu -- ./train.sh
  longhaul pool pause gpu

The pool `default` exists. A paused pool starts nothing; what runs goes on.")]
pub(super) struct Pool {
    #[command(subcommand)]
    command: PoolCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PoolCommand {
    /// List the pools
    List,
    /// Make a pool, or change how many of its jobs may run at once
    Set {
        /// Which pool
        #[arg(value_name = "NAME")]
        name: String,
        /// How many jobs may run at once
        #[arg(long, value_name = "N")]
        slots: u32,
    },
    /// Start nothing of a pool until it is resumed
    Pause {
        /// Which pool
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Start jobs of a pool again
    Resume {
        /// Which pool
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl Pool {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        let (name, ask) = match self.command {
            PoolCommand::List => {
                let pools = client.pools().await?;
                show(caller, &pools)?;
                return Ok(Leave::OK);
            }
            PoolCommand::Set { name, slots } => {
                (name, PoolAsk { slots: Some(slots), paused: None })
            }
            PoolCommand::Pause { name } => (name, PoolAsk { slots: None, paused: Some(true) }),
            PoolCommand::Resume { name } => (name, PoolAsk { slots: None, paused: Some(false) }),
        };
        let pools = client.set_pool(&name, &ask).await?;
        if caller.output.json {
            caller.output.value(&pools)?;
        } else if let Some(pool) = pools.pools.iter().find(|pool| pool.name == name) {
            let state = if pool.paused { "paused" } else { "open" };
            caller.output.line(&format!("{}: {} slots, {state}", plain(&pool.name), pool.slots))?;
        }
        Ok(Leave::OK)
    }
}

fn show(caller: &Caller, pools: &Pools) -> Result<(), CliError> {
    if caller.output.json {
        return caller.output.value(pools);
    }
    let rows = pools.pools.iter().map(row).collect();
    caller.output.table(&["POOL", "SLOTS", "ACTIVE", "READY", "STATE"], rows)
}

fn row(pool: &PoolView) -> Vec<(Tone, String)> {
    let state = if pool.paused { (Tone::Doubtful, "paused") } else { (Tone::Plain, "open") };
    vec![
        (Tone::Plain, plain(&pool.name)),
        (Tone::Plain, pool.slots.to_string()),
        (Tone::Live, pool.active.to_string()),
        (Tone::Plain, pool.ready.to_string()),
        (state.0, state.1.to_owned()),
    ]
}

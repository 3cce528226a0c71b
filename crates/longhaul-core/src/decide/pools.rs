//! Pools: limits shared by many jobs.

use crate::command::{Refused, Reply};
use crate::event::Fact;
use crate::limits;
use crate::port::Table;
use crate::record::Pool;
use crate::world::{Fault, World};

/// The pool of jobs that name none.
pub(crate) const DEFAULT: &str = "default";

/// Makes or changes a pool. A new one needs its slots.
pub(super) fn set(
    world: &mut World<'_>,
    name: &str,
    slots: Option<u32>,
    paused: Option<bool>,
) -> Result<Reply, Fault> {
    Pool::check(name, slots).map_err(Refused::from)?;
    let known = world.pool(name)?.clone();
    if known.is_none() {
        let limit = limits::POOLS_MAX;
        let most = u32::try_from(limit).expect("a small constant");
        if world.scan()?.ids(Table::Pool, "", most)?.len() >= limit {
            return Err(Refused::TooMany { what: "pools", limit: limit as u64 }.into());
        }
    }
    let old_slots = known.as_ref().map(|pool| pool.slots);
    let Some(slots) = slots.or(old_slots) else {
        return Err(Refused::NoPool(name.to_owned()).into());
    };
    let paused = paused.unwrap_or_else(|| known.as_ref().is_some_and(|pool| pool.paused));
    let again_at = known.as_ref().and_then(|pool| pool.again_at);
    let pool = Pool { name: name.to_owned(), slots, paused, again_at };
    if known.as_ref() != Some(&pool) {
        world.record_general(&Fact::PoolChanged { pool: name.to_owned(), slots, paused });
        *world.pool(name)? = Some(pool);
        world.stir(name);
    }
    Ok(Reply::Done)
}

/// Makes the default pool, with the host's own number of slots, unless it is there.
pub(super) fn ensure_default(world: &mut World<'_>) -> Result<(), Fault> {
    let slots = world.place().default_slots;
    let pool = world.pool(DEFAULT)?;
    if pool.is_none() {
        *pool = Some(Pool { name: DEFAULT.to_owned(), slots, paused: false, again_at: None });
    }
    world.stir(DEFAULT);
    Ok(())
}

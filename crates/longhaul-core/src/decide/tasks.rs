//! Which kinds of tasks run here, and what waits for one that does not.

use crate::command::{Refused, Reply};
use crate::job::Waiting;
use crate::limits;
use crate::record::Host;
use crate::spec;
use crate::task::Task;
use crate::world::{Fault, World, job_ids};
use std::collections::BTreeSet;

/// Tasks of this kind are run here from now on: those that were set aside come back into their pools.
pub(super) fn kind_up(world: &mut World<'_>, kind: String) -> Result<Reply, Fault> {
    spec::check_word("kind", &kind).map_err(Refused::from)?;
    let place = world.place();
    let id = place.host.clone();
    let host = world.host(id.as_str())?.get_or_insert_with(|| Host {
        name: id.as_str().to_owned(),
        id: id.clone(),
        boot: place.boot.clone(),
        epoch: 0,
        kinds: BTreeSet::new(),
    });
    if !host.kinds.contains(&kind) && host.kinds.len() >= limits::TASK_KINDS_MAX {
        let limit = limits::TASK_KINDS_MAX as u64;
        return Err(Refused::TooMany { what: "kinds of tasks", limit }.into());
    }
    host.kinds.insert(kind.clone());
    take_up(world, &kind)?;
    Ok(Reply::Done)
}

/// Takes up again what was set aside until somebody runs this kind.
pub(crate) fn take_up(world: &mut World<'_>, kind: &str) -> Result<(), Fault> {
    let most = u32::try_from(limits::BATCH_JOBS_MAX).expect("a small constant");
    let aside = world.scan()?.runnable(&Task::waiting_pool(kind), most)?;
    for id in job_ids(aside)? {
        world.job(&id)?.set_aside(Waiting::New);
    }
    Ok(())
}

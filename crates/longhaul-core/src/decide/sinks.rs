//! Sinks: made, replaced and removed.

use crate::command::{Refused, Reply};
use crate::event::Fact;
use crate::limits;
use crate::port::Table;
use crate::sink::{Sink, SinkKind};
use crate::world::{Fault, World};

/// Makes a sink, or replaces one. What is owed to it stays owed.
pub(super) fn add(
    world: &mut World<'_>,
    name: String,
    kind: SinkKind,
    replace: bool,
) -> Result<Reply, Fault> {
    let sink = Sink::new(name.clone(), kind, world.now()).map_err(Refused::from)?;
    match world.find_sink(&name)?.filter(|known| known.is_there()) {
        Some(known) if known.kind == sink.kind => return Ok(Reply::Done),
        Some(_) if !replace => return Err(Refused::SinkTaken(name).into()),
        Some(_) => {}
        None => {
            let most = limits::SINKS_MAX;
            if world.scan()?.ids(Table::Sink, "", most)?.len() >= most as usize {
                return Err(Refused::TooMany { what: "sinks", limit: most.into() }.into());
            }
        }
    }
    let what = sink.kind.name().to_owned();
    *world.sink(&name)? = Some(sink);
    world.stir_sink(&name);
    world.record_general(&Fact::SinkAdded { sink: name, what });
    Ok(Reply::Done)
}

/// Removes a sink: nothing is sent to it from now on, and what is owed to it is given up.
pub(super) fn remove(world: &mut World<'_>, name: &str) -> Result<Reply, Fault> {
    let now = world.now();
    let sink = world.sink(name)?.as_mut().filter(|sink| sink.is_there());
    let sink = sink.ok_or_else(|| Refused::NoSink(name.to_owned()))?;
    sink.removed_at = Some(now);
    world.stir_sink(name);
    world.record_general(&Fact::SinkRemoved { sink: name.to_owned() });
    Ok(Reply::Done)
}

//! Pools: limits shared by many jobs.

use super::body::parse;
use super::error::Answer;
use super::{Shared, around};
use crate::api::{PoolAsk, PoolView, Pools};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use longhaul_core::command::Command;
use longhaul_core::limits;
use longhaul_core::port::{Reader, StoreError, Table};

/// `GET /v1/pools`
pub(super) async fn list(State(ports): State<Shared>) -> Answer<Json<Pools>> {
    Ok(Json(Pools { pools: ports.readers.read(read).await? }))
}

/// `PUT /v1/pools/{name}`
pub(super) async fn set(
    State(ports): State<Shared>,
    Path(pool): Path<String>,
    body: Bytes,
) -> Answer<Json<Pools>> {
    let PoolAsk { slots, paused } = parse(&body)?;
    ports.engine.ask(Command::SetPool { pool, slots, paused }).await?;
    list(State(ports)).await
}

fn read(reader: &mut dyn Reader) -> Result<Vec<PoolView>, StoreError> {
    let most = u32::try_from(limits::POOLS_MAX).expect("a small constant");
    let mut pools = Vec::new();
    for name in reader.ids(Table::Pool, "", most)? {
        let Some(pool) = around::pool(reader, &name)? else { continue };
        let (active, ready) = reader.pool_load(&name)?;
        pools.push(PoolView { name, slots: pool.slots, paused: pool.paused, active, ready });
    }
    Ok(pools)
}

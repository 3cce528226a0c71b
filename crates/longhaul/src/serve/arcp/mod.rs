//! The protocol of sessions over WebSockets: frames in, commands and reads out, and the feed of the
//! session rendered from the journal. One task a connection; what a client does not read is not read
//! for it either.

mod cancel;
mod credentials;
mod drive;
mod feed;
mod knock;
mod list;
mod submit;
mod subscribe;
mod told;
mod wire;

use self::drive::Line;
use super::listen::Guest;
use super::peer::Peer;
use crate::daemon::{AskError, Ports};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use longhaul_arcp::error::{self, Denial};
use longhaul_arcp::features::Features;
use longhaul_arcp::limits::INBOUND_BYTES_MAX;
use longhaul_arcp::message::Runtime;
use longhaul_arcp::server::{Backlog, Config};
use longhaul_core::id::SessionId;
use longhaul_core::job::Job;
use longhaul_core::port::{Reader, Record, StoreError, Table};
use longhaul_core::session::Session;
use serde::Deserialize;
use std::sync::Arc;

/// What a client may name the protocol of its socket; none needs to. One that offers a name hangs up where
/// none is taken.
const SUBPROTOCOLS: [&str; 2] = ["arcp.v1.1", "arcp"];
/// Bytes that are read from a socket at once. A session that is idle keeps them.
const READ_BYTES: usize = 1_024;
/// Bytes that are collected before a socket is written to.
const WRITE_BYTES: usize = 16 * 1_024;

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The home's own socket: a person whose home it is, or a process of that person.
    Home,
    /// A network.
    Network,
}

/// What all connections have in common.
struct Host {
    ports: Ports,
    from: From,
    config: Config,
}

/// The route that sessions are held on.
pub(super) fn routes(ports: &Ports, from: From) -> Router {
    let runtime = Runtime {
        name: "longhaul".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: None,
    };
    let sessions = &ports.config.sessions;
    let config = Config {
        runtime,
        features: features(ports),
        heartbeat: sessions.heartbeat,
        backlog: Backlog { events_max: sessions.unacknowledged_max, patience: sessions.patience },
        profile: None,
    };
    let host = Arc::new(Host { ports: ports.clone(), from, config });
    Router::new().route("/arcp", get(upgrade)).with_state(host)
}

/// What is promised to clients: credentials only where somebody makes them.
fn features(ports: &Ports) -> Features {
    if ports.credentials.is_configured() { Features::all() } else { Features::always() }
}

/// What a connection may say before its first frame. Whatever else there is belongs to nobody here.
#[derive(Debug, Deserialize)]
struct Said {
    /// Whom a person at the home's own socket vouches for: no token is asked for then.
    #[serde(rename = "as")]
    vouched: Option<String>,
}

/// `GET /arcp`
async fn upgrade(
    State(host): State<Arc<Host>>,
    guest: Option<Extension<Arc<Guest>>>,
    peer: Option<Extension<Peer>>,
    Query(said): Query<Said>,
    socket: WebSocketUpgrade,
) -> Response {
    let guest = guest.map(|Extension(guest)| guest);
    // A job speaks with its person's voice, and is not that person.
    let is_inside = peer.is_some_and(|Extension(peer)| matches!(peer, Peer::Inside(_)));
    let vouched = said.vouched.filter(|_| host.from == From::Home && !is_inside);
    socket
        .protocols(SUBPROTOCOLS)
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(INBOUND_BYTES_MAX)
        .max_frame_size(INBOUND_BYTES_MAX)
        .on_upgrade(move |socket| drive::run(Line { host, guest, vouched }, socket))
}

/// How something that came to nothing is told. What is our own fault is for our own log.
fn denial(error: AskError) -> Denial {
    match error {
        AskError::Refused(refused) => error::of(&refused),
        AskError::Unavailable { code, message, .. } => {
            tracing::warn!(code, message, "a client was told to come again");
            Denial::internal().with("reason", code)
        }
        AskError::Bug(message) => {
            tracing::error!(message, "answered with a bug");
            Denial::internal()
        }
    }
}

/// A job of a hosted agent; no other is shown to clients.
fn hosted(reader: &mut dyn Reader, id: &str) -> Result<Option<Job>, StoreError> {
    let row = reader.load(Table::Job, id)?;
    let job = row.as_ref().map(Job::from_row).transpose()?;
    Ok(job.filter(|job| job.spec.hosted.is_some()))
}

/// A session's row; none if it is gone.
fn stored(reader: &mut dyn Reader, id: &SessionId) -> Result<Option<Session>, StoreError> {
    let row = reader.load(Table::Session, id.as_str())?;
    Ok(row.as_ref().map(Session::from_row).transpose()?)
}

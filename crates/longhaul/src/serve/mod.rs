//! HTTP on the home's socket: requests in, commands and reads out. One file a noun. Decides nothing:
//! what may be is core's business, and every answer is a committed fact. Plain reads never write.

mod accept;
mod agent_spec;
mod agents;
mod approvals;
mod arcp;
mod around;
mod artifacts;
mod batch;
mod blobs;
mod body;
mod bounds;
mod credentials;
mod digest;
mod doctor;
mod doctor_agents;
mod doctor_credentials;
mod doctor_home;
mod doctor_notices;
mod emit;
mod error;
mod events;
mod inbox;
mod jobs;
mod listen;
mod mail;
mod mail_page;
mod notices;
mod operations;
mod output;
mod owed;
mod peer;
mod pools;
mod proof;
mod prune;
mod query;
mod refusals;
mod resolve;
mod retry;
mod settle;
mod sinks;
mod spec;
mod status;
mod tokens;
mod turns;
mod views;
mod wait;
mod why;
mod why_turn;
mod worktrees;

pub use accept::run;
pub use listen::{Listen, Server, TlsFiles};

use crate::daemon::Ports;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{get, post, put};
use longhaul_core::limits;
use std::sync::Arc;

/// What every route gets.
type Shared = Arc<Ports>;

/// What is served on the home's own socket.
pub fn router(ports: Ports) -> Router {
    let guard = from_fn_with_state(Arc::new(ports.clone()), bounds::guard);
    arcp::routes(&ports, arcp::From::Home)
        .merge(routes(ports))
        // Before anything is done, a job's own processes are told from people.
        .layer(guard)
        // What the framework refuses by itself gets our form, too.
        .layer(map_response(error::in_our_form))
}

/// All routes of `docs/http.md`.
fn routes(ports: Ports) -> Router {
    let limit = DefaultBodyLimit::max(limits::REQUEST_BYTES_MAX);
    Router::new()
        .route("/v1/status", get(status::show))
        .route("/v1/stop", post(status::stop))
        .route("/v1/doctor", get(doctor::examine).post(doctor::mend))
        .route("/v1/jobs", get(jobs::list).post(jobs::submit))
        .route("/v1/batch", post(batch::submit))
        .route("/v1/jobs/{job}", get(jobs::show))
        .route("/v1/jobs/{job}/why", get(why::show))
        .route("/v1/jobs/{job}/wait", get(wait::wait))
        .route("/v1/jobs/{job}/output", get(output::stream))
        .route("/v1/jobs/{job}/cancel", post(jobs::cancel))
        .route("/v1/jobs/{job}/retry", post(retry::retry))
        .route("/v1/jobs/{job}/emit", post(emit::emit))
        .route("/v1/jobs/{job}/authorize", post(approvals::authorize))
        .route("/v1/jobs/{job}/authorize-operation", post(operations::authorize))
        .route("/v1/jobs/{job}/delegate", post(operations::delegate))
        .route("/v1/jobs/{job}/credentials", get(credentials::list))
        .route("/v1/jobs/{job}/credentials/rotate", post(credentials::rotate))
        .route("/v1/approvals", get(approvals::list))
        .route("/v1/approvals/{id}", post(approvals::decide))
        .route("/v1/jobs/{job}/artifacts", get(artifacts::list))
        .route("/v1/jobs/{job}/artifacts/content", get(artifacts::content))
        .route("/v1/jobs/{job}/settle", post(settle::settle))
        .route("/v1/sinks", get(sinks::list))
        .route("/v1/sinks/{name}", put(sinks::set).delete(sinks::remove))
        .route("/v1/sinks/{name}/test", post(sinks::test))
        .route("/v1/inbox", get(inbox::list))
        .route("/v1/inbox/follow", get(inbox::follow))
        .route("/v1/inbox/ack", post(inbox::acknowledge))
        .route("/v1/notices", get(notices::list))
        .route("/v1/notices/{id}/redeliver", post(notices::redeliver))
        .route("/v1/agents", get(agents::list))
        .route("/v1/agents/{name}", get(agents::show).put(agents::set).delete(agents::remove))
        .route("/v1/agents/{name}/stop", post(agents::stop))
        .route("/v1/agents/{name}/turns", post(turns::submit))
        .route("/v1/mail", get(mail::list).post(mail::send))
        .route("/v1/mail/check", post(mail::check))
        .route("/v1/mail/{id}", get(mail::show))
        .route("/v1/mail/{id}/read", post(mail::read))
        .route("/v1/tokens", get(tokens::list))
        // Added by its hash, revoked by the name of whom it stands for.
        .route("/v1/tokens/{token}", put(tokens::add).delete(tokens::revoke))
        .route("/v1/prune", post(prune::prune))
        .route("/v1/pools", get(pools::list))
        .route("/v1/pools/{name}", put(pools::set))
        .route("/v1/events", get(events::stream))
        .route("/v1/audit", get(events::audit))
        .route("/v1/blobs/{sha256}", put(blobs::store))
        .layer(limit)
        .with_state(Arc::new(ports))
}

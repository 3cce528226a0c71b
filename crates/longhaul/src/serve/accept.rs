//! Connections: accepted from this user alone, so many at once, each with a limit on how long its
//! request line and headers may take. All end when the daemon stops.

use super::listen::Guest;
use super::peer::Peer;
use super::router;
use crate::daemon::{Ports, StopSwitch};
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, geteuid, getrlimit};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections at once, unless the process may open fewer files.
const CONNECTIONS_MAX: u64 = 1_024;
/// How long a request's headers may take, and how long a kept connection may be idle.
const HEADERS_MAX: Duration = Duration::from_secs(60);
/// How long answers on their way may take once the daemon stops.
pub(super) const FAREWELL_MAX: Duration = Duration::from_millis(500);
/// After the system refused to accept, usually for want of file descriptors.
pub(super) const RELIEF: Duration = Duration::from_millis(50);

/// Serves until the daemon stops.
pub async fn run(listener: UnixListener, ports: Ports) {
    let stop = ports.stop.clone();
    let app = router(ports.clone());
    let most = usize::try_from(connections_max(CONNECTIONS_MAX)).expect("a thousand or so");
    let permits = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.stopped() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, permit)) => {
                connections.spawn(converse(stream, app.clone(), ports.clone(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(RELIEF).await;
            }
        }
    }
    let all_gone = async { while connections.join_next().await.is_some() {} };
    // Followers never end by themselves; they come back to the next daemon.
    let _ = tokio::time::timeout(FAREWELL_MAX, all_gone).await;
}

/// Takes the permit first: beyond the limit, connections wait in the kernel.
async fn accept(
    listener: &UnixListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn converse(stream: UnixStream, app: Router, ports: Ports, _permit: OwnedSemaphorePermit) {
    // The socket's mode keeps others out; this holds even if somebody changed it.
    let is_us = stream.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
    if !is_us {
        tracing::warn!("a connection of another user was closed");
        return;
    }
    // At once, while whoever connected is there to be looked at.
    let Some(peer) = Peer::of(&stream, &ports) else {
        tracing::warn!("a connection was closed: nobody can tell any more who made it");
        return;
    };
    speak(stream, app, Comer::Peer(peer), ports.stop, HEADERS_MAX).await;
}

/// Who goes along with each request of a connection.
#[derive(Clone, Debug)]
pub(super) enum Comer {
    /// Somebody of this machine, of this user.
    Peer(Peer),
    /// Whoever comes over a network.
    Guest(Arc<Guest>),
}

/// Answers requests until the client or the daemon ends that. What a request made of the connection goes on without us.
pub(super) async fn speak<S>(
    stream: S,
    app: Router,
    comer: Comer,
    stop: StopSwitch,
    headers_max: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(headers_max);
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let extensions = request.extensions_mut();
        match &comer {
            Comer::Peer(peer) => drop(extensions.insert(peer.clone())),
            Comer::Guest(guest) => drop(extensions.insert(Arc::clone(guest))),
        }
        app.call(request)
    });
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = stop.stopped() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        // Clients go away as they like; that is no fault of ours.
        tracing::debug!(%error, "a connection broke off");
    }
}

/// A third of the files that may be open: the rest is for spools, folders and the database.
pub(super) fn connections_max(most: u64) -> u32 {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    u32::try_from((files / 3).clamp(4, most)).expect("at most some thousands")
}

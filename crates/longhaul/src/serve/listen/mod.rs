//! Connections over a network, encrypted or not: who may listen where, how many may come, and what
//! each request passes before it reaches the routes.

mod gate;
mod guests;
mod tls;

pub use tls::TlsFiles;

pub(super) use guests::Guest;

use self::gate::Names;
use self::guests::Guests;
use super::accept::Comer;
use super::{accept, arcp, error, routes};
use crate::daemon::{DaemonError, Ports};
use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at once, unless the process may open fewer files.
const CONNECTIONS_MAX: u64 = 8_192;
/// How long an encrypted connection may take to be one.
const TLS_MAX: Duration = Duration::from_secs(10);
/// How long a request's headers may take, and how long a kept connection may be idle. A stranger that
/// is silent is not worth more.
const HEADERS_MAX: Duration = Duration::from_secs(10);

/// How a daemon is reached over a network, beside its own socket.
#[derive(Clone, Debug)]
pub struct Listen {
    /// `host:port`; port 0 is any that is free.
    pub address: String,
    /// What encrypts; nothing does if `None`.
    pub tls: Option<TlsFiles>,
    /// Whether others than this machine may be listened to without encryption, or with nobody who
    /// could come in.
    pub is_insecure: bool,
    /// Told where clients can connect, once they can.
    pub on_up: fn(SocketAddr),
}

impl Listen {
    /// At this address, in plain text.
    #[must_use]
    pub fn new(address: String) -> Self {
        Self { address, tls: None, is_insecure: false, on_up: |_| {} }
    }
}

/// A socket that is listened to. Nobody is let in before [`Self::run`].
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    network: Arc<Network>,
    on_up: fn(SocketAddr),
}

/// What requests over a network pass.
struct Network {
    ports: Ports,
    names: Names,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// [`DaemonError::Listen`]: it cannot be had, or the files of the encryption cannot be used;
    /// [`DaemonError::Unsafe`]: others than this machine would be listened to, without encryption or
    /// with nobody who could come in, and nobody said that this is meant.
    pub async fn open(listen: &Listen, ports: &Ports) -> Result<Self, DaemonError> {
        let unable = |source: io::Error| DaemonError::Listen {
            address: listen.address.clone(),
            message: source.to_string(),
        };
        let tls = listen.tls.as_ref().map(TlsFiles::acceptor).transpose().map_err(unable)?;
        let listener = TcpListener::bind(&listen.address).await.map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        let keys = ports.doors.has_keys().await;
        let has_keys = keys.map_err(|error| unable(io::Error::other(error.to_string())))?;
        if !(address.ip().is_loopback() || listen.is_insecure || (tls.is_some() && has_keys)) {
            let missing = if tls.is_none() { "encryption" } else { "any token" };
            return Err(DaemonError::Unsafe { address: listen.address.clone(), missing });
        }
        if !has_keys {
            tracing::warn!(
                "there is no token, so nobody can come in; `longhaul token add` makes one"
            );
        }
        let config = &ports.config.listen;
        let names = Names::new(address.ip(), &config.hosts, &config.origins);
        let network = Arc::new(Network { ports: ports.clone(), names });
        Ok(Self { listener, address, tls, network, on_up: listen.on_up })
    }

    /// Where clients can connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets clients in until the daemon stops.
    pub async fn run(self) {
        let stop = self.network.ports.stop.clone();
        let app = app(&self.network);
        let guests = Guests::new(accept::connections_max(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        tracing::info!(address = %self.address, encrypted = self.tls.is_some(), "listening");
        (self.on_up)(self.address);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.stopped() => break,
                accepted = self.listener.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(accept::RELIEF).await;
                    continue;
                }
            };
            // One that is too many is closed at once: waiting would keep others out.
            let Some(guest) = guests.enter(from.ip().to_canonical()) else { continue };
            let (tls, app, ports) = (self.tls.clone(), app.clone(), self.network.ports.clone());
            connections.spawn(async move {
                converse(stream, tls, app, ports, Arc::new(guest)).await;
            });
        }
        let all_gone = async { while connections.join_next().await.is_some() {} };
        // Followers never end by themselves; they come back to the next daemon.
        let _ = tokio::time::timeout(accept::FAREWELL_MAX, all_gone).await;
    }
}

fn app(network: &Arc<Network>) -> Router {
    let ports = &network.ports;
    let closed =
        routes(ports.clone()).route_layer(from_fn_with_state(Arc::clone(network), gate::tokens));
    arcp::routes(ports, arcp::From::Network)
        .merge(closed)
        .layer(from_fn_with_state(Arc::clone(network), gate::names))
        .layer(map_response(error::in_our_form))
}

async fn converse(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    app: Router,
    ports: Ports,
    guest: Arc<Guest>,
) {
    // Small frames must not wait for each other; without it everything works, only later.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return accept::speak(stream, app, Comer::Guest(guest), ports.stop, HEADERS_MAX).await;
    };
    let shaken = tokio::time::timeout(TLS_MAX, tls.accept(stream)).await;
    match shaken {
        Ok(Ok(stream)) => {
            accept::speak(stream, app, Comer::Guest(guest), ports.stop, HEADERS_MAX).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a connection could not be encrypted"),
        Err(_) => tracing::debug!("a connection took too long to be encrypted"),
    }
}

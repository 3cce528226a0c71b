//! From a webhook's target to a connection: one look-up, one look at the policy, and then the very
//! address that was looked at. A second look-up could give another answer.

use super::policy::{self, Named};
use super::target::Target;
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Names looked up at once. Each look-up holds a thread until the resolver gives up, which may be
/// long after its try did; the rest of the daemon shall not run out of threads by that.
const LOOKUPS_AT_ONCE_MAX: usize = 32;
/// How long one of several addresses may take before the next has its turn.
const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(3);

/// A connection, with or without TLS.
pub(in crate::daemon) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Makes connections for webhooks. One for all of them.
#[derive(Debug)]
pub(in crate::daemon) struct Connector {
    allow_private: bool,
    /// Certificates trusted beside the system's.
    ca_file: Option<PathBuf>,
    tls: OnceCell<Arc<ClientConfig>>,
    lookups: Arc<Semaphore>,
}

impl Connector {
    pub(in crate::daemon) fn new(allow_private: bool, ca_file: Option<PathBuf>) -> Self {
        let lookups = Arc::new(Semaphore::new(LOOKUPS_AT_ONCE_MAX));
        Self { allow_private, ca_file, tls: OnceCell::new(), lookups }
    }

    /// Connects. Sets no limit of its own on how long that takes in all.
    ///
    /// # Errors
    /// In words, naming the host and never the rest of the URL.
    pub(in crate::daemon) async fn connect(
        &self,
        target: &Target,
    ) -> Result<Box<dyn Wire>, String> {
        let addresses = self.permitted(target).await?;
        let tcp = reach(&addresses).await?;
        // A notice is one small request: waiting to fill a packet would only delay it.
        tcp.set_nodelay(true).map_err(|error| format!("the connection broke: {error}"))?;
        if !target.is_tls {
            return Ok(Box::new(tcp));
        }
        let config = self.tls.get_or_try_init(|| load(self.ca_file.clone())).await?;
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| format!("`{}` cannot be the name in a certificate", target.host))?;
        let connector = TlsConnector::from(Arc::clone(config));
        match connector.connect(name, tcp).await {
            Ok(tls) => Ok(Box::new(tls)),
            Err(error) => Err(format!("no trusted connection to `{}`: {error}", target.host)),
        }
    }

    /// The target's addresses, as far as a notice may go there.
    async fn permitted(&self, target: &Target) -> Result<Vec<SocketAddr>, String> {
        let (found, named) = if target.literal.is_empty() {
            let named = Named::ByName { allow_private: self.allow_private };
            (self.look_up(&target.host).await?, named)
        } else {
            (target.literal.clone(), Named::Literally)
        };
        let mut refused = None;
        let mut permitted = vec![];
        for address in found {
            match policy::check(address, named) {
                Ok(()) => permitted.push(SocketAddr::new(address, target.port)),
                Err(why) => refused = Some(why),
            }
        }
        match refused {
            _ if !permitted.is_empty() => Ok(permitted),
            Some(why) => Err(format!("`{}` is not sent to: {why}", target.host)),
            None => Err(format!("`{}` has no address", target.host)),
        }
    }

    async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let lookups = Arc::clone(&self.lookups);
        let permit = lookups.acquire_owned().await.expect("the semaphore is never closed");
        let asked = host.to_owned();
        // In a task, so that the permit stays taken for as long as the resolver's thread is, even
        // if the try is given up.
        let looking = tokio::spawn(async move {
            let found = tokio::net::lookup_host((asked, 0)).await;
            drop(permit);
            found.map(|found| found.map(|address| address.ip()).collect())
        });
        let found: io::Result<Vec<IpAddr>> =
            looking.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        found.map_err(|error| format!("`{host}` cannot be looked up: {error}"))
    }
}

/// Connects to the first address that answers.
async fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut failed = String::new();
    for (index, address) in addresses.iter().enumerate() {
        let connecting = TcpStream::connect(address);
        // The last one has all the time that is left.
        let connected = if index + 1 == addresses.len() {
            connecting.await
        } else {
            match tokio::time::timeout(ADDRESS_WAIT_MAX, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        match connected {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failed = format!("{address} cannot be connected to: {error}"),
        }
    }
    Err(failed)
}

/// What the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where that is), and the settings'
/// own file. Read once, at the first webhook that needs it.
async fn load(ca_file: Option<PathBuf>) -> Result<Arc<ClientConfig>, String> {
    let loading = tokio::task::spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        let system = load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if let Some(file) = ca_file {
            let own = load_certs_from_paths(Some(&file), None);
            if own.certs.is_empty() {
                return Err(format!("`{}` holds no certificate that can be read", file.display()));
            }
            roots.add_parsable_certificates(own.certs);
        }
        if roots.is_empty() {
            return Err(
                "this system has no trusted certificates: install them, or name a file in \
                        `SSL_CERT_FILE`, or as `ca_file` below `[webhooks]` in the settings"
                    .to_owned(),
            );
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    });
    loading.await.unwrap_or_else(|error| Err(format!("TLS cannot be set up: {error}")))
}

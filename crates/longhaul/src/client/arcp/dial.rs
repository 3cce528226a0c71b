//! Where a runtime is, and how a WebSocket to it is made.

use crate::client::error::{ClientError, ErrorKind};
use hyper::Uri;
use longhaul_arcp::limits::INBOUND_BYTES_MAX;
use rustls_native_certs::load_native_certs;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long a connection may take until frames can be sent.
const DIAL_MAX: Duration = Duration::from_secs(10);
/// How the library that checks certificates calls one that signs others.
const OF_AUTHORITY: &str = "CaUsedAsEndEntity";
/// How it is said that a runtime is not believed to be the one that it should be.
pub(super) const UNTRUSTED: &str = "no trusted connection";
/// Where runtimes hold sessions if nothing else is said.
const PATH: &str = "/arcp";

/// Whatever bytes go over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A socket that carries frames.
pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Where a runtime is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Endpoint {
    /// Whether `url` is one of a runtime that speaks the protocol of sessions, good or bad.
    #[must_use]
    pub fn is_meant(url: &str) -> bool {
        url.starts_with("ws://") || url.starts_with("wss://")
    }

    /// Reads `ws://host:port/path` or `wss://host:port/path`.
    ///
    /// # Errors
    /// Usage: it is no such URL.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        let bad = |why: &str| {
            let message = format!("`{url}` is not the URL of a runtime: {why}");
            let error = ClientError::new(ErrorKind::Usage, "bad_request", message);
            error.hint("it is `ws://HOST:PORT/arcp`, or `wss://…` where it is encrypted")
        };
        let uri: Uri = url.parse().map_err(|_| bad("it cannot be read"))?;
        let is_tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(bad("it begins with neither `ws://` nor `wss://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a name or password has no place in it; `LONGHAUL_TOKEN` is for that"));
        }
        let named =
            authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
        if named.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(bad("its port is no number from 0 to 65535"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { PATH } else { path };
        let scheme = if is_tls { "wss" } else { "ws" };
        Ok(Self {
            url: format!("{scheme}://{authority}{path}"),
            host,
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
        })
    }

    /// The URL, as people read it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Connects, with or without TLS, and shakes hands.
pub(super) async fn dial(
    endpoint: &Endpoint,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Socket, String> {
    let dialing = tokio::time::timeout(DIAL_MAX, shaken(endpoint, tls));
    dialing.await.unwrap_or_else(|_| Err("it does not answer".to_owned()))
}

async fn shaken(endpoint: &Endpoint, tls: Option<&Arc<ClientConfig>>) -> Result<Socket, String> {
    let in_words = |error: io::Error| error.to_string();
    let address = (endpoint.host.as_str(), endpoint.port);
    let tcp = TcpStream::connect(address).await.map_err(in_words)?;
    // Most frames are small, and somebody waits for each.
    tcp.set_nodelay(true).map_err(in_words)?;
    let wire: Box<dyn Wire> = match tls {
        None => Box::new(tcp),
        Some(tls) => {
            let name = ServerName::try_from(endpoint.host.clone())
                .map_err(|_| format!("`{}` cannot be the name in a certificate", endpoint.host))?;
            let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
            let tls = connecting.await;
            Box::new(tls.map_err(|error| untrusted(&error))?)
        }
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(INBOUND_BYTES_MAX))
        .max_frame_size(Some(INBOUND_BYTES_MAX));
    let shaking = client_async_with_config(endpoint.url.as_str(), wire, Some(config));
    let (socket, _) = shaking.await.map_err(|error| format!("no WebSocket: {error}"))?;
    Ok(socket)
}

/// Why a runtime is not believed to be the one that it should be.
fn untrusted(error: &io::Error) -> String {
    let words = error.to_string();
    // What `openssl req -x509` makes unless it is told otherwise, which its own words do not say.
    if words.contains(OF_AUTHORITY) {
        return format!(
            "{UNTRUSTED}: its certificate is one of an authority, and none of a server"
        );
    }
    format!("{UNTRUSTED}: {words}")
}

/// What the system trusts, where the endpoint needs it. `SSL_CERT_FILE` and `SSL_CERT_DIR` say where
/// that is.
pub(super) async fn trust(endpoint: &Endpoint) -> Result<Option<Arc<ClientConfig>>, ClientError> {
    if !endpoint.is_tls {
        return Ok(None);
    }
    let loading = tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(load_native_certs().certs);
        if roots.is_empty() {
            return Err("this system has no trusted certificates".to_owned());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    });
    let loaded = loading.await.unwrap_or_else(|error| Err(error.to_string()));
    loaded.map(Some).map_err(|why| {
        ClientError::unavailable(format!("TLS cannot be set up: {why}"))
            .hint("name a file of certificates in `SSL_CERT_FILE`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_completed() {
        let read = |url: &str| {
            let endpoint = Endpoint::parse(url).unwrap();
            (endpoint.url.clone(), endpoint.host.clone(), endpoint.port, endpoint.is_tls)
        };
        let expected = ("ws://h:7/arcp".to_owned(), "h".to_owned(), 7, false);
        assert_eq!(read("ws://h:7"), expected);
        assert_eq!(read("ws://h:7/"), expected);
        assert_eq!(read("wss://[::1]/x?y=1").0, "wss://[::1]/x?y=1");
        assert_eq!((read("wss://[::1]/x").1.as_str(), read("wss://[::1]/x").2), ("::1", 443));
        for bad in ["", "ws://", "http://h:1", "ws://a@h:1", "ws://h:x", "ws:///x"] {
            assert_eq!(Endpoint::parse(bad).unwrap_err().code, "bad_request", "{bad}");
        }
    }
}

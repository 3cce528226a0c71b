//! What every request over a network passes: it is meant for us and not lured here by a web page, and
//! it says who asks.

use super::Network;
use super::guests::Guest;
use crate::daemon::Principal;
use crate::serve::error::Failure;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// Names that this machine has for itself.
const OURSELVES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// What clients may ask for, too.
const FOR_CLIENTS: [(&Method, &str); 1] = [(&Method::GET, "/v1/status")];

/// Which names and pages a request may come under.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Of us, in the `Host` header, without a port; any if `None`.
    hosts: Option<Vec<String>>,
    /// Of web pages, as `Origin` has them.
    origins: Vec<String>,
}

impl Names {
    /// `hosts` and `origins` as they were set. Whoever listens to this machine alone is called by this
    /// machine's names: any other was made to lead here by somebody else.
    pub(super) fn new(bound: IpAddr, hosts: &[String], origins: &[String]) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        let mut allowed: Vec<String> = lower(hosts);
        if bound.is_loopback() {
            allowed.extend(OURSELVES.map(str::to_owned));
            allowed.push(bracketed(bound));
        } else if !allowed.is_empty() {
            allowed.push(bracketed(bound));
        }
        let hosts = (!allowed.is_empty()).then_some(allowed);
        Self { hosts, origins: lower(origins) }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(HOST).unwrap_or_default().to_lowercase();
        let is_ours = |hosts: &Vec<String>| hosts.iter().any(|name| *name == without_port(&host));
        if !self.hosts.as_ref().is_none_or(is_ours) {
            let message = format!("nobody here is called `{host}`");
            return Err(Failure::new(StatusCode::FORBIDDEN, "bad_host", message)
                .hint("`hosts` below `[listen]` in `config.toml` allows more names"));
        }
        let Some(origin) = text(ORIGIN).map(str::to_lowercase) else { return Ok(()) };
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        if (!host.is_empty() && authority == host) || self.origins.contains(&origin) {
            return Ok(());
        }
        let message = format!("a page of `{origin}` may not ask here");
        Err(Failure::new(StatusCode::FORBIDDEN, "bad_origin", message)
            .hint("`origins` below `[listen]` in `config.toml` allows pages"))
    }
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// An address of the sixth version has brackets, and colons of its own within.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        Some(_) | None => host,
    }
}

/// Lets in what is meant for us.
pub(super) async fn names(
    State(network): State<Arc<Network>>,
    request: Request,
    next: Next,
) -> Response {
    match network.names.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// Lets in whoever brings a token, to what that principal may.
pub(super) async fn tokens(
    State(network): State<Arc<Network>>,
    mut request: Request,
    next: Next,
) -> Response {
    let guest = request.extensions().get::<Arc<Guest>>().cloned();
    let token = bearer(request.headers()).unwrap_or_default().to_owned();
    match principal(&network, &token, guest).await {
        Ok(principal) => {
            let asked = (request.method(), request.uri().path());
            if !principal.is_operator && !FOR_CLIENTS.contains(&asked) {
                return operator_only(&principal).into_response();
            }
            // What follows would take it for the token of a job.
            request.headers_mut().remove(AUTHORIZATION);
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn principal(
    network: &Network,
    token: &str,
    guest: Option<Arc<Guest>>,
) -> Result<Principal, Failure> {
    if let Some(principal) = network.ports.doors.principal(token).await? {
        if let Some(guest) = guest {
            guest.is_welcome();
        }
        return Ok(principal);
    }
    if let Some(guest) = &guest {
        network.ports.denials.note("login", &guest.address(), None);
    }
    let late = guest.and_then(|guest| guest.failed(network.ports.clock.now()));
    if let Some(late) = late {
        tokio::time::sleep(late).await;
    }
    let message = "the request has no token that is good for anything";
    Err(Failure::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
        .hint("`longhaul token add NAME` makes one; `LONGHAUL_TOKEN` or `Authorization: Bearer` brings it"))
}

fn operator_only(principal: &Principal) -> Failure {
    let message = format!("`{}` may use `/arcp` and look at the status only", principal.name);
    Failure::new(StatusCode::FORBIDDEN, "operator_only", message)
        .hint("`longhaul token add NAME --role operator` makes a token for everything")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn who_listens_to_this_machine_is_called_by_its_names() {
        let names = Names::new("127.0.0.1".parse().unwrap(), &["Box.local".to_owned()], &[]);
        for good in ["localhost:1", "LOCALHOST", "127.0.0.1:80", "[::1]:80", "[::1]", "box.LOCAL:9"]
        {
            assert!(names.check(&headers(good, None)).is_ok(), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example:80", "", "127.0.0.2", "::1"] {
            assert!(names.check(&headers(bad, None)).is_err(), "{bad}");
        }
        assert!(names.check(&HeaderMap::new()).is_err());
    }

    #[test]
    fn who_listens_to_all_is_called_anything_unless_that_is_set() {
        let all: IpAddr = "0.0.0.0".parse().unwrap();
        assert!(Names::new(all, &[], &[]).check(&headers("any.example", None)).is_ok());
        let set = Names::new(all, &["box.example".to_owned()], &[]);
        assert!(set.check(&headers("box.example:7", None)).is_ok());
        assert!(set.check(&headers("any.example", None)).is_err());
    }

    #[test]
    fn a_page_of_elsewhere_is_turned_away() {
        let origins = ["https://board.example".to_owned()];
        let names = Names::new("127.0.0.1".parse().unwrap(), &[], &origins);
        for good in ["http://localhost:7", "https://Board.example"] {
            assert!(names.check(&headers("localhost:7", Some(good))).is_ok(), "{good}");
        }
        for bad in ["http://evil.example", "null", "http://localhost:8", "localhost:7"] {
            assert!(names.check(&headers("localhost:7", Some(bad))).is_err(), "{bad}");
        }
    }
}

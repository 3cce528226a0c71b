//! A webhook's URL, taken apart once. What is shown of it never holds what may be a secret.

use super::policy::{self, Named};
use hyper::Uri;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a webhook's URL; beyond that servers begin to refuse them.
const URL_BYTES_MAX: usize = 2_048;

/// Where a webhook goes.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::daemon) struct Target {
    pub(in crate::daemon) is_tls: bool,
    /// Without brackets.
    pub(in crate::daemon) host: String,
    pub(in crate::daemon) port: u16,
    /// The addresses, where the URL itself says them.
    pub(in crate::daemon) literal: Vec<IpAddr>,
    /// What stands in the `Host` header.
    pub(in crate::daemon) authority: String,
    /// Path and query: what the request asks for.
    pub(in crate::daemon) asks_for: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.authority)
    }
}

/// Says why a text is no address of a webhook, for whoever adds a sink.
///
/// # Errors
/// In words, without what the text holds of secrets.
pub fn check_url(url: &str) -> Result<(), String> {
    let target = Target::parse(url)?;
    target.literal.iter().try_for_each(|address| policy::check(*address, Named::Literally))
}

/// A webhook's URL as people may see it: without user and password, and without the query, which is
/// where receivers put their tokens.
pub fn shown_url(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return "(not a URL)".to_owned() };
    let scheme = uri.scheme_str().unwrap_or("http");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let query = if uri.query().is_some() { "?…" } else { "" };
    format!("{scheme}://{authority}{}{query}", uri.path())
}

impl Target {
    pub(in crate::daemon) fn parse(url: &str) -> Result<Self, String> {
        if url.len() > URL_BYTES_MAX {
            return Err(format!("the URL has more than {URL_BYTES_MAX} bytes"));
        }
        let form = "write it like `https://example.com/path`";
        let uri: Uri = url.parse().map_err(|error| format!("this is no URL ({error}): {form}"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(scheme) => {
                return Err(format!("`{scheme}` is neither `http` nor `https`: {form}"));
            }
            None => return Err(format!("the URL has no scheme: {form}")),
        };
        let authority = uri.authority().ok_or_else(|| format!("the URL has no host: {form}"))?;
        if authority.as_str().contains('@') {
            return Err(
                "a URL must not hold a user or a password, which would be shown in lists: put the \
                 secret into a file and give that as `--secret-file`"
                    .to_owned(),
            );
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(format!("the URL has no host: {form}"));
        }
        let port = port_of(authority.as_str())?;
        let literal = match host.parse() {
            Ok(address) => vec![address],
            // By definition this machine, whatever a resolver would say.
            Err(_) if host.eq_ignore_ascii_case("localhost") => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Err(_) => vec![],
        };
        Ok(Self {
            is_tls,
            host,
            port: port.unwrap_or(if is_tls { 443 } else { 80 }),
            literal,
            authority: authority.to_string(),
            asks_for: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

/// The port that an authority names. By hand, because a library that drops one it cannot read
/// would go to the usual one.
fn port_of(authority: &str) -> Result<Option<u16>, String> {
    // Behind the bracket that closes an IPv6 address, whose own colons name no port.
    let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
    let Some((_, port)) = behind.split_once(':') else { return Ok(None) };
    match port.parse() {
        Ok(0) | Err(_) => Err(format!("`{port}` is no port: it is a number from 1 to 65535")),
        Ok(port) => Ok(Some(port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("https://example.com/a?b=c").unwrap();
        assert_eq!((target.is_tls, target.host.as_str(), target.port), (true, "example.com", 443));
        assert_eq!((target.asks_for.as_str(), target.literal.len()), ("/a?b=c", 0));
        let target = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8_080));
        assert_eq!((target.asks_for.as_str(), target.literal.len()), ("/", 1));
        assert_eq!(Target::parse("http://[::1]/").unwrap().port, 80);
        assert_eq!(Target::parse("http://LocalHost:1/").unwrap().literal.len(), 2);
    }

    #[test]
    fn what_is_no_address_of_a_webhook_is_refused_in_words() {
        let bad = [
            ("", "no URL"),
            ("example.com", "no scheme"),
            ("/path", "no scheme"),
            ("ftp://example.com/", "neither `http` nor `https`"),
            ("file:///etc/passwd", "no URL"),
            ("https://user:secret@example.com/", "must not hold a user"),
            ("https://example.com:0/", "no port"),
            ("https://example.com:99999/", ""),
            ("http://0.0.0.0/", "the unspecified address"),
            ("http://[ff02::1]/", "a multicast address"),
        ];
        for (url, why) in bad {
            let said = check_url(url).unwrap_err();
            assert!(said.contains(why), "{url}: {said}");
            assert!(!said.contains("secret@"), "{said}");
        }
        assert!(check_url(&format!("https://example.com/{}", "x".repeat(3_000))).is_err());
        for url in ["http://127.0.0.1:9/x", "http://10.1.2.3/", "https://example.com/"] {
            check_url(url).unwrap();
        }
    }

    #[test]
    fn no_secret_of_a_url_is_shown() {
        let shown = shown_url("https://user:pw@example.com:8443/hook?token=s3cret#x");
        assert_eq!(shown, "https://example.com:8443/hook?…");
        assert_eq!(shown_url("http://127.0.0.1/a"), "http://127.0.0.1/a");
        let target = Target::parse("https://example.com/hook?token=s3cret").unwrap();
        assert_eq!(format!("{target:?}"), "example.com");
    }
}

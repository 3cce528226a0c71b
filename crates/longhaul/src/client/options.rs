//! Where the daemon is and how it is reached, from the environment.

use super::error::{ClientError, ErrorKind};
use crate::home::Home;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the daemon is.
#[derive(Clone, Debug)]
pub enum Target {
    /// The daemon of a home of this user, started if there is none.
    Home(Home),
    /// Whoever listens on this unix socket.
    Unix(PathBuf),
    /// Whoever listens at this `host:port`.
    Tcp(String),
}

/// How to reach the daemon.
#[derive(Clone)]
pub struct Options {
    /// Where it is.
    pub target: Target,
    /// What proves who we are to a daemon elsewhere.
    pub token: Option<String>,
    /// Whether a daemon is started if there is none. Only for a home.
    pub autostart: bool,
}

impl Options {
    /// Reads `LONGHAUL_HOME`, `LONGHAUL_URL`, `LONGHAUL_TOKEN` and `LONGHAUL_AUTOSTART`. Makes the
    /// home if it is not there.
    ///
    /// # Errors
    /// `bad_home`: the home cannot be used. Usage: the URL is of no kind that we speak.
    pub fn from_environment() -> Result<Self, ClientError> {
        let text =
            |name| std::env::var_os(name).and_then(|value: OsString| value.into_string().ok());
        let filled = |name| text(name).filter(|value| !value.is_empty());
        let target = match filled("LONGHAUL_URL") {
            Some(url) => Target::parse(&url)?,
            None => Target::Home(Home::open(&Home::locate()?)?),
        };
        let autostart = filled("LONGHAUL_AUTOSTART").as_deref() != Some("0");
        Ok(Self { target, token: filled("LONGHAUL_TOKEN"), autostart })
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out: it opens doors.
        out.debug_struct("Options")
            .field("target", &self.target)
            .field("autostart", &self.autostart)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Reads `unix:///path` or `http://host:port`.
    ///
    /// # Errors
    /// Usage: another kind of URL.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        if let Some(path) = url.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some(rest) = url.strip_prefix("http://") {
            let authority = rest.trim_end_matches('/');
            let is_plain = authority
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            if is_plain && !authority.contains(['/', '@', '?', ' ']) {
                return Ok(Self::Tcp(authority.to_owned()));
            }
        }
        let message = format!("`{url}` is not a URL of a daemon");
        let hint = "it is `unix:///path/of/socket` or `http://host:port` for a daemon, or \
                    `ws://host:port/arcp` for a runtime that speaks ARCP";
        Err(ClientError::new(ErrorKind::Usage, "bad_request", message).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_apart() {
        let shown = |url: &str| match Target::parse(url) {
            Ok(Target::Unix(path)) => format!("unix {}", path.display()),
            Ok(Target::Tcp(authority)) => format!("tcp {authority}"),
            Ok(Target::Home(_)) => "home".to_owned(),
            Err(error) => error.code,
        };
        assert_eq!(shown("unix:///run/x"), "unix /run/x");
        assert_eq!(shown("http://localhost:80/"), "tcp localhost:80");
        assert_eq!(shown("http://[::1]:80"), "tcp [::1]:80");
        for bad in ["", "unix://x", "http://host", "https://host:1", "http://a@b:1", "ftp://x:1"] {
            assert_eq!(shown(bad), "bad_request", "{bad}");
        }
    }
}

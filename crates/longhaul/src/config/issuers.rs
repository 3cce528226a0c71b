//! `[issuer.NAME]`: who makes and revokes the credentials of jobs.

use longhaul_core::limits;
use longhaul_core::time::Millis;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Issuers of one home.
const ISSUERS_MAX: usize = 64;

/// Who makes and revokes credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// How.
    pub kind: IssuerKind,
    /// After how long a credential of a job that goes on is replaced; never if `None`.
    pub rotate_every: Option<Millis>,
}

/// How credentials are made and revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKind {
    /// As virtual keys of a gateway.
    LiteLlm(LiteLlm),
    /// By a program.
    Command(CommandIssuer),
}

/// A `LiteLLM` gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteLlm {
    /// Where it is managed.
    pub url: String,
    /// Where its keys are good for something.
    pub endpoint: String,
    /// What it is managed with.
    pub key: IssuerKey,
    /// The models of jobs whose lease does not name any; all that there are if `None`.
    pub models: Option<Vec<String>>,
}

/// Where an issuer's own secret is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKey {
    /// In a file that is this user's alone.
    File(PathBuf),
    /// In this variable of the daemon's environment.
    Env(String),
}

/// A program that makes and revokes credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandIssuer {
    /// The program, and its arguments.
    pub command: Vec<String>,
    /// Variables of the daemon that it is given.
    pub env: Vec<String>,
}

/// One section as it is written.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Written {
    #[serde(rename = "litellm")]
    LiteLlm {
        url: String,
        endpoint: Option<String>,
        key_file: Option<PathBuf>,
        key_env: Option<String>,
        models: Option<Vec<String>>,
        rotate_every: Option<crate::api::Span>,
    },
    Command {
        command: Vec<String>,
        #[serde(default)]
        env: Vec<String>,
        rotate_every: Option<crate::api::Span>,
    },
}

/// Reads the sections; says in words what is wrong with one.
pub(super) fn read(written: BTreeMap<String, Written>) -> Result<BTreeMap<String, Issuer>, String> {
    if written.len() > ISSUERS_MAX {
        return Err(format!("{} issuers, and {ISSUERS_MAX} is the limit", written.len()));
    }
    let one = |(name, written): (String, Written)| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > limits::WORD_BYTES_MAX || !name.bytes().all(is_name) {
            return Err(format!(
                "`{name}` is no name of an issuer: letters, digits, `.`, `_`, `-`"
            ));
        }
        let issuer = issuer(written).map_err(|why| format!("`[issuer.{name}]`: {why}"))?;
        Ok((name, issuer))
    };
    written.into_iter().map(one).collect()
}

fn issuer(written: Written) -> Result<Issuer, String> {
    let (kind, rotate_every) = match written {
        Written::LiteLlm { url, endpoint, key_file, key_env, models, rotate_every } => {
            crate::daemon::check_url(&url)?;
            let endpoint = endpoint.unwrap_or_else(|| url.clone());
            let key = match (key_file, key_env) {
                (Some(path), None) if path.is_absolute() => IssuerKey::File(path),
                (Some(path), None) => {
                    let path = path.display();
                    return Err(format!(
                        "`key_file` must be an absolute path, and `{path}` is none"
                    ));
                }
                (None, Some(name)) if !name.is_empty() => IssuerKey::Env(name),
                (None, _) => return Err("`key_file` or `key_env` has to name its key".to_owned()),
                (Some(_), Some(_)) => return Err("`key_file` or `key_env`, not both".to_owned()),
            };
            (IssuerKind::LiteLlm(LiteLlm { url, endpoint, key, models }), rotate_every)
        }
        Written::Command { command, env, rotate_every } => {
            let program = command.first().map_or("", String::as_str);
            if !program.starts_with('/') {
                return Err(format!(
                    "`command` must begin with an absolute path, and `{program}` is none"
                ));
            }
            (IssuerKind::Command(CommandIssuer { command, env }), rotate_every)
        }
    };
    let rotate_every = rotate_every.map(|span| Millis::new(span.0));
    if rotate_every.is_some_and(|every| every < limits::ROTATE_AFTER_MIN) {
        return Err(format!("`rotate_every` is at least {}", limits::ROTATE_AFTER_MIN));
    }
    Ok(Issuer { kind, rotate_every })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BTreeMap<String, Issuer>, String> {
        #[derive(Deserialize)]
        struct File {
            issuer: BTreeMap<String, Written>,
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        read(file.issuer)
    }

    #[test]
    fn sections_are_read() {
        let issuers = parse(
            "[issuer.gateway]\nkind = 'litellm'\nurl = 'http://127.0.0.1:4000'\n\
             key_env = 'MASTER'\nrotate_every = '1h'\n\
             [issuer.vault]\nkind = 'command'\ncommand = ['/usr/bin/mint']\n",
        )
        .unwrap();
        let gateway = &issuers["gateway"];
        assert_eq!(gateway.rotate_every, Some(Millis::from_secs(3_600)));
        let IssuerKind::LiteLlm(litellm) = &gateway.kind else { panic!("{gateway:?}") };
        assert_eq!(litellm.endpoint, "http://127.0.0.1:4000");
        assert_eq!(litellm.key, IssuerKey::Env("MASTER".into()));
        assert!(matches!(issuers["vault"].kind, IssuerKind::Command(_)));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let gateway =
            |rest: &str| format!("[issuer.a]\nkind = 'litellm'\nurl = 'http://h'\n{rest}");
        let bad = [
            (gateway(""), "has to name its key"),
            (gateway("key_file = 'key'"), "absolute path"),
            (gateway("key_file = '/k'\nkey_env = 'K'"), "not both"),
            (gateway("key_env = 'K'\nrotate_every = '1s'"), "at least"),
            (gateway("key_env = 'K'\nkeys = 1"), "keys"),
            ("[issuer.a]\nkind = 'command'\ncommand = ['mint']".to_owned(), "absolute path"),
            ("[issuer.'a b']\nkind = 'command'\ncommand = ['/mint']".to_owned(), "no name"),
            ("[issuer.a]\nkind = 'other'".to_owned(), "other"),
        ];
        for (text, why) in bad {
            let said = parse(&text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}

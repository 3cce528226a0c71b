//! An issuer that is a program: what is asked goes to its standard input as one JSON object, and what
//! it answers is one JSON object on its standard output. It has little time and few bytes, gets none of
//! the daemon's environment beyond what any program needs and what the settings name, and when it is
//! over so is all that it started.

use super::request::{Ask, Failed, Issued};
use crate::config::CommandIssuer;
use crate::daemon::courier::{End, Group, PASSED_ON};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Bytes of a program's answer.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// The exit code by which a program says that asking again would come to the same (`EX_NOPERM`).
const EXIT_FOR_GOOD: i32 = 77;
/// Characters of a program's own words that are kept.
const WORDS_CHARS_MAX: usize = 300;

/// What a program says it made.
#[derive(Deserialize)]
struct Answered {
    value: String,
    endpoint: String,
    #[serde(default)]
    handle: Option<String>,
}

/// Has a credential made.
pub(super) async fn mint(
    settings: &CommandIssuer,
    ask: &Ask,
    home: &Path,
    limit: Duration,
) -> Result<Issued, Failed> {
    let action = if ask.credential.replaces.is_some() { "rotate" } else { "mint" };
    let end = run(settings, &request(ask, action), home, limit).await?;
    // What it said is not repeated: it may hold the value.
    let answered: Answered = serde_json::from_slice(&end.stdout)
        .map_err(|_| Failed::now("the program's answer is not the JSON that was asked for"))?;
    if answered.value.is_empty() {
        return Err(Failed::now("the program's answer holds no value"));
    }
    let Answered { value, endpoint, handle } = answered;
    Ok(Issued { value, handle, endpoint, models: ask.models() })
}

/// Has a credential revoked. Whatever the program says on its output, its exit code counts.
pub(super) async fn revoke(
    settings: &CommandIssuer,
    ask: &Ask,
    home: &Path,
    limit: Duration,
) -> Result<(), Failed> {
    run(settings, &request(ask, "revoke"), home, limit).await.map(drop)
}

fn request(ask: &Ask, action: &str) -> Value {
    let mut request = Map::new();
    request.insert("action".to_owned(), json!(action));
    request.insert("credential".to_owned(), json!(ask.name()));
    request.insert("job".to_owned(), json!(ask.credential.job.as_str()));
    request.insert("issuer".to_owned(), json!(ask.credential.issuer));
    request.extend(ask.agent().map(|agent| ("agent".to_owned(), json!(agent))));
    request.extend(ask.lease().map(|lease| ("lease".to_owned(), json!(lease.asked()))));
    if ask.is_mint {
        request.insert("budget".to_owned(), Value::Object(ask.budget()));
    }
    let expires_at = ask.expires_at().map(|at| ("expires_at".to_owned(), json!(at.rfc3339())));
    request.extend(expires_at);
    let handle = ask.credential.handle.as_ref();
    request.extend(handle.map(|handle| ("handle".to_owned(), json!(handle))));
    Value::Object(request)
}

async fn run(
    settings: &CommandIssuer,
    request: &Value,
    home: &Path,
    limit: Duration,
) -> Result<End, Failed> {
    let name = &settings.command[0];
    let names = PASSED_ON.iter().copied().chain(settings.env.iter().map(String::as_str));
    let mut command = Command::new(name);
    command
        .args(&settings.command[1..])
        .current_dir(home)
        .env_clear()
        .envs(names.filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("LONGHAUL_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    // Its own thread: a program on a server that is away takes long to start.
    let starting = tokio::task::spawn_blocking(move || Group::start(command));
    let started = starting.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let broken = |error: io::Error| Failed::now(format!("`{name}` cannot be run: {error}"));
    let mut group = started.map_err(broken)?;
    let body = format!("{request}\n");
    let end = group.converse(body.as_bytes(), limit, ANSWER_BYTES_MAX).await.map_err(broken)?;
    if end.was_late {
        return Err(Failed::now(format!("`{name}` was ended after {} s", limit.as_secs_f32())));
    }
    let said: String = String::from_utf8_lossy(&end.stderr)
        .chars()
        .filter(|character| !character.is_control())
        .take(WORDS_CHARS_MAX)
        .collect();
    match end.status.and_then(|status| status.code()) {
        Some(0) => Ok(end),
        Some(EXIT_FOR_GOOD) => Err(Failed::for_good(format!("`{name}` says no: {said}"))),
        Some(code) => Err(Failed::now(format!("`{name}` ended with exit code {code}: {said}"))),
        None => Err(Failed::now(format!("`{name}` was killed: {said}"))),
    }
}

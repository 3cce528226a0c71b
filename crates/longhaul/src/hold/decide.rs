//! Whether a tool may run that the agent asks about: its turn's policy says, or a person.

use super::log::complain;
use crate::api::{AuthorizeAnswer, AuthorizeAsk, ToolDecision};
use crate::client::{Client, ClientError, ErrorKind, Options, Target};
use longhaul_agents::{PermissionAsk, PermissionChoice};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long the daemon has to answer what needs no person. It may just be starting anew.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long a person is waited for at a time; after it the same question is asked again.
const HELD: Duration = Duration::from_secs(600);

/// Asks the daemon. Where nobody can be asked the answer is no: an agent that is told so goes on with
/// something else, and one that is left waiting would wait for ever.
pub(super) async fn decide(ask: PermissionAsk, cwd: String) -> PermissionChoice {
    let tool = ask.tool.clone();
    match asked(ask, &cwd).await {
        Ok(ToolDecision::Allowed) => PermissionChoice::Allow,
        // What the agent asks about is what it is not set up to do by itself.
        Ok(ToolDecision::Denied | ToolDecision::Unsaid | ToolDecision::Asked) => {
            PermissionChoice::Deny
        }
        Err(why) => {
            complain(&format!("whether `{tool}` may run could not be asked, so it may not: {why}"));
            PermissionChoice::Deny
        }
    }
}

async fn asked(ask: PermissionAsk, cwd: &str) -> Result<ToolDecision, String> {
    let place = Place::find()?;
    let ask = AuthorizeAsk {
        attempt: place.attempt,
        tool: ask.tool,
        call: ask.call_id,
        // A conversation that is loaded again asks nothing again.
        asks_again: false,
        command: ask.command,
        writes: ask.writes.into_iter().map(|path| absolute(cwd, path)).collect(),
        // The protocol says what would be changed, and nothing of what is looked at.
        reads: Vec::new(),
        fetches: Vec::new(),
        input: serde_json::from_str(&ask.args).unwrap_or(Value::String(ask.args)),
    };
    let mut is_held = false;
    loop {
        let answer = place.authorize(&ask, is_held.then_some(HELD)).await;
        match answer {
            Ok(answer) if answer.decision != ToolDecision::Asked => return Ok(answer.decision),
            Ok(_) => is_held = true,
            // A question that was put to a person outlives the daemon that was to tell the answer.
            Err(why) if is_held && why.kind == ErrorKind::Unavailable => {
                tokio::time::sleep(ANSWER_MAX).await;
            }
            Err(why) => return Err(why.message),
        }
    }
}

fn absolute(cwd: &str, path: String) -> String {
    if path.starts_with('/') { path } else { format!("{cwd}/{path}") }
}

/// Which attempt of which job this is, and how to prove it.
struct Place {
    job: String,
    attempt: u32,
    socket: PathBuf,
    token: String,
}

impl Place {
    fn find() -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("`{name}` is not set"));
        let attempt = variable("LONGHAUL_ATTEMPT")?;
        Ok(Self {
            job: variable("LONGHAUL_JOB_ID")?,
            attempt: attempt.parse().map_err(|_| "`LONGHAUL_ATTEMPT` is no number".to_owned())?,
            socket: PathBuf::from(variable("LONGHAUL_SOCKET")?),
            token: variable("LONGHAUL_JOB_TOKEN")?,
        })
    }

    /// One question, held for at most this long while a person is asked.
    async fn authorize(
        &self,
        ask: &AuthorizeAsk,
        wait: Option<Duration>,
    ) -> Result<AuthorizeAnswer, ClientError> {
        let options =
            Options { target: Target::Unix(self.socket.clone()), token: None, autostart: false };
        let asking = async {
            let client = Client::connect(options).await?;
            client.authorize(&self.job, &self.token, ask, wait).await
        };
        let patience = ANSWER_MAX.saturating_add(wait.unwrap_or_default());
        match tokio::time::timeout(patience, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::unavailable("longhaul did not answer in time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_where_the_agent_works() {
        assert_eq!(absolute("/w", "src/a".to_owned()), "/w/src/a");
        assert_eq!(absolute("/w", "/etc/a".to_owned()), "/etc/a");
    }
}

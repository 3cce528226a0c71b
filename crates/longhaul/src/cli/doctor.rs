//! `longhaul doctor`: whether everything is as it should be. What the daemon can see it is asked for;
//! what keeps a daemon from running is looked at here.

use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use super::{Caller, daemon};
use crate::api::{self, Finding, Level};
use serde_json::json;

/// Check store, home, jobs, disk and clock; exit 0 only if all is sound
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  longhaul doctor --fix

--fix stops the daemon, mends a damaged store with all that can be read of it, starts the daemon \
again, and removes worktrees that nobody works in and that hold nothing which is nowhere else. Jobs \
that run go on. Nothing is thrown away.")]
pub(super) struct Doctor {
    /// Mend what can be mended
    #[arg(long)]
    fix: bool,
}

impl Doctor {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let mut findings = Vec::new();
        if self.fix {
            findings.extend(mend(caller).await?);
        }
        // What could not be mended was said there, with all that is like it.
        for found in examine(caller).await {
            if !findings.contains(&found) {
                findings.push(found);
            }
        }
        let sound = findings.iter().all(|finding| finding.level != Level::Problem);
        if caller.output.json {
            caller.output.value(&json!({ "sound": sound, "findings": findings }))?;
        } else {
            show(caller, &findings, sound)?;
        }
        Ok(if sound { Leave::OK } else { Leave::REFUSED })
    }
}

/// Looks at everything. What cannot be looked at is a finding, not a failure.
async fn examine(caller: &Caller) -> Vec<Finding> {
    let home = match daemon::home() {
        Ok(home) => home,
        Err(error) => return vec![problem("home", &error)],
    };
    let client = match caller.client().await {
        Ok(client) => client,
        Err(error) => {
            let mut findings = vec![problem("daemon", &error)];
            // A daemon that holds the store keeps us from looking at it.
            if home.holder().is_ok_and(|holder| holder.is_none()) {
                findings.extend(store_findings(caller));
            }
            return findings;
        }
    };
    let mut findings = Vec::new();
    match daemon::answered(caller, &client).await {
        Ok(status) => findings.extend(version_finding(&status.version)),
        // It would be waited for in vain once more.
        Err(error) => return vec![problem("daemon", &error)],
    }
    match client.doctor().await {
        Ok(api::Doctor { findings: told, .. }) => findings.extend(told),
        Err(error) => findings.push(problem("daemon", &error.into())),
    }
    findings
}

fn store_findings(caller: &Caller) -> Vec<Finding> {
    match (caller.roots.inspect)() {
        Ok(wrong) => wrong
            .into_iter()
            .map(|message| Finding {
                what: "store".to_owned(),
                level: Level::Problem,
                message,
                hint: Some(
                    "`longhaul doctor --fix` puts it aside and saves what it can".to_owned(),
                ),
            })
            .collect(),
        Err(failed) => vec![problem("store", &failed.into())],
    }
}

/// The daemon tells its own version; only we know ours.
fn version_finding(daemon: &str) -> Option<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    let message = format!("the daemon is of version {daemon}, this program of {ours}");
    let hint = Some("`longhaul daemon restart`; jobs go on".to_owned());
    (daemon != ours).then(|| Finding { hint, ..finding("daemon", Level::Warning, message) })
}

/// Stops the daemon, mends the home's store if it needs that, has the new daemon mend what is left, and
/// says what was done.
async fn mend(caller: &Caller) -> Result<Vec<Finding>, CliError> {
    daemon::stop(caller).await?;
    let done = (caller.roots.repair)()?.into_iter();
    let mut findings: Vec<Finding> =
        done.map(|message| finding("mended", Level::Ok, message)).collect();
    // A daemon that does not start is told by whoever looks next.
    if let Ok(client) = caller.client().await {
        match client.mend().await {
            Ok(mended) => findings.extend(mended.findings),
            Err(error) => findings.push(problem("worktrees", &error.into())),
        }
    }
    Ok(findings)
}

fn finding(what: &str, level: Level, message: String) -> Finding {
    Finding { what: what.to_owned(), level, message, hint: None }
}

fn problem(what: &str, error: &CliError) -> Finding {
    Finding { hint: error.hint.clone(), ..finding(what, Level::Problem, error.message.clone()) }
}

fn show(caller: &Caller, findings: &[Finding], sound: bool) -> Result<(), CliError> {
    let output = caller.output;
    for Finding { what, level, message, hint } in findings {
        let (tone, mark) = match level {
            Level::Ok => (Tone::Good, "ok     "),
            Level::Warning => (Tone::Doubtful, "warning"),
            Level::Problem => (Tone::Bad, "problem"),
        };
        output.line(&format!("{} {what}: {}", output.toned(tone, mark), plain(message)))?;
        if let Some(hint) = hint {
            output.line(&format!("        hint: {}", plain(hint)))?;
        }
    }
    output.line(if sound { "sound" } else { "not sound" })
}

//! `longhaul hook`: what an agent CLI asks before each of its tool calls, answered by the policy of the
//! turn, or by a person. It fails closed: whatever goes wrong is a no, said in the CLI's own words.

use super::Caller;
use super::error::{CliError, Leave};
use super::inside::Place;
use crate::api::{AuthorizeAnswer, AuthorizeAsk, Span, ToolDecision};
use clap::builder::PossibleValuesParser;
use longhaul_agents::{HookCall, HookOf, Ruling, Said};
use std::io::{self, Read, Write};
use std::time::Duration;

/// Kinds of CLIs that have hooks, or that we bring a plugin for.
const KINDS: [&str; 8] = ["claude", "codex", "gemini", "qwen", "copilot", "opencode", "pi", "omp"];
/// How long the daemon has to answer what needs no person.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Bytes of what a CLI tells its hook; beyond it the call is denied.
const TOLD_BYTES_MAX: u64 = 32 * 1_024 * 1_024;

/// Answer the tool hook of an agent CLI
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul hook claude < call.json

Turns are started with this as their CLI's hook as soon as their agent has a policy (--allow-tool, \
--deny-tool, --ask-tool, --write-under). It reads the call from stdin and prints the CLI's own words for \
allowed, denied or put off. Whatever goes wrong is a no: no daemon within two seconds, too. Works inside \
a job only.")]
pub(super) struct Hook {
    /// Whose hook this is: claude, codex, gemini, qwen, copilot, opencode, pi or omp
    #[arg(value_name = "KIND", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(KINDS))]
    kind: String,
    /// While a person is asked, hold the call for this long, then deny it
    #[arg(long, value_name = "D")]
    wait: Option<Span>,
}

impl Hook {
    pub(super) async fn run(self, _caller: &Caller) -> Result<Leave, CliError> {
        let of = HookOf::kind(&self.kind)
            .ok_or_else(|| CliError::bug(format!("`{}` has no hook", self.kind)))?;
        let place = Place::find()?;
        let said = match told(of) {
            Ok(Some(call)) => of.say(&self.rule(of, &place, call).await),
            // It is about something that nobody has to be asked about.
            Ok(None) => Said::default(),
            Err(why) => of.say(&Ruling::Denied(why)),
        };
        print(&said).map_err(|error| CliError::writing(&error))?;
        Ok(Leave(said.code))
    }

    /// The answer to a call; a no with the reason if none can be had.
    async fn rule(&self, of: HookOf, place: &Place, call: HookCall) -> Ruling {
        let tool = call.tool.clone();
        let wait = self.wait.map(|span| Duration::from_millis(span.0)).filter(|_| !of.can_defer());
        let asking = ask(of, place, call, wait);
        // The first answer comes at once; only a person is waited for.
        let patience = ANSWER_MAX.saturating_add(wait.unwrap_or_default());
        let answer = match tokio::time::timeout(patience, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Ruling::Denied(unanswered(&tool, &why)),
            Err(_) => return Ruling::Denied(unanswered(&tool, "longhaul did not answer in time")),
        };
        let reason = answer.reason.unwrap_or_else(|| format!("`{tool}` is not allowed"));
        match answer.decision {
            ToolDecision::Allowed => Ruling::Allowed,
            ToolDecision::Unsaid => Ruling::Unsaid,
            ToolDecision::Denied => Ruling::Denied(reason),
            ToolDecision::Asked => {
                let id = answer.approval.unwrap_or_default();
                if of.can_defer() {
                    return Ruling::Deferred(format!("a person is asked ({id})"));
                }
                Ruling::Denied(format!(
                    "a person was asked whether `{tool}` may do this ({id}) and has not answered yet. \
                     Go on with something else, or end the turn; once it is allowed, the very same \
                     call passes"
                ))
            }
        }
    }
}

async fn ask(
    of: HookOf,
    place: &Place,
    call: HookCall,
    wait: Option<Duration>,
) -> Result<AuthorizeAnswer, String> {
    let HookCall { call, tool, command, writes, reads, fetches, input } = call;
    let asks_again = of.can_defer();
    let attempt = place.attempt;
    let ask =
        AuthorizeAsk { attempt, tool, call, asks_again, command, writes, reads, fetches, input };
    let Ok(client) = tokio::time::timeout(ANSWER_MAX, place.client()).await else {
        return Err("longhaul cannot be reached".to_owned());
    };
    let client = client.map_err(|error| error.message)?;
    let answer = client.authorize(&place.job, &place.token, &ask, wait).await;
    answer.map_err(|error| error.message)
}

fn unanswered(tool: &str, why: &str) -> String {
    format!("whether `{tool}` may run could not be asked, so it may not: {why}")
}

/// What the CLI tells on standard input; why it could not be understood, in words.
fn told(of: HookOf) -> Result<Option<HookCall>, String> {
    let mut told = Vec::new();
    let read = io::stdin().lock().take(TOLD_BYTES_MAX).read_to_end(&mut told);
    read.map_err(|error| format!("what the CLI told its hook cannot be read: {error}"))?;
    let cwd = std::env::current_dir().unwrap_or_default();
    of.read(&told, &cwd.to_string_lossy()).map_err(|unheard| unheard.to_string())
}

fn print(said: &Said) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(said.stdout.as_bytes())?;
    out.flush()?;
    io::stderr().lock().write_all(said.stderr.as_bytes())
}

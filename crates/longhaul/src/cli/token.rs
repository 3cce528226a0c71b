//! `longhaul token`: who may come over a network, and as whom.

use super::Caller;
use super::error::{CliError, Leave};
use super::output::{Tone, plain};
use crate::api::{TokenAsk, TokenRole, TokenView, Tokens};
use serde_json::json;

/// Let principals in over a network
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  longhaul token add alice
  longhaul token add admin --role operator
  longhaul token revoke alice

A token is shown once, when it is made; only its hash is kept. One principal may have several.")]
pub(super) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token and print it
    Add {
        /// Whom it stands for
        #[arg(value_name = "NAME")]
        name: String,
        /// What that principal may do
        #[arg(long, value_name = "ROLE", default_value = "client")]
        role: TokenRole,
    },
    /// List the tokens, by the beginnings of their hashes
    List,
    /// Make all tokens of a principal good for nothing
    Revoke {
        /// Whose
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl Token {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let client = caller.client().await?;
        match self.command {
            TokenCommand::Add { name, role } => {
                let (token, view) = client.add_token(&TokenAsk { name, role }).await?;
                if caller.output.json {
                    let TokenView { name, role, since, hash } = view;
                    caller.output.value(&json!({
                        "token": token, "name": name, "role": role, "since": since, "hash": hash,
                    }))?;
                } else {
                    caller.output.line(&token)?;
                    caller.output.note("this is the only time that it is shown");
                }
            }
            TokenCommand::List => show(caller, &client.tokens().await?)?,
            TokenCommand::Revoke { name } => {
                let revoked = client.revoke_tokens(&name).await?;
                if caller.output.json {
                    caller.output.value(&revoked)?;
                } else {
                    let words = if revoked.revoked == 1 { "token" } else { "tokens" };
                    caller.output.line(&format!(
                        "{} {words} of {} revoked",
                        revoked.revoked,
                        plain(&name)
                    ))?;
                }
            }
        }
        Ok(Leave::OK)
    }
}

fn show(caller: &Caller, tokens: &Tokens) -> Result<(), CliError> {
    if caller.output.json {
        return caller.output.value(tokens);
    }
    let rows = tokens.tokens.iter().map(row).collect();
    caller.output.table(&["NAME", "ROLE", "SINCE", "HASH"], rows)
}

fn row(token: &TokenView) -> Vec<(Tone, String)> {
    let role = match token.role {
        TokenRole::Client => (Tone::Plain, "client"),
        TokenRole::Operator => (Tone::Doubtful, "operator"),
    };
    vec![
        (Tone::Plain, plain(&token.name)),
        (role.0, role.1.to_owned()),
        (Tone::Plain, token.since.to_string()),
        (Tone::Plain, token.hash.clone()),
    ]
}

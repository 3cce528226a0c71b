//! `longhaul explain`: what an error code means and what to do, without asking any daemon.

use super::Caller;
use super::error::{CliError, Leave};
use crate::api;
use serde_json::json;

/// Say what an error code means and what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  longhaul explain key_reused")]
pub(super) struct Explain {
    /// Which code; lists all of them if none is given
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

impl Explain {
    pub(super) fn run(&self, caller: &Caller) -> Result<Leave, CliError> {
        let output = caller.output;
        let Some(code) = &self.code else {
            let codes: Vec<&str> = api::codes().collect();
            if output.json {
                output.value(&json!({ "codes": codes }))?;
            } else {
                output.line(&codes.join("\n"))?;
            }
            return Ok(Leave::OK);
        };
        let text = api::explain(code).ok_or_else(|| {
            CliError::refused("not_found", format!("there is no error code `{code}`"))
                .hint("`longhaul explain` lists all codes")
        })?;
        if output.json {
            output.value(&json!({ "code": code, "text": text }))?;
        } else {
            output.line(text)?;
        }
        Ok(Leave::OK)
    }
}

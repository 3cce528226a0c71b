//! `longhaul authorize`: whether the job that this is called in may do something, by its lease.

use super::Caller;
use super::error::{CliError, Leave};
use super::inside::Place;
use crate::api::{CallAsk, OperationAsk};
use serde_json::Value;

/// Capabilities whose targets are paths.
const OF_PATHS: [&str; 2] = ["fs.read", "fs.write"];
/// The capability whose target is a tool.
const TOOL_CALL: &str = "tool.call";

/// Ask whether the job that this is called in may do something
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul authorize fs.write build/out.txt && cp out.txt build/
  longhaul authorize tool.call web.search --call c1 --args '{\"q\":\"rust\"}'

Works inside a job only. The exit code is 0 if it may, and 3 if it may not, with the reason on stderr. \
Each answer stands in the job's history; with --call, whoever follows the job is told of the tool call, \
or of its refusal. A job that nobody gave a lease may do anything. This is an answer and no lock: what is \
not asked is not kept from happening.")]
pub(super) struct Authorize {
    /// The capability: fs.read, fs.write, net.fetch, tool.call, model.use, …
    #[arg(value_name = "OPERATION")]
    operation: String,
    /// What it is about: a path, a URL or a name
    #[arg(value_name = "TARGET")]
    target: String,
    /// Tell of it as a tool call of this name
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// The tool that is called; the target for tool.call
    #[arg(long, value_name = "NAME", requires = "call")]
    tool: Option<String>,
    /// What the tool is called with
    #[arg(long, value_name = "JSON", requires = "call")]
    args: Option<String>,
}

impl Authorize {
    pub(super) async fn run(self, caller: &Caller) -> Result<Leave, CliError> {
        let place = Place::find()?;
        let ask = self.ask(place.attempt)?;
        let client = place.client().await?;
        let answer = client.authorize_operation(&place.job, &place.token, &ask).await?;
        if caller.output.json {
            caller.output.value(&answer)?;
        }
        if answer.is_allowed {
            return Ok(Leave::OK);
        }
        if caller.output.json {
            return Ok(Leave::REFUSED);
        }
        let code = answer.code.unwrap_or_else(|| "permission_denied".to_owned());
        Err(CliError::refused(&code, answer.reason.unwrap_or_else(|| "it may not".to_owned())))
    }

    fn ask(self, attempt: u32) -> Result<OperationAsk, CliError> {
        let call = match self.call {
            Some(call_id) => {
                let tool = self
                    .tool
                    .or_else(|| (self.operation == TOOL_CALL).then(|| self.target.clone()));
                let tool = tool.ok_or_else(|| {
                    CliError::usage("`--call` needs `--tool`: which tool does this?")
                })?;
                let args = self.args.map(|args| super::delegate::json("--args", &args));
                Some(CallAsk { call_id, tool, args: args.transpose()?.unwrap_or(Value::Null) })
            }
            None => None,
        };
        let is_path = OF_PATHS.contains(&self.operation.as_str());
        let target = if is_path {
            // As this process would open it, wherever the job began.
            let path = std::path::absolute(&self.target).unwrap_or_else(|_| self.target.into());
            super::submission::text_of(path)?
        } else {
            self.target
        };
        Ok(OperationAsk { attempt, capability: self.operation, target, call })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: &str, target: &str, call: Option<&str>) -> Result<OperationAsk, CliError> {
        let (operation, target) = (operation.to_owned(), target.to_owned());
        let call = call.map(str::to_owned);
        Authorize { operation, target, call, tool: None, args: None }.ask(1)
    }

    #[test]
    fn paths_are_those_of_this_process_and_names_stay_names() {
        assert!(asked("fs.read", "a", None).unwrap().target.starts_with('/'));
        assert_eq!(asked("tool.call", "a", None).unwrap().target, "a");
    }

    #[test]
    fn a_call_names_its_tool() {
        let call = asked("tool.call", "web", Some("c1")).unwrap().call.unwrap();
        assert_eq!((call.tool.as_str(), call.call_id.as_str()), ("web", "c1"));
        assert!(asked("fs.read", "a", Some("c1")).is_err());
    }
}

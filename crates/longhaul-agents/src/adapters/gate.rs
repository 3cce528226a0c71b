//! A gate before every tool of CLIs that take no command as a hook but code of one's own: it puts the
//! call to our hook and refuses whatever that does not let pass. A gate that fails refuses, too.

use crate::turn::{File, Hook, Turn};
use serde_json::Value;

/// Asks the hook; the rest of a gate is in its CLI's form. A hook that is let run for ever would hold
/// the CLI for as long.
const ASK: &str = r#"import { spawn } from "node:child_process";

const command = COMMAND;
const limit = LIMIT;

/** Why the call may not be made; nothing if it may. */
function refusal(call) {
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    const late = setTimeout(() => child.kill("SIGKILL"), limit);
    child.stderr.on("data", (piece) => (said += piece));
    child.stdin.on("error", () => {});
    child.on("error", (error) => resolve(String(error)));
    child.on("close", (code) => {
      clearTimeout(late);
      resolve(code === 0 ? undefined : said.trim() || "the hook of this turn failed");
    });
    child.stdin.end(JSON.stringify({ hook_event_name: "PreToolUse", cwd: process.cwd(), ...call }));
  });
}
"#;

const OPENCODE: &str = r#"
export const Longhaul = async () => ({
  "tool.execute.before": async (input, output) => {
    const call = { tool_name: input.tool, tool_use_id: input.callID, tool_input: output.args };
    const reason = await refusal(call);
    if (reason !== undefined) throw new Error(reason);
  },
});
"#;

const PI: &str = r#"
export default function (pi) {
  pi.on("tool_call", async (event) => {
    const call = {
      tool_name: event.toolName,
      tool_use_id: event.toolCallId,
      tool_input: event.input,
    };
    const reason = await refusal(call);
    if (reason !== undefined) return { block: true, reason };
  });
}
"#;

/// A plugin of opencode's.
pub(super) fn opencode(turn: &Turn, hook: &Hook) -> File {
    file(turn, hook, OPENCODE, "longhaul-gate.js")
}

/// An extension of pi's, and of omp's.
pub(super) fn pi(turn: &Turn, hook: &Hook) -> File {
    file(turn, hook, PI, "longhaul-gate.ts")
}

fn file(turn: &Turn, hook: &Hook, rest: &str, name: &str) -> File {
    let limit_ms = u64::from(hook.timeout_s) * 1_000;
    // A string of JSON is one of JavaScript.
    let command = Value::String(hook.command.clone()).to_string();
    let ask = ASK.replace("LIMIT", &limit_ms.to_string()).replace("COMMAND", &command);
    File { path: format!("{}/{name}", turn.folder.trim_end_matches('/')), text: ask + rest }
}

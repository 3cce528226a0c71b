//! A turn in words: what `show` says of it, and what is said while it is followed.

use super::agent_show::{budget, used, workspace};
use super::list::clipped;
use super::output::{Output, Tone, plain};
use super::show::Sheet;
use crate::api::{EventView, Health, TurnView};
use serde_json::Value;

/// The lines of a sheet that only turns have.
pub(super) fn lines(sheet: &mut Sheet, turn: &TurnView) {
    sheet.group("turn");
    let woken = if turn.is_wake { ", woken by mail" } else { "" };
    sheet.pair("agent", plain(&format!("{}{woken}", turn.agent)));
    sheet.pair("prompt", clipped(turn.prompt.as_deref().unwrap_or_default()));
    let mismatch = if turn.is_mismatch { " (not the one that was to go on)" } else { "" };
    let conversation = turn.conversation.as_deref().map(|id| format!("{id}{mismatch}"));
    sheet.pair("conversation", plain(&conversation.unwrap_or_default()));
    sheet.pair("by hand", plain(turn.resume_command.as_deref().unwrap_or_default()));
    sheet.pair("worktree", turn.workspace.as_ref().map(workspace).unwrap_or_default());
    sheet.pair("model", plain(turn.model.as_deref().unwrap_or_default()));
    sheet.pair("used", used(&turn.used));
    sheet.pair("budget", turn.budget.as_ref().map(budget).unwrap_or_default());
    sheet.pair("mail", turn.mail.join(", "));
    sheet.pair("awaits", turn.awaits.as_deref().unwrap_or_default());
    sheet.pair("asks", turn.asks.as_deref().unwrap_or_default());
    if turn.health != Health::Well {
        sheet.pair("health", turn.health.name());
    }
    if turn.parks > 0 {
        sheet.pair("parked", format!("{} times", turn.parks));
    }
    sheet.pair("done by", turn.terminal.as_deref().unwrap_or_default());
    if let Some(end) = &turn.end {
        sheet.pair("said", clipped(&end.said));
        for line in &end.last {
            sheet.pair("last", clipped(line));
        }
    }
}

/// Tells a turn as it goes: what the agent says, each tool call in a line, what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// What the agent said last: its result mostly repeats that.
    said: String,
}

impl Telling {
    /// What an event is told as; `None` for what only programs care about.
    pub(super) fn of(&mut self, event: &EventView, output: &Output) -> Option<String> {
        let text = |name: &str| event.fact.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = |tone, words: String| Some(output.toned(tone, &clipped(&words)));
        match event.kind.as_str() {
            "log" => self.log(text("from"), text("level"), text("message"), output),
            "thought" => line(Tone::Faint, format!("… {}", first_line(text("text")))),
            "tool_call" => {
                let args = event.fact.get("args").map(Value::to_string).unwrap_or_default();
                line(Tone::Live, format!("> {} {args}", text("tool")))
            }
            "tool_result" => tool_result(event, output),
            "status" => status(text("phase"), text("message"), output),
            "artifact_ref" => line(Tone::Faint, format!("+ {}", text("uri"))),
            "progress" => line(Tone::Faint, progress(event)),
            "result" => {
                let said = text("text").trim();
                (!said.is_empty() && said != self.said).then(|| whole(said))
            }
            "emitted" => {
                let body = event.fact.get("body").map(Value::to_string).unwrap_or_default();
                line(Tone::Faint, format!("* {} {body}", text("report")))
            }
            "parked" => line(
                Tone::Doubtful,
                format!("! parked until {}: {}", text("not_before"), text("message")),
            ),
            "waits_for_answer" => {
                let id = text("approval");
                Some(output.toned(
                    Tone::Doubtful,
                    &plain(&format!("! waits for an answer: longhaul approvals --allow {id}")),
                ))
            }
            "resume_failed" => line(Tone::Doubtful, format!("! begins anew: {}", text("message"))),
            "budget_warned" => line(Tone::Doubtful, "! most of the budget is spent".to_owned()),
            "quiet_for" => line(Tone::Doubtful, format!("! quiet: {}", text("step"))),
            "retrying" => line(Tone::Doubtful, format!("! again at {}", text("not_before"))),
            _ => None,
        }
    }

    fn log(&mut self, from: &str, level: &str, message: &str, output: &Output) -> Option<String> {
        let message = message.trim_end();
        if message.trim().is_empty() {
            return None;
        }
        if matches!(from, "agent" | "stdout") {
            message.trim().clone_into(&mut self.said);
            return Some(whole(message));
        }
        // What the CLI says about itself is of interest only where something is wrong.
        let tone = if matches!(level, "warn" | "error") { Tone::Doubtful } else { Tone::Faint };
        (from == "stderr" || tone == Tone::Doubtful)
            .then(|| output.toned(tone, &clipped(&format!("# {}", first_line(message)))))
    }
}

fn tool_result(event: &EventView, output: &Output) -> Option<String> {
    let text = |name: &str| event.fact.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = event.fact.get("exit_code").and_then(Value::as_i64).filter(|code| *code != 0);
    let how = match (text("outcome"), code) {
        ("done", None) => return None,
        ("done", Some(code)) => format!("exit code {code}"),
        (outcome, _) => outcome.to_owned(),
    };
    let words = format!("< {} {how}: {}", text("tool"), first_line(text("output")));
    Some(output.toned(Tone::Doubtful, &clipped(words.trim_end_matches([':', ' ']))))
}

/// Most phases are of interest to programs only; these tell why nothing happens.
fn status(phase: &str, message: &str, output: &Output) -> Option<String> {
    let what = match phase {
        "mismatch" => "another conversation answers than was to go on",
        "retrying" => "the CLI tries again",
        "rate_limited" => "the vendor limits the rate",
        "asked" => "asks whether a tool may run",
        "deferred" => "a tool call is put off",
        "tools_missing" => "a server of tools is missing",
        "other" => "status",
        _ => return None,
    };
    let words = if message.is_empty() { what.to_owned() } else { format!("{what}: {message}") };
    Some(output.toned(Tone::Doubtful, &clipped(&format!("! {words}"))))
}

fn progress(event: &EventView) -> String {
    let value = |name: &str| match event.fact.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let total = value("total");
    let of = if total.is_empty() { String::new() } else { format!("/{total}") };
    format!("* {}{of} {} {}", value("current"), value("units"), value("message"))
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

/// A text of several lines, each harmless.
fn whole(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(plain).collect::<Vec<_>>().join("\t");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::output::When;
    use super::*;
    use serde_json::json;

    fn told(events: &[Value]) -> Vec<String> {
        let output = Output::new(false, false, When::Never);
        let mut telling = Telling::default();
        let event = |body: &Value| {
            let mut fact = body.as_object().unwrap().clone();
            let kind = fact.remove("kind").unwrap().as_str().unwrap().to_owned();
            let at = crate::api::Time(0);
            EventView { position: 1, job: None, seq: 1, at, kind, fact }
        };
        events.iter().filter_map(|body| telling.of(&event(body), &output)).collect()
    }

    #[test]
    fn what_the_agent_says_and_does_is_told_and_a_repeated_result_is_not() {
        let log = |message| json!({"kind":"log","level":"info","message":message,"from":"agent"});
        let lines = told(&[
            json!({"kind":"started","attempt":1,"pid":7}),
            json!({"kind":"status","phase":"conversation","message":"c1"}),
            log("Looking.\n\tfoo\u{1b}[2J"),
            json!({"kind":"tool_call","tool":"Bash","call_id":"1","args":{"command":"ls"}}),
            json!({"kind":"tool_result","call_id":"1","tool":"Bash","outcome":"done","exit_code":2,"output":"no"}),
            json!({"kind":"tool_result","call_id":"2","tool":"Edit","outcome":"denied"}),
            json!({"kind":"metric","name":"tokens.input","value":3}),
            log("Done."),
            json!({"kind":"result","ok":true,"text":"Done."}),
        ]);
        let expected = [
            "Looking.\n\tfoo\u{fffd}[2J",
            "> Bash {\"command\":\"ls\"}",
            "< Bash exit code 2: no",
            "< Edit denied",
            "Done.",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_result_that_says_something_new_is_told() {
        assert_eq!(told(&[json!({"kind":"result","ok":true,"text":"42"})]), ["42"]);
        assert_eq!(told(&[json!({"kind":"result","ok":true})]), [""; 0]);
    }

    #[test]
    fn why_nothing_happens_is_told() {
        let lines = told(&[
            json!({"kind":"parked","not_before":"T","parks":1,"message":"limit"}),
            json!({"kind":"waits_for_answer","approval":"apr_1"}),
            json!({"kind":"log","level":"info","message":"chatter","from":"cli"}),
            json!({"kind":"log","level":"error","message":"broken\nmore","from":"cli"}),
        ]);
        let expected = [
            "! parked until T: limit",
            "! waits for an answer: longhaul approvals --allow apr_1",
            "# broken",
        ];
        assert_eq!(lines, expected);
    }
}

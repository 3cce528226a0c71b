//! The last things that a turn did, in a line each, for whoever is told how it ended.

use longhaul_agents::{Event, Speaker, ToolOutcome};
use longhaul_core::event::Event as Entry;

/// How many are told.
const LINES_MAX: usize = 5;
/// Bytes of what the agent said last; the rest stands in the journal.
const SAID_BYTES_MAX: usize = 2_048;
/// Characters of each.
const CHARS_MAX: usize = 200;
/// Entries of the journal that are looked at for them: many are numbers, which say nothing here.
pub(in crate::daemon) const ENTRIES_MAX: u32 = 40;

/// The last things that these entries tell of, oldest first.
pub(super) fn lines(entries: &[Entry]) -> Vec<String> {
    let said = entries.iter().rev().filter_map(|entry| {
        let event: Event = serde_json::from_str(&entry.body).ok()?;
        line(&event)
    });
    let mut lines: Vec<String> = said.take(LINES_MAX).collect();
    lines.reverse();
    lines
}

/// What the agent said last, longer than its adapter remembers it, if it stands among these entries.
pub(super) fn said(entries: &[Entry], beginning: String) -> String {
    let whole = entries.iter().rev().find_map(|entry| {
        match serde_json::from_str(&entry.body).ok()? {
            Event::Log { message, from: Speaker::Agent | Speaker::Stdout, .. } => Some(message),
            _ => None,
        }
        .filter(|message| !beginning.is_empty() && message.starts_with(&beginning))
    });
    let Some(mut whole) = whole else { return beginning };
    let mut end = whole.len().min(SAID_BYTES_MAX);
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    whole.truncate(end);
    whole
}

fn line(event: &Event) -> Option<String> {
    let line = match event {
        Event::Log { message, .. } => message.clone(),
        Event::Thought { text } => format!("thought: {text}"),
        Event::ToolCall { tool, args, .. } if args.is_null() => format!("called {tool}"),
        Event::ToolCall { tool, args, .. } => format!("called {tool}: {args}"),
        Event::ToolResult { tool, outcome, output, exit_code, .. } => {
            let tool = tool.as_deref().unwrap_or("a tool");
            let outcome = match (outcome, exit_code) {
                (ToolOutcome::Done, None) => "is done".to_owned(),
                (ToolOutcome::Done, Some(code)) => format!("exited with code {code}"),
                (ToolOutcome::Failed, _) => "failed".to_owned(),
                (ToolOutcome::Denied, _) => "was refused".to_owned(),
            };
            let output = output.as_deref().unwrap_or_default();
            format!("{tool} {outcome}: {output}")
        }
        Event::Status { phase, message } => {
            let phase = serde_json::to_value(phase).ok()?;
            format!("{}: {}", phase.as_str()?, message.as_deref().unwrap_or_default())
        }
        Event::ArtifactRef { uri, .. } => format!("wrote {uri}"),
        Event::Progress { message, current, .. } => {
            format!("progress {current}: {}", message.as_deref().unwrap_or_default())
        }
        Event::Result { ok: true, text, .. } => {
            format!("result: {}", text.as_deref().unwrap_or_default())
        }
        Event::Result { ok: false, text, .. } => {
            format!("failed: {}", text.as_deref().unwrap_or_default())
        }
        Event::Raw { text, .. } => text.clone(),
        Event::Metric { .. } => return None,
    };
    let line = one(&line);
    (!line.is_empty()).then_some(line)
}

/// One line, shortened; control characters would move the reader's cursor.
fn one(text: &str) -> String {
    // Enough for a line whatever it is made of, and not all of a long text.
    let head: String = text.chars().take(CHARS_MAX * 4).collect();
    let plain = head.replace(char::is_control, " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.strip_suffix(':').unwrap_or(&line);
    match line.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::port::Position;
    use longhaul_core::time::Timestamp;

    fn entry(body: &str) -> Entry {
        let (position, at) = (Position(1), Timestamp::from_millis(0));
        Entry { position, job: None, seq: 1, at, body: body.to_owned() }
    }

    #[test]
    fn only_what_the_turn_did_is_told_in_a_line_each() {
        let entries = [
            entry(r#"{"kind":"started","attempt":1,"pid":7}"#),
            entry(r#"{"kind":"log","level":"info","from":"agent","message":"Looking\n at  it"}"#),
            entry(r#"{"kind":"tool_call","tool":"Bash","call_id":"1","args":{"command":"ls"}}"#),
            entry(r#"{"kind":"metric","name":"tokens.input","value":3,"unit":"tokens"}"#),
            entry(
                r#"{"kind":"tool_result","call_id":"1","tool":"Bash","outcome":"done","exit_code":3}"#,
            ),
            entry(r#"{"kind":"status","phase":"rate_limited"}"#),
            entry(r#"{"kind":"raw","why":"not_an_object","text":"\u001b[2Jx","bytes":5}"#),
        ];
        let expected = [
            "Looking at it",
            r#"called Bash: {"command":"ls"}"#,
            "Bash exited with code 3",
            "rate_limited",
            "[2Jx",
        ];
        assert_eq!(lines(&entries), expected);
    }

    #[test]
    fn only_the_newest_are_told_and_long_ones_are_cut() {
        let long = "ä".repeat(5_000);
        let entries: Vec<Entry> = (0..9)
            .map(|number| entry(&format!(r#"{{"kind":"thought","text":"{number} {long}"}}"#)))
            .collect();
        let lines = lines(&entries);
        assert_eq!(lines.len(), LINES_MAX);
        assert!(lines[0].starts_with("thought: 4 ä") && lines[0].ends_with('…'), "{}", lines[0]);
        assert_eq!(lines[0].chars().count(), CHARS_MAX + 1);
    }

    #[test]
    fn the_last_words_are_longer_than_they_are_remembered_and_end_somewhere() {
        let log = |text: &str| {
            let event = Event::Log {
                level: longhaul_agents::Level::Info,
                message: text.to_owned(),
                from: Speaker::Agent,
            };
            entry(&serde_json::to_string(&event).unwrap())
        };
        let entries = [log("before"), log(&"ä".repeat(3_000)), entry("{}")];
        let told = said(&entries, "äää".to_owned());
        assert_eq!((told.len(), told.chars().count()), (2_048, 1_024));
        assert_eq!(said(&entries, "other".to_owned()), "other");
        assert_eq!(said(&entries, String::new()), "");
    }
}

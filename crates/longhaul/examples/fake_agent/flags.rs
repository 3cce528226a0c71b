//! The arguments of each CLI, as far as anybody gives them. An unknown flag is refused with the code
//! that the real one exits with.

use crate::asked::{Asked, Conversation};
use serde_json::Value;

/// The call was refused.
pub(crate) struct Misused {
    pub(crate) code: u8,
    pub(crate) message: String,
}

/// How many words a flag takes.
#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    One,
    /// All up to the next flag.
    Many,
}

struct Table {
    flags: &'static [(&'static str, Takes)],
    /// The exit code for a flag that is not there.
    code: u8,
    unknown: fn(&str) -> String,
}

use Takes::{Many, Nothing, One};

const CLAUDE: Table = Table {
    flags: &[
        ("-p", Nothing),
        ("--print", Nothing),
        ("--verbose", Nothing),
        ("--output-format", One),
        ("--input-format", One),
        ("--include-partial-messages", Nothing),
        ("--include-hook-events", Nothing),
        ("--session-id", One),
        ("--resume", One),
        ("-r", One),
        ("--fork-session", Nothing),
        ("--max-turns", One),
        ("--max-budget-usd", One),
        ("--json-schema", One),
        ("--settings", One),
        ("--setting-sources", One),
        ("--mcp-config", Many),
        ("--strict-mcp-config", Nothing),
        ("--permission-mode", One),
        ("--permission-prompts", One),
        ("--permission-prompt-tool", One),
        ("--tools", Many),
        ("--allowedTools", Many),
        ("--allowed-tools", Many),
        ("--disallowedTools", Many),
        ("--disallowed-tools", Many),
        ("--restricted", Nothing),
        ("--bare", Nothing),
        ("--model", One),
        ("--fallback-model", One),
        ("--add-dir", Many),
        ("--append-system-prompt", One),
        ("--dangerously-skip-permissions", Nothing),
        ("--no-session-persistence", Nothing),
    ],
    code: 1,
    unknown: |flag| format!("error: unknown option '{flag}'"),
};

const QWEN: Table = Table {
    flags: &[
        ("-p", One),
        ("--output-format", One),
        ("-m", One),
        ("--model", One),
        ("--session-id", One),
        ("--resume", One),
        ("--approval-mode", One),
        ("--yolo", Nothing),
        ("--max-session-turns", One),
        ("--max-wall-time", One),
        ("--max-tool-calls", One),
        ("--mcp-config", One),
        ("--auth-type", One),
        ("--openai-base-url", One),
        ("--openai-api-key", One),
    ],
    code: 1,
    unknown: |flag| format!("Unknown argument: {}", flag.trim_start_matches('-')),
};

const CODEX: Table = Table {
    flags: &[
        ("--json", Nothing),
        ("-m", One),
        ("--model", One),
        ("-s", One),
        ("--sandbox", One),
        ("-C", One),
        ("-c", One),
        ("--config", One),
        ("-o", One),
        ("--output-schema", One),
        ("--add-dir", One),
        ("--skip-git-repo-check", Nothing),
        ("--dangerously-bypass-approvals-and-sandbox", Nothing),
        ("--dangerously-bypass-hook-trust", Nothing),
        ("--last", Nothing),
    ],
    code: 2,
    unknown: |flag| format!("error: unexpected argument '{flag}' found"),
};

const GEMINI: Table = Table {
    flags: &[
        ("-p", One),
        ("--prompt", One),
        ("-m", One),
        ("--model", One),
        ("--output-format", One),
        ("--approval-mode", One),
        ("--policy", One),
        ("--session-id", One),
        ("--resume", One),
        ("--yolo", Nothing),
        ("--include-directories", One),
        ("--allowed-mcp-server-names", One),
    ],
    code: 1,
    unknown: |flag| format!("Unknown argument: {}", flag.trim_start_matches('-')),
};

const OPENCODE: Table = Table {
    flags: &[
        ("--format", One),
        ("-s", One),
        ("--session", One),
        ("--fork", Nothing),
        ("-c", Nothing),
        ("-m", One),
        ("--model", One),
        ("--agent", One),
        ("--thinking", Nothing),
        ("--auto", Nothing),
        ("--print-logs", Nothing),
        ("--log-level", One),
    ],
    code: 1,
    unknown: |_| "opencode run [message..]\n\nrun opencode with a message".to_owned(),
};

const PI: Table = Table {
    flags: &[
        ("-p", Nothing),
        ("--mode", One),
        ("--provider", One),
        ("--model", One),
        ("--session-id", One),
        ("--session", One),
        ("--resume", One),
        ("--fork", One),
        ("--no-session", Nothing),
        ("--tools", One),
        ("-e", One),
        ("--no-title", Nothing),
        ("--approval-mode", One),
        ("--max-time", One),
    ],
    code: 1,
    unknown: |flag| format!("Error: Unknown option: {flag}"),
};

/// What the arguments of this CLI ask for.
pub(crate) fn read(kind: &str, words: &[String]) -> Result<Asked, Misused> {
    let (table, words) = match kind {
        "claude" => (&CLAUDE, words),
        "qwen" => (&QWEN, words),
        "codex" => (&CODEX, subcommand("exec", words)?),
        "gemini" => (&GEMINI, words),
        "opencode" => (&OPENCODE, subcommand("run", words)?),
        "pi" | "omp" => (&PI, words),
        _ => {
            let prompt = words.join(" ");
            return Ok(Asked { reads_stdin: prompt.is_empty(), prompt, ..Asked::default() });
        }
    };
    let mut asked = Asked::default();
    let mut free = vec![];
    let mut is_streaming = false;
    let mut is_verbose = false;
    let mut words = words.iter();
    let mut next = words.next();
    while let Some(word) = next {
        next = words.next();
        if word == "--" {
            free.extend(next.into_iter().chain(words).cloned());
            break;
        }
        if !word.starts_with('-') || word == "-" {
            free.push(word.clone());
            continue;
        }
        let (flag, joined) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let Some((_, takes)) = table.flags.iter().find(|(name, _)| *name == flag) else {
            return Err(Misused { code: table.code, message: (table.unknown)(flag) });
        };
        let mut values: Vec<String> = joined.into_iter().collect();
        let is_full = |values: &[String]| match takes {
            Nothing => true,
            One => !values.is_empty(),
            Many => false,
        };
        while let Some(value) = next
            && !is_full(&values)
            && (!value.starts_with('-') || matches!(takes, One))
        {
            values.push(value.clone());
            next = words.next();
        }
        is_streaming |= flag == "--output-format" && values == ["stream-json"];
        is_verbose |= flag == "--verbose";
        take(kind, flag, values, &mut asked);
    }
    if kind == "claude" && is_streaming && !is_verbose {
        let message = "Error: When using --print, --output-format=stream-json requires --verbose";
        return Err(Misused { code: 1, message: message.to_owned() });
    }
    place(kind, free, &mut asked);
    refuse_root(kind, &asked)?;
    Ok(asked)
}

fn subcommand<'a>(name: &str, words: &'a [String]) -> Result<&'a [String], Misused> {
    match words.split_first() {
        Some((first, rest)) if first == name => Ok(rest),
        _ => Err(Misused { code: 2, message: format!("only `{name}` is played here") }),
    }
}

fn take(kind: &str, flag: &str, values: Vec<String>, asked: &mut Asked) {
    let first = values.first().cloned().unwrap_or_default();
    let forks = matches!(asked.conversation, Conversation::Fork(_));
    match (kind, flag) {
        ("gemini" | "qwen", "-p" | "--prompt") => asked.prompt = first,
        (_, "--model" | "-m") => asked.model = Some(first),
        (_, "--session-id") => asked.conversation = Conversation::NewAs(first),
        ("pi", "--fork") => asked.conversation = Conversation::Fork(first),
        (_, "--resume" | "-r" | "--session" | "-s") if kind != "codex" => {
            asked.conversation =
                if forks { Conversation::Fork(first) } else { Conversation::Resume(first) };
        }
        (_, "--fork" | "--fork-session") => {
            asked.conversation = match std::mem::take(&mut asked.conversation) {
                Conversation::Resume(id) => Conversation::Fork(id),
                _ => Conversation::Fork(String::new()),
            };
        }
        (_, "--settings") => {
            let text = std::fs::read_to_string(&first).unwrap_or(first);
            asked.settings = serde_json::from_str::<Value>(&text).unwrap_or_default();
        }
        (_, "--permission-mode" | "--approval-mode") => asked.mode = first,
        (_, "--yolo" | "--auto") => "yolo".clone_into(&mut asked.mode),
        (_, "--dangerously-skip-permissions") => "bypassPermissions".clone_into(&mut asked.mode),
        (_, "--tools") => {
            let names = values.iter().flat_map(|list| list.split(','));
            asked.offered =
                Some(names.filter(|name| !name.is_empty()).map(str::to_owned).collect());
        }
        (_, "--allowedTools" | "--allowed-tools") => asked.allowed = values,
        (_, "--disallowedTools" | "--disallowed-tools") => asked.denied = values,
        (_, "--dangerously-bypass-hook-trust") => asked.trusts_hooks = true,
        (_, "--max-turns" | "--max-session-turns") => asked.steps_max = first.parse().ok(),
        (_, "--max-budget-usd") => asked.budget_usd = first.parse().ok(),
        _ => {}
    }
}

/// The words that belong to no flag.
fn place(kind: &str, free: Vec<String>, asked: &mut Asked) {
    let mut free = free.into_iter().peekable();
    if kind == "codex" {
        let verb = free.next_if(|word| word == "resume" || word == "fork");
        if let Some(verb) = verb {
            let id = free.next().unwrap_or_default();
            asked.conversation =
                if verb == "fork" { Conversation::Fork(id) } else { Conversation::Resume(id) };
        }
    }
    let words: Vec<String> = free.collect();
    if !words.is_empty() {
        asked.prompt = words.join(" ");
    }
    if asked.prompt == "-" {
        asked.prompt.clear();
        asked.reads_stdin = true;
    }
}

fn refuse_root(kind: &str, asked: &Asked) -> Result<(), Misused> {
    let is_root = rustix::process::geteuid().is_root() && std::env::var_os("IS_SANDBOX").is_none();
    if kind == "claude" && asked.mode == "bypassPermissions" && is_root {
        let message = "--dangerously-skip-permissions cannot be used with root/sudo privileges for \
                       security reasons";
        return Err(Misused { code: 1, message: message.to_owned() });
    }
    Ok(())
}

//! What a tool call may do, by the policy of its turn. Pure: the same question has the same answer.
//!
//! A pattern names a tool as its CLI does, and may end in `*`. `Tool(words)` looks at the command of
//! a call that runs one: `Bash(git *)` is every command that begins with `git `. A denied word beats
//! one about which a person is asked, and that beats an allowed one.
//!
//! A command is text that a shell makes its own sense of, so a pattern can only ever be strict in one
//! direction: an allowed one holds for a single plain command and for nothing that joins, redirects
//! or substitutes; a denied one is looked for in each part, and a shell has many ways around it.

use crate::limits;
use crate::spec::{BadSpec, bad};
use crate::turn::{Base, Policy};

/// A tool call, as far as a policy looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The call, as the CLI names it.
    pub call: String,
    /// What makes two calls one question to a person: the call itself, where the CLI asks again
    /// under the same name; else what it would do.
    pub key: String,
    /// The tool, under the CLI's own name.
    pub tool: String,
    /// The shell command that it would run, whole, if it is one that runs commands.
    pub command: Option<String>,
    /// Absolute paths that it would write, as far as they can be told from its arguments.
    pub writes: Vec<String>,
    /// Absolute paths that it would read, likewise.
    pub reads: Vec<String>,
    /// URLs that it would fetch, likewise.
    pub fetches: Vec<String>,
    /// What it would do, shortened: JSON text.
    pub input: String,
}

/// What a policy says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may run.
    Allow,
    /// It may not; why, for the agent.
    Deny(String),
    /// A person is to be asked.
    Ask,
    /// Nothing: the CLI goes by its own rules.
    Unsaid,
}

/// Answers a call in a turn that runs in `cwd`.
pub fn answer(policy: &Policy, call: &ToolCall, cwd: &str) -> Answer {
    let tool = &call.tool;
    if let Some(pattern) = policy.deny.iter().find(|pattern| is_named_strictly(pattern, call)) {
        return Answer::Deny(format!("the policy of this turn denies `{pattern}`"));
    }
    let is_bound = !policy.write_under.is_empty();
    let outside = call.writes.iter().find(|path| !may_write(policy, path, cwd));
    if let Some(path) = outside.filter(|_| is_bound) {
        let folders = policy.write_under.join("`, `");
        return Answer::Deny(format!(
            "`{path}` is outside of what this turn may write in, which is `{folders}`"
        ));
    }
    if policy.ask.iter().any(|pattern| is_named_strictly(pattern, call)) {
        return Answer::Ask;
    }
    if policy.allow.iter().any(|pattern| is_granted(pattern, call)) {
        return Answer::Allow;
    }
    if is_bound && call.command.is_some() {
        return Answer::Deny(format!(
            "nobody can tell where a command of `{tool}` writes, and this turn may only write in \
             some folders; use a tool that names its file"
        ));
    }
    if is_bound && !call.writes.is_empty() {
        return Answer::Allow;
    }
    match base(policy) {
        Base::Everything => Answer::Allow,
        Base::AsConfigured => Answer::Unsaid,
        Base::Nothing => Answer::Deny(ungranted(policy, call)),
    }
}

/// What of everything that is not named: as soon as something is allowed by name, the rest is not.
pub fn base(policy: &Policy) -> Base {
    match policy.base {
        Base::AsConfigured if !policy.allow.is_empty() => Base::Nothing,
        base => base,
    }
}

/// Whether anything is said at all. Nobody has to be asked about the calls of a turn if not.
pub fn is_silent(policy: &Policy) -> bool {
    let Policy { base, allow, deny, ask, write_under, ask_for: _ } = policy;
    let words = allow.len() + deny.len() + ask.len() + write_under.len();
    *base == Base::AsConfigured && words == 0
}

/// Refuses what could not be kept to.
pub fn check(policy: &Policy) -> Result<(), BadSpec> {
    let Policy { base: _, allow, deny, ask, write_under, ask_for } = policy;
    let words = allow.len() + deny.len() + ask.len() + write_under.len();
    if words > limits::POLICY_WORDS_MAX {
        let problem =
            format!("names {words} things, and {} is the limit", limits::POLICY_WORDS_MAX);
        return Err(bad("policy", &problem));
    }
    for (field, patterns) in [("allow_tool", allow), ("deny_tool", deny), ("ask_tool", ask)] {
        patterns.iter().try_for_each(|pattern| check_pattern(field, pattern))?;
    }
    for folder in write_under {
        let is_plain = !folder.trim().is_empty() && !folder.chars().any(char::is_control);
        if !is_plain || folder.len() > limits::CWD_BYTES_MAX {
            return Err(bad("write_under", "is not the name of a folder"));
        }
        if folder.split('/').any(|part| part == "..") {
            return Err(bad("write_under", "goes up, and may only go down"));
        }
    }
    if ask_for.is_some_and(|span| span > limits::SPAN_MAX) {
        return Err(bad("ask_for", "is longer than ten years"));
    }
    Ok(())
}

fn check_pattern(field: &'static str, pattern: &str) -> Result<(), BadSpec> {
    let is_plain = !pattern.trim().is_empty() && !pattern.chars().any(char::is_control);
    if !is_plain || pattern.len() > limits::WORD_BYTES_MAX {
        return Err(bad(field, "is no pattern: a tool's name, or `Tool(words)`"));
    }
    let (tool, words) = parts(pattern);
    let stars = |text: &str| text.strip_suffix('*').unwrap_or(text).contains('*');
    if tool.is_empty() || tool.contains(['(', ')']) || stars(tool) {
        return Err(bad(field, "is no pattern: `*` stands for the rest, and only at the end"));
    }
    // A star within a command is what a shell makes of it; as a pattern it would say too much.
    if words.is_some_and(|words| words.is_empty() || stars(words)) {
        return Err(bad(field, "is no pattern: `*` stands for the rest, and only at the end"));
    }
    Ok(())
}

/// A pattern as the tool and the command that it names.
fn parts(pattern: &str) -> (&str, Option<&str>) {
    let inner = pattern.strip_suffix(')').and_then(|rest| rest.split_once('('));
    inner.map_or((pattern, None), |(tool, words)| (tool, Some(words)))
}

/// Whether a pattern that grants names the call.
fn is_granted(pattern: &str, call: &ToolCall) -> bool {
    match parts(pattern) {
        (tool, None) => begins(tool, &call.tool),
        (tool, Some(words)) => {
            let command = call.command.as_deref().map(str::trim);
            begins(tool, &call.tool)
                && command.is_some_and(|line| is_one_command(line) && says(words, line))
        }
    }
}

/// Whether a pattern that restricts names the call: in any part of a command that joins several, and
/// also where its command cannot be told.
fn is_named_strictly(pattern: &str, call: &ToolCall) -> bool {
    match parts(pattern) {
        (tool, None) => begins(tool, &call.tool),
        (tool, Some(words)) => {
            let is_said = |line: &str| split(line).any(|part| says(words, part));
            begins(tool, &call.tool) && call.command.as_deref().is_none_or(is_said)
        }
    }
}

fn begins(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

/// The same for a command, where `git *` is also `git` alone.
fn says(words: &str, line: &str) -> bool {
    begins(words, line) || words.strip_suffix(" *") == Some(line)
}

/// What makes one line of a shell more than one plain command.
const JOINS: [char; 10] = [';', '&', '|', '<', '>', '`', '(', ')', '\n', '\r'];

fn is_one_command(line: &str) -> bool {
    !line.contains(JOINS)
}

fn split(line: &str) -> impl Iterator<Item = &str> {
    let is_opening = |c: char| c.is_whitespace() || matches!(c, '$' | '{' | '}' | '!' | '"' | '\'');
    line.split(JOINS).map(move |part| part.trim_start_matches(is_opening).trim_end())
}

fn ungranted(policy: &Policy, call: &ToolCall) -> String {
    let tool = &call.tool;
    let is_half = policy.allow.iter().any(|pattern| begins(parts(pattern).0, tool));
    match &call.command {
        Some(line) if is_half && !is_one_command(line) => format!(
            "the policy of this turn allows only some commands of `{tool}`, one plain command at a \
             time: without pipes, redirections, substitutions or several in a line"
        ),
        Some(_) if is_half => {
            format!("the policy of this turn does not allow this command of `{tool}`")
        }
        _ => format!("the policy of this turn does not allow `{tool}`"),
    }
}

/// Whether a path is in one of the folders that may be written in. Said by the words of the path
/// alone: where a link leads is not looked at here.
fn may_write(policy: &Policy, path: &str, cwd: &str) -> bool {
    let (Some(path), Some(cwd)) = (normal(path, cwd), normal(cwd, "/")) else { return false };
    policy.write_under.iter().any(|folder| {
        let folder = folder.strip_suffix("/**").unwrap_or(folder);
        let folder = normal(folder, &cwd);
        folder.is_some_and(|folder| is_below(&folder, &cwd) && is_below(&path, &folder))
    })
}

/// An absolute path without `.`, `..` and doubled slashes; `None` for one that goes above the root.
fn normal(path: &str, cwd: &str) -> Option<String> {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{cwd}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;

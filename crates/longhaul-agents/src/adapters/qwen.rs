//! Qwen Code, `qwen`: a fork of Gemini's CLI that speaks Claude's dialect.

use super::claude::{is_uuid, servers};
use super::gemini::{hooks, settings_file};
use super::stream_json;
use crate::adapter::{Adapter, Tried};
use crate::failure::Class;
use crate::launching::{Argv, check, is_argument, stdin_for};
use crate::memory::Memory;
use crate::scribe::{Line, Scribe};
use crate::turn::{Access, Conversation, File, Launch, Turn, Unkept, Unsuited};
use crate::verdict::{End, Table, Verdict, judge};
use serde_json::{Map, Value, json};

pub(crate) struct Qwen;

const PASS: &[&str] =
    &["OPENAI_*", "DASHSCOPE_*", "QWEN_*", "GEMINI_API_KEY", "GOOGLE_*", "ANTHROPIC_*"];

impl Adapter for Qwen {
    fn kind(&self) -> &'static str {
        "qwen"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "@qwen-code/qwen-code 0.24.4",
            notes: "it starts itself again as a child, so the group must be stopped; it reports no \
                    money; a prompt on stdin was not tried",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        check(turn)?;
        if turn.resumes_deferred {
            return Err(Unsuited::NoDeferral);
        }
        let mut unkept = vec![];
        let mut argv = Argv::new(turn, "qwen");
        if is_argument(&turn.prompt) {
            argv.push(turn.prompt.as_str());
        }
        argv.flag("--output-format", "stream-json");
        argv.option("-m", turn.model.as_ref());
        let mut named = None;
        match &turn.conversation {
            Conversation::New => {}
            Conversation::NewAs(id) if is_uuid(id) => {
                argv.flag("--session-id", id.as_str());
                named = Some(id.clone());
            }
            Conversation::NewAs(_) => unkept.push(Unkept::ConversationId),
            Conversation::Resume(id) => {
                argv.flag("--resume", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Fork(_) => return Err(Unsuited::NoFork),
        }
        match &turn.access {
            Access::AsConfigured => {}
            // Asking, which without a terminal denies what is not allowed by name.
            Access::Only(grant) => {
                argv.flag("--approval-mode", "default");
                let shell = grant.let_through().contains(&SHELL);
                if shell && !grant.write_under.is_empty() {
                    unkept.push(Unkept::Writes);
                }
            }
            Access::Everything => {
                argv.flag("--approval-mode", "yolo");
            }
        }
        if let Some(steps) = turn.steps_max {
            argv.flag("--max-session-turns", steps.to_string());
        }
        if !turn.tool_servers.is_empty() {
            argv.flag("--mcp-config", servers(&turn.tool_servers));
        }
        argv.extra(turn);
        let wishes = [
            (turn.budget.is_some(), Unkept::Budget),
            (turn.retries_max.is_some(), Unkept::Retries),
        ];
        unkept.extend(wishes.into_iter().filter(|(wished, _)| *wished).map(|(_, what)| what));
        let mut launch = argv.into_launch(PASS);
        launch.stdin = stdin_for(&turn.prompt);
        if let Some(settings) = settings(turn) {
            let variable = "QWEN_CODE_SYSTEM_SETTINGS_PATH".to_owned();
            launch.set.insert(variable, settings.path.clone());
            launch.files.push(settings);
        }
        launch.unkept = unkept;
        launch.conversation = named;
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        stream_json::line(line, scribe);
    }

    fn closed(&self, scribe: &mut Scribe<'_>) {
        stream_json::closed(scribe);
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&Codes, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["qwen", "--resume", conversation].map(str::to_owned).to_vec())
    }
}

const SHELL: &str = "run_shell_command";

/// Settings that are for the whole machine, and have the last word: the rules of its mode, and our hook.
fn settings(turn: &Turn) -> Option<File> {
    let permissions = permissions(turn);
    if permissions.is_empty() && turn.hook.is_none() {
        return None;
    }
    let mut settings = Map::new();
    if let Some(hook) = &turn.hook {
        settings.insert("hooks".to_owned(), hooks("PreToolUse", hook));
    }
    if !permissions.is_empty() {
        settings.insert("permissions".to_owned(), Value::Object(permissions));
    }
    Some(settings_file(turn, Value::Object(settings)))
}

/// A tool that no rule allows is denied before the hook is run, so what a person is asked about is
/// allowed here as far as there is a hook to ask.
fn permissions(turn: &Turn) -> Map<String, Value> {
    let asked: &[String] = if turn.hook.is_some() { &turn.asked } else { &[] };
    let (mut allowed, mut denied) = (asked.to_vec(), turn.denied.clone());
    if turn.hook.is_none() {
        denied.extend(turn.asked.iter().cloned());
    }
    if let Access::Only(grant) = &turn.access {
        allowed.extend(grant.tools.iter().cloned());
        allowed.extend(grant.write_under.iter().flat_map(|folder| under(folder)));
        denied.extend(grant.denied.iter().filter(|tool| !turn.denied.contains(tool)).cloned());
    }
    let rules = [("allow", allowed), ("deny", denied)].into_iter();
    let rules = rules.filter(|(_, rules)| !rules.is_empty());
    rules.map(|(word, rules)| (word.to_owned(), json!(rules))).collect()
}

/// A slash at the beginning is the folder of the turn. Each of the tools that write has to be named, or
/// it is denied whatever rules of `Edit` say.
fn under(folder: &str) -> [String; 2] {
    let folder = folder.trim_end_matches("/**").trim_end_matches('/');
    let below =
        if folder.is_empty() || folder == "." { String::new() } else { format!("{folder}/") };
    ["edit", "write_file"].map(|tool| format!("{tool}(/{below}**)"))
}

struct Codes;

impl Table for Codes {
    fn code(&self, _memory: &Memory, code: i32) -> Option<Class> {
        // No `result` comes with it.
        (code == 53).then_some(Class::MaxTurns)
    }
}

//! Qwen Code, `qwen`: a fork of Gemini's CLI that speaks Claude's dialect.

use super::claude::{is_uuid, servers};
use super::gemini::settings_file;
use super::stream_json;
use crate::adapter::{Adapter, Tried};
use crate::failure::Class;
use crate::launching::{Argv, check, is_argument, stdin_for};
use crate::memory::Memory;
use crate::scribe::{Line, Scribe};
use crate::turn::{Access, Conversation, Launch, Turn, Unkept, Unsuited};
use crate::verdict::{End, Table, Verdict, judge};

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
            // Asking, which without a terminal offers neither a shell nor anything that writes.
            Access::Only(grant) => {
                argv.flag("--approval-mode", "default");
                unkept.push(Unkept::Tools);
                if !grant.write_under.is_empty() {
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
        if let Some(hook) = &turn.hook {
            let settings = settings_file(turn, "PreToolUse", hook);
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

struct Codes;

impl Table for Codes {
    fn code(&self, _memory: &Memory, code: i32) -> Option<Class> {
        // No `result` comes with it.
        (code == 53).then_some(Class::MaxTurns)
    }
}

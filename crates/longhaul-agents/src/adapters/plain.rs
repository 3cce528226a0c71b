//! Any command as an agent. The prompt is put where an argument says `{prompt}`, or else on stdin; its
//! lines are what it says, and it has succeeded if it exits with 0: nothing else could tell.

use crate::adapter::{Adapter, Tried};
use crate::environment::NESTING;
use crate::event::{Level, Speaker};
use crate::failure::{Class, Failure};
use crate::launching::check;
use crate::memory::Memory;
use crate::scribe::{Line, Scribe};
use crate::turn::{Access, Conversation, Launch, Stdin, Turn, Unkept, Unsuited};
use crate::verdict::{End, Ending, Exit, Table, Verdict, judge};

pub(crate) struct Plain;

impl Adapter for Plain {
    fn kind(&self) -> &'static str {
        "plain"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "any command",
            notes: "aider 0.86.2 exits with 0 when its key is refused, so look at what changed",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        launch(turn)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        said(line, scribe);
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&ByCode, memory, end)
    }

    fn resume_by_hand(&self, _conversation: &str) -> Option<Vec<String>> {
        None
    }
}

/// A line of stdout as something said.
pub(crate) fn said(line: Line<'_>, scribe: &mut Scribe<'_>) {
    if line.text.trim().is_empty() {
        scribe.quiet();
        return;
    }
    scribe.log(Level::Info, Speaker::Stdout, line.text);
    let said = crate::clip::encoded(line.text, crate::limits::SAID_BYTES_MAX);
    said.clone_into(&mut scribe.memory.said);
}

/// Where the prompt goes in an argument.
const PROMPT: &str = "{prompt}";

/// A program with its own arguments.
pub(crate) fn launch(turn: &Turn) -> Result<Launch, Unsuited> {
    check(turn)?;
    match turn.conversation {
        Conversation::New | Conversation::NewAs(_) => {}
        Conversation::Resume(_) => return Err(Unsuited::NoResume),
        Conversation::Fork(_) => return Err(Unsuited::NoFork),
    }
    if turn.resumes_deferred {
        return Err(Unsuited::NoDeferral);
    }
    let words = turn.program.iter().chain(&turn.extra);
    let argv: Vec<String> = words.map(|word| word.replace(PROMPT, &turn.prompt)).collect();
    if argv.is_empty() {
        return Err(Unsuited::NoProgram);
    }
    let is_placed = turn.extra.iter().any(|word| word.contains(PROMPT));
    let stdin = if is_placed { Stdin::Nothing } else { Stdin::Text(turn.prompt.clone()) };
    Ok(Launch { argv, stdin, remove: NESTING, unkept: unkept(turn), ..Launch::default() })
}

/// Everything that was wished for: nothing is known that would keep it.
fn unkept(turn: &Turn) -> Vec<Unkept> {
    let mut unkept = vec![];
    if let Access::Only(grant) = &turn.access {
        unkept.push(Unkept::Tools);
        if !grant.write_under.is_empty() {
            unkept.push(Unkept::Writes);
        }
    }
    let wishes = [
        (turn.steps_max.is_some(), Unkept::Steps),
        (turn.budget.is_some(), Unkept::Budget),
        (turn.retries_max.is_some(), Unkept::Retries),
        (turn.hook.is_some(), Unkept::Hook),
        (!turn.tool_servers.is_empty(), Unkept::ToolServers),
        (matches!(turn.conversation, Conversation::NewAs(_)), Unkept::ConversationId),
    ];
    unkept.extend(wishes.into_iter().filter(|(wished, _)| *wished).map(|(_, what)| what));
    unkept
}

/// A command has no event that ends it: here, and only here, the code is what there is.
pub(crate) struct ByCode;

impl Table for ByCode {
    fn unsaid(&self, _memory: &Memory, exit: Exit) -> Option<Ending> {
        match exit {
            Exit::Code(0) => Some(Ending::Succeeded { despite: None }),
            Exit::Code(126 | 127) | Exit::Signal(_) | Exit::NeverStarted | Exit::Unseen => None,
            Exit::Code(code) => {
                let message = format!("it exited with code {code}");
                Some(Ending::Failed(Failure::of(Class::Other, &message)))
            }
        }
    }
}

//! omp, `omp -p --mode json`: a fork of pi that speaks its dialect.

use super::pi;
use crate::adapter::{Adapter, Tried};
use crate::launching::{Argv, check};
use crate::memory::Memory;
use crate::scribe::{Line, Scribe};
use crate::turn::{Access, Conversation, Launch, Turn, Unkept, Unsuited};
use crate::verdict::{End, Verdict, judge};

pub(crate) struct Omp;

impl Adapter for Omp {
    fn kind(&self) -> &'static str {
        "omp"
    }

    fn tried(&self) -> Tried {
        Tried {
            package: "@oh-my-pi/pi-coding-agent 18.2.3",
            notes: "a refused --resume, a prompt on stdin and --tools were never tried",
        }
    }

    fn launch(&self, turn: &Turn) -> Result<Launch, Unsuited> {
        check(turn)?;
        if turn.resumes_deferred {
            return Err(Unsuited::NoDeferral);
        }
        let mut argv = Argv::new(turn, "omp");
        argv.words(&["-p", "--mode", "json"]);
        argv.option("--model", turn.model.as_ref());
        // It would ask a model for a title.
        argv.push("--no-title");
        let mut unkept = vec![];
        let mut named = None;
        match &turn.conversation {
            Conversation::New => {}
            Conversation::NewAs(_) => unkept.push(Unkept::ConversationId),
            Conversation::Resume(id) => {
                argv.flag("--resume", id.as_str());
                named = Some(id.clone());
            }
            Conversation::Fork(_) => return Err(Unsuited::NoFork),
        }
        match &turn.access {
            Access::AsConfigured => {}
            Access::Only(_) => {
                argv.flag("--approval-mode", "always-ask");
                pi::tools(turn, &mut argv, &mut unkept);
            }
            Access::Everything => {
                argv.flag("--approval-mode", "yolo");
            }
        }
        let mut launch = pi::finish(turn, argv, unkept);
        launch.conversation = named;
        Ok(launch)
    }

    fn stdout(&self, line: Line<'_>, scribe: &mut Scribe<'_>) {
        pi::read(line, scribe);
    }

    fn verdict(&self, memory: &Memory, end: End) -> Verdict {
        judge(&pi::Codes, memory, end)
    }

    fn resume_by_hand(&self, conversation: &str) -> Option<Vec<String>> {
        Some(["omp", "--resume", conversation].map(str::to_owned).to_vec())
    }
}

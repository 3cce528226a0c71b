//! What it does, a step a line:
//!
//! | step | does |
//! |---|---|
//! | `say TEXT`, `think TEXT` | the model speaks or thinks |
//! | `events N [BYTES]` | speaks N times as fast as it can |
//! | `pace N PER_SECOND` | speaks N times, `SEQ NANOSECONDS_SINCE_1970` each |
//! | `call TOOL JSON`, `bash COMMAND`, `write PATH TEXT` | calls a tool, which rules and hooks may refuse |
//! | `sh COMMAND` | runs a command that nobody is told of |
//! | `raw LINE`, `part TEXT`, `err LINE` | writes to stdout, without a line's end, to stderr |
//! | `sleep MS`, `await FILE`, `touch FILE` | waits, waits for a file, makes one |
//! | `child MS` | leaves a process behind that holds stdout |
//! | `close` | closes stdout and goes on |
//! | `done [TEXT]`, `fail [TEXT]`, `fail0 [TEXT]` | ends the turn well, badly, badly with exit 0 |
//! | `limit [EPOCH_S]`, `status CODE [TEXT]` | the vendor's limit, or a refused request |
//! | `defer` | the turn ends to ask about the next tool; the rest is done when it is resumed |
//! | `linger [MS]` | stays after what came before; for ever without a number |
//! | `silent` | ends without saying how |
//! | `exit CODE`, `kill SIGNAL` | goes at once |
//! | `deaf`, `stubborn` | never reads stdin; does not mind signals |
//! | `refuse`, `busy`, `other ID` | refuses to resume; says the conversation is in use; answers in another |
//! | `cost USD`, `tokens INPUT OUTPUT` | what each answer of the model costs |

use crate::Outcome;
use crate::record::Record;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) steps: VecDeque<Step>,
}

/// A word and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) verb: String,
    pub(crate) rest: String,
}

impl Script {
    /// The script of this call: from a file of its number, of its name, or out of the prompt.
    pub(crate) fn of(record: &Record, prompt: &str) -> Outcome<Self> {
        let names =
            [format!("{}.{}.steps", record.kind, record.number), format!("{}.steps", record.kind)];
        for name in names {
            match std::fs::read_to_string(record.folder.join(name)) {
                Ok(text) => return Ok(Self::parse(text.lines())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        let marked = prompt.split("[[").skip(1).filter_map(|part| part.split_once("]]"));
        Ok(Self::parse(marked.map(|(step, _)| step)))
    }

    pub(crate) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let lines = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { steps: lines.map(Step::parse).collect() }
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.first("deaf").is_some()
    }

    pub(crate) fn is_stubborn(&self) -> bool {
        self.first("stubborn").is_some()
    }

    /// What follows the first step of this word, wherever it stands.
    pub(crate) fn first(&self, verb: &str) -> Option<&str> {
        self.steps.iter().find(|step| step.verb == verb).map(|step| step.rest.as_str())
    }
}

impl Step {
    pub(crate) fn parse(line: &str) -> Self {
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Self { verb: verb.to_owned(), rest: rest.trim_start().to_owned() }
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.verb, self.rest)
    }

    /// The first word of the rest as a number, if there is one.
    pub(crate) fn number(&self) -> Option<u64> {
        self.rest.split_whitespace().next()?.parse().ok()
    }

    /// The rest in two.
    pub(crate) fn pair(&self) -> (&str, &str) {
        self.rest.split_once(char::is_whitespace).unwrap_or((&self.rest, ""))
    }
}

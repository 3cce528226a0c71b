//! What a tool call may do, by the policy of its turn. Pure: the same question has the same answer.

use crate::turn::Policy;

/// A tool call, as far as a policy looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The call, as the CLI names it; stable when the CLI asks again.
    pub call: String,
    /// The tool, under the CLI's own name.
    pub tool: String,
    /// Absolute paths that it would write, as far as they can be told from its arguments.
    pub writes: Vec<String>,
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
}

/// Answers a call in a turn that runs in `cwd`.
pub fn answer(policy: &Policy, _call: &ToolCall, _cwd: &str) -> Answer {
    if policy == &Policy::default() { Answer::Allow } else { Answer::Ask }
}

//! What may be asked of a turn, and how much of its end is kept.

use super::{Budget, Turn, TurnEnd, TurnHow};
use crate::agent::Agent;
use crate::decide::clip;
use crate::limits;
use crate::policy;
use crate::spec::{BadSpec, JobSpec, at_most, bad, check_word};

impl Turn {
    /// Checks it, and that `spec` asks for nothing that a turn cannot have: what it reads, and where
    /// it writes, are its CLI's.
    pub(crate) fn check(&self, spec: &JobSpec) -> Result<(), BadSpec> {
        check_word("agent", &self.agent)?;
        if spec.lane.as_deref() != Some(&*Agent::lane(&self.agent)) {
            return Err(bad("lane", "is not that of the turn's agent"));
        }
        if spec.command.len() != 1 {
            return Err(bad("command", "is not the kind of the turn's agent"));
        }
        at_most("prompt", "bytes", self.prompt.len(), limits::PROMPT_BYTES_MAX)?;
        if self.prompt.contains('\0') {
            return Err(bad("prompt", "holds a NUL character"));
        }
        if self.prompt.trim().is_empty() != self.is_wake {
            let problem = if self.is_wake { "is for mail alone" } else { "is blank" };
            return Err(bad("prompt", problem));
        }
        if let Some(model) = &self.model {
            check_word("model", model)?;
        }
        self.policy.as_ref().map_or(Ok(()), policy::check)?;
        self.budget.map_or(Ok(()), |budget| budget.check())?;
        if self.steps_max == Some(0) {
            return Err(bad("max_steps", "is zero"));
        }
        let not_for_turns = [
            ("stdin", spec.stdin.is_some()),
            ("pty", spec.pty.is_some()),
            ("attach", !spec.attachments.is_empty()),
            ("task", spec.task.is_some()),
        ];
        match not_for_turns.into_iter().find(|(_, is_asked)| *is_asked) {
            Some((field, _)) => Err(bad(field, "is not for turns of agents")),
            None => Ok(()),
        }
    }
}

impl Budget {
    /// Checks that there is something to spend. Gives [`BadSpec`] otherwise.
    pub fn check(&self) -> Result<(), BadSpec> {
        if self.nano_usd_max == 0 {
            return Err(bad("budget", "is zero"));
        }
        Ok(())
    }
}

impl TurnEnd {
    /// Keeps what a report brings within what a row may hold.
    pub(crate) fn bound(&mut self) {
        let cut = |text: &mut String, bytes: usize| {
            if text.len() > bytes {
                *text = clip(text, bytes);
            }
        };
        let whole = limits::MESSAGE_BYTES_MAX;
        match &mut self.how {
            TurnHow::Done { despite } => despite.iter_mut().for_each(|text| cut(text, whole)),
            TurnHow::Deferred { call, tool } => {
                [call, tool].into_iter().for_each(|text| cut(text, limits::WORD_BYTES_MAX));
            }
            TurnHow::Cancelled => {}
            TurnHow::Failed { class, message, .. } => {
                cut(class, limits::WORD_BYTES_MAX);
                cut(message, whole);
            }
        }
        cut(&mut self.said, whole);
        self.conversation.iter_mut().for_each(|text| cut(text, limits::WORD_BYTES_MAX));
        self.resume_command.iter_mut().for_each(|text| cut(text, whole));
        // A part of it would be no JSON.
        self.carry = self.carry.take().filter(|carry| carry.len() <= limits::MEMORY_BYTES_MAX);
        self.last.truncate(limits::LAST_LINES_MAX);
        self.last.iter_mut().for_each(|line| cut(line, limits::ANSWER_BYTES_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;
    use crate::spec::{Blob, PtySize};
    use crate::time::Millis;

    fn spec() -> JobSpec {
        let turn = Turn { agent: "ada".into(), prompt: "Go.".into(), ..Turn::default() };
        let spec = JobSpec::new(vec!["plain".into()], "/".into());
        JobSpec { lane: Some(Agent::lane("ada")), turn: Some(turn), ..spec }
    }

    #[test]
    fn a_turn_asks_for_nothing_that_only_other_jobs_have() {
        type Spoil = fn(&mut JobSpec, &mut Turn);
        let breaks: [(&str, Spoil); 14] = [
            ("agent", |_, t| t.agent = " ".into()),
            ("lane", |s, _| s.lane = Some("agent/bob".into())),
            ("lane", |s, _| s.lane = None),
            ("command", |s, _| s.command.push("-v".into())),
            ("prompt", |_, t| t.prompt = " \n".into()),
            ("prompt", |_, t| t.prompt = "a\0".into()),
            ("prompt", |_, t| t.is_wake = true),
            ("prompt", |_, t| t.prompt = "x".repeat(limits::PROMPT_BYTES_MAX + 1)),
            ("budget", |_, t| t.budget = Some(Budget { nano_usd_max: 0, is_asked: false })),
            ("max_steps", |_, t| t.steps_max = Some(0)),
            ("write_under", |_, t| {
                t.policy = Some(Policy { write_under: vec!["../x".into()], ..Policy::default() });
            }),
            ("ask_for", |_, t| {
                let ask_for = Some(Millis::new(u64::MAX));
                t.policy = Some(Policy { ask_for, ..Policy::default() });
            }),
            ("stdin", |s, _| s.stdin = Some(Blob { sha256: "0".repeat(64), size: 1 })),
            ("pty", |s, _| s.pty = Some(PtySize { rows: 1, cols: 1 })),
        ];
        assert_eq!(spec().check(), Ok(()));
        for (field, spoil) in breaks {
            let (mut spec, mut turn) = (spec(), spec().turn.unwrap());
            spoil(&mut spec, &mut turn);
            spec.turn = Some(turn);
            assert_eq!(spec.check().err().map(|bad| bad.field), Some(field));
        }
    }

    #[test]
    fn of_a_long_end_a_row_keeps_a_part() {
        let long = "ä".repeat(9_999);
        let mut end = TurnEnd {
            how: TurnHow::Deferred { call: long.clone(), tool: long.clone() },
            conversation: Some(long.clone()),
            is_mismatch: false,
            said: long.clone(),
            used: super::super::Used::default(),
            is_used_whole: true,
            carry: Some(long.clone()),
            denied: 0,
            resume_command: Some(long.clone()),
            last: vec![long; 99],
        };
        end.bound();
        assert!(serde_json::to_string(&end).unwrap().len() < 64 * 1_024);
        assert_eq!((end.last.len(), end.carry), (limits::LAST_LINES_MAX, None));
    }
}

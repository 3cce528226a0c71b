//! What a role is there for: whether it owes a mail that says its work is done, which kinds of mail
//! say so, and after how long its silence is said, asked about, ended.

use crate::agent::Ladder;
use crate::time::Millis;

/// Kinds of mail that finish an agent of any role but [`MERGER`].
const DONE: [&str; 3] = ["done", "worker_done", "result"];
/// Kinds of mail that finish a merger.
const MERGED: [&str; 2] = ["merged", "merge_failed"];
/// The role that brings work together.
pub const MERGER: &str = "merger";
/// Roles that stay: they owe nothing at the end of a turn, and are never finished by silence.
pub const STAYING: [&str; 3] = ["coordinator", "orchestrator", "monitor"];

/// Whether mail of this kind, sent by an agent of this role, says that its work is done.
pub fn is_terminal(role: Option<&str>, kind: &str) -> bool {
    if role == Some(MERGER) { MERGED.contains(&kind) } else { DONE.contains(&kind) }
}

/// Whether an agent of this role owes such a mail. One without a role owes nothing.
pub fn owes(role: Option<&str>) -> bool {
    role.is_some_and(|role| !STAYING.contains(&role))
}

/// After how long a silence what is done, for an agent that says nothing about it itself. Who owes
/// something is asked after; who stays may be quiet for long, and is never ended for it.
pub const fn ladder(owes: bool) -> Ladder {
    if owes {
        Ladder {
            warn_after: Some(Millis::from_secs(5 * 60)),
            nudge_after: Some(Millis::from_secs(10 * 60)),
            ask_after: Some(Millis::from_secs(20 * 60)),
            stop_after: None,
        }
    } else {
        let warn_after = Some(Millis::from_secs(10 * 60));
        Ladder { warn_after, nudge_after: None, ask_after: None, stop_after: None }
    }
}

/// The kinds of mail that an agent of this role may end its work with.
pub fn terminal_kinds(role: Option<&str>) -> &'static [&'static str] {
    if role == Some(MERGER) { &MERGED } else { &DONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_finished_by_its_own_kinds_of_mail() {
        for kind in ["merged", "merge_failed"] {
            assert!(is_terminal(Some(MERGER), kind) && !is_terminal(Some("builder"), kind));
        }
        for kind in ["done", "worker_done", "result"] {
            assert!(!is_terminal(Some(MERGER), kind) && is_terminal(Some("no such role"), kind));
            assert!(is_terminal(None, kind) && terminal_kinds(None).contains(&kind));
        }
        for kind in ["status", "question", "worker_died", ""] {
            assert!(!is_terminal(None, kind) && !is_terminal(Some(MERGER), kind));
        }
    }

    #[test]
    fn who_stays_or_has_no_role_owes_nothing_and_is_only_ever_said_to_be_quiet() {
        for role in STAYING.map(Some).into_iter().chain([None]) {
            let quiet = ladder(owes(role));
            assert!(!owes(role) && quiet.warn_after.is_some());
            assert_eq!((quiet.nudge_after, quiet.ask_after, quiet.stop_after), (None, None, None));
        }
        for role in [MERGER, "builder", "lead"] {
            let rungs = ladder(owes(Some(role)));
            assert!(rungs.warn_after < rungs.nudge_after && rungs.nudge_after < rungs.ask_after);
            assert_eq!(rungs.stop_after, None, "silence alone ends nobody");
        }
    }
}

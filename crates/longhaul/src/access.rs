//! What a turn's policy means for the start of its CLI: what the CLI's own mode is set to, and whether
//! each of its tool calls is put to us first. The hooks of most CLIs fail open, so the mode refuses
//! by itself what the policy does not grant; the hook adds the finer rules, the questions to people,
//! and a record of what was decided.

use crate::api::PolicyView;
use longhaul_agents::{Access, Grant, Hook};
use longhaul_core::policy as rules;
use longhaul_core::time::Millis;
use longhaul_core::turn::{Base, Policy};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Seconds that a CLI waits for the answer of a hook that does not wait for people. Ours answers
/// within milliseconds, and gives up on its daemon in two seconds.
const HOOK_S: u32 = 30;
/// Seconds at most that a tool call is held until a person has answered, for CLIs that cannot put one
/// off; then it is denied, with words that say how to go on.
const HELD_S_MAX: u32 = 3_600;
/// Kinds whose CLI can end at a tool call and be asked again about it: no process waits.
const DEFERRING: [&str; 1] = ["claude"];

/// What the start of a turn's CLI is given of its policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The CLI's own mode.
    pub(crate) access: Access,
    /// Tools that it is told to refuse, whatever its mode.
    pub(crate) denied: Vec<String>,
    /// Tools about which the hook asks a person, whatever its mode.
    pub(crate) asked: Vec<String>,
    /// The command that each tool call is put to; nothing if neither policy nor lease says anything.
    pub(crate) hook: Option<Hook>,
}

/// What a CLI of this kind is given. `program`: this program, which is its hook. A lease has every call
/// asked about, whatever the policy says.
pub(crate) fn bounds(policy: &Policy, kind: &str, program: &Path, is_leased: bool) -> Bounds {
    if rules::is_silent(policy) {
        let hook = is_leased.then(|| hook(policy, kind, program));
        return Bounds { hook, ..Bounds::default() };
    }
    let denied = policy.deny.clone();
    let access = match rules::base(policy) {
        // A bound on where it writes is worth little in a mode that somebody else has chosen.
        Base::AsConfigured if policy.write_under.is_empty() => Access::AsConfigured,
        Base::Everything => Access::Everything,
        Base::AsConfigured | Base::Nothing => Access::Only(Grant {
            tools: policy.allow.clone(),
            asked: policy.ask.clone(),
            denied: denied.clone(),
            write_under: policy.write_under.clone(),
        }),
    };
    let is_plainly_everything = access == Access::Everything
        && policy.deny.is_empty()
        && policy.ask.is_empty()
        && policy.write_under.is_empty();
    let hook = (is_leased || !is_plainly_everything).then(|| hook(policy, kind, program));
    Bounds { access, denied, asked: policy.ask.clone(), hook }
}

/// What a policy says of what it does not name follows from what it names: whoever lists what may be
/// used means nothing else.
pub(crate) fn policy(view: PolicyView) -> Policy {
    let base = if view.everything {
        Base::Everything
    } else if !view.allow_tool.is_empty() {
        Base::Nothing
    } else {
        Base::AsConfigured
    };
    Policy {
        base,
        allow: view.allow_tool,
        deny: view.deny_tool,
        ask: view.ask_tool,
        write_under: view.write_under,
        ask_for: view.ask_for.map(|span| Millis::new(span.0)),
    }
}

fn hook(policy: &Policy, kind: &str, program: &Path) -> Hook {
    let command = format!("{} hook {kind}", quoted(&program.to_string_lossy()));
    if policy.ask.is_empty() || DEFERRING.contains(&kind) {
        return Hook { command, timeout_s: HOOK_S };
    }
    let asked = policy.ask_for.map_or(u64::MAX, |span| span.get().div_ceil(1_000));
    let held_s = u32::try_from(asked).unwrap_or(HELD_S_MAX).clamp(1, HELD_S_MAX);
    Hook { command: format!("{command} --wait {held_s}s"), timeout_s: held_s + HOOK_S }
}

/// Whether nobody but root can write this folder or any above it. What is not there yet is made by us,
/// so the folders that are there decide.
pub(crate) fn is_roots(folder: &Path) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    // A link on the way is followed: where it leads has to be root's as well.
    let there = folder.ancestors().find(|above| above.exists());
    let Some(there) = there.and_then(|there| there.canonicalize().ok()) else { return false };
    let ours = rustix::process::geteuid().as_raw();
    let is_made_by_root = there == folder || ours == 0;
    is_made_by_root
        && [folder, &there].iter().flat_map(|path| path.ancestors()).all(|above| {
            above
                .metadata()
                .map_or(true, |found| found.uid() == 0 && found.mode() & OTHERS_WRITE == 0)
        })
}

/// A word as a shell takes it for itself.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use longhaul_core::time::Millis;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn of(policy: &Policy, kind: &str) -> Bounds {
        bounds(policy, kind, Path::new("/opt/a b/longhaul"), false)
    }

    #[test]
    fn under_a_lease_every_call_is_asked_about() {
        let everything = Policy { base: Base::Everything, ..Policy::default() };
        for policy in [Policy::default(), everything] {
            let bounds = bounds(&policy, "claude", Path::new("/opt/longhaul"), true);
            assert!(bounds.hook.is_some(), "{policy:?}");
        }
    }

    #[test]
    fn a_policy_that_says_nothing_changes_nothing() {
        assert_eq!(of(&Policy::default(), "claude"), Bounds::default());
        let everything = Policy { base: Base::Everything, ..Policy::default() };
        let plain = of(&everything, "claude");
        assert_eq!((plain.access, plain.hook), (Access::Everything, None));
    }

    #[test]
    fn what_is_allowed_by_name_is_all_that_the_cli_is_told_to_allow() {
        let policy = Policy {
            allow: words(&["Read", "Bash(git *)"]),
            deny: words(&["WebFetch"]),
            ask: words(&["Write"]),
            write_under: words(&["src"]),
            ..Policy::default()
        };
        let bounds = of(&policy, "claude");
        let Access::Only(grant) = bounds.access else { panic!("{bounds:?}") };
        assert_eq!(grant.tools, ["Read", "Bash(git *)"]);
        assert_eq!((grant.asked, grant.denied), (words(&["Write"]), words(&["WebFetch"])));
        assert_eq!(grant.write_under, ["src"]);
        let hook = bounds.hook.unwrap();
        assert_eq!(hook.command, "'/opt/a b/longhaul' hook claude");
        assert_eq!(hook.timeout_s, HOOK_S);
    }

    #[test]
    fn only_roots_own_folders_are_roots() {
        assert!(is_roots(Path::new("/")));
        let open = std::env::temp_dir();
        let mode = open.metadata().unwrap().mode();
        assert!(mode & 0o002 == 0 || !is_roots(&open.join("a/b")), "{open:?} is anybody's");
    }

    #[test]
    fn restrictions_alone_leave_the_mode_as_it_is() {
        let policy = Policy { deny: words(&["Bash"]), ..Policy::default() };
        let bounds = of(&policy, "claude");
        assert_eq!((bounds.access, bounds.denied), (Access::AsConfigured, words(&["Bash"])));
        assert!(bounds.hook.is_some());
    }

    #[test]
    fn who_cannot_put_a_call_off_is_held_for_as_long_as_the_question_waits() {
        let asks = |ask_for| Policy { ask: words(&["Bash"]), ask_for, ..Policy::default() };
        for (ask_for, held) in [(None, "3600s"), (Some(Millis::from_secs(90)), "90s")] {
            let hook = of(&asks(ask_for), "codex").hook.unwrap();
            assert!(hook.command.ends_with(&format!("hook codex --wait {held}")), "{hook:?}");
        }
        assert_eq!(of(&asks(None), "codex").hook.unwrap().timeout_s, 3_630);
        assert!(!of(&asks(None), "claude").hook.unwrap().command.contains("--wait"));
    }
}

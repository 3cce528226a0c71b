//! Words core must not know: vendors, protocols, databases, clocks, and order by hash.
//!
//! Comments may use them to explain; code and strings may not.

use super::repo::{Repo, Violation};
use super::source::{line_of, words};

const CORE: &str = "crates/longhaul-core/src/";

/// Refused inside any word, in any case.
const ANYWHERE: &[&str] =
    &["claude", "codex", "gemini", "opencode", "sql", "http", "arcp", "tokio"];

/// Refused as a whole word.
const WHOLE: &[&str] = &["SystemTime", "Instant", "HashMap", "HashSet"];

/// Refused as a path: each is a door to the outside.
const PATHS: &[&str] =
    &["std::fs", "std::io", "std::net", "std::env", "std::process", "std::thread", "std::os"];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.under(CORE).filter(|file| file.is_rust()) {
        let text = &file.source.uncommented;
        let mut refuse = |offset: usize, word: &str| {
            found.push(
                file.violation(line_of(text, offset), format!("core must not know `{word}`")),
            );
        };
        for (offset, word) in words(text) {
            let small = word.to_lowercase();
            if let Some(banned) = ANYWHERE.iter().find(|banned| small.contains(**banned)) {
                refuse(offset, banned);
            }
            if WHOLE.contains(&word) {
                refuse(offset, word);
            }
        }
        for path in PATHS {
            for (offset, _) in text.match_indices(path) {
                refuse(offset, path);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    fn core(text: &str) -> Vec<String> {
        said(check, &[("crates/longhaul-core/src/job.rs", text)])
    }

    #[test]
    fn banned_words_are_found_in_code_and_in_strings() {
        for (text, word) in [
            ("enum Kind { ClaudeCode }", "claude"),
            ("const K: &str = \"codex\";", "codex"),
            ("fn http_status() {}", "http"),
            ("struct SqlRow;", "sql"),
            ("use std::collections::HashMap;", "HashMap"),
            ("fn f(at: Instant) {}", "Instant"),
            ("use std::fs;", "std::fs"),
        ] {
            let path = "crates/longhaul-core/src/job.rs";
            assert_eq!(core(text), [format!("{path}:1: core must not know `{word}`")], "{text}");
        }
    }

    #[test]
    fn comments_other_words_and_other_crates_pass() {
        assert_eq!(core("// as HTTP does\nfn instant_or_later() { BTreeMap::new() }"), [""; 0]);
        assert_eq!(
            said(check, &[("crates/longhaul/src/a.rs", "use tokio::time::Instant;")]),
            [""; 0]
        );
    }
}

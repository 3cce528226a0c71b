//! Words core must not know: vendors, protocols, databases, clocks, and order by hash. The adapters of
//! agents know vendors, and the ends of a connection know their protocol; like core, neither knows a
//! clock or a file.
//!
//! Comments may use them to explain; code and strings may not.

use super::repo::{File, Repo, Violation};
use super::source::{line_of, words};

const CORE: &str = "crates/longhaul-core/src/";
const AGENTS: &str = "crates/longhaul-agents/src/";
const ARCP: &str = "crates/longhaul-arcp/src/";

/// Refused inside any word, in any case.
const ANYWHERE: &[&str] =
    &["claude", "codex", "gemini", "opencode", "sql", "http", "arcp", "tokio"];

/// Where a word is meant all the same: leases compare URLs, and a URL begins with its scheme.
const MEANT: &[(&str, &str)] = &[("crates/longhaul-core/src/lease/", "http")];

/// Refused as a whole word.
const WHOLE: &[&str] = &["SystemTime", "Instant", "HashMap", "HashSet"];

/// Refused as a path: each is a door to the outside.
const PATHS: &[&str] =
    &["std::fs", "std::io", "std::net", "std::env", "std::process", "std::thread", "std::os"];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    let pure: [(&str, &str, &[&str]); 3] =
        [(CORE, "core", ANYWHERE), (AGENTS, "an adapter", &[]), (ARCP, "a connection", &[])];
    for (folder, who, vendors) in pure {
        for file in repo.under(folder).filter(|file| file.is_rust()) {
            found.extend(banned(file, vendors).into_iter().map(|(offset, word)| {
                let line = line_of(&file.source.uncommented, offset);
                file.violation(line, format!("{who} must not know `{word}`"))
            }));
        }
    }
    found
}

/// Where a file uses what it may not, in the order of the three tables.
fn banned(file: &File, vendors: &[&'static str]) -> Vec<(usize, &'static str)> {
    let text = &file.source.uncommented;
    let is_meant = |word: &str| {
        MEANT.iter().any(|(path, meant)| file.path.starts_with(path) && word == *meant)
    };
    let mut found = vec![];
    for (offset, word) in words(text) {
        let small = word.to_lowercase();
        let banned = vendors.iter().find(|banned| small.contains(**banned) && !is_meant(banned));
        found.extend(banned.map(|word| (offset, *word)));
        found.extend(WHOLE.iter().find(|banned| **banned == word).map(|word| (offset, *word)));
    }
    for path in PATHS {
        found.extend(text.match_indices(path).map(|(offset, _)| (offset, *path)));
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
    fn adapters_know_vendors_but_no_clock_and_no_file() {
        let path = "crates/longhaul-agents/src/adapters/claude.rs";
        let found = said(check, &[(path, "struct Claude;\nuse std::fs;\n")]);
        assert_eq!(found, [format!("{path}:2: an adapter must not know `std::fs`")]);
    }

    #[test]
    fn the_schemes_of_urls_pass_where_leases_compare_them() {
        let path = "crates/longhaul-core/src/lease/canonical.rs";
        let found =
            said(check, &[(path, "const A: &str = \"https\";\nconst B: &str = \"codex\";\n")]);
        assert_eq!(found, [format!("{path}:2: core must not know `codex`")]);
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

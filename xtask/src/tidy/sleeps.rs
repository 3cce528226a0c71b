//! Tests wait for conditions, never for time.

use super::items;
use super::repo::{Repo, Violation};
use super::source::{line_of, words};

/// Functions that may sleep between two looks, and why nothing better exists there.
const POLLERS: &[(&str, &str)] = &[
    ("eventually", "asks again until a deadline; other processes send no event to wait for"),
    ("eventually_async", "the same, inside a runtime"),
];

const SLEEPS: &[&str] = &["sleep", "sleep_ms", "sleep_until", "park_timeout"];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.rust() {
        let Some(first) = items::tests_begin(file) else { continue };
        let code = &file.source.code;
        let functions = items::functions(file);
        for (offset, word) in words(code).filter(|(_, word)| SLEEPS.contains(word)) {
            let line = line_of(code, offset);
            let called = code[offset + word.len()..].starts_with('(');
            let polls = functions.iter().any(|function| {
                function.contains(line) && POLLERS.iter().any(|(name, _)| *name == function.name)
            });
            if line >= first && called && !polls {
                let message =
                    "a test that sleeps is slow or wrong; wait for the condition with `eventually`";
                found.push(file.violation(line, message));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn sleeping_tests_are_found() {
        let found = said(check, &[("crates/a/tests/it/x.rs", "fn t() {\n thread::sleep(D);\n}\n")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/tests/it/x.rs:2: a test that sleeps"), "{found:?}");
        let inside = "#[cfg(test)]\nmod tests { async fn t() { tokio::time::sleep(D).await } }\n";
        assert_eq!(said(check, &[("crates/a/src/x.rs", inside)]).len(), 1);
    }

    #[test]
    fn pollers_programs_and_shell_text_pass() {
        let poller = "fn eventually() { loop { thread::sleep(D) } }\nfn t() { run(\"sleep 5\") }\n";
        assert_eq!(said(check, &[("crates/a/tests/it/x.rs", poller)]), [""; 0]);
        assert_eq!(
            said(check, &[("crates/a/src/x.rs", "fn tick() { thread::sleep(D) }\n")]),
            [""; 0]
        );
    }
}

//! No `allow` (use `expect` with a reason) and no `ignore` (assert what is so today, with a note).

use super::repo::{Repo, Violation};
use super::source::{line_of, words};

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.rust() {
        let code = &file.source.code;
        for (start, attribute) in attributes(code) {
            for (offset, word) in words(attribute) {
                let called = attribute[offset + word.len()..].trim_start().starts_with('(');
                let message = match word {
                    "allow" if called => "`allow` hides for ever; use `expect` with a reason",
                    "ignore" => {
                        "an ignored test tests nothing; assert what is so today, with a note"
                    }
                    _ => continue,
                };
                found.push(file.violation(line_of(code, start + offset), message));
            }
        }
    }
    found
}

/// Every `#[…]` and `#![…]` with the byte where its inside begins.
fn attributes(code: &str) -> Vec<(usize, &str)> {
    let mut found = vec![];
    for (hash, _) in code.match_indices('#') {
        let rest = code[hash + 1..].trim_start_matches('!');
        let Some(inside) = rest.strip_prefix('[') else { continue };
        let start = code.len() - inside.len();
        let mut depth = 1;
        let end = inside.find(|c| {
            depth += match c {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            depth == 0
        });
        found.push((start, &inside[..end.unwrap_or(inside.len())]));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn allow_is_found_in_every_form() {
        for text in ["#[allow(dead_code)]", "#![allow(x)]", "#[cfg_attr(test, allow(x))]"] {
            let found = said(check, &[("a.rs", text)]);
            assert_eq!(
                found,
                ["a.rs:1: `allow` hides for ever; use `expect` with a reason"],
                "{text}"
            );
        }
    }

    #[test]
    fn ignore_is_found_on_its_line() {
        let found = said(check, &[("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn t() {}\n")]);
        assert!(found[0].starts_with("a.rs:2: an ignored test"), "{found:?}");
    }

    #[test]
    fn other_attributes_and_words_pass() {
        let text = "#[expect(x, reason = \"allow(y)\")]\n#[arg(ignore_case)]\nfn allow() { ignore(allow()) }\n";
        assert_eq!(said(check, &[("a.rs", text)]), [""; 0]);
    }
}

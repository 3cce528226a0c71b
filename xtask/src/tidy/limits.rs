//! Every limit says in words what it bounds, and bounds something.

use super::repo::{File, Repo, Violation};
use super::source::words;

const LIMITS: &str = "crates/longhaul-core/src/limits.rs";

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let Some(limits) = repo.file(LIMITS) else { return vec![] };
    let lines: Vec<&str> = limits.text.lines().collect();
    let mut found = vec![];
    for (index, line) in lines.iter().enumerate() {
        let Some(rest) = line.trim_start().strip_prefix("pub const ") else { continue };
        let Some((_, name)) = words(rest).next() else { continue };
        if !is_documented(&lines[..index]) {
            found.push(limits.violation(
                index + 1,
                format!("`{name}` has no doc comment; say its unit and why so much"),
            ));
        }
        if !repo.rust().any(|file| uses(file, name)) {
            found.push(
                limits.violation(index + 1, format!("`{name}` bounds nothing: nobody uses it")),
            );
        }
    }
    found
}

/// Whether the nearest line above that is no attribute is a doc comment.
fn is_documented(above: &[&str]) -> bool {
    let nearest = above.iter().rev().find(|line| !line.trim_start().starts_with("#["));
    nearest.is_some_and(|line| line.trim_start().starts_with("///"))
}

fn uses(file: &File, name: &str) -> bool {
    file.path != LIMITS && words(&file.source.code).any(|(_, word)| word == name)
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    const USER: (&str, &str) = ("crates/longhaul/src/a.rs", "fn f() { g(limits::LINE_BYTES_MAX) }");

    #[test]
    fn a_documented_limit_that_is_used_passes() {
        let text = "/// Bytes of one line.\n#[doc(hidden)]\npub const LINE_BYTES_MAX: u32 = 1;\n";
        assert_eq!(said(check, &[(LIMITS, text), USER]), [""; 0]);
    }

    #[test]
    fn a_limit_without_words_is_found() {
        let found = said(check, &[(LIMITS, "\npub const LINE_BYTES_MAX: u32 = 1;\n"), USER]);
        assert!(
            found[0].starts_with(&format!("{LIMITS}:2: `LINE_BYTES_MAX` has no doc comment")),
            "{found:?}"
        );
    }

    #[test]
    fn a_limit_nobody_uses_is_found_even_if_a_comment_names_it() {
        let other = ("crates/longhaul/src/a.rs", "// LINE_BYTES_MAX\n");
        let found =
            said(check, &[(LIMITS, "/// Bytes.\npub const LINE_BYTES_MAX: u32 = 1;\n"), other]);
        assert_eq!(found, [format!("{LIMITS}:2: `LINE_BYTES_MAX` bounds nothing: nobody uses it")]);
    }
}

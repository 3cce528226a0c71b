//! No trailing space, no tabs in Rust, and nothing heavy: git keeps every version for ever.

use super::repo::{Repo, Violation};

const FILE_BYTES_MAX: usize = 100_000;

/// Written by tools, and as long as what it lists.
const MAY_BE_HEAVY: &[&str] = &["Cargo.lock"];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in &repo.files {
        if file.bytes > FILE_BYTES_MAX && !MAY_BE_HEAVY.contains(&file.path.as_str()) {
            let message = format!("{} bytes; the ceiling is {FILE_BYTES_MAX}", file.bytes);
            found.push(file.violation(1, message));
        }
        if file.is_recording() {
            continue;
        }
        for (index, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                found.push(file.violation(index + 1, "trailing space"));
            }
            if file.is_rust() && line.contains('\t') {
                found.push(
                    file.violation(index + 1, "tab; indent with spaces, write `\\t` in a string"),
                );
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
    fn trailing_space_is_found() {
        assert_eq!(said(check, &[("a.md", "x\ny \n")]), ["a.md:2: trailing space"]);
        assert_eq!(said(check, &[("a.md", "x\r\n")]), ["a.md:1: trailing space"]);
        assert_eq!(said(check, &[("a/fixtures/x.jsonl", "x \n")]), [""; 0]);
    }

    #[test]
    fn tabs_are_found_in_rust_only() {
        assert_eq!(said(check, &[("a.rs", "\tx\n")]).len(), 1);
        assert_eq!(said(check, &[("a.txt", "\tx\n")]), [""; 0]);
    }

    #[test]
    fn heavy_files_are_found_binary_or_not() {
        let heavy = "x".repeat(100_001);
        assert_eq!(
            said(check, &[("a.png", &heavy)]),
            ["a.png:1: 100001 bytes; the ceiling is 100000"]
        );
        assert_eq!(said(check, &[("Cargo.lock", &heavy)]), [""; 0]);
    }
}

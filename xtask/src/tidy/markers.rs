//! No notes of unfinished work, and no paths that exist on one machine only.

use super::repo::{Repo, Violation};
use super::source::words;

/// Spelled in halves, because this file is checked too.
const MARKERS: &[&str] = &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX")];
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/tmp/", "target")];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in &repo.files {
        for (index, line) in file.text.lines().enumerate() {
            if !file.is_recording()
                && let Some((_, marker)) = words(line).find(|(_, word)| MARKERS.contains(word))
            {
                found.push(file.violation(index + 1, format!("`{marker}`: do it, or file it")));
            }
            if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(**path)) {
                found.push(
                    file.violation(index + 1, format!("`{path}` exists on one machine only")),
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
    fn markers_are_found_as_whole_words() {
        let text = format!("// {}: later\nlet x = \"{}YZ\";\n", MARKERS[1], MARKERS[2]);
        assert_eq!(
            said(check, &[("a.rs", &text)]),
            [format!("a.rs:1: `{}`: do it, or file it", MARKERS[1])]
        );
        assert_eq!(said(check, &[("a/fixtures/b.jsonl", MARKERS[0])]), [""; 0]);
    }

    #[test]
    fn machine_paths_are_found_even_in_recordings() {
        let text = format!("ok\n{}x\n", MACHINE_PATHS[0]);
        let found = said(check, &[("a/fixtures/b.jsonl", &text)]);
        assert_eq!(
            found,
            [format!("a/fixtures/b.jsonl:2: `{}` exists on one machine only", MACHINE_PATHS[0])]
        );
    }
}

//! Every Markdown page has exactly one title, a line that begins with `# `.

use super::repo::{Repo, Violation};

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.files.iter().filter(|file| file.path.ends_with(".md") && !file.is_recording())
    {
        let titles = titles(&file.text);
        match titles.as_slice() {
            [_] => {}
            [] => found.push(file.violation(1, "no title; a page begins with `# `")),
            [_, second, ..] => found.push(file.violation(*second, "a second title; use `## `")),
        }
    }
    found
}

/// The lines, from 1, that are titles. In fenced code `# ` begins a shell comment.
fn titles(text: &str) -> Vec<usize> {
    let mut fenced = false;
    let mut found = vec![];
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with("# ") {
            found.push(index + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn a_page_without_or_with_two_titles_is_found() {
        assert_eq!(
            said(check, &[("a.md", "## b\n")]),
            ["a.md:1: no title; a page begins with `# `"]
        );
        assert_eq!(said(check, &[("a.md", "# b\n# c\n")]), ["a.md:2: a second title; use `## `"]);
    }

    #[test]
    fn comments_in_code_are_no_titles() {
        assert_eq!(said(check, &[("a.md", "# b\n```sh\n# c\n```\n")]), [""; 0]);
    }
}

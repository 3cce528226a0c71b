//! Decisions are `NNNN-title.md`, numbered from 0001 without gaps, each listed in the folder's README.

use super::repo::{File, Repo, Violation};

const FOLDER: &str = "docs/decisions/";
const INDEX: &str = "docs/decisions/README.md";

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let index = repo.file(INDEX).map_or("", |file| file.text.as_str());
    let mut found = vec![];
    let mut expected = 1;
    for file in repo.under(FOLDER).filter(|file| file.path != INDEX) {
        let name = &file.path[FOLDER.len()..];
        let Some(number) = number(name) else {
            found.push(
                file.violation(1, "a decision is named `NNNN-title.md`, small letters and hyphens"),
            );
            continue;
        };
        if number != expected {
            found.push(file.violation(1, format!("number {expected:04} was expected here")));
        }
        expected = number + 1;
        if !index.contains(&format!("({name})")) {
            found.push(file.violation(1, format!("is not listed in {INDEX}")));
        }
    }
    found.extend(repo.file(INDEX).map_or(vec![], |file| dangling(file, repo)));
    found
}

/// Lines of the index that link to a decision that is not there.
fn dangling(index: &File, repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for (at, line) in index.text.lines().enumerate() {
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let missing = number(link).is_some() && repo.file(&format!("{FOLDER}{link}")).is_none();
            if missing {
                found
                    .push(index.violation(at + 1, format!("lists `{link}`, which does not exist")));
            }
        }
    }
    found
}

fn number(name: &str) -> Option<u32> {
    let (digits, title) = name.strip_suffix(".md")?.split_once('-')?;
    let well_formed = digits.len() == 4
        && !title.is_empty()
        && title.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    digits.parse().ok().filter(|_| well_formed)
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    const LISTED: &str = "[a](0001-a.md) [b](0002-b.md)\n";

    #[test]
    fn numbered_and_listed_passes() {
        let files =
            [("docs/decisions/0001-a.md", ""), ("docs/decisions/0002-b.md", ""), (INDEX, LISTED)];
        assert_eq!(said(check, &files), [""; 0]);
    }

    #[test]
    fn gaps_and_repeats_are_found() {
        let files = [("docs/decisions/0002-b.md", ""), (INDEX, "(0002-b.md)")];
        assert_eq!(
            said(check, &files),
            ["docs/decisions/0002-b.md:1: number 0001 was expected here"]
        );
        let files = [
            ("docs/decisions/0001-a.md", ""),
            ("docs/decisions/0001-b.md", ""),
            (INDEX, "(0001-a.md)(0001-b.md)"),
        ];
        assert_eq!(
            said(check, &files),
            ["docs/decisions/0001-b.md:1: number 0002 was expected here"]
        );
    }

    #[test]
    fn names_listings_and_links_must_agree() {
        assert!(
            said(check, &[("docs/decisions/Why.md", "")])[0].contains("is named `NNNN-title.md`")
        );
        assert!(
            said(check, &[("docs/decisions/0001-a.md", ""), (INDEX, "")])[0]
                .contains("is not listed")
        );
        let found = said(check, &[("docs/decisions/0001-a.md", ""), (INDEX, LISTED)]);
        assert_eq!(found, [format!("{INDEX}:1: lists `0002-b.md`, which does not exist")]);
    }
}

//! Every code a refusal can have is explained in `docs/errors.md`, under a heading of that name.

use super::items;
use super::repo::{File, Repo, Violation};

const COMMAND: &str = "crates/longhaul-core/src/refused.rs";
const PAGE: &str = "docs/errors.md";

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    // Before the type exists there is nothing to explain.
    let Some(command) = repo.file(COMMAND) else { return vec![] };
    let codes = codes(command);
    if codes.is_empty() {
        // Otherwise a renamed method would switch this check off without a word.
        return vec![
            command.violation(1, "found no codes: `Refused::code()` should name them as strings"),
        ];
    }
    let page = repo.file(PAGE).map_or("", |file| file.text.as_str());
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|rest| rest.trim_matches('`'))
        .collect();
    let missing = codes.into_iter().filter(|(_, code)| !headings.contains(&code.as_str()));
    missing
        .map(|(line, code)| {
            command.violation(line, format!("`{code}` has no section `## {code}` in {PAGE}"))
        })
        .collect()
}

/// The strings inside functions called `code`, with their lines.
fn codes(file: &File) -> Vec<(usize, String)> {
    let functions = items::functions(file);
    let mut found = vec![];
    for (index, line) in file.source.uncommented.lines().enumerate() {
        let inside = functions
            .iter()
            .any(|function| function.name == "code" && function.contains(index + 1));
        if inside {
            let strings = line.split('"').skip(1).step_by(2);
            found.extend(strings.map(|code| (index + 1, code.to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    const CODES: &str = "impl Refused {\n fn code(&self) -> &'static str {\n  match self {\n   Self::A => \"not_found\",\n   \
                         Self::B => \"stale\",\n  }\n }\n fn words() { \"other\" }\n}\n";

    #[test]
    fn a_code_without_its_section_is_found() {
        let found = said(check, &[(COMMAND, CODES), (PAGE, "# Errors\n## `not_found`\n")]);
        assert_eq!(found, [format!("{COMMAND}:5: `stale` has no section `## stale` in {PAGE}")]);
        assert_eq!(said(check, &[(COMMAND, CODES), (PAGE, "## not_found\n## stale\n")]), [""; 0]);
    }

    #[test]
    fn the_check_waits_for_the_type_but_not_for_a_renamed_method() {
        assert_eq!(said(check, &[]), [""; 0]);
        assert!(said(check, &[(COMMAND, "enum Refused {}")])[0].contains("found no codes"));
    }
}

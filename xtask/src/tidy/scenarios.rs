//! `docs/scenarios.md` answers every scenario of the contract, `docs/scenarios-in-process.md` those of
//! the in-process layer, `docs/scenarios-agents.md` those of agents, `docs/scenarios-arcp.md` those of
//! the protocol of sessions, and all name only tests that exist.
//!
//! A page says in its lists `Scenarios:` and `Guarantees:` which numbers there are; each needs
//! exactly one row in the tables. A row that names no test must say why.

use super::items;
use super::repo::{File, Repo, Violation};
use std::collections::BTreeSet;

const PAGE: &str = "docs/scenarios.md";
/// This one has no list of guarantees.
const IN_PROCESS_PAGE: &str = "docs/scenarios-in-process.md";
const AGENTS_PAGE: &str = "docs/scenarios-agents.md";
/// This one has no list of guarantees either.
const ARCP_PAGE: &str = "docs/scenarios-arcp.md";
/// What a row without a test begins with.
const REASONS: [&str; 2] = ["does not apply: ", "later, with "];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    const SCENARIOS: (&str, &str) = ("Scenarios: ", "");
    const GUARANTEES: (&str, &str) = ("Guarantees: ", "G-");
    let pages: [(&str, &[(&str, &str)]); 4] = [
        (PAGE, &[SCENARIOS, GUARANTEES]),
        (IN_PROCESS_PAGE, &[SCENARIOS]),
        (AGENTS_PAGE, &[SCENARIOS, GUARANTEES]),
        (ARCP_PAGE, &[SCENARIOS]),
    ];
    // A repository without a page, as other checks' tests make them up, promises nothing.
    let there = pages.iter().filter_map(|(path, lists)| Some((repo.file(path)?, lists)));
    there.flat_map(|(page, lists)| check_page(repo, page, lists)).collect()
}

fn check_page(repo: &Repo, page: &File, lists: &[(&str, &str)]) -> Vec<Violation> {
    let mut found = vec![];
    let rows = rows(page);
    for (list, prefix) in lists {
        match listed(page, list) {
            Some(numbers) => found.extend(unanswered(page, &numbers, prefix, &rows)),
            None => {
                found.push(page.violation(1, format!("no line `{list}1–3, 5` says what there is")))
            }
        }
    }
    let tests = tests(repo);
    for row in &rows {
        found.extend(row.complaints(&tests).map(|words| page.violation(row.line, words)));
    }
    found
}

/// One line of a table: its number (`12` or `G-3`), what must hold, and where that is shown.
struct Row<'a> {
    line: usize,
    number: &'a str,
    holds: &'a str,
    shown: &'a str,
}

impl Row<'_> {
    fn complaints(&self, tests: &BTreeSet<String>) -> impl Iterator<Item = String> {
        let named = named(self.shown);
        let mut words = vec![];
        if self.holds.is_empty() {
            words.push(format!("{} does not say what must hold", self.number));
        }
        if named.is_empty() && !REASONS.iter().any(|reason| self.shown.starts_with(reason)) {
            let number = self.number;
            words.push(format!(
                "{number} names no test and does not begin with `{}`",
                REASONS.join("` or `")
            ));
        }
        for path in named.into_iter().filter(|path| !tests.contains(&short(path))) {
            words.push(format!("{} names `{path}`, which is no test", self.number));
        }
        words.into_iter()
    }
}

/// The rows of all tables whose first cell is a number.
fn rows(page: &File) -> Vec<Row<'_>> {
    let mut found = vec![];
    for (index, line) in page.text.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", number, holds, shown, ""] = cells[..]
            && number.ends_with(|c: char| c.is_ascii_digit())
        {
            found.push(Row { line: index + 1, number, holds, shown });
        }
    }
    found
}

/// The numbers of a list such as `1–3, 5`.
fn listed(page: &File, list: &str) -> Option<Vec<u32>> {
    let line = page.text.lines().find_map(|line| line.strip_prefix(list))?;
    let mut numbers = vec![];
    for part in line.trim_end_matches('.').split(", ") {
        let (first, last) = part.split_once('–').unwrap_or((part, part));
        numbers.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(numbers)
}

/// Numbers without a row, and rows whose number is not listed or has come before.
fn unanswered(page: &File, numbers: &[u32], prefix: &str, rows: &[Row<'_>]) -> Vec<Violation> {
    let mut left: BTreeSet<u32> = numbers.iter().copied().collect();
    let mut found = vec![];
    for row in rows {
        // The scenarios' numbers are bare, so those of the other table do not parse.
        let Some(number) = row.number.strip_prefix(prefix).and_then(|rest| rest.parse().ok())
        else {
            continue;
        };
        if !left.remove(&number) {
            let words = format!("{} is not in the list, or a second time here", row.number);
            found.push(page.violation(row.line, words));
        }
    }
    found.extend(
        left.iter().map(|number| page.violation(1, format!("{prefix}{number} has no row"))),
    );
    found
}

/// The tests that a cell names.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::")).collect()
}

/// Crate, module and function of a path; what stands between is for people.
pub(super) fn short(path: &str) -> String {
    let parts: Vec<&str> = path.split("::").collect();
    match parts[..] {
        [krate, .., module, test] => format!("{krate}::{module}::{test}"),
        _ => path.to_owned(),
    }
}

/// Every test function as [`short`] gives it: a file is a module.
pub(super) fn tests(repo: &Repo) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in repo.rust() {
        let Some(folder) =
            file.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next())
        else {
            continue;
        };
        let place = format!("{}::{}", folder.replace('-', "_"), file.stem());
        let functions = items::functions(file).into_iter();
        let tests = functions.filter(|function| is_test(file, function.first));
        found.extend(tests.map(|test| format!("{place}::{}", test.name)));
    }
    found
}

/// Whether an attribute ending in `test` stands directly above this line.
fn is_test(file: &File, first: usize) -> bool {
    let lines: Vec<&str> = file.source.code.lines().take(first.saturating_sub(1)).collect();
    let above = lines.iter().rev().map(|line| line.trim());
    let mut attributes = above.take_while(|line| line.starts_with("#["));
    attributes.any(|line| {
        let path = line.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default();
        path == "test" || path.ends_with("::test")
    })
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    const SUITE: (&str, &str) = (
        "crates/longhaul-core/tests/it/a.rs",
        "#[test]\nfn it_holds() {\n}\n#[tokio::test(flavor = \"x\")]\nasync fn later() {\n}\nfn helps() {\n}\nproptest! {\n #[test]\n fn always(x in 0..3) {\n }\n}\n",
    );

    fn page(rows: &str) -> Vec<String> {
        let text = format!("# S\nScenarios: 1–2, 4.\nGuarantees: 1.\n| n | h | s |\n{rows}");
        said(check, &[(PAGE, &text), SUITE])
    }

    const WHOLE: &str = "| 1 | a | `longhaul_core::a::it_holds`, `longhaul_core::a::always` |\n\
                         | 2 | b | does not apply: c |\n| 4 | d | later, with sinks |\n";
    const G: &str = "| G-1 | e | `longhaul_core::a::later` |\n";

    #[test]
    fn every_number_with_its_test_or_its_reason_passes() {
        assert_eq!(page(&format!("{WHOLE}{G}")), [""; 0]);
        assert_eq!(said(check, &[SUITE]), [""; 0]);
    }

    #[test]
    fn gaps_repeats_and_strangers_are_found() {
        assert_eq!(page(WHOLE), [format!("{PAGE}:1: G-1 has no row")]);
        let cut = WHOLE.replace("| 2 | b | does not apply: c |\n", "");
        assert_eq!(page(&format!("{cut}{G}")), [format!("{PAGE}:1: 2 has no row")]);
        for more in ["| 3 | b | later, with x |\n", "| 4 | d | later, with x |\n"] {
            let found = page(&format!("{WHOLE}{G}{more}"));
            assert!(found[0].contains("is not in the list, or a second time here"), "{found:?}");
        }
    }

    #[test]
    fn tests_that_do_not_exist_are_found() {
        for wrong in [
            "longhaul_core::a::it_held",
            "longhaul_core::a::helps",
            "longhaul::a::it_holds",
            "longhaul_core::b::it_holds",
        ] {
            let rows = format!("{WHOLE}{G}").replace("longhaul_core::a::it_holds", wrong);
            let found = page(&rows);
            assert!(found[0].contains(":5: 1 names `"), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn rows_without_test_or_reason_or_words_are_found() {
        let bare = format!("{WHOLE}{G}").replace("does not apply: c", "it is fine");
        assert!(page(&bare)[0].contains("2 names no test and does not begin with"));
        let silent = format!("{WHOLE}{G}").replace("| 2 | b |", "| 2 | |");
        assert_eq!(page(&silent), [format!("{PAGE}:6: 2 does not say what must hold")]);
    }

    #[test]
    fn the_page_of_in_process_jobs_is_held_to_the_same() {
        let text = "# S\nScenarios: 1–2.\n| 1 | a | `longhaul_core::a::it_held` |\n";
        let found = said(check, &[(IN_PROCESS_PAGE, text), SUITE]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("2 has no row") && found[1].contains("is no test"), "{found:?}");
    }

    #[test]
    fn the_page_of_agents_is_held_to_the_same() {
        let page = |rows: &str| {
            let text = format!("# S\nScenarios: 1–2.\nGuarantees: 1.\n{rows}{G}");
            said(check, &[(AGENTS_PAGE, &text), SUITE])
        };
        let whole = "| 1 | a | `longhaul_core::a::it_holds` |\n| 2 | b | later, with x |\n";
        assert_eq!(page(whole), [""; 0]);
        let found = page("| 1 | a | `longhaul_core::a::it_held` |\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("2 has no row") && found[1].contains("is no test"), "{found:?}");
        let found = page(&format!("{whole}{G}"));
        assert!(found[0].contains("G-1 is not in the list, or a second time"), "{found:?}");
    }

    #[test]
    fn a_page_without_its_lists_is_found() {
        let found = said(check, &[(PAGE, "# S\nScenarios: 1, x\n")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|words| words.contains("says what there is")), "{found:?}");
    }
}

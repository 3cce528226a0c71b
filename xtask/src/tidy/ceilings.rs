//! No file over 500 lines and no function over 70, except the debts, which may only shrink.

use super::items;
use super::repo::{DEBTS, Repo, Violation};
use std::collections::BTreeMap;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Sizes by `path` or `path::function`.
type Sizes = BTreeMap<String, usize>;

/// The two tables of the debts file.
#[derive(Default)]
struct Debts {
    files: Sizes,
    functions: Sizes,
}

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let debts = match repo.file(DEBTS).map(|file| parse(&file.text)) {
        None => Debts::default(),
        Some(Ok(debts)) => debts,
        Some(Err(error)) => return vec![debt_violation(format!("does not parse: {error}"))],
    };
    let mut found = vec![];
    let mut today = Debts::default();
    for file in repo.rust() {
        let lines = file.text.lines().count();
        let owed = debts.files.get(&file.path).copied().unwrap_or(FILE_LINES_MAX);
        if lines > owed.max(FILE_LINES_MAX) {
            found.push(file.violation(owed + 1, format!("{lines} lines; the ceiling is {owed}")));
        }
        today.files.insert(file.path.clone(), lines);
        for function in items::functions(file) {
            let key = format!("{}::{}", file.path, function.name);
            let lines = function.last - function.first + 1;
            let owed = debts.functions.get(&key).copied().unwrap_or(FUNCTION_LINES_MAX);
            if lines > owed.max(FUNCTION_LINES_MAX) {
                let message =
                    format!("`{}` has {lines} lines; the ceiling is {owed}", function.name);
                found.push(file.violation(function.first, message));
            }
            // Functions of one name in one file share an entry: the longest counts.
            let longest = today.functions.entry(key).or_default();
            *longest = lines.max(*longest);
        }
    }
    found.extend(paid(&debts.files, &today.files, FILE_LINES_MAX));
    found.extend(paid(&debts.functions, &today.functions, FUNCTION_LINES_MAX));
    found.extend(grown(&debts, repo));
    found
}

/// A debt is written down as it is today, so that what was won stays won.
fn paid(debts: &Sizes, today: &Sizes, ceiling: usize) -> Vec<Violation> {
    let mut found = vec![];
    for (key, owed) in debts {
        let now = today.get(key).copied().unwrap_or(0);
        if now <= ceiling {
            found.push(debt_violation(format!("`{key}` is within the ceiling; remove its entry")));
        } else if now < *owed {
            found.push(debt_violation(format!("`{key}` has shrunk; write {now} for {owed}")));
        }
    }
    found
}

/// A new entry is growth too: from the ceiling.
fn grown(debts: &Debts, repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for before in repo.debts_before.iter().filter_map(|text| parse(text).ok()) {
        for (now, before) in [(&debts.files, &before.files), (&debts.functions, &before.functions)]
        {
            let more = now.iter().filter(|(key, owed)| before.get(*key).is_none_or(|b| *owed > b));
            found.extend(more.map(|(key, _)| debt_violation(format!("`{key}` may only shrink"))));
        }
    }
    found.dedup();
    found
}

fn parse(text: &str) -> Result<Debts, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut debts = Debts::default();
    for (name, value) in &table {
        let sizes = match name.as_str() {
            "files" => &mut debts.files,
            "functions" => &mut debts.functions,
            other => return Err(format!("unknown table `{other}`")),
        };
        for (key, size) in value.as_table().ok_or("only tables may stand here")? {
            let size = size.as_integer().and_then(|size| usize::try_from(size).ok());
            sizes.insert(key.clone(), size.ok_or("a size is a whole number")?);
        }
    }
    Ok(debts)
}

fn debt_violation(message: String) -> Violation {
    Violation { path: DEBTS.to_owned(), line: 1, message }
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    fn function_of(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_over_the_ceiling_is_found() {
        assert_eq!(said(check, &[("a.rs", &"\n".repeat(500))]), [""; 0]);
        assert_eq!(
            said(check, &[("a.rs", &"\n".repeat(501))]),
            ["a.rs:501: 501 lines; the ceiling is 500"]
        );
    }

    #[test]
    fn a_function_over_the_ceiling_is_found() {
        assert_eq!(said(check, &[("a.rs", &function_of(70))]), [""; 0]);
        let found = said(check, &[("a.rs", &function_of(71))]);
        assert_eq!(found, ["a.rs:1: `long` has 71 lines; the ceiling is 70"]);
    }

    #[test]
    fn a_debt_lets_pass_exactly_what_it_says() {
        let debts = "[functions]\n\"a.rs::long\" = 80\n";
        let with = |lines| said(check, &[("a.rs", &function_of(lines)), (DEBTS, debts)]);
        assert_eq!(with(80), [""; 0]);
        assert_eq!(with(81), ["a.rs:1: `long` has 81 lines; the ceiling is 80"]);
        assert_eq!(with(79), [format!("{DEBTS}:1: `a.rs::long` has shrunk; write 79 for 80")]);
        assert_eq!(
            with(70),
            [format!("{DEBTS}:1: `a.rs::long` is within the ceiling; remove its entry")]
        );
    }

    #[test]
    fn a_debt_that_grew_or_is_new_is_found() {
        let debts = "[functions]\n\"a.rs::long\" = 80\n";
        let mut repo = Repo::of(&[("a.rs", &function_of(80)), (DEBTS, debts)]);
        for before in ["[functions]\n", "[functions]\n\"a.rs::long\" = 75\n"] {
            repo.debts_before = vec![before.to_owned()];
            assert_eq!(check(&repo)[0].message, "`a.rs::long` may only shrink");
        }
        repo.debts_before = vec![debts.to_owned()];
        assert_eq!(check(&repo), []);
    }

    #[test]
    fn a_debts_file_that_does_not_parse_is_found() {
        assert!(said(check, &[(DEBTS, "[files]\na = \"b\"\n")])[0].contains("whole number"));
        assert!(said(check, &[(DEBTS, "[other]\n")])[0].contains("unknown table"));
    }
}

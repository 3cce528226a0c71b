//! Every file in `tests/it/` is a module of that folder's `main.rs`; one that is not never runs.

use super::repo::{Repo, Violation};
use super::source::words;

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.rust() {
        let Some((folder, inside)) = file.path.split_once("/tests/it/") else { continue };
        let (module, is_module) = match inside.split_once('/') {
            None => (file.stem(), inside != "main.rs"),
            Some((module, rest)) => (module, rest == "mod.rs"),
        };
        if !is_module {
            continue;
        }
        let main = repo.file(&format!("{folder}/tests/it/main.rs"));
        let declared = main.is_some_and(|main| {
            let names: Vec<&str> = words(&main.source.code).map(|(_, word)| word).collect();
            names.windows(2).any(|pair| pair == ["mod", module])
        });
        if !declared {
            found.push(
                file.violation(1, format!("is never run: `mod {module};` is missing in main.rs")),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn an_undeclared_suite_is_found() {
        let main = ("crates/a/tests/it/main.rs", "mod runs;\n// mod crash;\n");
        let files = [("crates/a/tests/it/crash.rs", ""), main, ("crates/a/tests/it/runs.rs", "")];
        let found = said(check, &files);
        assert_eq!(
            found,
            ["crates/a/tests/it/crash.rs:1: is never run: `mod crash;` is missing in main.rs"]
        );
    }

    #[test]
    fn a_folder_without_main_runs_nothing() {
        assert_eq!(said(check, &[("crates/a/tests/it/crash.rs", "")]).len(), 1);
        assert_eq!(said(check, &[("crates/a/tests/it/walks/mod.rs", "")]).len(), 1);
    }
}

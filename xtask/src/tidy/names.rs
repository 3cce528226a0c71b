//! No type or module is called after nothing in particular.

use super::repo::{Repo, Violation};
use super::source::{line_of, words};

const TYPES: &[&str] =
    &["Manager", "Handler", "Util", "Utils", "Helper", "Helpers", "Info", "Data"];
const MODULES: &[&str] =
    &["manager", "handler", "util", "utils", "helper", "helpers", "info", "data"];
const KEYWORDS: &[&str] = &["struct", "enum", "trait", "type", "union", "mod"];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.rust() {
        let code = &file.source.code;
        let mut keyword = false;
        for (offset, word) in words(code) {
            if keyword && is_vague(word) {
                found.push(file.violation(line_of(code, offset), message(word)));
            }
            keyword = KEYWORDS.contains(&word);
        }
        // A file that is not declared with `mod` is a crate root, and may have such a name too.
        if is_vague(file.stem()) {
            found.push(file.violation(1, message(file.stem())));
        }
    }
    found
}

fn is_vague(name: &str) -> bool {
    TYPES.iter().any(|vague| name.ends_with(vague))
        || name.rsplit('_').next().is_some_and(|last| MODULES.contains(&last))
}

fn message(name: &str) -> String {
    format!("`{name}` says nothing; name what it does or holds")
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn vague_types_and_modules_are_found() {
        for text in
            ["struct JobManager;", "enum ExitInfo {}", "mod test_util {}", "type Data = u8;"]
        {
            assert_eq!(said(check, &[("a.rs", text)]).len(), 1, "{text}");
        }
        assert_eq!(
            said(check, &[("src/helpers.rs", "")]),
            ["src/helpers.rs:1: `helpers` says nothing; name what it does or holds"]
        );
    }

    #[test]
    fn words_that_only_contain_one_pass() {
        let text = "struct Handle; struct Metadata; // struct Info\nfn data() { info!() }\n";
        assert_eq!(said(check, &[("src/database.rs", text)]), [""; 0]);
    }
}

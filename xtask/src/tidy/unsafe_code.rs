//! `unsafe` only in the shim, the one crate whose system calls need it.

use super::repo::{Repo, Violation};
use super::source::{line_of, words};

const ALLOWED: &str = "crates/longhaul-shim/";

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let mut found = vec![];
    for file in repo.rust().filter(|file| !file.path.starts_with(ALLOWED)) {
        let code = &file.source.code;
        for (offset, _) in words(code).filter(|(_, word)| *word == "unsafe") {
            found.push(file.violation(line_of(code, offset), "`unsafe` belongs in the shim"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn unsafe_outside_the_shim_is_found() {
        let text = "// unsafe\nfn f() { unsafe { g() } }\n";
        let found = said(check, &[("crates/longhaul/src/a.rs", text)]);
        assert_eq!(found, ["crates/longhaul/src/a.rs:2: `unsafe` belongs in the shim"]);
        assert_eq!(said(check, &[("crates/longhaul-shim/src/child.rs", text)]), [""; 0]);
    }
}

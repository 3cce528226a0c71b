//! Which module of the product may name which. The table is the rule; `ARCHITECTURE.md` says why.

use super::paths::{self, Path};
use super::repo::{File, Repo, Violation};

const PRODUCT: &str = "crates/longhaul/src/";

/// One row: files whose path begins with `inside` must not name a path that begins with one of `never`.
struct Direction {
    inside: &'static str,
    never: &'static [&'static str],
    why: &'static str,
}

const CLIENTS_ONLY: &[&str] = &["crate::daemon", "crate::serve", "crate::store", "longhaul_store"];
const STRANGER: &str = "it talks to the daemon through `client`, like any stranger";

const DIRECTIONS: &[Direction] = &[
    Direction { inside: "cli", never: CLIENTS_ONLY, why: STRANGER },
    Direction { inside: "tui", never: CLIENTS_ONLY, why: STRANGER },
    Direction { inside: "client", never: CLIENTS_ONLY, why: STRANGER },
    Direction {
        inside: "daemon/supervisor",
        never: &["crate::daemon::courier", "crate::daemon::issuer", "crate::serve", "crate::cli"],
        why: "drivers know the engine's handle and nothing of each other",
    },
    Direction {
        inside: "daemon/courier",
        never: &[
            "crate::daemon::supervisor",
            "crate::daemon::issuer",
            "crate::serve",
            "crate::cli",
        ],
        why: "drivers know the engine's handle and nothing of each other",
    },
    Direction {
        inside: "api",
        never: &["crate::daemon", "crate::serve", "crate::cli", "crate::client"],
        why: "both ends of the wire use these shapes, so they know neither",
    },
    Direction { inside: "daemon", never: &["crate::cli"], why: "the daemon has no terminal" },
    Direction { inside: "serve", never: &["crate::cli"], why: "a server has no terminal" },
];

/// The engine's thread, the composition root that opens the store for it, and who mends one.
const STORE_HOLDERS: &[&str] = &["daemon/engine.rs", "daemon/mend.rs", "daemon/mod.rs"];

/// What only a store holder may name, wherever it comes from. `Reader` is for everyone.
const STORE_NAMES: &[&str] = &["Store", "Tx"];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    repo.under(PRODUCT).filter(|file| file.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let inside = &file.path[PRODUCT.len()..];
    let mut found = vec![];
    for path in paths::resolved(file) {
        let rows = DIRECTIONS.iter().filter(|row| is_in(inside, row.inside));
        for row in rows.filter(|row| row.never.iter().any(|never| begins(&path, never))) {
            let message =
                format!("`{}` must not name `{}`: {}", row.inside, path.names.join("::"), row.why);
            found.push(file.violation(path.line, message));
        }
        let store = path.names[0] == "longhaul_store"
            || path.names.iter().any(|name| STORE_NAMES.contains(&name.as_str()));
        if store && !STORE_HOLDERS.contains(&inside) {
            let message = format!(
                "names `{}`: only the engine's thread holds a store",
                path.names.join("::")
            );
            found.push(file.violation(path.line, message));
        }
    }
    found
}

/// `cli` covers `cli.rs` and `cli/…`, not `client.rs`.
fn is_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn begins(path: &Path, prefix: &str) -> bool {
    let prefix: Vec<&str> = prefix.split("::").collect();
    path.names.len() >= prefix.len()
        && path.names.iter().zip(prefix).all(|(name, want)| name == want)
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    #[test]
    fn the_command_line_may_not_reach_into_the_daemon() {
        let path = "crates/longhaul/src/cli/run.rs";
        for text in [
            "use crate::daemon::EngineHandle;",
            "use crate::{client, daemon};",
            "fn f() { crate::daemon::start() }",
            "use super::super::daemon;",
        ] {
            let found = said(check, &[(path, text)]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(
                "crates/longhaul/src/cli/run.rs:1: `cli` must not name `crate::daemon"
            ));
        }
        assert_eq!(
            said(check, &[(path, "use crate::client; use super::daemon; // crate::daemon")]),
            [""; 0]
        );
    }

    #[test]
    fn only_the_engine_and_the_root_hold_a_store() {
        let text = "use longhaul_store::Sqlite;";
        for bad in ["serve/http/jobs.rs", "daemon/journal.rs", "main.rs"] {
            let found = said(check, &[(&format!("{PRODUCT}{bad}"), text)]);
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
        }
        for good in STORE_HOLDERS {
            assert_eq!(said(check, &[(&format!("{PRODUCT}{good}"), text)]), [""; 0]);
        }
    }

    #[test]
    fn servers_get_readers_and_never_the_port() {
        let path = "crates/longhaul/src/serve/mod.rs";
        assert_eq!(said(check, &[(path, "use longhaul_core::port::Reader;")]), [""; 0]);
        assert_eq!(said(check, &[(path, "use longhaul_core::port::{Reader, Tx};")]).len(), 1);
        assert_eq!(said(check, &[(path, "fn f(s: &mut dyn Store) {}")]).len(), 1);
    }

    #[test]
    fn wire_shapes_know_neither_end() {
        let path = "crates/longhaul/src/api/mod.rs";
        assert_eq!(said(check, &[(path, "use crate::client::Client;")]).len(), 1);
        assert_eq!(said(check, &[(path, "use longhaul_core::job::Job;")]), [""; 0]);
    }

    #[test]
    fn drivers_do_not_know_each_other() {
        let path = "crates/longhaul/src/daemon/supervisor/tail.rs";
        assert_eq!(said(check, &[(path, "use super::super::courier;")]).len(), 1);
        assert_eq!(said(check, &[(path, "use crate::daemon::handle;")]), [""; 0]);
    }
}

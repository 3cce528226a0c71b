//! Which package may depend on which: direct edges of every kind, tests' and builds' included.

use super::repo::{Repo, Violation};
use super::workspace::Package;

/// What a package of ours may have of ours. One that is not named here may have anything.
const OURS: &[(&str, &[&str])] = &[
    // Its scripts run over the memory twin. Anything but a tests' edge would be a cycle, which
    // cargo refuses by itself.
    ("longhaul-core", &["longhaul-store"]),
    // Vendors change weekly; nothing of ours depends on how, and they on nothing of ours.
    ("longhaul-agents", &[]),
    ("longhaul-arcp", &["longhaul-core"]),
    ("longhaul-shim", &[]),
    ("longhaul-store", &["longhaul-core"]),
    ("longhaul-sim", &["longhaul-core", "longhaul-store"]),
    ("longhaul-bench", &["longhaul"]),
    (
        "longhaul",
        &["longhaul-agents", "longhaul-arcp", "longhaul-core", "longhaul-shim", "longhaul-store"],
    ),
    ("xtask", &[]),
];

/// A package of others, who of ours may have it, and why nobody else.
const THEIRS: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["longhaul-store"], "only the store speaks to a database"),
    ("axum", &["longhaul"], "only `serve` speaks HTTP"),
    ("reqwest", &["longhaul"], "only the product calls out"),
    // The benchmark embeds the product, which needs a runtime of the embedding program.
    ("tokio", &["longhaul", "longhaul-bench"], "everything else is synchronous"),
];

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    let ours: Vec<&str> = repo.packages.iter().map(|package| package.name.as_str()).collect();
    let mut found = vec![];
    for package in &repo.packages {
        for edge in &package.dependencies {
            if ours.contains(&edge.as_str()) && !may_have(package, edge) {
                found.push(violation(package, format!("must not depend on `{edge}`")));
            }
            let theirs = THEIRS.iter().find(|(name, _, _)| name == edge);
            if let Some((name, parents, why)) = theirs
                && !parents.contains(&package.name.as_str())
            {
                found.push(violation(package, format!("must not depend on `{name}`: {why}")));
            }
        }
    }
    found
}

fn may_have(package: &Package, edge: &str) -> bool {
    // A package may name itself among its tests' dependencies, to turn on a feature.
    if edge == package.name {
        return true;
    }
    OURS.iter().find(|(name, _)| *name == package.name).is_none_or(|(_, may)| may.contains(&edge))
}

fn violation(package: &Package, message: String) -> Violation {
    let message = format!("`{}` {message}", package.name);
    Violation { path: package.manifest.clone(), line: 1, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(edges: &[(&str, &[&str])]) -> Vec<String> {
        let package = |(name, edges): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: edges.iter().map(|&edge| edge.to_owned()).collect(),
            ..Package::default()
        };
        let packages = edges.iter().map(package).collect();
        let repo = Repo { packages, ..Repo::default() };
        check(&repo).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn edges_that_point_down_pass() {
        let edges: &[(&str, &[&str])] = &[
            ("longhaul-core", &["serde", "longhaul-core"]),
            ("longhaul-store", &["longhaul-core", "rusqlite"]),
            ("longhaul", &["longhaul-core", "longhaul-store", "axum", "reqwest", "tokio"]),
        ];
        assert_eq!(messages(edges), [""; 0]);
    }

    #[test]
    fn edges_that_point_up_are_found() {
        let edges: &[(&str, &[&str])] =
            &[("longhaul-store", &["longhaul-shim"]), ("longhaul-shim", &[])];
        assert_eq!(messages(edges), ["`longhaul-store` must not depend on `longhaul-shim`"]);
    }

    #[test]
    fn the_shim_stays_small() {
        let found = messages(&[
            ("longhaul-shim", &["tokio", "rusqlite", "longhaul-core"]),
            ("longhaul-core", &[]),
        ]);
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_second_parent_of_a_guarded_crate_is_found() {
        let found = messages(&[("longhaul-sim", &["rusqlite"]), ("longhaul-bench", &["axum"])]);
        assert!(found[0].contains("only the store speaks to a database"), "{found:?}");
        assert!(found[1].contains("only `serve` speaks HTTP"), "{found:?}");
    }
}

//! The packages of this workspace and what their manifests ask for, from `cargo metadata`.

use crate::shell;
use anyhow::{Context, Result};
use serde_json::Value;

/// One package of ours.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the top folder.
    pub(crate) manifest: String,
    /// Direct dependencies of every kind, tests' and builds' too, by package name.
    pub(crate) dependencies: Vec<String>,
    /// Features the manifest declares.
    pub(crate) features: Vec<String>,
}

/// Asks cargo, without the network: direct edges need no resolution.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let words = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    parse(&shell::output_of("cargo", &words)?)
}

fn parse(text: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(text).context("failed to parse cargo metadata")?;
    let top = string(&metadata["workspace_root"])?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages.iter().map(|package| one(package, &top)).collect()
}

fn one(package: &Value, top: &str) -> Result<Package> {
    let dependencies = package["dependencies"].as_array().context("no list of dependencies")?;
    let features = package["features"].as_object().context("no table of features")?;
    let manifest = string(&package["manifest_path"])?;
    let relative = manifest.strip_prefix(top).unwrap_or(&manifest).trim_start_matches('/');
    Ok(Package {
        name: string(&package["name"])?,
        manifest: relative.to_owned(),
        dependencies: dependencies
            .iter()
            .map(|edge| string(&edge["name"]))
            .collect::<Result<_>>()?,
        features: features.keys().cloned().collect(),
    })
}

fn string(value: &Value) -> Result<String> {
    Ok(value.as_str().context("cargo metadata has no text where a name should be")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_names_edges_and_features() {
        let text = r#"{"workspace_root":"/w","packages":[{"name":"a","manifest_path":"/w/crates/a/Cargo.toml",
            "dependencies":[{"name":"b","kind":null},{"name":"c","kind":"dev"}],"features":{"f":[]}}]}"#;
        let packages = parse(text).unwrap();
        assert_eq!(packages[0].manifest, "crates/a/Cargo.toml");
        assert_eq!(packages[0].dependencies, ["b", "c"]);
        assert_eq!(packages[0].features, ["f"]);
    }

    #[test]
    fn anything_else_is_an_error() {
        assert!(parse("{}").is_err());
        assert!(parse("no json").is_err());
    }
}

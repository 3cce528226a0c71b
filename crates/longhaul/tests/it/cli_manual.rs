//! The manual is the program's own help.

use crate::harness::Home;
use std::path::Path;

#[test]
fn the_manual_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let manual = longhaul::cli::manual();
    if std::env::var_os("LONGHAUL_UPDATE").is_some() {
        std::fs::write(&path, &manual).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == manual,
        "docs/cli.md is stale: `LONGHAUL_UPDATE=1 cargo test` writes it anew"
    );
}

#[test]
fn man_and_completions_know_every_command() {
    let home = Home::new();
    let man = home.run(&["man"]);
    let man = man.ok();
    for word in ["LONGHAUL SUBMIT", "LONGHAUL POOL SET", ".SS OPTIONS", "LONGHAUL_HOME"] {
        assert!(man.contains(word), "no {word} in the manual page");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]);
        assert!(script.ok().contains("submit"), "{shell}");
    }
    assert!(!home.path().exists(), "the manual needs no home");
}

#[test]
fn every_error_code_can_be_explained() {
    let home = Home::new();
    let codes = home.run(&["explain"]);
    for code in codes.ok().lines() {
        assert!(home.run(&["explain", code]).ok().len() > 40, "{code}");
    }
    assert!(codes.ok().contains("wait_timeout") && codes.ok().contains("usage"));
    home.run(&["explain", "no_such_code"]).fails(3, "no_such_code");
    let explained = home.json(&["explain", "key_reused"]);
    assert_eq!(explained["code"], "key_reused");
}

#[test]
fn what_cannot_be_parsed_is_a_usage_error_in_our_form() {
    let home = Home::new();
    home.run(&["lisst"]).fails(2, "hint: ");
    home.run(&["run", "--bogus", "--", "true"]).fails(2, "unexpected argument `--bogus`");
    home.run(&["run", "--timeout", "soon", "--", "true"]).fails(2, "`soon` is not a duration");
    home.run(&["submit"]).fails(2, "CMD");
    let ran = home.run(&["--json", "run"]);
    let error: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((ran.code, error["error"]["code"].as_str()), (2, Some("usage")));
    // What follows `--` belongs to the job.
    let ran = home.run(&["list", "--bogus", "--", "--json"]);
    assert_eq!((ran.code, ran.stdout.len()), (2, 0));
}

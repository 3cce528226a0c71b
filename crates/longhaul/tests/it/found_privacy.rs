//! What must not be left behind or said aloud.

use crate::harness::{Home, eventually};
use std::path::Path;

const SECRET: &str = "s3cr3t-0f-4-j0b";

/// The files of the home that hold the secret.
fn holders(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            holders(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(SECRET.len()).any(|piece| piece == SECRET.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_variable_is_nowhere_in_the_home_soon_after_the_job_has_ended() {
    let home = Home::new();
    let setting = format!("TOKEN={SECRET}");
    let id = home.submit(&["--env", &setting, "--", "sh", "-c", "test -n \"$TOKEN\""]);
    assert_eq!(home.run(&["wait", &id]).code, 0);
    eventually("nothing in the home holds the secret, with the daemon up", || {
        let mut found = Vec::new();
        holders(&home.path(), &mut found);
        found.is_empty()
    });
    assert_eq!(home.json(&["doctor"])["sound"], true);
}

#[test]
fn a_variable_that_is_misspelled_is_not_repeated_aloud() {
    let home = Home::new();
    let ran = home.run(&["submit", "--env", SECRET, "--", "true"]);
    ran.fails(2, "NAME=VALUE");
    assert!(!ran.stderr.contains(SECRET), "{ran:?}");
}

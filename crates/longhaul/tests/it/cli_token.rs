//! Tokens: shown once, kept as a hash, revoked by name.

use crate::harness::Home;

#[test]
fn a_token_is_shown_once_and_only_its_hash_is_kept() {
    let home = Home::new();
    let made = home.json(&["token", "add", "alice"]);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("lht_") && token.len() == 68, "{made}");
    assert_eq!((&made["name"], &made["role"]), (&"alice".into(), &"client".into()));
    let said = home.run(&["token", "add", "root", "--role", "operator"]);
    assert_eq!(said.ok().trim().len(), 68);

    let listed = home.run(&["--json", "token", "list"]);
    let text = listed.ok();
    assert!(!text.contains(token) && !text.contains(&token[4..]), "{text}");
    let listed: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(listed["tokens"][0]["name"], "alice");
    assert_eq!(listed["tokens"][0]["hash"], made["hash"]);
    assert_eq!(listed["tokens"][1]["role"], "operator");
    let in_files = std::fs::read(home.path().join("longhaul.db")).unwrap_or_default();
    let secret = &token.as_bytes()[4..];
    assert!(!in_files.windows(secret.len()).any(|window| window == secret));
}

#[test]
fn revoking_takes_all_tokens_of_a_name() {
    let home = Home::new();
    for _ in 0..2 {
        home.json(&["token", "add", "alice"]);
    }
    home.json(&["token", "add", "bob"]);
    assert_eq!(home.json(&["token", "revoke", "alice"])["revoked"], 2);
    home.run(&["token", "revoke", "alice"]).fails(3, "there is no token of `alice`");
    assert_eq!(home.json(&["token", "list"])["tokens"].as_array().unwrap().len(), 1);
    home.run(&["token", "add", "not a name\u{7}"]).fails(2, "name");
}

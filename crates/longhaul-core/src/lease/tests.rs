//! What leases grant, by example; `laws` has what holds for all of them.

mod laws;
mod narrowing;
mod urls;

use super::*;

fn asked(grants: &[(&str, &[&str])]) -> Asked {
    let texts = |texts: &&[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    grants.iter().map(|(name, all)| ((*name).to_owned(), texts(all))).collect()
}

fn lease(grants: &[(&str, &[&str])]) -> Lease {
    Lease::parse(&asked(grants), None).unwrap()
}

fn refusal(grants: &[(&str, &[&str])]) -> String {
    Lease::parse(&asked(grants), None).unwrap_err().to_string()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn is_granted(capability: &str, pattern: &str, target: &str) -> bool {
    is_granted_in(capability, pattern, target, None)
}

fn is_granted_in(capability: &str, pattern: &str, target: &str, cwd: Option<&str>) -> bool {
    let operation = Operation::new(capability, target, cwd);
    let lease = lease(&[(capability, &[pattern])]);
    operation.is_ok_and(|operation| lease.authorize(&operation, at(0)).is_ok())
}

#[test]
fn patterns_match_as_the_grammar_says() {
    for (pattern, target, expected) in [
        ("/a/*", "/a/x", true),
        ("/a/*", "/a/x/y", false),
        ("/a/*", "/a", false),
        ("/a/**", "/a", true),
        ("/a/**", "/a/x", true),
        ("/a/**", "/a/x/y", true),
        ("/a/**", "/ab", false),
        ("/a/**/b", "/a/b", true),
        ("/a/**/b", "/a/x/y/b", true),
        ("/a/**/b", "/a/xb", false),
        ("/a/**/**", "/a", true),
        ("/a/**/**/b", "/a/b", true),
        ("/a/***", "/a/x/y", true),
        ("/*", "/", false),
        ("*/x", "/x", false),
        ("/a/x**y", "/a/x/b/cy", true),
        ("/a/x*y", "/a/xbcy", true),
        ("/a/x*y", "/a/x/y", false),
        ("/**", "/", false),
        ("/**", "/a/b", true),
        ("**/b", "b", false),
        ("**/b", "a/b", true),
        ("**", "a/b", true),
        ("/a?b", "/a?b", true),
        ("/a?b", "/axb", false),
        ("/a[b]{c}.(d)+", "/a[b]{c}.(d)+", true),
        ("/A", "/a", false),
        ("/é/*", "/é/ü", true),
    ] {
        assert_eq!(is_granted(FS_READ, pattern, target), expected, "{pattern} {target}");
        if pattern != "/**" {
            assert_eq!(is_granted(TOOL_CALL, pattern, target), expected, "{pattern} {target}");
        }
    }
    assert!(is_granted(TOOL_CALL, "web.*", "web.search"));
    assert!(!is_granted(TOOL_CALL, "web.*", "web.a/b"));
    assert!(is_granted(MODEL_USE, "vendor/*", "vendor/large-1"));
}

#[test]
fn paths_are_compared_after_their_dots_are_resolved() {
    let cwd = Some("/proj/./src/");
    for (pattern, target, cwd, expected) in [
        ("/a/**", "/a/./b//c/", None, true),
        ("/a/**", "/a/../b", None, false),
        ("/a/**", "/b/../a/x", None, true),
        ("/a/**", "/../a/x", None, true),
        ("/a//b/", "/a/b", None, true),
        ("a/*", "./a/x", None, true),
        ("**", "a/../../x", None, false),
        ("/proj/src/*", "x", cwd, true),
        ("/proj/**", "../x", cwd, true),
        ("/proj/src/**", "../x", cwd, false),
        ("/proj/src/**", ".", cwd, true),
        ("lib/*", "/proj/src/lib/x", cwd, true),
        ("lib/*", "/proj/lib/x", cwd, false),
        ("../*", "../x", None, false),
    ] {
        let patterns: Vec<&str> = if pattern.starts_with("..") { vec![] } else { vec![pattern] };
        let lease = lease(&[(FS_READ, &patterns)]);
        let operation = Operation::new(FS_READ, target, cwd);
        let granted = operation.is_ok_and(|operation| lease.check_grant(&operation).is_ok());
        assert_eq!(granted, expected, "{pattern} {target} {cwd:?}");
    }
    let operation = Operation::new(FS_WRITE, "a/../../b//c", cwd).unwrap();
    assert_eq!(operation.target(), "/proj/b/c");
}

#[test]
fn a_lease_refuses_what_it_has_no_meaning_for() {
    let long = "x".repeat(limits::PATTERN_BYTES_MAX + 1);
    let many = vec!["x"; limits::PATTERNS_MAX + 1];
    let heavy = vec!["y".repeat(1_000); 100];
    let heavy: Vec<&str> = heavy.iter().map(String::as_str).collect();
    for (capability, texts, reason) in [
        ("fs.exec", &["x"][..], "`fs.exec` is no capability"),
        ("x-vendor.acme", &["x"], "`x-vendor.acme` is no capability"),
        ("x-vendor.acme.", &["x"], "is no capability"),
        ("x-vendor..a", &["x"], "is no capability"),
        ("", &["x"], "`` is no capability"),
        (TOOL_CALL, &["a", ""], "`tool.call` for ``: it is empty"),
        (TOOL_CALL, &["a\0"], "a control character"),
        (TOOL_CALL, &["a\\b"], "a backslash"),
        (TOOL_CALL, &[&long], "it is too long"),
        (TOOL_CALL, &many, "at most 256 are taken"),
        (TOOL_CALL, &heavy, "a lease of 100009 bytes"),
        (FS_READ, &["/a/../b"], "no `.` and no `..`"),
        (FS_READ, &["./b"], "no `.` and no `..`"),
        (COST_BUDGET, &["USD:1", "USD"], "`cost.budget` for `USD`: a budget is written as"),
    ] {
        let refusal = refusal(&[(capability, texts)]);
        assert!(refusal.contains(reason), "{capability}: {refusal}");
    }
    let names: Vec<String> =
        (0..=limits::CAPABILITIES_MAX).map(|n| format!("x-vendor.a.b{n}")).collect();
    let named = names.iter().map(|name| (name.clone(), vec![])).collect();
    assert!(Lease::parse(&named, None).unwrap_err().to_string().starts_with("65 capabilities"));
}

#[test]
fn a_lease_is_echoed_and_stored_as_it_was_asked() {
    let grants: &[(&str, &[&str])] = &[
        (FS_READ, &["/a//b/", "**"]),
        (NET_FETCH, &["HTTPS://Example.COM:443/%7Euser/**"]),
        (COST_BUDGET, &["USD:01.50", "USD:1", "tokens:5"]),
        (TOOL_CALL, &[]),
        ("x-vendor.acme.robots", &["arm-*"]),
    ];
    let lease = Lease::parse(&asked(grants), Some(at(5))).unwrap();
    assert_eq!(lease.asked(), asked(grants));
    let text = serde_json::to_string(&lease).unwrap();
    assert_eq!(serde_json::from_str::<Lease>(&text).unwrap(), lease);
    assert!(serde_json::from_str::<Lease>(r#"{"grants":{"fs.exec":["x"]}}"#).is_err());
    let usd = lease.budget().and_then(|budget| budget.of(&Currency::usd()));
    assert_eq!(usd.map(|amount| amount.to_string()).as_deref(), Some("2.5"));
    assert_eq!(lease.end_text().as_deref(), Some("1970-01-01T00:00:00.005Z"));
    let rounder = lease.with_end_text("1970-01-01T00:00:00.0050Z");
    let text = serde_json::to_string(&rounder).unwrap();
    let again = serde_json::from_str::<Lease>(&text).unwrap();
    assert_eq!(again.end_text().as_deref(), Some("1970-01-01T00:00:00.0050Z"));
    let child = rounder.narrow(&Lease::default()).unwrap();
    assert_eq!(child.end_text(), rounder.end_text(), "it ends with its parent");
    assert_eq!(Lease::default().with_end_text("soon").end_text(), None);
}

#[test]
fn what_is_not_named_is_not_granted() {
    let lease = lease(&[(TOOL_CALL, &["web.*"]), (FS_READ, &[])]);
    assert!(lease.grants(TOOL_CALL) && lease.names(FS_READ));
    assert!(!lease.grants(FS_READ) && !lease.names(MODEL_USE));
    for capability in [FS_READ, FS_WRITE, MODEL_USE, COST_BUDGET, "no such"] {
        let operation = Operation::new(capability, "x", None).unwrap();
        let denied = lease.authorize(&operation, at(0)).unwrap_err();
        assert_eq!(denied.code(), "permission_denied", "{capability}");
    }
    let operation = Operation::new(TOOL_CALL, "fs.rm", None).unwrap();
    assert_eq!(
        lease.authorize(&operation, at(0)).unwrap_err().message(),
        "the lease of this job does not grant `tool.call` for `fs.rm`"
    );
}

#[test]
fn a_lease_is_over_at_its_moment_whatever_it_grants() {
    let lease = Lease::parse(&asked(&[(TOOL_CALL, &["*"])]), Some(at(1_000))).unwrap();
    let granted = Operation::new(TOOL_CALL, "a", None).unwrap();
    let other = Operation::new(TOOL_CALL, "a/b", None).unwrap();
    assert_eq!(lease.authorize(&granted, at(999)), Ok(()));
    for operation in [granted, other] {
        let denied = lease.authorize(&operation, at(1_000)).unwrap_err();
        assert_eq!(denied, Denied::Expired { at: at(1_000) });
        assert_eq!(denied.code(), "lease_expired");
        assert!(denied.message().contains("1970-01-01T00:00:01.000Z"), "{denied}");
    }
}

#[test]
fn targets_that_mean_nothing_are_denied_and_shortened() {
    let long = "a".repeat(limits::TARGET_BYTES_MAX + 1);
    for target in ["", "a\0b", "a\nb", "a\\b", &long] {
        for capability in [FS_READ, NET_FETCH, TOOL_CALL] {
            let denied = Operation::new(capability, target, Some("/")).unwrap_err();
            assert_eq!(denied.code(), "permission_denied");
            assert!(denied.message().len() < 300, "{denied}");
        }
    }
    let exhausted = Denied::Exhausted { currency: Currency::usd() };
    assert_eq!(exhausted.code(), "budget_exhausted");
    assert!(exhausted.message().contains("USD"));
}

#[test]
fn matching_takes_no_longer_than_pattern_times_target() {
    let pattern = "*a".repeat(500);
    let target = "a".repeat(4_000);
    assert!(is_granted(TOOL_CALL, &pattern, &target));
    assert!(!is_granted(TOOL_CALL, &format!("{pattern}b"), &target));
    let pattern = "/**/a".repeat(200);
    assert!(!is_granted(FS_READ, &format!("{pattern}b"), &"/a".repeat(2_000)));
}

//! What a child may be given of its parent's lease.

use super::*;

fn is_within(capability: &str, child: &str, parent: &str) -> bool {
    lease(&[(capability, &[parent])]).narrow(&lease(&[(capability, &[child])])).is_ok()
}

#[test]
fn a_childs_pattern_is_within_its_parents() {
    for (child, parent, expected) in [
        ("/a/**", "/a/*", false),
        ("/a/x**y", "/a/*", false),
        ("/a/x**y", "/a/**", true),
        ("/a/x*y", "/a/*", true),
        ("/a/*", "/a/**", true),
        ("/a/**", "/a/**", true),
        ("/*", "/**", true),
        ("/a/*/**", "/a/**", true),
        ("/a/**/*", "/a/**", true),
        ("/a/**/**", "/a/**", true),
        ("/a/*/b", "/a/**/b", true),
        ("/a", "/a/**", true),
        ("/a/b/**", "/a/**", true),
        ("/a/**/b", "/a/**", true),
        ("/a/**", "/a/**/b", false),
        ("/a/b", "/a/?", false),
        ("/a/?", "/a/?", true),
        ("web.search", "web.*", true),
        ("web.*", "web.*", true),
        ("web.*", "web.search", false),
        ("*", "web.*", false),
        ("web.*.*", "web.*", true),
        ("a*b*c", "a*c", true),
        ("a*c", "a*b*c", false),
        ("**", "*", false),
        ("*", "**", true),
        ("**/b", "**/*", true),
        ("b", "**/b", false),
    ] {
        for capability in [TOOL_CALL, FS_READ, "x-vendor.a.b"] {
            assert_eq!(is_within(capability, child, parent), expected, "{child} in {parent}");
        }
    }
}

#[test]
fn a_childs_urls_are_within_its_parents_part_by_part() {
    for (child, parent, expected) in [
        ("HTTPS://A:443/x/**", "https://a/**", true),
        ("https://a/x?q=*", "https://a/**", true),
        ("https://a/x", "https://a/x?q=*", false),
        ("https://a/s?/public", "https://a/**/public", false),
        ("https://x.example.com/**", "https://*.example.com/**", true),
        ("https://a/*", "https://a/**", true),
        ("https://a/**", "**", true),
        ("**", "https://**", false),
        ("https://**", "http*://**", true),
    ] {
        assert_eq!(is_within(NET_FETCH, child, parent), expected, "{child} in {parent}");
    }
}

#[test]
fn a_child_has_no_more_than_its_parent() {
    let parent = lease(&[(TOOL_CALL, &["web.*", "fs.read"]), (FS_READ, &[])]);
    let child = lease(&[(TOOL_CALL, &["fs.read", "web.get"]), (FS_WRITE, &[])]);
    assert_eq!(parent.narrow(&child), Ok(child));
    assert_eq!(parent.narrow(&Lease::default()), Ok(Lease::default()));
    for (child, capability, pattern) in [
        (lease(&[(TOOL_CALL, &["web.get", "fs.*"])]), TOOL_CALL, "fs.*"),
        (lease(&[(FS_READ, &["/a"])]), FS_READ, "/a"),
        (lease(&[(FS_WRITE, &["/a"])]), FS_WRITE, "/a"),
        (lease(&[(MODEL_USE, &["m"])]), MODEL_USE, "m"),
        (lease(&[(COST_BUDGET, &["USD:1"])]), COST_BUDGET, "USD:1"),
    ] {
        let wider = parent.narrow(&child).unwrap_err();
        assert_eq!((wider.capability.as_str(), wider.pattern.as_str()), (capability, pattern));
        let said = wider.to_string();
        assert!(said.starts_with(&format!("`{capability}` for `{pattern}` is wider: ")), "{said}");
    }
}

#[test]
fn a_child_is_over_with_its_parent_at_the_latest() {
    let ending = |millis| Lease::parse(&Asked::default(), Some(at(millis))).unwrap();
    let parent = ending(1_000);
    assert_eq!(parent.narrow(&ending(1_000)).unwrap().expires_at(), Some(at(1_000)));
    assert_eq!(parent.narrow(&ending(999)).unwrap().expires_at(), Some(at(999)));
    assert_eq!(parent.narrow(&Lease::default()).unwrap().expires_at(), Some(at(1_000)));
    assert_eq!(Lease::default().narrow(&parent).unwrap().expires_at(), Some(at(1_000)));
    assert_eq!(parent.narrow(&ending(1_001)).unwrap_err().capability, "expires_at");
}

#[test]
fn a_child_that_names_no_models_has_its_parents() {
    let parent = lease(&[(MODEL_USE, &["small-*"])]);
    assert_eq!(parent.narrow(&Lease::default()), Ok(parent.clone()));
    let none = lease(&[(MODEL_USE, &[])]);
    assert_eq!(parent.narrow(&none), Ok(none));
}

#[test]
fn a_childs_budget_is_within_what_its_parent_was_granted() {
    let parent = lease(&[(COST_BUDGET, &["USD:5", "tokens:100"])]);
    let is_ok = |text| parent.narrow(&lease(&[(COST_BUDGET, &[text])])).is_ok();
    assert!(is_ok("USD:5.00") && is_ok("tokens:0"));
    assert!(!is_ok("USD:5.0001") && !is_ok("EUR:1"));
    assert!(parent.narrow(&lease(&[(COST_BUDGET, &["USD:3", "USD:3"])])).is_err());
}

#[test]
fn a_proof_that_would_take_too_long_is_refused() {
    let hard = format!("**a{}", "**b*".repeat(60));
    let harder = format!("**a*{}", "*/**b*".repeat(60));
    assert!(is_within(TOOL_CALL, &hard, &hard));
    assert!(!is_within(TOOL_CALL, &harder, &hard));
}

#[test]
fn what_is_added_to_a_lease_leaves_one_that_can_be_read_again() {
    let names = |count: usize, bytes: usize| -> Vec<String> {
        (0..count).map(|number| format!("{number:0bytes$}")).collect()
    };
    let models = names(8, 1_000);
    let parsed = |asked: Asked| Lease::parse(&asked, None).unwrap();
    let whole =
        |lease: &Lease| serde_json::from_str::<Lease>(&serde_json::to_string(lease).unwrap());
    let parent = |models: Vec<String>| {
        let all = vec!["**".to_owned()];
        parsed(Asked::from([(TOOL_CALL.into(), all), (MODEL_USE.into(), models)]))
    };
    let large = parsed(Asked::from([(TOOL_CALL.into(), names(64, 1_000))]));
    let wider = parent(models.clone()).narrow(&large).unwrap_err();
    assert_eq!(wider.capability, MODEL_USE);
    let narrowed = parent(models[..1].to_vec()).narrow(&large).unwrap();
    assert_eq!(whole(&narrowed).unwrap(), narrowed);

    let most = Amounts::parse(["USD:5", "EUR:2"]).unwrap();
    let bounded = lease(&[(COST_BUDGET, &["USD:1", "USD:1"])]).bounded_by(&most).unwrap();
    assert_eq!(bounded.asked()[COST_BUDGET], ["USD:1", "USD:1", "EUR:2"]);
    assert_eq!(whole(&bounded).unwrap(), bounded);
    let crowded = vec!["USD:0.001".to_owned(); limits::PATTERNS_MAX];
    let crowded = parsed(Asked::from([(COST_BUDGET.into(), crowded)]));
    assert_eq!(crowded.bounded_by(&most).unwrap_err().capability, COST_BUDGET);
}

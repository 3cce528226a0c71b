//! What leases grant, by example; the laws are in `laws`.

use super::*;

fn asked(grants: &[(&str, &[&str])]) -> Asked {
    let texts = |texts: &&[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    grants.iter().map(|(name, all)| ((*name).to_owned(), texts(all))).collect()
}

fn lease(grants: &[(&str, &[&str])]) -> Lease {
    Lease::parse(&asked(grants), None).unwrap()
}

fn is_granted(capability: &str, pattern: &str, target: &str) -> bool {
    let operation = Operation::new(capability, target, None);
    let lease = lease(&[(capability, &[pattern])]);
    operation.is_ok_and(|operation| lease.authorize(&operation, Timestamp::default()).is_ok())
}

#[test]
fn patterns_match_as_the_grammar_says() {
    for (pattern, target, expected) in [
        ("/a/*", "/a/x", true),
        ("/a/*", "/a/x/y", false),
        ("/a/**", "/a", true),
        ("/a/**", "/a/x", true),
        ("/a/**", "/a/x/y", true),
        ("/a/**", "/ab", false),
        ("/a/**/b", "/a/b", true),
        ("/a/**/b", "/a/x/y/b", true),
        ("/a/**/b", "/a/xb", false),
        ("/a/x**y", "/a/x/b/cy", true),
        ("/**", "/", false),
        ("/**", "/a/b", true),
        ("**/b", "b", false),
        ("**/b", "a/b", true),
        ("/a?b", "/a?b", true),
        ("/a?b", "/axb", false),
        ("/a[b]{c}", "/a[b]{c}", true),
        ("/A", "/a", false),
    ] {
        assert_eq!(is_granted(FS_READ, pattern, target), expected, "{pattern} {target}");
    }
}

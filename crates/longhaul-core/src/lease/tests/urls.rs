//! URLs: the same thing written in many ways, and other things that look the same.

use super::*;

fn canonical(text: &str) -> String {
    match Operation::new(NET_FETCH, text, None) {
        Ok(operation) => operation.target().to_owned(),
        Err(Denied::BadTarget { problem, .. }) => format!("bad: {problem}"),
        Err(denied) => panic!("{denied}"),
    }
}

#[test]
fn a_url_has_one_text() {
    for (text, expected) in [
        ("HTTPS://A.Example:443/X", "https://a.example/X"),
        ("http://a:80", "http://a"),
        ("http://a:0080/", "http://a/"),
        ("http://a:443/", "http://a:443/"),
        ("http://a:/", "http://a/"),
        ("https://a/b/../c/./d", "https://a/c/d"),
        ("https://a/../../b", "https://a/b"),
        ("https://a/b/..", "https://a/"),
        ("https://a/b/.", "https://a/b/"),
        ("https://a/%7eb/%41%2d%c3%a9", "https://a/~b/A-%C3%A9"),
        ("https://a/é", "https://a/%C3%A9"),
        ("https://a/b.c%2ed", "https://a/b.c.d"),
        ("https://a/x?q=/../%2f#top", "https://a/x?q=/../%2F"),
        ("https://a#b", "https://a"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
        assert_eq!(canonical(expected), expected, "{text}");
    }
}

#[test]
fn a_url_that_could_be_two_things_is_denied() {
    for text in [
        "a/b",
        "//a/b",
        "https:/a",
        "https:a",
        "https://",
        "https:///x",
        "file:///etc/passwd",
        "javascript:x//",
        "1://a",
        "https://user@a/",
        "https://a@b/",
        "https://a\\@b/",
        "https://a /",
        "https://a%2eb/",
        "https://é/",
        "https://a:b/",
        "https://a:+1/",
        "https://a:99999/",
        "https://[::1/",
        "https://a/%2e%2e/b",
        "https://a/.%2E/b",
        "https://a/%2e/b",
        "https://a/b%2fc",
        "https://a/b%5Cc",
        "https://a/b%00",
        "https://a/b%0a",
        "https://a/b%",
        "https://a/b%4",
        "https://a/b%zz",
        "https://a//b",
        "https://a/b//../c",
        "https://a/b c",
    ] {
        let canonical = canonical(text);
        assert!(canonical.starts_with("bad: "), "{text}: {canonical}");
    }
}

#[test]
fn patterns_of_urls_grant_what_the_grammar_says() {
    for (pattern, target, expected) in [
        ("https://*", "https://a", true),
        ("https://*", "https://a/b", false),
        ("https://**", "https://a/b", true),
        ("https://a/**", "https://a/", false),
        ("https://a/**", "https://a", true),
        ("https://a/**", "https://a/b/c?d=e", true),
        ("https://a/safe/**", "https://a/safe/../secret", false),
        ("https://a/safe/**", "https://a/safe/%2e%2e/secret", false),
        ("https://a/safe/**", "https://a//safe/x", false),
        ("https://a/safe/**", "HTTPS://A/safe/x", true),
        ("https://a/safe/**", "HTTPS://A/", false),
        ("https://a/safe/**", "https://a/safe\\..\\x", false),
        ("https://a/safe/**", "https://a/safe/\0", false),
        ("HTTPS://A:443/%7Ex/*", "https://a/~x/y", true),
        ("https://a/x", "https://a/x?y", false),
        ("https://a/x?y=*", "https://a/x?y=1", true),
        ("https://a/*", "https://a/x?y=1", true),
        ("https://a:*/x", "https://a:8080/x", true),
        ("http*://a/x", "https://a/x", true),
        ("**", "https://a/x", true),
    ] {
        assert_eq!(is_granted(NET_FETCH, pattern, target), expected, "{pattern} {target}");
    }
}

#[test]
fn a_wildcard_stays_in_the_part_of_the_url_that_it_stands_in() {
    for (pattern, target) in [
        ("https://*.example.com/**", "https://evil?.example.com/x"),
        ("https://**.example.com/**", "https://evil/.example.com/x"),
        ("https://*.example.com", "https://evil?.example.com"),
        ("https://a/**/public", "https://a/secret?/public"),
        ("https://a/*.json", "https://a/secret?x=.json"),
        ("https://a**b/x", "https://a.evil/b/x"),
        ("**://a/x", "https://evil/http://a/x"),
    ] {
        assert!(!is_granted(NET_FETCH, pattern, target), "{pattern} {target}");
    }
    assert!(is_granted(NET_FETCH, "https://**.example.com/**", "https://x.y.example.com/z"));
}

#[test]
fn a_pattern_that_no_url_could_match_is_refused() {
    for pattern in [
        "https://a/../b",
        "https://a/%2e%2e/b",
        "https://a/b%2fc",
        "https://a/b#c",
        "https://a@b/",
        "https://a/b c",
        "https://a/%4*",
    ] {
        let refusal = refusal(&[(NET_FETCH, &[pattern])]);
        assert!(refusal.starts_with(&format!("`net.fetch` for `{pattern}`: ")), "{refusal}");
    }
}

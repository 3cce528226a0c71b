//! What holds for every lease, tried on many.

use super::*;
use proptest::prelude::*;

/// Short texts of few letters, so that patterns and targets often meet.
fn pattern() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec!["a", "b", "/", "*", "**", "/**", "/**/", "?", "a/"]);
    prop::collection::vec(parts, 1..6).prop_map(|parts| parts.concat())
}

fn target() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec!["a", "b", "/", "?", "ab", "/a", "/b"]);
    prop::collection::vec(parts, 1..8).prop_map(|parts| parts.concat())
}

fn url_pattern() -> impl Strategy<Value = String> {
    (prop::sample::select(vec!["https://", "https://a", "https://*", "http*://**", ""]), pattern())
        .prop_map(|(origin, rest)| format!("{origin}{rest}"))
}

fn url() -> impl Strategy<Value = String> {
    let parts = vec![
        "a", "b", "/", "/a", "/safe", "..", "/..", "/.", "%2e", "%2f", "%41", "?", "#", "@",
        ":443", ":", "\\", "*", "/safe/", "//", "%", "é", "https://",
    ];
    let origin =
        prop::sample::select(vec!["https://a", "HTTPS://A:443", "https://b", "http://a", ""]);
    (origin, prop::collection::vec(prop::sample::select(parts), 0..8))
        .prop_map(|(origin, parts)| format!("{origin}{}", parts.concat()))
}

/// The grammar once more, as plainly as possible: tries every length of every run. `before` is the
/// character that stands before the pattern, `/` where it begins.
fn naive(pattern: &str, target: &str) -> bool {
    naive_after('/', pattern, target)
}

fn naive_after(before: char, pattern: &str, target: &str) -> bool {
    let rests = |from: usize| (from..=target.len()).filter(|at| target.is_char_boundary(*at));
    if let Some(rest) = pattern.strip_prefix("/**/**")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return naive_after(before, &pattern[3..], target);
    }
    if pattern == "/**" {
        return target.is_empty() || target.len() > 1 && target.starts_with('/');
    }
    if let Some(rest) = pattern.strip_prefix("/**/") {
        let rest = format!("/{rest}");
        return naive_after('*', &rest, target)
            || target.starts_with('/')
                && rests(1).any(|at| naive_after('*', &rest, &target[at..]));
    }
    if let Some(rest) = pattern.strip_prefix("**") {
        return rests(0).any(|at| naive_after('*', rest, &target[at..]));
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        let run = target.find('/').unwrap_or(target.len());
        let is_segment = before == '/' && (rest.is_empty() || rest.starts_with('/'));
        return rests(usize::from(is_segment))
            .take_while(|at| *at <= run)
            .any(|at| naive_after('*', rest, &target[at..]));
    }
    let mut chars = pattern.chars();
    match chars.next() {
        None => target.is_empty(),
        Some(literal) => target
            .strip_prefix(literal)
            .is_some_and(|rest| naive_after(literal, chars.as_str(), rest)),
    }
}

fn granted(lease: &Lease, capability: &str, target: &str) -> bool {
    Operation::new(capability, target, Some("/a"))
        .is_ok_and(|op| lease.authorize(&op, at(0)).is_ok())
}

fn one(capability: &str, patterns: &[String]) -> Option<Lease> {
    let asked = Asked::from([(capability.to_owned(), patterns.to_vec())]);
    Lease::parse(&asked, None).ok()
}

proptest! {
    #[test]
    fn authorising_agrees_with_trying_everything(
        patterns in prop::collection::vec(pattern(), 0..4), target in target(),
    ) {
        let lease = one(TOOL_CALL, &patterns).unwrap();
        let expected = patterns.iter().any(|pattern| naive(pattern, &target));
        prop_assert_eq!(granted(&lease, TOOL_CALL, &target), expected);
    }

    #[test]
    fn no_url_is_granted_that_a_match_of_the_whole_would_not(pattern in url_pattern(), url in url()) {
        if let (Some(lease), Ok(operation)) =
            (one(NET_FETCH, std::slice::from_ref(&pattern)), Operation::new(NET_FETCH, &url, None))
            && lease.check_grant(&operation).is_ok()
        {
            prop_assert!(naive(&canonical::pattern(NET_FETCH, &pattern).unwrap(), operation.target()));
        }
    }

    #[test]
    fn nothing_below_a_folder_of_a_host_is_elsewhere(url in url()) {
        let lease = lease(&[(NET_FETCH, &["https://a/safe/**"])]);
        if granted(&lease, NET_FETCH, &url) {
            let target = Operation::new(NET_FETCH, &url, None).unwrap().target().to_owned();
            let path = target.split('?').next().unwrap();
            prop_assert!(path == "https://a/safe" || path.starts_with("https://a/safe/"), "{}", target);
            prop_assert!(path.split('/').all(|segment| segment != ".."), "{}", target);
        }
    }

    #[test]
    fn narrowing_never_widens(
        parents in prop::collection::vec(pattern(), 1..3),
        children in prop::collection::vec(pattern(), 1..3),
        targets in prop::collection::vec(target(), 16),
    ) {
        for capability in [TOOL_CALL, FS_READ] {
            let (parent, child) = (one(capability, &parents), one(capability, &children));
            let (Some(parent), Some(child)) = (parent, child) else { continue };
            let Ok(narrowed) = parent.narrow(&child) else { continue };
            for target in &targets {
                prop_assert!(
                    !granted(&narrowed, capability, target) || granted(&parent, capability, target),
                    "{} of {:?} in {:?}", target, children, parents
                );
            }
        }
    }

    #[test]
    fn narrowing_urls_never_widens(
        parent in url_pattern(), child in url_pattern(),
        targets in prop::collection::vec(url(), 16),
    ) {
        if let (Some(parent), Some(child)) = (one(NET_FETCH, &[parent]), one(NET_FETCH, &[child]))
            && parent.narrow(&child).is_ok()
        {
            for target in &targets {
                prop_assert!(!granted(&child, NET_FETCH, target) || granted(&parent, NET_FETCH, target));
            }
        }
    }

    #[test]
    fn what_a_pattern_matches_may_be_given_away(pattern in pattern(), target in target()) {
        let parent = one(TOOL_CALL, std::slice::from_ref(&pattern)).unwrap();
        prop_assert!(parent.narrow(&parent).is_ok());
        prop_assert!(lease(&[(TOOL_CALL, &["**"])]).narrow(&parent).is_ok());
        let is_name = !target.contains('*');
        if is_name && granted(&parent, TOOL_CALL, &target) {
            prop_assert!(parent.narrow(&one(TOOL_CALL, &[target]).unwrap()).is_ok());
        }
    }

    #[test]
    fn canonical_is_canonical(url in url(), path in target(), any in ".*", cwd in prop::option::of("/?[a./]*")) {
        for (capability, target) in
            [(NET_FETCH, &url), (NET_FETCH, &any), (FS_READ, &path), (FS_READ, &any), (TOOL_CALL, &any)]
        {
            if let Ok(operation) = Operation::new(capability, target, cwd.as_deref()) {
                let again = Operation::new(capability, operation.target(), cwd.as_deref()).unwrap();
                prop_assert_eq!(operation, again);
            }
            if let Ok(pattern) = canonical::pattern(capability, target) {
                prop_assert_eq!(canonical::pattern(capability, &pattern), Ok(pattern.clone()));
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(
        capability in prop_oneof![Just(NET_FETCH.to_owned()), Just(FS_READ.to_owned()), ".*"],
        parent in ".*", child in "(.|[*/])*", target in ".*", cwd in prop::option::of(".*"),
    ) {
        let operation = Operation::new(&capability, &target, cwd.as_deref());
        if let (Some(parent), Some(child)) = (one(&capability, &[parent]), one(&capability, &[child])) {
            let narrowed = parent.narrow(&child);
            if let (Ok(narrowed), Ok(operation)) = (narrowed, operation) {
                prop_assert!(narrowed.check_grant(&operation).is_err() || parent.check_grant(&operation).is_ok());
            }
        }
    }
}

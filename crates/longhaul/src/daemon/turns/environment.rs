//! The environment of a turn: what any program needs, what its CLI says it needs, and what somebody
//! set on purpose. Everything else that the agent was added with stays behind: an agent that finds
//! a key may use it, and one that finds another agent's variables takes itself for its child.

use longhaul_agents::Launch;
use std::collections::BTreeMap;

/// What any program needs to find its way. A trailing `*` stands for any rest.
const BASE: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "XDG_*",
    "COLORTERM",
    "NO_COLOR",
    // Without these nothing is reached from where they are set.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
];

/// Puts it together. `of_agent` is what the agent was added with, of which the names in `set` were
/// meant; all of `of_turn` was.
pub(super) fn of(
    of_agent: &BTreeMap<String, String>,
    set: &[String],
    of_turn: &BTreeMap<String, String>,
    launch: &Launch,
) -> BTreeMap<String, String> {
    let is_meant = |name: &str| is_needed(name, launch) || set.iter().any(|meant| meant == name);
    let handed_on = of_agent.iter().filter(|(name, _)| is_meant(name)).chain(of_turn);
    let mut environment: BTreeMap<String, String> = handed_on
        .filter(|(name, _)| !launch.remove.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in &launch.default {
        environment.entry(name.clone()).or_insert_with(|| value.clone());
    }
    environment.extend(launch.set.iter().map(|(name, value)| (name.clone(), value.clone())));
    environment
}

/// Whether a variable of whoever adds an agent is one that a program needs, or this CLI.
#[must_use]
pub fn is_needed(name: &str, launch: &Launch) -> bool {
    (fits(BASE, name) || fits(launch.pass, name)) && !launch.remove.contains(&name)
}

fn fits(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => *pattern == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn launch() -> Launch {
        Launch {
            remove: &["CLAUDECODE"],
            pass: &["ANTHROPIC_*"],
            set: variables(&[("SET", "ours")]),
            default: variables(&[("RETRIES", "3"), ("ANTHROPIC_RETRIES", "3")]),
            ..Launch::default()
        }
    }

    #[test]
    fn secrets_of_others_stay_behind() {
        let agent = variables(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("ANTHROPIC_API_KEY", "key"),
            ("MEANT", "yes"),
        ]);
        let found = of(&agent, &["MEANT".to_owned()], &variables(&[("OWN", "1")]), &launch());
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        let expected = [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_RETRIES",
            "LC_ALL",
            "MEANT",
            "OWN",
            "PATH",
            "RETRIES",
            "SET",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn nobody_is_told_that_it_runs_inside_another() {
        let nested = variables(&[("CLAUDECODE", "1")]);
        let found = of(&nested, &["CLAUDECODE".to_owned()], &nested, &launch());
        assert!(!found.contains_key("CLAUDECODE"));
    }

    #[test]
    fn a_default_gives_way_and_what_must_be_set_does_not() {
        let turn = variables(&[("RETRIES", "9"), ("SET", "theirs")]);
        let found = of(&BTreeMap::new(), &[], &turn, &launch());
        assert_eq!((found["RETRIES"].as_str(), found["SET"].as_str()), ("9", "ours"));
    }

    #[test]
    fn the_turns_own_value_counts_before_the_agents() {
        let (agent, turn) = (variables(&[("PATH", "/a")]), variables(&[("PATH", "/b")]));
        assert_eq!(of(&agent, &[], &turn, &launch())["PATH"], "/b");
    }
}

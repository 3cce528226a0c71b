//! `docs/arcp.md` says of each rule of the protocol's draft where it is kept and where that is tested.
//!
//! The rules stand in `docs/arcp-rules.toml`. A place that keeps one cites its section in a comment, as
//! `[arcp §6.4]`; what lies below the protocol and may not name it is named in the rule. Each MUST has
//! such a place and a test, or says why not. `cargo xtask gen arcp` writes the table.

use super::items;
use super::repo::{File, Repo, Violation};
use super::scenarios::{short, tests};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

pub(crate) const PAGE: &str = "docs/arcp.md";
const RULES: &str = "docs/arcp-rules.toml";
const FIRST: &str = "<!-- The table is made by `cargo xtask gen arcp`. -->\n";
const LAST: &str = "<!-- End of what is made. -->\n";
const CITED: &str = "[arcp §";
/// A citation stands in a comment that is at most this far above what it is about.
const COMMENT_LINES_MAX: usize = 12;

/// One MUST or SHOULD.
struct Rule {
    id: String,
    level: String,
    says: String,
    kept: Vec<String>,
    tests: Vec<String>,
    why: Option<String>,
}

impl Rule {
    /// The section of the draft.
    fn section(&self) -> &str {
        self.id.rsplit_once('-').map_or(&self.id, |(section, _)| section)
    }
}

pub(super) fn check(repo: &Repo) -> Vec<Violation> {
    // A repository without rules, as other checks' tests make them up, keeps none.
    let Some(file) = repo.file(RULES) else { return vec![] };
    let rules = match read(&file.text) {
        Ok(rules) => rules,
        Err(error) => return vec![file.violation(1, format!("{error:#}"))],
    };
    let (cited, known) = (citations(repo), tests(repo));
    let mut found = vec![];
    let mut seen = BTreeSet::new();
    for rule in &rules {
        let line = line_of(file, &rule.id);
        let mut complain = |words: String| {
            found.push(file.violation(line, format!("{}: {words}", rule.id)));
        };
        if !seen.insert(&rule.id) {
            complain("stands here twice".to_owned());
        }
        let is_kept = !rule.kept.is_empty() || !places(&cited, rule.section()).is_empty();
        let is_must = rule.level == "MUST";
        if is_must && rule.why.is_none() && (!is_kept || rule.tests.is_empty()) {
            complain("needs a place that cites it and a test, or `why` there is none".to_owned());
        }
        for place in rule.kept.iter().filter(|place| !is_there(repo, place)) {
            complain(format!("is not kept in `{place}`, which is not there"));
        }
        for test in rule.tests.iter().filter(|test| !known.contains(&short(test))) {
            complain(format!("names `{test}`, which is no test"));
        }
    }
    match repo.file(PAGE) {
        Some(page) if written(&page.text, &table(&rules, &cited)).is_ok_and(|t| t == page.text) => {
        }
        Some(page) => found.push(page.violation(1, "is stale: `cargo xtask gen arcp` writes it")),
        None => found.push(file.violation(1, format!("has no {PAGE}"))),
    }
    found
}

/// The page with its table made anew.
pub(crate) fn page() -> Result<String> {
    let repo = Repo::read()?;
    let rules = repo.file(RULES).with_context(|| format!("there is no {RULES}"))?;
    let page = repo.file(PAGE).with_context(|| format!("there is no {PAGE}"))?;
    written(&page.text, &table(&read(&rules.text)?, &citations(&repo)))
}

fn written(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page.split_once(FIRST).context("the page has no place for the table")?;
    let (_, after) = rest.split_once(LAST).context("the page's table has no end")?;
    Ok(format!("{before}{FIRST}\n{table}\n{LAST}{after}"))
}

fn read(text: &str) -> Result<Vec<Rule>> {
    let file: toml::Table = text.parse()?;
    let rules = file.get("rule").and_then(toml::Value::as_array).context("there is no `rule`")?;
    rules.iter().map(rule).collect()
}

fn rule(value: &toml::Value) -> Result<Rule> {
    let text = |name: &str| value.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    let list = |name: &str| {
        let listed = value.get(name).and_then(toml::Value::as_array);
        let words = listed.into_iter().flatten().filter_map(toml::Value::as_str);
        words.map(str::to_owned).collect()
    };
    let id = text("id").context("a rule has no `id`")?;
    let level = text("level").with_context(|| format!("{id} has no `level`"))?;
    ensure!(matches!(level.as_str(), "MUST" | "SHOULD"), "{id}: `{level}` is no level");
    let says = text("says").with_context(|| format!("{id} does not say what it says"))?;
    let (kept, tests, why) = (list("kept"), list("tests"), text("why"));
    Ok(Rule { id, level, says, kept, tests, why })
}

/// Where each section is cited, outside of tests: files with the function, if it is in or above one.
fn citations(repo: &Repo) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in repo.rust().filter(|file| file.path.starts_with("crates/")) {
        let is_tests = file.path.contains("/tests/") || file.stem() == "tests";
        let end = items::tests_begin(file).unwrap_or(usize::MAX);
        for (index, line) in file.text.lines().enumerate().filter(|(at, _)| at + 1 < end) {
            for rest in line.split(CITED).skip(1).filter(|_| !is_tests) {
                let section = rest.split(']').next().unwrap_or_default().to_owned();
                found.entry(section).or_default().insert(place(file, index + 1));
            }
        }
    }
    found
}

fn place(file: &File, line: usize) -> String {
    let functions = items::functions(file);
    let around = functions.iter().filter(|function| function.contains(line));
    let below = functions
        .iter()
        .filter(|function| (line..line + COMMENT_LINES_MAX).contains(&function.first));
    let named = around.max_by_key(|item| item.first).or_else(|| below.min_by_key(|i| i.first));
    let is_of_file = file.text.lines().nth(line - 1).is_some_and(|l| l.starts_with("//!"));
    match named.filter(|_| !is_of_file) {
        Some(function) => format!("{}:{}", file.path, function.name),
        None => file.path.clone(),
    }
}

/// Where a section, or a part of it, is cited.
fn places(cited: &BTreeMap<String, BTreeSet<String>>, section: &str) -> Vec<String> {
    let below = format!("{section}.");
    let of = cited.iter().filter(|(cited, _)| *cited == section || cited.starts_with(&below));
    of.flat_map(|(_, places)| places.iter().cloned()).collect()
}

/// Whether there is this file, with this function if one is named.
fn is_there(repo: &Repo, place: &str) -> bool {
    let (path, function) = place.split_once(':').map_or((place, None), |(p, f)| (p, Some(f)));
    let functions =
        |file: &File| items::functions(file).iter().map(|f| f.name.to_owned()).collect();
    repo.file(path).is_some_and(|file| {
        let names: Vec<String> = functions(file);
        function.is_none_or(|wanted| names.iter().any(|name| name == wanted))
    })
}

fn table(rules: &[Rule], cited: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut text = "| rule | | what | kept in | shown by |\n|---|---|---|---|---|\n".to_owned();
    for rule in rules {
        let mut kept: Vec<String> = rule.kept.clone();
        kept.extend(places(cited, rule.section()));
        let kept = if rule.why.is_some() && rule.kept.is_empty() { vec![] } else { kept };
        let shown = match &rule.why {
            Some(why) => format!("not kept: {why}"),
            None => quoted(&rule.tests),
        };
        let Rule { id, level, says, .. } = rule;
        let kept = quoted(&kept);
        writeln!(text, "| {id} | {level} | {says} | {kept} | {shown} |").expect("it is memory");
    }
    text
}

fn quoted(words: &[String]) -> String {
    let short = words.iter().map(|word| format!("`{}`", word.trim_start_matches("crates/")));
    short.collect::<Vec<_>>().join(", ")
}

fn line_of(file: &File, id: &str) -> usize {
    let wanted = format!("id = \"{id}\"");
    file.text.lines().position(|line| line == wanted).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::super::repo::said;
    use super::*;

    const CODE: &str = "/// [arcp §6.4] At once.\nfn pong() {\n}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn it_holds() {}\n}\n";
    const KEPT: &str = "crates/longhaul-arcp/src/a.rs";
    const RULE: &str =
        "[[rule]]\nid = \"6.4-2\"\nlevel = \"MUST\"\nsays = \"a ping is answered\"\n";

    fn of(rules: &str, page: &str) -> Vec<String> {
        said(check, &[(RULES, rules), (PAGE, page), (KEPT, CODE)])
    }

    fn page_of(rules: &str) -> String {
        let repo = Repo::of(&[(KEPT, CODE)]);
        let table = table(&read(rules).unwrap(), &citations(&repo));
        format!("# A\n\n{FIRST}\n{table}\n{LAST}")
    }

    #[test]
    fn a_rule_with_its_place_and_its_test_passes() {
        let rules = format!("{RULE}tests = [\"longhaul_arcp::a::it_holds\"]\n");
        let page = page_of(&rules);
        assert!(page.contains("| `longhaul-arcp/src/a.rs:pong` | `longhaul_arcp::a::it_holds` |"));
        assert_eq!(of(&rules, &page), [""; 0]);
        assert!(of(&rules, &page.replace("answered", "heard"))[0].contains("is stale"));
    }

    #[test]
    fn a_must_without_place_or_test_or_reason_is_found() {
        assert!(of(RULE, &page_of(RULE))[0].contains(":2: 6.4-2: needs a place"));
        let elsewhere = RULE.replace("6.4", "6.5");
        assert!(of(&elsewhere, &page_of(&elsewhere))[0].contains("needs a place"));
        let why = format!("{RULE}why = \"nobody asked\"\n");
        assert_eq!(of(&why, &page_of(&why)), [""; 0]);
        let should = RULE.replace("MUST", "SHOULD");
        assert_eq!(of(&should, &page_of(&should)), [""; 0]);
    }

    #[test]
    fn places_and_tests_that_do_not_exist_are_found() {
        let rules =
            format!("{RULE}kept = [\"{KEPT}:ping\"]\ntests = [\"longhaul_arcp::a::not\"]\n");
        let found = of(&rules, &page_of(&rules));
        assert!(found[0].contains("is not there") && found[1].contains("is no test"), "{found:?}");
    }
}

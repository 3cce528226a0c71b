//! The environment that a job is given: the caller's less our own variables, or a clean one, and what
//! was set on purpose. Values are secrets: no message here ever repeats one.

use super::error::CliError;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What `--clean-env` takes from the caller.
const CLEAN: [&str; 6] = ["PATH", "HOME", "LANG", "USER", "SHELL", "TERM"];

/// Our own variables; a job gets its own set of them from the daemon.
const OURS: &str = "LONGHAUL_";

/// The options that decide a job's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct EnvironmentOptions {
    /// Set a variable of the job; may be repeated
    #[arg(long = "env", value_name = "K=V", help_heading = "Environment")]
    pub(super) set: Vec<String>,
    /// Read variables from a file, one `NAME=VALUE` a line; `--env` goes before it
    #[arg(long = "env-file", value_name = "F", help_heading = "Environment")]
    pub(super) files: Vec<PathBuf>,
    /// Give the job the caller's environment, less longhaul's own variables (the default)
    #[arg(long, help_heading = "Environment", conflicts_with = "clean_env")]
    pub(super) inherit_env: bool,
    /// Give the job only PATH, HOME, LANG, USER, SHELL and TERM
    #[arg(long, help_heading = "Environment")]
    pub(super) clean_env: bool,
}

/// A job's environment in the two parts that the daemon keeps apart.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct JobEnvironment {
    /// Where it begins.
    pub(super) base: BTreeMap<String, String>,
    /// Whether that is the caller's whole environment.
    pub(super) is_inherited: bool,
    /// What was set on purpose; goes before `base`.
    pub(super) set: BTreeMap<String, String>,
    /// Names of the caller's variables that no JSON can hold and that were left out.
    pub(super) left_out: Vec<String>,
}

impl EnvironmentOptions {
    /// Puts the environment together from `caller`, the variables of the calling process.
    pub(super) fn resolve(
        &self,
        caller: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<JobEnvironment, CliError> {
        let mut environment = inherited(caller);
        if self.clean_env {
            environment.base.retain(|name, _| CLEAN.contains(&name.as_str()));
            environment.left_out.clear();
            environment.is_inherited = false;
        }
        for file in &self.files {
            environment.set.extend(read_file(file)?);
        }
        for pair in &self.set {
            let (name, value) = split_pair(pair).ok_or_else(|| {
                // Not repeated: what has no name may be nothing but a secret.
                CliError::usage("what follows `--env` is not NAME=VALUE")
                    .hint("`--env NAME=` sets an empty value")
            })?;
            environment.set.insert(name.to_owned(), value.to_owned());
        }
        Ok(environment)
    }
}

/// The caller's environment, less our own variables.
pub(super) fn inherited(caller: impl Iterator<Item = (OsString, OsString)>) -> JobEnvironment {
    let mut environment = JobEnvironment { is_inherited: true, ..JobEnvironment::default() };
    for (name, value) in caller {
        if name.to_string_lossy().starts_with(OURS) {
            continue;
        }
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                environment.base.insert(name, value);
            }
            (Ok(name), Err(_)) => environment.left_out.push(name),
            (Err(name), _) => environment.left_out.push(name.to_string_lossy().into_owned()),
        }
    }
    environment
}

fn split_pair(pair: &str) -> Option<(&str, &str)> {
    pair.split_once('=').filter(|(name, _)| !name.is_empty() && !name.contains('\0'))
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, CliError> {
    let shown = path.display();
    let bytes = fs_err::read(path).map_err(|error| {
        CliError::usage(format!("the environment file cannot be read: {error}"))
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::usage(format!("the environment file `{shown}` is not UTF-8")))?;
    parse(&text).map_err(|bad| {
        CliError::usage(format!("line {} of `{shown}` {}", bad.line, bad.problem))
            .hint("a line is NAME=VALUE, a comment after `#`, or empty")
    })
}

/// A line of an environment file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BadLine {
    /// Its number, from 1.
    line: usize,
    /// What is wrong, in words that follow the line's number.
    problem: &'static str,
}

fn parse(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let bad = |problem| BadLine { line: line_number, problem };
        let pair = trimmed.strip_prefix("export ").unwrap_or(trimmed).trim_start();
        let (name, value) = pair.split_once('=').ok_or_else(|| bad("has no `=`"))?;
        if !is_name(name) {
            return Err(bad("has a name that is not letters, digits and `_`"));
        }
        pairs.push((name.to_owned(), parse_value(value).map_err(bad)?));
    }
    Ok(pairs)
}

/// Takes off quotes: single ones keep everything, double ones know `\n \t \" \\`.
fn parse_value(value: &str) -> Result<String, &'static str> {
    let value = value.trim();
    if value.contains('\0') {
        return Err("holds a NUL character");
    }
    if let Some(rest) = value.strip_prefix('\'') {
        return rest
            .strip_suffix('\'')
            .filter(|inner| !inner.contains('\''))
            .map(str::to_owned)
            .ok_or("has a quote that is not closed");
    }
    match value.strip_prefix('"') {
        Some(rest) => unescape(rest),
        None => Ok(value.to_owned()),
    }
}

fn unescape(rest: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' if chars.as_str().is_empty() => return Ok(value),
            '"' => return Err("goes on after its closing quote"),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(other @ ('"' | '\\' | '$' | '`')) => value.push(other),
                Some(other) => value.extend(['\\', other]),
                None => return Err("has a quote that is not closed"),
            },
            other => value.push(other),
        }
    }
    Err("has a quote that is not closed")
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> impl Iterator<Item = (OsString, OsString)> {
        [("PATH", "/bin"), ("SECRET", "s"), ("LONGHAUL_TOKEN", "t")]
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn our_own_variables_are_never_passed_on() {
        let environment = EnvironmentOptions::default().resolve(caller()).unwrap();
        assert_eq!(environment.base, map(&[("PATH", "/bin"), ("SECRET", "s")]));
        assert!(environment.is_inherited);
    }

    #[test]
    fn a_clean_environment_keeps_six_names_and_what_was_set() {
        let options = EnvironmentOptions {
            clean_env: true,
            set: vec!["A=1=2".to_owned()],
            ..EnvironmentOptions::default()
        };
        let environment = options.resolve(caller()).unwrap();
        assert_eq!(environment.base, map(&[("PATH", "/bin")]));
        assert_eq!(environment.set, map(&[("A", "1=2")]));
        assert!(!environment.is_inherited);
    }

    #[test]
    fn environment_files_know_comments_quotes_and_export() {
        let text = "# c\n\nA=1\nexport B = \n";
        assert_eq!(
            parse(text),
            Err(BadLine { line: 4, problem: "has a name that is not letters, digits and `_`" })
        );
        let text = "A= 1 \nexport B='x \\n y'\nC=\"a\\nb\\\"\"\nD=\nE=a=b # kept";
        let pairs = parse(text).unwrap();
        let expected =
            [("A", "1"), ("B", "x \\n y"), ("C", "a\nb\""), ("D", ""), ("E", "a=b # kept")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_never_repeated() {
        for (text, line) in [("A=1\nB", 2), ("9=1", 1), ("A='x", 1), ("A=\"x\"y", 1)] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
        let bad =
            EnvironmentOptions { set: vec!["=hush".to_owned()], ..EnvironmentOptions::default() };
        assert!(!bad.resolve(caller()).err().unwrap().message.contains("hush"));
    }
}

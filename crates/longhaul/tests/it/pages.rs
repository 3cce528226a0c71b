//! The examples of the pages are run as they stand there, and print what stands there; `…` stands for
//! anything. What pages quote of other files is what those files say.

use crate::agents_support::FakeAgents;
use crate::harness::Home;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What stands behind each command's output, and in none.
const BREAK: char = '\u{1e}';

/// One command of an example and the lines that are shown below it.
#[derive(Default)]
struct Step {
    command: String,
    shown: Vec<String>,
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The fenced blocks of a page in one language.
pub(crate) fn fenced(page: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut open): (Vec<String>, Option<bool>) = (Vec::new(), None);
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(tag), None) => {
                open = Some(tag == language);
                blocks.extend((tag == language).then(String::new));
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                let block = blocks.last_mut().expect("it was opened");
                block.push_str(line);
                block.push('\n');
            }
            (None, Some(false) | None) => {}
        }
    }
    blocks
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), ..Step::default() });
            }
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => panic!("an example begins with `$ `: {line}"),
        }
    }
    steps
}

/// Runs an example in one shell in a home of its own, and looks at what each command says.
fn run(home: &Home, block: &str) {
    let steps = steps(block);
    let commands = steps.iter().map(|step| format!("{}\nprintf '\\036'\n", step.command));
    let script: String = commands.collect();
    let said = home.path().with_file_name("said");
    let file = File::create(&said).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_longhaul")).parent().unwrap();
    let path = format!("{}:{}", home.work().display(), binary.display());
    let path = format!("{path}:{}", std::env::var("PATH").unwrap());
    // It ends with all that it started, so that nothing of a test outlives it.
    let mut shell = Command::new("timeout");
    shell
        .args(["60", "sh", "-c", &script])
        .current_dir(home.work())
        .stdin(Stdio::null())
        .env_clear();
    shell.env("PATH", path).env("HOME", home.work()).env("LONGHAUL_HOME", home.path());
    shell.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
    let said = std::fs::read_to_string(said).unwrap();
    let outputs: Vec<&str> = said.split_terminator(BREAK).collect();
    assert_eq!(outputs.len(), steps.len(), "{said}");
    for (step, output) in steps.iter().zip(outputs) {
        let command = &step.command;
        let is_wrong = output.lines().any(|line| line.starts_with("error:"));
        assert!(!is_wrong, "$ {command}\n{output}");
        let fits_all = output.lines().count() == step.shown.len()
            && output.lines().zip(&step.shown).all(|(said, shown)| fits(said, shown));
        assert!(step.shown.is_empty() || fits_all, "$ {command}\n{output}shown: {:?}", step.shown);
    }
}

/// Whether a line is as shown. Columns are as wide as what stands in them, so spaces count as one.
fn fits(said: &str, shown: &str) -> bool {
    let one_space = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (said, shown) = (one_space(said), one_space(shown));
    let mut parts = shown.split('…');
    let first = parts.next().expect("splitting gives at least one part");
    let Some(mut rest) = said.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], Some(part));
    }
    match last {
        None => rest.is_empty(),
        Some(part) => rest.is_empty() || said.ends_with(part),
    }
}

#[test]
fn an_example_is_told_from_what_it_prints() {
    let page = "x\n```sh\n$ a\nb c\n$ d\n```\n```toml\n$ e\n```\n";
    let blocks = fenced(page, "sh");
    assert_eq!(blocks, ["$ a\nb c\n$ d\n"]);
    let steps = steps(&blocks[0]);
    assert_eq!((steps.len(), &steps[0].shown[..]), (2, &["b c".to_owned()][..]));
    for (said, shown) in [("a  b", "a b"), ("a 1 b", "a … b"), ("x", "…"), ("a b b", "a … b")]
    {
        assert!(fits(said, shown), "{said} / {shown}");
    }
    for (said, shown) in [("a b", "a"), ("a 1", "a … b"), ("ab", "b…"), ("a 1 b c", "a … b")]
    {
        assert!(!fits(said, shown), "{said} / {shown}");
    }
}

#[test]
fn every_example_of_waiting_does_what_the_page_says() {
    let blocks = fenced(&read("docs/waiting.md"), "sh");
    assert!(blocks.len() > 5, "the page has examples");
    for block in blocks {
        run(&Home::new(), &block);
    }
}

#[test]
fn every_example_of_agents_does_what_its_page_says() {
    for page in ["docs/overnight.md", "docs/team.md"] {
        let blocks = fenced(&read(page), "sh");
        assert!(blocks.len() > 1, "{page} has examples");
        for block in blocks {
            let home = Home::new();
            FakeAgents::within(&home.work());
            run(&home, &block);
        }
    }
}

#[test]
fn the_five_minutes_of_the_readme_can_be_typed() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("## Five minutes").expect("the section is there");
    let home = Home::new();
    for program in ["cargo", "deploy", "train", "agent-turn", "serve"] {
        let body = if program == "serve" { "exec sleep 600" } else { "echo done" };
        let path = home.write(program, format!("#!/bin/sh\n{body}\n"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    FakeAgents::within(&home.work());
    run(&home, &fenced(rest, "console")[0]);
}

#[test]
fn what_the_page_on_embedding_quotes_is_compiled() {
    let lines = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let examples =
        ["embed", "embed_durable"].map(|name| format!("crates/longhaul/examples/{name}.rs"));
    let examples = examples.map(|path| lines(&read(&path)));
    let quotes = fenced(&read("docs/embedding.md"), "rust");
    assert!(quotes.len() > 2, "the page has examples");
    for quote in quotes {
        let has_it = examples.iter().any(|example| example.contains(&lines(&quote)));
        assert!(has_it, "no example has this:\n{quote}");
    }
}

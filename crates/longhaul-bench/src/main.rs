//! Measures longhaul beside its peers: users' sentences, in the same run, on the same disk.
//!
//! Prints a Markdown table. A reach that was missed is printed as missed and is no error: this is a
//! benchmark, not a test. What each line means is in `docs/benchmarks.md`.

mod args;
mod baseline;
mod bench;
mod clock;
mod contest;
mod cost;
mod http;
mod janitor;
mod machine;
mod peers;
mod processes;
mod program;
mod receiver;
mod report;
mod scenarios;
mod speaker;
mod stamp;
mod stats;
mod subject;
mod teller;
mod writer;

use anyhow::{Context, Result};
use args::{Args, Scenario};
use bench::Bench;
use clap::{Parser, ValueEnum};
use report::Line;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((word, rest)) if word == writer::WORD => writer::work(rest).map(|()| true),
        Some((word, rest)) if word == stamp::WORD => stamp::work(rest).map(|()| true),
        Some((word, rest)) if word == speaker::WORD => speaker::work(rest).map(|()| true),
        Some((word, rest)) if word == teller::WORD => teller::work(rest).map(|()| true),
        Some((word, [folder])) if word == janitor::WORD => {
            janitor::work(&PathBuf::from(folder)).map(|()| true)
        }
        Some((word, rest)) if word == scenarios::ephemeral::WORD => {
            scenarios::ephemeral::work(rest).map(|line| {
                say(&line);
                true
            })
        }
        _ => measure(Args::parse()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the scenarios and prints the table; says whether all of them could be measured.
fn measure(args: Args) -> Result<bool> {
    let bench = Bench::prepare(args)?;
    let janitor = janitor::Janitor::watch(&bench.folder)?;
    let machine = machine::described(&bench.folder);
    let peers = bench.peers.described();
    let chosen = match bench.args.scenarios.as_slice() {
        [] => Scenario::value_variants(),
        chosen => chosen,
    };
    let mut lines = vec![];
    let mut all_measured = true;
    for scenario in chosen {
        let name = scenarios::name(*scenario);
        complain(&format!("measuring {name} …"));
        match scenarios::measure(&bench, *scenario) {
            Ok(measured) => lines.extend(measured),
            Err(error) => {
                all_measured = false;
                complain(&format!("error: {name}: {error:#}"));
                lines.push(Line::unmeasured(name, "(failed)", format!("{error:#}")));
            }
        }
    }
    let facts: Vec<&String> =
        std::iter::once(&bench.version).chain(&peers).chain(&machine).collect();
    say(&facts.iter().map(|fact| format!("- {fact}\n")).collect::<String>());
    say(&report::markdown(&lines));
    if let Some(ledger) = &bench.args.json {
        append(ledger, &facts, &lines)?;
    }
    janitor.finish()?;
    Ok(all_measured)
}

/// Adds one line to the ledger.
fn append(ledger: &Path, facts: &[&String], lines: &[Line]) -> Result<()> {
    let mut asked = Command::new("git");
    let commit = program::output(asked.args(["rev-parse", "--short", "HEAD"]));
    let line = json!({
        "at": clock::unix_seconds(),
        // Outside a clone the version has to do.
        "commit": commit.ok().map(|commit| commit.trim().to_owned()),
        "facts": facts,
        "lines": report::ledger(lines),
    });
    let mut file = fs_err::OpenOptions::new().create(true).append(true).open(ledger)?;
    writeln!(file, "{line}").context("the ledger takes no line")
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress and errors, beside the table")]
fn complain(text: &str) {
    eprintln!("{text}");
}

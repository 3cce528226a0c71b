//! `longhaul man`, and the manual in Markdown: both come from the command tree itself, so that they
//! cannot say anything else than `--help`.

use super::Caller;
use super::args::Arguments;
use super::error::{CliError, Leave};
use super::output::Stream;
use clap::CommandFactory;
use std::fmt::Write;
use std::io;

/// Print the manual page, with all commands
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  longhaul man | man -l -")]
pub(super) struct Man {}

impl Man {
    pub(super) fn run(&self, caller: &Caller) -> Result<Leave, CliError> {
        let page = page().map_err(|error| CliError::bug(format!("no manual page: {error}")))?;
        caller.output.bytes(Stream::Out, &page)?;
        Ok(Leave::OK)
    }
}

/// The page of the whole program: the main page, then one section a command.
fn page() -> io::Result<Vec<u8>> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in leaves(&command) {
        page.extend(format!(".SH {}\n", section(&sub).to_uppercase()).bytes());
        let man = clap_mangen::Man::new(sub);
        let mut text = Vec::new();
        man.render_description_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_options_section(&mut text)?;
        man.render_extra_section(&mut text)?;
        // Its headings become those of a subsection: the command is the section.
        page.extend(String::from_utf8_lossy(&text).replace("\n.SH ", "\n.SS ").bytes());
    }
    Ok(page)
}

/// The manual in Markdown: the help of every command, as a terminal of 100 columns shows it.
///
/// `docs/cli.md` is this text; a test says so.
pub fn manual() -> String {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let mut text = String::from(
        "# The command line\n\nWritten by the program itself: `LONGHAUL_UPDATE=1 cargo test` makes it \
         anew.\n",
    );
    let mut all = vec![command.clone()];
    all.extend(leaves(&command));
    for sub in all {
        let help = sub.clone().term_width(100).render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let body = lines.join("\n");
        write!(text, "\n## `{}`\n\n```text\n{}\n```\n", section(&sub), body.trim_end())
            .expect("a string takes all text");
    }
    text
}

/// All commands that have no commands below them, and those that have, before their own.
fn leaves(command: &clap::Command) -> Vec<clap::Command> {
    let mut found = Vec::new();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        found.push(sub.clone());
        found.extend(leaves(sub));
    }
    found
}

/// How the command is called, its parents included.
fn section(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

//! `longhaul completions`: what a shell needs to complete our commands and options.

use super::Caller;
use super::args::Arguments;
use super::error::{CliError, Leave};
use super::output::Stream;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  longhaul completions bash > ~/.local/share/bash-completion/completions/longhaul
  longhaul completions fish > ~/.config/fish/completions/longhaul.fish")]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, caller: &Caller) -> Result<Leave, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "longhaul", &mut script);
        caller.output.bytes(Stream::Out, &script)?;
        Ok(Leave::OK)
    }
}

//! Reads the commands that programs ask most without making the tree of all others, which takes longer
//! than most of them do. Whatever does not read well that way is read by the whole tree, which also says
//! what is wrong with it.

use super::args::{Arguments, Command, Global};
use super::{emit, hook, list, mail, run, show, submit, turn, wait};
use clap::{Args, FromArgMatches};
use std::ffi::OsString;

/// What is asked, if its first word is one of these commands and nothing is odd.
pub(super) fn parse(arguments: &[OsString]) -> Option<Arguments> {
    match arguments.get(1)?.to_str()? {
        "emit" => alone::<emit::Emit>(arguments, "emit", Command::Emit),
        "hook" => alone::<hook::Hook>(arguments, "hook", Command::Hook),
        "list" => alone::<list::List>(arguments, "list", Command::List),
        "mail" => alone::<mail::Mail>(arguments, "mail", Command::Mail),
        "run" => alone::<run::Run>(arguments, "run", |run| Command::Run(Box::new(run))),
        "show" => alone::<show::Show>(arguments, "show", Command::Show),
        "submit" => {
            alone::<submit::Submit>(arguments, "submit", |ask| Command::Submit(Box::new(ask)))
        }
        "turn" => alone::<turn::Turn>(arguments, "turn", |turn| Command::Turn(Box::new(turn))),
        "wait" => alone::<wait::Wait>(arguments, "wait", Command::Wait),
        _ => None,
    }
}

/// Reads the words with a tree that has this command and no other.
fn alone<T: Args + FromArgMatches>(
    arguments: &[OsString],
    name: &'static str,
    command: fn(T) -> Command,
) -> Option<Arguments> {
    let only = T::augment_args(clap::Command::new(name));
    let tree = Global::augment_args(clap::Command::new("longhaul")).subcommand(only);
    let matches = tree.try_get_matches_from(arguments).ok()?;
    let (_, asked) = matches.subcommand()?;
    let command = command(T::from_arg_matches(asked).ok()?);
    Some(Arguments { global: Global::from_arg_matches(&matches).ok()?, command })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn both(line: &str) -> (Option<String>, Option<String>) {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let whole = Arguments::try_parse_from(&words).ok();
        (parse(&words).map(|asked| format!("{asked:?}")), whole.map(|asked| format!("{asked:?}")))
    }

    #[test]
    fn what_is_read_quickly_is_what_the_whole_tree_reads() {
        for line in [
            "longhaul emit result {}",
            "longhaul hook claude",
            "longhaul list --limit 50 --json",
            "longhaul mail send --to someone --subject hello --quiet",
            "longhaul run --json -- true --json",
            "longhaul show abcd --color never",
            "longhaul submit --timeout 5s -- sh -c true",
            "longhaul turn --follow --url http://localhost builder go",
            "longhaul wait abcd",
        ] {
            let (quick, whole) = both(line);
            assert!(whole.is_some(), "{line}");
            assert_eq!(quick, whole, "{line}");
        }
    }

    #[test]
    fn what_does_not_read_well_is_left_to_the_whole_tree() {
        for line in ["longhaul run --help", "longhaul wait", "longhaul --json list", "longhaul"] {
            assert_eq!(both(line).0, None, "{line}");
        }
    }
}

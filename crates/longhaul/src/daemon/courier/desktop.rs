//! A notice as a bubble on the desktop of whoever runs the daemon, by the program that the system
//! has for it. It gets a title and one line, never what a job wrote.

use super::Letter;
use super::answer::Answer;
use super::exec::Program;
use crate::api::{JobView, Notice, OutcomeKind};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Characters of a title or a line; bubbles are small.
const LINE_CHARS_MAX: usize = 120;
/// What tells a program where the desktop is.
const SESSION: [&str; 5] =
    ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];

/// Shows a notice once.
pub(super) async fn show(letter: &Letter, notice: &Notice, home: &Path, limit: Duration) -> Answer {
    let environment: Vec<(&'static str, OsString)> =
        SESSION.iter().filter_map(|key| Some((*key, std::env::var_os(key)?))).collect();
    if cfg!(not(target_os = "macos")) && environment.is_empty() {
        return Answer::failed(
            "the daemon was started outside of a desktop session, so there is nowhere to show it: \
             start it from a terminal of the desktop",
        );
    }
    let command = command(&title(notice), &line(notice));
    let cwd = PathBuf::from("/");
    Program { command, cwd, environment, limit }.send(letter, home).await
}

fn command(title: &str, line: &str) -> Vec<String> {
    let words: &[&str] = if cfg!(target_os = "macos") {
        // The texts are arguments, not parts of the script: nothing in them is run.
        &[
            "osascript",
            "-e",
            "on run argv",
            "-e",
            "display notification (item 2 of argv) with title (item 1 of argv)",
            "-e",
            "end run",
            title,
            line,
        ]
    } else {
        &["notify-send", "--app-name=longhaul", "--", title, line]
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

/// What it is about, in a line.
pub(super) fn title(notice: &Notice) -> String {
    if let Some(approval) = &notice.approval {
        return plain(&approval.question);
    }
    let Some(job) = &notice.job else { return "longhaul: a test".to_owned() };
    let name = job.name.clone().unwrap_or_else(|| job.command.join(" "));
    plain(&format!("{} {name}", ending(job)))
}

/// More about it, in another.
pub(super) fn line(notice: &Notice) -> String {
    if let Some(approval) = &notice.approval {
        let id = &approval.id;
        return unmarked(&format!("longhaul approvals --allow {id}, or --deny {id}"));
    }
    let Some(job) = &notice.job else { return unmarked(&notice.to) };
    let message = job.outcome.as_ref().and_then(|outcome| outcome.message.as_deref());
    let said = message.map_or_else(String::new, |message| format!(" – {message}"));
    unmarked(&format!("{}{said}", job.id))
}

/// Some desktops read the line as markup, and none needs these characters.
fn unmarked(text: &str) -> String {
    plain(text).replace(['<', '>', '&'], " ")
}

fn ending(job: &JobView) -> &'static str {
    match job.outcome.as_ref().map(|outcome| outcome.kind) {
        Some(OutcomeKind::Succeeded) => "succeeded:",
        Some(OutcomeKind::Failed) => "failed:",
        Some(OutcomeKind::Cancelled) => "cancelled:",
        Some(OutcomeKind::TimedOut) => "timed out:",
        Some(OutcomeKind::Lost) => "lost:",
        None => "ended:",
    }
}

fn plain(text: &str) -> String {
    let shown = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    shown.take(LINE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Time;
    use crate::notice::{Address, of_test};
    use longhaul_core::time::Timestamp;

    #[test]
    fn a_bubble_is_one_plain_line() {
        let address =
            Address { id: "dlv_1".to_owned(), number: 1, to: "sink:\u{1b}[2J<b>".to_owned() };
        let notice = of_test(address, Timestamp::from_millis(0));
        assert_eq!(notice.at, Time(0));
        assert_eq!(title(&notice), "longhaul: a test");
        assert_eq!(line(&notice), "sink: [2J b ");
        assert_eq!(plain(&"x".repeat(500)).len(), LINE_CHARS_MAX);
    }

    #[test]
    fn what_a_job_is_called_is_never_an_option() {
        let command = command("--help", "x");
        let at = |word: &str| command.iter().position(|other| other == word).unwrap();
        let guard = if cfg!(target_os = "macos") { "end run" } else { "--" };
        assert!(at("--help") > at(guard), "{command:?}");
    }
}

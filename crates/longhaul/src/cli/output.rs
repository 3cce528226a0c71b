//! The only place that prints. Human output may be beautiful; JSON is exact; bytes of jobs pass
//! unchanged. A reader that has gone away ends the command quietly.

use super::error::{CliError, Kind};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Columns below which a table is not made to fit.
const COLUMNS_MIN: u16 = 40;

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// One of our two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a word stands for, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ended well.
    Good,
    /// Ended badly.
    Bad,
    /// In between: being stopped, timed out, unknown.
    Doubtful,
    /// Going on.
    Live,
    /// Of less interest.
    Faint,
    /// Nothing special.
    Plain,
}

/// How this call of the program writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// Whether stdout carries JSON and nothing else.
    pub(super) json: bool,
    quiet: bool,
    is_coloured: bool,
    is_errors_coloured: bool,
}

impl Output {
    /// Decides once, from the options and the environment, how everything is written.
    pub(super) fn new(json: bool, quiet: bool, color: When) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wants = |is_terminal: bool| match color {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !no_color,
        };
        Self {
            json,
            quiet,
            is_coloured: wants(io::stdout().is_terminal()),
            is_errors_coloured: wants(io::stderr().is_terminal()),
        }
    }

    /// Writes one line for people to stdout.
    pub(super) fn line(&self, text: &str) -> Result<(), CliError> {
        let mut text = text.to_owned();
        text.push('\n');
        self.bytes(Stream::Out, text.as_bytes())
    }

    /// Writes one JSON value to stdout, on one line.
    pub(super) fn value<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CliError::bug(format!("an answer is not JSON: {error}")))?;
        self.line(&text)
    }

    /// Writes bytes as they are, at once.
    pub(super) fn bytes(&self, stream: Stream, bytes: &[u8]) -> Result<(), CliError> {
        let written = match stream {
            Stream::Out => write(&mut io::stdout().lock(), bytes),
            Stream::Err => write(&mut io::stderr().lock(), bytes),
        };
        written.map_err(|error| CliError::writing(&error))
    }

    /// Writes what `--help` or `--version` asked for, coloured as people wish.
    pub(super) fn help(&self, help: &clap::Error) -> Result<(), CliError> {
        let text = help.render();
        let text = if self.is_coloured { text.ansi().to_string() } else { text.to_string() };
        self.bytes(Stream::Out, text.as_bytes())
    }

    /// Says something beside the result, on stderr, unless `--quiet`.
    ///
    /// A stderr that is gone is no reason to stop: the work matters more than the remark.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            let said = write(&mut io::stderr().lock(), format!("longhaul: {text}\n").as_bytes());
            drop(said);
        }
    }

    /// Says something to a person who watches, where stderr otherwise belongs to a job.
    pub(super) fn aside(&self, text: &str) {
        if io::stderr().is_terminal() {
            self.note(text);
        }
    }

    /// Says what went wrong: on stderr for people, and with `--json` on stdout for programs.
    pub(super) fn error(&self, error: &CliError) {
        if error.kind == Kind::Closed {
            return;
        }
        self.complain(error);
        if self.json {
            // Nothing is left to tell it to if this fails too.
            drop(self.value(&error.to_json()));
        }
    }

    /// Says on stderr what went wrong, where stdout already carries the answer.
    pub(super) fn complain(&self, error: &CliError) {
        let (on, off) = if self.is_errors_coloured { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let mut text = format!("{on}error{off}: {}\n", error.message);
        if let Some(hint) = &error.hint {
            text.push_str(&format!("\nhint: {hint}\n"));
        }
        drop(write(&mut io::stderr().lock(), text.as_bytes()));
    }

    /// The text in the colour of its tone, if stdout is coloured.
    pub(super) fn toned(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Doubtful => "33",
            Tone::Live => "36",
            Tone::Faint => "2",
            Tone::Plain => return text.to_owned(),
        };
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes a table for people; on a terminal it fits the width, in a pipe nothing is cut.
    pub(super) fn table(
        &self,
        head: &[&str],
        rows: Vec<Vec<(Tone, String)>>,
    ) -> Result<(), CliError> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        match width() {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width)
            }
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.is_coloured {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(head.iter().map(|word| Cell::new(word).add_attribute(Attribute::Bold)));
        for row in rows {
            table.add_row(row.into_iter().map(|(tone, text)| cell(tone, &text)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.line(&lines.join("\n"))
    }

    /// A bar on stderr for work that takes time; shows nothing without a terminal or with `--quiet`.
    pub(super) fn progress(&self, total: u64, what: &str) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar =
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")
            .expect("the template is a constant that a test renders");
        bar.with_style(style).with_message(what.to_owned())
    }
}

/// The width of the terminal on stdout. None in a pipe, and none for a terminal that does not say or
/// is too narrow for any table: cutting words into single letters would help nobody.
fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col >= COLUMNS_MIN).then_some(size.ws_col)
}

/// Writes and flushes, so that what a job said is seen when it said it.
fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn cell(tone: Tone, text: &str) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Doubtful => cell.fg(Color::Yellow),
        Tone::Live => cell.fg(Color::Cyan),
        Tone::Faint => cell.add_attribute(Attribute::Dim),
        Tone::Plain => cell,
    }
}

/// A name or text of a job as one harmless line: control characters would let a job's name move the
/// cursor or colour the terminal, and marks of direction turn round what stands beside it.
pub(super) fn plain(text: &str) -> String {
    let is_harmful = |char: char| char.is_control() || is_direction(char);
    text.chars().map(|char| if is_harmful(char) { '\u{fffd}' } else { char }).collect()
}

const fn is_direction(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_job_never_reach_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(plain("me\u{202e}gpj.exe"), "me\u{fffd}gpj.exe");
    }

    #[test]
    fn the_progress_template_renders() {
        assert!(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}").is_ok());
    }
}

//! What is printed: one line a measurement, with its reach and whether that was reached.
//! Losses look like wins here: the same columns, and the word MISSED.

use crate::stats::Samples;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    JobsPerSecond,
    MebibytesPerSecond,
    Mebibytes,
    /// Of one core.
    Percent,
    Times,
    /// A rate of switches between processes.
    SwitchesPerSecond,
    Jobs,
    Bytes,
    EventsPerSecond,
    Microseconds,
}

impl Unit {
    fn shown(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::JobsPerSecond => "jobs/s",
            Self::MebibytesPerSecond => "MiB/s",
            Self::Mebibytes => "MiB",
            Self::Percent => "% of a core",
            Self::Times => "×",
            Self::SwitchesPerSecond => "switches/s",
            Self::Jobs => "jobs",
            Self::Bytes => "bytes",
            Self::EventsPerSecond => "events/s",
            Self::Microseconds => "µs",
        }
    }
}

/// A middle value and how far the others were from it.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) unit: Unit,
    pub(crate) middle: f64,
    /// Ready to read: `min – max` of runs, or the p99 of latencies.
    spread: String,
    low: f64,
    high: f64,
    samples: usize,
}

impl Figure {
    /// A few whole runs: median, and smallest to largest.
    pub(crate) fn runs(samples: &Samples, unit: Unit) -> Self {
        let (low, high) = (samples.min(), samples.max());
        let spread = match samples.len() {
            1 => "once".to_owned(),
            times => format!("{} – {}, {times} times", short(low), short(high)),
        };
        Self { unit, middle: samples.median(), spread, low, high, samples: samples.len() }
    }

    /// Many latencies: p50 and p99.
    pub(crate) fn latencies(samples: &Samples) -> Self {
        let high = samples.quantile(0.99);
        Self {
            unit: Unit::Milliseconds,
            middle: samples.median(),
            spread: format!("p99 {}, {} samples", short(high), samples.len()),
            low: samples.min(),
            high,
            samples: samples.len(),
        }
    }

    /// Something measured once.
    pub(crate) fn once(value: f64, unit: Unit) -> Self {
        Self::runs(&std::iter::once(value).collect(), unit)
    }
}

/// What a figure, or a ratio of two, should be.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// In words, such as `p50 < 2 × append`.
    words: String,
    value: f64,
    limit: f64,
    more_is_better: bool,
}

impl Reach {
    /// `value` may be `limit` at most.
    pub(crate) fn at_most(words: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { words: words.into(), value, limit, more_is_better: false }
    }

    /// `value` must be `limit` at least.
    pub(crate) fn at_least(words: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { words: words.into(), value, limit, more_is_better: true }
    }

    /// A value that is not a number reaches nothing.
    pub(crate) fn is_reached(&self) -> bool {
        if self.more_is_better { self.value >= self.limit } else { self.value <= self.limit }
    }

    fn verdict(&self) -> String {
        let value = short(self.value);
        if self.is_reached() {
            return format!("reached ({value})");
        }
        let off =
            if self.more_is_better { self.limit / self.value } else { self.value / self.limit };
        let limit = short(self.limit);
        format!("**MISSED** ({value}, not {limit}: {} × off)", short(off))
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) scenario: &'static str,
    what: String,
    /// Or why there is none: what was not measured gets no number.
    figure: Result<Figure, String>,
    /// This line's figure over longhaul's for the same thing.
    beside: Option<f64>,
    reach: Option<Reach>,
}

impl Line {
    pub(crate) fn new(scenario: &'static str, what: impl Into<String>, figure: Figure) -> Self {
        Self { scenario, what: what.into(), figure: Ok(figure), beside: None, reach: None }
    }

    /// A line that says why there is no figure.
    pub(crate) fn unmeasured(scenario: &'static str, what: impl Into<String>, why: String) -> Self {
        Self { scenario, what: what.into(), figure: Err(why), beside: None, reach: None }
    }

    pub(crate) fn reach(mut self, reach: Reach) -> Self {
        self.reach = Some(reach);
        self
    }

    /// Sets this line's figure beside longhaul's own for the same thing.
    pub(crate) fn beside(mut self, ours: f64) -> Self {
        let ratio = self.figure.as_ref().ok().map(|figure| figure.middle / ours);
        // Nothing is any number of times nothing.
        self.beside = ratio.filter(|ratio| ratio.is_finite());
        self
    }

    /// The columns: scenario, what, figure, spread, beside longhaul, reach, verdict.
    fn columns(&self) -> [String; 7] {
        let (figure, spread) = match &self.figure {
            Ok(figure) => {
                (format!("{} {}", short(figure.middle), figure.unit.shown()), figure.spread.clone())
            }
            Err(why) => ("not measured".to_owned(), why.clone()),
        };
        let reach = self.reach.as_ref();
        [
            self.scenario.to_owned(),
            self.what.replace('|', "\\|"),
            figure,
            spread.replace('|', "\\|").replace('\n', " "),
            self.beside.map(|ratio| format!("{} ×", short(ratio))).unwrap_or_default(),
            reach.map(|reach| reach.words.clone()).unwrap_or_default(),
            reach.map(Reach::verdict).unwrap_or_default(),
        ]
    }

    fn ledger(&self) -> Value {
        let mut entry = json!({ "scenario": self.scenario, "what": self.what });
        match &self.figure {
            Ok(figure) => {
                entry["unit"] = json!(figure.unit.shown());
                entry["middle"] = json!(figure.middle);
                entry["low"] = json!(figure.low);
                entry["high"] = json!(figure.high);
                entry["samples"] = json!(figure.samples);
            }
            Err(why) => entry["unmeasured"] = json!(why),
        }
        if let Some(ratio) = self.beside {
            entry["beside"] = json!(ratio);
        }
        if let Some(reach) = &self.reach {
            entry["reach"] = json!({
                "words": reach.words, "value": reach.value,
                "limit": reach.limit, "reached": reach.is_reached(),
            });
        }
        entry
    }
}

/// The whole table, as Markdown.
pub(crate) fn markdown(lines: &[Line]) -> String {
    let mut text = String::from(
        "| scenario | measured | figure | spread | beside longhaul | reach | verdict |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        writeln!(text, "| {} |", line.columns().join(" | ")).expect("a string takes every line");
    }
    text
}

/// The lines as one JSON array.
pub(crate) fn ledger(lines: &[Line]) -> Value {
    lines.iter().map(Line::ledger).collect()
}

/// Three significant digits: more would be noise.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_reach_says_by_how_much() {
        let slow = Reach::at_most("p50 < 2 ×", 3.0, 2.0);
        assert_eq!(slow.verdict(), "**MISSED** (3.00, not 2.00: 1.50 × off)");
        let few = Reach::at_least("10 ×", 4.0, 10.0);
        assert_eq!(few.verdict(), "**MISSED** (4.00, not 10.0: 2.50 × off)");
        assert_eq!(Reach::at_least("10 ×", 12.0, 10.0).verdict(), "reached (12.0)");
    }

    #[test]
    fn no_number_reaches_nothing() {
        assert!(!Reach::at_most("", f64::NAN, 2.0).is_reached());
        assert!(!Reach::at_least("", f64::NAN, 2.0).is_reached());
    }

    #[test]
    fn what_was_not_measured_has_no_number() {
        let missing = Line::unmeasured("submit", "nq true", "nq is not installed".to_owned());
        let text = markdown(&[missing.beside(1.0)]);
        let last = text.lines().last().unwrap();
        assert_eq!(last, "| submit | nq true | not measured | nq is not installed |  |  |  |");
    }
}

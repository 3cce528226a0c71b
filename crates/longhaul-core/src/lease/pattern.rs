//! The grammar of patterns. A pattern matches the whole of a target, byte by byte:
//! `*` is any run without `/`, `**` any run; `/**/` also matches a single `/`, and `/**` at the end
//! also what stands before it. All else is literal, and its case counts.
//!
//! What is below a thing has a name: neither `/a/**` nor `/a/*` matches `/a/`. So a `*` that is a
//! whole segment matches at least one character, and is within a `**` in its place.

use super::canonical;
use super::inclusion::{self, Work};
use crate::limits;

/// One pattern, in the form in which it is matched, with the text that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    canonical: String,
    whole: Glob,
    url: Option<UrlGlobs>,
}

/// The parts of a URL must match by themselves too: no wildcard that was meant for a path may reach
/// into the query, and none that was meant for a host into the path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UrlGlobs {
    /// What is before a literal `?`.
    path: Glob,
    /// Scheme and authority, if the pattern names a scheme.
    origin: Option<Glob>,
}

/// A pattern as a machine: states in a row, each with the way to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Glob {
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This byte.
    Byte(u8),
    /// One byte, whichever.
    One,
    /// One byte other than `/`.
    OneWithin,
    /// Any run without `/`.
    Run,
    /// Any run.
    RunAcross,
    /// What follows, or as many steps further on.
    Skip(usize),
}

impl Pattern {
    /// Reads a pattern for a capability, which decides whether it speaks of URLs, paths or names.
    /// Refuses with what is wrong, in words that fit after the text.
    pub fn parse(capability: &str, text: &str) -> Result<Self, &'static str> {
        if text.len() > limits::PATTERN_BYTES_MAX {
            return Err("it is too long");
        }
        let canonical = canonical::pattern(capability, text)?;
        let whole = Glob::compile(&canonical);
        let url = canonical::is_url(capability).then(|| {
            let parts = canonical::UrlParts::of(&canonical);
            UrlGlobs { path: Glob::compile(parts.path), origin: parts.origin.map(Glob::compile) }
        });
        Ok(Self { text: text.to_owned(), canonical, whole, url })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the paths that it matches depend on the folder that they are seen from.
    pub(crate) fn is_relative(&self) -> bool {
        !self.canonical.starts_with('/') && !self.canonical.starts_with("**")
    }

    /// Whether it matches a canonical path or name.
    pub(super) fn matches(&self, target: &str) -> bool {
        self.whole.matches(target)
    }

    /// Whether it matches a canonical URL, as a whole and in its parts.
    pub(super) fn matches_url(&self, url: &str) -> bool {
        let parts = canonical::UrlParts::of(url);
        let Some(globs) = &self.url else { return false };
        let is_of_origin = match (&globs.origin, parts.origin) {
            (Some(glob), Some(origin)) => glob.matches(origin),
            (Some(_), None) => false,
            (None, _) => true,
        };
        is_of_origin && globs.path.matches(parts.path) && self.whole.matches(url)
    }

    /// Whether it is shown that `parent` matches all that this one does. Both are of one capability.
    pub(super) fn is_within(&self, parent: &Self, work: &mut Work) -> bool {
        if self.canonical == parent.canonical {
            return true;
        }
        let are_parts_within = match (&self.url, &parent.url) {
            (None, None) => true,
            (Some(child), Some(parent)) => child.is_within(parent, work),
            (Some(_), None) | (None, Some(_)) => false,
        };
        are_parts_within && inclusion::is_within(&self.whole, &parent.whole, work)
    }
}

impl UrlGlobs {
    fn is_within(&self, parent: &Self, work: &mut Work) -> bool {
        let is_origin_within = match (&self.origin, &parent.origin) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(child), Some(parent)) => inclusion::is_within(child, parent, work),
        };
        is_origin_within && inclusion::is_within(&self.path, &parent.path, work)
    }
}

impl Glob {
    /// Every text is a pattern.
    pub(super) fn compile(text: &str) -> Self {
        let mut steps = vec![];
        let mut rest = text.as_bytes();
        let mut is_segment_start = true;
        while let Some(first) = rest.first() {
            let ends_at = |at: usize| matches!(rest.get(at), None | Some(b'/'));
            let taken = if rest.starts_with(b"/**/**") && ends_at(6) {
                // The same as one of them.
                3
            } else if rest == b"/**" {
                steps.extend([Step::Skip(4), Step::Byte(b'/'), Step::One, Step::RunAcross]);
                3
            } else if rest.starts_with(b"/**/") {
                steps.extend([Step::Skip(3), Step::Byte(b'/'), Step::RunAcross]);
                3
            } else if rest.starts_with(b"**") {
                push_run(&mut steps, Step::RunAcross);
                2
            } else if *first == b'*' {
                if is_segment_start && ends_at(1) {
                    steps.push(Step::OneWithin);
                }
                push_run(&mut steps, Step::Run);
                1
            } else {
                steps.push(Step::Byte(*first));
                1
            };
            is_segment_start = *first == b'/' && taken == 1;
            rest = &rest[taken..];
        }
        Self { steps }
    }

    pub(super) fn matches(&self, target: &str) -> bool {
        let mut at = self.start();
        for byte in target.bytes() {
            at = self.after(&at, byte);
            if at.is_empty() {
                return false;
            }
        }
        self.accepts(&at)
    }

    /// Where the machine stands before the first byte. Places are in order and without repeats.
    pub(super) fn start(&self) -> Vec<usize> {
        self.closed(std::iter::once(0))
    }

    /// Where it stands after one more byte.
    pub(super) fn after(&self, at: &[usize], byte: u8) -> Vec<usize> {
        self.closed(at.iter().filter_map(|place| self.next(*place, byte)))
    }

    /// Whether what was read so far is a match.
    pub(super) fn accepts(&self, at: &[usize]) -> bool {
        at.last() == Some(&self.steps.len())
    }

    /// Every byte that it treats unlike others.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.steps.iter().filter_map(|step| match step {
            Step::Byte(byte) => Some(*byte),
            Step::One | Step::OneWithin | Step::Run | Step::RunAcross | Step::Skip(_) => None,
        })
    }

    /// Where one place leads by one byte, if anywhere.
    pub(super) fn next(&self, place: usize, byte: u8) -> Option<usize> {
        match self.steps.get(place)? {
            Step::Byte(wanted) if *wanted == byte => Some(place + 1),
            Step::One => Some(place + 1),
            Step::Run if byte != b'/' => Some(place),
            Step::RunAcross => Some(place),
            Step::OneWithin if byte != b'/' => Some(place + 1),
            Step::Byte(_) | Step::OneWithin | Step::Run | Step::Skip(_) => None,
        }
    }

    /// The places, and those that are reached from them without a byte.
    pub(super) fn closed(&self, places: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut is_reached = vec![false; self.steps.len() + 1];
        let (mut first, mut last) = (self.steps.len(), 0);
        for place in places {
            is_reached[place] = true;
            (first, last) = (first.min(place), last.max(place));
        }
        let mut closed = vec![];
        // All ways without a byte lead forwards, so one pass finds every place.
        let mut place = first;
        while place <= last {
            place += 1;
            if !is_reached[place - 1] {
                continue;
            }
            let place = place - 1;
            closed.push(place);
            let further = match self.steps.get(place) {
                Some(Step::Run | Step::RunAcross) => 1,
                Some(Step::Skip(further)) => {
                    is_reached[place + 1] = true;
                    *further
                }
                Some(Step::Byte(_) | Step::One | Step::OneWithin) | None => continue,
            };
            is_reached[place + further] = true;
            last = last.max(place + further);
        }
        closed
    }
}

/// Runs in a row are one run: the widest of them.
fn push_run(steps: &mut Vec<Step>, run: Step) {
    match (steps.last_mut(), run) {
        (Some(Step::RunAcross), _) | (Some(Step::Run), Step::Run) => {}
        (Some(last @ Step::Run), Step::RunAcross) => *last = run,
        _ => steps.push(run),
    }
}

//! Ids of in-process jobs: the preferred one, or `bg_N`. A number is given once in a roster's life;
//! a preferred id is free again when its job is out of sight.

use super::{Key, Refused};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The id of an in-process job, as its owner says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Form);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// Numbers need no memory of their own, and most ids are numbers.
    Number(u64),
    Given(Arc<str>),
}

const NUMBERED: &str = "bg_";

impl Id {
    /// Reads an id that somebody says; blanks around it do not count.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let digits = text.strip_prefix(NUMBERED).filter(|digits| !digits.starts_with(['0', '+']));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(number) => Self(Form::Number(number)),
            None => Self(Form::Given(Arc::from(text))),
        }
    }

    /// Whether nothing was said.
    pub fn is_blank(&self) -> bool {
        matches!(&self.0, Form::Given(text) if text.is_empty())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Number(number) => write!(f, "{NUMBERED}{number}"),
            Form::Given(text) => f.write_str(text),
        }
    }
}

/// Who has which id.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeMap<Id, Key>,
    stems: BTreeMap<Arc<str>, Stem>,
    numbered: u64,
}

/// The suffixes of one preferred id: of 2 to below `next`, those in `free` are free and the others
/// taken. Without it the ten-thousandth job named alike would ask ten thousand names.
#[derive(Debug)]
struct Stem {
    next: u32,
    free: BTreeSet<u32>,
}

impl Names {
    pub(super) fn find(&self, id: &Id) -> Option<Key> {
        self.taken.get(id).copied()
    }

    /// Finds the id for a new job: the preferred one, else with the lowest free suffix from `-2`,
    /// else the next number.
    pub(super) fn choose(&mut self, preferred: Option<&str>) -> Result<Id, Refused> {
        let preferred = preferred.map(str::trim).filter(|text| !text.is_empty());
        let Some(text) = preferred else {
            self.numbered += 1;
            return Ok(Id(Form::Number(self.numbered)));
        };
        if text.len() > limits::WORD_BYTES_MAX {
            return Err(Refused::IdTooLong { bytes: text.len() });
        }
        // A number that was not given yet counts as taken: it will be given.
        let id = Id::parse(text);
        if matches!(id.0, Form::Given(_)) && !self.taken.contains_key(&id) {
            return Ok(id);
        }
        Ok(self.suffixed(text))
    }

    fn suffixed(&mut self, stem: &str) -> Id {
        let name = |number: u32| Id(Form::Given(Arc::from(format!("{stem}-{number}"))));
        let known = self.stems.get(stem);
        if let Some(number) = known.and_then(|suffixes| suffixes.free.first()) {
            return name(*number);
        }
        let mut number = known.map_or(2, |suffixes| suffixes.next);
        while self.taken.contains_key(&name(number)) {
            number += 1;
        }
        let suffixes = Stem { next: 2, free: BTreeSet::new() };
        self.stems.entry(Arc::from(stem)).or_insert(suffixes).next = number + 1;
        name(number)
    }

    pub(super) fn take(&mut self, id: Id, key: Key) {
        if let Some((stem, number)) = suffix(&id)
            && let Some(suffixes) = self.stems.get_mut(stem)
        {
            suffixes.free.remove(&number);
        }
        let before = self.taken.insert(id, key);
        assert!(before.is_none(), "choose() gives only free ids");
    }

    pub(super) fn give_back(&mut self, id: &Id) {
        self.taken.remove(id);
        let Some((stem, number)) = suffix(id) else { return };
        let Some(suffixes) = self.stems.get_mut(stem).filter(|known| number < known.next) else {
            return;
        };
        suffixes.free.insert(number);
        if suffixes.free.len() + 2 == usize::try_from(suffixes.next).unwrap_or(usize::MAX) {
            self.stems.remove(stem);
        }
    }
}

/// What an id would be a suffixed form of.
fn suffix(id: &Id) -> Option<(&str, u32)> {
    let Form::Given(text) = &id.0 else { return None };
    let (stem, digits) = text.rsplit_once('-')?;
    let number = digits.parse().ok().filter(|number| *number >= 2)?;
    (!digits.starts_with(['0', '+'])).then_some((stem, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(names: &mut Names, preferred: &str) -> String {
        let id = names.choose(Some(preferred)).unwrap();
        names.take(id.clone(), Key::nobody());
        id.to_string()
    }

    #[test]
    fn preferred_ids_are_trimmed_and_get_the_lowest_free_suffix() {
        let mut names = Names::default();
        assert_eq!(
            ["a", " a ", "a", "  ", ""].map(|id| taken(&mut names, id)),
            ["a", "a-2", "a-3", "bg_1", "bg_2"]
        );
        names.give_back(&Id::parse("a-2"));
        assert_eq!(["a", "a"].map(|id| taken(&mut names, id)), ["a-2", "a-4"]);
    }

    #[test]
    fn suffixes_that_somebody_prefers_are_stepped_over_and_come_back() {
        let mut names = Names::default();
        let wanted = ["a-2", "a", "a", "a-3", "a-3", "a-2"];
        let got = wanted.map(|id| taken(&mut names, id));
        assert_eq!(got, ["a-2", "a", "a-3", "a-3-2", "a-3-3", "a-2-2"]);
        for id in &got {
            names.give_back(&Id::parse(id));
        }
        assert!(names.taken.is_empty() && names.stems.is_empty(), "{names:?}");
    }

    #[test]
    fn a_number_is_given_once_and_can_not_be_preferred() {
        let mut names = Names::default();
        assert_eq!(
            ["bg_1", "", "bg_01"].map(|id| taken(&mut names, id)),
            ["bg_1-2", "bg_1", "bg_01"]
        );
        names.give_back(&Id::parse("bg_1"));
        assert_eq!(taken(&mut names, ""), "bg_2");
        assert!(names.choose(Some(&"x".repeat(257))).is_err());
    }
}

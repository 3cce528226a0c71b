//! The page of error codes, built into the binary so that it is at hand when something is wrong.

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// The section of `docs/errors.md` for `code`, without its heading; `None` for a code nobody gives.
pub fn explain(code: &str) -> Option<&'static str> {
    sections().find(|(name, _)| *name == code).map(|(_, text)| text)
}

/// All codes, in the order of the page.
pub fn codes() -> impl Iterator<Item = &'static str> {
    sections().map(|(name, _)| name)
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).map(|section| {
        let (name, text) = section.split_once('\n').unwrap_or((section, ""));
        (name.trim().trim_matches('`'), text.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let mut all: Vec<&str> = codes().collect();
        assert!(all.len() > 20, "{all:?}");
        for code in &all {
            assert!(explain(code).is_some_and(|text| text.len() > 40), "{code} says nothing");
        }
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count, "a code is explained twice");
        assert_eq!(explain("no such code"), None);
    }
}

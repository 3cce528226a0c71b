//! What an operation is about, in the one form that patterns are compared with.

use super::pattern::Pattern;
use super::{Denied, canonical, shortened};

/// Something that a job wants to do: a capability, and a target in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    capability: String,
    target: String,
    /// The same path seen from the working directory, if it is in it.
    relative: Option<String>,
}

impl Operation {
    /// Takes a target as an agent names it. Relative paths are of `cwd`, an absolute path; without
    /// one they are matched as they are, and may not lead above where they begin.
    ///
    /// Refuses [`Denied::BadTarget`] where the target could mean several things to those who use it.
    pub fn new(capability: &str, target: &str, cwd: Option<&str>) -> Result<Self, Denied> {
        let bad = |problem| Denied::BadTarget {
            capability: shortened(capability),
            target: shortened(target),
            problem,
        };
        let (target, relative) = if canonical::is_path(capability) {
            canonical::path(target, cwd).map_err(bad)?
        } else if canonical::is_url(capability) {
            (canonical::url(target).map_err(bad)?, None)
        } else {
            (canonical::name(target).map_err(bad)?, None)
        };
        Ok(Self { capability: capability.to_owned(), target, relative })
    }

    /// The capability that is needed.
    pub fn capability(&self) -> &str {
        &self.capability
    }

    /// The target, in its canonical form. Who does the operation must use this one: another may mean
    /// something else.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// A path is granted by either of its forms: a pattern may be relative, too.
    pub(super) fn is_matched_by(&self, pattern: &Pattern) -> bool {
        if canonical::is_url(&self.capability) {
            return pattern.matches_url(&self.target);
        }
        pattern.matches(&self.target)
            || self.relative.as_deref().is_some_and(|path| pattern.matches(path))
    }
}

//! What whoever runs the lives asks for by the environment.

/// The number of this name; none if nobody asked for one.
#[expect(clippy::disallowed_methods, reason = "how long it runs is for whoever runs it to say")]
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

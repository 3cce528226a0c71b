//! What an attempt tells those who follow its job.

use crate::amounts::{Amount, Currency};

/// One thing that an attempt tells those who follow its job: checked, and as text, by whoever hands it
/// in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The journal's entry: a [`Fact::Told`](crate::event::Fact::Told) as JSON text.
    pub text: String,
    /// What it costs.
    pub charge: Option<(Currency, Amount)>,
    /// The piece of a result that it is.
    pub piece: Option<Piece>,
}

/// A piece of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The result's name, the same in every piece.
    pub result: String,
    /// Its number, from zero and without gaps.
    pub seq: u64,
    /// Its length in bytes, decoded.
    pub bytes: u64,
    /// Whether it is the last.
    pub is_last: bool,
}

//! Lives, and what must be caught in them.

mod found;
mod lives;

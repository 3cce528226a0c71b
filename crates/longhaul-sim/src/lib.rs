//! The whole system in one deterministic process.

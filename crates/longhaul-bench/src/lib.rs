//! Measures longhaul beside its peers.

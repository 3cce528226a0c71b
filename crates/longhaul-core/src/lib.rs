//! Decides what becomes of a job; no I/O.

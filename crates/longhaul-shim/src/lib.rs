//! The process that holds one attempt and outlives the daemon.

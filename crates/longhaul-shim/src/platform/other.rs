//! Not Linux.

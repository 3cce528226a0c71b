//! SQLite and a memory twin behind core's port.

//! Walks through the real program: real daemons, real shims, real children.

mod daemon_life;
mod daemon_support;

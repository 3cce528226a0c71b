//! Real shims, real children: what a daemon sees of them through their folders.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report, in its helpers too")]

mod crashes;
mod evidence;
mod harness;
mod leftovers;
mod limits;
mod outcomes;
mod shapes;
mod stopping;
mod terminal;

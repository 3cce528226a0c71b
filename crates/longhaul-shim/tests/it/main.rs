//! Real shims, real children: what a daemon sees of them through their folders.

mod crashes;
mod evidence;
mod harness;
mod leftovers;
mod limits;
mod outcomes;
mod stopping;
mod terminal;

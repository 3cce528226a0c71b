//! The seam where a mutant goes in: what is simulated, as the life calls it.

use longhaul_core::command::Command;
use longhaul_core::engine::{Engine, Step};
use longhaul_core::port::{Store, StoreError};
use longhaul_core::time::Timestamp;

/// What a life is lived with.
pub trait System {
    /// One batch, one transaction.
    ///
    /// # Errors
    /// As [`Engine::step`].
    fn step(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        batch: Vec<Command>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.step(store, batch, now)
    }

    /// Every active row is asked what it wants.
    ///
    /// # Errors
    /// As [`Engine::reconcile`].
    fn reconcile(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.reconcile(store, now)
    }

    /// Retention is looked after.
    ///
    /// # Errors
    /// As [`Engine::retain`].
    fn retain(
        &mut self,
        engine: &Engine,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        engine.retain(store, now).map(|(step, _)| step)
    }

    /// Whether the edge decides by what it sees when it looks whether a job had ended that was asked
    /// for, and not by what was answered. It should not: between the two the end may have been told.
    fn believes_its_eyes(&self) -> bool {
        false
    }

    /// What a driver is about to report, before it may get lost.
    fn report(&mut self, report: Command) -> Command {
        report
    }
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Honest;

impl System for Honest {}

//! Whole processes against each other, in turns: whatever else the machine does meets all alike.

use crate::clock;
use crate::report::{Figure, Unit};
use crate::stats::Samples;
use anyhow::{Context, Result};

/// One way of doing the thing that is compared.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    act: Box<dyn FnMut() -> Result<()> + 'a>,
    /// How often a round does it; the round counts with its median.
    times: usize,
    rounds: Samples,
    all: Samples,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        times: usize,
        act: impl FnMut() -> Result<()> + 'a,
    ) -> Self {
        let name = name.into();
        let (rounds, all) = (Samples::default(), Samples::default());
        Self { name, act: Box::new(act), times, rounds, all }
    }

    /// Median of the rounds, and the smallest and largest of them.
    pub(crate) fn figure(&self) -> Figure {
        Figure::runs(&self.rounds, Unit::Milliseconds)
    }

    /// Every single time, over all rounds.
    pub(crate) fn all(&self) -> &Samples {
        &self.all
    }

    fn round(&mut self) -> Result<()> {
        let mut round = Samples::default();
        for _ in 0..self.times {
            let took = clock::timed(&mut self.act).with_context(|| self.name.clone())?;
            round.push(took);
            self.all.push(took);
        }
        self.rounds.push(round.median());
        Ok(())
    }
}

/// Lets each warm up once, then all take turns for that many rounds.
pub(crate) fn hold(contenders: &mut [Contender<'_>], rounds: u32) -> Result<()> {
    for contender in &mut *contenders {
        (contender.act)().with_context(|| contender.name.clone())?;
    }
    for _ in 0..rounds {
        for contender in &mut *contenders {
            contender.round()?;
        }
    }
    Ok(())
}

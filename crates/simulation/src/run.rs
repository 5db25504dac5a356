//! One seed, from its history to the verdict.

use std::{fmt, sync::Arc};

use tombolo_engine::sync::Mutation;

use crate::{
    Engine, History, Violation, World, draw, judge,
    shrink::{self, shrink},
};

/// A seed that the engine does not pass, made short.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What is wrong with the shortest history.
    pub wrong: Vec<Violation>,
    /// The shortest history that fails likewise.
    pub history: History,
    /// What happened in it.
    pub trace: Vec<String>,
}

/// Runs a history and judges it.
pub fn verdict<E: Engine>(history: &Arc<History>, mutation: Option<Mutation>) -> Vec<Violation> {
    let mut world = World::<E>::new(Arc::clone(history), mutation, false);
    world.run();
    judge(&world)
}

/// What is wrong with a seed; a panic of the engine is, too.
pub fn wrong<E: Engine>(seed: u64, mutation: Option<Mutation>) -> Vec<Violation> {
    shrink::caught::<E>(&Arc::new(draw::history(seed)), mutation)
}

/// What is wrong when a fault is put into the engine that passes this seed without it; a seed that it does not pass
/// says nothing about the fault.
pub fn wrong_with<E: Engine>(seed: u64, mutation: Mutation) -> Vec<Violation> {
    let history = Arc::new(draw::history(seed));
    let wrong = shrink::caught::<E>(&history, Some(mutation));
    if wrong.is_empty() || !shrink::caught::<E>(&history, None).is_empty() { Vec::new() } else { wrong }
}

/// Everything that happens in a seed, line by line.
pub fn story<E: Engine>(seed: u64, mutation: Option<Mutation>) -> Vec<String> {
    let mut world = World::<E>::new(Arc::new(draw::history(seed)), mutation, true);
    world.run();
    world.trace.unwrap_or_default()
}

/// Runs a seed; if it fails, the shortest history that still does.
pub fn check<E: Engine>(seed: u64, mutation: Option<Mutation>) -> Option<Failure> {
    let history = Arc::new(draw::history(seed));
    let wrong = shrink::caught::<E>(&history, mutation);
    let kind = wrong.first()?.kind;
    let history = Arc::new(shrink::<E>(&history, kind, mutation));
    let mut world = World::<E>::new(Arc::clone(&history), mutation, true);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run())).is_err();
    let wrong = if panicked { wrong } else { judge(&world) };
    Some(Failure { seed, wrong, history: History::clone(&history), trace: world.trace.unwrap_or_default() })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} fails. The shortest history that does:\n{}", self.seed, self.history)?;
        writeln!(f, "What happened:")?;
        self.trace.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "What is wrong:")?;
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "- {}: {}", wrong.kind, wrong.text))?;
        writeln!(f, "Again: cargo xtask simulate --seed {}", self.seed)
    }
}

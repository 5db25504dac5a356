//! What is simulated: the engine of a shard, or something that pretends to be one.

use std::sync::Arc;

use jiff::Timestamp;
use tombolo_engine::sync::{Effect, Input, Plan, Settings, Shard, Start};

/// An engine as the world sees it.
pub trait Engine: Sized {
    /// Goes on from where the last holder put it away.
    fn start(now: Timestamp, plan: Arc<Plan>, settings: Settings, start: Start) -> Self;
    /// Takes in what happened.
    fn handle(&mut self, now: Timestamp, input: Input);
    /// The next thing to do.
    fn next_effect(&mut self) -> Option<Effect>;
    /// When to say that time passed.
    fn wake(&self) -> Option<Timestamp>;
    /// Whether nothing is under way.
    fn is_quiet(&self) -> bool;
}

impl Engine for Shard {
    fn start(now: Timestamp, plan: Arc<Plan>, settings: Settings, start: Start) -> Self {
        Self::new(now, plan, settings, start)
    }

    fn handle(&mut self, now: Timestamp, input: Input) {
        self.handle(now, input);
    }

    fn next_effect(&mut self) -> Option<Effect> {
        self.next_effect()
    }

    fn wake(&self) -> Option<Timestamp> {
        self.wake()
    }

    fn is_quiet(&self) -> bool {
        self.is_quiet()
    }
}

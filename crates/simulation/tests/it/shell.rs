//! An engine that does nothing does not pass.

use std::sync::Arc;

use jiff::Timestamp;
use tombolo_engine::sync::{Effect, Input, Plan, Settings, Start};
use tombolo_simulation::Engine;

/// Hears everything and does nothing.
struct Deaf;

impl Engine for Deaf {
    fn start(_: Timestamp, _: Arc<Plan>, _: Settings, _: Start) -> Self {
        Self
    }

    fn handle(&mut self, _: Timestamp, _: Input) {}

    fn next_effect(&mut self) -> Option<Effect> {
        None
    }

    fn wake(&self) -> Option<Timestamp> {
        None
    }

    fn is_quiet(&self) -> bool {
        true
    }
}

#[test]
fn an_engine_that_does_nothing_is_found_out() {
    let found = (0..50).filter(|seed| tombolo_simulation::check::<Deaf>(*seed, None).is_some());
    assert!(found.count() > 45);
}

//! Faults put into the engine on purpose: each is caught within a thousand seeds.

use tombolo_engine::sync::{Mutation, Shard};

/// The seed that catches a fault first, if one of these does.
fn caught(mutation: Mutation, seeds: u64) -> Option<u64> {
    (0..seeds).find(|seed| !tombolo_simulation::wrong_with::<Shard>(*seed, mutation).is_empty())
}

#[test]
fn every_mutation_is_caught() {
    let missed: Vec<Mutation> =
        Mutation::ALL.into_iter().filter(|mutation| caught(*mutation, 1000).is_none()).collect();
    assert!(missed.is_empty(), "not caught within 1,000 seeds: {missed:?}");
}

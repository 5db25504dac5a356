//! A slice of seeds, as `cargo xtask simulate` runs them by the thousand.

use tombolo_engine::sync::Shard;

#[test]
fn the_engine_passes_a_slice_of_seeds() {
    for seed in 0..1000 {
        if let Some(failure) = tombolo_simulation::check::<Shard>(seed, None) {
            panic!("{failure}");
        }
    }
}

#[test]
fn a_seed_always_tells_the_same_story() {
    for seed in 0..20 {
        let again = || tombolo_simulation::story::<Shard>(seed, None);
        assert_eq!(again(), again(), "seed {seed}");
    }
}

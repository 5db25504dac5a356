//! Randomness in streams of its own for each purpose, so that leaving one thing out of a history leaves the rest alike.

use std::collections::BTreeMap;

use fastrand::Rng;

/// Draws what nobody decided.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: u64,
    drawn: BTreeMap<&'static str, u64>,
}

impl Dice {
    /// The dice of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: BTreeMap::new() }
    }

    /// A generator for the next thing of a kind.
    pub fn of(&mut self, kind: &'static str) -> Rng {
        let drawn = self.drawn.entry(kind).or_insert(0);
        *drawn += 1;
        let number = *drawn;
        self.fixed(kind, number)
    }

    /// The generator of the thing of this kind and number, however often it is asked for.
    pub fn fixed(&self, kind: &str, number: u64) -> Rng {
        let mut mixed = self.seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in kind.bytes().chain(number.to_le_bytes()) {
            mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Rng::with_seed(mixed ^ (mixed >> 29))
    }
}

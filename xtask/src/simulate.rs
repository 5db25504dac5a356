//! Seeded histories of trouble for the sync engine, judged by the oracle of `crates/simulation`.

use crate::{
    Outcome,
    process::{cargo, visible},
};

/// Seeds that CI runs.
const SEEDS: &str = "1000";

/// Builds the simulation in the release profile and runs it; its flags are those of its binary.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let arguments = if arguments.is_empty() { &["--seeds", SEEDS] } else { arguments };
    let mut command = cargo(&["run", "--quiet", "--release", "--locked", "--package", "tombolo-simulation", "--"]);
    visible(command.args(arguments))
}

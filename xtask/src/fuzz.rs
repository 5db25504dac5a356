//! The fuzz targets without libFuzzer: their corpus, and some seconds of mutation.

use std::process::Command;

use crate::{
    Outcome,
    process::{cargo, visible},
};

/// Long enough to try a few hundred thousand texts.
pub(crate) const SMOKE: f64 = 3.0;

/// The same texts each time, as far as the time goes.
const SEED: &str = "1";

/// So long for each target.
pub(crate) fn run(seconds: f64) -> Outcome {
    visible(smoke(&[], seconds).env("RUST_BACKTRACE", "0"))
}

/// The targets have to find the bug that a feature of `tombolo-soql` plants.
pub(crate) fn planted() -> Outcome {
    let output = smoke(&["--features", "planted-bug"], 60.0).env("RUST_BACKTRACE", "0").output();
    let output = output.map_err(|e| format!("the fuzz targets: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match said.lines().find(|line| line.contains("FAILED for")) {
        Some(found) => {
            println!("  found: {found}");
            Ok(())
        }
        None => Err(format!("{said}the planted bug was not found")),
    }
}

fn smoke(features: &[&str], seconds: f64) -> Command {
    let mut command = cargo(&["run", "--quiet", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--bin", "smoke"]);
    command.args(["--target-dir", "target/fuzz"]).args(features).arg("--");
    command.args([&seconds.to_string(), SEED]);
    command
}

//! Running other programs, and saying briefly what came of it.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use crate::Outcome;

/// Runs a command whose output matters only when it fails.
pub(crate) fn quiet(command: &mut Command) -> Outcome {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{shown}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{stdout}{stderr}\n{shown}: {}", output.status))
}

/// Runs a command that talks to the person itself.
pub(crate) fn visible(command: &mut Command) -> Outcome {
    let shown = shown(command);
    let status = command.stdin(Stdio::null()).status().map_err(|e| format!("{shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Runs a command and returns what it printed.
pub(crate) fn captured(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{shown}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{}{shown}: {}", String::from_utf8_lossy(&output.stderr), output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{shown}: {e}"))
}

/// One line a step: its name, and how long it took.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    let start = Instant::now();
    let outcome = work();
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("{name:<14} {verdict:<6} {:>5.0} s", start.elapsed().as_secs_f64());
    outcome.map_err(|message| format!("{message}\n{name} failed"))
}

pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

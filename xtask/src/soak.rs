//! Real processes under fire, for as long as one likes: what is longer than a minute, and the slice of it that CI runs.
//!
//! The scripts start servers of their own in a temporary folder; the machine's are left alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Outcome, interop,
    process::{self, cargo, step},
    workspace,
};

/// What a soak has shown so far, so that one that was stopped goes on.
const FIGURES: &str = "target/soak/sync.json";

/// The cases of two-way sync, each with its script.
const CASES: [(&str, &str); 6] = [
    ("blind", "sync_cases"),
    ("app", "sync_cases"),
    ("fanout", "sync_cases"),
    ("trouble", "sync_cases"),
    ("real", "sync_data"),
    ("match", "sync_data"),
];

/// Kills a live mirror at random moments.
pub(crate) fn mirror(rounds: u32) -> Outcome {
    let Some(clients) = interop::prepare()? else { return Ok(()) };
    clients.mirror(&["hierarchy", "50000"])?;
    // Ten kills a run, so that a soak that is stopped has shown what it had done by then.
    for done in (0..rounds).step_by(10) {
        clients.mirror(&["kills", "10"])?;
        println!("  {} of {rounds} rounds", (done + 10).min(rounds));
    }
    Ok(())
}

/// Kills and freezes everything that two-way sync rests on.
pub(crate) fn sync(arguments: &[&str]) -> Outcome {
    let Some(ground) = Ground::debug()? else { return Ok(()) };
    ground.run("sync_soak", &[arguments, &["--figures", FIGURES]].concat())
}

/// One of the cases, as it stands in its script.
pub(crate) fn case(name: &str, arguments: &[&str]) -> Outcome {
    let Some((_, script)) = CASES.into_iter().find(|(known, _)| *known == name) else {
        let names = CASES.map(|(name, _)| name).join(", ");
        return Err(format!("`soak {name}` is none of mirror, sync, {names}"));
    };
    // Two hundred thousand rows want the release profile.
    let ground = if name == "match" { Ground::release()? } else { Ground::debug()? };
    let Some(ground) = ground else { return Ok(()) };
    ground.run(script, &[&[name], arguments].concat())
}

/// What CI runs of all this.
pub(crate) fn slice() -> Outcome {
    let Some(ground) = Ground::debug()? else { return Ok(()) };
    for (name, script, arguments) in [
        ("the judge", "sync_judge_cases", &[][..]),
        ("blind", "sync_cases", &["blind"]),
        ("app writes", "sync_cases", &["app"]),
        ("fan-out", "sync_cases", &["fanout", "400"]),
        ("trouble", "sync_cases", &["trouble"]),
        ("real data", "sync_data", &["real"]),
        ("kills", "sync_soak", &["--kills", "3", "--takeovers", "1", "--changes", "150", "--round", "150"]),
        (
            "kills, MySQL",
            "sync_soak",
            &["--app", "mysql", "--kills", "3", "--takeovers", "0", "--changes", "150", "--round", "150"],
        ),
    ] {
        step(name, || ground.run(script, arguments))?;
    }
    Ok(())
}

/// Figures of two-way sync, from the release profile.
pub(crate) fn bench(arguments: &[&str]) -> Outcome {
    process::visible(&mut cargo(&[
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "tombolo-simulation",
        "--example",
        "throughput",
    ]))?;
    let Some(ground) = Ground::release()? else { return Ok(()) };
    ground.run("sync_bench", arguments)
}

/// What the scripts need: a Python with the third-party drivers, and the binary.
struct Ground {
    python: PathBuf,
    binary: PathBuf,
}

impl Ground {
    fn debug() -> Result<Option<Self>, String> {
        Self::built(&[], "target/debug/tombolo")
    }

    fn release() -> Result<Option<Self>, String> {
        Self::built(&["--release"], "target/release/tombolo")
    }

    /// Nothing if this machine lacks the servers or the drivers and nobody requires them.
    fn built(profile: &[&str], binary: &str) -> Result<Option<Self>, String> {
        if let Some(missing) = missing_server() {
            if workspace::required("servers") {
                return Err(format!("{missing} is not there, and servers are required"));
            }
            println!("  skipped: {missing} is not there");
            return Ok(None);
        }
        let Some(python) = interop::python()? else { return Ok(None) };
        process::quiet(cargo(&["build", "--quiet", "--locked", "--package", "tombolo-cli", "--bins"]).args(profile))?;
        let binary = fs::canonicalize(binary).map_err(|e| format!("{binary}: {e}"))?;
        Ok(Some(Self { python, binary }))
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(&self.python);
        command.arg(format!("interop/python/{script}.py")).args(arguments).env("TOMBOLO_BINARY", &self.binary);
        process::visible(interop::with_shared(&mut command))
    }
}

/// The first program of a server that is nowhere.
fn missing_server() -> Option<&'static str> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_in_path = |name: &str| std::env::split_paths(&paths).any(|folder| folder.join(name).is_file());
    let has_postgres = || is_in_path("initdb") || Path::new("/usr/lib/postgresql").is_dir();
    if !has_postgres() {
        return Some("PostgreSQL");
    }
    [("mariadbd", "MariaDB"), ("redis-server", "Redis")]
        .into_iter()
        .find(|(program, _)| !is_in_path(program))
        .map(|(_, name)| name)
}

//! Unmodified third-party clients against the local org, and the mirror judged from outside.
//!
//! The clients are installed once, at fixed versions, into `.interop/` (which git ignores).

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use crate::{Outcome, process, workspace};

/// Which clients are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// The ones that CI always runs.
    Always,
    /// The heavy ones, too.
    All,
}

const ROOT: &str = ".interop";
const BINARY: &str = "target/debug/tombolo";
/// Source of custom objects that the clients work with.
const PROJECT: &str = "interop/project";

pub(crate) fn run(tier: Tier) -> Outcome {
    let Some(clients) = prepare()? else { return Ok(()) };
    clients.differential()?;
    let org = Org::start()?;
    for (script, program) in [
        ("interop/python/simple_salesforce_rest.py", &clients.python),
        ("interop/node/jsforce_rest.mjs", &clients.node),
        ("interop/node/jsforce_streaming.mjs", &clients.node),
    ] {
        org.judged_by(&clients, program, script, None)?;
    }
    drop(org);
    if tier == Tier::All {
        heavy(&clients)?;
    }
    let rounds = if tier == Tier::All { "20" } else { "10" };
    for work in [&["real"][..], &["expired"], &["hierarchy", "50000"], &["kills", rounds]] {
        clients.mirror(work)?;
    }
    Ok(())
}

/// Clients of the heavy tier, each kind in a place of its own: what one of them needs is no reason to skip the others.
fn heavy(clients: &Clients) -> Outcome {
    let root = Path::new(ROOT);
    let python = || python_in(&root.join("all/venv"), "interop/python/requirements-all.txt");
    let node = || node_in(&root.join("all/node"), "interop/node/all/package.json");
    let sf = || node_in(&root.join("sf"), "interop/node/sf/package.json");
    if let Some(python) = available(python())? {
        for script in ["zeep_soap", "aiosalesforce_rest", "aiosfstream_streaming", "emp_bayeux"] {
            Org::start()?.judged_by(clients, &python, &format!("interop/python/{script}.py"), None)?;
        }
    }
    if let Some(modules) = available(node())? {
        for script in ["cometd_streaming", "faye_streaming"] {
            Org::start()?.judged_by(clients, &clients.node, &format!("interop/node/{script}.mjs"), Some(&modules))?;
        }
    }
    if let Some(modules) = available(sf())? {
        Org::start()?.judged_by(clients, &clients.python, "interop/python/sf_cli.py", Some(&modules))?;
    }
    Ok(())
}

/// The clients that are installed.
pub(crate) struct Clients {
    python: PathBuf,
    node: PathBuf,
    node_modules: PathBuf,
}

impl Clients {
    /// Our SOQL parser against the one that Salesforce has published.
    fn differential(&self) -> Outcome {
        let binary = fs::canonicalize(BINARY).map_err(|e| format!("{BINARY}: {e}"))?;
        let mut command = Command::new(&self.node);
        command.arg("interop/node/soql_differential.mjs").env("TOMBOLO_BINARY", binary);
        process::visible(with_shared(command.env("TOMBOLO_NODE_MODULES", &self.node_modules)))
    }

    pub(crate) fn mirror(&self, work: &[&str]) -> Outcome {
        let binary = fs::canonicalize(BINARY).map_err(|e| format!("{BINARY}: {e}"))?;
        let mut command = Command::new(&self.python);
        process::visible(command.arg("interop/python/mirror.py").args(work).env("TOMBOLO_BINARY", binary))
    }
}

/// Builds the binary and installs the clients; nothing if this machine lacks what that takes and nobody requires it.
pub(crate) fn prepare() -> Result<Option<Clients>, String> {
    process::quiet(&mut process::cargo(&["build", "--quiet", "--workspace", "--bins", "--locked"]))?;
    available(install())
}

/// What was installed; nothing, with a line that says so, if it could not be and nobody requires it.
fn available<T>(installed: Result<T, String>) -> Result<Option<T>, String> {
    match installed {
        Ok(installed) => Ok(Some(installed)),
        Err(why) if workspace::required("interop") => Err(format!("{why}\nthe interop clients are required")),
        Err(why) => {
            println!("  skipped: {}", why.lines().last().unwrap_or_default());
            Ok(None)
        }
    }
}

/// The Python that the scripts run in; nothing if it cannot be had and nobody requires it.
pub(crate) fn python() -> Result<Option<PathBuf>, String> {
    available(python_of_all())
}

fn python_of_all() -> Result<PathBuf, String> {
    python_in(&Path::new(ROOT).join("venv"), "interop/python/requirements.txt")
}

fn install() -> Result<Clients, String> {
    let root = Path::new(ROOT);
    let python = python_of_all()?;
    let node_modules = node_in(&root.join("node"), "interop/node/package.json")?;
    Ok(Clients { python, node: PathBuf::from("node"), node_modules })
}

/// A Python with the packages of a requirements file.
fn python_in(venv: &Path, requirements: &str) -> Result<PathBuf, String> {
    let python = venv.join("bin/python");
    let installed = venv.join("installed.txt");
    if stale(&installed, requirements) {
        process::quiet(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
        process::quiet(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r", requirements]))?;
        fs::copy(requirements, installed).map_err(|e| e.to_string())?;
    }
    Ok(python)
}

/// The `node_modules` of a manifest.
fn node_in(folder: &Path, manifest: &str) -> Result<PathBuf, String> {
    let installed = folder.join("installed.json");
    if stale(&installed, manifest) {
        fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        fs::copy(manifest, folder.join("package.json")).map_err(|e| e.to_string())?;
        let arguments = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
        process::quiet(Command::new("npm").args(arguments).current_dir(folder))?;
        fs::copy(manifest, installed).map_err(|e| e.to_string())?;
    }
    fs::canonicalize(folder.join("node_modules")).map_err(|e| e.to_string())
}

/// Whether what was installed last is not what is wanted now.
fn stale(installed: &Path, wanted: &str) -> bool {
    fs::read(installed).ok() != fs::read(wanted).ok()
}

/// A local org in a process of its own, stopped when dropped.
struct Org {
    process: Child,
    ready: Json,
}

impl Org {
    fn start() -> Result<Self, String> {
        let mut command = Command::new(BINARY);
        command.args(["org", "serve", "--http", "0", "--https", "0", "--proxy", "0", "--json"]);
        command.args(["--cdc", "Account,Contact", "--security-token", "tok", "--project", PROJECT]);
        let mut process = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("{BINARY}: {e}"))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|e| e.to_string())?;
        }
        match serde_json::from_str(&line) {
            Ok(ready) => Ok(Self { process, ready }),
            Err(error) => {
                let _ = process.kill();
                Err(format!("the org's ready line {line:?}: {error}"))
            }
        }
    }

    /// Runs a script of checks; `modules` is what it uses besides jsforce.
    fn judged_by(&self, clients: &Clients, program: &Path, script: &str, modules: Option<&Path>) -> Outcome {
        let mut command = Command::new(program);
        command.arg(script).env("TOMBOLO_MORE_MODULES", modules.unwrap_or(&clients.node_modules));
        process::visible(self.environment(&mut command, clients))
    }

    fn environment<'a>(&self, command: &'a mut Command, clients: &Clients) -> &'a mut Command {
        for key in [
            "instance_url",
            "https_url",
            "proxy_url",
            "username",
            "password",
            "security_token",
            "access_token",
            "client_id",
            "client_secret",
            "org_id",
            "user_id",
            "admin_token",
        ] {
            let value = self.ready[key].as_str().unwrap_or_default();
            command.env(format!("TOMBOLO_{}", key.to_uppercase()), value);
        }
        let ca = self.ready["ca_cert"].as_str().unwrap_or_default();
        command
            .env("REQUESTS_CA_BUNDLE", ca)
            .env("NODE_EXTRA_CA_CERTS", ca)
            .env("TOMBOLO_NODE_MODULES", &clients.node_modules);
        // A proxy of the machine's own would stand between the clients and the org.
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        with_shared(command)
    }
}

/// Where the folder of shared cases is, if it is anywhere.
pub(crate) fn with_shared(command: &mut Command) -> &mut Command {
    if env::var_os("TOMBOLO_SHARED").is_none() {
        command.env("TOMBOLO_SHARED", "../shared");
    }
    command
}

impl Drop for Org {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

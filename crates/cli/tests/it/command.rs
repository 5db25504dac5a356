//! The binary, run as a person runs it, against an org of the test's own.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Child, Command, Output, Stdio},
};

use tokio::runtime::Runtime;
use tombolo_org::{OrgConfig, RunningOrg};

/// An org that lives as long as the test.
pub(crate) struct TestOrg {
    org: Option<RunningOrg>,
    runtime: Runtime,
    instance_url: String,
    access_token: String,
}

impl TestOrg {
    pub(crate) fn start() -> Self {
        Self::with(OrgConfig { seed: Some(7), ..OrgConfig::default() })
    }

    pub(crate) fn with(config: OrgConfig) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let org = runtime.block_on(RunningOrg::start(config)).unwrap();
        let (instance_url, access_token) = (org.ready().instance_url.clone(), org.ready().access_token.clone());
        Self { org: Some(org), runtime, instance_url, access_token }
    }

    pub(crate) fn client(&self) -> tombolo_client::Client {
        let credentials = tombolo_client::Credentials::token(self.instance_url.as_str(), self.access_token.as_str());
        tombolo_client::Client::builder().credentials(credentials).build().unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        &self.access_token
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A command that talks to this org.
    pub(crate) fn tombolo(&self, arguments: &[&str]) -> Run {
        Run::new(arguments).env("SF_INSTANCE_URL", &self.instance_url).env("SF_ACCESS_TOKEN", &self.access_token)
    }
}

impl Drop for TestOrg {
    fn drop(&mut self) {
        if let Some(org) = self.org.take() {
            self.runtime.block_on(org.stop());
        }
    }
}

/// A command about to be run.
pub(crate) struct Run {
    command: Command,
    typed: String,
    input: Option<String>,
}

impl Run {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        Self { command, typed: format!("tombolo {}", arguments.join(" ")), input: None }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    pub(crate) fn output(mut self) -> Output {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.command.spawn().unwrap();
        if let Some(text) = &self.input {
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        }
        child.wait_with_output().unwrap()
    }

    /// Starts it, with both sides to be read.
    pub(crate) fn start(mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What was typed and everything that came back, as one text.
    pub(crate) fn transcript(self) -> String {
        let mut text = format!("$ {}\n", self.typed);
        let output = self.output();
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                write!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes)).unwrap();
            }
        }
        write!(text, "--- exit {}", output.status.code().unwrap_or(-1)).unwrap();
        text
    }

    pub(crate) fn json(self) -> serde_json::Value {
        let output = self.output();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
            panic!("{e}: {} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        })
    }
}

/// Compares a transcript with its snapshot; what differs from run to run is named, not shown.
macro_rules! assert_transcript {
    ($run:expr) => {
        insta::with_settings!({ filters => vec![
            (r"\b[a-zA-Z0-9]{15}[A-Z0-5]{3}\b", "[id]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\+0000|Z)", "[time]"),
            (r"http://127\.0\.0\.1:\d+", "[org]"),
            (r"(/[\w.-]+)+/(mirror\.db|readonly\.db|hub\.db|\w+\.yaml)", "[folder]/$2"),
        ], omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($run.transcript());
        });
    };
}
pub(crate) use assert_transcript;

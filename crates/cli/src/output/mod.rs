//! The one door to stdout and stderr: data on the first, everything else on the second.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this module is where printing happens")]

mod records;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

pub(crate) use records::{Layout, RecordWriter};

use crate::failure::Failure;

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for reading
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON document
    Json,
    /// One JSON record a line
    Jsonl,
}

/// The flags that say how to print.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArguments {
    /// How records are printed
    #[arg(long, global = true, value_enum, default_value = "table", help_heading = "Output")]
    format: Format,
    /// Short for --format json; a failure is JSON too
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    /// Print errors on stderr as JSON
    #[arg(long, global = true, help_heading = "Output")]
    json_errors: bool,
}

/// Prints what commands have to say.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    format: Format,
    json_errors: bool,
}

impl Printer {
    pub(crate) fn new(arguments: &OutputArguments) -> Self {
        let format = if arguments.json { Format::Json } else { arguments.format };
        Self { format, json_errors: arguments.json_errors }
    }

    /// For what goes wrong before the flags are read.
    pub(crate) const fn for_json() -> Self {
        Self { format: Format::Json, json_errors: false }
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes data. A reader that went away (`| head`) is no failure of ours: the command just ends.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => other.map_err(|e| Failure::failed("cannot write to stdout").caused_by(e)),
        }
    }

    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.data(&format!("{text}\n"))
    }

    /// Writes a JSON document, indented for a person at a terminal.
    pub(crate) fn document(&self, json: &Json) -> Result<(), Failure> {
        let text = if io::stdout().is_terminal() { format!("{json:#}") } else { json.to_string() };
        self.line(&text)
    }

    /// Says something that is not data.
    pub(crate) fn note(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Whether a person is watching stderr.
    pub(crate) fn has_watcher(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Says why the command failed, and with which exit code it ends.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        if self.is_json() {
            println!("{}", failure.json());
        } else if self.json_errors {
            eprintln!("{}", failure.json());
        } else {
            eprintln!("{}", failure.text());
        }
        failure.exit_code()
    }
}

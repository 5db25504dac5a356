//! How errors of the hub end a command.

use std::error::Error as _;

use serde_json::Value as Json;
use tombolo_hub::{Error, ErrorKind, config::Findings};

use super::{Failure, Kind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Some(findings) = error.source().and_then(|source| source.downcast_ref::<Findings>()) {
            return Self::from(findings);
        }
        let kind = match error.kind() {
            ErrorKind::Usage => Kind::Usage,
            ErrorKind::Connect | ErrorKind::Login => Kind::Connection,
            _ => Kind::Failed,
        };
        let failure = Self::new(kind, error.to_string()).caused_by(&error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// A file that cannot be used: every fault in a line of its own, for programs as `details`.
impl From<&Findings> for Failure {
    fn from(findings: &Findings) -> Self {
        let details: Vec<Json> =
            findings.sorted().into_iter().filter_map(|finding| serde_json::to_value(finding).ok()).collect();
        let lines: Vec<String> = findings.lines().iter().map(|line| format!("  {line}")).collect();
        Self::usage(findings.to_string()).details(details.into()).excerpt(lines.join("\n"))
    }
}

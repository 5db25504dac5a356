//! What a command ends with: an exit code, and a message with its cause, Salesforce's own code and a hint.

mod client;
mod hub;
mod org;

use std::{error::Error as StdError, process::ExitCode};

use serde_json::{Value as Json, json};

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// All of it.
    Whole,
    /// Interrupted by the person who ran it.
    Interrupted,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::Whole => Self::SUCCESS,
            Done::Interrupted => Self::from(130),
        }
    }
}

/// What kind of failure it is; each has its exit code (CONTRACTS: "The command line").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Failed,
    Usage,
    Connection,
}

impl Kind {
    const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Connection => 3,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Connection => "connection",
        }
    }
}

/// Why a command failed. Boxed, since it is rare and large.
#[derive(Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: Kind,
    message: String,
    /// What is printed under the message as it stands, such as a query with a caret under its fault.
    excerpt: Option<String>,
    code: Option<String>,
    details: Option<Json>,
    hint: Option<String>,
    causes: Vec<String>,
}

impl Failure {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Parts {
            kind,
            message,
            excerpt: None,
            code: None,
            details: None,
            hint: None,
            causes: Vec::new(),
        }))
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn connection(message: impl Into<String>) -> Self {
        Self::new(Kind::Connection, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    pub(crate) fn details(mut self, details: Json) -> Self {
        self.0.details = Some(details);
        self
    }

    pub(crate) fn excerpt(mut self, excerpt: impl Into<String>) -> Self {
        self.0.excerpt = Some(excerpt.into());
        self
    }

    /// Adds an error and what it says of its own causes, outermost first.
    pub(crate) fn caused_by(mut self, error: impl StdError) -> Self {
        let mut next: Option<&dyn StdError> = Some(&error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.0.message != text && self.0.causes.last() != Some(&text) {
                self.0.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.0.kind.exit_code())
    }

    /// For a person: message, excerpt, causes, hint.
    pub(crate) fn text(&self) -> String {
        let code = self.0.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
        let mut text = format!("error: {code}{}", self.0.message);
        for part in self.0.excerpt.iter() {
            text.push_str(&format!("\n\n{part}\n"));
        }
        for cause in &self.0.causes {
            text.push_str(&format!("\n  caused by: {cause}"));
        }
        for hint in self.0.hint.iter() {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        text
    }

    /// For a program: `{"error":{"kind","message","code?","details?","hint?"}}`.
    pub(crate) fn json(&self) -> Json {
        let message = self.0.causes.iter().fold(self.0.message.clone(), |all, cause| format!("{all}: {cause}"));
        let mut error = json!({ "kind": self.0.kind.name(), "message": message });
        for (key, value) in [
            ("code", self.0.code.clone().map(Json::from)),
            ("details", self.0.details.clone()),
            ("hint", self.0.hint.clone().map(Json::from)),
        ] {
            if let Some(value) = value {
                error[key] = value;
            }
        }
        json!({ "error": error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_next() {
        let io = std::io::Error::other("connection refused");
        let failure = Failure::connection("cannot reach http://127.0.0.1:1").caused_by(io).hint("is it running?");
        assert_eq!(
            failure.text(),
            "error: cannot reach http://127.0.0.1:1\n  caused by: connection refused\n  hint: is it running?"
        );
        assert_eq!(
            failure.json(),
            json!({"error": {
                "kind": "connection",
                "message": "cannot reach http://127.0.0.1:1: connection refused",
                "hint": "is it running?",
            }})
        );
    }
}

//! The hub's one error: what kind of trouble it is, so that a caller can choose an exit code.

use std::{error, fmt};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of trouble an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for cannot be done as asked: an unknown object, a table in the way, a second mirror.
    Usage,
    /// The org or the database cannot be reached.
    Connect,
    /// The org or the database refuses the login.
    Login,
    /// The lease of a shard is somebody else's now: nothing was written.
    Fenced,
    /// Anything else: a read-only database, a full disk, an answer that makes no sense.
    Failed,
}

impl ErrorKind {
    /// The kind in snake case, as `--json` output names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Connect => "connect",
            Self::Login => "login",
            Self::Fenced => "fenced",
            Self::Failed => "failed",
        }
    }
}

/// Anything that went wrong.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    retryable: bool,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retryable: false, source: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// Whether the lease is somebody else's now.
    pub fn is_fenced(&self) -> bool {
        self.kind == ErrorKind::Fenced
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn with_source(self, source: impl error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// Says of a failure on the way that the same request may succeed later.
    pub(crate) fn may_pass(self, retryable: bool) -> Self {
        Self { retryable, ..self }
    }

    /// What kind of trouble it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What a person might do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What went wrong and why, in one line: for news of a hub that goes on.
    pub fn in_full(&self) -> String {
        let mut line = self.message.clone();
        let mut source = error::Error::source(self);
        while let Some(cause) = source {
            line = format!("{line}: {cause}");
            source = cause.source();
        }
        line
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn error::Error + 'static))
    }
}

//! The one error type: what kind of trouble it is, what Salesforce said, and whether calling again may help.
//!
//! Each level prints itself only; whoever shows an error walks `source()` once. No level prints a secret or the
//! query string of a URL.

use std::{error, fmt, sync::Arc};

use http::{Method, StatusCode, Uri};
use tombolo_schema::ErrorCode;

mod api;
mod refusal;

pub use api::ApiError;
pub(crate) use api::{errors_of, read_api_error, read_api_errors, shorten};
pub(crate) use refusal::{last_modified, server_time};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of trouble an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Salesforce refused the request for a reason that has no kind of its own; see [`Error::api_errors`].
    Api,
    /// The login was refused: a wrong password, an unknown client, a locked user.
    Login,
    /// No connection, or it broke while nothing could have been changed.
    Connect,
    /// No answer in time to something that changes nothing.
    Timeout,
    /// The session has expired and cannot be renewed, or the renewed one was refused as well.
    SessionExpired,
    /// There is no such record, object or resource.
    NotFound,
    /// More than one record has this external id.
    MultipleMatches,
    /// The user may not do this.
    Forbidden,
    /// An allocation is used up: API calls of the day, requests at once, events.
    LimitExceeded,
    /// Another transaction holds a lock on the record. Nothing was written.
    Locked,
    /// The record was changed after the moment that the request named, so it was not written (status 412). Read it
    /// and decide anew.
    PreconditionFailed,
    /// Not carried out, or undone again, because of another part of the same composite. Nothing was written; the
    /// cause stands with that part.
    Halted,
    /// The server is overloaded, in maintenance, or failed.
    Unavailable,
    /// The request may have been carried out, but its answer was lost. Read before you repeat it.
    UnknownOutcome,
    /// The query does not parse, or names something that does not exist.
    InvalidQuery,
    /// An object or field of this name does not exist (outside a query).
    InvalidName,
    /// The arguments were refused before anything was sent.
    InvalidRequest,
    /// The client cannot be built this way.
    Configuration,
    /// The answer is not what this resource answers with.
    Decode,
    /// The answer is larger than the client accepts.
    TooLarge,
}

impl ErrorKind {
    /// The kind in snake case, as `--json` output names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Login => "login",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::SessionExpired => "session_expired",
            Self::NotFound => "not_found",
            Self::MultipleMatches => "multiple_matches",
            Self::Forbidden => "forbidden",
            Self::LimitExceeded => "limit_exceeded",
            Self::Locked => "locked",
            Self::PreconditionFailed => "precondition_failed",
            Self::Halted => "halted",
            Self::Unavailable => "unavailable",
            Self::UnknownOutcome => "unknown_outcome",
            Self::InvalidQuery => "invalid_query",
            Self::InvalidName => "invalid_name",
            Self::InvalidRequest => "invalid_request",
            Self::Configuration => "configuration",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

type Source = Arc<dyn error::Error + Send + Sync>;

/// Anything that went wrong. Cheap to clone: calls that waited for the same login share its error.
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    request: Option<String>,
    status: Option<StatusCode>,
    api: Vec<ApiError>,
    retry_after: Option<std::time::Duration>,
    attempts: u32,
    sent: bool,
    source: Option<Source>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                message: message.into(),
                request: None,
                status: None,
                api: Vec::new(),
                retry_after: None,
                attempts: 1,
                sent: false,
                source: None,
            }),
        }
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may succeed later, and is safe to make again.
    ///
    /// False for an unknown outcome (read first), for the daily API limit and for a login that was refused.
    pub fn is_retryable(&self) -> bool {
        match self.inner.kind {
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Locked | ErrorKind::Unavailable => true,
            ErrorKind::LimitExceeded => self.is_concurrency_limit() || self.is_too_many_requests(),
            ErrorKind::Api
            | ErrorKind::Login
            | ErrorKind::SessionExpired
            | ErrorKind::NotFound
            | ErrorKind::MultipleMatches
            | ErrorKind::Forbidden
            | ErrorKind::PreconditionFailed
            | ErrorKind::Halted
            | ErrorKind::UnknownOutcome
            | ErrorKind::InvalidQuery
            | ErrorKind::InvalidName
            | ErrorKind::InvalidRequest
            | ErrorKind::Configuration
            | ErrorKind::Decode
            | ErrorKind::TooLarge => false,
        }
    }

    /// What Salesforce said, in its own codes and words. Empty when the answer did not come from the API.
    pub fn api_errors(&self) -> &[ApiError] {
        &self.inner.api
    }

    /// The code of the first of [`api_errors`](Self::api_errors).
    pub fn code(&self) -> Option<&ErrorCode> {
        self.inner.api.first().map(ApiError::code)
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.inner.status.map(|status| status.as_u16())
    }

    /// How often the request was sent before this error was returned.
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// `ConcurrentRequests`, `ConcurrentPerOrgLongTxn`: over when others have ended. Only the text tells these
    /// from the daily limit (rest.md 6.3).
    pub(crate) fn is_concurrency_limit(&self) -> bool {
        self.inner
            .api
            .iter()
            .any(|e| *e.code() == ErrorCode::RequestLimitExceeded && e.message().starts_with("Concurrent"))
    }

    /// Status 429: nothing was carried out.
    pub(crate) fn is_too_many_requests(&self) -> bool {
        self.inner.status == Some(StatusCode::TOO_MANY_REQUESTS)
    }

    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        self.inner.retry_after
    }

    /// Whether the request may have reached the server.
    pub(crate) fn was_sent(&self) -> bool {
        self.inner.sent
    }

    pub(crate) fn mark_sent(self) -> Self {
        self.edit(|inner| inner.sent = true)
    }

    /// What is left of a write whose answer is lost or says nothing: the first error becomes the cause.
    pub(crate) fn into_unknown_outcome(self) -> Self {
        let cause = self.clone();
        let message = match self.inner.kind {
            ErrorKind::Decode | ErrorKind::TooLarge => {
                "the answer cannot be read; the request may have been carried out"
            }
            _ => "the answer was lost; the request may have been carried out",
        };
        let mut error = Self::new(ErrorKind::UnknownOutcome, message).mark_sent().with_source(cause);
        error = error.edit(|inner| {
            inner.request.clone_from(&self.inner.request);
            inner.status = self.inner.status;
            inner.api.clone_from(&self.inner.api);
            inner.attempts = self.inner.attempts;
        });
        error
    }

    /// A login is no part of the request that needed it: whatever became of it, that request was not sent.
    pub(crate) fn into_unsent(self) -> Self {
        self.edit(|inner| inner.sent = false)
    }

    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        self.edit(|inner| inner.kind = kind)
    }

    pub(crate) fn with_message(self, message: impl Into<String>) -> Self {
        self.edit(|inner| inner.message = message.into())
    }

    pub(crate) fn with_source(self, source: impl error::Error + Send + Sync + 'static) -> Self {
        self.edit(|inner| inner.source = Some(Arc::new(source)))
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        self.edit(|inner| inner.attempts = attempts)
    }

    /// Names the request, without its query string.
    pub(crate) fn with_request(self, method: &Method, uri: &Uri) -> Self {
        if self.inner.request.is_some() {
            return self;
        }
        let origin = uri.authority().map(|a| format!("{}://{}", uri.scheme_str().unwrap_or("http"), a.as_str()));
        let text = format!("{method} {}{}", origin.unwrap_or_default(), uri.path());
        self.edit(|inner| inner.request = Some(text))
    }

    /// Names a part of a composite, as `METHOD path`.
    pub(crate) fn with_part(self, line: &str) -> Self {
        self.edit(|inner| inner.request = Some(line.to_owned()))
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.request {
            Some(request) => write!(f, "{request}: {}", self.inner.message),
            None => f.write_str(&self.inner.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.to_string())
            .field("status", &self.inner.status)
            .field("api", &self.inner.api)
            .field("source", &self.inner.source)
            .finish_non_exhaustive()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match (&self.inner.source, self.inner.api.first()) {
            (Some(source), _) => Some(&**source),
            (None, Some(api)) => Some(api),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// How a renderer shows an error: each level once.
    fn chain(error: &dyn error::Error) -> Vec<String> {
        std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect()
    }

    #[test]
    fn each_level_prints_itself_only() {
        let uri: Uri = "https://user:pw@example.my.salesforce.com/services/data/v66.0/query?q=SELECT+Secret"
            .replace("user:pw@", "")
            .parse()
            .unwrap();
        let lost = Error::new(ErrorKind::Connect, "the connection broke")
            .with_source(io::Error::other("reset by peer"))
            .with_request(&Method::POST, &uri)
            .mark_sent();
        let error = lost.into_unknown_outcome();
        assert_eq!(error.kind(), ErrorKind::UnknownOutcome);
        assert_eq!(
            chain(&error),
            [
                "POST https://example.my.salesforce.com/services/data/v66.0/query: \
                 the answer was lost; the request may have been carried out",
                "POST https://example.my.salesforce.com/services/data/v66.0/query: the connection broke",
                "reset by peer",
            ]
        );
        assert!(!format!("{error:?}").contains("Secret"));
    }

    #[test]
    fn the_api_error_is_the_cause() {
        let body = br#"[{"message":"Required fields are missing: [Name]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name"]}]"#;
        let answer = http::Response::builder().status(400).body(bytes::Bytes::from_static(body)).unwrap();
        let error = Error::from_answer(&answer, "/x").with_request(&Method::POST, &Uri::from_static("/x?q=1"));
        assert_eq!(
            chain(&error),
            ["POST /x: answered 400", "REQUIRED_FIELD_MISSING: Required fields are missing: [Name]"]
        );
        assert_eq!(error.api_errors()[0].fields(), ["Name"]);
    }
}

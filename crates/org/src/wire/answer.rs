//! Answers: JSON bodies as Salesforce sends them, and what is told when something is refused (rest.md 2.1, 4.1).

use axum::body::Body;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE},
};
use serde::{Serialize, ser::SerializeMap};
use tombolo_schema::ErrorCode;

use crate::core::{
    dml::PRECONDITION_FAILED,
    record::{CoreError, Fault},
};

/// A whole answer.
pub(crate) type Reply = Response<Body>;

/// What a handler comes back with.
pub(crate) type Outcome = Result<Reply, Refusal>;

/// On an answer of 200: some records of a collection failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartlyFailed;

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");
const NOT_CACHED: HeaderValue = HeaderValue::from_static("no-cache,must-revalidate,max-age=0,no-store,private");

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    match serde_json::to_vec(body) {
        Ok(bytes) => bytes_as_json(status, bytes),
        Err(error) => Refusal::unknown(&error).into_reply(),
    }
}

/// An answer that is JSON already.
pub(crate) fn bytes_as_json(status: StatusCode, bytes: Vec<u8>) -> Reply {
    let mut reply = Response::new(Body::from(bytes));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply.headers_mut().insert(CACHE_CONTROL, NOT_CACHED);
    reply
}

/// 204, the answer to a write that has nothing to tell.
pub(crate) fn no_content() -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(CACHE_CONTROL, NOT_CACHED);
    reply
}

/// Text of another kind than JSON.
pub(crate) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(CACHE_CONTROL, NOT_CACHED);
    reply
}

/// The same answer with a header more.
pub(crate) fn with_header(mut reply: Reply, name: HeaderName, value: &str) -> Reply {
    // A value that no header can hold is left out: the header is an addition.
    if let Ok(value) = HeaderValue::try_from(value) {
        reply.headers_mut().insert(name, value);
    }
    reply
}

/// 201 with the path of what was made.
pub(crate) fn created(location: &str, body: &impl Serialize) -> Reply {
    with_header(json(StatusCode::CREATED, body), LOCATION, location)
}

/// Why a request is not answered as wished.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// REST's own shape: an array of errors.
    Rest { status: StatusCode, faults: Vec<Fault>, code_first: bool, allow: Option<String> },
    /// A shape of another protocol, finished.
    Finished(Box<Reply>),
}

impl Refusal {
    /// One error, its message before its code.
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Rest { status, faults: vec![Fault::new(code, message)], code_first: false, allow: None }
    }

    /// 400 with one error.
    pub(crate) fn bad(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// No such path: routing prints the code first (rest.md 4.1).
    pub(crate) fn not_found() -> Self {
        let fault = Fault::new(ErrorCode::NotFound, "The requested resource does not exist");
        Self::Rest { status: StatusCode::NOT_FOUND, faults: vec![fault], code_first: true, allow: None }
    }

    pub(crate) fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        let faults = vec![Fault::new(ErrorCode::MethodNotAllowed, message)];
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::Rest { status, faults, code_first: false, allow: Some(allowed.to_owned()) }
    }

    /// The session is unknown, expired or revoked.
    pub(crate) fn session_expired() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidSessionId, "Session expired or invalid")
    }

    /// The Authorization header is missing, or of no use (rest.md 1.15).
    pub(crate) fn auth_header(message: &str) -> Self {
        let reply = Self::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidAuthHeader, message).into_reply();
        Self::Finished(Box::new(with_header(reply, WWW_AUTHENTICATE, "Token")))
    }

    /// What nobody foresaw. The client gets a number to ask by, the log has the rest.
    pub(crate) fn unknown(error: &(dyn std::error::Error + 'static)) -> Self {
        let number = format!("{}-{}", fastrand::u32(100_000_000..), fastrand::u32(1..1_000_000));
        tracing::error!(error_id = %number, error = %Chain(error), "unexpected");
        let message = format!(
            "An unexpected error occurred. Please include this ErrorId if you contact support: {number} ({})",
            fastrand::i32(..)
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::UnknownException, message)
    }

    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::Finished(reply) => *reply,
            Self::Rest { status, faults, code_first, allow } => {
                let errors: Vec<_> = faults.iter().map(|fault| RestError { fault, code_first }).collect();
                let bytes = serde_json::to_vec(&errors).unwrap_or_default();
                let reply = bytes_as_json(status, bytes);
                match allow {
                    Some(allow) => with_header(reply, ALLOW, &allow),
                    None => reply,
                }
            }
        }
    }
}

impl From<CoreError> for Refusal {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Refused(faults) if faults.iter().any(|fault| fault.code.as_str() == PRECONDITION_FAILED) => {
                Self::Finished(Box::new(super::conditional::empty(StatusCode::PRECONDITION_FAILED)))
            }
            CoreError::Refused(faults) => {
                let status = faults.first().map_or(StatusCode::BAD_REQUEST, |fault| status_of(&fault.code));
                Self::Rest { status, faults, code_first: false, allow: None }
            }
            other => Self::unknown(&other),
        }
    }
}

/// The status that goes with an error code (rest.md 4.2).
pub(crate) fn status_of(code: &ErrorCode) -> StatusCode {
    match code {
        ErrorCode::NotFound | ErrorCode::EntityIsDeleted => StatusCode::NOT_FOUND,
        ErrorCode::RequestLimitExceeded | ErrorCode::InsufficientAccess | ErrorCode::ApiDisabledForOrg => {
            StatusCode::FORBIDDEN
        }
        ErrorCode::InvalidSessionId | ErrorCode::InvalidAuthHeader => StatusCode::UNAUTHORIZED,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::UnknownException => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::ServerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What a duplicate rule says of the records that it found, under a key that Salesforce spells like this (rest.md 4.3).
fn duplicate_result(message: &str) -> serde_json::Value {
    serde_json::json!({
        "allowSave": true,
        "duplicateRule": "Standard_Rule",
        "duplicateRuleEntityType": null,
        "errorMessage": message,
        "matchResults": [],
    })
}

struct RestError<'a> {
    fault: &'a Fault,
    code_first: bool,
}

impl Serialize for RestError<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.fault.code == ErrorCode::DuplicatesDetected {
            map.serialize_entry("duplicateResut", &duplicate_result(&self.fault.message))?;
        }
        if self.code_first {
            map.serialize_entry("errorCode", self.fault.code.as_str())?;
        }
        map.serialize_entry("message", &self.fault.message)?;
        if !self.code_first {
            map.serialize_entry("errorCode", self.fault.code.as_str())?;
        }
        if let Some(fields) = &self.fault.fields {
            map.serialize_entry("fields", fields)?;
        }
        map.end()
    }
}

/// An error and its causes, for the log.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

//! Requests as values: pure functions from arguments to `http::Request<Bytes>`. Nothing here sends anything.
//!
//! Paths are relative to the org; the stack adds its address, the session and the headers of the client.

use bytes::Bytes;
use http::{Method, Request, header};
use serde::Serialize;

pub use self::subrequest::Subrequest;
use crate::{Error, ErrorKind, Result};

pub(crate) mod bayeux;
pub(crate) mod collections;
pub(crate) mod composite;
pub(crate) mod describe;
pub(crate) mod login;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod replication;
pub(crate) mod rows;
pub(crate) mod subrequest;
pub(crate) mod undelete;

/// Whether a request may be sent again when nobody knows if it was carried out. Travels with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It only reads, or doing it twice is doing it once.
    Safe,
    /// An upsert by external id: the row would be right, but automation runs twice.
    Upsert,
    /// A create or an update.
    Never,
}

impl Repeat {
    /// What the method promises, for requests that say nothing themselves.
    pub(crate) fn of(method: &Method) -> Self {
        if *method == Method::POST || *method == Method::PATCH { Self::Never } else { Self::Safe }
    }
}

/// Marks a request whose answer is handed up as it is, whatever its status: the subscriber reads it itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unjudged;

/// Marks a request that writes records: it carries what the client says about writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writes;

/// When everything about this request is over: waiting, logging in, every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(pub(crate) tokio::time::Instant);

impl Deadline {
    /// How much time is left; nothing when it has passed.
    pub(crate) fn left(self) -> std::time::Duration {
        self.0.saturating_duration_since(tokio::time::Instant::now())
    }

    /// The error of a request that had not left when its time was over.
    pub(crate) fn passed() -> Error {
        Error::new(ErrorKind::Timeout, "the deadline has passed; the request was not sent")
    }
}

/// Marks a request whose body has a place for the session id, as SOAP wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionInBody;

impl SessionInBody {
    /// What stands in the body where the session id belongs. Nothing that is escaped for XML contains it.
    pub(crate) const PLACE: &str = "<session/>";
}

/// How long this request may take, instead of the client's timeout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within(pub(crate) std::time::Duration);

const JSON: &str = "application/json; charset=UTF-8";

fn get(path: path::Path) -> Result<Request<Bytes>> {
    bare(Method::GET, path, Repeat::Safe)
}

fn bare(method: Method, path: path::Path, repeat: Repeat) -> Result<Request<Bytes>> {
    let request = Request::builder().method(method).uri(path.as_str()).extension(repeat);
    request.body(Bytes::new()).map_err(refused)
}

fn json(method: Method, path: path::Path, body: &impl Serialize, repeat: Repeat) -> Result<Request<Bytes>> {
    let body = serde_json::to_vec(body)
        .map_err(|e| Error::new(ErrorKind::InvalidRequest, "the values cannot be written as JSON").with_source(e))?;
    let request = Request::builder().method(method).uri(path.as_str()).header(header::CONTENT_TYPE, JSON);
    request.extension(repeat).body(body.into()).map_err(refused)
}

/// A request that writes records.
fn writing(request: Result<Request<Bytes>>) -> Result<Request<Bytes>> {
    request.map(|mut request| {
        request.extensions_mut().insert(Writes);
        request
    })
}

fn refused(error: http::Error) -> Error {
    Error::new(ErrorKind::InvalidRequest, "this makes no valid request").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `METHOD path` and the body: what a table of requests compares.
    pub(super) fn show(request: &Request<Bytes>) -> (String, String) {
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        (format!("{} {}", request.method(), request.uri()), body)
    }

    #[test]
    fn methods_that_may_be_repeated() {
        for (method, repeat) in [
            (Method::GET, Repeat::Safe),
            (Method::HEAD, Repeat::Safe),
            (Method::PUT, Repeat::Safe),
            (Method::DELETE, Repeat::Safe),
            (Method::POST, Repeat::Never),
            (Method::PATCH, Repeat::Never),
        ] {
            assert_eq!(Repeat::of(&method), repeat, "{method}");
        }
    }
}

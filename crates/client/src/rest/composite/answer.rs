//! What became of each part of a composite.

use std::collections::HashMap;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tombolo_schema::ApiVersion;

use crate::{ApiError, Error, ErrorKind, QueryPage, Record, Result, SaveResult, Subrequest};

/// The answer to a composite: one response for each part, in the order in which the parts were added.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompositeResponse {
    /// What became of each part.
    pub responses: Vec<SubResponse>,
    /// The server's clock (the answer's `Date`), whole seconds.
    pub server_time: Option<Timestamp>,
}

/// What became of one part of a composite.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SubResponse {
    /// The name of the part.
    pub reference_id: String,
    /// Its HTTP status.
    pub status: u16,
    /// Its headers, as they came.
    pub headers: Map<String, Value>,
    /// Its body: an object or array where it succeeded, null where there is nothing to say, an array of errors
    /// where it failed.
    pub body: Value,
    /// `METHOD path`, for errors.
    line: String,
    path: String,
    writes: bool,
}

impl CompositeResponse {
    /// The response to the part of this name.
    pub fn get(&self, reference_id: &str) -> Result<&SubResponse> {
        self.responses.iter().find(|response| response.reference_id == reference_id).ok_or_else(|| {
            let message = format!("no subrequest has the reference id `{reference_id}`");
            Error::new(ErrorKind::InvalidRequest, message)
        })
    }

    /// Whether every part succeeded. Records of a collection may still have failed.
    pub fn is_success(&self) -> bool {
        self.responses.iter().all(SubResponse::is_success)
    }

    /// The first part that failed by itself, and not because another one did.
    pub fn cause(&self) -> Option<&SubResponse> {
        self.responses.iter().find(|response| !response.is_success() && !response.is_halted())
    }
}

impl SubResponse {
    /// Whether it did what it was to do. 304 counts: nothing had changed.
    pub fn is_success(&self) -> bool {
        matches!(self.status, 200..=299 | 304)
    }

    /// The errors that Salesforce gave; empty where it succeeded.
    pub fn errors(&self) -> Vec<ApiError> {
        self.error().map(|error| error.api_errors().to_vec()).unwrap_or_default()
    }

    /// Why it failed, as the same request would have failed by itself.
    pub fn error(&self) -> Option<Error> {
        if self.is_success() {
            return None;
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Some(Error::from_part(status, &self.body, &self.path).with_part(&self.line))
    }

    /// Whether it was not carried out, or undone again, only because another part failed.
    pub fn is_halted(&self) -> bool {
        self.error().is_some_and(|error| error.kind() == ErrorKind::Halted)
    }

    /// A header by its name, without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
    }

    /// What became of a row that was created, changed, upserted or deleted. Where the answer says nothing more
    /// than that it was done, there is no Id.
    pub fn save_result(&self) -> Result<SaveResult> {
        match self.done()? {
            Value::Null => Ok(SaveResult { id: None, success: true, errors: Vec::new(), created: None }),
            body => self.read(body),
        }
    }

    /// What became of each record of a collection that was written, in the order in which they were given.
    pub fn save_results(&self) -> Result<Vec<SaveResult>> {
        self.read(self.done()?)
    }

    /// The row that was read.
    pub fn record(&self) -> Result<Record> {
        self.read(self.done()?)
    }

    /// The records of a collection that was read; `None` for one that does not exist or is not visible.
    pub fn records(&self) -> Result<Vec<Option<Record>>> {
        self.read(self.done()?)
    }

    /// The first page of a query.
    pub fn page(&self) -> Result<QueryPage> {
        let answered: crate::rest::query::Answered = self.read(self.done()?)?;
        QueryPage::try_from(answered).map_err(|error| error.with_part(&self.line))
    }

    fn done(&self) -> Result<&Value> {
        self.error().map_or(Ok(&self.body), Err)
    }

    fn read<T: DeserializeOwned>(&self, body: &Value) -> Result<T> {
        T::deserialize(body).map_err(|e| {
            let message = "the answer is not what this resource answers with";
            let error = Error::new(ErrorKind::Decode, message).with_source(e).with_part(&self.line).mark_sent();
            if self.writes { error.into_unknown_outcome() } else { error }
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    composite_response: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    body: Value,
    #[serde(default)]
    http_headers: Option<Map<String, Value>>,
    http_status_code: u16,
    reference_id: String,
}

/// Reads the answer and puts it into the order of the parts. Each part must have exactly one response.
pub(super) fn read(body: &[u8], parts: &[Subrequest], version: ApiVersion) -> Result<Vec<SubResponse>> {
    let answered: Answered = serde_json::from_slice(body)
        .map_err(|e| Error::new(ErrorKind::Decode, "the answer is no composite's").with_source(e))?;
    let count = answered.composite_response.len();
    let mut by_name: HashMap<String, Part> =
        answered.composite_response.into_iter().map(|part| (part.reference_id.clone(), part)).collect();
    let missing = || {
        let message = format!("{} subrequests were sent, and {count} others answered", parts.len());
        Error::new(ErrorKind::Decode, message)
    };
    if count != parts.len() {
        return Err(missing());
    }
    let response = |part: &Subrequest| {
        let answer = by_name.remove(part.reference_id()).ok_or_else(missing)?;
        let url = part.path(version)?;
        let path = url.as_str().split('?').next().unwrap_or_default().to_owned();
        Ok(SubResponse {
            reference_id: answer.reference_id,
            status: answer.http_status_code,
            headers: answer.http_headers.unwrap_or_default(),
            body: answer.body,
            line: format!("{} {path}", part.method()),
            path,
            writes: part.writes(),
        })
    };
    parts.iter().map(response).collect()
}

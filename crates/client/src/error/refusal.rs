//! From an HTTP answer to an error: one table from codes and statuses to kinds.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use tombolo_schema::ErrorCode;

use super::{ApiError, Error, ErrorKind, errors_of, read_api_errors, shorten};

impl Error {
    /// What an answer that is no success means. `path` tells a query's unknown names from a write's.
    pub(crate) fn from_answer(answer: &Response<Bytes>, path: &str) -> Self {
        let status = answer.status();
        // A 300 lists the rows that match: text, not errors (rest.md 2.4).
        let api = if status.is_redirection() { Vec::new() } else { read_api_errors(answer.body()) };
        let text = if api.is_empty() { shorten(answer.body()) } else { String::new() };
        Self::refused(status, api, &text, path).edit(|inner| inner.retry_after = retry_after(answer.headers()))
    }

    /// What a part of a composite was refused with: as if it had been a request of its own.
    pub(crate) fn from_part(status: StatusCode, body: &Value, path: &str) -> Self {
        let api = if status.is_redirection() { Vec::new() } else { errors_of(body) };
        let text = if api.is_empty() && !body.is_null() { shorten(body.to_string().as_bytes()) } else { String::new() };
        Self::refused(status, api, &text, path)
    }

    fn refused(status: StatusCode, api: Vec<ApiError>, text: &str, path: &str) -> Self {
        let kind = kind_of(status, &api, path);
        let message = match (kind, text) {
            (ErrorKind::MultipleMatches, _) => "more than one record has this external id".to_owned(),
            (_, "") => format!("answered {}", status.as_u16()),
            (_, text) => format!("answered {}: {text}", status.as_u16()),
        };
        Self::new(kind, message).mark_sent().edit(|inner| {
            inner.status = Some(status);
            inner.api = api;
        })
    }

    /// An error that was reported inside an answer with status 200.
    pub(crate) fn from_api(kind: ErrorKind, message: impl Into<String>, error: ApiError) -> Self {
        Self::new(kind, message).mark_sent().edit(|inner| inner.api = vec![error])
    }
}

fn kind_of(status: StatusCode, api: &[ApiError], path: &str) -> ErrorKind {
    kind_of_errors(api, path).unwrap_or(match status.as_u16() {
        300 => ErrorKind::MultipleMatches,
        401 => ErrorKind::SessionExpired,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        412 => ErrorKind::PreconditionFailed,
        429 => ErrorKind::LimitExceeded,
        420 | 502..=504 => ErrorKind::Unavailable,
        500.. if api.is_empty() => ErrorKind::Unavailable,
        _ => ErrorKind::Api,
    })
}

pub(super) fn kind_of_errors(api: &[ApiError], path: &str) -> Option<ErrorKind> {
    // One locked row is reason enough: nothing of the request was written.
    if api.iter().any(|error| *error.code() == ErrorCode::UnableToLockRow) {
        return Some(ErrorKind::Locked);
    }
    api.first().and_then(|error| kind_of_code(error, path))
}

fn kind_of_code(error: &ApiError, path: &str) -> Option<ErrorKind> {
    let is_query = path.contains("/query");
    Some(match error.code() {
        ErrorCode::MalformedQuery | ErrorCode::InvalidQueryFilterOperator | ErrorCode::QueryTooComplicated => {
            ErrorKind::InvalidQuery
        }
        ErrorCode::InvalidField | ErrorCode::InvalidType if is_query => ErrorKind::InvalidQuery,
        ErrorCode::InvalidField | ErrorCode::InvalidType => ErrorKind::InvalidName,
        ErrorCode::NotFound | ErrorCode::EntityIsDeleted => ErrorKind::NotFound,
        ErrorCode::InvalidSessionId | ErrorCode::InvalidAuthHeader => ErrorKind::SessionExpired,
        ErrorCode::RequestLimitExceeded | ErrorCode::StorageLimitExceeded => ErrorKind::LimitExceeded,
        ErrorCode::InsufficientAccess
        | ErrorCode::InsufficientAccessOrReadonly
        | ErrorCode::InsufficientAccessOnCrossReferenceEntity
        | ErrorCode::ApiDisabledForOrg
        | ErrorCode::TxnSecurityNoAccess => ErrorKind::Forbidden,
        // The same code for a part that is itself to blame: what it refers to is not there (rest.md 3.1).
        ErrorCode::ProcessingHalted if error.message().starts_with("Invalid reference specified") => return None,
        ErrorCode::ProcessingHalted | ErrorCode::BatchProcessingHalted | ErrorCode::AllOrNoneOperationRolledBack => {
            ErrorKind::Halted
        }
        ErrorCode::ServerUnavailable | ErrorCode::UnknownException => ErrorKind::Unavailable,
        _ => return None,
    })
}

/// Seconds, or a date counted from the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?.duration_since(server_time(headers)?);
    Duration::try_from(until).ok()
}

/// The server's clock: the answer's `Date`.
pub(crate) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(header::DATE)?.to_str().ok()?)
}

/// When what was read was changed: the answer's `Last-Modified`.
pub(crate) fn last_modified(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(header::LAST_MODIFIED)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
    }

    #[test]
    fn kinds() {
        let api = |code: &str| format!(r#"[{{"message":"m","errorCode":"{code}"}}]"#);
        let row = "/services/data/v66.0/sobjects/Account";
        let query = "/services/data/v66.0/query";
        for (status, body, path, kind, retryable) in [
            (400, api("MALFORMED_QUERY"), query, ErrorKind::InvalidQuery, false),
            (400, api("INVALID_FIELD"), query, ErrorKind::InvalidQuery, false),
            (400, api("INVALID_FIELD"), row, ErrorKind::InvalidName, false),
            (400, api("UNABLE_TO_LOCK_ROW"), row, ErrorKind::Locked, true),
            (400, api("REQUIRED_FIELD_MISSING"), row, ErrorKind::Api, false),
            (404, api("ENTITY_IS_DELETED"), row, ErrorKind::NotFound, false),
            (404, String::new(), row, ErrorKind::NotFound, false),
            (401, api("INVALID_SESSION_ID"), row, ErrorKind::SessionExpired, false),
            (401, "<html>no</html>".into(), row, ErrorKind::SessionExpired, false),
            (403, api("REQUEST_LIMIT_EXCEEDED"), row, ErrorKind::LimitExceeded, false),
            (403, api("INSUFFICIENT_ACCESS"), row, ErrorKind::Forbidden, false),
            (429, String::new(), row, ErrorKind::LimitExceeded, true),
            (500, api("UNKNOWN_EXCEPTION"), row, ErrorKind::Unavailable, true),
            (500, api("APEX_ERROR"), row, ErrorKind::Api, false),
            (503, r#"{"errorCode":"SERVER_UNAVAILABLE","message":"m"}"#.into(), row, ErrorKind::Unavailable, true),
            (502, "<html>edge</html>".into(), row, ErrorKind::Unavailable, true),
            (412, String::new(), row, ErrorKind::PreconditionFailed, false),
            (412, api("PRECONDITION_FAILED"), row, ErrorKind::PreconditionFailed, false),
            (412, api("BATCH_PROCESSING_HALTED"), row, ErrorKind::Halted, false),
            (400, api("PROCESSING_HALTED"), row, ErrorKind::Halted, false),
            (300, r#"["/services/data/v66.0/sobjects/A/x"]"#.into(), row, ErrorKind::MultipleMatches, false),
        ] {
            let error = Error::from_answer(&answer(status, &body), path);
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status} {body}");
            assert_eq!(error.status(), Some(status));
        }
    }

    #[test]
    fn only_the_text_tells_the_two_request_limits_apart() {
        for (text, retryable) in [
            ("TotalRequests Limit exceeded.", false),
            ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", true),
            ("ConcurrentPerOrgLongTxn Limit exceeded.", true),
        ] {
            let body = format!(r#"[{{"message":"{text}","errorCode":"REQUEST_LIMIT_EXCEEDED"}}]"#);
            assert_eq!(Error::from_answer(&answer(403, &body), "/").is_retryable(), retryable, "{text}");
        }
    }

    #[test]
    fn when_to_come_back() {
        let at = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            headers.insert(header::DATE, "Sat, 21 Nov 2026 10:00:00 GMT".parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(at("7"), Some(Duration::from_secs(7)));
        assert_eq!(at("Sat, 21 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(at("Sat, 21 Nov 2026 09:00:00 GMT"), None);
        assert_eq!(at("soon"), None);
    }
}

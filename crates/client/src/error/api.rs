//! Salesforce's own errors, read from whatever shape they came in.

use std::{error, fmt};

use serde_json::Value;
use tombolo_schema::ErrorCode;

/// One error as Salesforce reports it: for a request, or for one record of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    fields: Vec<String>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>, fields: Vec<String>) -> Self {
        Self { code, message: message.into(), fields }
    }

    /// `errorCode` of a request, `statusCode` of a record, `error` of a login.
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The text. For a query it has several lines, with a caret under the error.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields it is about; often empty.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => f.write_str(message),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl error::Error for ApiError {}

/// Reads the errors of an answer: an array (REST), one object (login, some 503s), anything else as no error at all.
pub(crate) fn read_api_errors(body: &[u8]) -> Vec<ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(entries)) => entries.iter().filter_map(read_api_error).collect(),
        Ok(entry) => read_api_error(&entry).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// Every key is optional; an entry with neither a code nor a text is none (rest.md 4.1).
pub(crate) fn read_api_error(entry: &Value) -> Option<ApiError> {
    let text = |names: &[&str]| names.iter().find_map(|name| entry.get(name)?.as_str()).map(str::to_owned);
    let code = text(&["errorCode", "statusCode", "error"]);
    let message = text(&["message", "error_description"]);
    if code.is_none() && message.is_none() {
        return None;
    }
    let fields = entry.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(ApiError {
        code: ErrorCode::from(code.unwrap_or_default().as_str()),
        message: redact(&message.unwrap_or_default()),
        fields: fields.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

/// The beginning of a body that is no JSON, on one line, for people.
pub(crate) fn shorten(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(2000)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = redact(&line).chars().take(200).collect();
    if short.chars().count() < line.chars().count() {
        short.push('…');
    }
    short
}

/// Takes session ids (`00D…!…`) out of a text.
fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('!') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let word = before.len() - before.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
        let is_org = (15..=18).contains(&word) && before[before.len() - word..].starts_with("00D");
        if is_org {
            out.push_str(&before[..before.len() - word]);
            out.push_str("00D…!…");
            rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        } else {
            out.push_str(&rest[..=at]);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_shape() {
        for (body, expect) in [
            (r#"[{"message":"m","errorCode":"NOT_FOUND"}]"#, &["NOT_FOUND: m []"][..]),
            (
                r#"[{"message":"a","errorCode":"X","fields":["F"]},{"message":"b","errorCode":"Y","fields":[]}]"#,
                &["X: a [\"F\"]", "Y: b []"],
            ),
            (r#"[{"statusCode":"S","message":"m","fields":null}]"#, &["S: m []"]),
            (r#"{"message":"m","errorCode":"INVALID_NEW_PASSWORD"}"#, &["INVALID_NEW_PASSWORD: m []"]),
            (r#"{"error":"invalid_grant","error_description":"no"}"#, &["invalid_grant: no []"]),
            (r#"[{"errorCode":"C"}]"#, &["C []"]),
            (r#"[{"message":"only text"}]"#, &["only text []"]),
            (
                r#"[{"duplicateResut":{},"errorCode":"DUPLICATES_DETECTED","message":"d"}]"#,
                &["DUPLICATES_DETECTED: d []"],
            ),
            (r#"[null,1,{}]"#, &[]),
            ("<html>We are setting things up</html>", &[]),
            ("", &[]),
        ] {
            let seen: Vec<_> =
                read_api_errors(body.as_bytes()).iter().map(|e| format!("{e} {:?}", e.fields())).collect();
            assert_eq!(seen, expect, "{body}");
        }
    }

    #[test]
    fn sessions_do_not_show() {
        for (text, expect) in [
            ("Session 00D000000000001AAA!AQ.x_y-z is over", "Session 00D…!… is over"),
            ("00D000000000001!AQ and 00D000000000002!BQ!", "00D…!… and 00D…!…!"),
            ("org 00D000000000001AAA only", "org 00D000000000001AAA only"),
            ("Stop! Now!", "Stop! Now!"),
        ] {
            assert_eq!(redact(text), expect);
        }
        assert_eq!(shorten(b"  <html>\n  two   words "), "<html> two words");
        assert_eq!(shorten("é".repeat(900).as_bytes()).chars().count(), 201);
    }

    proptest! {
        #[test]
        fn any_body_is_read(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (read_api_errors(&body), shorten(&body));
        }
    }
}

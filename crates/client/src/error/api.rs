//! Salesforce's own errors, read from whatever shape they came in.

use std::{error, fmt};

use serde_json::Value;
use tombolo_schema::{ErrorCode, Id};

use super::{ErrorKind, refusal::kind_of_errors};
use crate::soap::fault;

/// One error as Salesforce reports it: for a request, or for one record of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    fields: Vec<String>,
    duplicates: Vec<Id>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>, fields: Vec<String>) -> Self {
        Self { code, message: message.into(), fields, duplicates: Vec::new() }
    }

    fn of_fault(code: &str, message: &str) -> Self {
        Self::new(ErrorCode::from(code), redact(message), Vec::new())
    }

    /// `errorCode` of a request, `statusCode` of a record, `error` of a login.
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// What kind of trouble it is: of one record of many, as if it had been written by itself.
    pub fn kind(&self) -> ErrorKind {
        kind_of_errors(std::slice::from_ref(self), "").unwrap_or(ErrorKind::Api)
    }

    /// The text. For a query it has several lines, with a caret under the error.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields it is about; often empty.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// For `DUPLICATE_VALUE`: the record that has the value already. Salesforce names it in the text only, and not
    /// where the user may not see it.
    ///
    /// ```no_run
    /// # use tombolo_client::{Client, Fields, Result};
    /// # async fn run(client: Client, fields: Fields) -> Result<()> {
    /// let created = client.create("Contact", &fields).await;
    /// if let Some(twin) = created.as_ref().err().and_then(|error| error.api_errors().first()?.duplicate_of()) {
    ///     println!("{twin} has this external id already");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn duplicate_of(&self) -> Option<Id> {
        if !matches!(self.code, ErrorCode::DuplicateValue | ErrorCode::DuplicateExternalId) {
            return None;
        }
        let (_, id) = self.message.rsplit_once("with id: ")?;
        let end = id.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(id.len());
        Id::parse(&id[..end]).ok()
    }

    /// For `DUPLICATES_DETECTED`: the records that a duplicate rule found. Collections do not say.
    pub fn duplicates(&self) -> &[Id] {
        &self.duplicates
    }

    /// For `INVALID_FIELD`: the field that does not exist, or that the user may not see.
    pub fn unknown_field(&self) -> Option<&str> {
        if self.code != ErrorCode::InvalidField {
            return None;
        }
        between(&self.message, "No such column '", "'")
    }

    /// The fields it is about: [`fields`](Self::fields), or those that only the text names. Empty if it names none.
    pub fn named_fields(&self) -> Vec<&str> {
        if !self.fields.is_empty() {
            return self.fields.iter().map(String::as_str).collect();
        }
        let (text, list) = match self.code {
            ErrorCode::InvalidField => {
                (self.unknown_field().or_else(|| between(&self.message, " for field ", " ")), "")
            }
            ErrorCode::DuplicateValue => (between(&self.message, "duplicate value found: ", " duplicates "), ""),
            ErrorCode::RequiredFieldMissing => (between(&self.message, "missing: [", "]"), ","),
            ErrorCode::InvalidFieldForInsertUpdate => (between(&self.message, "update fields: ", ". "), ","),
            _ => (None, ""),
        };
        let text = text.unwrap_or_default();
        let names: Vec<&str> = if list.is_empty() { vec![text] } else { text.split(list).collect() };
        names.into_iter().map(str::trim).filter(|name| is_field_name(name)).collect()
    }
}

/// What stands between two words, the first of which must be there.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after).map_or(rest, |(found, _)| found))
}

/// `<unknown>` is none.
fn is_field_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The Ids under `duplicateResut`: the key is spelled like that, and elsewhere as it should be (rest.md 4.3).
fn duplicates(entry: &Value) -> Vec<Id> {
    let found = ["duplicateResut", "duplicateResult"].iter().find_map(|key| entry.get(*key)?.get("matchResults"));
    let items = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let rules = found.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let records = rules.iter().flat_map(|rule| items(rule, "matchRecords"));
    records.filter_map(|found| Id::parse(found.get("record")?.get("Id")?.as_str()?).ok()).collect()
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

/// Reads the errors of an answer: an array (REST), one object (login, some 503s), a fault (SOAP), anything else as
/// no error at all.
pub(crate) fn read_api_errors(body: &[u8]) -> Vec<ApiError> {
    match serde_json::from_slice(body) {
        Ok(body) => errors_of(&body),
        Err(_) => fault(body).map(|(code, text)| ApiError::of_fault(&code, &text)).into_iter().collect(),
    }
}

/// The same of a body that is JSON already.
pub(crate) fn errors_of(body: &Value) -> Vec<ApiError> {
    match body {
        Value::Array(entries) => entries.iter().filter_map(read_api_error).collect(),
        entry => read_api_error(entry).into_iter().collect(),
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
        duplicates: duplicates(entry),
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
            (
                "<e:Envelope><e:Body><e:Fault><faultcode>sf:INVALID_ID_FIELD</faultcode><faultstring>INVALID_ID_FIELD: bad \
                 id</faultstring></e:Fault></e:Body></e:Envelope>",
                &["INVALID_ID_FIELD: bad id []"],
            ),
            ("<html>We are setting things up</html>", &[]),
            ("", &[]),
        ] {
            let seen: Vec<_> =
                read_api_errors(body.as_bytes()).iter().map(|e| format!("{e} {:?}", e.fields())).collect();
            assert_eq!(seen, expect, "{body}");
        }
    }

    #[test]
    fn kinds_of_records() {
        for (code, kind) in [
            ("UNABLE_TO_LOCK_ROW", ErrorKind::Locked),
            ("ENTITY_IS_DELETED", ErrorKind::NotFound),
            ("INVALID_FIELD", ErrorKind::InvalidName),
            ("ALL_OR_NONE_OPERATION_ROLLED_BACK", ErrorKind::Halted),
            ("INSUFFICIENT_ACCESS_OR_READONLY", ErrorKind::Forbidden),
            ("DUPLICATE_VALUE", ErrorKind::Api),
            ("SOMETHING_NEW", ErrorKind::Api),
        ] {
            assert_eq!(error(code, "").kind(), kind, "{code}");
        }
    }

    fn error(code: &str, message: &str) -> ApiError {
        ApiError::new(ErrorCode::from(code), message, Vec::new())
    }

    #[test]
    fn the_record_that_was_there_first() {
        let text = "duplicate value found: Key__c duplicates value on record with id: ";
        for (code, message, expect) in [
            ("DUPLICATE_VALUE", format!("{text}0015500001QdQWa"), Some("0015500001QdQWaAAN")),
            ("DUPLICATE_VALUE", format!("{text}0015500001QdQWaAAN"), Some("0015500001QdQWaAAN")),
            ("DUPLICATE_VALUE", format!("{text}0015500001QdQWaAAN."), Some("0015500001QdQWaAAN")),
            ("DUPLICATE_VALUE", format!("{text}<unknown>"), None),
            ("DUPLICATE_VALUE", text.to_owned(), None),
            ("DUPLICATE_VALUE", "with id: 001".to_owned(), None),
            ("OTHER", format!("{text}0015500001QdQWaAAN"), None),
        ] {
            let seen = error(code, &message).duplicate_of();
            assert_eq!(seen.map(|id| id.to_string()).as_deref(), expect, "{message}");
        }
    }

    #[test]
    fn fields_that_only_the_text_names() {
        let unknown = "\nSELECT X FROM A\n  ^\nERROR at Row:1:Column:8\nNo such column 'X__c' on entity 'A'. If you";
        let settings = "Unable to create/update fields: IsDeleted, Y__c. Please check the security settings";
        for (code, message, expect) in [
            ("INVALID_FIELD", "No such column 'foo' on sobject of type Bar", &["foo"][..]),
            ("INVALID_FIELD", unknown, &["X__c"]),
            ("INVALID_FIELD", "Foreign key external ID: 0116 not found for field F__c in entity E", &["F__c"]),
            ("INVALID_FIELD", "something else", &[]),
            ("DUPLICATE_VALUE", "duplicate value found: K__c duplicates value on record with id: 001", &["K__c"]),
            ("DUPLICATE_VALUE", "duplicate value found: <unknown> duplicates value on", &[]),
            ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name, LastName]", &["Name", "LastName"]),
            ("INVALID_FIELD_FOR_INSERT_UPDATE", settings, &["IsDeleted", "Y__c"]),
            ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "missing: [Name]", &[]),
        ] {
            assert_eq!(error(code, message).named_fields(), expect, "{message}");
        }
        let named = ApiError::new(ErrorCode::InvalidField, "No such column 'a' on", vec!["b".into()]);
        assert_eq!((named.named_fields(), named.unknown_field()), (vec!["b"], Some("a")));
    }

    #[test]
    fn records_that_a_duplicate_rule_found() {
        let found = r#"{"matchResults":[{"matchRecords":[{"record":{"Id":"0031i000013x2TEAAY"}},{"record":{}}]},{}]}"#;
        for (body, count) in [
            (format!(r#"[{{"errorCode":"DUPLICATES_DETECTED","duplicateResut":{found}}}]"#), 1),
            (format!(r#"[{{"errorCode":"DUPLICATES_DETECTED","duplicateResult":{found}}}]"#), 1),
            (r#"[{"errorCode":"DUPLICATES_DETECTED","duplicateResult":7}]"#.to_owned(), 0),
        ] {
            assert_eq!(read_api_errors(body.as_bytes())[0].duplicates().len(), count, "{body}");
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

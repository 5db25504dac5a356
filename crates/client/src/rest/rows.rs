//! Single rows: create, retrieve, update, upsert, delete.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tombolo_schema::ErrorCode;

use crate::{ApiError, Client, Error, Fields, Record, Result, client::decode, error::read_api_error, request::rows};

/// What became of one record that was written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Answered")]
pub struct SaveResult {
    /// The record's Id; absent when a create failed.
    pub id: Option<String>,
    /// Whether it was written. A success may still carry entries in `errors` (a published event does).
    pub success: bool,
    /// What Salesforce said about it.
    pub errors: Vec<ApiError>,
    /// Whether an upsert made the record; absent for everything else.
    pub created: Option<bool>,
}

/// A result as it comes. `warnings`, which some versions add, say nothing.
#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    id: Option<String>,
    success: bool,
    #[serde(default)]
    errors: Option<Vec<Value>>,
    #[serde(default)]
    created: Option<bool>,
}

impl From<Answered> for SaveResult {
    fn from(result: Answered) -> Self {
        let errors = result.errors.unwrap_or_default();
        Self {
            id: result.id,
            success: result.success,
            errors: errors.iter().filter_map(read_api_error).collect(),
            created: result.created,
        }
    }
}

impl Client {
    /// Reads a record: the named fields, or all that the user may see.
    pub async fn retrieve(&self, object: &str, id: impl AsRef<str>, fields: Option<&[&str]>) -> Result<Record> {
        self.read(rows::retrieve(self.api_version(), object, id.as_ref(), fields)?).await
    }

    /// Creates a record. Never repeated blindly: if the answer is lost the error is
    /// [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome).
    pub async fn create(&self, object: &str, fields: &Fields) -> Result<SaveResult> {
        self.read(rows::create(self.api_version(), object, fields)?).await
    }

    /// Changes fields of a record.
    pub async fn update(&self, object: &str, id: impl AsRef<str>, fields: &Fields) -> Result<()> {
        self.send(rows::update(self.api_version(), object, id.as_ref(), fields)?).await.map(drop)
    }

    /// Changes fields of a record, unless somebody has changed it after this moment (whole seconds; the
    /// `LastModifiedDate` that was read): then the error is
    /// [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed), and nothing was written.
    ///
    /// An edit within the same second is not noticed.
    pub async fn update_if_unmodified_since(
        &self,
        object: &str,
        id: impl AsRef<str>,
        fields: &Fields,
        since: Timestamp,
    ) -> Result<()> {
        let request = rows::update_if_unmodified(self.api_version(), object, id.as_ref(), fields, since)?;
        self.send(request).await.map(drop)
    }

    /// Creates a record, or changes the one with this value in an external id field.
    pub async fn upsert(&self, object: &str, field: &str, value: &str, fields: &Fields) -> Result<SaveResult> {
        let request = rows::upsert(self.api_version(), object, field, value, fields)?;
        self.read_with(request, |answer| match answer.body().is_empty() {
            // Before version 46 an update has no body, and so no Id (rest.md 2.4).
            true => Ok(SaveResult { id: None, success: true, errors: Vec::new(), created: Some(false) }),
            false => decode(answer),
        })
        .await
    }

    /// Moves a record to the recycle bin.
    pub async fn delete(&self, object: &str, id: impl AsRef<str>) -> Result<()> {
        match self.send(rows::delete(self.api_version(), object, id.as_ref())?).await {
            Err(error) if was_ours(&error) && !self.options().sends_once() => Ok(()),
            other => other.map(drop),
        }
    }
}

/// An earlier attempt, whose answer was lost, had deleted it.
fn was_ours(error: &Error) -> bool {
    error.attempts() > 1 && error.code() == Some(&ErrorCode::EntityIsDeleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_every_kind() {
        for (body, id, success, errors, created) in [
            (r#"{"id":"003x","success":true,"errors":[]}"#, Some("003x"), true, 0, None),
            (
                r#"{"id":"003x","success":true,"errors":[],"warnings":[],"created":true}"#,
                Some("003x"),
                true,
                0,
                Some(true),
            ),
            (r#"{"success":false,"errors":[{"statusCode":"X","message":"m","fields":[]}]}"#, None, false, 1, None),
            (r#"{"id":null,"success":false,"errors":[{"errorCode":"X"}]}"#, None, false, 1, None),
            (
                r#"{"id":"e00","success":true,"errors":[{"statusCode":"OPERATION_ENQUEUED","message":"u"}]}"#,
                Some("e00"),
                true,
                1,
                None,
            ),
            (r#"{"id":"003x","success":true,"errors":null}"#, Some("003x"), true, 0, None),
        ] {
            let result: SaveResult = serde_json::from_str(body).unwrap();
            assert_eq!(
                (result.id.as_deref(), result.success, result.errors.len(), result.created),
                (id, success, errors, created),
                "{body}"
            );
        }
    }
}

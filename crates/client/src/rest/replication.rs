//! What was deleted or changed in a window of time.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};
use tombolo_schema::parse_datetime;

use crate::{Client, Result, request::replication};

/// A record that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRecord {
    /// Its Id.
    pub id: String,
    /// When, to the second.
    pub deleted_date: Timestamp,
}

/// The records of an object that were deleted in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRecords {
    /// The records.
    pub records: Vec<DeletedRecord>,
    /// Deletes before this are forgotten (about 15 days).
    pub earliest_date_available: Timestamp,
    /// How far the answer reaches; may lie before the end that was asked for. The next window begins here.
    pub latest_date_covered: Timestamp,
}

/// The records of an object that were created or changed in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedRecords {
    /// Their Ids.
    pub ids: Vec<String>,
    /// How far the answer reaches; may lie before the end that was asked for.
    pub latest_date_covered: Timestamp,
}

/// A window's answer as it comes; one of the two lists is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    deleted_records: Vec<Entry>,
    #[serde(deserialize_with = "moment")]
    earliest_date_available: Timestamp,
    #[serde(deserialize_with = "moment")]
    latest_date_covered: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    #[serde(deserialize_with = "moment")]
    deleted_date: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Updated {
    ids: Vec<String>,
    #[serde(deserialize_with = "moment")]
    latest_date_covered: Timestamp,
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_datetime(&text).map_err(D::Error::custom)
}

impl From<Deleted> for DeletedRecords {
    fn from(answer: Deleted) -> Self {
        let record = |entry: Entry| DeletedRecord { id: entry.id, deleted_date: entry.deleted_date };
        Self {
            records: answer.deleted_records.into_iter().map(record).collect(),
            earliest_date_available: answer.earliest_date_available,
            latest_date_covered: answer.latest_date_covered,
        }
    }
}

impl Client {
    /// The records of an object that were deleted between two moments (fractions of a second are dropped).
    pub async fn deleted(&self, object: &str, start: Timestamp, end: Timestamp) -> Result<DeletedRecords> {
        let answer: Deleted = self.read(replication::deleted(self.api_version(), object, start, end)?).await?;
        Ok(answer.into())
    }

    /// The records of an object that were created or changed between two moments.
    pub async fn updated(&self, object: &str, start: Timestamp, end: Timestamp) -> Result<UpdatedRecords> {
        let answer: Updated = self.read(replication::updated(self.api_version(), object, start, end)?).await?;
        Ok(UpdatedRecords { ids: answer.ids, latest_date_covered: answer.latest_date_covered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_they_come() {
        let body = r#"{"deletedRecords":[{"id":"001x","deletedDate":"2026-11-20T10:00:01.000+0000"}],
            "earliestDateAvailable":"2026-11-05T00:00:00.000Z","latestDateCovered":"2026-11-20T11:00:00.000+0000"}"#;
        let answer: DeletedRecords = serde_json::from_str::<Deleted>(body).unwrap().into();
        assert_eq!(answer.records[0].deleted_date.to_string(), "2026-11-20T10:00:01Z");
        assert_eq!(answer.earliest_date_available.to_string(), "2026-11-05T00:00:00Z");
        assert!(serde_json::from_str::<Updated>(r#"{"ids":[],"latestDateCovered":"yesterday"}"#).is_err());
    }
}

//! RecordsJson as JSON (rest.md 2.1): attributes first, values in the spelling of their type.

use serde::{Serialize, Serializer, ser::SerializeMap};
use tombolo_schema::{format_datetime, format_time};

use crate::core::record::{Fault, Locator, Output, Page, Record, Saved};

/// A record under the URLs of an API version: `/services/data/v66.0`.
pub(crate) struct RecordJson<'a> {
    pub(crate) record: &'a Record,
    pub(crate) base: &'a str,
}

impl Serialize for RecordJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { record, base } = self;
        let mut map = serializer.serialize_map(Some(record.fields.len() + 1))?;
        map.serialize_entry("attributes", &Attributes { record, base })?;
        for (name, value) in &record.fields {
            map.serialize_entry(&**name, &Cell { value, record, field: name, base })?;
        }
        map.end()
    }
}

struct Attributes<'a> {
    record: &'a Record,
    base: &'a str,
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &*self.record.object)?;
        // An aggregate has no row of its own, and so no address.
        if let Some(id) = self.record.id {
            map.serialize_entry("url", &format_args!("{}/sobjects/{}/{id}", self.base, self.record.object))?;
        }
        map.end()
    }
}

struct Cell<'a> {
    value: &'a Output,
    record: &'a Record,
    field: &'a str,
    base: &'a str,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Output::Record(record) => RecordJson { record, base: self.base }.serialize(serializer),
            Output::Children(page) => PageJson { page, base: self.base }.serialize(serializer),
            Output::Blob(_) => {
                let id = self.record.id.map(|id| id.to_string()).unwrap_or_default();
                serializer
                    .collect_str(&format_args!("{}/sobjects/{}/{id}/{}", self.base, self.record.object, self.field))
            }
            value => Value { value, moment: format_datetime }.serialize(serializer),
        }
    }
}

/// A value without a record around it; moments are written as the caller wishes.
pub(crate) struct Value<'a> {
    pub(crate) value: &'a Output,
    pub(crate) moment: fn(jiff::Timestamp) -> String,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Output::Boolean(value) => serializer.serialize_bool(*value),
            Output::Int(value) => serializer.serialize_i64(*value),
            Output::Double(value) => serializer.serialize_f64(*value),
            Output::Text(value) => serializer.serialize_str(value),
            Output::Date(value) => serializer.collect_str(value),
            Output::DateTime(value) => serializer.serialize_str(&(self.moment)(*value)),
            Output::Time(value) => serializer.serialize_str(&format_time(*value)),
            Output::Compound(parts) => {
                let mut map = serializer.serialize_map(Some(parts.len()))?;
                for (name, value) in parts {
                    map.serialize_entry(&**name, &Value { value, moment: self.moment })?;
                }
                map.end()
            }
            Output::Null | Output::Record(_) | Output::Children(_) | Output::Blob(_) => serializer.serialize_unit(),
        }
    }
}

/// A page of a query, or a child set.
pub(crate) struct PageJson<'a> {
    pub(crate) page: &'a Page,
    pub(crate) base: &'a str,
}

impl Serialize for PageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { page, base } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("totalSize", &page.total_size)?;
        map.serialize_entry("done", &page.next.is_none())?;
        if let Some(Locator { cursor, offset }) = &page.next {
            // Also for queryAll the path says query (rest.md 2.5).
            map.serialize_entry("nextRecordsUrl", &format_args!("{base}/query/{cursor}-{offset}"))?;
        }
        map.serialize_entry("records", &RecordsJson { records: &page.records, base })?;
        map.end()
    }
}

/// Records alone.
pub(crate) struct RecordsJson<'a> {
    pub(crate) records: &'a [Record],
    pub(crate) base: &'a str,
}

impl Serialize for RecordsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records.iter().map(|record| RecordJson { record, base: self.base }))
    }
}

/// What became of a record. Collections tell `created` of upserts only.
pub(crate) struct SavedJson<'a> {
    pub(crate) saved: &'a Saved,
    pub(crate) with_created: bool,
}

impl Serialize for SavedJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { saved, with_created } = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = saved.id {
            map.serialize_entry("id", id.as_str())?;
        }
        map.serialize_entry("success", &saved.faults.is_empty())?;
        map.serialize_entry("errors", &SavedErrors(&saved.faults))?;
        if *with_created && saved.faults.is_empty() {
            map.serialize_entry("created", &saved.created)?;
        }
        map.end()
    }
}

/// Collections say `statusCode` where rows say `errorCode` (rest.md 3.5).
struct SavedErrors<'a>(&'a [Fault]);

impl Serialize for SavedErrors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct One<'a> {
            status_code: &'a str,
            message: &'a str,
            fields: &'a [String],
        }
        serializer.collect_seq(self.0.iter().map(|fault| One {
            status_code: fault.code.as_str(),
            message: &fault.message,
            fields: fault.fields.as_deref().unwrap_or_default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_schema::Id;

    fn record(fields: Vec<(&str, Output)>) -> Record {
        let id = Id::from_number(*b"001", 1);
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Record { object: "Account".into(), id: Some(id), fields }
    }

    fn json(record: &Record) -> String {
        serde_json::to_string(&RecordJson { record, base: "/services/data/v66.0" }).unwrap()
    }

    #[test]
    fn each_type_has_its_spelling() {
        for (value, expected) in [
            (Output::Null, "null"),
            (Output::Boolean(true), "true"),
            (Output::Int(300), "300"),
            (Output::Double(300.0), "300.0"),
            (Output::Double(0.1), "0.1"),
            (Output::Text("a\"b".to_owned()), r#""a\"b""#),
            (Output::Date("2026-01-02".parse().unwrap()), r#""2026-01-02""#),
            (Output::DateTime("2026-01-02T03:04:05Z".parse().unwrap()), r#""2026-01-02T03:04:05.000+0000""#),
            (Output::Time("13:05:00".parse().unwrap()), r#""13:05:00.000Z""#),
            (Output::Compound(vec![("city".into(), Output::Null)]), r#"{"city":null}"#),
            (Output::Blob(vec![1]), r#""/services/data/v66.0/sobjects/Account/001000000000001AAA/F""#),
        ] {
            let attributes =
                r#""attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/001000000000001AAA"}"#;
            assert_eq!(json(&record(vec![("F", value)])), format!("{{{attributes},\"F\":{expected}}}"));
        }
    }

    #[test]
    fn an_aggregate_has_no_url_and_a_page_its_place() {
        let aggregate =
            Record { object: "AggregateResult".into(), id: None, fields: vec![("expr0".into(), Output::Int(10))] };
        assert_eq!(json(&aggregate), r#"{"attributes":{"type":"AggregateResult"},"expr0":10}"#);
        let cursor = Id::from_number(*b"01g", 1);
        let page = Page { total_size: 3, records: Vec::new(), next: Some(Locator { cursor, offset: 2 }) };
        assert_eq!(
            serde_json::to_string(&PageJson { page: &page, base: "/services/data/v66.0" }).unwrap(),
            r#"{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g000000000001AAA-2","records":[]}"#
        );
    }

    #[test]
    fn a_failed_insert_has_no_id() {
        let fault = Fault::of_fields(
            tombolo_schema::ErrorCode::RequiredFieldMissing,
            "Required fields are missing: [Name]",
            &["Name"],
        );
        let saved = Saved { id: None, created: false, faults: vec![fault] };
        assert_eq!(
            serde_json::to_string(&SavedJson { saved: &saved, with_created: true }).unwrap(),
            r#"{"success":false,"errors":[{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [Name]","fields":["Name"]}]}"#
        );
    }
}

//! From the JSON of a record to a row.

use jiff::Timestamp;
use serde_json::Value as Json;
use tombolo_client::Record;
use tombolo_engine::Row;
use tombolo_schema::{Id, Value, parse_date, parse_datetime, parse_time};

use crate::{Error, Result, store::Kind, systems::Entity};

/// Reads a record that was selected with the entity's fields.
pub(super) fn row(entity: &Entity, record: &Record) -> Result<Row> {
    let id = id(entity, record)?;
    let values = entity
        .columns()
        .iter()
        .map(|column| {
            let json = record.fields().get(&column.field).unwrap_or(&Json::Null);
            value(column.kind, json).ok_or_else(|| {
                let text =
                    format!("{}.{} of {id} holds what is no {}", entity.table.object, column.field, column.kind.name());
                Error::failed(text)
            })
        })
        .collect::<Result<_>>()?;
    let deleted = record.fields().get("IsDeleted").and_then(Json::as_bool).unwrap_or_default();
    Ok(Row { id, stamp: stamp(entity, record)?, deleted, values })
}

/// The Id of a record.
pub(super) fn id(entity: &Entity, record: &Record) -> Result<Id> {
    let text = record.fields().get("Id").and_then(Json::as_str).unwrap_or_default();
    Id::parse(text)
        .map_err(|error| Error::failed(format!("a record of {} has no Id", entity.table.object)).with_source(error))
}

/// When a record last changed.
pub(super) fn stamp(entity: &Entity, record: &Record) -> Result<Timestamp> {
    let text = record.fields().get(&entity.stamp).and_then(Json::as_str).unwrap_or_default();
    parse_datetime(text).map_err(|error| {
        Error::failed(format!("a record of {} has no {}", entity.table.object, entity.stamp)).with_source(error)
    })
}

/// A value of this kind; none if it is of another. A text column takes whatever comes, in its JSON spelling.
fn value(kind: Kind, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    Some(match kind {
        Kind::Text => match json {
            Json::String(text) => Value::Text(text.clone()),
            other => Value::Text(other.to_string()),
        },
        Kind::Boolean => Value::Boolean(json.as_bool()?),
        Kind::Integer | Kind::Long => Value::Int(whole(json)?),
        Kind::Decimal => Value::Double(json.as_f64()?),
        Kind::Date => Value::Date(parse_date(json.as_str()?).ok()?),
        Kind::Time => Value::Time(parse_time(json.as_str()?).ok()?),
        Kind::DateTime => Value::DateTime(parse_datetime(json.as_str()?).ok()?),
    })
}

/// A whole number, also where it is written with a fraction of nothing.
fn whole(json: &Json) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    let exact = |number: f64| (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64);
    json.as_i64().or_else(|| json.as_f64().and_then(exact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_by_kind() {
        let shown = |kind, json: Json| value(kind, &json).map(|value| format!("{value:?}"));
        for (kind, json, expected) in [
            (Kind::Text, json!("a"), Some("Text(\"a\")")),
            (Kind::Text, json!(true), Some("Text(\"true\")")),
            (Kind::Text, Json::Null, Some("Null")),
            (Kind::Boolean, json!(false), Some("Boolean(false)")),
            (Kind::Boolean, json!("false"), None),
            (Kind::Integer, json!(7), Some("Int(7)")),
            (Kind::Integer, json!(7.0), Some("Int(7)")),
            (Kind::Integer, json!(7.5), None),
            (Kind::Decimal, json!(7), Some("Double(7.0)")),
            (Kind::Decimal, json!(0.1), Some("Double(0.1)")),
            (Kind::Date, json!("2026-11-22"), Some("Date(2026-11-22)")),
            (Kind::Date, json!("soon"), None),
            (Kind::Time, json!("13:05:00.000Z"), Some("Time(13:05:00)")),
            (Kind::DateTime, json!("2026-11-22T01:02:03.000+0000"), Some("DateTime(2026-11-22T01:02:03Z)")),
        ] {
            assert_eq!(shown(kind, json.clone()).as_deref(), expected, "{kind:?} {json}");
        }
    }
}

//! Values in JSON, and as the engine keeps them.

use serde_json::{Number, Value as Json};
use tombolo_engine::sync::{Canon, Precision, Refusal, Stored};
use tombolo_schema::{FieldType, Id, format_datetime, format_time, parse_date, parse_datetime, parse_time};

use super::object::Known;

/// A value as it was read or heard. What is not of its type is kept as text.
pub(super) fn read(json: &Json, kind: Option<FieldType>) -> Stored {
    if json.is_null() {
        return Stored::Null;
    }
    typed(json, kind).unwrap_or_else(|| match json {
        Json::String(text) => Stored::Text(text.clone()),
        other => Stored::Text(other.to_string()),
    })
}

fn typed(json: &Json, kind: Option<FieldType>) -> Option<Stored> {
    let Some(kind) = kind else {
        return match json {
            Json::Bool(yes) => Some(Stored::Boolean(*yes)),
            Json::Number(number) => number.as_i64().map(Stored::Int).or_else(|| number.as_f64().map(Stored::Double)),
            _ => None,
        };
    };
    Some(match kind {
        FieldType::Boolean => Stored::Boolean(json.as_bool()?),
        FieldType::Int | FieldType::Long => match Canon::Integer.of(&Stored::Double(json.as_f64()?)) {
            // What a double cannot hold is taken from its digits.
            Stored::Int(rounded) => Stored::Int(json.as_i64().unwrap_or(rounded)),
            other => json.as_i64().map_or(other, Stored::Int),
        },
        FieldType::Double | FieldType::Currency | FieldType::Percent => Stored::Double(json.as_f64()?),
        FieldType::Date => Stored::Date(parse_date(json.as_str()?).ok()?),
        FieldType::DateTime => Stored::DateTime(parse_datetime(json.as_str()?).ok()?),
        FieldType::Time => Stored::Time(parse_time(json.as_str()?).ok()?),
        FieldType::Id | FieldType::Reference => Stored::Text(Id::parse(json.as_str()?).ok()?.as_str().to_owned()),
        _ => return None,
    })
}

/// A value as it is written to a field; or why that field cannot take it. One bad value would have Salesforce refuse
/// the whole request that it stands in.
pub(super) fn write(value: &Stored, field: &Known) -> Result<Json, Refusal> {
    let kind = field.kind;
    let refuse = || {
        let kind = kind.map_or("value", FieldType::name);
        Refusal {
            code: "INVALID_TYPE_ON_FIELD_IN_RECORD".to_owned(),
            message: format!("{}: value not of required type: {kind}", field.name),
            fields: vec![field.name.clone()],
            passing: false,
        }
    };
    if value.is_null() {
        // A checkbox cannot be empty.
        return Ok(if kind == Some(FieldType::Boolean) { Json::Bool(false) } else { Json::Null });
    }
    json_of(&canonical(value, kind), kind).ok_or_else(refuse)
}

/// The value in the type of the field, if there is a way.
fn canonical(value: &Stored, kind: Option<FieldType>) -> Stored {
    match (kind, value) {
        (Some(FieldType::Boolean), _) => Canon::Boolean.of(value),
        (Some(FieldType::Int | FieldType::Long), Stored::Text(_) | Stored::Double(_)) => Canon::Integer.of(value),
        (Some(kind), Stored::Text(_)) if kind.is_decimal() => Canon::Decimal(u8::MAX).of(value),
        (Some(FieldType::Date), _) => Canon::Date.of(value),
        (Some(FieldType::DateTime), _) => Canon::DateTime(Precision::Millisecond).of(value),
        (Some(FieldType::Time), _) => Canon::Time.of(value),
        (Some(kind), Stored::Date(_) | Stored::DateTime(_) | Stored::Time(_)) if kind.is_text() => value.clone(),
        (Some(kind), _) if kind.is_text() || kind.is_id() => {
            Canon::Text(None).say(value, tombolo_engine::sync::Side::Left)
        }
        _ => value.clone(),
    }
}

fn json_of(value: &Stored, kind: Option<FieldType>) -> Option<Json> {
    Some(match (kind, value) {
        (_, Stored::Null) => Json::Null,
        (Some(FieldType::Boolean), Stored::Boolean(yes)) => Json::Bool(*yes),
        (Some(FieldType::Int), Stored::Int(number)) => Json::from(i32::try_from(*number).ok()?),
        (Some(FieldType::Long), Stored::Int(number)) => Json::from(*number),
        (Some(kind), Stored::Int(number)) if kind.is_decimal() => Json::from(*number),
        (Some(kind), Stored::Double(number)) if kind.is_decimal() => Json::Number(Number::from_f64(*number)?),
        (Some(FieldType::Date), Stored::Date(day)) => Json::String(day.to_string()),
        (Some(FieldType::DateTime), Stored::DateTime(moment)) => Json::String(format_datetime(*moment)),
        (Some(FieldType::Time), Stored::Time(time)) => Json::String(format_time(*time)),
        (Some(kind), _) if kind.is_text() || kind.is_id() => Json::String(text(value)?),
        (None, Stored::Boolean(yes)) => Json::Bool(*yes),
        (None, Stored::Int(number)) => Json::from(*number),
        (None, Stored::Double(number)) => Json::Number(Number::from_f64(*number)?),
        (None, _) => Json::String(text(value)?),
        _ => return None,
    })
}

fn text(value: &Stored) -> Option<String> {
    Some(match value {
        Stored::Text(text) => text.clone(),
        Stored::DateTime(moment) => format_datetime(*moment),
        Stored::Time(time) => format_time(*time),
        Stored::Date(day) => day.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::systems::salesforce::system::object::{Object, tests::contact};

    fn field(name: &str) -> Known {
        Object::of(&contact()).unwrap().field(name).unwrap().clone()
    }

    #[test]
    fn values_are_read_by_type() {
        let moment = Stored::DateTime("2026-11-22T01:02:03Z".parse().unwrap());
        for (name, json, expected) in [
            ("Email", json!("a@b"), "a@b".into()),
            ("Score__c", json!(7), Stored::Double(7.0)),
            ("Visits__c", json!(7.0), Stored::Int(7)),
            ("Visits__c", json!(9_007_199_254_740_993_i64), Stored::Int(9_007_199_254_740_993)),
            ("Agreed__c", json!(true), Stored::Boolean(true)),
            ("Birthdate", json!("2026-11-22"), Stored::Date("2026-11-22".parse().unwrap())),
            ("Seen__c", json!("2026-11-22T01:02:03.000+0000"), moment.clone()),
            ("Seen__c", json!("2026-11-22T01:02:03.000Z"), moment),
            ("AccountId", json!("0015500001QdQWa"), "0015500001QdQWaAAN".into()),
            ("AccountId", Json::Null, Stored::Null),
            ("Birthdate", json!("soon"), "soon".into()),
            ("Email", json!(5), "5".into()),
        ] {
            assert_eq!(read(&json, field(name).kind), expected, "{name} {json}");
        }
        assert_eq!(read(&json!(5), None), Stored::Int(5));
    }

    #[test]
    fn values_are_written_by_type() {
        let moment = Stored::DateTime("2026-11-22T01:02:03.5Z".parse().unwrap());
        for (name, value, expected) in [
            ("Email", "  a@b ".into(), Some(json!("  a@b "))),
            ("Email", "".into(), Some(Json::Null)),
            ("Email", Stored::Int(5), Some(json!("5"))),
            ("Email", moment.clone(), Some(json!("2026-11-22T01:02:03.500+0000"))),
            ("Score__c", Stored::Double(1.5), Some(json!(1.5))),
            ("Score__c", "1.5".into(), Some(json!(1.5))),
            ("Score__c", Stored::Int(5), Some(json!(5))),
            ("Score__c", "many".into(), None),
            ("Score__c", Stored::Double(f64::NAN), None),
            ("Visits__c", "5".into(), Some(json!(5))),
            ("Visits__c", Stored::Double(5.0), Some(json!(5))),
            ("Visits__c", Stored::Int(3_000_000_000), None),
            ("Agreed__c", Stored::Null, Some(json!(false))),
            ("Agreed__c", Stored::Int(1), Some(json!(true))),
            ("Agreed__c", "perhaps".into(), None),
            ("Birthdate", "2026-11-22".into(), Some(json!("2026-11-22"))),
            ("Birthdate", moment.clone(), Some(json!("2026-11-22"))),
            ("Birthdate", "soon".into(), None),
            ("Seen__c", moment, Some(json!("2026-11-22T01:02:03.500+0000"))),
            ("AccountId", "0015500001QdQWaAAN".into(), Some(json!("0015500001QdQWaAAN"))),
            ("AccountId", Stored::Null, Some(Json::Null)),
        ] {
            assert_eq!(write(&value, &field(name)).ok(), expected, "{name} {value:?}");
        }
        let refusal = write(&"many".into(), &field("Score__c")).unwrap_err();
        assert_eq!((refusal.fields, refusal.passing), (vec!["Score__c".to_owned()], false));
    }
}

//! A value as a client sent it, read as the field it is meant for, held to the field's format and range.

use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use tombolo_schema::{FieldType, Id, parse_date, parse_datetime, parse_time};

use super::{faults, number};
use crate::{
    core::{
        record::{Fault, Input},
        schema::FieldDef,
    },
    store::Cell,
};

/// Reads a value for a field. Text is trimmed, and empty text is no value.
pub(crate) fn read(field: &FieldDef, input: &Input) -> Result<Cell, Fault> {
    let written = match input {
        Input::Null => None,
        Input::Text(text) | Input::Untyped(text) => Some(text.trim()).filter(|t| !t.is_empty()),
        Input::Number(text) => Some(text.as_str()),
        Input::Boolean(true) => Some("true"),
        Input::Boolean(false) => Some("false"),
        Input::Nested(_) | Input::List => return Err(faults::wrong_type(wanted(field), input)),
    };
    let Some(written) = written else {
        return Ok(if field.field_type == FieldType::Boolean { Cell::Integer(0) } else { Cell::Null });
    };
    let wrong = || faults::wrong_type(wanted(field), input);
    let is_literal = matches!(input, Input::Number(_) | Input::Boolean(_));
    match field.field_type {
        FieldType::Boolean => boolean(written).ok_or_else(wrong),
        FieldType::Int | FieldType::Long if !matches!(input, Input::Boolean(_)) => whole(field, written, wrong),
        FieldType::Double | FieldType::Currency | FieldType::Percent if !matches!(input, Input::Boolean(_)) => {
            decimal(field, written, wrong)
        }
        FieldType::Date if !is_literal => day(field, written, wrong),
        FieldType::DateTime if !is_literal => moment(field, written, wrong),
        FieldType::Time if !is_literal => {
            parse_time(written).map(|t| Cell::Integer(milliseconds(t))).map_err(|_| wrong())
        }
        FieldType::Base64 if !is_literal => base64_bytes(written).map(Cell::Blob).ok_or_else(wrong),
        FieldType::Int
        | FieldType::Long
        | FieldType::Double
        | FieldType::Currency
        | FieldType::Percent
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Time
        | FieldType::Base64 => Err(wrong()),
        FieldType::Id | FieldType::Reference => id(field, written),
        _ => text(field, written),
    }
}

/// The type's name in parser errors.
fn wanted(field: &FieldDef) -> &'static str {
    match field.field_type {
        FieldType::Id | FieldType::Reference => "reference",
        other if other.is_text() => "string",
        other => other.name(),
    }
}

fn boolean(written: &str) -> Option<Cell> {
    match written.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(Cell::Integer(1)),
        "false" | "0" => Some(Cell::Integer(0)),
        _ => None,
    }
}

fn whole(field: &FieldDef, written: &str, wrong: impl Fn() -> Fault) -> Result<Cell, Fault> {
    let value = number::parse(written).ok_or_else(&wrong)?;
    if value.fract() != 0.0 {
        return Err(wrong());
    }
    let limit = if field.field_type == FieldType::Int { f64::from(i32::MAX) } else { 9_007_199_254_740_992.0 };
    if value.abs() > limit {
        return Err(faults::out_of_range(field, written));
    }
    Ok(Cell::Integer(value as i64))
}

fn decimal(field: &FieldDef, written: &str, wrong: impl Fn() -> Fault) -> Result<Cell, Fault> {
    let value = number::parse(written).ok_or_else(wrong)?;
    let value = if field.precision > 0 { number::round(value, field.scale) } else { value };
    let in_range = match (field.compound_field_name.is_some(), field.part_name()) {
        (true, "Latitude") => value.abs() <= 90.0,
        (true, "Longitude") => value.abs() <= 180.0,
        _ if field.precision == 0 => true,
        _ => {
            let whole_digits = field.precision.saturating_sub(field.scale).min(300);
            value.abs() < 10_f64.powi(i32::try_from(whole_digits).unwrap_or(300))
        }
    };
    if in_range { Ok(Cell::Real(value)) } else { Err(faults::out_of_range(field, written)) }
}

fn day(field: &FieldDef, written: &str, wrong: impl Fn() -> Fault) -> Result<Cell, Fault> {
    let with_clock = || parse_datetime(written).map(|t| t.to_zoned(jiff::tz::TimeZone::UTC).date());
    let date = parse_date(written).or_else(|_| with_clock()).map_err(|_| wrong())?;
    check_year(field, date, written)?;
    Ok(Cell::Text(date.to_string()))
}

fn moment(field: &FieldDef, written: &str, wrong: impl Fn() -> Fault) -> Result<Cell, Fault> {
    let midnight = || parse_date(written).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp());
    let moment = parse_datetime(written).ok().or_else(midnight).ok_or_else(wrong)?;
    check_year(field, moment.to_zoned(jiff::tz::TimeZone::UTC).date(), written)?;
    Ok(datetime_cell(moment))
}

/// Moments are stored to the second.
pub(crate) fn datetime_cell(moment: Timestamp) -> Cell {
    Cell::Integer(moment.as_second() * 1000)
}

fn milliseconds(time: Time) -> i64 {
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    seconds * 1000 + i64::from(time.millisecond())
}

/// Salesforce keeps dates from 1700 to 4000.
fn check_year(field: &FieldDef, date: Date, written: &str) -> Result<(), Fault> {
    if (1700..=4000).contains(&date.year()) { Ok(()) } else { Err(faults::date_out_of_range(field, written)) }
}

fn base64_bytes(written: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let compact: String = written.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(compact).ok()
}

fn id(field: &FieldDef, written: &str) -> Result<Cell, Fault> {
    let id = Id::parse(written).map_err(|_| faults::id_of_wrong_type(field, written))?;
    Ok(Cell::Text(id.as_str().to_owned()))
}

fn text(field: &FieldDef, written: &str) -> Result<Cell, Fault> {
    let value = match field.field_type {
        FieldType::Picklist | FieldType::ComboBox => pick(field, written)?,
        FieldType::MultiPicklist => pick_several(field, written)?,
        FieldType::Email if !is_email(written) => return Err(faults::not_an_email(field, written)),
        _ => written.to_owned(),
    };
    let length = usize::try_from(field.length).unwrap_or(usize::MAX);
    if length > 0 && value.chars().count() > length {
        return Err(faults::too_long(field, &value));
    }
    Ok(Cell::Text(value))
}

/// A value of the list is spelled as the list spells it; others are refused where the list is restricted and known.
fn pick(field: &FieldDef, written: &str) -> Result<String, Fault> {
    let values = &field.picklist_values;
    let found = values.iter().find(|v| v.value == written);
    let found = found.or_else(|| values.iter().find(|v| v.value.eq_ignore_ascii_case(written)));
    match found {
        Some(value) if value.active || !field.flags.restricted_picklist => Ok(value.value.clone()),
        None if !field.flags.restricted_picklist || values.is_empty() => Ok(written.to_owned()),
        _ => Err(faults::not_in_picklist(field, written)),
    }
}

fn pick_several(field: &FieldDef, written: &str) -> Result<String, Fault> {
    let mut chosen: Vec<String> = Vec::new();
    for one in written.split(';').map(str::trim).filter(|one| !one.is_empty()) {
        let one = pick(field, one)?;
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    Ok(chosen.join(";"))
}

/// One `@`, a name before it and a domain with a point behind it, without blanks.
fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')');
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && domain.contains('.')
        && domain.chars().all(plain)
        && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tombolo_schema::{Field, PicklistValue};

    use super::*;

    fn field(field_type: FieldType, adjust: impl FnOnce(&mut Field)) -> FieldDef {
        let mut facts = Field::new("F__c", field_type);
        adjust(&mut facts);
        FieldDef::new(facts)
    }

    fn text(text: &str) -> Input {
        Input::Text(text.to_owned())
    }

    fn number(text: &str) -> Input {
        Input::Number(text.to_owned())
    }

    #[test]
    fn values_as_they_are_kept() {
        use FieldType as T;
        let plain = |t| field(t, |_| ());
        let name = field(T::String, |f| f.length = 5);
        let price = field(T::Currency, |f| (f.precision, f.scale) = (6, 2));
        for (field, input, expect) in [
            (&name, text("  abc "), Cell::Text("abc".into())),
            (&name, text("  "), Cell::Null),
            (&name, number("12"), Cell::Text("12".into())),
            (&name, text("äöüßé"), Cell::Text("äöüßé".into())),
            (&price, number("1.005"), Cell::Real(1.01)),
            (&price, text("9999.99"), Cell::Real(9999.99)),
            (&price, number("1e2"), Cell::Real(100.0)),
            (&plain(T::Int), number("7"), Cell::Integer(7)),
            (&plain(T::Int), number("7.0"), Cell::Integer(7)),
            (&plain(T::Boolean), Input::Null, Cell::Integer(0)),
            (&plain(T::Boolean), text("TRUE"), Cell::Integer(1)),
            (&plain(T::Date), text("2026-02-28"), Cell::Text("2026-02-28".into())),
            (&plain(T::DateTime), text("1970-01-01T00:00:01.900Z"), Cell::Integer(1000)),
            (&plain(T::Time), text("00:00:01.250Z"), Cell::Integer(1250)),
            (&plain(T::Reference), text("0015500001QdQWa"), Cell::Text("0015500001QdQWaAAN".into())),
            (&plain(T::Base64), text("aGk="), Cell::Blob(b"hi".to_vec())),
            (&plain(T::Email), text("a.b+c@d-e.co"), Cell::Text("a.b+c@d-e.co".into())),
        ] {
            assert_eq!(read(field, &input).unwrap(), expect, "{input:?}");
        }
    }

    #[test]
    fn values_that_are_refused() {
        use FieldType as T;
        let plain = |t| field(t, |_| ());
        let name = field(T::String, |f| f.length = 5);
        let price = field(T::Currency, |f| (f.precision, f.scale) = (6, 2));
        for (field, input, expect) in [
            (&name, text("abcdef"), "F__c: data value too large: abcdef (max length=5)"),
            (&name, Input::List, "Cannot deserialize instance of string from START_ARRAY value ["),
            (&price, number("9999.999"), "F__c: value outside of valid range on numeric field: 9999.999"),
            (&price, text("ten"), "Cannot deserialize instance of currency from VALUE_STRING value ten"),
            (&plain(T::Double), text("NaN"), "Cannot deserialize instance of double from VALUE_STRING value NaN"),
            (&plain(T::Int), number("1.5"), "Cannot deserialize instance of int from VALUE_NUMBER_FLOAT value 1.5"),
            (&plain(T::Int), number("3000000000"), "F__c: value outside of valid range on numeric field: 3000000000"),
            (&plain(T::Boolean), text("yes"), "Cannot deserialize instance of boolean from VALUE_STRING value yes"),
            (&plain(T::Date), text("soon"), "Cannot deserialize instance of date from VALUE_STRING value soon"),
            (&plain(T::Date), number("5"), "Cannot deserialize instance of date from VALUE_NUMBER_INT value 5"),
            (&plain(T::Date), text("1500-01-01"), "F__c: invalid date: 1500-01-01"),
            (&plain(T::Reference), text("12"), "F__c: id value of incorrect type: 12"),
            (&plain(T::Email), text("Not a real email"), "F__c: invalid email address: Not a real email"),
            (&plain(T::Email), text("a@b"), "F__c: invalid email address: a@b"),
            (&plain(T::Base64), text("?"), "Cannot deserialize instance of base64 from VALUE_STRING value ?"),
        ] {
            assert_eq!(read(field, &input).unwrap_err().message, expect);
        }
    }

    #[test]
    fn picklists() {
        let value = |value: &str, active| PicklistValue {
            value: value.to_owned(),
            label: value.to_owned(),
            active,
            default_value: false,
            valid_for: None,
        };
        let mut list = field(FieldType::MultiPicklist, |f| {
            f.picklist_values = vec![value("Red", true), value("Green", true), value("Old", false)];
            f.flags.restricted_picklist = true;
        });
        assert_eq!(read(&list, &text("green; Red;Green")).unwrap(), Cell::Text("Green;Red".into()));
        for bad in ["Blue", "Red;Old"] {
            assert!(read(&list, &text(bad)).unwrap_err().message.contains("bad value for restricted picklist field"));
        }
        list.facts.flags.restricted_picklist = false;
        assert_eq!(read(&list, &text("Blue")).unwrap(), Cell::Text("Blue".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(written in ".{0,40}", kind in 0usize..8) {
            use FieldType as T;
            let kinds = [T::String, T::Int, T::Currency, T::Date, T::DateTime, T::Time, T::Email, T::Base64];
            let _ = read(&field(kinds[kind], |_| ()), &text(&written));
            let _ = read(&field(kinds[kind], |f| f.precision = 4), &number(&written));
        }
    }
}

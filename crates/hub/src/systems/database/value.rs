//! Values as the databases spell them: every column is read and written as text, by the form of its type.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use tombolo_engine::sync::Stored;

use super::{
    dialect::Dialect,
    fault::{Fault, FaultKind},
    table::Column,
};
use crate::systems::system::FieldKind;

/// How the text of a column's values reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// `true`, `t`, `1`.
    Boolean,
    /// MySQL's BIT(1).
    Bit,
    Integer,
    Decimal,
    Date,
    /// A moment, to so many digits of its second; without a zone it is UTC.
    DateTime(u8),
    /// MySQL's TIMESTAMP: seconds since 1970.
    Epoch,
    /// A time of day, to so many digits of its second.
    Time(u8),
    /// MySQL's SET: values separated by commas.
    Set,
    /// Not to be mapped.
    Opaque,
}

/// What a text says. What cannot be read in its form stays text, so that it is not taken for something else.
pub(super) fn read(form: Form, text: Option<String>) -> Stored {
    let Some(text) = text else { return Stored::Null };
    let value = match form {
        Form::Text | Form::Opaque => None,
        Form::Boolean | Form::Bit => match text.as_str() {
            "true" | "t" | "1" | "TRUE" => Some(Stored::Boolean(true)),
            "false" | "f" | "0" | "FALSE" => Some(Stored::Boolean(false)),
            other => other.parse::<i64>().ok().map(|number| Stored::Boolean(number != 0)),
        },
        Form::Integer => text.parse().ok().map(Stored::Int),
        Form::Decimal => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Stored::Double),
        Form::Date => day(&text).map(Stored::Date),
        Form::DateTime(_) => moment(&text).map(Stored::DateTime),
        Form::Epoch => epoch(&text).map(Stored::DateTime),
        Form::Time(_) => text.trim_end_matches('Z').parse().ok().map(Stored::Time),
        Form::Set => Some(Stored::Text(text.replace(',', ";"))),
    };
    value.unwrap_or(Stored::Text(text))
}

fn day(text: &str) -> Option<Date> {
    // jiff would take the day of a moment whose zone is another.
    if text.len() == 10 { text.parse().ok() } else { None }
}

/// `2026-01-31 12:00:00.5+00`, `2026-01-31T12:00:00Z`, `2026-01-31 12:00:00`, `2026-01-31`; in SQLite also seconds.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if text.len() == 10 && text.as_bytes()[4] == b'-' {
        return utc(text.parse::<Date>().ok()?.to_datetime(Time::midnight()));
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return utc(local);
    }
    epoch(text)
}

fn utc(local: DateTime) -> Option<Timestamp> {
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Seconds since 1970, with a fraction.
fn epoch(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let nanos: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Timestamp::from_second(seconds).ok()?.checked_add(nanos.nanoseconds()).ok()
}

/// How a column is given a value. An error says that it cannot hold it, which the database might not say.
pub(super) fn write(dialect: Dialect, column: &Column, value: &Stored) -> Result<Option<String>, Fault> {
    let blank = matches!(value, Stored::Text(text) if text.trim().is_empty());
    if value.is_null() || (blank && column.form != Form::Text) {
        return Ok(None);
    }
    let text = match column.form {
        Form::Text => Some(plain(value)),
        Form::Boolean | Form::Bit => truth(value).map(|yes| boolean(dialect, column.form, yes).to_owned()),
        Form::Integer => whole(value),
        Form::Decimal => number(value),
        Form::Date => date(value).map(|day| day.to_string()),
        Form::DateTime(digits) => instant(value).map(|moment| format_moment(dialect, moment, digits)),
        Form::Epoch => {
            let FieldKind::DateTime(digits) = column.field.kind else { return Ok(None) };
            instant(value).map(|moment| format_moment(dialect, moment, digits))
        }
        Form::Time(digits) => clock(value).map(|time| format_clock(time, digits)),
        Form::Set => Some(plain(value).replace(';', ",")),
        Form::Opaque => None,
    };
    let text = text.ok_or_else(|| unfit(column, value))?;
    too_long(column, &text)?;
    Ok(Some(text))
}

fn unfit(column: &Column, value: &Stored) -> Fault {
    let text = format!("column \"{}\" ({}) cannot hold {}", column.field.name, column.field.type_name, short(value));
    let mut fault = Fault::new(FaultKind::Data, "UNFIT_VALUE", text);
    fault.columns = vec![column.field.name.clone()];
    fault
}

fn short(value: &Stored) -> String {
    let text: String = plain(value).chars().take(40).collect();
    format!("`{text}`")
}

/// The databases refuse it, too, but not all of them name the column.
fn too_long(column: &Column, text: &str) -> Result<(), Fault> {
    let FieldKind::Text(Some(most)) = column.field.kind else { return Ok(()) };
    let length = text.chars().count();
    // Blanks beyond the end are cut by the databases themselves.
    if text.trim_end_matches(' ').chars().count() <= most as usize {
        return Ok(());
    }
    let words = format!("column \"{}\" holds {most} characters, not {length}", column.field.name);
    let mut fault = Fault::new(FaultKind::Data, "STRING_TOO_LONG", words);
    fault.columns = vec![column.field.name.clone()];
    Err(fault)
}

fn plain(value: &Stored) -> String {
    match value {
        Stored::Null => String::new(),
        Stored::Boolean(yes) => yes.to_string(),
        Stored::Int(number) => number.to_string(),
        Stored::Double(number) => number.to_string(),
        Stored::Text(text) => text.clone(),
        Stored::Date(day) => day.to_string(),
        Stored::DateTime(moment) => moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Stored::Time(time) => time.strftime("%H:%M:%S%.3fZ").to_string(),
    }
}

fn truth(value: &Stored) -> Option<bool> {
    match value {
        Stored::Boolean(yes) => Some(*yes),
        Stored::Int(number) => Some(*number != 0),
        Stored::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" => Some(true),
            "false" | "f" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

const fn boolean(dialect: Dialect, form: Form, yes: bool) -> &'static str {
    match (dialect, form, yes) {
        (Dialect::Postgres, Form::Boolean, true) => "true",
        (Dialect::Postgres, Form::Boolean, false) => "false",
        (_, _, true) => "1",
        (_, _, false) => "0",
    }
}

fn whole(value: &Stored) -> Option<String> {
    match value {
        Stored::Int(number) => Some(number.to_string()),
        Stored::Double(number) if number.is_finite() && number.fract() == 0.0 => Some(format!("{number:.0}")),
        Stored::Boolean(yes) => Some(u8::from(*yes).to_string()),
        Stored::Text(text) => text.trim().parse::<i128>().ok().map(|number| number.to_string()),
        _ => None,
    }
}

fn number(value: &Stored) -> Option<String> {
    match value {
        Stored::Int(number) => Some(number.to_string()),
        Stored::Double(number) if number.is_finite() => Some(number.to_string()),
        Stored::Text(text) => {
            let text = text.trim();
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| text.to_owned())
        }
        _ => None,
    }
}

fn date(value: &Stored) -> Option<Date> {
    match value {
        Stored::Date(day) => Some(*day),
        Stored::DateTime(moment) => Some(moment.to_zoned(TimeZone::UTC).date()),
        Stored::Text(text) => day(text.trim()),
        _ => None,
    }
}

fn instant(value: &Stored) -> Option<Timestamp> {
    match value {
        Stored::DateTime(moment) => Some(*moment),
        Stored::Date(day) => utc(day.to_datetime(Time::midnight())),
        Stored::Text(text) => moment(text.trim()),
        _ => None,
    }
}

fn clock(value: &Stored) -> Option<Time> {
    match value {
        Stored::Time(time) => Some(*time),
        Stored::Text(text) => text.trim().trim_end_matches('Z').parse().ok(),
        _ => None,
    }
}

/// Cut to the column's digits: the databases would round, and 23:59:59.9 would be another day.
fn format_moment(dialect: Dialect, moment: Timestamp, digits: u8) -> String {
    let zoned = moment.to_zoned(TimeZone::UTC);
    let fraction = fraction(zoned.subsec_nanosecond(), digits);
    match dialect {
        Dialect::Postgres => format!("{}{fraction}+00", zoned.strftime("%Y-%m-%d %H:%M:%S")),
        Dialect::MySql => format!("{}{fraction}", zoned.strftime("%Y-%m-%d %H:%M:%S")),
        Dialect::Sqlite => format!("{}{fraction}Z", zoned.strftime("%Y-%m-%dT%H:%M:%S")),
    }
}

fn format_clock(time: Time, digits: u8) -> String {
    format!("{}{}", time.strftime("%H:%M:%S"), fraction(time.subsec_nanosecond(), digits))
}

fn fraction(nanos: i32, digits: u8) -> String {
    let text = format!("{nanos:09}");
    let kept = text.get(..usize::from(digits.min(9))).unwrap_or_default();
    if kept.is_empty() { String::new() } else { format!(".{kept}") }
}

/// The form that compares values of a column that no line maps.
pub(super) const fn natural(kind: FieldKind) -> tombolo_engine::sync::Canon {
    use tombolo_engine::sync::{Canon, Precision};
    match kind {
        FieldKind::Text(length) => Canon::Text(length),
        FieldKind::Boolean => Canon::Boolean,
        FieldKind::Integer => Canon::Integer,
        FieldKind::Decimal(Some(scale)) => Canon::Decimal(scale),
        FieldKind::Decimal(None) => Canon::Decimal(12),
        FieldKind::Date => Canon::Date,
        FieldKind::DateTime(0) => Canon::DateTime(Precision::Second),
        FieldKind::DateTime(1..=3) => Canon::DateTime(Precision::Millisecond),
        FieldKind::DateTime(_) => Canon::DateTime(Precision::Microsecond),
        FieldKind::Time => Canon::Time,
        FieldKind::MultiPicklist => Canon::MultiPicklist,
        FieldKind::Id => Canon::Id,
        FieldKind::Uuid | FieldKind::Other => Canon::Key,
    }
}

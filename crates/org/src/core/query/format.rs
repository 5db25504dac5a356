//! `FORMAT(…)`: values as the user would read them: in the forms of en_US, in the user's time zone, in the org's one
//! currency, USD.

use jiff::{Timestamp, civil, fmt::strtime, tz::TimeZone};
use tombolo_schema::FieldType;

use super::{refusal::Asked, sql::Env};
use crate::{
    core::{
        record::Output,
        schema::{FieldDef, storage::output},
    },
    store::Cell,
};

/// How values of a field are written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    field_type: FieldType,
    /// Digits behind the point.
    scale: usize,
    /// Where the reader's clock is.
    zone: TimeZone,
}

impl Written {
    /// For a value of this type that comes from this field.
    pub(super) fn of(env: &Env<'_>, field_type: FieldType, field: &FieldDef) -> Asked<Self> {
        let scale = if field_type.is_integer() { 0 } else { usize::try_from(field.scale).unwrap_or_default() };
        let zone = match field_type {
            FieldType::DateTime => env.time()?.time_zone().clone(),
            _ => TimeZone::UTC,
        };
        Ok(Self { field_type, scale, zone })
    }

    pub(super) fn output(&self, cell: &Cell) -> Output {
        let text = match output(self.field_type, cell) {
            Output::Int(number) => grouped(&number.to_string()),
            Output::Double(number) => self.number(number),
            Output::Date(date) => day(date),
            Output::DateTime(at) => moment(at, &self.zone),
            Output::Time(time) => written("%-I:%M %p", time.on(1970, 1, 1)),
            other => return other,
        };
        Output::Text(text)
    }

    fn number(&self, number: f64) -> String {
        let digits = grouped(&format!("{:.*}", self.scale, number.abs()));
        // What is rounded to nothing has no sign.
        let sign = if number < 0.0 && digits.bytes().any(|byte| matches!(byte, b'1'..=b'9')) { "-" } else { "" };
        match self.field_type {
            FieldType::Currency => format!("{sign}${digits}"),
            FieldType::Percent => format!("{sign}{digits}%"),
            _ => format!("{sign}{digits}"),
        }
    }
}

/// With a comma before each three digits.
fn grouped(number: &str) -> String {
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, rest) = number.find('.').map_or((number, ""), |point| number.split_at(point));
    let mut text = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

fn day(date: civil::Date) -> String {
    format!("{}/{}/{}", date.month(), date.day(), date.year())
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone()).datetime();
    format!("{}, {}", day(at.date()), written("%-I:%M %p", at))
}

fn written(form: &str, at: civil::DateTime) -> String {
    strtime::format(form, at).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_they_are_read() {
        for (field_type, scale, cell, expect) in [
            (FieldType::Currency, 2, Cell::Real(44_000.0), "$44,000.00"),
            (FieldType::Currency, 0, Cell::Real(-1_234_567.5), "-$1,234,568"),
            (FieldType::Currency, 2, Cell::Real(-0.001), "$0.00"),
            (FieldType::Double, 1, Cell::Real(999.95), "1,000.0"),
            (FieldType::Percent, 0, Cell::Real(12.0), "12%"),
            (FieldType::Int, 0, Cell::Integer(-123_456), "-123,456"),
            (FieldType::Int, 0, Cell::Integer(100), "100"),
            (FieldType::Date, 0, Cell::Text("2025-04-10".to_owned()), "4/10/2025"),
            (FieldType::DateTime, 0, Cell::Integer(1_744_299_091_000), "4/10/2025, 3:31 PM"),
            (FieldType::Time, 0, Cell::Integer(300_000), "12:05 AM"),
            (FieldType::String, 0, Cell::Text("1000".to_owned()), "1000"),
        ] {
            let found = Written { field_type, scale, zone: TimeZone::UTC }.output(&cell);
            assert_eq!(found, Output::Text(expect.to_owned()), "{field_type:?}");
        }
        let written = Written { field_type: FieldType::DateTime, scale: 0, zone: jiff::tz::offset(-7).to_time_zone() };
        assert_eq!(written.output(&Cell::Null), Output::Null);
        let at = Cell::Integer(1_744_327_891_000);
        assert_eq!(written.output(&at), Output::Text("4/10/2025, 4:31 PM".to_owned()));
    }
}

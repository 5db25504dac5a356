//! Literals as the values of a field: each type takes its own, and nothing is converted silently (soql.md 3, 4).

use jiff::civil::{Date, Time};
use tombolo_schema::{ErrorCode, FieldType, Id, parse_date, parse_datetime, parse_time};
use tombolo_soql::{
    DateLiteralKind, DayRange,
    ast::{Count, DateLiteral, Literal, Value},
};

use super::{
    operand::Operand,
    refusal::{Asked, Refusal},
    sql::Env,
};
use crate::store::Cell;

/// What a literal is for the field it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Null,
    One(Cell),
    /// From the first up to but without the second.
    Range(Cell, Cell),
}

/// Reads a literal as a value of the operand's type.
pub(super) fn meaning(env: &Env<'_>, operand: &Operand, value: &Value) -> Asked<Meaning> {
    let literal = &value.literal;
    match literal {
        Literal::Null => return Ok(Meaning::Null),
        Literal::Relative(relative) => return range(env, operand, relative, value),
        Literal::Bind(_) => return Err(Refusal::malformed(value.span, "Bind variables only allowed in Apex code")),
        Literal::Currency { .. } => {
            // Only orgs with several currencies take them (soql.md 4).
            let text = "Currency literals are only allowed in organizations with multiple currencies";
            return Err(Refusal::malformed(value.span, text));
        }
        _ => {}
    }
    let cell = match (operand.field_type, literal) {
        (FieldType::Id | FieldType::Reference, Literal::String(text)) => return id(operand, text),
        (FieldType::Boolean, Literal::Boolean(on)) => Cell::Integer((*on).into()),
        (kind, Literal::Number(text)) if kind.is_integer() || kind.is_decimal() => number(kind, text, value)?,
        (FieldType::Date, Literal::Date(text)) => Cell::Text(day(text, value)?.to_string()),
        (FieldType::DateTime, Literal::DateTime(text)) => {
            Cell::Integer(parse_datetime(text).map_err(|_| invalid(value, "dateTime", text))?.as_millisecond())
        }
        (FieldType::Time, Literal::Time(text)) => Cell::Integer(time(text, value)?),
        (kind, Literal::String(text)) if kind.is_text() => match text.as_str() {
            "" => return Ok(Meaning::Null),
            text => Cell::Text(text.to_owned()),
        },
        _ => return Err(mistyped(operand)),
    };
    Ok(Meaning::One(cell))
}

fn id(operand: &Operand, text: &str) -> Asked<Meaning> {
    if text.is_empty() {
        return Ok(Meaning::Null);
    }
    match Id::parse(text) {
        Ok(id) => Ok(Meaning::One(Cell::Text(id.as_str().to_owned()))),
        Err(_) => {
            Err(Refusal::at(operand.span, ErrorCode::InvalidQueryFilterOperator, format!("invalid ID field: {text}")))
        }
    }
}

fn number(kind: FieldType, text: &str, value: &Value) -> Asked<Cell> {
    if kind.is_integer()
        && let Ok(whole) = text.parse()
    {
        return Ok(Cell::Integer(whole));
    }
    text.parse().map(Cell::Real).map_err(|_| invalid(value, "double", text))
}

fn day(text: &str, value: &Value) -> Asked<Date> {
    parse_date(text).map_err(|_| invalid(value, "date", text))
}

fn time(text: &str, value: &Value) -> Asked<i64> {
    let time = parse_time(text).map_err(|_| invalid(value, "time", text))?;
    Ok(time.duration_since(Time::midnight()).as_millis() as i64)
}

fn range(env: &Env<'_>, operand: &Operand, relative: &DateLiteral, value: &Value) -> Asked<Meaning> {
    if !matches!(operand.field_type, FieldType::Date | FieldType::DateTime) {
        return Err(mistyped(operand));
    }
    let count = count(relative, value)?;
    let time = env.time()?;
    let invalid = || Refusal::malformed(value.span, format!("invalid date: {relative}"));
    let DayRange { start, end } = relative.kind.days(count, &time.calendar).ok_or_else(invalid)?;
    if operand.field_type == FieldType::Date {
        return Ok(Meaning::Range(Cell::Text(start.to_string()), Cell::Text(end.to_string())));
    }
    let midnight = |day: Date| time.midnight(day).map(Cell::Integer).ok_or_else(invalid);
    Ok(Meaning::Range(midnight(start)?, midnight(end)?))
}

fn count(relative: &DateLiteral, value: &Value) -> Asked<u32> {
    let kind: DateLiteralKind = relative.kind;
    match &relative.count {
        None if kind.takes_count() => {
            Err(Refusal::malformed(value.span, format!("{} has to be followed by a number", kind.as_str())))
        }
        None => Ok(0),
        Some(Count::Number(number)) => {
            u32::try_from(*number).map_err(|_| Refusal::malformed(value.span, format!("invalid date: {relative}")))
        }
        Some(Count::Bind(_)) => Err(Refusal::malformed(value.span, "Bind variables only allowed in Apex code")),
    }
}

fn invalid(value: &Value, kind: &str, text: &str) -> Refusal {
    Refusal::malformed(value.span, format!("invalid {kind}: {text}"))
}

/// A literal of another type than the field's.
pub(super) fn mistyped(operand: &Operand) -> Refusal {
    let kind = operand.field_type;
    let name = match kind {
        FieldType::Id | FieldType::Reference => "ID",
        _ => kind.soap_type().rsplit(':').next().unwrap_or_default(),
    };
    let quotes = if kind.is_text() || kind.is_id() { "" } else { "not " };
    let text = format!(
        "value of filter criterion for field '{}' must be of type {name} and should {quotes}be enclosed in quotes",
        operand.name
    );
    Refusal::invalid_field(operand.span, text)
}

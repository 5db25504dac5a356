//! `FORMULA('a - b')`: the sum or the difference of two fields, to be compared in WHERE (soql.md 3).

use tombolo_schema::FieldType;
use tombolo_soql::ast::{FieldPath, Name, Span};

use super::{
    operand::{Form, Operand},
    refusal::{Asked, Refusal},
    source::Sources,
    sql::Sql,
};

const DAY_MS: &str = "86400000";

impl Sources<'_> {
    pub(super) fn formula_operand(&mut self, sql: &mut Sql, text: &str, span: Span) -> Asked<Operand> {
        let sides = text.find(['+', '-']).map(|at| (text[..at].trim(), &text[at..=at], text[at + 1..].trim()));
        let Some((left, operator, right)) = sides.filter(|(left, _, right)| is_name(left) && is_name(right)) else {
            return Err(Refusal::malformed(span, "FORMULA takes two fields with + or - between them"));
        };
        let (left, right) = (self.side(sql, left, span)?, self.side(sql, right, span)?);
        let Some((value, field_type)) = value(&left, operator, &right) else {
            let text = format!("FORMULA does not go with the types of these fields: {text}");
            return Err(Refusal::malformed(span, text));
        };
        Ok(Operand { sql: value, field_type, name: text.to_owned(), span, resolved: None, form: Form::Computed })
    }

    fn side(&mut self, sql: &mut Sql, name: &str, span: Span) -> Asked<Operand> {
        let path = FieldPath { parents: Vec::new(), name: Name { text: name.to_owned(), span } };
        let operand = self.field_operand(sql, &path)?;
        match operand.field().filter(|field| !field.flags.filterable) {
            Some(field) => {
                let text = format!("field '{}' can not be filtered in a query call", field.name);
                Err(Refusal::invalid_field(span, text))
            }
            None => Ok(operand),
        }
    }
}

/// Numbers with numbers, days from each other, and days forth and back from a day.
fn value(left: &Operand, operator: &str, right: &Operand) -> Option<(String, FieldType)> {
    let is_number = |kind: FieldType| kind.is_decimal() || kind.is_integer();
    let (a, b) = (&left.sql, &right.sql);
    Some(match (left.field_type, right.field_type) {
        (l, r) if is_number(l) && is_number(r) => (format!("({a} {operator} {b})"), FieldType::Double),
        (FieldType::Date, FieldType::Date) if operator == "-" => {
            (format!("(julianday({a}) - julianday({b}))"), FieldType::Double)
        }
        (FieldType::DateTime, FieldType::DateTime) if operator == "-" => {
            (format!("(({a} - {b}) / {DAY_MS}.0)"), FieldType::Double)
        }
        (FieldType::Date, r) if is_number(r) => {
            (format!("date({a}, CAST(0 {operator} {b} AS INTEGER) || ' days')"), FieldType::Date)
        }
        (FieldType::DateTime, r) if is_number(r) => {
            (format!("({a} {operator} CAST({b} * {DAY_MS} AS INTEGER))"), FieldType::DateTime)
        }
        _ => return None,
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

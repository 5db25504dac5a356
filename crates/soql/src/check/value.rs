//! Literals: each type of field takes its own, and nothing is converted silently (soql.md 3, 4).

use jiff::civil::{Date, Time};

use super::{Checker, Code, FieldKind, expr::Operand};
use crate::ast::{Count, DateLiteral, Literal, Value};

/// How many characters a string in a condition may have (soql.md 1).
const MAX_STRING: usize = 4_000;

impl Checker<'_> {
    pub(super) fn value(&mut self, operand: &Operand<'_>, value: &Value) {
        if !self.is_sound(value) {
            return;
        }
        let Some(kind) = operand.kind.filter(|kind| *kind != FieldKind::Other) else { return };
        let fits = match &value.literal {
            Literal::Null | Literal::Bind(_) => true,
            Literal::Boolean(_) => kind == FieldKind::Boolean,
            Literal::Number(_) => kind.is_number(),
            Literal::String(text) if kind.is_id() => return self.id(operand, text),
            Literal::String(_) | Literal::Pattern(_) => kind.is_text(),
            Literal::Date(_) => kind == FieldKind::Date,
            Literal::DateTime(_) | Literal::LastHours(_) => kind == FieldKind::DateTime,
            Literal::Time(_) => kind == FieldKind::Time,
            Literal::Relative(_) => kind.is_day(),
            Literal::Currency { .. } => kind == FieldKind::Currency,
        };
        if !fits {
            let quotes = if kind.is_text() || kind.is_id() { "" } else { "not " };
            let text = format!(
                "value of filter criterion for field '{}' must be of type {} and should {quotes}be enclosed in quotes",
                operand.name,
                kind.described()
            );
            self.refuse(Code::InvalidField, operand.span, text);
        }
    }

    /// Whether a literal may stand anywhere.
    fn is_sound(&mut self, value: &Value) -> bool {
        let wrong = match &value.literal {
            Literal::Bind(_) => {
                self.bind(value.span);
                return self.rules.apex;
            }
            Literal::String(text) if text.chars().count() > MAX_STRING => {
                Some(format!("A string in a condition may be at most {MAX_STRING} characters long"))
            }
            Literal::Date(text) if !is_date(text) => Some(format!("invalid date: {text}")),
            Literal::DateTime(text) if !is_moment(text) => Some(format!("invalid dateTime: {text}")),
            Literal::Time(text) if !is_time(text) => Some(format!("invalid time: {text}")),
            Literal::Currency { .. } if !self.rules.multi_currency => {
                Some("Currency literals are only allowed in organizations with multiple currencies".to_owned())
            }
            Literal::Relative(literal) => {
                if let Some(Count::Bind(_)) = literal.count {
                    self.bind(value.span);
                }
                relative(literal)
            }
            _ => None,
        };
        let sound = wrong.is_none();
        if let Some(text) = wrong {
            self.malformed(value.span, text);
        }
        sound
    }

    fn id(&mut self, operand: &Operand<'_>, text: &str) {
        let is_id = matches!(text.len(), 0 | 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_id {
            self.refuse(Code::InvalidQueryFilterOperator, operand.span, format!("invalid ID field: {text}"));
        }
    }
}

fn relative(literal: &DateLiteral) -> Option<String> {
    match &literal.count {
        None if literal.kind.takes_count() => Some(format!("{} has to be followed by a number", literal.kind.as_str())),
        Some(Count::Number(number)) if u32::try_from(*number).is_err() => Some(format!("invalid date: {literal}")),
        _ => None,
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok()
}

/// `hh:mm:ss[.fff]` and whatever follows: the lexer has seen to the shape.
fn is_time(text: &str) -> bool {
    text.get(..8).is_some_and(|text| text.parse::<Time>().is_ok())
}

fn is_moment(text: &str) -> bool {
    text.get(..10).is_some_and(is_date) && text.get(11..).is_some_and(is_time)
}

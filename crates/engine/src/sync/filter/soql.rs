//! From SOQL's tree to a condition.

use tombolo_schema::{parse_date, parse_datetime, parse_time};
use tombolo_soql::{
    Options, ParseError,
    ast::{self, Expr, LikePart, Literal, Select, Set},
    parse as parse_query,
};

use super::{
    Fields, FilterError,
    condition::{Condition, Operator, Pattern, Piece},
};
use crate::sync::{Stored, canon::parse_number};

const BEFORE: &str = "SELECT Id FROM Record WHERE ";

pub(super) fn parse(text: &str, fields: &mut Fields) -> Result<Condition, FilterError> {
    let reader = Reader { length: text.len() };
    let select = parse_query(&format!("{BEFORE}{text}"), Options::default()).map_err(|error| reader.wrong(&error))?;
    // In parentheses nothing can follow the condition.
    if let Err(error) = parse_query(&format!("{BEFORE}({text})"), Options::default()) {
        let offset = error.offset.saturating_sub(BEFORE.len() + 1).min(text.len());
        return Err(FilterError::new(offset, "a filter is a condition, and nothing may follow it"));
    }
    let Select { condition: Some(condition), .. } = select else {
        return Err(FilterError::new(0, "a filter is a condition"));
    };
    reader.condition(&condition, fields)
}

struct Reader {
    length: usize,
}

impl Reader {
    fn wrong(&self, error: &ParseError) -> FilterError {
        FilterError::new(self.place(error.offset), error.kind.to_string())
    }

    fn place(&self, offset: usize) -> usize {
        offset.saturating_sub(BEFORE.len()).min(self.length)
    }

    fn refuse<T>(&self, span: ast::Span, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::new(self.place(span.start), message))
    }

    fn condition(&self, condition: &ast::Condition, fields: &mut Fields) -> Result<Condition, FilterError> {
        Ok(match condition {
            ast::Condition::And(all) => Condition::All(self.each(all, fields)?),
            ast::Condition::Or(any) => Condition::Any(self.each(any, fields)?),
            ast::Condition::Not(inner) => Condition::Not(Box::new(self.condition(inner, fields)?)),
            ast::Condition::Compare(it) => {
                Condition::Compare(self.field(&it.left, fields)?, operator(it.operator), self.literal(&it.value)?)
            }
            ast::Condition::Like(it) => Condition::Like(self.field(&it.left, fields)?, self.pattern(&it.pattern)?),
            ast::Condition::In(it) => {
                let Set::List(values) = &it.set else {
                    return self.refuse(span(&it.left), "a filter cannot look at other records");
                };
                let field = self.field(&it.left, fields)?;
                let values = values.iter().map(|value| self.literal(value)).collect::<Result<_, _>>()?;
                negated(it.negated, Condition::In(field, values))
            }
            ast::Condition::Includes(it) => {
                let field = self.field(&it.left, fields)?;
                let sets = it.values.iter().map(|value| self.set(value)).collect::<Result<_, _>>()?;
                negated(it.negated, Condition::Includes(field, sets))
            }
        })
    }

    fn each(&self, conditions: &[ast::Condition], fields: &mut Fields) -> Result<Vec<Condition>, FilterError> {
        conditions.iter().map(|condition| self.condition(condition, fields)).collect()
    }

    fn field(&self, left: &Expr, fields: &mut Fields) -> Result<usize, FilterError> {
        let Expr::Field(path) = left else {
            return self.refuse(span(left), "a filter compares fields; it cannot compute");
        };
        let names: Vec<&str> = path.names().map(|name| name.text.as_str()).collect();
        Ok(fields.place(&names.join(".")))
    }

    fn literal(&self, value: &ast::Value) -> Result<Stored, FilterError> {
        let invalid = |what: &str| FilterError::new(self.place(value.span.start), format!("this is no {what}"));
        Ok(match &value.literal {
            Literal::Null => Stored::Null,
            Literal::Boolean(yes) => Stored::Boolean(*yes),
            Literal::Number(number) => parse_number(number).ok_or_else(|| invalid("number"))?,
            Literal::String(text) => Stored::Text(text.clone()),
            Literal::Date(text) => Stored::Date(parse_date(text).map_err(|_| invalid("date"))?),
            Literal::DateTime(text) => Stored::DateTime(parse_datetime(text).map_err(|_| invalid("date and time"))?),
            Literal::Time(text) => Stored::Time(parse_time(text).map_err(|_| invalid("time"))?),
            Literal::Relative(_) | Literal::LastHours(_) => {
                return self.refuse(
                    value.span,
                    "a filter cannot hang on what day it is: a record would leave it without a change. Name a day",
                );
            }
            Literal::Currency { .. } => {
                return self.refuse(value.span, "a filter cannot convert currencies: leave the code out");
            }
            _ => return self.refuse(value.span, "a filter compares with values"),
        })
    }

    fn pattern(&self, value: &ast::Value) -> Result<Pattern, FilterError> {
        let Literal::Pattern(parts) = &value.literal else {
            return self.refuse(value.span, "LIKE compares with text");
        };
        let pieces = parts.iter().flat_map(|part| match part {
            LikePart::Text(text) => text.chars().map(Piece::Letter).collect(),
            LikePart::Any => vec![Piece::Any],
            LikePart::One => vec![Piece::One],
        });
        Ok(Pattern::new(pieces, true))
    }

    fn set(&self, value: &ast::Value) -> Result<Vec<String>, FilterError> {
        let Literal::String(text) = &value.literal else {
            return self.refuse(value.span, "INCLUDES and EXCLUDES compare with text");
        };
        Ok(text.split(';').map(|entry| entry.trim().to_owned()).collect())
    }
}

fn negated(negated: bool, condition: Condition) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn operator(operator: ast::Operator) -> Operator {
    match operator {
        ast::Operator::Equal => Operator::Equal,
        ast::Operator::NotEqual => Operator::NotEqual,
        ast::Operator::Less => Operator::Less,
        ast::Operator::LessOrEqual => Operator::LessOrEqual,
        ast::Operator::Greater => Operator::Greater,
        ast::Operator::GreaterOrEqual => Operator::GreaterOrEqual,
    }
}

fn span(expr: &Expr) -> ast::Span {
    match expr {
        Expr::Field(path) => path.span(),
        Expr::Call(call) => call.span,
        Expr::Distance(distance) => distance.span,
        Expr::Formula { span, .. } => *span,
    }
}

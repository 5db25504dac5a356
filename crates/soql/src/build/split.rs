//! Long `IN` lists: several statements that ask for the same rows as one that would be too long.

use std::collections::HashMap;

use super::SplitError;
use crate::ast::{Condition, Literal, Membership, Select, SelectExpr, Selection, Set, Value};

/// How the length of a statement is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Characters: what the limit of 100,000 counts.
    Characters,
    /// Bytes of a query parameter in a URL, where most signs take three: what the limits of HTTP count.
    UrlBytes,
}

impl Measure {
    /// The length of a text.
    pub fn of(self, text: &str) -> usize {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match self {
            Self::Characters => text.chars().count(),
            Self::UrlBytes => text.bytes().map(|byte| if plain(byte) { 1 } else { 3 }).sum(),
        }
    }
}

/// Splits a statement that is too long by its longest `IN` list that every row has to be in. What the statements
/// find is together what the one would have found, each row once; only the order is another.
///
/// ```
/// use tombolo_soql::build::{Measure, field, select, split_in_list};
///
/// let ids = (0..10).map(|n| format!("00100000000000{n}"));
/// let query = select(["Id"]).from("Account").filter(field("Id").is_in(ids)).build()?;
/// let parts = split_in_list(&query, 100, Measure::Characters).expect("it has a list");
/// assert_eq!(parts.len(), 4);
/// assert!(parts.iter().all(|part| part.to_string().len() <= 100));
/// # Ok::<(), tombolo_soql::build::BuildError>(())
/// ```
pub fn split_in_list(select: &Select, limit: usize, measure: Measure) -> Result<Vec<Select>, SplitError> {
    if measure.of(&select.to_string()) <= limit {
        return Ok(vec![select.clone()]);
    }
    let mut frame = select.clone();
    let values = std::mem::take(longest_list(&mut frame).ok_or(SplitError::NoList)?);
    if !adds_up(select) {
        return Err(SplitError::Whole);
    }
    let room = limit.checked_sub(measure.of(&frame.to_string())).ok_or(SplitError::TooLong)?;
    let separator = measure.of(", ");
    let mut parts: Vec<Vec<Value>> = Vec::new();
    let mut used = 0;
    for values in together(values) {
        let length: usize = values.iter().map(|value| measure.of(&value.to_string()) + separator).sum();
        if length > room + separator {
            return Err(SplitError::TooLong);
        }
        match parts.last_mut() {
            Some(part) if used + length <= room + separator => {
                part.extend(values);
                used += length;
            }
            _ => {
                parts.push(values);
                used = length;
            }
        }
    }
    let mut statements = Vec::with_capacity(parts.len());
    for values in parts {
        let mut statement = frame.clone();
        // The list that was longest is the empty one now.
        *emptied_list(&mut statement).ok_or(SplitError::NoList)? = values;
        statements.push(statement);
    }
    Ok(statements)
}

/// Whether the answers of several statements make up the answer of one.
fn adds_up(select: &Select) -> bool {
    let calls = match &select.selection {
        Selection::Count(_) => true,
        Selection::Items(items) => items.iter().any(|item| match &item.expr {
            SelectExpr::Expr(expr) => crate::check::is_aggregate(expr),
            _ => false,
        }),
    };
    let whole = calls || select.group_by.is_some() || !select.order_by.is_empty();
    !whole && select.limit.is_none() && select.offset.is_none()
}

/// The `IN` lists that every row has to be in.
fn lists(select: &mut Select) -> impl Iterator<Item = &mut Vec<Value>> {
    let operands = match &mut select.condition {
        Some(Condition::And(operands)) => operands.as_mut_slice(),
        Some(single) => std::slice::from_mut(single),
        None => &mut [],
    };
    operands.iter_mut().filter_map(|operand| match operand {
        Condition::In(Membership { negated: false, set: Set::List(values), .. }) => Some(values),
        _ => None,
    })
}

fn longest_list(select: &mut Select) -> Option<&mut Vec<Value>> {
    lists(select).max_by_key(|values| values.iter().map(|value| value.to_string().len()).sum::<usize>())
}

fn emptied_list(select: &mut Select) -> Option<&mut Vec<Value>> {
    lists(select).find(|values| values.is_empty())
}

/// Values that may find the same row, side by side: in two statements they would find it twice.
fn together(values: Vec<Value>) -> Vec<Vec<Value>> {
    let mut groups: Vec<Vec<Value>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for value in values {
        let at = *known.entry(key(&value.literal)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) if group.iter().any(|other| other.literal == value.literal) => {}
            Some(group) => group.push(value),
            None => groups.push(vec![value]),
        }
    }
    groups
}

/// The same for values that may be equal to the server: text without regard to case, an Id with and without the three
/// letters at its end, numbers however they are written, any dates, and whatever finds nulls.
fn key(literal: &Literal) -> String {
    match literal {
        Literal::Null | Literal::Boolean(false) => "null".to_owned(),
        Literal::String(text) if text.trim().is_empty() => "null".to_owned(),
        Literal::String(text) => {
            let is_id = text.len() == 18 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let text = if is_id { &text[..15] } else { text };
            format!("text {}", text.trim().to_lowercase())
        }
        Literal::Number(text) => text.parse::<f64>().map_or_else(|_| text.clone(), |number| format!("number {number}")),
        // Days and moments and ranges overlap in ways of their own; they are few.
        Literal::Date(_) | Literal::DateTime(_) | Literal::Time(_) | Literal::Relative(_) => "date".to_owned(),
        other => other.to_string(),
    }
}

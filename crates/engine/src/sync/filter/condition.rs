//! A condition as it is judged.

use std::cmp::Ordering;

use tombolo_schema::Id;

use super::Dialect;
use crate::sync::{
    Canon, Stored,
    canon::{parse_number, read_date, read_moment, read_time},
};

/// A condition. Fields are named by their place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(usize, Operator, Stored),
    IsNull(usize),
    In(usize, Vec<Stored>),
    Like(usize, Pattern),
    /// One of these sets is wholly in the field's.
    Includes(usize, Vec<Vec<String>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The pattern of a `LIKE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) pieces: Vec<Piece>,
    pub(super) any_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Letter(char),
    Any,
    One,
}

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    False,
    /// SQL's unknown: something was compared with null.
    Null,
    /// It hangs on a field whose value is not known.
    Unseen,
    True,
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Self::True } else { Self::False }
    }
}

impl Truth {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Unseen, _) | (_, Self::Unseen) => Self::Unseen,
            (Self::Null, _) | (_, Self::Null) => Self::Null,
            (Self::True, Self::True) => Self::True,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            same => same,
        }
    }
}

/// What a condition is judged by.
pub(super) struct Judge<'a> {
    pub(super) dialect: Dialect,
    pub(super) fields: &'a [String],
    pub(super) value: &'a dyn Fn(&str) -> Option<Stored>,
}

impl Judge<'_> {
    pub(super) fn truth(&self, condition: &Condition) -> Truth {
        match condition {
            Condition::All(all) => all.iter().fold(Truth::True, |truth, one| truth.and(self.truth(one))),
            Condition::Any(any) => any.iter().fold(Truth::False, |truth, one| truth.or(self.truth(one))),
            Condition::Not(inner) => self.truth(inner).not(),
            Condition::Compare(field, operator, literal) => {
                self.seen(*field, |value| self.compare(value, *operator, literal))
            }
            Condition::IsNull(field) => self.seen(*field, |value| self.is_null(value).into()),
            Condition::In(field, literals) => self.seen(*field, |value| {
                let equal = |literal| self.compare(value, Operator::Equal, literal);
                literals.iter().map(equal).fold(Truth::False, Truth::or)
            }),
            Condition::Like(field, pattern) => self.seen(*field, |value| self.like(value, pattern)),
            Condition::Includes(field, sets) => self.seen(*field, |value| includes(value, sets).into()),
        }
    }

    fn seen(&self, field: usize, judge: impl Fn(&Stored) -> Truth) -> Truth {
        let value = self.fields.get(field).and_then(|name| (self.value)(name));
        value.map_or(Truth::Unseen, |value| judge(&value))
    }

    /// In SOQL an empty text is null, and so is a checkbox that is not checked.
    fn is_null(&self, value: &Stored) -> bool {
        match value {
            Stored::Null => true,
            Stored::Text(text) => self.dialect == Dialect::Soql && text.is_empty(),
            Stored::Boolean(yes) => self.dialect == Dialect::Soql && !yes,
            _ => false,
        }
    }

    fn compare(&self, value: &Stored, operator: Operator, literal: &Stored) -> Truth {
        match self.dialect {
            Dialect::Sql if value.is_null() || literal.is_null() => Truth::Null,
            Dialect::Sql => order(value, literal, false).map_or(Truth::Null, |order| operator.holds(order).into()),
            Dialect::Soql => {
                let order = if self.is_null(literal) {
                    self.is_null(value).then_some(Ordering::Equal)
                } else {
                    order(&checkbox(value, literal), literal, true)
                };
                order.map_or(operator == Operator::NotEqual, |order| operator.holds(order)).into()
            }
        }
    }

    fn like(&self, value: &Stored, pattern: &Pattern) -> Truth {
        match (value, self.dialect) {
            (Stored::Text(text), _) => pattern.matches(text).into(),
            (_, Dialect::Soql) => Truth::False,
            (_, Dialect::Sql) => Truth::Null,
        }
    }
}

/// A checkbox is never null (soql.md 3).
fn checkbox(value: &Stored, literal: &Stored) -> Stored {
    let unset = value.is_null() && matches!(literal, Stored::Boolean(_));
    if unset { Stored::Boolean(false) } else { value.clone() }
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The operator with its sides exchanged.
    pub(super) const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// How a value stands to a literal that is read as what the value is; none where they cannot be compared.
fn order(value: &Stored, literal: &Stored, any_case: bool) -> Option<Ordering> {
    match (value, literal) {
        (Stored::Text(value), Stored::Text(literal)) => Some(order_of_texts(value, literal, any_case)),
        (Stored::Text(text), _) => order_of_likes(&read(text, literal)?, literal),
        (_, Stored::Text(text)) => order_of_likes(value, &read(text, value)?),
        _ => order_of_likes(value, literal),
    }
}

/// A text read as what another value is.
fn read(text: &str, like: &Stored) -> Option<Stored> {
    match like {
        Stored::Int(_) | Stored::Double(_) => parse_number(text),
        Stored::Boolean(_) => match Canon::Boolean.of(&text.into()) {
            Stored::Boolean(yes) if !text.trim().is_empty() => Some(Stored::Boolean(yes)),
            _ => None,
        },
        Stored::Date(_) => read_date(text).map(Stored::Date),
        Stored::DateTime(_) => read_moment(text).map(Stored::DateTime),
        Stored::Time(_) => read_time(text).map(Stored::Time),
        Stored::Null | Stored::Text(_) => None,
    }
}

fn order_of_likes(one: &Stored, other: &Stored) -> Option<Ordering> {
    let moment = |value: &Stored| match Canon::DateTime(crate::sync::Precision::Microsecond).of(value) {
        Stored::DateTime(moment) => Some(moment),
        _ => None,
    };
    let number = |value: &Stored| match value {
        Stored::Int(number) => Some(*number as f64),
        Stored::Double(number) => Some(*number),
        Stored::Boolean(yes) => Some(f64::from(u8::from(*yes))),
        _ => None,
    };
    match (one, other) {
        (Stored::Boolean(one), Stored::Boolean(other)) => Some(one.cmp(other)),
        (Stored::Int(one), Stored::Int(other)) => Some(one.cmp(other)),
        (Stored::Date(one), Stored::Date(other)) => Some(one.cmp(other)),
        (Stored::Time(one), Stored::Time(other)) => Some(one.cmp(other)),
        (Stored::DateTime(_) | Stored::Date(_), Stored::DateTime(_) | Stored::Date(_)) => {
            Some(moment(one)?.cmp(&moment(other)?))
        }
        _ => number(one)?.partial_cmp(&number(other)?),
    }
}

/// An Id of 18 characters is compared as an Id; any other text letter by letter.
fn order_of_texts(value: &str, literal: &str, any_case: bool) -> Ordering {
    if !any_case {
        return value.cmp(literal);
    }
    if value.len() == 18
        && let (Ok(value), Ok(literal)) = (Id::parse(value), Id::parse(literal))
    {
        return value.cmp(&literal);
    }
    let folded = |text: &str| text.trim_end().to_lowercase();
    folded(value).cmp(&folded(literal))
}

fn includes(value: &Stored, sets: &[Vec<String>]) -> bool {
    let Stored::Text(text) = value else { return false };
    let has = |wanted: &String| text.split(';').any(|entry| entry.trim().to_lowercase() == wanted.to_lowercase());
    sets.iter().any(|set| set.iter().all(has))
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        let letters: Vec<char> =
            if self.any_case { text.chars().flat_map(char::to_lowercase).collect() } else { text.chars().collect() };
        // Where the last `%` stands, and how much it has taken: what comes behind it is tried again with one more.
        let (mut piece, mut letter, mut any) = (0, 0, None);
        while letter < letters.len() {
            match self.pieces.get(piece) {
                Some(Piece::Any) => {
                    any = Some((piece, letter));
                    piece += 1;
                }
                Some(Piece::One) => (piece, letter) = (piece + 1, letter + 1),
                Some(Piece::Letter(wanted)) if *wanted == letters[letter] => (piece, letter) = (piece + 1, letter + 1),
                _ => {
                    let Some((at, taken)) = any else { return false };
                    any = Some((at, taken + 1));
                    (piece, letter) = (at + 1, taken + 1);
                }
            }
        }
        self.pieces[piece..].iter().all(|piece| *piece == Piece::Any)
    }

    pub(super) fn new(pieces: impl IntoIterator<Item = Piece>, any_case: bool) -> Self {
        let mut pattern = Self { pieces: Vec::new(), any_case };
        for piece in pieces {
            match piece {
                Piece::Letter(letter) if any_case => {
                    pattern.pieces.extend(letter.to_lowercase().map(Piece::Letter));
                }
                other => pattern.pieces.push(other),
            }
        }
        pattern
    }
}

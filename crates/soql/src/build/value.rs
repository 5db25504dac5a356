//! Typed values as literals.

use jiff::{
    Timestamp,
    civil::{Date, Time},
};

use super::BuildError;
use crate::ast::{self, DateLiteral, LikePart, Literal, Span};

/// A value that a field is compared with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `NULL`
    Null,
    /// `TRUE`, `FALSE`
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Double(f64),
    /// Text, and so Ids and picklist values.
    Text(String),
    /// A day.
    Date(Date),
    /// A moment; SOQL has milliseconds.
    DateTime(Timestamp),
    /// A time of the day; SOQL has milliseconds.
    Time(Time),
    /// `LAST_N_DAYS:5` and the like.
    Relative(DateLiteral),
}

impl Value {
    pub(super) fn literal(self) -> Result<Literal, BuildError> {
        let literal = match self {
            Self::Null => Literal::Null,
            Self::Boolean(value) => Literal::Boolean(value),
            Self::Integer(number) => Literal::Number(number.to_string()),
            Self::Double(number) if number.is_finite() => Literal::Number(number.to_string()),
            Self::Double(number) => return Err(BuildError::Value(number.to_string())),
            Self::Text(text) => Literal::String(text),
            Self::Date(date) if date.year() >= 0 => Literal::Date(date.to_string()),
            Self::Date(date) => return Err(BuildError::Value(date.to_string())),
            Self::DateTime(moment) => {
                let text = format!("{moment:.3}");
                // Years before 0 have more digits than SOQL takes.
                if text.starts_with('-') {
                    return Err(BuildError::Value(text));
                }
                Literal::DateTime(text)
            }
            Self::Time(time) => Literal::Time(format!("{time:.3}Z")),
            Self::Relative(literal) => Literal::Relative(literal),
        };
        Ok(literal)
    }

    pub(super) fn value(self) -> Result<ast::Value, BuildError> {
        Ok(ast::Value { literal: self.literal()?, span: Span::default() })
    }
}

/// Values as the list of an `IN`.
pub(super) fn list<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Result<Vec<ast::Value>, BuildError> {
    let values: Vec<_> = values.into_iter().map(|value| value.into().value()).collect::<Result<_, _>>()?;
    if values.is_empty() { Err(BuildError::EmptyList) } else { Ok(values) }
}

macro_rules! from {
    ($($type:ty => $value:expr,)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let make: fn($type) -> Self = $value;
                make(value)
            }
        })*
    };
}

from! {
    bool => Value::Boolean,
    i64 => Value::Integer,
    i32 => |number| Value::Integer(number.into()),
    u32 => |number| Value::Integer(number.into()),
    f64 => Value::Double,
    String => Value::Text,
    &str => |text| Value::Text(text.to_owned()),
    &String => |text| Value::Text(text.clone()),
    Date => Value::Date,
    Timestamp => Value::DateTime,
    Time => Value::Time,
    DateLiteral => Value::Relative,
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What `LIKE` compares with. Text stands for itself, whatever characters are in it.
///
/// ```
/// use tombolo_soql::build::{Pattern, field, select};
///
/// let filter = field("Name").like(Pattern::starts_with("100%").one().text("_"));
/// let query = select(["Id"]).from("Account").filter(filter).build()?;
/// assert_eq!(query.to_string(), r"SELECT Id FROM Account WHERE Name LIKE '100\%%_\_'");
/// # Ok::<(), tombolo_soql::build::BuildError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern(Vec<LikePart>);

impl Pattern {
    /// This text.
    pub fn exactly(text: &str) -> Self {
        Self::default().text(text)
    }

    /// Anything that starts with this text.
    pub fn starts_with(text: &str) -> Self {
        Self::exactly(text).any()
    }

    /// Anything that ends with this text.
    pub fn ends_with(text: &str) -> Self {
        Self::default().any().text(text)
    }

    /// Anything that has this text in it.
    pub fn contains(text: &str) -> Self {
        Self::ends_with(text).any()
    }

    /// And then this text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(LikePart::Text(last)) => last.push_str(text),
            _ => self.0.push(LikePart::Text(text.to_owned())),
        }
        self
    }

    /// And then anything, or nothing.
    #[must_use]
    pub fn any(mut self) -> Self {
        self.0.push(LikePart::Any);
        self
    }

    /// And then one character.
    #[must_use]
    pub fn one(mut self) -> Self {
        self.0.push(LikePart::One);
        self
    }

    pub(super) fn literal(self) -> Literal {
        Literal::Pattern(self.0)
    }
}

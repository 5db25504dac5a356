//! A value as the engine keeps it: `schema`'s value with a spelling for the state.

use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use serde::{Deserialize, Serialize};
use tombolo_schema::Value;

/// A value that can be put away.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// No value.
    #[default]
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// Text, an Id, a key.
    Text(String),
    /// A day.
    Date(Date),
    /// A moment.
    DateTime(Timestamp),
    /// A time of day.
    Time(Time),
}

impl Stored {
    /// Whether there is no value.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A key, if it is one.
    pub fn as_key(&self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.clone()),
            Self::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl From<Value> for Stored {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(yes) => Self::Boolean(yes),
            Value::Int(number) => Self::Int(number),
            Value::Double(number) => Self::Double(number),
            Value::Text(text) => Self::Text(text),
            Value::Date(day) => Self::Date(day),
            Value::DateTime(moment) => Self::DateTime(moment),
            Value::Time(time) => Self::Time(time),
        }
    }
}

impl From<Stored> for Value {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Null => Self::Null,
            Stored::Boolean(yes) => Self::Boolean(yes),
            Stored::Int(number) => Self::Int(number),
            Stored::Double(number) => Self::Double(number),
            Stored::Text(text) => Self::Text(text),
            Stored::Date(day) => Self::Date(day),
            Stored::DateTime(moment) => Self::DateTime(moment),
            Stored::Time(time) => Self::Time(time),
        }
    }
}

impl From<&str> for Stored {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

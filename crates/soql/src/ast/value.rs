//! Literals.

use super::{Count, Span};
use crate::DateLiteralKind;

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub literal: Literal,
    /// Where it stands.
    pub span: Span,
}

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// A number: a minus sign perhaps, digits, a point perhaps.
    Number(String),
    /// A string, its escapes resolved.
    String(String),
    /// The string of a `LIKE`.
    Pattern(Vec<LikePart>),
    /// `2026-11-22`. Only its shape is known to be right.
    Date(String),
    /// `2026-11-22T10:00:00Z`, with any zone. Only its shape is known to be right.
    DateTime(String),
    /// `10:00:00Z`. Only its shape is known to be right.
    Time(String),
    /// `LAST_N_DAYS:5`
    Relative(DateLiteral),
    /// `LAST_N_HOURS:5`, which people write though no server knows it: see [`crate::resolve_hours`].
    /// It stands only behind a comparison.
    LastHours(Count),
    /// `USD5000`
    Currency {
        /// The three letters.
        code: String,
        /// The number.
        amount: String,
    },
    /// A variable of Apex, without the colon.
    Bind(String),
}

/// A date relative to today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateLiteral {
    /// Which.
    pub kind: DateLiteralKind,
    /// The `n`. The grammar lets one be missing that has to be there.
    pub count: Option<Count>,
}

/// A piece of a `LIKE` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LikePart {
    /// This text.
    Text(String),
    /// `%`: anything, or nothing.
    Any,
    /// `_`: one character.
    One,
}

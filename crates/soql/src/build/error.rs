//! Why no statement came of it.

use std::fmt;

use crate::ParseError;

/// Why a statement could not be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// This is no field, object, alias or function.
    Name {
        /// What was given.
        text: String,
        /// What is wrong with it.
        error: ParseError,
    },
    /// Nothing is selected.
    NothingSelected,
    /// A list without values: SOQL has none.
    EmptyList,
    /// A number or date that SOQL cannot write.
    Value(String),
    /// Conditions inside each other, deeper than [`crate::MAX_DEPTH`].
    TooDeep,
    /// The statement as a whole is no SOQL: too long, for example.
    Statement(ParseError),
    /// A parameter of a template got no value.
    Unbound(String),
    /// A value for a parameter that the template does not have.
    NoParameter(String),
    /// A parameter got one value where a list belongs, or a pattern where no `LIKE` is, or the like.
    Misbound {
        /// The parameter.
        name: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// The statement does not survive being printed. Names put into a tree by hand may do that.
    Unprintable,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { text, .. } => write!(f, "`{text}` can not stand here"),
            Self::NothingSelected => f.write_str("nothing is selected"),
            Self::EmptyList => f.write_str("a list needs at least one value"),
            Self::Value(text) => write!(f, "SOQL has no way to write {text}"),
            Self::TooDeep => f.write_str("too many conditions inside each other"),
            Self::Statement(_) => f.write_str("the statement is not SOQL"),
            Self::Unbound(name) => write!(f, "the parameter `{name}` has no value"),
            Self::NoParameter(name) => write!(f, "the statement has no parameter `{name}`"),
            Self::Misbound { name, expected } => write!(f, "the parameter `{name}` takes {expected}"),
            Self::Unprintable => f.write_str("the statement does not survive being printed"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name { error, .. } | Self::Statement(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a statement that is too long cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitError {
    /// It has no `IN` list that every row has to be in.
    NoList,
    /// It counts, groups, orders or limits, so that the answers of several statements make no single answer.
    Whole,
    /// Even a single value makes it too long.
    TooLong,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoList => "the statement is too long and has no IN list to be split",
            Self::Whole => "the statement is too long, and one that counts, groups, orders or limits can not be split",
            Self::TooLong => "the statement is too long even with a single value in its IN list",
        })
    }
}

impl std::error::Error for SplitError {}

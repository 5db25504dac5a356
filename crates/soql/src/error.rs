//! What is wrong with a statement, in our words and in Salesforce's.

use std::fmt;

use crate::diagnostic::{Position, excerpt};

/// A statement that is not SOQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// Line and column of that place.
    pub position: Position,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something else should stand here.
    Unexpected {
        /// What should.
        expected: &'static str,
        /// What does; empty at the end of the text.
        found: String,
    },
    /// A clause that may not stand here, or a word that lacks its second half.
    Misplaced {
        /// What should stand here.
        expected: &'static str,
        /// What does; empty at the end of the text.
        found: String,
    },
    /// A `TYPEOF` without its `END`.
    MissingEnd {
        /// What stands there instead; empty at the end of the text.
        found: String,
    },
    /// A search whose term does not stand in braces.
    NoSearchTerm {
        /// What stands there instead; empty at the end of the text.
        found: String,
    },
    /// A string without its closing quote.
    OpenString,
    /// A comment without its end.
    OpenComment,
    /// A backslash before a character that it does not go with.
    InvalidEscape {
        /// Backslash and character.
        sequence: String,
    },
    /// A `:name`, which is for Apex only.
    Bind,
    /// A number larger than any SOQL has room for.
    NumberTooLarge,
    /// Over a hundred thousand characters.
    TooLong,
    /// Parentheses, functions or queries inside each other, deeper than [`crate::MAX_DEPTH`].
    TooDeep,
}

impl ParseError {
    pub(crate) fn new(source: &str, offset: usize, kind: ErrorKind) -> Self {
        Self { offset, position: Position::of(source, offset), kind }
    }

    /// What a Salesforce server says of it, without the place.
    pub fn salesforce_text(&self) -> String {
        match &self.kind {
            ErrorKind::Unexpected { found, .. } => format!("unexpected token: '{}'", or_end(found)),
            ErrorKind::Misplaced { found, .. } => format!("missing value at '{}'", or_end(found)),
            ErrorKind::MissingEnd { found } => format!("Missing 'END' at '{}'", or_end(found)),
            ErrorKind::NoSearchTerm { .. } => {
                "No search term found. The search term must be enclosed in braces.".to_owned()
            }
            ErrorKind::OpenString | ErrorKind::OpenComment => "unexpected token: '<EOF>'".to_owned(),
            ErrorKind::InvalidEscape { sequence } => {
                format!("Illegal character sequence '{sequence}' in string literal.")
            }
            ErrorKind::Bind => "Bind variables only allowed in Apex code".to_owned(),
            ErrorKind::NumberTooLarge => "For input string: number is out of range".to_owned(),
            ErrorKind::TooLong => "SOQL statements can not be longer than 100000 characters".to_owned(),
            ErrorKind::TooDeep => {
                "Query is either selecting too many fields or the filter conditions are too complicated.".to_owned()
            }
        }
    }

    /// What a Salesforce server answers: an excerpt of the statement, a caret, the place and the text (soql.md 8).
    pub fn salesforce_message(&self, query: &str) -> String {
        match self.kind {
            ErrorKind::TooLong | ErrorKind::NoSearchTerm { .. } => self.salesforce_text(),
            _ => excerpt(query, self.offset, &self.salesforce_text()),
        }
    }
}

fn or_end(found: &str) -> &str {
    if found.is_empty() { "<EOF>" } else { found }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } | Self::Misplaced { expected, found } if found.is_empty() => {
                write!(f, "expected {expected}, found the end of the query")
            }
            Self::Unexpected { expected, found } | Self::Misplaced { expected, found } => {
                write!(f, "expected {expected}, found `{found}`")
            }
            Self::MissingEnd { found } if found.is_empty() => {
                f.write_str("expected END to close TYPEOF, found the end of the query")
            }
            Self::MissingEnd { found } => write!(f, "expected WHEN, ELSE or END of TYPEOF, found `{found}`"),
            Self::NoSearchTerm { found } if found.is_empty() => {
                f.write_str("expected a search term in braces, found the end of the query")
            }
            Self::NoSearchTerm { found } => write!(f, "expected a search term in braces, found `{found}`"),
            Self::OpenString => f.write_str("this string has no closing quote"),
            Self::OpenComment => f.write_str("this comment is not closed"),
            Self::InvalidEscape { sequence } => write!(f, "`{sequence}` is no escape that may stand in this string"),
            Self::Bind => f.write_str("bind variables are for Apex only"),
            Self::NumberTooLarge => f.write_str("the number is too large"),
            Self::TooLong => f.write_str("the query is longer than 100,000 characters"),
            Self::TooDeep => f.write_str("too many parentheses, functions or queries inside each other"),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.position.line, self.position.column, self.kind)
    }
}

impl std::error::Error for ParseError {}

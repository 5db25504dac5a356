//! Tokens: what the lexer hands to the parser.

use crate::ast::Span;

/// What a token is. Keywords are identifiers here: whether a word is one depends on where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Ident,
    Integer,
    Decimal,
    /// A string with both its quotes; its escapes have not been looked at.
    String,
    Date,
    DateTime,
    Time,
    Comma,
    Dot,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    Colon,
    Semicolon,
    Equals,
    NotEquals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
    Plus,
    Minus,
    /// A string whose closing quote is missing: reaches to the end of the text.
    OpenString,
    /// A comment that is not closed: reaches to the end of the text.
    OpenComment,
    /// A character that has no place in SOQL.
    Other,
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// Words that cannot be the name of anything (soql.md 1).
const RESERVED: [&str; 31] = [
    "AND", "AS", "ASC", "BIND", "BY", "CUBE", "DESC", "ELSE", "EXCLUDES", "FALSE", "FIRST", "FOR", "FROM", "HAVING",
    "IN", "INCLUDES", "LAST", "LIKE", "LIMIT", "LOOKUP", "NOT", "NULL", "NULLS", "OR", "ROLLUP", "SELECT", "TRUE",
    "UPDATE", "USING", "WHERE", "WITH",
];

/// Words that are names where fields, objects and aliases stand, and nowhere else (soql.md 1).
const HALF_RESERVED: [&str; 22] = [
    "ABOVE",
    "ABOVE_OR_BELOW",
    "AT",
    "BELOW",
    "CASE",
    "CATEGORY",
    "COUNT",
    "DATA",
    "DISTANCE",
    "END",
    "FIELDS",
    "FLAT",
    "GEOLOCATION",
    "GROUP",
    "OFFSET",
    "ORDER",
    "REFERENCE",
    "SCOPE",
    "THEN",
    "TYPEOF",
    "VIEW",
    "WHEN",
];

/// Whether a word may stand for a scope or a statistic.
pub(crate) fn is_plain(word: &str) -> bool {
    !is_reserved(word) && !HALF_RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// Whether a word is a keyword wherever it stands.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

//! Tokens to tree: recursive descent without going back, so that time is linear in the length of the text.
//!
//! The grammar is that of Salesforce's own client tools (soql.md 1–6). Where it takes what a server refuses on
//! other grounds, so does this parser, and the tree shows it.

mod clauses;
mod condition;
mod select;
mod value;

use crate::{
    ast::{FieldPath, Name, Select, Span},
    error::{ErrorKind, ParseError},
    lexer,
    token::{Token, TokenKind, is_plain, is_reserved},
};

/// Statements may be this many characters long.
pub const MAX_LENGTH: usize = 100_000;

/// Parentheses and functions may be this deep inside each other; a query inside another counts as eight.
pub const MAX_DEPTH: usize = 128;

/// How many levels a query inside another counts: it needs that much more of the stack.
const QUERY_LEVELS: usize = 8;

/// What is allowed beyond what the API takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Bind variables, `FOR UPDATE` and `ALL ROWS`.
    pub apex: bool,
    /// `//` and `/* */`, which tools take out before they send a query.
    pub comments: bool,
}

/// Reads a statement.
pub fn parse(source: &str, options: Options) -> Result<Select, ParseError> {
    let mut parser = Parser::new(source, options)?;
    let select = parser.select()?;
    parser.end_of_statement(Parser::after_query)?;
    Ok(select)
}

pub(crate) type Parsed<T> = Result<T, ParseError>;

/// Where reading has got to.
pub(crate) struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    pub(crate) options: Options,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(source: &'a str, options: Options) -> Parsed<Self> {
        // Counting characters only where bytes are too many keeps the usual case free.
        if source.len() > MAX_LENGTH && source.chars().count() > MAX_LENGTH {
            return Err(ParseError::new(source, 0, ErrorKind::TooLong));
        }
        Ok(Self { source, tokens: lexer::tokens(source, 0, options.comments), at: 0, depth: 0, options })
    }

    /// Goes on from a byte offset, before which no token has been read in vain.
    pub(crate) fn go_on_from(&mut self, offset: usize) {
        self.tokens = lexer::tokens(self.source, offset, self.options.comments);
        self.at = 0;
    }

    /// A statement may end with a semicolon, and has to end.
    pub(crate) fn end_of_statement(&mut self, expected: impl Fn(&Self) -> &'static str) -> Parsed<()> {
        self.take(TokenKind::Semicolon);
        if self.kind() == TokenKind::End { Ok(()) } else { Err(self.unexpected(expected(self))) }
    }

    /// The token so many places ahead; behind the end it is always the end.
    pub(crate) fn peek(&self, ahead: usize) -> Token {
        let last = self.tokens.len() - 1;
        self.tokens[(self.at + ahead).min(last)]
    }

    pub(crate) fn kind(&self) -> TokenKind {
        self.peek(0).kind
    }

    /// Nothing may follow.
    pub(crate) fn end_of_text(&self) -> Parsed<()> {
        if self.kind() == TokenKind::End { Ok(()) } else { Err(self.unexpected("nothing more")) }
    }

    pub(crate) fn source(&self) -> &'a str {
        self.source
    }

    pub(crate) fn span(&self) -> Span {
        self.peek(0).span
    }

    pub(crate) fn text(&self, token: Token) -> &'a str {
        &self.source[token.span.start..token.span.end]
    }

    /// The end of the token before.
    pub(crate) fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].span.end)
    }

    pub(crate) fn since(&self, start: usize) -> Span {
        Span { start, end: self.end() }
    }

    pub(crate) fn advance(&mut self) -> Token {
        let token = self.peek(0);
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    pub(crate) fn take(&mut self, kind: TokenKind) -> bool {
        let taken = self.kind() == kind;
        if taken {
            self.advance();
        }
        taken
    }

    pub(crate) fn expect(&mut self, kind: TokenKind, expected: &'static str) -> Parsed<Token> {
        if self.kind() == kind { Ok(self.advance()) } else { Err(self.unexpected(expected)) }
    }

    pub(crate) fn is_word(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek(ahead);
        token.kind == TokenKind::Ident && self.text(token).eq_ignore_ascii_case(word)
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let taken = self.is_word(0, word);
        if taken {
            self.advance();
        }
        taken
    }

    /// Takes all of these words or none.
    pub(crate) fn take_words(&mut self, words: &[&str]) -> bool {
        let taken = words.iter().enumerate().all(|(ahead, word)| self.is_word(ahead, word));
        if taken {
            self.at += words.len();
        }
        taken
    }

    pub(crate) fn expect_word(&mut self, word: &'static str) -> Parsed<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    /// Whether a name may stand here.
    pub(crate) fn is_name(&self, ahead: usize) -> bool {
        let token = self.peek(ahead);
        token.kind == TokenKind::Ident && !is_reserved(self.text(token))
    }

    /// A name that is a keyword nowhere.
    pub(crate) fn plain_name(&mut self, expected: &'static str) -> Parsed<Name> {
        if self.is_name(0) && is_plain(self.text(self.peek(0))) {
            Ok(self.word())
        } else {
            Err(self.unexpected(expected))
        }
    }

    pub(crate) fn name(&mut self, expected: &'static str) -> Parsed<Name> {
        if !self.is_name(0) {
            return Err(self.unexpected(expected));
        }
        Ok(self.word())
    }

    /// Names joined by dots. A blank may stand behind a dot, not before it. A word that is reserved when it stands alone
    /// is a name when a dot touches it (soql.md 1: reserved as bare names).
    pub(crate) fn path(&mut self, expected: &'static str) -> Parsed<FieldPath> {
        let mut name = if self.is_dotted() { self.word() } else { self.name(expected)? };
        let mut parents = Vec::new();
        while self.is_touching(0, TokenKind::Dot) {
            self.advance();
            let next = if self.is_touching(0, TokenKind::Ident) { self.word() } else { self.name("a name")? };
            parents.push(std::mem::replace(&mut name, next));
        }
        Ok(FieldPath { parents, name })
    }

    /// Whether this is a word with a dot behind it.
    fn is_dotted(&self) -> bool {
        self.kind() == TokenKind::Ident && self.is_touching(1, TokenKind::Dot)
    }

    /// Whether the token so many places ahead is of this kind and begins where the one before it ends.
    fn is_touching(&self, ahead: usize, kind: TokenKind) -> bool {
        let token = self.peek(ahead);
        let end = if ahead == 0 { self.end() } else { self.peek(ahead - 1).span.end };
        token.kind == kind && token.span.start == end
    }

    fn word(&mut self) -> Name {
        let token = self.advance();
        Name { text: self.text(token).to_owned(), span: token.span }
    }

    /// Things separated by commas; at least one.
    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take(TokenKind::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Things in parentheses, separated by commas; at least one.
    pub(crate) fn parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect(TokenKind::LeftParen, "`(`")?;
        let items = self.list(item)?;
        self.expect(TokenKind::RightParen, "`,` or `)`")?;
        Ok(items)
    }

    /// Goes so many levels deeper, unless that is too deep.
    pub(crate) fn deeper<T>(&mut self, levels: usize, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth + levels > MAX_DEPTH {
            return Err(self.error(self.span().start, ErrorKind::TooDeep));
        }
        self.depth += levels;
        let result = inner(self);
        self.depth -= levels;
        result
    }

    pub(crate) fn error(&self, offset: usize, kind: ErrorKind) -> ParseError {
        ParseError::new(self.source, offset, kind)
    }

    /// The current token as errors show it, shortened.
    pub(crate) fn found(&self) -> String {
        self.text(self.peek(0)).chars().take(40).collect()
    }

    pub(crate) fn unexpected(&self, expected: &'static str) -> ParseError {
        let token = self.peek(0);
        let kind = match token.kind {
            TokenKind::OpenString => ErrorKind::OpenString,
            TokenKind::OpenComment => ErrorKind::OpenComment,
            TokenKind::Colon if !self.options.apex => ErrorKind::Bind,
            _ => ErrorKind::Unexpected { expected, found: self.found() },
        };
        self.error(token.span.start, kind)
    }

    pub(crate) fn misplaced(&self, expected: &'static str) -> ParseError {
        self.error(self.span().start, ErrorKind::Misplaced { expected, found: self.found() })
    }

    /// What may follow a whole query, with a hint where a mistake is a usual one.
    pub(crate) fn after_query(&self) -> &'static str {
        let is_any = |words: &[&str]| words.iter().any(|word| self.is_word(0, word));
        if is_any(&["AND", "OR"]) {
            "the end of the query (NOT does not go with AND or OR unless it stands in parentheses)"
        } else if is_any(&["USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE"]) {
            "the end of the query (the order of clauses is FROM, USING, WHERE, WITH, GROUP BY, HAVING, ORDER BY, LIMIT, \
             OFFSET, FOR, UPDATE)"
        } else {
            "the end of the query"
        }
    }
}

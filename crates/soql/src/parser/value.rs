//! Literals and bind variables.

use super::{Parsed, Parser};
use crate::{
    DateLiteralKind,
    ast::{Count, DateLiteral, LikePart, Literal, Value},
    error::ErrorKind,
    hours::LAST_N_HOURS,
    token::{Token, TokenKind},
};

impl Parser<'_> {
    pub(crate) fn value(&mut self) -> Parsed<Value> {
        let start = self.span().start;
        let literal = match self.kind() {
            TokenKind::String => Literal::String(self.plain_string("a string")?),
            _ => self.other_literal()?,
        };
        Ok(Value { literal, span: self.since(start) })
    }

    /// The right side of a comparison with one value.
    pub(crate) fn compared_value(&mut self) -> Parsed<Value> {
        if !self.is_word(0, LAST_N_HOURS) {
            return self.value();
        }
        let start = self.advance().span.start;
        self.expect(TokenKind::Colon, "`:` and a number of hours")?;
        let count = self.literal_count()?;
        Ok(Value { literal: Literal::LastHours(count), span: self.since(start) })
    }

    /// The right side of LIKE.
    pub(crate) fn pattern(&mut self) -> Parsed<Value> {
        let start = self.span().start;
        let literal = match self.kind() {
            TokenKind::String => {
                let token = self.advance();
                Literal::Pattern(self.decode(token, true)?)
            }
            _ => self.other_literal()?,
        };
        Ok(Value { literal, span: self.since(start) })
    }

    fn other_literal(&mut self) -> Parsed<Literal> {
        let text = self.text(self.peek(0)).to_owned();
        match self.kind() {
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Plus | TokenKind::Minus => {
                return self.number().map(Literal::Number);
            }
            TokenKind::Colon => return self.bind().map(Literal::Bind),
            TokenKind::Ident => return self.word_literal(&text),
            _ => {}
        }
        let literal = match self.kind() {
            TokenKind::Date => Literal::Date(text),
            TokenKind::DateTime => Literal::DateTime(text),
            TokenKind::Time => Literal::Time(text),
            _ => return Err(self.unexpected("a value")),
        };
        self.advance();
        Ok(literal)
    }

    fn word_literal(&mut self, word: &str) -> Parsed<Literal> {
        let is = |literal: &str| word.eq_ignore_ascii_case(literal);
        let literal = if is("NULL") {
            Literal::Null
        } else if is("TRUE") || is("FALSE") {
            Literal::Boolean(is("TRUE"))
        } else if let Some(kind) = DateLiteralKind::from_name(word) {
            self.advance();
            return self.date_literal(kind);
        } else if is_currency(word) {
            return Ok(self.currency(word));
        } else {
            return Err(self.unexpected("a value"));
        };
        self.advance();
        Ok(literal)
    }

    fn date_literal(&mut self, kind: DateLiteralKind) -> Parsed<Literal> {
        if !kind.takes_count() || !self.take(TokenKind::Colon) {
            return Ok(Literal::Relative(DateLiteral { kind, count: None }));
        }
        let count = self.literal_count()?;
        Ok(Literal::Relative(DateLiteral { kind, count: Some(count) }))
    }

    /// The `n` behind a date literal's colon.
    fn literal_count(&mut self) -> Parsed<Count> {
        if self.options.apex && self.kind() == TokenKind::Ident {
            self.bind_expression().map(Count::Bind)
        } else {
            self.whole_number(false).map(Count::Number)
        }
    }

    fn currency(&mut self, word: &str) -> Literal {
        let end = self.advance().span.end;
        let (code, amount) = word.split_at(3);
        let mut amount = amount.to_owned();
        // `USD5000.25` reaches us as `USD5000` and `.25`.
        let next = self.peek(0);
        if next.kind == TokenKind::Decimal && next.span.start == end && self.text(next).starts_with('.') {
            amount.push_str(self.text(next));
            self.advance();
        }
        Literal::Currency { code: code.to_owned(), amount }
    }

    fn sign(&mut self) -> &'static str {
        if self.take(TokenKind::Minus) {
            return "-";
        }
        self.take(TokenKind::Plus);
        ""
    }

    pub(crate) fn number(&mut self) -> Parsed<String> {
        let sign = self.sign();
        match self.kind() {
            TokenKind::Integer | TokenKind::Decimal => {
                let token = self.advance();
                Ok(format!("{sign}{}", self.text(token)))
            }
            _ => Err(self.unexpected("a number")),
        }
    }

    pub(crate) fn whole_number(&mut self, signed: bool) -> Parsed<i64> {
        let start = self.span().start;
        let sign = if signed { self.sign() } else { "" };
        let token = self.expect(TokenKind::Integer, "a whole number")?;
        let number: Option<i64> = format!("{sign}{}", self.text(token)).parse().ok();
        number.ok_or_else(|| self.error(start, ErrorKind::NumberTooLarge))
    }

    /// A string in which `\%` and `\_` mean nothing.
    pub(crate) fn plain_string(&mut self, expected: &'static str) -> Parsed<String> {
        let token = self.expect(TokenKind::String, expected)?;
        let mut parts = self.decode(token, false)?;
        match parts.pop() {
            Some(LikePart::Text(text)) => Ok(text),
            _ => Ok(String::new()),
        }
    }

    /// Resolves escapes. In a pattern `%` and `_` become parts of their own; other strings are one text.
    fn decode(&self, token: Token, pattern: bool) -> Parsed<Vec<LikePart>> {
        let inner = &self.source[token.span.start + 1..token.span.end - 1];
        let mut decoder = Decoder::default();
        let mut at = 0;
        while let Some(char) = inner[at..].chars().next() {
            let start = at;
            at += char.len_utf8();
            match char {
                '\\' => {
                    let Some((decoded, length)) = unescape(&inner[at..], pattern) else {
                        let sequence = inner[start..].chars().take(2).collect();
                        return Err(self.error(token.span.start + 1 + start, ErrorKind::InvalidEscape { sequence }));
                    };
                    decoder.text.push(decoded);
                    at += length;
                }
                '%' if pattern => decoder.push(LikePart::Any),
                '_' if pattern => decoder.push(LikePart::One),
                _ => decoder.text.push(char),
            }
        }
        decoder.end_text();
        Ok(decoder.parts)
    }

    /// A variable of Apex, or any expression: `:accountId`, `:Trigger.new`, `:new Set<Id>(ids)`.
    pub(crate) fn bind(&mut self) -> Parsed<String> {
        if !self.options.apex {
            return Err(self.unexpected("a value"));
        }
        self.expect(TokenKind::Colon, "`:`")?;
        self.bind_expression()
    }

    fn bind_expression(&mut self) -> Parsed<String> {
        let start = self.span().start;
        if self.is_word(0, "NEW") && self.peek(1).kind == TokenKind::Ident {
            self.advance();
        }
        match self.kind() {
            TokenKind::Ident | TokenKind::String => _ = self.advance(),
            TokenKind::LeftParen => self.brackets()?,
            _ => return Err(self.unexpected("a variable")),
        }
        loop {
            match self.kind() {
                TokenKind::Dot => {
                    self.advance();
                    self.expect(TokenKind::Ident, "a name")?;
                }
                TokenKind::LeftParen | TokenKind::LeftBracket => self.brackets()?,
                TokenKind::Less if self.is_type_arguments() => self.brackets()?,
                _ => return Ok(self.source[start..self.end()].to_owned()),
            }
        }
    }

    /// `<` begins type arguments only in a `new`: SOQL has nothing else that could stand behind a value.
    fn is_type_arguments(&self) -> bool {
        self.peek(1).kind == TokenKind::Ident
    }

    /// Skips from an opening bracket to the one that closes it.
    fn brackets(&mut self) -> Parsed<()> {
        let opening = self.kind();
        let closing = match opening {
            TokenKind::LeftParen => TokenKind::RightParen,
            TokenKind::LeftBracket => TokenKind::RightBracket,
            _ => TokenKind::Greater,
        };
        let mut open = 0usize;
        loop {
            match self.kind() {
                kind if kind == opening => open += 1,
                kind if kind == closing => open -= 1,
                TokenKind::End | TokenKind::OpenString | TokenKind::OpenComment => {
                    return Err(self.unexpected("a closing bracket"));
                }
                _ => {}
            }
            self.advance();
            if open == 0 {
                return Ok(());
            }
        }
    }
}

/// The pieces of a string, as they are found.
#[derive(Default)]
struct Decoder {
    parts: Vec<LikePart>,
    text: String,
}

impl Decoder {
    fn push(&mut self, part: LikePart) {
        self.end_text();
        self.parts.push(part);
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(LikePart::Text(std::mem::take(&mut self.text)));
        }
    }
}

/// The character that what follows a backslash stands for, and how many bytes of it do (soql.md 4).
fn unescape(rest: &str, pattern: bool) -> Option<(char, usize)> {
    let char = match rest.chars().next()? {
        'n' | 'N' => '\n',
        'r' | 'R' => '\r',
        't' | 'T' => '\t',
        'b' | 'B' => '\u{8}',
        'f' | 'F' => '\u{c}',
        quoted @ ('"' | '\'' | '\\') => quoted,
        wildcard @ ('_' | '%') if pattern => wildcard,
        'u' | 'U' => return unicode(rest),
        _ => return None,
    };
    Some((char, 1))
}

/// `uXXXX`; two of them where a character needs a surrogate pair.
fn unicode(rest: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let hex = rest.get(from..from + 4).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(hex, 16).ok()
    };
    let first = unit(1)?;
    if let Some(char) = char::from_u32(first.into()) {
        return Some((char, 5));
    }
    // On purpose: it takes for granted that the other half follows.
    #[cfg(feature = "planted-bug")]
    let _ = &rest[5..7];
    rest.get(5..7).filter(|escape| escape.eq_ignore_ascii_case("\\u"))?;
    let char = char::decode_utf16([first, unit(7)?]).next()?.ok()?;
    Some((char, 11))
}

/// Three letters and a number.
fn is_currency(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() > 3 && bytes[..3].iter().all(u8::is_ascii_alphabetic) && bytes[3..].iter().all(u8::is_ascii_digit)
}

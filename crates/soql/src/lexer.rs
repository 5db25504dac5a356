//! Text to tokens, in one pass. It refuses nothing: what is wrong becomes a token that no rule takes,
//! so that errors come in the order of the text.

use crate::{
    ast::Span,
    token::{Token, TokenKind},
};

/// The tokens of a text from a byte offset on; the last one is `End`.
pub(crate) fn tokens(source: &str, from: usize, comments: bool) -> Vec<Token> {
    let mut lexer = Lexer { source, at: from, comments };
    let mut tokens = Vec::with_capacity((source.len() - from) / 4 + 1);
    loop {
        let token = lexer.next();
        tokens.push(token);
        if token.kind == TokenKind::End {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    comments: bool,
}

impl Lexer<'_> {
    fn next(&mut self) -> Token {
        if let Some(comment) = self.skip_blanks() {
            return comment;
        }
        let start = self.at;
        let (kind, length) = self.measure();
        self.at += length;
        token(kind, start, self.at)
    }

    /// Skips blanks and comments; answers with a comment that is never closed.
    fn skip_blanks(&mut self) -> Option<Token> {
        loop {
            let rest = &self.source[self.at..];
            self.at += rest.len() - rest.trim_start().len();
            let rest = &self.source[self.at..];
            if !self.comments {
                return None;
            }
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(length) = comment.find("*/") else {
                    let start = std::mem::replace(&mut self.at, self.source.len());
                    return Some(token(TokenKind::OpenComment, start, self.at));
                };
                self.at += length + 4;
            } else {
                return None;
            }
        }
    }

    /// The kind and length of the token that begins here.
    fn measure(&self) -> (TokenKind, usize) {
        let rest = &self.source[self.at..];
        let bytes = rest.as_bytes();
        let second = bytes.get(1).copied().unwrap_or_default();
        let Some(&first) = bytes.first() else { return (TokenKind::End, 0) };
        match first {
            b'a'..=b'z' | b'A'..=b'Z' => (TokenKind::Ident, run(bytes, |b| b.is_ascii_alphanumeric() || b == b'_')),
            b'0'..=b'9' => date_or_time(bytes).unwrap_or_else(|| number(bytes)),
            b'.' if second.is_ascii_digit() => (TokenKind::Decimal, 1 + digits(&bytes[1..])),
            b'\'' => string(bytes),
            b'!' if second == b'=' => (TokenKind::NotEquals, 2),
            b'<' if second == b'>' => (TokenKind::NotEquals, 2),
            b'<' if second == b'=' => (TokenKind::LessEquals, 2),
            b'>' if second == b'=' => (TokenKind::GreaterEquals, 2),
            b'<' => (TokenKind::Less, 1),
            b'>' => (TokenKind::Greater, 1),
            b'=' => (TokenKind::Equals, 1),
            b',' => (TokenKind::Comma, 1),
            b'.' => (TokenKind::Dot, 1),
            b'(' => (TokenKind::LeftParen, 1),
            b')' => (TokenKind::RightParen, 1),
            b'[' => (TokenKind::LeftBracket, 1),
            b']' => (TokenKind::RightBracket, 1),
            b':' => (TokenKind::Colon, 1),
            b';' => (TokenKind::Semicolon, 1),
            b'+' => (TokenKind::Plus, 1),
            b'-' => (TokenKind::Minus, 1),
            _ => (TokenKind::Other, rest.chars().next().map_or(1, char::len_utf8)),
        }
    }
}

fn token(kind: TokenKind, start: usize, end: usize) -> Token {
    Token { kind, span: Span { start, end } }
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&b| !belongs(b)).unwrap_or(bytes.len())
}

fn digits(bytes: &[u8]) -> usize {
    run(bytes, |b| b.is_ascii_digit())
}

/// `5`, `2.5`; of `5.` only the digit is a number (soql.md 3).
fn number(bytes: &[u8]) -> (TokenKind, usize) {
    let whole = digits(bytes);
    match bytes.get(whole..).map(|rest| (rest.first(), rest.get(1..).map_or(0, digits))) {
        Some((Some(b'.'), fraction)) if fraction > 0 => (TokenKind::Decimal, whole + 1 + fraction),
        _ => (TokenKind::Integer, whole),
    }
}

fn string(bytes: &[u8]) -> (TokenKind, usize) {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' => return (TokenKind::String, at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (TokenKind::OpenString, bytes.len())
}

/// Whether the bytes begin like the mask, in which `0` stands for any digit.
fn matches_mask(bytes: &[u8], mask: &str) -> bool {
    bytes.len() >= mask.len()
        && mask.bytes().zip(bytes).all(|(m, b)| if m == b'0' { b.is_ascii_digit() } else { m == *b })
}

fn date_or_time(bytes: &[u8]) -> Option<(TokenKind, usize)> {
    if let Some(length) = time(bytes) {
        let zone = bytes.get(length).filter(|b| b.eq_ignore_ascii_case(&b'z'));
        return zone.map(|_| (TokenKind::Time, length + 1));
    }
    let is_date = matches_mask(bytes, "0000-00-00") && !bytes.get(10).is_some_and(u8::is_ascii_digit);
    is_date.then(|| moment(bytes).map_or((TokenKind::Date, 10), |length| (TokenKind::DateTime, length)))
}

/// The length of `hh:mm:ss[.fff]`.
fn time(bytes: &[u8]) -> Option<usize> {
    if !matches_mask(bytes, "00:00:00") {
        return None;
    }
    let fraction = if bytes.get(8) == Some(&b'.') { digits(&bytes[9..]) } else { 0 };
    Some(if fraction == 0 { 8 } else { 9 + fraction })
}

/// The length of a date with a time and a zone.
fn moment(bytes: &[u8]) -> Option<usize> {
    if !bytes.get(10)?.eq_ignore_ascii_case(&b't') {
        return None;
    }
    let end = 11 + time(&bytes[11..])?;
    let zone = &bytes[end..];
    match zone.first()? {
        b'z' | b'Z' => Some(end + 1),
        b'+' | b'-' if matches_mask(&zone[1..], "00:00") => Some(end + 6),
        b'+' | b'-' if matches_mask(&zone[1..], "0000") => Some(end + 5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenKind::*;

    #[track_caller]
    fn check(source: &str, expect: &[TokenKind]) {
        let mut kinds: Vec<_> = tokens(source, 0, false).into_iter().map(|t| t.kind).collect();
        assert_eq!(kinds.pop(), Some(End));
        assert_eq!(kinds, expect, "{source}");
    }

    #[test]
    fn numbers_dates_and_times() {
        check("5 2.5 .5", &[Integer, Decimal, Decimal]);
        check("5. 1e5", &[Integer, Dot, Integer, Ident]);
        check("USD5000.25", &[Ident, Decimal]);
        check("2020-01-01", &[Date]);
        check("2020-1-1", &[Integer, Minus, Integer, Minus, Integer]);
        check("2020-01-01T00:00:00Z 2020-01-01t00:00:00.1+0130 2020-01-01T00:00:00-01:30", &[DateTime; 3]);
        check("2020-01-01T00:00Z", &[Date, Ident, Colon, Integer, Ident]);
        check("12:30:00Z 12:30:00.000z", &[Time, Time]);
        check("12:30:00", &[Integer, Colon, Integer, Colon, Integer]);
    }

    #[test]
    fn strings_and_signs() {
        check(r"'a\'b' '' '\\'", &[String, String, String]);
        check(r"'a\'", &[OpenString]);
        check("<> != <= >= < > =", &[NotEquals, NotEquals, LessEquals, GreaterEquals, Less, Greater, Equals]);
        check("é _a \"", &[Other, Other, Ident, Other]);
    }

    #[test]
    fn comments_when_allowed() {
        let kinds = |source| tokens(source, 0, true).into_iter().map(|t| t.kind).collect::<Vec<_>>();
        assert_eq!(kinds("a // b\n/* c */ d '//'"), [Ident, Ident, String, End]);
        assert_eq!(kinds("a /* b"), [Ident, OpenComment, End]);
    }
}

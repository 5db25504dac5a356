//! SQL as words, texts, numbers and signs.

use super::FilterError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) offset: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// A keyword or a name.
    Word(&'a str),
    /// `"name"`, `` `name` ``, `[name]`
    Quoted(String),
    /// `'text'`
    Text(String),
    Number(&'a str),
    Sign(&'a str),
    End,
}

const SIGNS: [&str; 20] =
    ["<=", ">=", "<>", "!=", "||", "::", "->", "==", "=", "<", ">", "(", ")", ",", ".", "-", "+", "*", "/", "%"];

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, FilterError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        let (kind, length) = token(rest).map_err(|message| FilterError::new(at, message))?;
        let ended = kind == TokenKind::End;
        tokens.push(Token { kind, offset: at });
        if ended {
            return Ok(tokens);
        }
        at += length;
    }
}

fn token(rest: &str) -> Result<(TokenKind<'_>, usize), String> {
    let Some(first) = rest.chars().next() else { return Ok((TokenKind::End, 0)) };
    if first.is_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(rest.len());
        return Ok((TokenKind::Word(&rest[..length]), length));
    }
    if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
        let length = number(rest.as_bytes());
        return Ok((TokenKind::Number(&rest[..length]), length));
    }
    match first {
        '\'' => {
            let (text, length) = quoted(rest, '\'').ok_or("this text has no closing quote")?;
            if text.contains('\\') {
                return Err("databases read a backslash in a text differently: a filter cannot have one".to_owned());
            }
            return Ok((TokenKind::Text(text), length));
        }
        '"' | '`' | '[' => {
            let end = if first == '[' { ']' } else { first };
            let (name, length) = quoted(rest, end).ok_or("this name has no closing quote")?;
            return Ok((TokenKind::Quoted(name), length));
        }
        _ => {}
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    let sign = sign.ok_or_else(|| format!("`{first}` has no place in a filter"))?;
    Ok((TokenKind::Sign(sign), sign.len()))
}

/// How long a number is: digits, a point, an exponent.
fn number(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits((length + 1 + sign).min(bytes.len()));
        length += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    length
}

/// What stands between quotes, a doubled one standing for itself, and how long it is with them.
fn quoted(rest: &str, end: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != end {
            text.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == end) {
            text.push(end);
            letters.next();
        } else {
            return Some((text, at + end.len_utf8()));
        }
    }
    None
}

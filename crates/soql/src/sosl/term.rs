//! What a search term asks for (soql.md 9): words, phrases, `AND`, `OR`, `AND NOT`, parentheses, wildcards.

use super::Term;
use crate::{ErrorKind, MAX_DEPTH, ParseError, ast::LikePart};

/// A term longer than this finds nothing.
pub const MAX_TERM: usize = 10_000;

/// In a term longer than this the operators do not count: any of its words will do.
pub const MAX_LOGICAL_TERM: usize = 4_000;

/// What a term asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermQuery {
    /// All of these; at least two.
    All(Vec<TermQuery>),
    /// One of these; at least two.
    Any(Vec<TermQuery>),
    /// The first and not the second.
    Without(Box<TermQuery>, Box<TermQuery>),
    /// A word: text, `*` for anything, `?` for one character.
    Word(Vec<LikePart>),
    /// Words in double quotes, one behind the other.
    Phrase(Vec<LikePart>),
}

impl Term {
    /// What is asked for; none where it is too long to find anything, or a bind variable.
    ///
    /// The place of an error is one within the term.
    pub fn query(&self) -> Result<Option<TermQuery>, ParseError> {
        match self {
            Self::Braces { text, .. } | Self::Quoted { text, .. } => TermQuery::parse(text),
            Self::Bind(_) => Ok(None),
        }
    }
}

impl TermQuery {
    /// Reads the text of a term; none where it is too long to find anything.
    ///
    /// ```
    /// use tombolo_soql::{ast::LikePart, sosl::TermQuery};
    ///
    /// let Some(TermQuery::Without(wanted, _)) = TermQuery::parse("sea* AND NOT \"deep sea\"")? else { panic!() };
    /// assert_eq!(*wanted, TermQuery::Word(vec![LikePart::Text("sea".to_owned()), LikePart::Any]));
    /// # Ok::<(), tombolo_soql::ParseError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Option<Self>, ParseError> {
        let length = text.chars().count();
        if length > MAX_TERM {
            return Ok(None);
        }
        let mut reader = Reader { text, pieces: pieces(text)?, at: 0, depth: 0 };
        if length > MAX_LOGICAL_TERM {
            return Ok(reader.any_word());
        }
        let query = reader.any()?;
        match reader.pieces.get(reader.at) {
            None => Ok(Some(query)),
            Some(_) => Err(reader.unexpected("a word")),
        }
    }
}

/// A piece of a term and where it stands.
struct Piece {
    start: usize,
    kind: PieceKind,
}

enum PieceKind {
    Open,
    Close,
    And,
    Or,
    Not,
    Word(Vec<LikePart>),
    Phrase(Vec<LikePart>),
}

fn pieces(text: &str) -> Result<Vec<Piece>, ParseError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(char) = text[at..].chars().next() {
        let start = at;
        let kind = match char {
            _ if char.is_whitespace() => {
                at += char.len_utf8();
                continue;
            }
            '(' | ')' => {
                at += 1;
                if char == '(' { PieceKind::Open } else { PieceKind::Close }
            }
            '"' => {
                let (parts, length) = word(&text[at + 1..], |char| char == '"');
                at += 1 + length;
                if !text[at..].starts_with('"') {
                    return Err(ParseError::new(text, start, ErrorKind::OpenString));
                }
                at += 1;
                PieceKind::Phrase(parts)
            }
            _ => {
                let (parts, length) = word(&text[at..], |char| char.is_whitespace() || matches!(char, '(' | ')' | '"'));
                at += length;
                operator(&text[start..at]).unwrap_or(PieceKind::Word(parts))
            }
        };
        pieces.push(Piece { start, kind });
    }
    Ok(pieces)
}

fn operator(word: &str) -> Option<PieceKind> {
    let is = |operator: &str| word.eq_ignore_ascii_case(operator);
    match () {
        () if is("AND") => Some(PieceKind::And),
        () if is("OR") => Some(PieceKind::Or),
        () if is("NOT") => Some(PieceKind::Not),
        () => None,
    }
}

/// The text up to where it ends, its escapes resolved, and how many bytes that is.
fn word(text: &str, ends: impl Fn(char) -> bool) -> (Vec<LikePart>, usize) {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut chars = text.char_indices();
    let mut length = text.len();
    while let Some((at, char)) = chars.next() {
        let wildcard = match char {
            _ if ends(char) => {
                length = at;
                break;
            }
            '*' => LikePart::Any,
            '?' => LikePart::One,
            '\\' => {
                plain.push(chars.next().map_or('\\', |(_, escaped)| escaped));
                continue;
            }
            _ => {
                plain.push(char);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(LikePart::Text(std::mem::take(&mut plain)));
        }
        parts.push(wildcard);
    }
    if !plain.is_empty() {
        parts.push(LikePart::Text(plain));
    }
    (parts, length)
}

struct Reader<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn any_word(self) -> Option<TermQuery> {
        let words = self.pieces.into_iter().filter_map(|piece| match piece.kind {
            PieceKind::Word(parts) => Some(TermQuery::Word(parts)),
            PieceKind::Phrase(parts) => Some(TermQuery::Phrase(parts)),
            _ => None,
        });
        one_or(words.collect(), TermQuery::Any)
    }

    fn take(&mut self, is: impl Fn(&PieceKind) -> bool) -> bool {
        let taken = self.pieces.get(self.at).is_some_and(|piece| is(&piece.kind));
        self.at += usize::from(taken);
        taken
    }

    fn any(&mut self) -> Result<TermQuery, ParseError> {
        let mut queries = vec![self.all()?];
        while self.take(|kind| matches!(kind, PieceKind::Or)) {
            queries.push(self.all()?);
        }
        one_or(queries, TermQuery::Any).ok_or_else(|| self.unexpected("a word"))
    }

    /// `AND` may be left out between words.
    fn all(&mut self) -> Result<TermQuery, ParseError> {
        let mut wanted = vec![self.unit()?];
        let mut unwanted = Vec::new();
        loop {
            if self.take(|kind| matches!(kind, PieceKind::And)) {
                let list = if self.take(|kind| matches!(kind, PieceKind::Not)) { &mut unwanted } else { &mut wanted };
                list.push(self.unit()?);
            } else if self.take(|kind| matches!(kind, PieceKind::Not)) {
                unwanted.push(self.unit()?);
            } else if self.begins_unit() {
                wanted.push(self.unit()?);
            } else {
                break;
            }
        }
        let Some(wanted) = one_or(wanted, TermQuery::All) else { return Err(self.unexpected("a word")) };
        Ok(match one_or(unwanted, TermQuery::Any) {
            Some(unwanted) => TermQuery::Without(Box::new(wanted), Box::new(unwanted)),
            None => wanted,
        })
    }

    fn begins_unit(&self) -> bool {
        let kind = self.pieces.get(self.at).map(|piece| &piece.kind);
        matches!(kind, Some(PieceKind::Open | PieceKind::Word(_) | PieceKind::Phrase(_)))
    }

    fn unit(&mut self) -> Result<TermQuery, ParseError> {
        let Some(piece) = self.pieces.get_mut(self.at) else { return Err(self.unexpected("a word")) };
        let start = piece.start;
        let query = match &mut piece.kind {
            PieceKind::Word(parts) => TermQuery::Word(std::mem::take(parts)),
            PieceKind::Phrase(parts) => TermQuery::Phrase(std::mem::take(parts)),
            PieceKind::Open => return self.group(start),
            _ => return Err(self.unexpected("a word")),
        };
        self.at += 1;
        Ok(query)
    }

    fn group(&mut self, start: usize) -> Result<TermQuery, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(ParseError::new(self.text, start, ErrorKind::TooDeep));
        }
        self.at += 1;
        self.depth += 1;
        let query = self.any()?;
        self.depth -= 1;
        if !self.take(|kind| matches!(kind, PieceKind::Close)) {
            return Err(self.unexpected("a word, AND, OR or `)`"));
        }
        Ok(query)
    }

    fn unexpected(&self, expected: &'static str) -> ParseError {
        let start = self.pieces.get(self.at).map_or(self.text.len(), |piece| piece.start);
        let end = self.pieces.get(self.at + 1).map_or(self.text.len(), |piece| piece.start);
        let found = self.text[start..end.max(start)].trim_end().chars().take(40).collect();
        ParseError::new(self.text, start, ErrorKind::Unexpected { expected, found })
    }
}

/// The only one, or all of them put together; none of none.
fn one_or(mut queries: Vec<TermQuery>, put: impl Fn(Vec<TermQuery>) -> TermQuery) -> Option<TermQuery> {
    if queries.len() > 1 { Some(put(queries)) } else { queries.pop() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &TermQuery) -> String {
        let joined = |queries: &[TermQuery], word: &str| {
            format!("({})", queries.iter().map(shown).collect::<Vec<_>>().join(word))
        };
        let parts = |parts: &[LikePart]| parts.iter().map(ToString::to_string).collect::<String>();
        match query {
            TermQuery::All(queries) => joined(queries, " & "),
            TermQuery::Any(queries) => joined(queries, " | "),
            TermQuery::Without(wanted, unwanted) => format!("({} - {})", shown(wanted), shown(unwanted)),
            TermQuery::Word(word) => parts(word),
            TermQuery::Phrase(words) => format!("\"{}\"", parts(words)),
        }
    }

    #[track_caller]
    fn check(term: &str, expect: &str) {
        let found = match TermQuery::parse(term) {
            Ok(query) => query.map_or_else(String::new, |query| shown(&query)),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect, "{term}");
    }

    #[test]
    fn terms() {
        check("joe", "joe");
        check("Joe Smith", "(Joe & Smith)");
        check("Joe Sm?th*", "(Joe & Sm_th%)");
        check(r#""and" or "or""#, r#"("and" | "or")"#);
        check(r#"a AND ("b c" OR d)"#, r#"(a & ("b c" | d))"#);
        check("a AND NOT b OR c", "((a - b) | c)");
        check("a and not b and not c d", "((a & d) - (b | c))");
        check(r"hello \} wo\*rld \\", r"(hello & } & wo*rld & \\)");
        check("o'brien-x", r"o\'brien-x");
        check(r#""a \" b*""#, r#""a " b%""#);
    }

    #[test]
    fn terms_that_say_nothing() {
        check("", "line 1, column 1: expected a word, found the end of the query");
        check("a AND", "line 1, column 6: expected a word, found the end of the query");
        check("OR b", "line 1, column 1: expected a word, found `OR`");
        check("(a", "line 1, column 3: expected a word, AND, OR or `)`, found the end of the query");
        check("a )", "line 1, column 3: expected a word, found `)`");
        check("a \"b", "line 1, column 3: this string has no closing quote");
        check(&"(".repeat(200), "line 1, column 129: too many parentheses, functions or queries inside each other");
    }

    #[test]
    fn long_terms_lose_their_operators_and_longer_ones_find_nothing() {
        check(&format!("a AND (b OR {}", " ".repeat(MAX_LOGICAL_TERM)), "(a | b)");
        check(&"a ".repeat(MAX_TERM), "");
    }
}

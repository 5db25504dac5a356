//! A search term as a query of the full-text index.

use rusqlite::Connection;
use tombolo_schema::ErrorCode;
use tombolo_soql::{
    ast::LikePart,
    sosl::{FieldGroup, TermQuery},
};

use crate::core::record::{Fault, Result};

/// The index takes queries no deeper than this.
const MAX_DEPTH: usize = 30;
/// A word with wildcards stands for at most so many words.
const MAX_WORDS: usize = 1000;
/// A word that is in no text.
const NEVER: &str = "\"\u{e001}\"";

/// The query in the index's own language; none if there is no word in it.
pub(super) fn text(connection: &Connection, query: &TermQuery, group: FieldGroup) -> Result<Option<String>> {
    let Some(text) = (Writer { connection }).query(query, 0)? else { return Ok(None) };
    Ok(Some(match group {
        FieldGroup::All | FieldGroup::Sidebar => text,
        group => format!("{{{}}} : ({text})", group.as_str().to_ascii_lowercase()),
    }))
}

struct Writer<'a> {
    connection: &'a Connection,
}

impl Writer<'_> {
    fn query(&self, query: &TermQuery, depth: usize) -> Result<Option<String>> {
        if depth > MAX_DEPTH {
            let text = "The search term is too complicated: too many parentheses inside each other";
            return Err(Fault::new(ErrorCode::MalformedSearch, text).into());
        }
        match query {
            TermQuery::All(queries) => self.joined(queries, " AND ", depth),
            TermQuery::Any(queries) => self.joined(queries, " OR ", depth),
            TermQuery::Without(wanted, unwanted) => {
                let (wanted, unwanted) = (self.query(wanted, depth + 1)?, self.query(unwanted, depth + 1)?);
                Ok(match (wanted, unwanted) {
                    (Some(wanted), Some(unwanted)) => Some(format!("({wanted}) NOT ({unwanted})")),
                    (wanted, _) => wanted,
                })
            }
            TermQuery::Word(parts) | TermQuery::Phrase(parts) => self.words(parts),
        }
    }

    fn joined(&self, queries: &[TermQuery], word: &str, depth: usize) -> Result<Option<String>> {
        let mut texts = Vec::with_capacity(queries.len());
        for query in queries {
            texts.extend(self.query(query, depth + 1)?);
        }
        Ok(match texts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            _ => Some(format!("({})", texts.join(word))),
        })
    }

    /// Words one behind the other, of which the last may be the beginning of one. With wildcards elsewhere they only
    /// have to be there all.
    fn words(&self, parts: &[LikePart]) -> Result<Option<String>> {
        let (plain, ending) = match parts {
            [LikePart::Text(text)] => (Some(text), ""),
            [LikePart::Text(text), LikePart::Any] => (Some(text), "*"),
            _ => (None, ""),
        };
        if let Some(text) = plain {
            let has_words = text.chars().any(char::is_alphanumeric);
            return Ok(has_words.then(|| format!("{}{ending}", quoted(text))));
        }
        let mut texts = Vec::new();
        for word in split(parts) {
            texts.push(self.like(&word)?);
        }
        Ok((!texts.is_empty()).then(|| format!("({})", texts.join(" AND "))))
    }

    /// The words of the index that are like this one.
    fn like(&self, word: &[LikePart]) -> Result<String> {
        if let [LikePart::Text(text)] = word {
            return Ok(quoted(text));
        }
        let prefix = match word.first() {
            Some(LikePart::Text(text)) => text.to_lowercase(),
            _ => String::new(),
        };
        let pattern: String = word.iter().map(pattern).collect();
        let sql = "SELECT term FROM _search_words WHERE term >= ?1 AND term < ?2 AND sf_like(term, ?3) LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let until = format!("{prefix}\u{10ffff}");
        let found = statement.query_map((&prefix, until, pattern, MAX_WORDS as i64), |row| row.get::<_, String>(0))?;
        let found: Vec<_> = found.map(|word| word.map(|word| quoted(&word))).collect::<rusqlite::Result<_>>()?;
        Ok(if found.is_empty() { NEVER.to_owned() } else { format!("({})", found.join(" OR ")) })
    }
}

/// A part as `sf_like` takes it.
fn pattern(part: &LikePart) -> String {
    match part {
        LikePart::Any => "%".to_owned(),
        LikePart::One => "_".to_owned(),
        LikePart::Text(text) => text.clone(),
    }
}

/// The words of a text with wildcards; those of wildcards only are none.
fn split(parts: &[LikePart]) -> Vec<Vec<LikePart>> {
    let mut words: Vec<Vec<LikePart>> = vec![Vec::new()];
    for part in parts {
        let LikePart::Text(text) = part else {
            if let Some(word) = words.last_mut() {
                word.push(part.clone());
            }
            continue;
        };
        for (at, piece) in text.split(|char: char| !char.is_alphanumeric()).enumerate() {
            if at > 0 {
                words.push(Vec::new());
            }
            if let Some(word) = words.last_mut().filter(|_| !piece.is_empty()) {
                word.push(LikePart::Text(piece.to_owned()));
            }
        }
    }
    words.retain(|word| word.iter().any(|part| matches!(part, LikePart::Text(_))));
    words
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

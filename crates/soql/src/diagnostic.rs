//! Places in a statement, and the way Salesforce shows them: excerpt, caret, row and column (soql.md 8).

/// A line and a column, both counted from one, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset; one past the end of the text is its end.
    pub fn of(source: &str, offset: usize) -> Self {
        let before = &source[..floor_boundary(source, offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: 1 + before.bytes().filter(|&b| b == b'\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}

fn floor_boundary(source: &str, offset: usize) -> usize {
    let offset = offset.min(source.len());
    (0..=offset).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0)
}

/// How far the excerpt reaches back from the place, before it goes on to the start of the word.
const BACK: usize = 30;
/// How far it reaches on, before it goes on to the end of the word.
const FORWARD: usize = 31;

/// A message about a place in a query as Salesforce writes it: a line break, the words around the place, a caret
/// under it, `ERROR at Row:1:Column:8` and the text.
///
/// Blank lines before the query are not counted in the row. Line breaks inside the excerpt become blanks.
///
/// ```
/// let message = tombolo_soql::excerpt("SELECT Nme FROM Account", 7, "No such column");
/// assert_eq!(message, "\nSELECT Nme FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column");
/// ```
pub fn excerpt(query: &str, offset: usize, text: &str) -> String {
    let offset = floor_boundary(query, offset);
    let position = Position::of(query, offset);
    let blank = query.len() - query.trim_start().len();
    let blank_lines = query[..blank.min(offset)].bytes().filter(|&b| b == b'\n').count();
    let (before, after) = query.split_at(offset);
    let before = before.get(blank..).unwrap_or_default();
    let before = &before[word_start(before)..];
    let after = &after[..word_end(after)];
    let flat = |part: &str| part.replace(char::is_whitespace, " ");
    format!(
        "\n{}{}\n{}^\nERROR at Row:{}:Column:{}\n{text}",
        flat(before),
        flat(after),
        " ".repeat(before.chars().count()),
        position.line - blank_lines,
        position.column,
    )
}

/// The start of the word that stands about thirty characters before the end.
fn word_start(before: &str) -> usize {
    let mut chars = before.char_indices().rev();
    let Some((far, _)) = chars.nth(BACK - 1) else { return 0 };
    before[..far].char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
}

/// The end of the word that stands about thirty characters after the start.
fn word_end(after: &str) -> usize {
    let Some((far, _)) = after.char_indices().nth(FORWARD) else { return after.trim_end().len() };
    after[far..].find(char::is_whitespace).map_or(after.len(), |length| far + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, word: &str, shown: &str, caret: usize, place: &str) {
        let message = excerpt(query, query.find(word).unwrap(), "T");
        assert_eq!(message, format!("\n{shown}\n{}^\nERROR at {place}\nT", " ".repeat(caret)));
    }

    #[test]
    fn excerpts() {
        let lead = "select Id, Company,Email,LastName,SF_date__c, ConvertedContactId from Lead where IsDeleted = false";
        let shown = "select Id, Company,Email,LastName,SF_date__c, ConvertedContactId from";
        check(lead, "SF_date__c", shown, 34, "Row:1:Column:35");
        check("SELECT x FROM A", "x", "SELECT x FROM A", 7, "Row:1:Column:8");
        let long = "SELECT Id, Name, Phone, Website, Industry, Nope__c FROM Account";
        check(long, "Nope__c", "Name, Phone, Website, Industry, Nope__c FROM Account", 32, "Row:1:Column:44");
        check("\n\n SELECT\n  Nope FROM A", "Nope", "SELECT   Nope FROM A", 9, "Row:2:Column:3");
    }

    #[test]
    fn odd_offsets_are_answered() {
        for offset in 0..12 {
            assert!(excerpt(" é\n é", offset, "T").ends_with("\nT"));
        }
        assert!(excerpt("", 5, "T").contains("Row:1:Column:1"));
    }
}

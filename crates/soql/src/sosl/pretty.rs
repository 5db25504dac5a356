//! Tree to text for people: a clause a line.

use super::Search;
use crate::pretty::Page;

/// Lays out a search: each clause on a line of its own, and so each object where they do not fit in a line of this
/// many characters.
///
/// ```
/// use tombolo_soql::{Options, sosl};
///
/// let search = sosl::parse("find {a} in name fields returning Account(Id, Name), Contact", Options::default())?;
/// assert_eq!(
///     sosl::pretty(&search, 24),
///     "FIND {a}\nIN NAME FIELDS\nRETURNING\n  Account(Id, Name),\n  Contact"
/// );
/// # Ok::<(), tombolo_soql::ParseError>(())
/// ```
pub fn pretty(search: &Search, width: usize) -> String {
    let mut page = Page::new(width);
    page.write(&format!("FIND {}", search.term));
    if let Some(group) = search.group {
        page.line();
        page.write(&format!("IN {} FIELDS", group.as_str()));
    }
    if search.advanced {
        page.line();
        page.write("USING ADVANCED SEARCH");
    }
    returning(&mut page, search);
    search.with.iter().for_each(|with| page.clause("WITH", std::slice::from_ref(with)));
    page.clause("LIMIT", search.limit.as_slice());
    page.clause("UPDATE", &search.update);
    page.text
}

fn returning(page: &mut Page, search: &Search) {
    if search.returning.is_empty() {
        return;
    }
    page.line();
    page.write("RETURNING");
    let objects: Vec<_> = search.returning.iter().map(ToString::to_string).collect();
    let flat = format!(" {}", objects.join(", "));
    if page.fits(&flat) {
        return page.write(&flat);
    }
    page.indented(|page| {
        for (at, object) in objects.iter().enumerate() {
            page.line();
            page.write(object);
            page.write(if at + 1 < objects.len() { "," } else { "" });
        }
    });
}

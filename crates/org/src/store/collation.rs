//! How Salesforce compares text: without regard to case, in any script.

use std::cmp::Ordering;

use rusqlite::Connection;

/// The name in SQL.
pub(super) const NAME: &str = "SF";

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation(NAME, compare)
}

fn compare(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let lower = |text: &str| text.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
        return if a.eq_ignore_ascii_case(b) { Ordering::Equal } else { lower(a).cmp(&lower(b)) };
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count() {
        for (a, b, order) in [
            ("acme", "ACME", Ordering::Equal),
            ("Ärger", "ärger", Ordering::Equal),
            ("ΣΟΦΙΑ", "σοφια", Ordering::Equal),
            ("a", "B", Ordering::Less),
            ("Zebra", "apple", Ordering::Greater),
            ("ab", "a", Ordering::Greater),
            ("resume", "résumé", Ordering::Less),
        ] {
            assert_eq!(compare(a, b), order, "{a} {b}");
            assert_eq!(compare(b, a), order.reverse(), "{b} {a}");
        }
    }
}

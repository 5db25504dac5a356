//! LIKE as Salesforce means it: without regard to case in any script, `%` for anything, `_` for one character.

/// A pattern, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    fold: fn(char) -> char,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This character, in lower case where case does not count.
    Char(char),
    One,
    Any,
}

impl Pattern {
    /// Reads a pattern in which a backslash makes the next character stand for itself.
    pub(super) fn parse(text: &str) -> Self {
        Self::folded(text, lower)
    }

    /// The same for a field that tells `a` from `A`.
    pub(super) fn exact(text: &str) -> Self {
        Self::folded(text, |char| char)
    }

    fn folded(text: &str, fold: fn(char) -> char) -> Self {
        let mut pieces = Vec::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            pieces.push(match char {
                '%' if pieces.last() == Some(&Piece::Any) => continue,
                '%' => Piece::Any,
                '_' => Piece::One,
                '\\' => Piece::Char(fold(chars.next().unwrap_or('\\'))),
                _ => Piece::Char(fold(char)),
            });
        }
        Self { pieces, fold }
    }

    /// Whether the whole text is like this. Goes back to the last `%` only, so time is at worst length × length.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Self { pieces, fold } = self;
        let (mut at, mut rest) = (0, text.chars());
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            let char = rest.next();
            match (pieces.get(at), char) {
                (None, None) => return true,
                (Some(Piece::Any), _) => {
                    at += 1;
                    rest = before.clone();
                    retry = Some((at, before));
                }
                (Some(Piece::One), Some(_)) => at += 1,
                (Some(Piece::Char(wanted)), Some(found)) if *wanted == fold(found) => at += 1,
                _ => {
                    // The `%` swallows one character more.
                    let Some((from, mut tail)) = retry.take() else { return false };
                    if tail.next().is_none() {
                        return false;
                    }
                    (at, rest) = (from, tail.clone());
                    retry = Some((from, tail));
                }
            }
        }
    }
}

/// The character in lower case, where that is one character.
fn lower(char: char) -> char {
    let mut lower = char.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_like_what() {
        for (pattern, text, expect) in [
            ("", "", true),
            ("", "a", false),
            ("acme", "ACME", true),
            ("acme", "acme ", false),
            ("a%", "A", true),
            ("a%", "ba", false),
            ("%b%", "abc", true),
            ("a_c", "aéc", true),
            ("a_c", "ac", false),
            ("%a%b", "xaxxb", true),
            ("%a%b", "xaxxbx", false),
            ("%%", "", true),
            ("ÄRGER%", "ärgerlich", true),
            (r"50\%", "50%", true),
            (r"50\%", "500", false),
            (r"a\_b", "a_b", true),
            (r"a\_b", "axb", false),
            (r"a\\b", r"a\b", true),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(text), expect, "{pattern} {text}");
        }
        assert!(Pattern::exact("a%").matches("ab") && !Pattern::exact("a%").matches("Ab"));
    }

    proptest! {
        #[test]
        fn text_is_like_its_own_pieces(before in ".{0,8}", middle in ".{0,8}", after in ".{0,8}") {
            let escaped: String = middle.chars().flat_map(|c| ['\\', c]).collect();
            let text = format!("{before}{middle}{after}");
            let pattern = Pattern::parse(&format!("%{escaped}%"));
            prop_assert!(pattern.matches(&text));
        }
    }
}

//! What an automation makes of a value.

/// A change that an automation makes to what is written into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rewrite {
    /// Capital letters.
    Upper,
    /// Small letters.
    Lower,
    /// Without blanks at both ends, and with one where there are several.
    Trim,
    /// This text behind it, unless it is there.
    Suffix(String),
    /// This text before it, unless it is there.
    Prefix(String),
    /// This value instead of it.
    Set(String),
}

impl Rewrite {
    /// Reads `upper`, `lower`, `trim`, `suffix TEXT`, `prefix TEXT`, `set VALUE`.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match (word, rest) {
            ("upper", "") => Some(Self::Upper),
            ("lower", "") => Some(Self::Lower),
            ("trim", "") => Some(Self::Trim),
            ("suffix", text) if !text.is_empty() => Some(Self::Suffix(text.to_owned())),
            ("prefix", text) if !text.is_empty() => Some(Self::Prefix(text.to_owned())),
            ("set", text) => Some(Self::Set(text.to_owned())),
            _ => None,
        }
    }

    /// What becomes of a text.
    pub(crate) fn of(&self, text: &str) -> String {
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Trim => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Suffix(end) if !text.ends_with(end.as_str()) => format!("{text}{end}"),
            Self::Prefix(start) if !text.starts_with(start.as_str()) => format!("{start}{text}"),
            Self::Suffix(_) | Self::Prefix(_) => text.to_owned(),
            Self::Set(value) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rewritten_once() {
        for (how, given, expected) in [
            ("upper", "aß", "ASS"),
            ("lower", "AB", "ab"),
            ("trim", " a  b ", "a b"),
            ("suffix  (x)", "a", "a (x)"),
            ("prefix x-", "a", "x-a"),
            ("set 7", "a", "7"),
        ] {
            let rewrite = Rewrite::parse(how).unwrap();
            assert_eq!(rewrite.of(given), expected, "{how}");
            assert_eq!(rewrite.of(expected), expected, "{how} again");
        }
        for how in ["", "shout", "suffix", "upper x"] {
            assert_eq!(Rewrite::parse(how), None, "{how}");
        }
    }
}

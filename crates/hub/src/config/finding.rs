//! What is wrong with a file, or worth knowing about it: each with its place, and what might be meant.

use std::{error, fmt};

use serde::Serialize;

use super::Place;
use crate::Error;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used; this may not be what was meant.
    Warning,
}

/// One thing that is wrong with a file, or worth knowing about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What it is.
    pub message: String,
    /// What might be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// Says what might be done about it.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    /// Offers the name that was probably meant, if there is one.
    pub(crate) fn did_you_mean(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.hint(format!("did you mean `{name}`?"));
        }
    }
}

/// Everything that was found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    file: String,
    list: Vec<Finding>,
}

impl Findings {
    /// Nothing yet, in this file.
    pub(crate) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), list: Vec::new() }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Error, place, message.into())
    }

    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, place, message.into())
    }

    fn add(&mut self, severity: Severity, place: Place, message: String) -> &mut Finding {
        self.list.push(Finding { severity, place, message, hint: None });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// The file, as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What was found, in the order of the file.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.list.iter().collect();
        all.sort_by_key(|finding| (finding.place, finding.severity));
        all
    }

    /// How many of this kind.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether the file cannot be used.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A line for each finding: `tombolo.yaml:3:5: error: …`, and its hint under it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Finding { severity, place, message, hint } in self.sorted() {
            let word = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            lines.push(format!("{}:{place}: {word}: {message}", self.file));
            lines.extend(hint.iter().map(|hint| format!("  hint: {hint}")));
        }
        lines
    }
}

/// How much was found: `tombolo.yaml: 2 errors, 1 warning`.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            many => Some(format!("{many} {word}s")),
        };
        let parts = [(Severity::Error, "error"), (Severity::Warning, "warning")];
        let parts: Vec<String> =
            parts.into_iter().filter_map(|(severity, word)| counted(self.count(severity), word)).collect();
        let text = if parts.is_empty() { "nothing to complain of".to_owned() } else { parts.join(", ") };
        write!(f, "{}: {text}", self.file)
    }
}

impl error::Error for Findings {}

impl From<Findings> for Error {
    fn from(findings: Findings) -> Self {
        Self::usage(findings.to_string()).with_source(findings)
    }
}

/// The name among these that is most like the one that was written.
pub(crate) fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(written);
    let near = names.into_iter().map(|name| (distance(&wanted, &plain(name)), name));
    near.filter(|(steps, name)| *steps <= 1 + name.chars().count() / 4).min().map(|(_, name)| name)
}

/// Single-character edits between two words; two letters that changed places are one.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for i in 0..one.len() {
        let mut next = vec![i + 1];
        for j in 0..other.len() {
            let swapped = i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j];
            let changed = row[j] + usize::from(one[i] != other[j]);
            let steps = changed.min(row[j + 1] + 1).min(next[j] + 1);
            next.push(if swapped { steps.min(before[j - 1] + 1) } else { steps });
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered() {
        let names = ["conflict_resolution", "connections", "external_id", "Email", "filter", "key"];
        for (written, expected) in [
            ("conflict-resolution", Some("conflict_resolution")),
            ("conection", Some("connections")),
            ("externalId", Some("external_id")),
            ("Emial", Some("Email")),
            ("fliter", Some("filter")),
            ("keys", Some("key")),
            ("nothing_like_it", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), expected, "{written}");
        }
    }
}

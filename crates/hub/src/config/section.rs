//! A block of keys: which there may be, and what their values are read as. Whatever is wrong is a finding, and reading
//! goes on.

use std::time::Duration;

use super::{
    At, Findings, Place, amount,
    finding::nearest,
    tree::{Kind, Node, Scalar},
};

/// A block of keys.
pub(super) struct Section<'n> {
    /// What it is, for messages: "a mapping".
    pub(super) what: String,
    /// Where it begins.
    pub(super) place: Place,
    entries: Vec<(&'n At<String>, &'n Node)>,
}

impl<'n> Section<'n> {
    /// Reads a block that may have these keys.
    pub(super) fn read(
        node: &'n Node,
        what: impl Into<String>,
        known: &[&str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let what = what.into();
        let entries = match &node.kind {
            Kind::Map(entries) => entries,
            _ => {
                findings.error(node.place, format!("{what} is keys and values, not {}", node.word()));
                return None;
            }
        };
        let mut section = Self { what, place: node.place, entries: Vec::new() };
        for (key, value) in entries {
            if !known.contains(&key.value.as_str()) {
                let finding = findings.error(key.place, format!("{} has no key `{}`", section.what, key.value));
                match nearest(&key.value, known.iter().copied()) {
                    Some(near) => finding.did_you_mean(Some(near)),
                    None => finding.hint(format!("its keys are {}", known.join(", "))),
                }
            } else if section.entry(&key.value).is_some() {
                findings.error(key.place, format!("`{}` stands twice", key.value));
            } else {
                section.entries.push((key, value));
            }
        }
        Some(section)
    }

    /// A key and its value.
    pub(super) fn entry(&self, key: &str) -> Option<(&'n At<String>, &'n Node)> {
        self.entries.iter().find(|(known, _)| known.value == key).copied()
    }

    /// The value of a key, unless there is none or it is blank.
    pub(super) fn value(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|(_, node)| node).filter(|node| !matches!(node.kind, Kind::Null))
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str, findings: &mut Findings) -> Option<&'n Node> {
        let value = self.value(key);
        if value.is_none() {
            let place = self.entry(key).map_or(self.place, |(key, _)| key.place);
            findings.error(place, format!("{} needs `{key}`", self.what));
        }
        value
    }

    /// A key of a later version of the program: fine as long as it asks for nothing.
    pub(super) fn not_yet(&self, key: &str, what: &str, findings: &mut Findings) {
        let Some((key, node)) = self.entry(key) else { return };
        let asks = match &node.kind {
            Kind::Null => false,
            Kind::Scalar(scalar) => scalar.text != "false",
            Kind::List(items) => !items.is_empty(),
            Kind::Map(entries) => !entries.is_empty(),
        };
        if asks {
            findings.error(key.place, format!("`{}` is not supported yet: {what}", key.value)).hint("leave it out");
        }
    }

    /// Text.
    pub(super) fn text(&self, key: &str, findings: &mut Findings) -> Option<At<String>> {
        text(self.value(key)?, key, findings)
    }

    /// Yes or no.
    pub(super) fn boolean(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        self.choice(key, &[("true", true), ("false", false)], findings).map(|at| at.value)
    }

    /// One of these words.
    pub(super) fn choice<T: Clone>(&self, key: &str, of: &[(&str, T)], findings: &mut Findings) -> Option<At<T>> {
        let text = self.text(key, findings)?;
        if let Some((_, meant)) = of.iter().find(|(word, _)| *word == text.value) {
            return Some(At::new(meant.clone(), text.place));
        }
        let words: Vec<&str> = of.iter().map(|(word, _)| *word).collect();
        wrong_word(key, &text, &words, findings);
        None
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str, at_least: u64, findings: &mut Findings) -> Option<u64> {
        let text = self.text(key, findings)?;
        let number = text.value.replace('_', "").parse::<u64>().ok().filter(|number| *number >= at_least);
        if number.is_none() {
            let message = format!("`{key}` is a whole number from {at_least} on, not `{}`", text.value);
            findings.error(text.place, message);
        }
        number
    }

    /// A length of time, with its unit.
    pub(super) fn duration(&self, key: &str, findings: &mut Findings) -> Option<Duration> {
        let text = self.text(key, findings)?;
        let read = amount::duration(&text.value);
        if read.is_none() {
            let message = format!("`{key}` is a length of time, not `{}`", text.value);
            findings.error(text.place, message).hint("with a unit: 300ms, 60s, 10m, 24h, 7d");
        }
        read
    }

    /// A share, in percent.
    pub(super) fn percent(&self, key: &str, findings: &mut Findings) -> Option<u32> {
        let text = self.text(key, findings)?;
        let read = amount::percent(&text.value);
        if read.is_none() {
            findings.error(text.place, format!("`{key}` is a share from 0% to 100%, not `{}`", text.value));
        }
        read
    }
}

/// A node that has to be a single value.
pub(super) fn scalar<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n Scalar> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar),
        _ => {
            findings.error(node.place, format!("`{what}` is a single value, not {}", node.word()));
            None
        }
    }
}

/// A node that has to be text. What is quoted stands behind its quote.
pub(super) fn text(node: &Node, what: &str, findings: &mut Findings) -> Option<At<String>> {
    let scalar = scalar(node, what, findings)?;
    let text = scalar.text.trim().to_owned();
    if text.is_empty() {
        findings.error(node.place, format!("`{what}` is empty"));
        return None;
    }
    let place = scalar.lines.first().map_or(node.place, |line| line.place);
    Some(At::new(text, place))
}

/// A word that is none of those that there may be.
pub(super) fn wrong_word(key: &str, text: &At<String>, words: &[&str], findings: &mut Findings) {
    let finding = findings.error(text.place, format!("`{key}` cannot be `{}`", text.value));
    match nearest(&text.value, words.iter().copied()) {
        Some(near) => finding.did_you_mean(Some(near)),
        None => finding.hint(format!("it is one of {}", words.join(", "))),
    }
}

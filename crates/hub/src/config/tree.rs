//! The file as a tree of YAML nodes, each with its place and its own text. What the keys mean is not known here.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    Location, Spanned,
    options::{DuplicateKeyPolicy, NonFiniteFloatPolicy},
};

use super::{At, Findings, Place};

/// A node of the file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing: `key:`, `~`, `null`.
    Null,
    /// Text, a number, a word.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order of the file.
    Map(Vec<(At<String>, Node)>),
}

/// A scalar: what it means, and how it is written.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    /// Its text.
    pub(super) text: String,
    /// The lines that it is written in, each where it stands. A folded block is one value, but many lines.
    pub(super) lines: Vec<At<String>>,
}

impl Node {
    /// What it is, for messages.
    pub(super) const fn word(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "keys and values",
        }
    }
}

/// Reads a file; what is no YAML is one finding.
pub(super) fn read(text: &str, findings: &mut Findings) -> Option<Node> {
    // Keys that stand twice are reported with what else is wrong, each in its place.
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Some(node(raw, text)),
        Err(error) => {
            let place = error.location().map_or(Place::START, |at| place_of(&at));
            findings.error(place, sentence(&error));
            None
        }
    }
}

/// The words of the parser without the place, which stands before them anyway.
fn sentence(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let words = text.split(" at line ").next().unwrap_or_default();
    let words = words.split("; use from_").next().unwrap_or_default();
    format!("this is not YAML: {words}")
}

fn place_of(at: &Location) -> Place {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
    Place { line: number(at.line()), column: number(at.column()) }
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let place = place_of(&raw.defined);
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Word => {
            let written = written(&raw.defined, text).trim().to_owned();
            Kind::Scalar(Scalar { lines: vec![At::new(written.clone(), place)], text: written })
        }
        Raw::Text(value) => Kind::Scalar(Scalar { lines: lines(&value, &raw.defined, text), text: value }),
        Raw::List(items) => Kind::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, _)| {
                let place = place_of(&key.referenced);
                (At::new(key.value, place), node(value, text))
            };
            Kind::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { place, kind }
}

/// The text of a node as it stands in the file.
fn written<'t>(at: &Location, text: &'t str) -> &'t str {
    let number = |number: Option<u64>| usize::try_from(number?).ok();
    let span = at.span();
    let range = number(span.byte_offset()).zip(number(span.byte_len()));
    range.and_then(|(start, length)| text.get(start..start + length)).unwrap_or_default()
}

/// The lines of a text. What is quoted is one line: its line breaks are not those of the file.
fn lines(value: &str, at: &Location, text: &str) -> Vec<At<String>> {
    let place = place_of(at);
    let written = written(at, text);
    if written.starts_with(['"', '\'']) {
        return vec![At::new(value.to_owned(), place.right(1))];
    }
    let mut lines = Vec::new();
    for (number, line) in written.lines().enumerate() {
        let place = if number == 0 { place } else { Place { line: place.line + number, column: 1 } };
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        lines.push(At::new(line.trim().to_owned(), place.right(indent)));
    }
    lines
}

/// A node as the deserializer gives it.
enum Raw {
    Null,
    /// A number or a yes or no: its text is taken from the file, as it is written there.
    Word,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _yes: bool) -> Result<Raw, E> {
        Ok(Raw::Word)
    }

    fn visit_i64<E>(self, _number: i64) -> Result<Raw, E> {
        Ok(Raw::Word)
    }

    fn visit_u64<E>(self, _number: u64) -> Result<Raw, E> {
        Ok(Raw::Word)
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Raw, E> {
        Ok(Raw::Word)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

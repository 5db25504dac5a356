//! Metadata files: an element tree, no more.

use quick_xml::{Reader, events::Event};
use serde_json::Value;

/// An element: its local name, its text, what stands in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Element {
    pub(super) name: String,
    text: String,
    pub(super) children: Vec<Element>,
}

/// Deeper than any metadata file goes.
const DEEPEST: usize = 64;

impl Element {
    /// The document's root element.
    pub(super) fn parse(xml: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(xml);
        // The outermost is no element: what the root ends up in.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|e| e.to_string())? {
                Event::Start(start) => {
                    if open.len() > DEEPEST {
                        return Err("nested too deeply".to_owned());
                    }
                    open.push(Self::named(start.local_name().as_ref()));
                }
                Event::Empty(start) => {
                    let element = Self::named(start.local_name().as_ref());
                    last(&mut open)?.children.push(element);
                }
                Event::End(_) => {
                    let done = open.pop().ok_or("an end without a beginning")?;
                    last(&mut open)?.children.push(done);
                }
                Event::Text(text) => last(&mut open)?.text.push_str(&text.xml10_content()),
                Event::CData(text) => last(&mut open)?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let entity = format!("&{};", &*reference);
                    let plain = quick_xml::escape::unescape(&entity).map_err(|e| e.to_string())?;
                    last(&mut open)?.text.push_str(&plain);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(mut outermost), true) => outermost.children.pop().ok_or_else(|| "it is empty".to_owned()),
            _ => Err("it ends in the middle of an element".to_owned()),
        }
    }

    /// The element that a JSON value stands for: what the Metadata API writes as XML, the Tooling API writes as JSON.
    pub(super) fn from_json(name: &str, value: &Value) -> Self {
        let mut element = Self::named(name);
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::Null => {}
                        Value::Array(values) => {
                            element.children.extend(values.iter().map(|value| Self::from_json(name, value)));
                        }
                        value => element.children.push(Self::from_json(name, value)),
                    }
                }
            }
            Value::String(text) => element.text.clone_from(text),
            Value::Null => {}
            other => element.text = other.to_string(),
        }
        element
    }

    /// Puts children in the place of those of the same names.
    pub(super) fn overlay(&mut self, changes: Self) {
        self.children.retain(|child| !changes.children.iter().any(|change| change.name == child.name));
        self.children.extend(changes.children);
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The trimmed text of a child; none if it is empty or not there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::own_text).filter(|text| !text.is_empty())
    }

    pub(super) fn own_text(&self) -> &str {
        self.text.trim()
    }

    /// Whether a child says `true`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A child's number.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }
}

fn last(open: &mut [Element]) -> Result<&mut Element, String> {
    open.last_mut().ok_or_else(|| "an end without a beginning".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_and_texts() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?><a xmlns='x'><!-- c --><b> 1 &lt; 2 &#38; 3 </b><b/><c><![CDATA[<d>]]></c></a>",
        )
        .unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.text("b"), Some("1 < 2 & 3"));
        assert_eq!(root.all("b").count(), 2);
        assert_eq!(root.text("c"), Some("<d>"));
        assert_eq!(root.text("d"), None);
    }

    #[test]
    fn what_is_no_document() {
        for text in ["", "<a>", "<a></b>", "</a>", "<a>&nonsense;</a>", "text"] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[<>/a-c&;\"' !\\[\\]-]{0,40}") {
            let _ = Element::parse(&text);
        }
    }
}

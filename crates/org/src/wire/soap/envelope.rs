//! SOAP envelopes. Clients choose prefixes as they like, hyphens included, so names are read by namespace and local name.

use quick_xml::{
    NsReader,
    escape::escape,
    events::{BytesRef, BytesStart, Event},
    name::{Namespace, ResolveResult},
};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Deeper than any request of these APIs.
const MAX_DEPTH: usize = 32;

/// An element with its text and children, under local names.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }

    /// The texts of all children of this name.
    pub(crate) fn texts_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.children.iter().filter(move |child| child.name == name).map(|child| child.text.trim())
    }
}

/// A request: its headers and the operation in its body.
#[derive(Debug, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) headers: Element,
    pub(crate) operation: Element,
}

/// Reads an envelope, or says what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Envelope, String> {
    let root = tree(text)?;
    if root.name != "Envelope" || root.namespace != SOAP {
        return Err("The root element is no SOAP 1.1 Envelope".to_owned());
    }
    let body = root.children.iter().find(|child| child.name == "Body" && child.namespace == SOAP);
    let operation = body.and_then(|body| body.children.first()).ok_or("The envelope has no operation in its Body")?;
    Ok(Envelope { operation: operation.clone(), headers: root.child("Header").cloned().unwrap_or_default() })
}

/// The element that a document is.
fn tree(text: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(text.trim_start());
    let mut open: Vec<Element> = Vec::new();
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| format!("Malformed XML: {error}"))?;
        let finished = match event {
            Event::Start(start) => {
                open.push(element(&namespace, &start)?);
                if open.len() > MAX_DEPTH {
                    return Err("The elements are nested too deep".to_owned());
                }
                None
            }
            Event::Empty(start) => Some(element(&namespace, &start)?),
            Event::End(_) => open.pop(),
            Event::Text(text) => add_text(&mut open, &text.xml10_content()),
            Event::CData(text) => add_text(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => add_text(&mut open, &resolved(&reference)?),
            Event::DocType(_) => return Err("A document type is not allowed in SOAP".to_owned()),
            Event::Eof => return Err("The XML document ends early".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
        };
        match (finished, open.last_mut()) {
            (Some(element), Some(parent)) => parent.children.push(element),
            (Some(root), None) => return Ok(root),
            (None, _) => {}
        }
    }
}

fn element(namespace: &ResolveResult<'_>, start: &BytesStart<'_>) -> Result<Element, String> {
    let namespace = match namespace {
        ResolveResult::Bound(Namespace(uri)) => (*uri).to_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(_) => return Err("An element has a prefix that is not declared".to_owned()),
    };
    Ok(Element { name: start.local_name().into_inner().to_owned(), namespace, ..Element::default() })
}

fn add_text(open: &mut [Element], text: &str) -> Option<Element> {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
    None
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, String> {
    let unknown = || "An entity is not known".to_owned();
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(character.to_string());
    }
    let text = match &*reference.xml10_content() {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => return Err(unknown()),
    };
    Ok(text.to_owned())
}

/// Writes elements in their order; the names are ours, the texts are escaped.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(text)));
        self
    }

    pub(crate) fn nil(mut self, name: &str) -> Self {
        self.0.push_str(&format!("<{name} xsi:nil=\"true\"/>"));
        self
    }

    pub(crate) fn parent(mut self, name: &str, children: Self) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", children.0));
        self
    }

    pub(crate) fn append(mut self, others: Self) -> Self {
        self.0.push_str(&others.0);
        self
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(prefix: &str, body: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<{prefix}:Envelope xmlns:{prefix}=\"{SOAP}\"><{prefix}:Body>{body}</{prefix}:Body></{prefix}:Envelope>"
        )
    }

    #[test]
    fn prefixes_do_not_matter() {
        for (prefix, body) in [
            ("se", r#"<login xmlns="urn:partner.soap.sforce.com"><username>a&amp;b</username></login>"#),
            (
                "soap-env",
                r#"<ns0:login xmlns:ns0="urn:partner.soap.sforce.com"><ns0:username>a&#38;b</ns0:username></ns0:login>"#,
            ),
            (
                "env",
                r#"<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username><![CDATA[a&b]]></n1:username></n1:login>"#,
            ),
        ] {
            let read = read(&envelope(prefix, body)).unwrap();
            assert_eq!(read.operation.name, "login");
            assert_eq!(read.operation.namespace, "urn:partner.soap.sforce.com");
            assert_eq!(read.operation.text_of("username"), "a&b");
        }
    }

    #[test]
    fn what_is_no_envelope() {
        let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let unbound = "<Envelope><Body><login/></Body></Envelope>".to_owned();
        let doctype = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", envelope("s", "<login/>"));
        let entity = envelope("s", "<login>&a;</login>");
        for text in
            ["", "x", "<a/>", "<a>", "<a></b>", &deep, &unbound, &envelope("s", ""), &doctype, &entity, "<x:a/>"]
        {
            assert!(read(text).is_err(), "{}", text.chars().take(80).collect::<String>());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[<>/a&;:!\\[\\]\"= x?-]{0,60}") {
            let _ = read(&text);
        }
    }
}

//! SOAP answers as trees: element names without their prefixes, which differ from server to server.

use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesStart, Event},
};

/// What is nested deeper than this is no answer of Salesforce.
const MAX_DEPTH: usize = 64;

/// An element: its local name, its text, its children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document. `None` if it is none.
    pub(crate) fn read(document: &[u8]) -> Option<Self> {
        let document = std::str::from_utf8(document).ok()?.trim_start_matches('\u{feff}').trim();
        let mut reader = Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() < MAX_DEPTH => open.push(Self::begun(&start)),
                Event::Start(_) => return None,
                Event::Empty(start) => open.last_mut()?.children.push(Self::begun(&start)),
                Event::End(_) => {
                    let element = open.pop()?;
                    open.last_mut()?.children.push(element);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(name) => {
                    let plain = unescape(&format!("&{};", &*name)).ok()?.into_owned();
                    open.last_mut()?.text.push_str(&plain);
                }
                // What entities a document type defines is nobody's business here.
                Event::DocType(_) => return None,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let outermost = open.pop()?;
        outermost.children.into_iter().next().filter(|_| open.is_empty())
    }

    fn begun(start: &BytesStart<'_>) -> Self {
        Self { name: start.local_name().as_ref().to_owned(), ..Self::default() }
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name, unless it is empty.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text).filter(|text| !text.is_empty())
    }

    /// The first element of an envelope's body: the result of the call, or a fault.
    pub(crate) fn answer(&self) -> Option<&Self> {
        self.child("Body").filter(|_| self.name == "Envelope")?.children.first()
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The local name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The code and the text of a fault, if the document is one. The code loses its prefix (`sf:`), the text the code
/// that it repeats (metadata.md 4).
pub(crate) fn fault(document: &[u8]) -> Option<(String, String)> {
    let envelope = Element::read(document)?;
    let fault = envelope.answer().filter(|answer| answer.name() == "Fault")?;
    let code = fault.text_of("faultcode").unwrap_or_default();
    let code = code.rsplit(':').next().unwrap_or_default();
    let text = fault.text_of("faultstring").unwrap_or_default();
    let text = text.strip_prefix(code).and_then(|text| text.strip_prefix(':')).unwrap_or(text);
    Some((code.to_owned(), text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAULT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">
        <soapenv:Body><soapenv:Fault><faultcode>sf:INVALID_SESSION_ID</faultcode>
        <faultstring>INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal &amp; old</faultstring>
        <detail><sf:UnexpectedErrorFault/></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"#;

    #[test]
    fn faults() {
        let (code, text) = fault(FAULT.as_bytes()).unwrap();
        assert_eq!(code, "INVALID_SESSION_ID");
        assert_eq!(text, "Invalid Session ID found in SessionHeader: Illegal & old");
        for body in ["", "{}", "<html></html>", "<Envelope><Body><r/></Body></Envelope>", "<Envelope><Body>", "<a></b>"]
        {
            assert_eq!(fault(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn trees() {
        let text = "<p:a><b>x<![CDATA[&y]]></b><b/><c> </c></p:a>";
        let a = Element::read(text.as_bytes()).unwrap();
        assert_eq!((a.name(), a.text_of("b"), a.text_of("c"), a.all("b").count()), ("a", Some("x&y"), None, 2));
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert_eq!(Element::read(deep.as_bytes()), None);
        assert_eq!(Element::read(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), None);
    }

    proptest! {
        #[test]
        fn any_body_is_read(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = fault(&body);
        }
    }
}

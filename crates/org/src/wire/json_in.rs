//! Records from JSON: names and values as they were written, for the core to make sense of.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use tombolo_schema::ErrorCode;

use super::answer::Refusal;
use crate::core::record::{Input, RowInput};

/// A parent named by an external id is one level down; nothing is meant to be deeper.
const MAX_DEPTH: usize = 5;

/// A record of a request.
#[derive(Debug, Default)]
pub(crate) struct RecordIn {
    /// `attributes.type`, as written.
    pub(crate) object: Option<String>,
    /// `Id` or `id`, taken out of the fields.
    pub(crate) id: Option<Input>,
    pub(crate) row: RowInput,
}

/// The object whose members a text holds, as they stand.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The elements of an array, as they stand.
pub(crate) struct Elements<'a>(pub(crate) Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(InOrder)
    }
}

/// Reads JSON text; what is wrong with it is told as Salesforce's parser does, with its place.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        let what = whole.split(" at line ").next().unwrap_or_default();
        let message = format!("{what} at [line:{}, column:{}]", error.line(), error.column());
        Refusal::bad(ErrorCode::JsonParserError, message)
    })
}

/// Reads one record.
pub(crate) fn record(text: &str) -> Result<RecordIn, Refusal> {
    let Members(members) = parse(text)?;
    let mut record = RecordIn::default();
    for (name, raw) in members {
        if name == "attributes" {
            record.object = object_of(raw)?;
        } else if name.eq_ignore_ascii_case("id") {
            record.id = Some(input(raw, 0)?);
        } else {
            record.row.fields.push((name, input(raw, 0)?));
        }
    }
    Ok(record)
}

fn object_of(attributes: &RawValue) -> Result<Option<String>, Refusal> {
    let Some(Members(attributes)) = parse(attributes.get())? else { return Ok(None) };
    match attributes.into_iter().find(|(name, _)| name == "type") {
        Some((_, object)) => parse(object.get()),
        None => Ok(None),
    }
}

fn input(raw: &RawValue, depth: usize) -> Result<Input, Refusal> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => Input::Text(parse(text)?),
        Some(b'{') if depth >= MAX_DEPTH => {
            return Err(Refusal::bad(ErrorCode::JsonParserError, "The objects of a record are nested too deep"));
        }
        Some(b'{') => {
            let Members(members) = parse(text)?;
            let fields = members.into_iter().filter(|(name, _)| name != "attributes");
            Input::Nested(fields.map(|(name, raw)| Ok((name, input(raw, depth + 1)?))).collect::<Result<_, Refusal>>()?)
        }
        Some(b'[') => Input::List,
        Some(b't') => Input::Boolean(true),
        Some(b'f') => Input::Boolean(false),
        Some(b'n') => Input::Null,
        _ => Input::Number(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_keep_their_kind_and_numbers_their_spelling() {
        let text = r#"{"attributes":{"type":"Account","url":"/x"},"id":"001","Name":"Acmé","N":1.10,"B":true,"Z":null,"L":[1],
            "Owner":{"attributes":{"type":"User"},"Key__c":12345678901234567890}}"#;
        let record = record(text).unwrap();
        assert_eq!(record.object.as_deref(), Some("Account"));
        assert_eq!(record.id, Some(Input::Text("001".to_owned())));
        let expected = [
            ("Name", Input::Text("Acmé".to_owned())),
            ("N", Input::Number("1.10".to_owned())),
            ("B", Input::Boolean(true)),
            ("Z", Input::Null),
            ("L", Input::List),
            ("Owner", Input::Nested(vec![("Key__c".to_owned(), Input::Number("12345678901234567890".to_owned()))])),
        ];
        assert_eq!(record.row.fields, expected.map(|(name, value)| (name.to_owned(), value)).to_vec());
    }

    #[test]
    fn what_is_no_record() {
        for text in ["", "{", "[]", "1", "\"a\"", "{\"a\":}", "{\"a\":1,}", "{\"attributes\":3}", "{\"a\":1} x"] {
            assert!(record(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(record(&deep).is_err());
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let _ = record(&deep);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[\\[\\]{}:,\"a-c0-9 .eE+tfn-]{0,40}") {
            let _ = record(&text);
        }
    }
}

//! A record: the object it belongs to, and its fields in the order of the answer.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::{Map, Value, json};

/// Field values by name, as JSON: what a create or an update writes.
pub type Fields = Map<String, Value>;

/// A record. Fields come in the order of the answer; `attributes` is not one of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    object: String,
    url: Option<String>,
    fields: Fields,
}

impl Record {
    /// A record to write. For an update the fields hold its `Id`.
    pub fn new(object: impl Into<String>, fields: Fields) -> Self {
        Self { object: object.into(), url: None, fields }
    }

    /// The object's API name; `AggregateResult` for a row that was counted or grouped.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The path of the record, where there is one.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The `Id`, if it was selected; otherwise the last segment of the record's path.
    pub fn id(&self) -> Option<&str> {
        let selected = self.get("Id").and_then(Value::as_str);
        selected.or_else(|| self.url.as_deref()?.rsplit('/').next())
    }

    /// The value of a field, named as it was selected or, failing that, without regard to case.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let exact = self.fields.get(name);
        exact.or_else(|| self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    /// All fields. Parents and child sets are objects that still carry their own `attributes`.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// All fields, by value.
    pub fn into_fields(self) -> Fields {
        self.fields
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        let Some(attributes) = fields.shift_remove("attributes") else {
            return Ok(Self { object: String::new(), url: None, fields });
        };
        let text = |name: &str| attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        let object = text("type").ok_or_else(|| D::Error::custom("a record's attributes have no type"))?;
        Ok(Self { object, url: text("url"), fields })
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        let attributes = match &self.url {
            Some(url) => json!({ "type": self.object, "url": url }),
            None => json!({ "type": self.object }),
        };
        map.serialize_entry("attributes", &attributes)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_a_record_knows() {
        let text = r#"{"attributes":{"type":"Contact","url":"/services/data/v66.0/sobjects/Contact/003x"},"LastName":"A","Account":null}"#;
        let contact = record(text);
        assert_eq!((contact.object(), contact.id()), ("Contact", Some("003x")));
        assert_eq!(contact.get("lastname"), Some(&json!("A")));
        assert_eq!(contact.get("Account"), Some(&Value::Null));
        assert_eq!(contact.get("Phone"), None);
        assert_eq!(serde_json::to_string(&contact).unwrap(), text, "the order of the fields is kept");

        let sum = record(r#"{"attributes":{"type":"AggregateResult"},"expr0":10}"#);
        assert_eq!((sum.object(), sum.id(), sum.url()), ("AggregateResult", None, None));
        assert!(serde_json::from_str::<Record>(r#"{"attributes":{}}"#).is_err());
    }
}

//! `@{ref.path}`: what a subrequest takes from the answers before it (rest.md 3.1).

use std::{cell::OnceCell, collections::HashMap};

use bytes::Bytes;
use serde_json::Value;
use tombolo_schema::ApiVersion;

use super::{
    request::{Part, is_reference_id, wrong_name},
    subrequest::Answer,
};

/// From this version on a value that is null is filled in as such.
const TAKES_NULL: u16 = 52;

/// The answers so far.
pub(super) struct Known {
    version: ApiVersion,
    answers: Vec<Answer>,
    /// Bodies that were referred to, read once.
    bodies: HashMap<String, (usize, OnceCell<Value>)>,
}

/// A subrequest with all its values.
pub(super) struct Filled {
    pub(super) url: String,
    pub(super) body: Bytes,
}

impl Known {
    pub(super) fn new(version: ApiVersion) -> Self {
        Self { version, answers: Vec::new(), bodies: HashMap::new() }
    }

    pub(super) fn add(&mut self, answer: Answer) {
        self.bodies.insert(answer.reference_id.clone(), (self.answers.len(), OnceCell::new()));
        self.answers.push(answer);
    }

    pub(super) fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    /// Fills the references of a subrequest; why it cannot be tried if one leads nowhere.
    pub(super) fn fill(&self, part: &Part<'_>) -> Result<Filled, String> {
        let url = self.in_text(&part.url, encoded)?;
        let body = match part.body {
            None => Bytes::new(),
            Some(raw) if !raw.get().contains("@{") => Bytes::copy_from_slice(raw.get().as_bytes()),
            Some(raw) => {
                // The body was read as JSON before.
                let mut value: Value = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
                self.in_value(&mut value)?;
                Bytes::from(value.to_string())
            }
        };
        Ok(Filled { url, body })
    }

    fn in_value(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::Array(elements) => elements.iter_mut().try_for_each(|element| self.in_value(element)),
            Value::Object(members) => members.values_mut().try_for_each(|member| self.in_value(member)),
            Value::String(text) => {
                if let Some(reference) = whole(text) {
                    // A value that stands alone keeps its type.
                    *value = self.look_up(reference)?.clone();
                } else if text.contains("@{") {
                    *value = Value::String(self.in_text(text, str::to_owned)?);
                }
                Ok(())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn in_text(&self, text: &str, write: impl Fn(&str) -> String) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("@{") {
            out.push_str(before);
            let Some((reference, behind)) = after.split_once('}') else {
                out.push_str("@{");
                rest = after;
                continue;
            };
            match self.look_up(reference)? {
                Value::String(value) => out.push_str(&write(value)),
                other => out.push_str(&write(&other.to_string())),
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn look_up(&self, reference: &str) -> Result<&Value, String> {
        let end = reference.find(['.', '[']).unwrap_or(reference.len());
        let (name, path) = (&reference[..end], reference[end..].trim_start_matches('.'));
        // The odd end is Salesforce's own.
        let invalid = || {
            format!("Invalid reference specified. No value for {reference} found in {name}. {}", wrong_name(reference))
        };
        let (at, body) = self.bodies.get(name).filter(|_| is_reference_id(name)).ok_or_else(invalid)?;
        let answer = &self.answers[*at];
        if answer.has_failed() {
            return Err(format!("Execution halted as previous operation ({name}) was not successful."));
        }
        let body = body.get_or_init(|| answer.body.as_ref().map_or(Value::Null, |raw| parsed(raw.get())));
        match walk(body, path) {
            Some(Value::Null) if self.version.major() < TAKES_NULL => Err(invalid()),
            Some(value) if !value.is_object() && !value.is_array() => Ok(value),
            _ => Err(invalid()),
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// The reference that is all of a text.
fn whole(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("@{")?.strip_suffix('}')?;
    (!inner.contains(['{', '}'])).then_some(inner)
}

/// `records[0].Account.Name`, with the case it has.
fn walk<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, step| {
        let (name, indices) = step.split_once('[').map_or((step, ""), |(name, indices)| (name, indices));
        let value = if name.is_empty() { value } else { value.get(name)? };
        if indices.is_empty() {
            return (!name.is_empty()).then_some(value);
        }
        indices.strip_suffix(']')?.split("][").try_fold(value, |value, index| value.get(index.parse::<usize>().ok()?))
    })
}

/// A value as a part of a URL; slashes stay, as whole paths may be referred to.
fn encoded(value: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/,:@".contains(&byte);
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let body = json!({ "id": "001", "records": [{ "Account": { "Name": "A" }, "Id": null }], "n": [[1, 2]] });
        for (path, expected) in [
            ("id", Some(json!("001"))),
            ("Id", None),
            ("records[0].Account.Name", Some(json!("A"))),
            ("records[0].Id", Some(Value::Null)),
            ("records[1].Id", None),
            ("records[x].Id", None),
            ("records[0", None),
            ("n[0][1]", Some(json!(2))),
            ("", None),
        ] {
            assert_eq!(walk(&body, path), expected.as_ref(), "{path}");
        }
        assert_eq!(walk(&json!([{ "id": "x" }]), "[0].id"), Some(&json!("x")));
    }

    #[test]
    fn a_reference_may_be_all_of_a_text() {
        assert_eq!(whole("@{a.id}"), Some("a.id"));
        for text in ["@{a.id} ", "x@{a.id}", "@{a.id}@{b.id}", "@{a", "a}"] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(encoded("a b&c/d"), "a%20b%26c/d");
    }
}

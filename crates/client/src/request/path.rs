//! Paths and their encoding.

use std::fmt::Write as _;

use tombolo_schema::ApiVersion;

use crate::{Error, ErrorKind, Result};

/// A path with its query, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(String);

impl Path {
    /// A path as it is, such as one that the server gave.
    pub(crate) fn verbatim(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// `/services/data/vXX.0/…`. A segment that is empty or consists of dots would name another resource.
    pub(crate) fn data(version: ApiVersion, segments: &[&str]) -> Result<Self> {
        Self::encoded(version, segments, encode_into)
    }

    /// The same for a part of a composite: references to other parts, `@{NAME.id}`, stay as they are.
    pub(crate) fn template(version: ApiVersion, segments: &[&str]) -> Result<Self> {
        Self::encoded(version, segments, encode_around_references)
    }

    fn encoded(version: ApiVersion, segments: &[&str], encode: fn(&mut String, &str)) -> Result<Self> {
        let mut text = format!("/services/data/v{version}");
        for segment in segments {
            if matches!(segment.trim(), "" | "." | "..") {
                let message = format!("`{segment}` cannot be part of a path; a name or an Id is missing");
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            text.push('/');
            encode(&mut text, segment);
        }
        Ok(Self(text))
    }

    /// Adds a parameter.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.with_encoded(name, value, encode_into)
    }

    /// Adds a parameter in which references to other parts of a composite stay as they are.
    pub(crate) fn with_template(self, name: &str, value: &str) -> Self {
        self.with_encoded(name, value, encode_around_references)
    }

    fn with_encoded(mut self, name: &str, value: &str, encode: fn(&mut String, &str)) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        encode(&mut self.0, value);
        self
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub(crate) fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Like [`encode_into`], but leaves `@{…}` as it is.
fn encode_around_references(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(begin) = rest.find("@{") {
        let end = rest[begin..].find('}').map_or(rest.len(), |end| begin + end + 1);
        encode_into(out, &rest[..begin]);
        out.push_str(&rest[begin..end]);
        rest = &rest[end..];
    }
    encode_into(out, rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    const V: ApiVersion = ApiVersion::new(66);

    #[test]
    fn what_people_write_is_encoded() {
        for (segments, expect) in [
            (&["sobjects", "Account"][..], "/services/data/v66.0/sobjects/Account"),
            (&["sobjects", "A/../B"], "/services/data/v66.0/sobjects/A%2F..%2FB"),
            (&["x", "a b?#é"], "/services/data/v66.0/x/a%20b%3F%23%C3%A9"),
        ] {
            assert_eq!(Path::data(V, segments).unwrap().as_str(), expect);
        }
        let path = Path::data(V, &["query"]).unwrap().with("q", "SELECT Id+1&x=%").with("b", "2");
        assert_eq!(path.as_str(), "/services/data/v66.0/query?q=SELECT%20Id%2B1%26x%3D%25&b=2");
    }

    #[test]
    fn references_stay() {
        let path = Path::template(V, &["sobjects", "@{a.id}", "a@b c"]).unwrap();
        let path = path.with_template("q", "Id = '@{q.records[0].Id}' + '@{b.id}'");
        assert_eq!(
            path.as_str(),
            "/services/data/v66.0/sobjects/@{a.id}/a%40b%20c?q=Id%20%3D%20%27@{q.records[0].Id}%27%20%2B%20%27@{b.id}%27"
        );
    }

    #[test]
    fn no_segment_leads_elsewhere() {
        for segment in ["", " ", ".", "..", ".. "] {
            let error = Path::data(V, &["sobjects", segment]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{segment:?}");
        }
    }
}

//! A request as the handlers see it: read, routed, authenticated.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use tombolo_schema::{ApiVersion, ErrorCode};

use super::{App, answer::Refusal, origin::Origin};
use crate::core::{Api, Caller, Core, security::Session};

/// A request that a handler answers.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    /// The core, as this request sees it: a part of a transaction sees what the parts before it did.
    pub(crate) core: Core,
    pub(crate) method: Method,
    /// Without doubled or trailing slashes.
    pub(crate) path: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) origin: Origin,
    /// The version in the path; the newest where there is none.
    pub(crate) version: ApiVersion,
    /// The session, on paths that need one.
    pub(crate) session: Option<Session>,
}

impl Call {
    /// A part of the path, by its name in the routing table.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `/services/data/v66.0`
    pub(crate) fn base(&self) -> String {
        format!("/services/data/v{}", self.version)
    }

    /// On whose behalf the core works.
    pub(crate) fn caller(&self, api: Api) -> Result<Caller, Refusal> {
        let session = self.session.as_ref().ok_or_else(Refusal::session_expired)?;
        Ok(Caller {
            user_id: session.user_id,
            api,
            version: self.version,
            client: self.header("sforce-call-options").and_then(|value| option_of(value, "client")),
            duplicates_allowed: self
                .header("sforce-duplicate-rule-header")
                .and_then(|value| option_of(value, "allowSave"))
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            session: session.token.clone(),
        })
    }

    /// The media type of the body, without parameters, in lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// The body as text that is meant to be JSON.
    pub(crate) fn json_text(&self) -> Result<&str, Refusal> {
        if let Some(media) = self.media_type().filter(|media| media != "application/json" && !media.is_empty()) {
            let message = format!("Content-Type {media} is not supported here; send application/json");
            return Err(Refusal::from(crate::core::record::CoreError::from(crate::core::record::Fault::new(
                ErrorCode::UnsupportedMediaType,
                message,
            ))));
        }
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| Refusal::bad(ErrorCode::JsonParserError, "The request body is not UTF-8"))?;
        // Some writers begin UTF-8 with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            let message = "The HTTP entity body is required, but this request has no entity body.";
            return Err(Refusal::bad(ErrorCode::JsonParserError, message));
        }
        Ok(text)
    }
}

/// One option of a header such as `client=x; defaultNamespace=y`; some clients join with commas (rest.md 2.8).
pub(crate) fn option_of(header: &str, name: &str) -> Option<String> {
    header.split([';', ',']).find_map(|option| {
        let (key, value) = option.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned()).filter(|value| !value.is_empty())
    })
}

/// Reads `a=1&b=2`, as in queries and forms.
pub(crate) fn parse_form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key, true), percent_decode(value, true))
        })
        .collect()
}

/// Undoes percent-encoding; in forms and queries `+` is a blank.
pub(crate) fn percent_decode(text: &str, plus_is_blank: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(value as u8);
                rest = after;
                continue;
            }
            (b'+', _) if plus_is_blank => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        for (text, expected) in [
            ("a=1&b=2", vec![("a", "1"), ("b", "2")]),
            ("q=SELECT+Id%20FROM%20A", vec![("q", "SELECT Id FROM A")]),
            ("a=%C3%A9&b=%zz&c", vec![("a", "é"), ("b", "%zz"), ("c", "")]),
            ("", vec![]),
            ("&&x=%", vec![("x", "%")]),
        ] {
            let read = parse_form(text);
            let read: Vec<_> = read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn options_are_found() {
        for (header, expected) in [
            ("client=sfdx toolbelt:", Some("sfdx toolbelt:")),
            ("client=x; defaultNamespace=y", Some("x")),
            ("defaultNamespace=y, client=x", Some("x")),
            ("client=", None),
            ("", None),
        ] {
            assert_eq!(option_of(header, "client").as_deref(), expected, "{header}");
        }
    }
}

//! One part of a composite request, answered by the handler that it would have on its own.

use std::sync::Arc;

use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION},
};
use http_body_util::BodyExt;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{json, value::RawValue};

use super::{reference::Filled, request::Part};
use crate::{
    core::Core,
    wire::{
        answer::{Outcome, PartlyFailed, Refusal, Reply},
        call::{Call, parse_form},
        dispatch,
        routes::{self, Door, Effect, Handler, Route},
    },
};

/// What became of a subrequest.
pub(super) struct Answer {
    /// None of an answer without a body.
    pub(super) body: Option<Box<RawValue>>,
    headers: Vec<(&'static str, String)>,
    pub(super) status: u16,
    /// None when no subrequest in particular is answered.
    pub(super) reference_id: String,
    /// Whether it may have changed something.
    pub(super) wrote: bool,
    /// Some of the records of a collection failed.
    partly_failed: bool,
}

/// The answers, as Salesforce writes them.
pub(super) struct Answers<'a>(pub(super) &'a [Answer]);

impl Serialize for Answers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("compositeResponse", self.0)?;
        map.end()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Headers<'a>(&'a [(&'static str, String)]);
        impl Serialize for Headers<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("body", &self.body)?;
        map.serialize_entry("httpHeaders", &Headers(&self.headers))?;
        map.serialize_entry("httpStatusCode", &self.status)?;
        map.serialize_entry("referenceId", &Some(&self.reference_id).filter(|id| !id.is_empty()))?;
        map.end()
    }
}

impl Answer {
    /// A subrequest that was not tried, or that was undone. The code comes first here (rest.md 3.1).
    pub(super) fn halted(reference_id: &str, message: &str) -> Self {
        Self::error(reference_id, "PROCESSING_HALTED", message)
    }

    /// The refusal of all subrequests.
    pub(super) fn refused_whole(code: &str, message: &str) -> Self {
        Self::error("", code, message)
    }

    /// A part of a batch that was not tried.
    pub(super) fn batch_halted() -> Self {
        let message = "Batch processing halted per request, due to a previous error.";
        Self { status: 412, ..Self::error("", "BATCH_PROCESSING_HALTED", message) }
    }

    pub(super) fn is_error(&self) -> bool {
        self.status >= 400
    }

    fn error(reference_id: &str, code: &str, message: &str) -> Self {
        let body = serde_json::value::to_raw_value(&json!([{ "errorCode": code, "message": message }])).ok();
        let reference_id = reference_id.to_owned();
        Self { body, headers: Vec::new(), status: 400, reference_id, wrote: false, partly_failed: false }
    }

    /// Whether what refers to it cannot be tried, and whether it undoes what all or none of is to count.
    pub(super) fn has_failed(&self) -> bool {
        self.status >= 400 || self.status == 300 || self.partly_failed
    }
}

/// Answers a subrequest.
pub(super) fn answer(call: &Call, core: Core, part: &Part<'_>, filled: Filled) -> Answer {
    let (outcome, effect) = match call_of(call, core, part, filled) {
        Ok((route, sub)) => match route.handler {
            Handler::Blocking(handler) => (handler(&sub), route.effect),
            Handler::Waiting(_) => (Err(Refusal::not_found()), Effect::Reads),
        },
        Err(refusal) => (Err(refusal), Effect::Reads),
    };
    let wrote = effect == Effect::Writes && outcome.is_ok();
    read(outcome, &part.reference_id, wrote)
}

fn call_of(call: &Call, core: Core, part: &Part<'_>, filled: Filled) -> Result<(&'static Route, Call), Refusal> {
    let uri: Uri = written(&filled.url).parse().map_err(|_| Refusal::not_found())?;
    let path = uri.path().trim_end_matches('/').to_owned();
    let (route, params) = routes::find(&part.method, &path, may_stand_in_composite)?;
    let version = dispatch::version_of(Door::Rest, &params)?;
    let mut headers = part.headers.clone();
    for name in [ACCEPT, AUTHORIZATION] {
        if let Some(value) = call.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let sub = Call {
        app: Arc::clone(&call.app),
        core,
        method: part.method.clone(),
        params,
        query: parse_form(uri.query().unwrap_or_default()),
        path,
        headers,
        body: filled.body,
        origin: call.origin.clone(),
        version,
        session: call.session.clone(),
    };
    Ok((route, sub))
}

/// Blanks of queries stand in URLs as they are; a URL's own syntax has none.
fn written(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.trim().chars() {
        match c {
            c if c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c) => out.push(c),
            c => {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
            }
        }
    }
    out
}

/// Rows, describes, queries and collections (rest.md 3.1).
fn may_stand_in_composite(path: &str) -> bool {
    let below = path.strip_prefix("/services/data/{version}/").unwrap_or_default();
    ["sobjects", "query", "queryAll", "composite/sobjects"]
        .iter()
        .any(|root| below.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn read(outcome: Outcome, reference_id: &str, wrote: bool) -> Answer {
    let reply: Reply = outcome.unwrap_or_else(Refusal::into_reply);
    let (parts, body) = reply.into_parts();
    let is_json = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    // The handlers of these paths answer with bodies that are there already.
    let bytes = body.collect().now_or_never().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
    if !is_json && !bytes.is_empty() {
        let refusal = Refusal::not_found();
        return read(Err(refusal), reference_id, wrote);
    }
    let text = String::from_utf8(bytes.into()).unwrap_or_default();
    Answer {
        body: Some(text).filter(|text| !text.is_empty()).and_then(|text| RawValue::from_string(text).ok()),
        headers: told(&parts.headers),
        status: parts.status.as_u16(),
        reference_id: reference_id.to_owned(),
        wrote,
        partly_failed: parts.extensions.get::<PartlyFailed>().is_some(),
    }
}

/// The headers that the answer of a subrequest tells.
fn told(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let named: [(&'static str, HeaderName); 3] =
        [("ETag", ETAG), ("Last-Modified", LAST_MODIFIED), ("Location", LOCATION)];
    let value = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
    named.into_iter().filter_map(|(shown, name)| Some((shown, value(&name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_in_a_composite_request() {
        for (path, expected) in [
            ("/services/data/{version}/sobjects", true),
            ("/services/data/{version}/sobjects/{object}/{id}", true),
            ("/services/data/{version}/query", true),
            ("/services/data/{version}/queryAll/{locator}", true),
            ("/services/data/{version}/composite/sobjects", true),
            ("/services/data/{version}/composite", false),
            ("/services/data/{version}/limits", false),
            ("/services/data/{version}/search", false),
            ("/services/oauth2/token", false),
        ] {
            assert_eq!(may_stand_in_composite(path), expected, "{path}");
        }
    }

    #[test]
    fn urls_are_written_as_urls_are() {
        assert_eq!(written("/q?q=SELECT Id FROM A WHERE N='é'"), "/q?q=SELECT%20Id%20FROM%20A%20WHERE%20N='%C3%A9'");
    }
}

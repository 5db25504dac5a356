//! What a composite request asks for, and what makes it no composite request at all (rest.md 3.1).

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::value::RawValue;
use tombolo_schema::{ApiVersion, ErrorCode};

use super::subrequest::Answer;
use crate::wire::{
    answer::Refusal,
    json_in::{self, Elements, Members},
};

const MAX_PARTS: usize = 25;
/// Of them, queries and collections.
const MAX_LARGE: usize = 5;
/// What the request itself says for all of its parts.
const INHERITED: [&str; 3] = ["accept", "authorization", "content-type"];
/// From this version on a reference id that is none refuses the whole request.
const STRICT: u16 = 52;

/// A composite request.
pub(super) struct Request<'a> {
    pub(super) all_or_none: bool,
    pub(super) parts: Vec<Part<'a>>,
}

/// A subrequest, as it was written.
pub(super) struct Part<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) reference_id: String,
    pub(super) body: Option<&'a RawValue>,
    pub(super) headers: HeaderMap,
}

/// Reads a request. One that asks for too much is answered in the shape of a composite answer.
pub(super) fn read(text: &str, version: ApiVersion) -> Result<Result<Request<'_>, Answer>, Refusal> {
    let Members(members) = json_in::parse(text)?;
    let (mut all_or_none, mut parts) = (false, None);
    for (name, raw) in members {
        match name.as_str() {
            "allOrNone" => all_or_none = json_in::parse(raw.get())?,
            // Which parts are worked off together is not seen from outside.
            "collateSubrequests" => drop(json_in::parse::<bool>(raw.get())?),
            "compositeRequest" => {
                parts = Some(self::parts(raw, version)?);
            }
            other => return Err(unrecognized(other)),
        }
    }
    let Some(parts) = parts else {
        return Err(Refusal::bad(ErrorCode::JsonParserError, "The request has no compositeRequest"));
    };
    if parts.len() > MAX_PARTS {
        return Ok(Err(too_many(format!("The request can’t contain more than {MAX_PARTS} operations."))));
    }
    if parts.iter().filter(|part| part.is_large()).count() > MAX_LARGE {
        let what = "Query, QueryAll or sObject Collections operations";
        return Ok(Err(too_many(format!("The request can’t contain more than {MAX_LARGE} {what}."))));
    }
    Ok(Ok(Request { all_or_none, parts }))
}

/// The subrequests of a request, or of a graph.
pub(super) fn parts(raw: &RawValue, version: ApiVersion) -> Result<Vec<Part<'_>>, Refusal> {
    let Elements(elements) = json_in::parse(raw.get())?;
    let parts = elements.into_iter().map(|raw| part(raw.get())).collect::<Result<Vec<_>, _>>()?;
    check_names(&parts, version)?;
    Ok(parts)
}

fn too_many(message: String) -> Answer {
    Answer::refused_whole("LIMIT_EXCEEDED", &message)
}

fn unrecognized(name: &str) -> Refusal {
    Refusal::bad(ErrorCode::JsonParserError, format!("Unrecognized field \"{name}\""))
}

fn part(text: &str) -> Result<Part<'_>, Refusal> {
    let Members(members) = json_in::parse(text)?;
    let (mut method, mut url, mut reference_id): (Option<String>, Option<String>, Option<String>) = (None, None, None);
    let (mut body, mut headers) = (None, HeaderMap::new());
    for (name, raw) in members {
        match name.as_str() {
            "method" => method = json_in::parse(raw.get())?,
            "url" => url = json_in::parse(raw.get())?,
            "referenceId" => reference_id = json_in::parse(raw.get())?,
            "body" => body = Some(raw).filter(|raw| raw.get() != "null"),
            "httpHeaders" => headers = read_headers(raw)?,
            other => return Err(unrecognized(other)),
        }
    }
    let given = |value: Option<String>, name: &str| {
        let missing = || Refusal::bad(ErrorCode::JsonParserError, format!("A subrequest has no {name}"));
        value.filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    let method = given(method, "method")?;
    let known = ["POST", "PUT", "PATCH", "GET", "DELETE"].contains(&method.as_str());
    let wrong = || Refusal::bad(ErrorCode::JsonParserError, format!("Unsupported method '{method}' of a subrequest"));
    let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| known).ok_or_else(wrong)?;
    Ok(Part { method, url: given(url, "url")?, reference_id: given(reference_id, "referenceId")?, body, headers })
}

fn read_headers(raw: &RawValue) -> Result<HeaderMap, Refusal> {
    let Some(Members(members)) = json_in::parse(raw.get())? else { return Ok(HeaderMap::new()) };
    let mut headers = HeaderMap::new();
    for (name, raw) in members {
        if INHERITED.contains(&name.to_ascii_lowercase().as_str()) {
            let message = format!("A subrequest takes the header {name} from the request");
            return Err(Refusal::bad(ErrorCode::JsonParserError, message));
        }
        let value: String = match raw.get().as_bytes().first() {
            Some(b'"') => json_in::parse(raw.get())?,
            _ => raw.get().to_owned(),
        };
        let wrong = || Refusal::bad(ErrorCode::JsonParserError, format!("{name} is no header of a subrequest"));
        let value = HeaderValue::try_from(value).map_err(|_| wrong())?;
        headers.insert(HeaderName::try_from(name.as_str()).map_err(|_| wrong())?, value);
    }
    Ok(headers)
}

fn check_names(parts: &[Part<'_>], version: ApiVersion) -> Result<(), Refusal> {
    if version.major() >= STRICT
        && let Some(part) = parts.iter().find(|part| !is_reference_id(&part.reference_id))
    {
        return Err(Refusal::bad(ErrorCode::JsonParserError, wrong_name(&part.reference_id)));
    }
    let mut seen = std::collections::HashSet::new();
    match parts.iter().find(|part| !seen.insert(part.reference_id.as_str())) {
        Some(part) => {
            let message = format!("Duplicate referenceId ('{}') in the request", part.reference_id);
            Err(Refusal::bad(ErrorCode::JsonParserError, message))
        }
        None => Ok(()),
    }
}

/// Letters, digits and underscores, the first no underscore.
pub(super) fn is_reference_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn wrong_name(name: &str) -> String {
    format!(
        "Provided referenceId ('{name}') must start with a letter or a number, and it can contain only letters, \
         numbers and underscores ('_')."
    )
}

impl Part<'_> {
    /// Queries and collections.
    fn is_large(&self) -> bool {
        let path = self.url.split('?').next().unwrap_or_default();
        let mut parts = path.split('/').filter(|part| !part.is_empty()).skip(3);
        matches!((parts.next(), parts.next()), (Some("query" | "queryAll"), _) | (Some("composite"), Some("sobjects")))
    }
}

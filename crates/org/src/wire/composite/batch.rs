//! `composite/batch`: requests that have nothing to do with each other, in one (rest.md 3.2).

use http::{HeaderMap, Method, StatusCode};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use tombolo_schema::{ApiVersion, ErrorCode};

use super::{
    reference::Filled,
    request::Part,
    subrequest::{self, Answer},
};
use crate::wire::{
    answer::{self, Outcome, Refusal},
    call::Call,
    gate::{Counted, Untouched},
    json_in::{self, Elements, Members},
};

const MAX_PARTS: usize = 25;
/// Older ones are not served in a batch.
const OLDEST: ApiVersion = ApiVersion::new(34);

struct Batch<'a> {
    halt_on_error: bool,
    parts: Vec<Part<'a>>,
}

/// `POST composite/batch`: each part counts as a call.
pub(crate) fn batch(call: &Call) -> Outcome {
    let batch = read(call.json_text()?, call.version)?;
    let mut answers: Vec<Answer> = Vec::with_capacity(batch.parts.len());
    for part in &batch.parts {
        let halted = batch.halt_on_error && answers.iter().any(Answer::is_error);
        answers.push(match halted {
            true => Answer::batch_halted(),
            false => {
                let body = part.body.map(|raw| raw.get().as_bytes().to_vec()).unwrap_or_default();
                let filled = Filled { url: part.url.clone(), body: body.into() };
                subrequest::answer(call, call.core.clone(), part, filled)
            }
        });
    }
    let mut reply = answer::json(StatusCode::OK, &Results(&answers));
    let counted = u64::try_from(answers.len()).unwrap_or(u64::MAX).max(1);
    reply.extensions_mut().insert(Counted(counted));
    if !answers.iter().any(|answer| answer.wrote) {
        reply.extensions_mut().insert(Untouched);
    }
    Ok(reply)
}

fn read(text: &str, version: ApiVersion) -> Result<Batch<'_>, Refusal> {
    let Members(members) = json_in::parse(text)?;
    let mut batch = Batch { halt_on_error: false, parts: Vec::new() };
    for (name, raw) in members {
        match name.as_str() {
            "haltOnError" => batch.halt_on_error = json_in::parse(raw.get())?,
            "batchRequests" => {
                let Elements(elements) = json_in::parse(raw.get())?;
                batch.parts = elements.into_iter().map(|raw| part(raw.get(), version)).collect::<Result<_, _>>()?;
            }
            other => return Err(wrong(format!("Unrecognized field \"{other}\""))),
        }
    }
    if batch.parts.len() > MAX_PARTS {
        let message = format!("The request can’t contain more than {MAX_PARTS} operations.");
        return Err(Refusal::bad(ErrorCode::from("LIMIT_EXCEEDED"), message));
    }
    Ok(batch)
}

fn part(text: &str, version: ApiVersion) -> Result<Part<'_>, Refusal> {
    let Members(members) = json_in::parse(text)?;
    let (mut method, mut url, mut body): (String, String, Option<&RawValue>) = (String::new(), String::new(), None);
    for (name, raw) in members {
        match name.as_str() {
            "method" => method = json_in::parse(raw.get())?,
            "url" => url = json_in::parse(raw.get())?,
            "richInput" => body = Some(raw).filter(|raw| raw.get() != "null"),
            other => return Err(wrong(format!("Unrecognized field \"{other}\""))),
        }
    }
    let known = ["POST", "PUT", "PATCH", "GET", "DELETE"].contains(&method.as_str());
    let read = Method::from_bytes(method.as_bytes()).ok().filter(|_| known);
    let method = read.ok_or_else(|| wrong(format!("Unsupported method '{method}' of a subrequest")))?;
    let path = url.trim_start_matches('/').trim_start_matches("services/data/");
    let own = path.split(['/', '?']).next().and_then(|own| own.strip_prefix('v')).and_then(|own| own.parse().ok());
    if !own.is_some_and(|own: ApiVersion| own >= OLDEST && own <= version) {
        return Err(wrong(format!("The url of a subrequest begins with a version from v{OLDEST} to v{version}")));
    }
    let url = format!("/services/data/{path}");
    Ok(Part { method, url, reference_id: String::new(), body, headers: HeaderMap::new() })
}

fn wrong(message: String) -> Refusal {
    Refusal::bad(ErrorCode::JsonParserError, message)
}

struct Results<'a>(&'a [Answer]);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct One<'a>(&'a Answer);
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("statusCode", &self.0.status)?;
                map.serialize_entry("result", &self.0.body)?;
                map.end()
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("hasErrors", &self.0.iter().any(Answer::is_error))?;
        map.serialize_entry("results", &self.0.iter().map(One).collect::<Vec<_>>())?;
        map.end()
    }
}

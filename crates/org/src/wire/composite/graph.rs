//! `composite/graph`: composite requests side by side, each of which counts as a whole or not at all (rest.md 3.4).

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tombolo_schema::ErrorCode;

use super::{
    all_or_none,
    request::{self, Part, Request},
    subrequest::{Answer, Answers},
};
use crate::wire::{
    answer::{self, Outcome, Refusal},
    call::Call,
    gate::Untouched,
    json_in::{self, Elements, Members},
};

const MAX_GRAPHS: usize = 75;
const MAX_NODES: usize = 500;
/// When so many have failed, the others are not tried.
const MAX_FAILURES: usize = 14;
const MAX_NAME: usize = 40;

struct Graph<'a> {
    id: String,
    request: Request<'a>,
}

struct Answered {
    id: String,
    answers: Vec<Answer>,
}

/// `POST composite/graph`
pub(crate) fn graph(call: &Call) -> Outcome {
    let graphs = read(call)?;
    let mut answered: Vec<Answered> = Vec::with_capacity(graphs.len());
    for graph in graphs {
        let failures = answered.iter().filter(|done| !done.is_successful()).count();
        let answers = if failures >= MAX_FAILURES {
            let halted = "Execution halted because too many graphs of the request failed.";
            graph.request.parts.iter().map(|part| Answer::halted(&part.reference_id, halted)).collect()
        } else {
            all_or_none(call, &graph.request)?
        };
        answered.push(Answered { id: graph.id, answers });
    }
    let mut reply = answer::json(StatusCode::OK, &Graphs(&answered));
    if !answered.iter().flat_map(|done| &done.answers).any(|answer| answer.wrote) {
        reply.extensions_mut().insert(Untouched);
    }
    Ok(reply)
}

fn read(call: &Call) -> Result<Vec<Graph<'_>>, Refusal> {
    let Members(members) = json_in::parse(call.json_text()?)?;
    let Some((_, raw)) = members.iter().find(|(name, _)| name == "graphs") else {
        return Err(wrong("The request has no graphs"));
    };
    let Elements(elements) = json_in::parse(raw.get())?;
    let graphs = elements.into_iter().map(|raw| one(call, raw.get())).collect::<Result<Vec<_>, _>>()?;
    if graphs.len() > MAX_GRAPHS {
        return Err(too_many(format!("The request can’t contain more than {MAX_GRAPHS} graphs.")));
    }
    if graphs.iter().map(|graph| graph.request.parts.len()).sum::<usize>() > MAX_NODES {
        return Err(too_many(format!("The request can’t contain more than {MAX_NODES} operations.")));
    }
    let mut names = std::collections::HashSet::new();
    match graphs.iter().find(|graph| !names.insert(graph.id.as_str())) {
        Some(graph) => Err(wrong(&format!("Duplicate graphId ('{}') in the request", graph.id))),
        None => Ok(graphs),
    }
}

fn one<'a>(call: &Call, text: &'a str) -> Result<Graph<'a>, Refusal> {
    let Members(members) = json_in::parse(text)?;
    let (mut id, mut parts) = (None, None);
    for (name, raw) in members {
        match name.as_str() {
            "graphId" => id = json_in::parse::<Option<String>>(raw.get())?,
            "compositeRequest" => parts = Some(request::parts(raw, call.version)?),
            other => return Err(wrong(&format!("Unrecognized field \"{other}\""))),
        }
    }
    let id = id.unwrap_or_default();
    let fits = id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.len() < MAX_NAME && !id.contains('.');
    if !fits {
        return Err(wrong(&format!("'{id}' is no graphId")));
    }
    let parts = parts.ok_or_else(|| wrong("A graph has no compositeRequest"))?;
    if let Some(part) = parts.iter().find(|part| !may_stand_in_graph(part)) {
        return Err(wrong(&format!("{} {} cannot be a part of a graph", part.method, part.url)));
    }
    Ok(Graph { id, request: Request { all_or_none: true, parts } })
}

/// Rows alone: no queries, no collections, no describes.
fn may_stand_in_graph(part: &Part<'_>) -> bool {
    let path = part.url.split('?').next().unwrap_or_default();
    let steps: Vec<_> = path.split('/').filter(|step| !step.is_empty()).collect();
    let is_row = steps.get(3) == Some(&"sobjects") && steps.last() != Some(&"describe");
    match (part.method.as_str(), steps.len()) {
        ("POST", 5 | 7) => is_row,
        ("GET" | "PATCH" | "DELETE", 6 | 7) => is_row,
        _ => false,
    }
}

fn wrong(message: &str) -> Refusal {
    Refusal::bad(ErrorCode::JsonParserError, message)
}

fn too_many(message: String) -> Refusal {
    Refusal::bad(ErrorCode::from("LIMIT_EXCEEDED"), message)
}

impl Answered {
    fn is_successful(&self) -> bool {
        !self.answers.iter().any(Answer::has_failed)
    }
}

struct Graphs<'a>(&'a [Answered]);

impl Serialize for Graphs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("graphs", self.0)?;
        map.end()
    }
}

impl Serialize for Answered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("graphId", &self.id)?;
        map.serialize_entry("graphResponse", &Answers(&self.answers))?;
        map.serialize_entry("isSuccessful", &self.is_successful())?;
        map.end()
    }
}

//! The composite family: several requests in one (rest.md 3).
//!
//! `request` reads what is asked, `subrequest` has one part answered by the handler it would have on its own,
//! `reference` fills in what later parts take from earlier ones.

mod batch;
mod graph;
mod reference;
mod request;
mod subrequest;
mod tree;

pub(crate) use self::{batch::batch, graph::graph, tree::plant};

use http::StatusCode;

use self::{
    reference::Known,
    request::{Part, Request},
    subrequest::{Answer, Answers},
};
use super::{
    answer::{self, Outcome, Refusal},
    call::Call,
    gate::Untouched,
};
use crate::core::{Api, Ending};

/// `GET composite`
pub(crate) fn list(call: &Call) -> Outcome {
    let base = call.base();
    let list: serde_json::Map<_, _> = ["tree", "batch", "sobjects", "graph"]
        .map(|name| (name.to_owned(), format!("{base}/composite/{name}").into()))
        .into_iter()
        .collect();
    Ok(answer::json(StatusCode::OK, &list))
}

/// `POST composite`: up to 25 subrequests, counted as one call.
pub(crate) fn composite(call: &Call) -> Outcome {
    let request = match request::read(call.json_text()?, call.version)? {
        Ok(request) => request,
        Err(refused) => return Ok(answer::json(StatusCode::BAD_REQUEST, &Answers(&[refused]))),
    };
    let answers = if request.all_or_none { all_or_none(call, &request)? } else { each(call, &request) };
    let mut reply = answer::json(StatusCode::OK, &Answers(&answers));
    if !answers.iter().any(|answer| answer.wrote) {
        reply.extensions_mut().insert(Untouched);
    }
    Ok(reply)
}

/// Each part stands for itself; what refers to a part that failed is not tried.
fn each(call: &Call, request: &Request<'_>) -> Vec<Answer> {
    let mut known = Known::new(call.version);
    for part in &request.parts {
        let answer = one(call, part, &known);
        known.add(answer);
    }
    known.into_answers()
}

fn one(call: &Call, part: &Part<'_>, known: &Known) -> Answer {
    match known.fill(part) {
        Ok(filled) => subrequest::answer(call, call.core.clone(), part, filled),
        Err(halted) => Answer::halted(&part.reference_id, &halted),
    }
}

const ROLLED_BACK: &str = "The transaction was rolled back since another operation in the same transaction failed.";

/// One transaction: the first part that fails keeps its error, all others are told that nothing of them is left.
fn all_or_none(call: &Call, request: &Request<'_>) -> Result<Vec<Answer>, Refusal> {
    let answers = call.core.together(&call.caller(Api::Rest)?, |core| {
        let mut known = Known::new(call.version);
        for part in &request.parts {
            let answer = match known.fill(part) {
                Ok(filled) => subrequest::answer(call, core.clone(), part, filled),
                Err(halted) => Answer::halted(&part.reference_id, &halted),
            };
            if answer.has_failed() {
                return (undone(request, answer), Ending::Undo);
            }
            known.add(answer);
        }
        (known.into_answers(), Ending::Keep)
    })?;
    Ok(answers)
}

fn undone(request: &Request<'_>, culprit: Answer) -> Vec<Answer> {
    let mut culprit = Some(culprit);
    let told = request.parts.iter().map(|part| {
        let is_culprit = culprit.as_ref().is_some_and(|culprit| culprit.reference_id == part.reference_id);
        let own = if is_culprit { culprit.take() } else { None };
        own.unwrap_or_else(|| Answer::halted(&part.reference_id, ROLLED_BACK))
    });
    told.collect()
}

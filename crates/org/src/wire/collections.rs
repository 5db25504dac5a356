//! `composite/sobjects`: up to 200 records in one request, each with its own result (rest.md 3.5).

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tombolo_schema::ErrorCode;

use super::{
    answer::{self, Outcome, PartlyFailed, Refusal},
    call::Call,
    json_in::{self, Elements, Members, RecordIn},
    json_out::{RecordJson, SavedJson},
    rows::{list_of, object_of},
};
use crate::core::{
    Api, Condition, Key, Selection, Target,
    record::{Atomicity, Fault, Input, Saved},
};

const MAX_RECORDS: usize = 200;
const MAX_RETRIEVED: usize = 2000;
/// Runs of records of one object.
const MAX_CHUNKS: usize = 10;

/// What the body of a write holds.
struct Batch {
    atomicity: Atomicity,
    records: Vec<RecordIn>,
}

/// `POST composite/sobjects`
pub(crate) fn insert(call: &Call) -> Outcome {
    let batch = batch(call)?;
    let rows = batch.records.into_iter().map(|mut record| {
        if let Some(id) = record.id {
            record.row.fields.push(("Id".to_owned(), id));
        }
        (record.object.unwrap_or_default(), record.row)
    });
    let saved = call.core.insert(&call.caller(Api::Rest)?, rows.collect(), batch.atomicity)?;
    Ok(results(saved, false))
}

/// `PATCH composite/sobjects`
pub(crate) fn update(call: &Call) -> Outcome {
    let batch = batch(call)?;
    let rows = batch.records.into_iter().map(|record| {
        let id = record.id.map(text_of).unwrap_or_default();
        let target = Target::new(record.object, id);
        (target, record.row)
    });
    let saved = call.core.update(&call.caller(Api::Rest)?, rows.collect(), batch.atomicity)?;
    Ok(results(saved, false))
}

/// `PATCH composite/sobjects/X/Key__c`
pub(crate) fn upsert(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let field = call.param("field");
    let batch = batch(call)?;
    let rows = batch.records.into_iter().map(|mut record| {
        let key = if field.eq_ignore_ascii_case("Id") {
            record.id.take()
        } else {
            let fields = &mut record.row.fields;
            fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(field)).map(|at| fields.remove(at).1)
        };
        if let Some(id) = record.id {
            record.row.fields.push(("Id".to_owned(), id));
        }
        (key.unwrap_or(Input::Null), record.row)
    });
    let caller = call.caller(Api::Rest)?;
    let key = Key { object: &object.name, field, condition: Condition::default() };
    let saved = call.core.upsert(&caller, &key, rows.collect(), batch.atomicity)?;
    Ok(results(saved, true))
}

/// `DELETE composite/sobjects?ids=a,b&allOrNone=true`
pub(crate) fn delete(call: &Call) -> Outcome {
    let ids = list_of(call.query("ids").unwrap_or_default());
    if ids.is_empty() {
        return Err(Refusal::bad(ErrorCode::MissingArgument, "The ids parameter names no record"));
    }
    within(ids.len(), MAX_RECORDS)?;
    let all = call.query("allOrNone").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let saved = call.core.delete(&call.caller(Api::Rest)?, ids, None, atomicity(call, all))?;
    Ok(results(saved, false))
}

/// `GET composite/sobjects/X?ids=a,b&fields=A,B`
pub(crate) fn retrieve_by_url(call: &Call) -> Outcome {
    let ids = list_of(call.query("ids").unwrap_or_default());
    retrieve(call, &ids, list_of(call.query("fields").unwrap_or_default()))
}

/// `POST composite/sobjects/X`
pub(crate) fn retrieve_by_body(call: &Call) -> Outcome {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        ids: Vec<String>,
        fields: Vec<String>,
    }
    let wanted: Wanted = json_in::parse(call.json_text()?)?;
    retrieve(call, &wanted.ids, wanted.fields)
}

fn retrieve(call: &Call, ids: &[String], fields: Vec<String>) -> Outcome {
    let object = object_of(call)?;
    if ids.is_empty() || fields.is_empty() {
        return Err(Refusal::bad(ErrorCode::MissingArgument, "Both ids and fields have to be specified"));
    }
    within(ids.len(), MAX_RETRIEVED)?;
    let caller = call.caller(Api::Rest)?;
    let records = call.core.retrieve(&caller, &object.name, ids, Selection::Named(fields))?;
    let base = call.base();
    let body: Vec<_> =
        records.iter().map(|record| record.as_ref().map(|record| RecordJson { record, base: &base })).collect();
    Ok(answer::json(StatusCode::OK, &body))
}

fn batch(call: &Call) -> Result<Batch, Refusal> {
    let Members(members) = json_in::parse(call.json_text()?)?;
    let mut batch = Batch { atomicity: atomicity(call, false), records: Vec::new() };
    let mut records: Option<&RawValue> = None;
    for (name, raw) in members {
        match name.as_str() {
            "allOrNone" => batch.atomicity = atomicity(call, json_in::parse(raw.get())?),
            "records" => records = Some(raw),
            other => {
                return Err(Refusal::bad(ErrorCode::JsonParserError, format!("Unrecognized field \"{other}\"")));
            }
        }
    }
    let Some(records) = records else {
        return Err(Refusal::bad(ErrorCode::MissingArgument, "The body has no records"));
    };
    let Elements(records) = json_in::parse(records.get())?;
    within(records.len(), MAX_RECORDS)?;
    batch.records = records.into_iter().map(|raw| json_in::record(raw.get())).collect::<Result<_, _>>()?;
    if chunks(&batch.records) > MAX_CHUNKS {
        let message =
            "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking.";
        return Err(Refusal::bad(ErrorCode::Other("LIMIT_EXCEEDED".to_owned()), message));
    }
    Ok(batch)
}

/// How often the object changes from one record to the next, and one.
fn chunks(records: &[RecordIn]) -> usize {
    let objects = records.iter().map(|record| record.object.as_deref().unwrap_or_default().to_ascii_lowercase());
    let mut objects: Vec<_> = objects.collect();
    objects.dedup();
    objects.len()
}

fn within(count: usize, max: usize) -> Result<(), Refusal> {
    if count <= max {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {max} records into this call");
    Err(Refusal::bad(ErrorCode::ExceededIdLimit, message))
}

/// Inside a request of which all or nothing counts, its word goes before the collection's own (rest.md 3.1).
fn atomicity(call: &Call, all_or_none: bool) -> Atomicity {
    if all_or_none || call.core.is_joint() { Atomicity::AllOrNone } else { Atomicity::EachRecord }
}

fn text_of(id: Input) -> String {
    match id {
        Input::Text(text) | Input::Untyped(text) | Input::Number(text) => text,
        Input::Null | Input::Boolean(_) | Input::Nested(_) | Input::List => String::new(),
    }
}

fn results(mut saved: Vec<Saved>, with_created: bool) -> answer::Reply {
    let missing = |fault: &&mut Fault| fault.code == ErrorCode::NotFound && fault.fields.is_none();
    for fault in saved.iter_mut().flat_map(|saved| &mut saved.faults).filter(missing) {
        // There is no URL here that could lead nowhere.
        *fault = Fault::of_fields(ErrorCode::InvalidCrossReferenceKey, "invalid cross reference id", &[]);
    }
    let body: Vec<_> = saved.iter().map(|saved| SavedJson { saved, with_created }).collect();
    let mut reply = answer::json(StatusCode::OK, &body);
    if saved.iter().any(|saved| !saved.faults.is_empty()) {
        reply.extensions_mut().insert(PartlyFailed);
    }
    reply
}

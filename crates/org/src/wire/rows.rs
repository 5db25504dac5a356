//! Single records: `sobjects/X/…` by Id and by external id (rest.md 2.4).

use http::StatusCode;
use serde::Serialize;
use tombolo_schema::{ErrorCode, Id};

use super::{
    answer::{self, Outcome, Refusal},
    call::Call,
    conditional, json_in,
    json_out::RecordJson,
};
use crate::core::{
    Api, Caller, Found, Key, Looked, ObjectDef, Selection, Target,
    record::{Atomicity, CoreError, Input, Output, Saved},
};

/// From this version on an upsert tells whether it created (rest.md 2.4).
const TELLS_CREATED: u16 = 46;

#[derive(Serialize)]
struct SaveResult<'a> {
    id: &'a str,
    success: bool,
    errors: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<bool>,
}

/// The object that the path names.
pub(crate) fn object_of(call: &Call) -> Result<std::sync::Arc<ObjectDef>, Refusal> {
    call.core.schema().object(call.param("object")).cloned().ok_or_else(Refusal::not_found)
}

/// `POST sobjects/X`
pub(crate) fn create(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let mut record = json_in::record(call.json_text()?)?;
    if let Some(id) = record.id {
        record.row.fields.push(("Id".to_owned(), id));
    }
    let rows = vec![(object.name.to_string(), record.row)];
    let saved = the_one(call.core.insert(&call.caller(Api::Rest)?, rows, Atomicity::EachRecord)?)?;
    made(call, &object, saved, None)
}

/// `POST sobjects/X/Id`, the one POST below an object.
pub(crate) fn create_by_id(call: &Call) -> Outcome {
    if call.param("id").eq_ignore_ascii_case("Id") {
        return create(call);
    }
    Err(Refusal::method_not_allowed("POST", "HEAD,GET,PATCH,DELETE"))
}

/// `GET sobjects/X/001…?fields=A,B`
pub(crate) fn read(call: &Call) -> Outcome {
    let object = object_of(call)?;
    row(call, &call.caller(Api::Rest)?, &object.name, call.param("id"))
}

/// `PATCH sobjects/X/001…`
pub(crate) fn update(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let record = json_in::record(call.json_text()?)?;
    if record.id.is_some() {
        return Err(not_to_be_specified("Id"));
    }
    let condition = conditional::of_write(call)?;
    let target = Target { object: Some(object.name.to_string()), id: call.param("id").to_owned(), condition };
    let caller = call.caller(Api::Rest)?;
    the_one(call.core.update(&caller, vec![(target, record.row)], Atomicity::EachRecord)?)?;
    Ok(answer::no_content())
}

/// `DELETE sobjects/X/001…`
pub(crate) fn delete(call: &Call) -> Outcome {
    let object = object_of(call)?;
    remove(call, &object, call.param("id").to_owned())
}

/// `GET sobjects/X/Key__c/value`, `GET sobjects/X/001…/Body`, `GET sobjects/X/001…/Owner`
pub(crate) fn read_by_key(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let caller = call.caller(Api::Rest)?;
    let is_id = Id::parse(call.param("id")).is_ok() && object.field(call.param("id")).is_none();
    if is_id {
        return part_of_row(call, &caller, &object);
    }
    match find(call, &caller, &object)? {
        Found::None => Err(Refusal::not_found()),
        Found::Many(ids) => Ok(choices(call, &object, &ids)),
        Found::One(id) => row(call, &caller, &object.name, id.as_str()),
    }
}

/// `DELETE sobjects/X/Key__c/value`
pub(crate) fn delete_by_key(call: &Call) -> Outcome {
    let object = object_of(call)?;
    match find(call, &call.caller(Api::Rest)?, &object)? {
        Found::None => Err(Refusal::not_found()),
        Found::Many(ids) => Ok(choices(call, &object, &ids)),
        Found::One(id) => remove(call, &object, id.to_string()),
    }
}

/// `PATCH sobjects/X/Key__c/value[?updateOnly=true]`
pub(crate) fn upsert(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let field = call.param("id");
    let caller = call.caller(Api::Rest)?;
    let record = json_in::record(call.json_text()?)?;
    let given = record.row.fields.iter().map(|(name, _)| name.as_str()).chain(record.id.as_ref().map(|_| "Id"));
    if let Some(name) = given.into_iter().find(|name| name.eq_ignore_ascii_case(field)) {
        return Err(not_to_be_specified(name));
    }
    match find(call, &caller, &object)? {
        Found::Many(ids) => return Ok(choices(call, &object, &ids)),
        Found::None if call.query("updateOnly") == Some("true") => return Err(Refusal::not_found()),
        Found::None | Found::One(_) => {}
    }
    let rows = vec![(Input::Untyped(call.param("value").to_owned()), record.row)];
    let key = Key { object: &object.name, field, condition: conditional::of_write(call)? };
    let saved = the_one(call.core.upsert(&caller, &key, rows, Atomicity::EachRecord)?)?;
    let tells = call.version.major() >= TELLS_CREATED;
    let created = tells.then_some(saved.created);
    match (saved.created, tells) {
        (true, _) => made(call, &object, saved, created),
        (false, false) => Ok(answer::no_content()),
        (false, true) => {
            let id = saved.id.map(|id| id.to_string()).unwrap_or_default();
            Ok(answer::json(StatusCode::OK, &SaveResult { id: &id, success: true, errors: [], created }))
        }
    }
}

/// The record that a value of an external id, or an Id, leads to.
fn find(call: &Call, caller: &Caller, object: &ObjectDef) -> Result<Found, Refusal> {
    let (field, value) = (call.param("id"), call.param("value"));
    if field.eq_ignore_ascii_case("Id") {
        let id = Selection::Named(vec!["Id".to_owned()]);
        return Ok(Found::One(call.core.read(caller, &object.name, value, id)?.id.ok_or_else(Refusal::not_found)?));
    }
    Ok(call.core.find_by_external_id(caller, &object.name, field, value)?)
}

fn row(call: &Call, caller: &Caller, object: &str, id: &str) -> Outcome {
    let Looked { record, mark } = call.core.look(caller, object, id, selection(call))?;
    let verdict = conditional::of_read(call).of_read(&mark);
    let whole = || answer::json(StatusCode::OK, &RecordJson { record: &record, base: &call.base() });
    Ok(conditional::judged(verdict, &mark, whole))
}

fn selection(call: &Call) -> Selection {
    match call.query("fields") {
        Some(fields) if !fields.trim().is_empty() => {
            Selection::Named(fields.split(',').map(|field| field.trim().to_owned()).collect())
        }
        _ => Selection::All,
    }
}

/// A blob in its own bytes, or the record that a reference leads to.
fn part_of_row(call: &Call, caller: &Caller, object: &ObjectDef) -> Outcome {
    let (id, name) = (call.param("id"), call.param("value"));
    let reference = object.parent(name);
    let Some(field) = reference.or_else(|| object.field(name)) else { return Err(Refusal::not_found()) };
    let selection = Selection::Named(vec![field.name.to_string()]);
    let record = call.core.read(caller, &object.name, id, selection)?;
    let value = record.fields.into_iter().find(|(key, _)| *key == field.name).map(|(_, value)| value);
    match (reference, value) {
        (None, Some(Output::Blob(bytes))) => Ok(answer::text(StatusCode::OK, "application/octet-stream", bytes)),
        (Some(_), Some(Output::Text(parent))) => {
            let schema = call.core.schema();
            let object = Id::parse(&parent).ok().and_then(|id| schema.of_id(id).cloned());
            row(call, caller, &object.ok_or_else(Refusal::not_found)?.name, &parent)
        }
        _ => Err(Refusal::not_found()),
    }
}

fn remove(call: &Call, object: &ObjectDef, id: String) -> Outcome {
    let caller = call.caller(Api::Rest)?;
    the_one(call.core.delete(&caller, vec![id], Some(&object.name), Atomicity::EachRecord)?)?;
    Ok(answer::no_content())
}

fn made(call: &Call, object: &ObjectDef, saved: Saved, created: Option<bool>) -> Outcome {
    let id = saved.id.map(|id| id.to_string()).unwrap_or_default();
    let location = format!("{}/sobjects/{}/{id}", call.base(), object.name);
    Ok(answer::created(&location, &SaveResult { id: &id, success: true, errors: [], created }))
}

/// 300: the value belongs to many, and nothing was done.
fn choices(call: &Call, object: &ObjectDef, ids: &[Id]) -> answer::Reply {
    let urls: Vec<_> = ids.iter().map(|id| format!("{}/sobjects/{}/{id}", call.base(), object.name)).collect();
    answer::json(StatusCode::MULTIPLE_CHOICES, &urls)
}

/// The result of a write of one record; its faults are the request's.
pub(crate) fn the_one(saved: Vec<Saved>) -> Result<Saved, Refusal> {
    let Some(saved) = saved.into_iter().next() else {
        return Err(CoreError::Internal("a write of one record had no result".to_owned()).into());
    };
    if saved.faults.is_empty() { Ok(saved) } else { Err(CoreError::Refused(saved.faults).into()) }
}

fn not_to_be_specified(field: &str) -> Refusal {
    let message = format!("The {field} field should not be specified in the sobject data.");
    Refusal::bad(ErrorCode::InvalidField, message)
}

/// `ids=a,b` of a query, without blanks and empty entries.
pub(crate) fn list_of(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

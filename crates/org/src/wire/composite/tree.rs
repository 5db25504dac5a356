//! `composite/tree/X`: records with their children, all or none (rest.md 3.3).

use http::StatusCode;
use serde_json::{Value, json, value::RawValue};
use tombolo_schema::ErrorCode;

use crate::{
    core::{
        Api, Caller, Core, Ending, ObjectDef, Registry,
        record::{Atomicity, Fault, Input, Result},
    },
    wire::{
        answer::{self, Outcome, Refusal},
        call::Call,
        json_in::{self, Elements, Members, RecordIn},
        rows::object_of,
    },
};

const MAX_RECORDS: usize = 200;
const MAX_OBJECTS: usize = 5;
const MAX_DEPTH: usize = 5;

/// A record of the tree, and where it hangs.
struct Leaf {
    object: String,
    reference_id: String,
    record: RecordIn,
    parent: Option<Parent>,
}

/// The place of a parent among the records, and the field that refers to it.
type Parent = (usize, String);

/// A record that was not read yet: its text, its object, its parent.
type Unread<'a> = (&'a RawValue, String, Option<Parent>);

/// What went wrong with the records that failed, by reference id.
type Failures = Vec<(String, Vec<Fault>)>;

/// `POST composite/tree/X`
pub(crate) fn plant(call: &Call) -> Outcome {
    let root = object_of(call)?;
    let schema = call.core.schema();
    let leaves = read(&schema, &root, call.json_text()?)?;
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.reference_id.clone()).collect();
    if let Some(failures) = twice(&names) {
        return Ok(failed(&failures));
    }
    let caller = call.caller(Api::Rest)?;
    let planted = call.core.together(&caller, |core| match grow(core, &caller, leaves) {
        Ok((ids, failures)) if failures.is_empty() => (Ok((ids, failures)), Ending::Keep),
        other => (other, Ending::Undo),
    })?;
    let (ids, failures) = planted?;
    if !failures.is_empty() {
        return Ok(failed(&failures));
    }
    let results: Vec<Value> =
        names.iter().zip(ids).map(|(name, id)| json!({ "referenceId": name, "id": id })).collect();
    Ok(answer::json(StatusCode::CREATED, &json!({ "hasErrors": false, "results": results })))
}

/// Makes the records, parents first; of those that cannot be made it is said why.
fn grow(core: &Core, caller: &Caller, leaves: Vec<Leaf>) -> Result<(Vec<Option<String>>, Failures)> {
    let mut ids: Vec<Option<String>> = Vec::with_capacity(leaves.len());
    let mut failures = Failures::new();
    for mut leaf in leaves {
        if let Some((parent, field)) = leaf.parent {
            let Some(id) = &ids[parent] else {
                // Its parent says what is wrong.
                ids.push(None);
                continue;
            };
            leaf.record.row.fields.push((field, Input::Text(id.clone())));
        }
        let saved = core.insert(caller, vec![(leaf.object, leaf.record.row)], Atomicity::EachRecord)?;
        let saved = saved.into_iter().next();
        ids.push(saved.as_ref().and_then(|saved| saved.id).map(|id| id.to_string()));
        if let Some(faults) = saved.map(|saved| saved.faults).filter(|faults| !faults.is_empty()) {
            failures.push((leaf.reference_id, faults));
        }
    }
    Ok((ids, failures))
}

fn failed(failures: &Failures) -> answer::Reply {
    let error = |fault: &Fault| json!({ "statusCode": fault.code.as_str(), "message": fault.message, "fields": fault.fields.clone().unwrap_or_default() });
    let results: Vec<Value> = failures
        .iter()
        .map(|(name, faults)| json!({ "referenceId": name, "errors": faults.iter().map(error).collect::<Vec<_>>() }))
        .collect();
    answer::json(StatusCode::BAD_REQUEST, &json!({ "hasErrors": true, "results": results }))
}

/// Reference ids that several records have: an entry for each.
fn twice(names: &[String]) -> Option<Failures> {
    let mut seen = std::collections::HashSet::new();
    let again = names.iter().filter(|name| !seen.insert(name.as_str()));
    let fault = |name: &String| {
        let message = format!("Duplicate ReferenceId provided in the request: {name}");
        (name.clone(), vec![Fault::of_fields(ErrorCode::from("INVALID_INPUT"), message, &[])])
    };
    Some(again.map(fault).collect::<Failures>()).filter(|failures| !failures.is_empty())
}

/// The records of a tree, level by level.
fn read(schema: &Registry, root: &ObjectDef, text: &str) -> Result<Vec<Leaf>, Refusal> {
    let mut level: Vec<Unread<'_>> = Vec::new();
    for raw in records(text)? {
        level.push((raw, root.name.to_string(), None));
    }
    let mut leaves: Vec<Leaf> = Vec::new();
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        if depth == MAX_DEPTH {
            return Err(wrong(format!("The tree is more than {MAX_DEPTH} levels deep")));
        }
        let mut next = Vec::new();
        for (raw, object, parent) in level {
            let place = leaves.len();
            if place == MAX_RECORDS {
                return Err(wrong(format!("The tree has more than {MAX_RECORDS} records")));
            }
            let (leaf, children) = leaf(schema, raw.get(), object, parent)?;
            next.extend(children.into_iter().map(|(raw, object, field)| (raw, object, Some((place, field)))));
            leaves.push(leaf);
        }
        level = next;
    }
    let mut objects: Vec<_> = leaves.iter().map(|leaf| leaf.object.to_ascii_lowercase()).collect();
    objects.sort_unstable();
    objects.dedup();
    if objects.len() > MAX_OBJECTS {
        return Err(wrong(format!("The tree has records of more than {MAX_OBJECTS} objects")));
    }
    Ok(leaves)
}

fn records(text: &str) -> Result<Vec<&RawValue>, Refusal> {
    let Members(members) = json_in::parse(text)?;
    let Some((_, raw)) = members.into_iter().find(|(name, _)| name == "records") else {
        return Err(wrong("There are no records".to_owned()));
    };
    let Elements(records) = json_in::parse(raw.get())?;
    Ok(records)
}

/// Children by their texts, with their object and the field that refers to the parent.
type Children<'a> = Vec<(&'a RawValue, String, String)>;

fn leaf<'a>(
    schema: &Registry,
    text: &'a str,
    object: String,
    parent: Option<Parent>,
) -> Result<(Leaf, Children<'a>), Refusal> {
    let Members(members) = json_in::parse(text)?;
    let own = schema.object(&object).cloned();
    let (mut children, mut fields) = (Children::new(), Vec::new());
    for (name, raw) in members {
        match own.as_ref().and_then(|own| own.children(&name)) {
            Some(relationship) => {
                for child in records(raw.get())? {
                    children.push((child, relationship.child_object.clone(), relationship.field.clone()));
                }
            }
            None => fields.push((name, raw)),
        }
    }
    let attributes = fields.iter().find(|(name, _)| name == "attributes").map(|(_, raw)| raw.get());
    let Members(attributes) = json_in::parse(attributes.unwrap_or("{}"))?;
    let attribute = |name: &str| -> Result<String, Refusal> {
        let found = attributes.iter().find(|(key, _)| key == name);
        let (_, raw) = found.ok_or_else(|| wrong(format!("Each record needs the attribute {name}")))?;
        json_in::parse(raw.get())
    };
    let (named, reference_id) = (attribute("type")?, attribute("referenceId")?);
    if !named.eq_ignore_ascii_case(&object) {
        return Err(wrong(format!("The record {reference_id} is of the type {named}, where {object} is expected")));
    }
    let members: Vec<String> =
        fields.iter().map(|(name, raw)| format!("{}:{}", Value::from(name.as_str()), raw.get())).collect();
    let record = json_in::record(&format!("{{{}}}", members.join(",")))?;
    Ok((Leaf { object, reference_id, record, parent }, children))
}

fn wrong(message: String) -> Refusal {
    Refusal::bad(ErrorCode::from("INVALID_INPUT"), message)
}

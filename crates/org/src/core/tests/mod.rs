//! The core as a whole, on an org in memory.

mod changes;
mod deletes;
mod projects;
mod writes;

use tombolo_schema::ApiVersion;

use super::{
    Api, Caller, CdcSelection, ChangeEvent, Channel, ClockMode, Core, CoreConfig,
    record::{Atomicity, CoreError, Fault, Input, Output, Record, RowInput, Saved},
};
use crate::core::{Selection, Target};

/// An org in memory whose clock stands still, grown from a fixed seed.
pub(super) fn org(cdc: CdcSelection) -> Core {
    let config = CoreConfig { cdc, clock: ClockMode::Manual, seed: Some(1), ..CoreConfig::default() };
    Core::open(config).unwrap()
}

pub(super) fn caller(core: &Core) -> Caller {
    Caller {
        user_id: core.admin_user().id,
        api: Api::Rest,
        version: ApiVersion::DEFAULT,
        client: Some("test".to_owned()),
        duplicates_allowed: false,
        session: String::new(),
    }
}

/// A JSON object as a record's values.
pub(super) fn row(json: &str) -> RowInput {
    match input(&serde_json::from_str(json).unwrap()) {
        Input::Nested(fields) => RowInput { fields },
        _ => panic!("{json} is no object"),
    }
}

fn input(value: &serde_json::Value) -> Input {
    use serde_json::Value;
    match value {
        Value::Null => Input::Null,
        Value::Bool(on) => Input::Boolean(*on),
        Value::Number(number) => Input::Number(number.to_string()),
        Value::String(text) => Input::Text(text.clone()),
        Value::Array(_) => Input::List,
        Value::Object(parts) => Input::Nested(parts.iter().map(|(k, v)| (k.clone(), input(v))).collect()),
    }
}

pub(super) fn insert(core: &Core, object: &str, json: &str) -> Saved {
    let rows = vec![(object.to_owned(), row(json))];
    core.insert(&caller(core), rows, Atomicity::EachRecord).unwrap().remove(0)
}

/// Inserts a record that has to succeed; its Id.
pub(super) fn add(core: &Core, object: &str, json: &str) -> String {
    let saved = insert(core, object, json);
    assert_eq!(saved.faults, [], "{object} {json}");
    saved.id.unwrap().as_str().to_owned()
}

pub(super) fn update(core: &Core, id: &str, json: &str) -> Saved {
    let target = Target::new(None, id.to_owned());
    core.update(&caller(core), vec![(target, row(json))], Atomicity::EachRecord).unwrap().remove(0)
}

pub(super) fn delete(core: &Core, id: &str) -> Saved {
    core.delete(&caller(core), vec![id.to_owned()], None, Atomicity::EachRecord).unwrap().remove(0)
}

pub(super) fn undelete(core: &Core, id: &str) -> Saved {
    core.undelete(&caller(core), vec![id.to_owned()]).unwrap().remove(0)
}

/// The codes and texts of what went wrong.
pub(super) fn told(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|f| format!("{}: {}", f.code, f.message)).collect()
}

pub(super) fn read(core: &Core, object: &str, id: &str) -> Record {
    core.read(&caller(core), object, id, Selection::All).unwrap()
}

/// What reading a row is refused with.
pub(super) fn refused(core: &Core, object: &str, id: &str) -> String {
    match core.read(&caller(core), object, id, Selection::All) {
        Err(CoreError::Refused(faults)) => told(&faults).remove(0),
        other => panic!("{other:?}"),
    }
}

pub(super) fn field(core: &Core, object: &str, id: &str, name: &str) -> Output {
    let record = read(core, object, id);
    record.fields.into_iter().find(|(n, _)| **n == *name).unwrap().1
}

pub(super) fn text(value: &str) -> Output {
    Output::Text(value.to_owned())
}

pub(super) fn events(core: &Core) -> Vec<ChangeEvent> {
    let stored = core.events().read_after(&Channel::All, 0, 10_000).unwrap();
    assert!(stored.is_sorted_by(|a, b| a.replay_id < b.replay_id));
    stored.into_iter().map(|s| s.event).collect()
}

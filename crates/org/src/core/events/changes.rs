//! From the changes of a transaction to its events (streaming.md 2.2, 2.4, 2.5).

use std::{collections::BTreeMap, sync::Arc};

use tombolo_schema::{FieldType, Id};

use super::{ChangeEvent, ChangeType, misreport::OVERFLOW_ID};
use crate::{
    core::{FieldDef, ObjectDef, record::Output, schema::storage::output},
    store::Cell,
};

/// A change of a record, as a write made it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) object: Arc<ObjectDef>,
    pub(crate) id: Id,
    pub(crate) change_type: ChangeType,
    /// None of a record that was made.
    pub(crate) before: Option<Vec<Cell>>,
    /// None of a record that went for good.
    pub(crate) after: Option<Vec<Cell>>,
    /// `com/salesforce/api/rest/66.0;client=x`: of a transaction of several requests each has its own.
    pub(crate) origin: Arc<str>,
}

/// What all events of a transaction share.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) key: String,
    pub(crate) number: u64,
    /// Milliseconds.
    pub(crate) timestamp: i64,
    pub(crate) user: Id,
}

/// After so many changes of a transaction an entity is only told to have overflowed.
const OVERFLOW: usize = 100_000;

/// The events of a transaction: one a record, equal ones merged.
pub(crate) fn change_events(changes: Vec<Change>, commit: &Commit) -> Vec<ChangeEvent> {
    let changes = one_each(changes);
    let mut events: Vec<ChangeEvent> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut told: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for change in &changes {
        let event = event(change, commit);
        let count = told.entry(Arc::clone(&change.object.name)).or_default();
        *count += event.changed_fields.len().max(1);
        if *count > OVERFLOW {
            overflow(&mut events, &change.object, commit);
            continue;
        }
        let same =
            format!("{:?}", (&event.entity, event.change_type, &event.origin, &event.changed_fields, &event.fields));
        match known.get(&same) {
            Some(&at) => events[at].record_ids.push(change.id),
            None => {
                known.insert(same, events.len());
                events.push(event);
            }
        }
    }
    for (at, event) in events.iter_mut().enumerate() {
        event.sequence_number = u32::try_from(at + 1).unwrap_or(u32::MAX);
    }
    events
}

fn overflow(events: &mut Vec<ChangeEvent>, object: &ObjectDef, commit: &Commit) {
    let told = |e: &ChangeEvent| e.change_type == ChangeType::GapOverflow && *e.entity == *object.name;
    if let (false, Ok(id)) = (events.iter().any(told), Id::parse(OVERFLOW_ID)) {
        events.push(header(object, ChangeType::GapOverflow, id, commit));
    }
}

/// Several changes of a record are one: the first type and origin, the last values. What was made and deleted again was nothing;
/// of what was changed and then deleted the delete is told, as nothing else about it can be read any more.
fn one_each(changes: Vec<Change>) -> Vec<Change> {
    let mut merged: Vec<Option<Change>> = Vec::with_capacity(changes.len());
    let mut places: BTreeMap<Id, usize> = BTreeMap::new();
    for change in changes {
        let Some(&place) = places.get(&change.id) else {
            places.insert(change.id, merged.len());
            merged.push(Some(change));
            continue;
        };
        merged[place] = match (merged[place].take(), change.change_type) {
            (Some(first), ChangeType::Delete) if first.change_type == ChangeType::Create => None,
            (Some(first), ChangeType::Delete) => Some(Change { before: first.before, ..change }),
            (Some(first), _) => Some(Change { after: change.after, ..first }),
            (None, _) => Some(change),
        };
    }
    merged.into_iter().flatten().collect()
}

fn header(object: &ObjectDef, change_type: ChangeType, id: Id, commit: &Commit) -> ChangeEvent {
    ChangeEvent {
        entity: object.name.to_string(),
        change_type,
        record_ids: vec![id],
        changed_fields: Vec::new(),
        fields: Vec::new(),
        origin: String::new(),
        transaction_key: commit.key.clone(),
        sequence_number: 1,
        commit_timestamp: commit.timestamp,
        commit_number: commit.number,
        commit_user: commit.user,
    }
}

fn event(change: &Change, commit: &Commit) -> ChangeEvent {
    let mut event = header(&change.object, change.change_type, change.id, commit);
    event.origin = change.origin.to_string();
    let fields: Vec<&FieldDef> = change.object.columns().filter(|f| is_told(&change.object, f)).collect();
    match (change.change_type, &change.before, &change.after) {
        (ChangeType::Create | ChangeType::Undelete, _, Some(after)) => {
            let filled = |f: &&FieldDef| f.column.is_some_and(|at| after[at] != Cell::Null);
            body(&mut event, &change.object, fields.into_iter().filter(filled), after);
        }
        (ChangeType::Update, Some(before), Some(after)) => {
            // LastModifiedDate is told with every update, also of the second in which it did not move.
            let moved =
                |f: &FieldDef| &*f.name == "LastModifiedDate" || f.column.is_some_and(|at| before[at] != after[at]);
            let changed: Vec<&FieldDef> = fields.iter().copied().filter(|f| moved(f)).collect();
            event.changed_fields = changed.iter().map(|f| full_name(&change.object, f)).collect();
            let whole = |f: &&FieldDef| moved(f) || is_moved_with(f, &changed);
            body(&mut event, &change.object, fields.iter().copied().filter(whole), after);
        }
        _ => {}
    }
    event
}

/// Custom locations are always told with all their parts.
fn is_moved_with(field: &FieldDef, changed: &[&FieldDef]) -> bool {
    let Some(compound) = field.compound_field_name.as_deref().filter(|c| c.ends_with("__c")) else { return false };
    changed.iter().any(|f| f.compound_field_name.as_deref() == Some(compound))
}

fn body<'a>(event: &mut ChangeEvent, object: &ObjectDef, fields: impl Iterator<Item = &'a FieldDef>, row: &[Cell]) {
    for field in fields {
        let Some(cell) = field.column.and_then(|at| row.get(at)) else { continue };
        let value = output(field.field_type, cell);
        let Some(compound) = compound_of(object, field) else {
            event.fields.push((Arc::clone(&field.name), value));
            continue;
        };
        let part = (Arc::from(field.part_name()), value);
        let nested = event.fields.iter_mut().find_map(|(name, value)| match value {
            Output::Compound(parts) if **name == *compound => Some(parts),
            _ => None,
        });
        match nested {
            Some(parts) => parts.push(part),
            None => event.fields.push((Arc::from(compound), Output::Compound(vec![part]))),
        }
    }
}

/// The compound that a field is nested in: an address, a location, the Name of a person.
fn compound_of<'a>(object: &ObjectDef, field: &'a FieldDef) -> Option<&'a str> {
    let compound = field.compound_field_name.as_deref()?;
    let is_own = compound == &*field.name;
    let nests = object.field(compound).is_some_and(|c| c.field_type.is_compound());
    let is_person = compound == "Name" && object.is_person();
    ((nests || is_person) && !is_own).then_some(compound)
}

fn full_name(object: &ObjectDef, field: &FieldDef) -> String {
    match compound_of(object, field) {
        Some(compound) => format!("{compound}.{}", field.part_name()),
        None => field.name.to_string(),
    }
}

/// Never told: the Id (the header has it), stamps of the system, what follows from other records, files.
fn is_told(object: &ObjectDef, field: &FieldDef) -> bool {
    const UNTOLD: &[&str] = &[
        "IsDeleted",
        "SystemModstamp",
        "LastActivityDate",
        "LastViewedDate",
        "LastReferencedDate",
        "LastCURequestDate",
        "LastCUUpdateDate",
        "PhotoUrl",
    ];
    let is_composed = &*field.name == "Name" && object.is_person();
    !matches!(field.field_type, FieldType::Id | FieldType::Base64) && !UNTOLD.contains(&&*field.name) && !is_composed
}

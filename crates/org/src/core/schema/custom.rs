//! Custom objects, made from metadata files.

use std::{collections::BTreeMap, path::PathBuf};

use tombolo_schema::{DefaultValue, Field, FieldFlags, FieldType, Object, ObjectFlags};

use super::{
    custom_field::{self, CustomField},
    markup::Element,
    source::{Source, wrong},
};
use crate::core::record::Result;

/// What projects add to the standard objects, besides the objects themselves.
#[derive(Debug, Default)]
pub(super) struct Additions {
    /// The names that children have in child queries, by child object and field.
    pub(super) child_names: BTreeMap<(String, String), String>,
    /// Facts that are no describe facts, by object and field.
    pub(super) extras: BTreeMap<(String, String), Extra>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    pub(super) constant_default: Option<DefaultValue>,
    pub(super) starting_number: u64,
}

/// Adds the objects and fields of projects, and those that were added since.
pub(super) fn add(objects: &mut Vec<Object>, source: &Source) -> Result<Additions> {
    let mut additions = Additions::default();
    for (name, object) in &source.objects {
        if name.contains("__") && !objects.iter().any(|o| o.name == *name) {
            match &object.file {
                Some((_, file)) => objects.push(custom_object(name, file, &object.fields)),
                None => tracing::warn!(object = name, "left out: its fields are there, its object file is not"),
            }
        }
    }
    for (name, object) in &source.objects {
        for target in targets(name) {
            let Some(at) = objects.iter().position(|o| o.name == target) else {
                tracing::warn!(object = name, "left out: the org has no such standard object");
                continue;
            };
            for (field, (path, element)) in &object.fields {
                if !field.contains("__") {
                    // A standard field's file holds settings of the user interface; its facts are known.
                    continue;
                }
                let made = custom_field::build(field, element, source).map_err(|e| wrong(path, e))?;
                add_field(&mut objects[at], made, &mut additions);
            }
        }
    }
    custom_field::resolve_summaries(objects, source);
    for (activity, name) in [("Task", "Tasks"), ("Event", "Events")] {
        additions.child_names.insert((activity.to_owned(), "WhatId".to_owned()), name.to_owned());
    }
    offer_activities(objects, source);
    Ok(additions)
}

/// Fields of Activity belong to tasks and events alike.
fn targets(name: &str) -> Vec<&str> {
    match name {
        "Activity" => vec!["Task", "Event"],
        other => vec![other],
    }
}

fn add_field(object: &mut Object, made: CustomField, additions: &mut Additions) {
    let key = (object.name.clone(), made.fields.last().map(|f| f.name.clone()).unwrap_or_default());
    if let Some(child_name) = made.child_name {
        additions.child_names.insert(key.clone(), child_name);
    }
    additions.extras.insert(key, made.extra);
    for field in made.fields {
        object.fields.retain(|f| !f.name.eq_ignore_ascii_case(&field.name));
        object.fields.push(field);
    }
}

/// A custom object with the fields that every one has (fixtures/describe/Custom__c.json).
fn custom_object(name: &str, file: &Element, fields: &BTreeMap<String, (PathBuf, Element)>) -> Object {
    let is_detail = fields.values().any(|(_, f)| f.text("type") == Some("MasterDetail"));
    let label = file.text("label").unwrap_or(name);
    let mut object = Object {
        label: label.to_owned(),
        label_plural: file.text("pluralLabel").map_or_else(|| format!("{label}s"), str::to_owned),
        flags: object_flags(name, file),
        ..Object::new(name)
    };
    object.fields = match name.rsplit_once("__") {
        Some((_, "e")) => event_fields(),
        Some((_, "mdt")) => type_fields(),
        _ => standard_fields(file, is_detail),
    };
    object
}

fn object_flags(name: &str, file: &Element) -> ObjectFlags {
    let (is_event, is_type) = (name.ends_with("__e"), name.ends_with("__mdt"));
    let has_rows = !is_event;
    let is_data = has_rows && !is_type;
    let is_setting = file.child("customSettingsType").is_some();
    let enabled = |flag: &str| file.is(flag);
    ObjectFlags {
        createable: !is_type,
        updateable: is_data,
        deletable: is_data,
        undeletable: is_data && !is_setting,
        queryable: has_rows,
        retrieveable: has_rows,
        replicateable: is_data,
        searchable: is_data && !is_setting && file.text("enableSearch") != Some("false"),
        layoutable: !is_event,
        triggerable: is_event || (is_data && !is_setting),
        mru_enabled: is_data && !is_setting,
        feed_enabled: enabled("enableFeeds"),
        custom: true,
        custom_setting: is_setting,
        compact_layoutable: is_data && !is_setting,
        search_layoutable: is_data && !is_setting,
        ..ObjectFlags::default()
    }
}

/// The flags that all fields of the system share.
fn shown() -> FieldFlags {
    FieldFlags { filterable: true, sortable: true, ..FieldFlags::default() }
}

fn system(name: &str, label: &str, field_type: FieldType, adjust: impl FnOnce(&mut Field)) -> Field {
    let mut field = Field { label: label.to_owned(), flags: shown(), ..Field::new(name, field_type) };
    if field_type.is_id() {
        field.length = 18;
        field.flags.groupable = true;
        field.flags.aggregatable = true;
    }
    if matches!(field_type, FieldType::DateTime | FieldType::Date) {
        field.flags.aggregatable = true;
    }
    field.flags.defaulted_on_create = true;
    adjust(&mut field);
    field
}

fn user(name: &str, label: &str, relationship: &str) -> Field {
    system(name, label, FieldType::Reference, |f| {
        f.reference_to = vec!["User".to_owned()];
        f.relationship_name = Some(relationship.to_owned());
    })
}

fn standard_fields(file: &Element, is_detail: bool) -> Vec<Field> {
    let mut fields = vec![system("Id", "Record ID", FieldType::Id, |f| f.flags.id_lookup = true)];
    if !is_detail {
        fields.push(system("OwnerId", "Owner ID", FieldType::Reference, |f| {
            (f.flags.createable, f.flags.updateable) = (true, true);
            (f.flags.polymorphic_foreign_key, f.flags.name_pointing) = (true, true);
            f.reference_to = vec!["Group".to_owned(), "User".to_owned()];
            f.relationship_name = Some("Owner".to_owned());
        }));
    }
    fields.push(system("IsDeleted", "Deleted", FieldType::Boolean, |f| {
        f.flags.groupable = true;
        f.default_value = Some(DefaultValue::Boolean(false));
    }));
    fields.push(name_field(file.child("nameField")));
    fields.push(system("CreatedDate", "Created Date", FieldType::DateTime, |_| ()));
    fields.push(user("CreatedById", "Created By ID", "CreatedBy"));
    fields.push(system("LastModifiedDate", "Last Modified Date", FieldType::DateTime, |_| ()));
    fields.push(user("LastModifiedById", "Last Modified By ID", "LastModifiedBy"));
    fields.push(system("SystemModstamp", "System Modstamp", FieldType::DateTime, |_| ()));
    let empty = |f: &mut Field| (f.flags.nillable, f.flags.defaulted_on_create) = (true, false);
    if file.is("enableActivities") {
        fields.push(system("LastActivityDate", "Last Activity Date", FieldType::Date, |f| {
            empty(f);
            f.flags.groupable = true;
        }));
    }
    fields.push(system("LastViewedDate", "Last Viewed Date", FieldType::DateTime, empty));
    fields.push(system("LastReferencedDate", "Last Referenced Date", FieldType::DateTime, empty));
    fields
}

/// Text, which may be left out (the record is then named by its Id), or an auto number.
fn name_field(settings: Option<&Element>) -> Field {
    let text = |name: &str| settings.and_then(|s| s.text(name));
    let is_number = text("type") == Some("AutoNumber");
    system("Name", text("label").unwrap_or("Name"), FieldType::String, |f| {
        f.length = 80;
        (f.flags.name_field, f.flags.id_lookup) = (true, true);
        (f.flags.groupable, f.flags.aggregatable) = (true, true);
        f.flags.auto_number = is_number;
        (f.flags.createable, f.flags.updateable, f.flags.nillable) = (!is_number, !is_number, !is_number);
        f.display_format = if is_number { text("displayFormat").map(str::to_owned) } else { None };
    })
}

/// The fields that every platform event has.
fn event_fields() -> Vec<Field> {
    let replay = system("ReplayId", "Replay ID", FieldType::String, |f| {
        f.length = 1000;
        (f.flags.nillable, f.flags.defaulted_on_create, f.flags.sortable) = (true, false, false);
    });
    let uuid = system("EventUuid", "Event UUID", FieldType::String, |f| {
        f.length = 36;
        (f.flags.nillable, f.flags.defaulted_on_create) = (true, false);
    });
    let created = system("CreatedDate", "Created Date", FieldType::DateTime, |_| ());
    vec![replay, created, user("CreatedById", "Created By ID", "CreatedBy"), uuid]
}

/// The fields that every custom metadata type has.
fn type_fields() -> Vec<Field> {
    let named = |name: &str, label: &str, length: u32| {
        system(name, label, FieldType::String, |f| {
            f.length = length;
            (f.flags.groupable, f.flags.aggregatable, f.flags.defaulted_on_create) = (true, true, false);
            f.flags.nillable = name == "NamespacePrefix";
            f.flags.name_field = name == "DeveloperName";
        })
    };
    vec![
        system("Id", "Custom Metadata Record ID", FieldType::Id, |f| f.flags.id_lookup = true),
        named("DeveloperName", "Custom Metadata Record Name", 40),
        named("MasterLabel", "Label", 40),
        named("Language", "Master Language", 40),
        named("NamespacePrefix", "Namespace Prefix", 15),
        named("Label", "Label", 40),
        named("QualifiedApiName", "Qualified API Name", 70),
        system("SystemModstamp", "System Modstamp", FieldType::DateTime, |_| ()),
    ]
}

/// Objects with activities can be what a task or an event is about.
fn offer_activities(objects: &mut [Object], source: &Source) {
    let enabled = |name: &String| {
        source.objects.get(name).and_then(|o| o.file.as_ref()).is_some_and(|(_, f)| f.is("enableActivities"))
    };
    let names: Vec<_> = source.objects.keys().filter(|name| enabled(name)).cloned().collect();
    for activity in objects.iter_mut().filter(|o| matches!(o.name.as_str(), "Task" | "Event")) {
        for what in activity.fields.iter_mut().filter(|f| f.name == "WhatId") {
            what.reference_to
                .extend(names.iter().filter(|n| !what.reference_to.contains(n)).cloned().collect::<Vec<_>>());
            what.reference_to.sort();
        }
    }
}

//! Describe: objects and fields with every key that real ones have (metadata.md 1).

use http::StatusCode;
use serde_json::{Map, Value, json};
use tombolo_schema::{ChildRelationship, DefaultValue, FieldType, PicklistValue};

use super::{
    answer::{self, Outcome, Reply},
    call::Call,
    conditional,
    rows::object_of,
};
use crate::core::{FieldDef, ObjectDef, Registry};

/// The record type that every object has.
const MASTER: &str = "012000000000000AAA";

/// `GET sobjects`
pub(crate) fn global(call: &Call) -> Outcome {
    let schema = call.core.schema();
    let base = call.base();
    let objects: Vec<_> = schema.objects().iter().map(|object| brief(&schema, object, &base)).collect();
    Ok(marked(call, || {
        answer::json(StatusCode::OK, &json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects }))
    }))
}

/// `GET sobjects/X`. Recent items are what was looked at in a browser, which this org has none of.
pub(crate) fn basic(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let described = brief(&call.core.schema(), &object, &call.base());
    Ok(answer::json(StatusCode::OK, &json!({ "objectDescribe": described, "recentItems": [] })))
}

/// `GET sobjects/X/describe`
pub(crate) fn full(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let schema = call.core.schema();
    let described = || whole(&schema, &object, &call.base(), &call.origin.instance_url());
    Ok(marked(call, || answer::json(StatusCode::OK, &described())))
}

/// A describe is as old as the schema.
fn marked(call: &Call, described: impl FnOnce() -> Reply) -> Reply {
    let mark = call.core.schema_mark();
    conditional::judged(conditional::of_read(call).of_read(&mark), &mark, described)
}

/// An object as describe global lists it.
fn brief(schema: &Registry, object: &ObjectDef, base: &str) -> Value {
    let flags = object.flags;
    let (associate_type, associate_parent) = associate(schema, &object.name);
    json!({
        "activateable": flags.activateable,
        "associateEntityType": associate_type,
        "associateParentEntity": associate_parent,
        "createable": flags.createable,
        "custom": flags.custom,
        "customSetting": flags.custom_setting,
        "deepCloneable": flags.deep_cloneable,
        "deletable": flags.deletable,
        "deprecatedAndHidden": flags.deprecated_and_hidden,
        "feedEnabled": flags.feed_enabled,
        "hasSubtypes": flags.has_subtypes,
        "isInterface": flags.is_interface,
        "isSubtype": flags.is_subtype,
        "keyPrefix": object.key_prefix,
        "label": object.label,
        "labelPlural": object.label_plural,
        "layoutable": flags.layoutable,
        "mergeable": flags.mergeable,
        "mruEnabled": flags.mru_enabled,
        "name": &*object.name,
        "queryable": flags.queryable,
        "replicateable": flags.replicateable,
        "retrieveable": flags.retrieveable,
        "searchable": flags.searchable,
        "triggerable": flags.triggerable,
        "undeletable": flags.undeletable,
        "updateable": flags.updateable,
        "urls": urls(object, base, None),
    })
}

/// An object with its fields and relationships.
fn whole(schema: &Registry, object: &ObjectDef, base: &str, instance: &str) -> Value {
    let flags = object.flags;
    let (associate_type, associate_parent) = associate(schema, &object.name);
    json!({
        "actionOverrides": [],
        "activateable": flags.activateable,
        "associateEntityType": associate_type,
        "associateParentEntity": associate_parent,
        "childRelationships": object.child_relationships.iter().map(child).collect::<Vec<_>>(),
        "compactLayoutable": flags.compact_layoutable,
        "createable": flags.createable,
        "custom": flags.custom,
        "customSetting": flags.custom_setting,
        "deepCloneable": flags.deep_cloneable,
        "defaultImplementation": null,
        "deletable": flags.deletable,
        "deprecatedAndHidden": flags.deprecated_and_hidden,
        "extendedBy": null,
        "extendsInterfaces": null,
        "feedEnabled": flags.feed_enabled,
        "fields": object.fields().iter().map(field).collect::<Vec<_>>(),
        "hasSubtypes": flags.has_subtypes,
        "implementedBy": null,
        "implementsInterfaces": null,
        "isInterface": flags.is_interface,
        "isSubtype": flags.is_subtype,
        "keyPrefix": object.key_prefix,
        "label": object.label,
        "labelPlural": object.label_plural,
        "layoutable": flags.layoutable,
        "listviewable": null,
        "lookupLayoutable": null,
        "mergeable": flags.mergeable,
        "mruEnabled": flags.mru_enabled,
        "name": &*object.name,
        "namedLayoutInfos": [],
        "networkScopeFieldName": null,
        "queryable": flags.queryable,
        "recordTypeInfos": record_types(object, base),
        "replicateable": flags.replicateable,
        "retrieveable": flags.retrieveable,
        "searchLayoutable": flags.search_layoutable,
        "searchable": flags.searchable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes":
            object.supported_scopes.iter().map(|s| json!({ "label": s.label, "name": s.name })).collect::<Vec<_>>(),
        "triggerable": flags.triggerable,
        "undeletable": flags.undeletable,
        "updateable": flags.updateable,
        "urls": urls(object, base, Some(instance)),
    })
}

/// The 57 keys of a field, in their order.
fn field(field: &FieldDef) -> Value {
    let mut described = first_keys(field);
    if let (Value::Object(described), Value::Object(rest)) = (&mut described, last_keys(field)) {
        described.extend(rest);
    }
    described
}

/// `aggregatable` to `inlineHelpText`
fn first_keys(field: &FieldDef) -> Value {
    let flags = field.flags;
    json!({
        "aggregatable": flags.aggregatable,
        "aiPredictionField": false,
        "autoNumber": flags.auto_number,
        "byteLength": if field.field_type.is_text() || field.field_type.is_id() { field.byte_length() } else { 0 },
        "calculated": flags.calculated,
        "calculatedFormula": field.calculated_formula,
        "cascadeDelete": flags.cascade_delete,
        "caseSensitive": flags.case_sensitive,
        "compoundFieldName": field.compound_field_name,
        "controllerName": field.controller_name,
        "createable": flags.createable,
        "custom": flags.custom,
        "defaultValue": default_value(field),
        "defaultValueFormula": field.default_value_formula,
        "defaultedOnCreate": flags.defaulted_on_create,
        "dependentPicklist": flags.dependent_picklist,
        "deprecatedAndHidden": flags.deprecated_and_hidden,
        "digits": field.digits,
        "displayLocationInDecimal": flags.display_location_in_decimal,
        "encrypted": flags.encrypted,
        "externalId": flags.external_id,
        "extraTypeInfo": field.extra_type_info,
        "filterable": flags.filterable,
        "filteredLookupInfo": null,
        "formulaTreatNullNumberAsZero": flags.formula_treat_null_number_as_zero,
        "groupable": flags.groupable,
        "highScaleNumber": false,
        "htmlFormatted": flags.html_formatted,
        "idLookup": flags.id_lookup,
        "inlineHelpText": field.inline_help_text,
    })
}

/// `label` to `writeRequiresMasterRead`
fn last_keys(field: &FieldDef) -> Value {
    let flags = field.flags;
    json!({
        "label": field.label,
        "length": field.length,
        "mask": null,
        "maskType": null,
        "name": &*field.name,
        "nameField": flags.name_field,
        "namePointing": flags.name_pointing,
        "nillable": flags.nillable,
        "permissionable": flags.permissionable,
        "picklistValues": field.picklist_values.iter().map(picklist_value).collect::<Vec<_>>(),
        "polymorphicForeignKey": flags.polymorphic_foreign_key,
        "precision": field.precision,
        "queryByDistance": flags.query_by_distance,
        "referenceTargetField": null,
        "referenceTo": field.reference_to,
        "relationshipName": field.relationship_name,
        "relationshipOrder": field.relationship_order,
        "restrictedDelete": flags.restricted_delete,
        "restrictedPicklist": flags.restricted_picklist,
        "scale": field.scale,
        "searchPrefilterable": flags.search_prefilterable,
        "soapType": field.field_type.soap_type(),
        "sortable": flags.sortable,
        "type": field.field_type.name(),
        "unique": flags.unique,
        "updateable": flags.updateable,
        "writeRequiresMasterRead": flags.write_requires_master_read,
    })
}

fn default_value(field: &FieldDef) -> Value {
    match &field.default_value {
        Some(DefaultValue::Boolean(value)) => Value::from(*value),
        Some(DefaultValue::Text(text)) => Value::from(text.as_str()),
        None if field.field_type == FieldType::Boolean => Value::from(false),
        None => Value::Null,
    }
}

fn picklist_value(value: &PicklistValue) -> Value {
    json!({
        "active": value.active,
        "defaultValue": value.default_value,
        "label": value.label,
        "validFor": value.valid_for,
        "value": value.value,
    })
}

fn child(child: &ChildRelationship) -> Value {
    json!({
        "cascadeDelete": child.cascade_delete,
        "childSObject": child.child_object,
        "deprecatedAndHidden": false,
        "field": child.field,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": child.relationship_name,
        "restrictedDelete": child.restricted_delete,
    })
}

fn record_types(object: &ObjectDef, base: &str) -> Value {
    if !object.flags.layoutable {
        return json!([]);
    }
    json!([{
        "active": true,
        "available": true,
        "defaultRecordTypeMapping": true,
        "developerName": "Master",
        "master": true,
        "name": "Master",
        "recordTypeId": MASTER,
        "urls": { "layout": format!("{base}/sobjects/{}/describe/layouts/{MASTER}", object.name) },
    }])
}

/// The addresses that belong to an object; with the instance also those of its pages.
fn urls(object: &ObjectDef, base: &str, instance: Option<&str>) -> Value {
    let name = &*object.name;
    let own = format!("{base}/sobjects/{name}");
    let layoutable = object.flags.layoutable;
    let mut urls = Map::new();
    let mut add = |key: &str, url: String| urls.insert(key.to_owned(), Value::from(url));
    if layoutable {
        add("compactLayouts", format!("{own}/describe/compactLayouts"));
    }
    add("rowTemplate", format!("{own}/{{ID}}"));
    if layoutable {
        add("approvalLayouts", format!("{own}/describe/approvalLayouts"));
    }
    if let (Some(instance), true) = (instance, layoutable) {
        add("uiDetailTemplate", format!("{instance}/{{ID}}"));
        add("uiEditTemplate", format!("{instance}/{{ID}}/e"));
        add("defaultValues", format!("{own}/defaultValues?recordTypeId&fields"));
    }
    if layoutable {
        add("listviews", format!("{own}/listviews"));
    }
    add("describe", format!("{own}/describe"));
    if let (Some(instance), true, Some(prefix)) = (instance, layoutable, &object.key_prefix) {
        add("uiNewRecord", format!("{instance}/{prefix}/e"));
    }
    if layoutable {
        add("quickActions", format!("{own}/quickActions"));
        add("layouts", format!("{own}/describe/layouts"));
    }
    add("sobject", own);
    Value::Object(urls)
}

/// `Share` and `Account` for `AccountShare`: objects that go with another.
fn associate<'a>(schema: &Registry, name: &'a str) -> (Option<&'static str>, Option<String>) {
    // The history of an opportunity's stages is an object of its own.
    if name == "OpportunityHistory" {
        return (None, None);
    }
    let with_parent = |kind: &'static str| {
        let stem: &'a str = name.strip_suffix(kind)?;
        let parent = if stem.ends_with("__") { format!("{stem}c") } else { stem.to_owned() };
        schema.object(&parent).filter(|_| !stem.is_empty()).map(|parent| (Some(kind), Some(parent.name.to_string())))
    };
    ["Share", "History", "Feed", "ChangeEvent"].into_iter().find_map(with_parent).unwrap_or((None, None))
}

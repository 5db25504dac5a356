//! `cargo xtask gen`: the standard objects' facts, from the shared folder into their compact form.

use std::{collections::HashSet, fs};

use serde_json::Value as Json;
use tombolo_schema::{
    ChildRelationship, DefaultValue, Field, FieldFlags, FieldType, Object, ObjectFlags, PicklistValue, Scope, compact,
};

use crate::{Outcome, workspace};

const HEADER: &str = "# Written by `cargo xtask gen`; docs/provenance.md says where the facts come from.\n";
const ADDRESS_PARTS: [&str; 9] =
    ["Street", "City", "State", "StateCode", "PostalCode", "Country", "CountryCode", "Latitude", "Longitude"];

const TARGET: &str = "crates/schema/data/standard_objects.tsv";

/// Without the shared folder the file that is checked in stands as it is.
pub(crate) fn run(check_only: bool) -> Outcome {
    let Some(shared) = workspace::shared() else {
        println!("  skipped: the shared folder is not here, {TARGET} stays as it is");
        return if workspace::required("shared") { Err("the shared folder is required".to_owned()) } else { Ok(()) };
    };
    let source = shared.join("data/standard_schema.json");
    let text = fs::read_to_string(&source).map_err(|e| format!("{}: {e}", source.display()))?;
    let json: Json = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let facts = json["objects"].as_object().ok_or("standard_schema.json has no objects")?;
    let known: HashSet<&str> = facts.keys().map(String::as_str).collect();
    let objects = facts.values().map(|o| object(o, &known)).collect::<Result<Vec<_>, _>>()?;
    let written = format!("{HEADER}{}", compact::write(&objects));
    write_or_compare(TARGET, &written, check_only)
}

/// Writes a generated file, or says that it is not what it would be.
pub(crate) fn write_or_compare(target: &str, written: &str, check_only: bool) -> Outcome {
    if !check_only {
        return fs::write(target, written).map_err(|e| format!("{target}: {e}"));
    }
    let present = fs::read_to_string(target).unwrap_or_default();
    if present == written { Ok(()) } else { Err(format!("{target} is stale: run `cargo xtask gen`")) }
}

fn text(json: &Json, key: &str) -> Option<String> {
    json[key].as_str().filter(|t| !t.is_empty()).map(|t| t.replace(['\t', '\n', '\r'], " "))
}

fn number(json: &Json, key: &str) -> u32 {
    json[key].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

fn list<'a>(json: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    json[key].as_array().into_iter().flatten()
}

/// `snake_case` fact names are describe's camelCase keys.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut all, word| {
        let mut chars = word.chars();
        all.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        all.push_str(chars.as_str());
        all
    })
}

fn object(json: &Json, known: &HashSet<&str>) -> Result<Object, String> {
    let name = text(json, "name").ok_or("an object without a name")?;
    let mut flags = ObjectFlags::from_names(|fact| json[camel(fact)] == Json::Bool(true));
    // Describes that were not recorded leave these out; what has a layout has them.
    if json.get("compactLayoutable").is_none() {
        flags.compact_layoutable = flags.layoutable;
        flags.search_layoutable = flags.layoutable && flags.searchable;
        flags.triggerable = flags.triggerable || (flags.createable && flags.updateable && flags.layoutable);
        flags.mru_enabled = flags.mru_enabled || flags.layoutable;
    }
    let mut fields = list(json, "fields").map(field).collect::<Result<Vec<_>, _>>()?;
    name_compounds(&mut fields);
    let scope = |s: &Json| Some(Scope { name: text(s, "name")?, label: text(s, "label")? });
    let mut supported_scopes: Vec<Scope> = list(json, "supportedScopes").filter_map(scope).collect();
    if supported_scopes.is_empty() && flags.queryable {
        let plural = text(json, "labelPlural").unwrap_or_default().to_lowercase();
        supported_scopes.push(Scope { name: "everything".into(), label: format!("All {plural}") });
    }
    Ok(Object {
        key_prefix: text(json, "keyPrefix"),
        label: text(json, "label").unwrap_or_else(|| name.clone()),
        label_plural: text(json, "labelPlural").unwrap_or_else(|| name.clone()),
        flags,
        fields,
        child_relationships: list(json, "childRelationships").filter_map(|c| child(c, known)).collect(),
        supported_scopes,
        ..Object::new(&name)
    })
}

/// A child that the facts do not know could be described but never queried, so it is left out.
fn child(json: &Json, known: &HashSet<&str>) -> Option<ChildRelationship> {
    let child_object = text(json, "childSObject").filter(|c| known.contains(c.as_str()))?;
    Some(ChildRelationship {
        child_object,
        field: text(json, "field")?,
        relationship_name: text(json, "relationshipName"),
        cascade_delete: json["cascadeDelete"] == Json::Bool(true),
        restricted_delete: json["restrictedDelete"] == Json::Bool(true),
    })
}

fn field(json: &Json) -> Result<Field, String> {
    let name = text(json, "name").ok_or("a field without a name")?;
    let type_name = text(json, "type").ok_or("a field without a type")?;
    let field_type = FieldType::from_name(&type_name)
        .or_else(|| FieldType::from_name(&type_name.to_lowercase()))
        .ok_or_else(|| format!("{name}: unknown type {type_name}"))?;
    let mut flags = FieldFlags::from_names(|fact| json[camel(fact)] == Json::Bool(true));
    if json.get("permissionable").is_none() {
        flags.permissionable = flags.nillable && !field_type.is_id();
    }
    let default_value = match &json["defaultValue"] {
        Json::Bool(on) => Some(DefaultValue::Boolean(*on)),
        Json::Null => None,
        Json::String(value) => Some(DefaultValue::Text(value.clone())),
        other => Some(DefaultValue::Text(other.to_string())),
    };
    Ok(Field {
        label: text(json, "label").unwrap_or_else(|| name.clone()),
        length: number(json, "length"),
        precision: number(json, "precision"),
        scale: number(json, "scale"),
        digits: number(json, "digits"),
        flags,
        reference_to: list(json, "referenceTo").filter_map(|r| r.as_str().map(str::to_owned)).collect(),
        relationship_name: text(json, "relationshipName"),
        picklist_values: list(json, "picklistValues").filter_map(picklist_value).collect(),
        default_value,
        compound_field_name: text(json, "compoundFieldName"),
        controller_name: text(json, "controllerName"),
        extra_type_info: text(json, "extraTypeInfo"),
        ..Field::new(&name, field_type)
    })
}

fn picklist_value(json: &Json) -> Option<PicklistValue> {
    let value = text(json, "value")?;
    Some(PicklistValue {
        label: text(json, "label").unwrap_or_else(|| value.clone()),
        active: json["active"] != Json::Bool(false),
        default_value: json["defaultValue"] == Json::Bool(true),
        valid_for: text(json, "validFor"),
        value,
    })
}

/// Only recorded describes name the compound of a part; elsewhere its name says it.
fn name_compounds(fields: &mut [Field]) {
    let addresses: Vec<String> =
        fields.iter().filter(|f| f.field_type == FieldType::Address).map(|f| f.name.clone()).collect();
    let person = fields.iter().any(|f| f.name == "LastName") && fields.iter().any(|f| f.name == "Name");
    for field in fields.iter_mut().filter(|f| f.compound_field_name.is_none()) {
        let of_address = addresses.iter().find(|address| {
            let stem = address.trim_end_matches("Address");
            ADDRESS_PARTS.iter().chain(&["GeocodeAccuracy"]).any(|part| field.name == format!("{stem}{part}"))
        });
        if let Some(address) = of_address {
            field.compound_field_name = Some(address.clone());
        } else if person
            && matches!(field.name.as_str(), "LastName" | "FirstName" | "Salutation" | "MiddleName" | "Suffix")
        {
            field.compound_field_name = Some("Name".to_owned());
        }
    }
}

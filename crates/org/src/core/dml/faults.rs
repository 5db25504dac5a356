//! What is said when a record cannot be written: Salesforce's codes and texts (rest.md 4.2).

use tombolo_schema::{ErrorCode, Id};

use crate::core::{
    record::{Fault, Input},
    schema::{FieldDef, ObjectDef},
};

/// Faults that a record's validation finds print `fields`, even when there are none to name.
fn unnamed(code: ErrorCode, message: impl Into<String>) -> Fault {
    Fault::of_fields(code, message, &[])
}

pub(crate) fn no_such_object(name: &str) -> Fault {
    Fault::new(ErrorCode::InvalidType, format!("sObject type '{name}' is not supported."))
}

pub(crate) fn no_such_column(object: &ObjectDef, name: &str) -> Fault {
    Fault::new(ErrorCode::InvalidField, format!("No such column '{name}' on sobject of type {}", object.name))
}

pub(crate) fn not_writeable(fields: &[&str]) -> Fault {
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        fields.join(", ")
    );
    Fault::of_fields(ErrorCode::InvalidFieldForInsertUpdate, message, fields)
}

pub(crate) fn id_on_insert() -> Fault {
    Fault::of_fields(ErrorCode::InvalidFieldForInsertUpdate, "cannot specify Id in an insert call", &["Id"])
}

pub(crate) fn id_in_body() -> Fault {
    Fault::new(ErrorCode::InvalidField, "The Id field should not be specified in the sobject data.")
}

/// The kind of value a parser meets, as Salesforce's names it.
fn token(input: &Input) -> (&'static str, String) {
    match input {
        Input::Null => ("VALUE_NULL", "null".to_owned()),
        Input::Boolean(true) => ("VALUE_TRUE", "true".to_owned()),
        Input::Boolean(false) => ("VALUE_FALSE", "false".to_owned()),
        Input::Number(text) if text.contains(['.', 'e', 'E']) => ("VALUE_NUMBER_FLOAT", text.clone()),
        Input::Number(text) => ("VALUE_NUMBER_INT", text.clone()),
        Input::Text(text) | Input::Untyped(text) => ("VALUE_STRING", text.clone()),
        Input::Nested(_) => ("START_OBJECT", "{".to_owned()),
        Input::List => ("START_ARRAY", "[".to_owned()),
    }
}

pub(crate) fn wrong_type(wanted: &str, input: &Input) -> Fault {
    let (token, value) = token(input);
    let value: String = value.chars().take(255).collect();
    let message = format!("Cannot deserialize instance of {wanted} from {token} value {value}");
    Fault::new(ErrorCode::JsonParserError, message)
}

pub(crate) fn required(fields: &[&str]) -> Fault {
    let message = format!("Required fields are missing: [{}]", fields.join(", "));
    Fault::of_fields(ErrorCode::RequiredFieldMissing, message, fields)
}

pub(crate) fn too_long(field: &FieldDef, value: &str) -> Fault {
    let shown: String = value.chars().take(255).collect();
    let message = format!("{}: data value too large: {shown} (max length={})", field.label, field.length);
    Fault::of_fields(ErrorCode::StringTooLong, message, &[&field.name])
}

pub(crate) fn not_in_picklist(field: &FieldDef, value: &str) -> Fault {
    let message = format!("{}: bad value for restricted picklist field: {value}", field.label);
    Fault::of_fields(ErrorCode::InvalidOrNullForRestrictedPicklist, message, &[&field.name])
}

pub(crate) fn not_an_email(field: &FieldDef, value: &str) -> Fault {
    let message = format!("{}: invalid email address: {value}", field.label);
    Fault::of_fields(ErrorCode::InvalidEmailAddress, message, &[&field.name])
}

pub(crate) fn out_of_range(field: &FieldDef, value: &str) -> Fault {
    let message = format!("{}: value outside of valid range on numeric field: {value}", field.label);
    Fault::of_fields(ErrorCode::NumberOutsideValidRange, message, &[&field.name])
}

pub(crate) fn date_out_of_range(field: &FieldDef, value: &str) -> Fault {
    let message = format!("{}: invalid date: {value}", field.label);
    Fault::of_fields(ErrorCode::FieldIntegrityException, message, &[&field.name])
}

pub(crate) fn id_of_wrong_type(field: &FieldDef, value: &str) -> Fault {
    let message = format!("{}: id value of incorrect type: {value}", field.label);
    Fault::of_fields(ErrorCode::MalformedId, message, &[&field.name])
}

pub(crate) fn malformed_id(value: &str) -> Fault {
    unnamed(ErrorCode::MalformedId, format!("malformed id {}", value.chars().take(40).collect::<String>()))
}

pub(crate) fn no_such_parent(field: &FieldDef) -> Fault {
    Fault::of_fields(ErrorCode::InvalidCrossReferenceKey, "invalid cross reference id", &[&field.name])
}

pub(crate) fn deleted() -> Fault {
    unnamed(ErrorCode::EntityIsDeleted, "entity is deleted")
}

/// The record itself is not there. A row's URL answers 404 with it.
pub(crate) fn not_found() -> Fault {
    Fault::new(ErrorCode::NotFound, "The requested resource does not exist")
}

/// The row is not as the caller thought. Nothing more is said of it (rest.md 2.8).
pub(crate) fn precondition_failed() -> Fault {
    Fault::new(ErrorCode::from(PRECONDITION_FAILED), "The record does not meet the condition of the request")
}

/// The code of an unmet condition, which no body shows.
pub(crate) const PRECONDITION_FAILED: &str = "PRECONDITION_FAILED";

pub(crate) fn not_allowed(object: &ObjectDef, verb: &str) -> Fault {
    let message = format!("entity type {} does not support {verb}", object.name);
    unnamed(ErrorCode::CannotInsertUpdateActivateEntity, message)
}

pub(crate) fn not_external(name: &str) -> Fault {
    let message = format!("Provided external ID field does not exist or is not accessible: {name}");
    Fault::new(ErrorCode::NotFound, message)
}

pub(crate) fn key_missing(name: &str) -> Fault {
    unnamed(ErrorCode::MissingArgument, format!("{name} not specified"))
}

pub(crate) fn key_in_body(name: &str) -> Fault {
    let message = format!("The {name} field should not be specified in the sobject data.");
    Fault::new(ErrorCode::InvalidField, message)
}

pub(crate) fn several_match(field: &FieldDef, ids: &[Id]) -> Fault {
    let ids: Vec<_> = ids.iter().map(Id::as_str).collect();
    let message = format!("{}: more than one record found for external id field: [{}]", field.name, ids.join(", "));
    Fault::of_fields(ErrorCode::DuplicateExternalId, message, &[&field.name])
}

pub(crate) fn no_parent_by_key(value: &str, key: &FieldDef, parent: &ObjectDef) -> Fault {
    let message =
        format!("Foreign key external ID: {value} not found for field {} in entity {}", key.name, parent.name);
    unnamed(ErrorCode::InvalidField, message)
}

pub(crate) fn duplicate(field: &FieldDef, id: &str) -> Fault {
    let message = format!("duplicate value found: {} duplicates value on record with id: {id}", field.name);
    unnamed(ErrorCode::DuplicateValue, message)
}

pub(crate) fn still_needed(name: &str, children: &str, names: &[String]) -> Fault {
    let message = format!(
        "Your attempt to delete {name} could not be completed because it is associated with the following {}.: {}\n",
        children.to_lowercase(),
        names.join(", ")
    );
    unnamed(ErrorCode::DeleteFailed, message)
}

pub(crate) fn not_in_bin() -> Fault {
    unnamed(ErrorCode::UndeleteFailed, "invalid record id; no recycle bin entry found")
}

pub(crate) fn master_is_deleted() -> Fault {
    unnamed(ErrorCode::UndeleteFailed, "the record cannot be undeleted before its parent is")
}

pub(crate) fn converted() -> Fault {
    unnamed(ErrorCode::from("CANNOT_UPDATE_CONVERTED_LEAD"), "cannot reference converted lead")
}

/// What a duplicate rule that alerts says (rest.md 4.2).
pub(crate) fn duplicates_detected(message: Option<String>) -> Fault {
    Fault::new(ErrorCode::DuplicatesDetected, message.unwrap_or_else(|| "Use one of these records?".to_owned()))
}

/// Someone else is writing it.
pub(crate) fn row_locked(id: Option<Id>) -> Fault {
    let whom = id.map(|id| format!(" or 1 records: {id}")).unwrap_or_default();
    unnamed(ErrorCode::UnableToLockRow, format!("unable to obtain exclusive access to this record{whom}"))
}

pub(crate) fn rolled_back() -> Fault {
    unnamed(
        ErrorCode::AllOrNoneOperationRolledBack,
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    )
}

//! The Tooling API, as far as it is served: custom fields.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tombolo_schema::{ErrorCode, Id};

use super::{
    answer::{self, Outcome, Refusal, with_header},
    call::Call,
    json_in,
};
use crate::core::SchemaEdit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CustomField {
    /// `Account.Region__c`
    full_name: Option<String>,
    metadata: Value,
}

/// `POST tooling/sobjects/CustomField`
pub(crate) fn create(call: &Call) -> Outcome {
    let CustomField { full_name, metadata } = json_in::parse(call.json_text()?)?;
    let full_name = full_name.unwrap_or_default();
    let Some((object, field)) = full_name.split_once('.') else {
        let message = "Required fields are missing: [FullName]";
        return Err(Refusal::bad(ErrorCode::RequiredFieldMissing, message));
    };
    let (object, field) = (object.to_owned(), field.to_owned());
    call.core.edit_schema(&[SchemaEdit::Add { object: object.clone(), field: field.clone(), definition: metadata }])?;
    let id = call.core.custom_field_id(&object, &field)?;
    let body = json!({ "id": id.as_str(), "success": true, "errors": [], "warnings": [], "infos": [] });
    let reply = answer::json(StatusCode::CREATED, &body);
    let location = format!("{}/tooling/sobjects/CustomField/{id}", call.base());
    Ok(with_header(reply, http::header::LOCATION, &location))
}

/// `PATCH tooling/sobjects/CustomField/00N…`
pub(crate) fn update(call: &Call) -> Outcome {
    let CustomField { metadata, .. } = json_in::parse(call.json_text()?)?;
    let (object, field) = meant(call)?;
    call.core.edit_schema(&[SchemaEdit::Change { object, field, definition: metadata }])?;
    Ok(answer::no_content())
}

/// `DELETE tooling/sobjects/CustomField/00N…`
pub(crate) fn delete(call: &Call) -> Outcome {
    let (object, field) = meant(call)?;
    call.core.edit_schema(&[SchemaEdit::Remove { object, field }])?;
    Ok(answer::no_content())
}

/// The field that the Id in the path belongs to.
fn meant(call: &Call) -> Result<(String, String), Refusal> {
    let id = Id::parse(call.param("id")).map_err(|_| Refusal::not_found())?;
    call.core.custom_field(id)?.ok_or_else(Refusal::not_found)
}

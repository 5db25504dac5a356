//! `get`, `create`, `update`, `upsert`, `delete`: one record at a time.

use serde_json::{Value as Json, json};
use tombolo_client::{Client, FieldDescribe, Fields, ObjectDescribe, SaveResult};
use tombolo_schema::FieldType;

use super::{did_you_mean, object_argument};
use crate::{
    arguments::{CreateArguments, DeleteArguments, FieldArguments, GetArguments, UpdateArguments, UpsertArguments},
    failure::{Done, Failure},
    output::{Format, Layout, Printer, RecordWriter},
};

pub(super) async fn get(what: &GetArguments, printer: &Printer) -> Result<Done, Failure> {
    let client = what.org.client().await?;
    let fields: Vec<&str> = what.fields.iter().map(String::as_str).collect();
    let wanted = (!fields.is_empty()).then_some(fields.as_slice());
    let record = client.retrieve(&what.object, &what.id, wanted).await;
    let record = blame(record, &client, &what.object).await?;
    let json = serde_json::to_value(&record).map_err(|e| Failure::failed("cannot print the record").caused_by(e))?;
    let Json::Object(mut all) = json else { return Err(Failure::failed("the record is not an object")) };
    if !what.attributes {
        all.shift_remove("attributes");
    }
    match printer.format() {
        Format::Json => printer.document(&Json::Object(all))?,
        Format::Table => {
            // A record alone reads better from top to bottom.
            let width = all.keys().map(String::len).max().unwrap_or(0);
            for (name, value) in all.iter().filter(|(_, value)| !value.is_null()) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                printer.line(&format!("{name:<width$}  {text}"))?;
            }
        }
        Format::Csv | Format::Jsonl => {
            let mut writer = RecordWriter::new(printer, Layout { attributes: what.attributes }, Vec::new());
            writer.push(all)?;
            writer.finish(1)?;
        }
    }
    Ok(Done::Whole)
}

pub(super) async fn create(what: &CreateArguments, printer: &Printer) -> Result<Done, Failure> {
    let client = what.org.client().await?;
    let fields = values(&client, &what.object, &what.fields).await?;
    let saved = client.create(&what.object, &fields).await;
    let saved = blame(saved, &client, &what.object).await?;
    report(printer, "created", &saved)
}

pub(super) async fn update(what: &UpdateArguments, printer: &Printer) -> Result<Done, Failure> {
    let client = what.org.client().await?;
    let fields = values(&client, &what.object, &what.fields).await?;
    if fields.is_empty() {
        return Err(Failure::usage("there is nothing to change").hint("give fields as NAME=VALUE, or --data"));
    }
    let updated = client.update(&what.object, &what.id, &fields).await;
    blame(updated, &client, &what.object).await?;
    report(printer, "updated", &succeeded(&what.id))
}

pub(super) async fn upsert(what: &UpsertArguments, printer: &Printer) -> Result<Done, Failure> {
    let Some((field, value)) = what.key.split_once('=') else {
        return Err(Failure::usage(format!("`{}` is not FIELD=VALUE", what.key)));
    };
    let client = what.org.client().await?;
    let fields = values(&client, &what.object, &what.fields).await?;
    let saved = client.upsert(&what.object, field, value, &fields).await;
    let saved = blame(saved, &client, &what.object).await?;
    let verb = if saved.created == Some(true) { "created" } else { "updated" };
    report(printer, verb, &saved)
}

pub(super) async fn delete(what: &DeleteArguments, printer: &Printer) -> Result<Done, Failure> {
    let client = what.org.client().await?;
    let deleted = client.delete(&what.object, &what.id).await;
    blame(deleted, &client, &what.object).await?;
    report(printer, "deleted", &succeeded(&what.id))
}

/// Says which of the two is missing where something is: the record or the object.
async fn blame<T>(outcome: tombolo_client::Result<T>, client: &Client, object: &str) -> Result<T, Failure> {
    match outcome {
        Ok(value) => Ok(value),
        Err(error) => Err(Failure::of_object(error, client, object).await),
    }
}

fn succeeded(id: &str) -> SaveResult {
    SaveResult { id: Some(id.to_owned()), success: true, errors: Vec::new(), created: None }
}

/// Salesforce's own answer, or a sentence for a person.
fn report(printer: &Printer, verb: &str, saved: &SaveResult) -> Result<Done, Failure> {
    let id = saved.id.as_deref().unwrap_or_default();
    match printer.format() {
        Format::Table => printer.line(&format!("{verb} {id}"))?,
        Format::Csv => printer.data(&format!("id,success\n{id},{}\n", saved.success))?,
        Format::Json | Format::Jsonl => {
            let errors: Vec<Json> = saved
                .errors
                .iter()
                .map(|e| json!({ "statusCode": e.code().as_str(), "message": e.message() }))
                .collect();
            let mut json = json!({ "id": id, "success": saved.success, "errors": errors });
            if let Some(created) = saved.created {
                json["created"] = created.into();
            }
            printer.line(&json.to_string())?;
        }
    }
    Ok(Done::Whole)
}

/// The fields to write. What is given as `NAME=VALUE` is typed by the object's describe.
async fn values(client: &Client, object: &str, given: &FieldArguments) -> Result<Fields, Failure> {
    if let Some(data) = &given.data {
        return object_argument(data);
    }
    if given.assignments.is_empty() {
        return Ok(Fields::new());
    }
    let describe = blame(client.describe(object).await, client, object).await?;
    given.assignments.iter().map(|assignment| value(&describe, assignment)).collect()
}

fn value(describe: &ObjectDescribe, assignment: &str) -> Result<(String, Json), Failure> {
    let Some((name, text)) = assignment.split_once('=') else {
        return Err(Failure::usage(format!("`{assignment}` is not FIELD=VALUE")));
    };
    let Some(field) = describe.field(name) else {
        let failure = Failure::usage(format!("{} has no field named {name}", describe.name));
        let near = did_you_mean(name, describe.fields.iter().map(|f| f.name.as_str()));
        return Err(match near {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint(format!("its fields are listed by `tombolo describe {}`", describe.name)),
        });
    };
    Ok((field.name.clone(), typed(field, text)?))
}

fn typed(field: &FieldDescribe, text: &str) -> Result<Json, Failure> {
    if text.is_empty() {
        return Ok(Json::Null);
    }
    let wrong = |what: &str| Failure::usage(format!("{} takes {what}, not `{text}`", field.name));
    match field.field_type() {
        Some(FieldType::Boolean) => {
            text.to_lowercase().parse::<bool>().map(Json::from).map_err(|_| wrong("true or false"))
        }
        Some(t) if t.is_integer() => text.parse::<i64>().map(Json::from).map_err(|_| wrong("a whole number")),
        Some(t) if t.is_decimal() => text.parse::<f64>().map(Json::from).map_err(|_| wrong("a number")),
        _ => Ok(Json::from(text)),
    }
}

//! `describe` and `limits`: what the org says of itself.

use bytes::Bytes;
use http::Request;
use serde_json::Value as Json;
use tombolo_client::Client;

use crate::{
    arguments::{DescribeArguments, OrgOnly},
    failure::{Done, Failure},
    output::{Format, Layout, Printer, RecordWriter},
};

pub(super) async fn describe(what: &DescribeArguments, printer: &Printer) -> Result<Done, Failure> {
    let client = what.org.client().await?;
    let (path, list, columns) = match &what.object {
        None => ("sobjects".to_owned(), "sobjects", ["name", "label", "keyPrefix", "custom"].as_slice()),
        Some(object) if is_name(object) => (
            format!("sobjects/{object}/describe"),
            "fields",
            ["name", "type", "length", "nillable", "label"].as_slice(),
        ),
        Some(object) => return Err(Failure::usage(format!("`{object}` is not the name of an object"))),
    };
    let answer = match (body(&client, &path).await, &what.object) {
        (Err(error), Some(object)) => return Err(Failure::of_object(error, &client, object).await),
        (answer, _) => answer?,
    };
    print_list(printer, json_of(&answer)?, list, columns)
}

pub(super) async fn limits(what: &OrgOnly, printer: &Printer) -> Result<Done, Failure> {
    let client = what.org.client().await?;
    let json = json_of(&body(&client, "limits").await?)?;
    if printer.is_json() {
        printer.document(&json)?;
        return Ok(Done::Whole);
    }
    let columns = ["name", "Max", "Remaining"].map(str::to_owned).to_vec();
    let mut writer = RecordWriter::new(printer, Layout::default(), columns);
    let entries = json.as_object().into_iter().flatten();
    let mut count = 0;
    for (name, entry) in entries {
        let mut row = serde_json::Map::new();
        row.insert("name".to_owned(), name.as_str().into());
        for key in ["Max", "Remaining"] {
            row.insert(key.to_owned(), entry[key].clone());
        }
        writer.push(row)?;
        count += 1;
    }
    writer.finish(count)?;
    Ok(Done::Whole)
}

/// What may stand in a path as the name of an object.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

async fn body(client: &Client, path: &str) -> tombolo_client::Result<Bytes> {
    let mut request = Request::new(Bytes::new());
    // Names have been checked, so the path is one.
    *request.uri_mut() = format!("/services/data/v{}/{path}", client.api_version()).parse().unwrap_or_default();
    client.request(request).await.map(http::Response::into_body)
}

fn json_of(bytes: &Bytes) -> Result<Json, Failure> {
    serde_json::from_slice(bytes).map_err(|e| Failure::failed("the answer is not JSON").caused_by(e))
}

/// Salesforce's body as it is, or the rows of its main list in a few columns.
fn print_list(printer: &Printer, json: Json, list: &str, columns: &[&str]) -> Result<Done, Failure> {
    if printer.format() == Format::Json {
        printer.document(&json)?;
        return Ok(Done::Whole);
    }
    let names = columns.iter().map(|c| (*c).to_owned()).collect();
    let mut writer = RecordWriter::new(printer, Layout::default(), names);
    let rows = json[list].as_array().into_iter().flatten();
    let mut count = 0;
    for row in rows {
        let row = if printer.format() == Format::Jsonl {
            row.as_object().cloned().unwrap_or_default()
        } else {
            columns.iter().map(|c| ((*c).to_owned(), row[*c].clone())).collect()
        };
        writer.push(row)?;
        count += 1;
    }
    writer.finish(count)?;
    Ok(Done::Whole)
}

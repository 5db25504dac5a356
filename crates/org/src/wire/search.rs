//! SOSL over REST, and searches without SOSL (rest.md 2.6).

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tombolo_schema::ErrorCode;

use super::{
    answer::{self, Outcome, Refusal},
    call::Call,
    json_out::RecordsJson,
};
use crate::core::{
    Api,
    record::Record,
    search::{ObjectWanted, SearchRequest},
};

/// `{"searchRecords": […]}`
#[derive(Serialize)]
struct Found<'a> {
    #[serde(rename = "searchRecords")]
    records: RecordsJson<'a>,
}

/// `GET search?q=FIND {…}`
pub(crate) fn search(call: &Call) -> Outcome {
    let records = call.core.search(&call.caller(Api::Rest)?, call.query("q").unwrap_or_default())?;
    Ok(found(call, &records))
}

/// `GET parameterizedSearch?q=…&sobject=Account&Account.fields=Id,Name`
pub(crate) fn by_url(call: &Call) -> Outcome {
    let all =
        |name: &str| call.query.iter().filter(|(key, _)| key == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    let objects = all("sobject").into_iter().flat_map(|names| names.split(',')).map(|name| {
        let of = |part: &str| format!("{}.{part}", name.trim());
        let text = |part: &str| call.query(&of(part)).map(str::to_owned);
        Ok(ObjectWanted {
            name: name.trim().to_owned(),
            fields: list(&all(&of("fields"))),
            condition: text("where"),
            order: text("orderBy"),
            limit: number(call, &of("limit"))?,
            offset: number(call, &of("offset"))?,
        })
    });
    let request = SearchRequest {
        term: call.query("q").unwrap_or_default().to_owned(),
        group: call.query("in").map(str::to_owned),
        fields: list(&all("fields")),
        objects: objects.collect::<Result<_, Refusal>>()?,
        default_limit: number(call, "defaultLimit")?,
        limit: number(call, "overallLimit")?,
    };
    run(call, &request)
}

/// `POST parameterizedSearch`
pub(crate) fn by_body(call: &Call) -> Outcome {
    let body: Body = serde_json::from_str(call.json_text()?)
        .map_err(|error| Refusal::bad(ErrorCode::JsonParserError, error.to_string()))?;
    let objects = body.sobjects.into_iter().map(|object| ObjectWanted {
        name: object.name,
        fields: object.fields,
        condition: object.condition,
        order: object.order_by,
        limit: object.limit,
        offset: object.offset,
    });
    let request = SearchRequest {
        term: body.q,
        group: body.group,
        fields: body.fields,
        objects: objects.collect(),
        default_limit: body.default_limit,
        limit: body.overall_limit,
    };
    run(call, &request)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    q: String,
    #[serde(rename = "in")]
    group: Option<String>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    sobjects: Vec<BodyObject>,
    default_limit: Option<i64>,
    overall_limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodyObject {
    name: String,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(rename = "where")]
    condition: Option<String>,
    order_by: Option<String>,
    limit: Option<i64>,
    offset: Option<i64>,
}

fn run(call: &Call, request: &SearchRequest) -> Outcome {
    let records = call.core.search_request(&call.caller(Api::Rest)?, request)?;
    Ok(found(call, &records))
}

/// Before version 37 the records stood alone.
fn found(call: &Call, records: &[Record]) -> answer::Reply {
    let records = RecordsJson { records, base: &call.base() };
    match call.version.major() {
        ..37 => answer::json(StatusCode::OK, &records),
        _ => answer::json(StatusCode::OK, &Found { records }),
    }
}

/// Names, separated by commas or given one by one.
fn list(values: &[&str]) -> Vec<String> {
    let names = values.iter().flat_map(|value| value.split(','));
    names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn number(call: &Call, name: &str) -> Result<Option<i64>, Refusal> {
    let number = call.query(name).map(|text| {
        let wrong = |_| Refusal::bad(ErrorCode::MalformedSearch, format!("{name} has to be a whole number: {text}"));
        text.trim().parse().map_err(wrong)
    });
    number.transpose()
}

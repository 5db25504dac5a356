//! SOQL over REST (rest.md 2.5).

use http::StatusCode;
use serde_json::{Value, json};
use tombolo_schema::ErrorCode;

use super::{
    answer::{self, Outcome, Refusal},
    call::{Call, option_of},
    columns_json::ColumnsJson,
    json_out::PageJson,
};
use crate::core::{Api, QueryOptions, query::QueryPlan};

/// `GET query?q=`
pub(crate) fn query(call: &Call) -> Outcome {
    run(call, false)
}

/// `GET queryAll?q=`: deleted and archived records included.
pub(crate) fn query_all(call: &Call) -> Outcome {
    run(call, true)
}

fn run(call: &Call, include_deleted: bool) -> Outcome {
    if let Some(soql) = call.query("explain") {
        return explain(call, soql);
    }
    let Some(soql) = call.query("q") else {
        return Err(Refusal::bad(ErrorCode::MalformedQuery, "A query string has to be specified"));
    };
    if soql.trim().is_empty() {
        return Err(Refusal::bad(ErrorCode::MalformedQuery, "SOQL statements cannot be empty or null"));
    }
    if call.query("columns").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        let columns = call.core.query_columns(&call.caller(Api::Rest)?, soql)?;
        return Ok(answer::json(StatusCode::OK, &ColumnsJson(&columns)));
    }
    let options = QueryOptions { include_deleted, batch_size: batch_size(call) };
    let page = call.core.query(&call.caller(Api::Rest)?, soql, options)?;
    Ok(answer::json(StatusCode::OK, &PageJson { page: &page, base: &call.base() }))
}

/// `GET query?explain=`. Reports and list views, which may be named by their Ids, are none here.
fn explain(call: &Call, soql: &str) -> Outcome {
    if matches!(soql.trim().len(), 15 | 18) && soql.trim().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let text = format!("There is no report or list view with this ID: {}", soql.trim());
        return Err(Refusal::bad("INVALID_ID".into(), text));
    }
    let plans = call.core.explain(&call.caller(Api::Rest)?, soql)?;
    let plans: Vec<_> = plans.iter().map(plan_json).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "plans": plans, "sourceQuery": soql })))
}

fn plan_json(plan: &QueryPlan) -> Value {
    let notes = plan
        .notes
        .iter()
        .map(|note| json!({ "description": note.description, "fields": note.fields, "tableEnumOrId": *plan.object }));
    json!({
        "cardinality": plan.cardinality,
        "fields": plan.fields,
        "leadingOperationType": if plan.fields.is_empty() { "TableScan" } else { "Index" },
        "notes": notes.collect::<Vec<_>>(),
        "relativeCost": plan.cost,
        "sobjectCardinality": plan.object_cardinality,
        "sobjectType": *plan.object,
    })
}

/// `GET query/01g…-2000`
pub(crate) fn more(call: &Call) -> Outcome {
    let page = call.core.query_more(&call.caller(Api::Rest)?, call.param("locator"), batch_size(call))?;
    Ok(answer::json(StatusCode::OK, &PageJson { page: &page, base: &call.base() }))
}

/// `Sforce-Query-Options: batchSize=500`, between 200 and 2,000.
fn batch_size(call: &Call) -> Option<u32> {
    let wanted: u32 = option_of(call.header("sforce-query-options")?, "batchSize")?.parse().ok()?;
    Some(wanted.clamp(200, 2000))
}

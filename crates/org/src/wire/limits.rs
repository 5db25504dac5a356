//! Allocations, and how many rows there are (rest.md 6.1).

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    answer::{self, Outcome},
    call::Call,
};
use crate::core::{Api, limits::Limit};

/// `GET limits`
pub(crate) fn limits(call: &Call) -> Outcome {
    let table = call.core.limits().table(call.version);
    let body: Map<_, _> = table.iter().map(|limit| (limit.name.to_owned(), rendered(limit))).collect();
    Ok(answer::json(StatusCode::OK, &body))
}

fn rendered(limit: &Limit) -> Value {
    let mut body = json!({ "Max": limit.max, "Remaining": limit.remaining });
    if let Value::Object(body) = &mut body {
        body.extend(limit.parts.iter().map(|part| (part.name.to_owned(), rendered(part))));
    }
    body
}

#[derive(Serialize)]
struct Count {
    count: u64,
    name: String,
}

/// `GET limits/recordCount?sObjects=A,B`: objects without rows are left out.
pub(crate) fn record_count(call: &Call) -> Outcome {
    let schema = call.core.schema();
    let caller = call.caller(Api::Rest)?;
    let wanted = call.query("sObjects").map(|names| names.split(',').map(str::trim).filter(|name| !name.is_empty()));
    let names: Vec<_> = match wanted {
        Some(names) => names.filter_map(|name| schema.object(name)).collect(),
        None => schema.objects().iter().collect(),
    };
    let mut counts = Vec::new();
    for object in names.into_iter().filter(|object| object.flags.queryable) {
        let soql = format!("SELECT COUNT() FROM {}", object.name);
        // An object that cannot be counted, such as one that wants a filter, has no line.
        let Ok(page) = call.core.query(&caller, &soql, Default::default()) else { continue };
        if page.total_size > 0 {
            counts.push(Count { count: page.total_size, name: object.name.to_string() });
        }
    }
    Ok(answer::json(StatusCode::OK, &json!({ "sObjects": counts })))
}

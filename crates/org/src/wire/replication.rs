//! What changed and what went in a span of time (rest.md 2.4).

use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use tombolo_schema::{ErrorCode, format_datetime, parse_datetime};

use super::{
    answer::{self, Outcome, Refusal},
    call::Call,
    rows::object_of,
};
use crate::core::Api;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletedBody {
    deleted_records: Vec<DeletedRecord>,
    earliest_date_available: String,
    latest_date_covered: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletedRecord {
    id: String,
    deleted_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdatedBody {
    ids: Vec<String>,
    latest_date_covered: String,
}

/// `GET sobjects/X/deleted?start=&end=`
pub(crate) fn deleted(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let (start, end) = (moment(call, "start")?, moment(call, "end")?);
    let deleted = call.core.deleted(&call.caller(Api::Rest)?, &object.name, start, end)?;
    let records = deleted.records.iter();
    let body = DeletedBody {
        deleted_records: records
            .map(|(id, at)| DeletedRecord { id: id.to_string(), deleted_date: format_datetime(*at) })
            .collect(),
        earliest_date_available: format_datetime(deleted.earliest_date_available),
        latest_date_covered: format_datetime(deleted.latest_date_covered),
    };
    Ok(answer::json(StatusCode::OK, &body))
}

/// `GET sobjects/X/updated?start=&end=`
pub(crate) fn updated(call: &Call) -> Outcome {
    let object = object_of(call)?;
    let (start, end) = (moment(call, "start")?, moment(call, "end")?);
    let updated = call.core.updated(&call.caller(Api::Rest)?, &object.name, start, end)?;
    let ids = updated.ids.iter().map(ToString::to_string).collect();
    let body = UpdatedBody { ids, latest_date_covered: format_datetime(updated.latest_date_covered) };
    Ok(answer::json(StatusCode::OK, &body))
}

/// A moment of the query. A `+` that was not encoded has become a blank on the way.
fn moment(call: &Call, name: &str) -> Result<Timestamp, Refusal> {
    let text = call.query(name).unwrap_or_default().trim().replace(' ', "+");
    parse_datetime(&text).map_err(|_| {
        let message = match text.is_empty() {
            true => format!("The {name} parameter is missing"),
            false => format!("Invalid {name} parameter: {}", text.chars().take(40).collect::<String>()),
        };
        Refusal::bad(ErrorCode::InvalidReplicationDate, message)
    })
}

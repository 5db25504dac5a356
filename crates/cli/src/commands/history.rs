//! `history RECORD`: what was heard, decided, sent and answered.

use serde_json::{Map, Value as Json, json};

use super::{desk, print_found, row};
use crate::{
    arguments::HistoryArguments,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &HistoryArguments, printer: &Printer) -> Result<Done, Failure> {
    let found = desk(&what.file).await?.history(&what.record).await?;
    let rows = found.iter().flat_map(|record| {
        record.steps.iter().map(|step| {
            row([
                ("at", step.at.to_string().into()),
                ("mapping", record.mapping.as_str().into()),
                ("step", step.step.as_str().into()),
                ("connection", step.connection.as_str().into()),
                ("values", values(&step.values)),
                ("note", step.note.as_str().into()),
            ])
        })
    });
    print_found(printer, &json!({ "records": found }), rows.collect(), &[])?;
    Ok(Done::Whole)
}

fn values(values: &Map<String, Json>) -> Json {
    let said: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    said.join(" ").into()
}

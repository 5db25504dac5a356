//! `plan`: what would be written now.

use serde_json::{Value as Json, json};
use tombolo_hub::operate::{self, Planned};

use super::{print_found, read_config, row};
use crate::{
    arguments::PlanArguments,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &PlanArguments, printer: &Printer) -> Result<Done, Failure> {
    let config = read_config(&what.file)?;
    let plan = operate::plan(&config, what.show).await?;
    let rows = plan.writes.iter().flat_map(|kind| {
        kind.shown.iter().map(|write| {
            row([
                ("mapping", kind.mapping.as_str().into()),
                ("write", format!("{} in {}", kind.operation, kind.connection).into()),
                ("record", json!(write.key)),
                ("other", json!(write.other)),
                ("values", values(write)),
            ])
        })
    });
    print_found(printer, &plan, rows.collect(), &[])?;
    if !printer.is_json() {
        for line in plan.lines() {
            printer.note(&line);
        }
    }
    Ok(Done::Whole)
}

fn values(write: &Planned) -> Json {
    let said: Vec<String> = write.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    said.join(" ").into()
}

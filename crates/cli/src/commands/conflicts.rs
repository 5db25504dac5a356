//! `conflicts`: where both ends moved apart, and the decision of those that wait for one.

use serde_json::{Value as Json, json};
use tombolo_hub::operate::ConflictView;

use super::{ask::tell, desk, print_found, row};
use crate::{
    arguments::{ConflictsArguments, ConflictsCommand},
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &ConflictsArguments, printer: &Printer) -> Result<Done, Failure> {
    if let Some(ConflictsCommand::Decide { id, take, file }) = &what.decide {
        let asked = desk(file).await?.decide(id, take).await?;
        return tell(&asked, &format!("to take what {take} shows in {id}"), printer);
    }
    let conflicts = desk(&what.file).await?.conflicts(what.open, what.limit).await?;
    let rows = conflicts.iter().map(|conflict| {
        let [left, right] = &conflict.record;
        row([
            ("id", conflict.id.as_str().into()),
            ("mapping", conflict.mapping.as_str().into()),
            ("kind", conflict.kind.as_str().into()),
            ("left", json!(left.key)),
            ("right", json!(right.key)),
            ("field", field(conflict)),
            ("left value", conflict.values[0].clone()),
            ("right value", conflict.values[1].clone()),
            ("winner", conflict.winner.as_deref().unwrap_or("open").into()),
            ("at", conflict.at.to_string().into()),
        ])
    });
    print_found(printer, &json!({ "conflicts": conflicts }), rows.collect(), &[])?;
    if conflicts.is_empty() && !printer.is_json() {
        printer.note(if what.open { "no conflict waits for a decision" } else { "there were no conflicts" });
    }
    Ok(Done::Whole)
}

fn field(conflict: &ConflictView) -> Json {
    match &conflict.field {
        Some([left, right]) => format!("{left} = {right}").into(),
        None => Json::Null,
    }
}

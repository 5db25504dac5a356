//! `dead-letters`: the writes that a system refuses, and what to do about them.

use serde_json::json;

use super::{desk, print_found, row};
use crate::{
    arguments::DeadLettersArguments,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &DeadLettersArguments, printer: &Printer) -> Result<Done, Failure> {
    let found = desk(&what.file).await?.dead_letters(what.limit).await?;
    let rows = found.dead_letters.iter().map(|letter| {
        let [left, right] = &letter.record;
        row([
            ("mapping", letter.mapping.as_str().into()),
            ("left", json!(left.key)),
            ("right", json!(right.key)),
            ("refused by", letter.refused_by.as_str().into()),
            ("fields", letter.fields.join(", ").into()),
            ("code", letter.code.as_str().into()),
            ("message", letter.message.as_str().into()),
            ("at", letter.at.to_string().into()),
        ])
    });
    print_found(printer, &found, rows.collect(), &[])?;
    if !printer.is_json() {
        for cause in &found.causes {
            let text = format!(
                "{} {} of {} by {}: {}",
                cause.count, cause.code, cause.mapping, cause.refused_by, cause.remedy
            );
            printer.note(&text);
        }
        if found.dead_letters.is_empty() {
            printer.note("nothing is refused");
        }
    }
    Ok(Done::Whole)
}

//! `uninstall --confirm`: triggers, outbox and bookkeeping go out of the databases.

use serde_json::json;
use tombolo_hub::operate;

use super::read_config;
use crate::{
    arguments::UninstallArguments,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &UninstallArguments, printer: &Printer) -> Result<Done, Failure> {
    let config = read_config(&what.file)?;
    if !what.confirm {
        return Err(Failure::usage("this takes triggers, outbox and bookkeeping out of every database of the file")
            .hint("say --confirm if that is meant; the records stay as they are"));
    }
    let done = operate::uninstall(&config, what.force).await?;
    if printer.is_json() {
        printer.document(&json!(done))?;
    } else {
        printer.line(&format!("nothing of tombolo is left in {}", done.uninstalled.join(", ")))?;
    }
    Ok(Done::Whole)
}

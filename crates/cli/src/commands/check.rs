//! `check`: what is wrong with the file, in itself and against both ends of every mapping.

use serde_json::{Value as Json, json};
use tombolo_hub::{
    config::Findings,
    operate::{self, Checked, MappingSummary},
};

use super::{print_found, read_config, row};
use crate::{
    arguments::CheckArguments,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(what: &CheckArguments, printer: &Printer) -> Result<Done, Failure> {
    let config = read_config(&what.file)?;
    if what.offline {
        return report(config.warnings(), &[], printer);
    }
    let Checked { findings, mappings } = operate::check(&config).await?;
    if findings.has_errors() {
        return Err(Failure::from(&findings));
    }
    report(&findings, &mappings, printer)
}

fn report(findings: &Findings, mappings: &[MappingSummary], printer: &Printer) -> Result<Done, Failure> {
    if printer.is_json() {
        let details = findings.sorted();
        printer.document(&json!({ "ok": true, "findings": details, "mappings": mappings }))?;
        return Ok(Done::Whole);
    }
    if !mappings.is_empty() {
        let rows = mappings.iter().map(|mapping| {
            row([
                ("mapping", mapping.mapping.as_str().into()),
                ("between", mapping.between.join(" and ").into()),
                ("both ways", mapping.both_ways.into()),
                ("one way", (mapping.one_way[0] + mapping.one_way[1]).into()),
                ("creates", creates(mapping)),
                ("capture", mapping.capture.join(", ").into()),
            ])
        });
        print_found(printer, &(), rows.collect(), &[])?;
    }
    for line in findings.lines() {
        printer.note(&line);
    }
    printer.note(&findings.to_string());
    Ok(Done::Whole)
}

/// The ends where records are made.
fn creates(mapping: &MappingSummary) -> Json {
    let ends = mapping.between.iter().zip(mapping.creates).filter(|(_, creates)| *creates);
    let names: Vec<&str> = ends.map(|(end, _)| end.as_str()).collect();
    if names.is_empty() { "nowhere".into() } else { names.join(", ").into() }
}

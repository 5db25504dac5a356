//! `status`: how every mapping stands.

use serde_json::Value as Json;
use tombolo_hub::operate::{BudgetView, HubStatus, MappingStatus};

use super::{desk, print_found, row};
use crate::{
    arguments::FileArgument,
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn run(file: &FileArgument, printer: &Printer) -> Result<Done, Failure> {
    let status = desk(file).await?.status().await?;
    let rows = status.mappings.iter().map(|mapping| {
        let [left, right] = &mapping.sides;
        row([
            ("mapping", mapping.mapping.as_str().into()),
            ("state", mapping.state.as_str().into()),
            ("linked", mapping.linked.into()),
            ("only left", left.only_here.into()),
            ("only right", right.only_here.into()),
            ("conflicts", mapping.conflicts.into()),
            ("dead letters", (left.dead_letters + right.dead_letters).into()),
            ("reason", reason(mapping)),
        ])
    });
    print_found(printer, &status, rows.collect(), &[])?;
    if !printer.is_json() {
        for line in around(&status) {
            printer.note(&line);
        }
    }
    Ok(Done::Whole)
}

/// Why a mapping does not do what it should.
fn reason(mapping: &MappingStatus) -> Json {
    let mut reasons = Vec::new();
    for side in &mapping.sides {
        reasons.extend(side.stopped.iter().map(|why| format!("{}: {why}", side.connection)));
        if !side.lost_fields.is_empty() {
            reasons.push(format!("{} has no {}", side.connection, side.lost_fields.join(", ")));
        }
    }
    if reasons.is_empty() { Json::Null } else { reasons.join("; ").into() }
}

/// What is not of one mapping.
fn around(status: &HubStatus) -> Vec<String> {
    let mut lines = vec![match &status.holder {
        Some(holder) => format!("run by {holder}"),
        None => "nobody runs this file's hub: start it with `tombolo up`".to_owned(),
    }];
    if status.waiting > 0 {
        let since = status.waiting_since.map(|at| format!(", the oldest since {at}")).unwrap_or_default();
        lines.push(format!("{} changes wait{since}", status.waiting));
    }
    if status.under_way > 0 {
        lines.push(format!("{} records have something under way", status.under_way));
    }
    for job in &status.jobs {
        lines.push(format!(
            "{}: {} of {}, {} rows read, {} new",
            job.mapping, job.kind, job.connection, job.rows, job.found
        ));
    }
    for gap in &status.gaps {
        lines.push(format!("{} {}: changes were missed: {}; {}", gap.connection, gap.entity, gap.reason, gap.done));
    }
    lines.extend(status.budgets.iter().flat_map(budget));
    lines
}

/// What an org allows in a day, and what of it is used.
fn budget(budget: &BudgetView) -> Vec<String> {
    let BudgetView { connection, calls, calls_last_hour, .. } = budget;
    let allowed = budget.calls_allowed.map(|allowed| format!(" of {allowed}")).unwrap_or_default();
    let mut line = format!("{connection}: {calls}{allowed} API calls in 24 hours, {calls_last_hour} in the last one");
    if let Some(org) = budget.org_calls {
        line += &format!("; the org counts {} of {} for everybody", org.used, org.limit);
    }
    if let Some(at) = budget.exhausted {
        line += &format!("; like this they run out at {at}");
    }
    let events = budget.events.map(|events| {
        format!("{connection}: {} of {} events delivered in 24 hours, to everybody", events.used, events.limit)
    });
    [Some(line), events].into_iter().flatten().collect()
}

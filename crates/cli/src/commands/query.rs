//! `query SOQL`: the records that it selects.

use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value as Json, json};
use tombolo_client::Client;
use tombolo_soql::{
    Options, ParseError,
    ast::{Expr, Select, SelectExpr, Selection},
    parse,
};

use super::text_argument;
use crate::{
    arguments::QueryArguments,
    failure::{Done, Failure},
    output::{Format, Layout, Printer, RecordWriter},
};

pub(super) async fn run(what: &QueryArguments, printer: &Printer) -> Result<Done, Failure> {
    let soql = if what.soql == "-" { text_argument("-")? } else { what.soql.clone() };
    let soql = soql.trim();
    // A query that does not parse need not travel to be refused.
    let select = parse(soql, Options::default()).map_err(|error| malformed(soql, &error))?;
    if matches!(printer.format(), Format::Csv | Format::Table) {
        refuse_children(&select)?;
    }
    let client = what.org.client().await?;
    if matches!(select.selection, Selection::Count(_)) {
        return count(&client, soql, what.all, printer).await;
    }
    let mut records = if what.all { client.query_all(soql) } else { client.query(soql) };
    let mut writer = RecordWriter::new(printer, Layout { attributes: what.attributes }, columns(&select));
    let progress = progress(printer);
    let mut count = 0;
    while let Some(record) = records.next().await {
        let record = record?;
        let json = serde_json::to_value(&record).map_err(|e| Failure::failed("cannot print a record").caused_by(e))?;
        let Json::Object(mut fields) = json else { return Err(Failure::failed("a record is not an object")) };
        complete_children(&client, &mut fields).await?;
        writer.push(fields)?;
        count += 1;
        if let Some(progress) = &progress {
            progress.set_length(records.total_size().unwrap_or(count));
            progress.set_position(count);
        }
    }
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    writer.finish(records.total_size().unwrap_or(count))?;
    Ok(Done::Whole)
}

/// The place of the fault is shown under the query.
pub(crate) fn malformed(soql: &str, error: &ParseError) -> Failure {
    let line = soql.lines().nth(error.position.line - 1).unwrap_or_default();
    let caret = " ".repeat(error.position.column.saturating_sub(1));
    Failure::usage(error.to_string())
        .code("MALFORMED_QUERY")
        .excerpt(format!("  {line}\n  {caret}^"))
        .details(json!({ "line": error.position.line, "column": error.position.column }))
}

async fn count(client: &Client, soql: &str, all: bool, printer: &Printer) -> Result<Done, Failure> {
    let total = if all {
        let mut records = client.query_all(soql);
        while records.try_next().await?.is_some() {}
        records.total_size().unwrap_or(0)
    } else {
        client.count(soql).await?
    };
    match printer.format() {
        Format::Json => printer.document(&json!({ "totalSize": total, "done": true, "records": [] }))?,
        // A count has no records, so there is no line to print; the number goes to the person.
        Format::Jsonl => printer.note(&format!("{total}")),
        Format::Csv => printer.data(&format!("totalSize\n{total}\n"))?,
        Format::Table => printer.line(&total.to_string())?,
    }
    Ok(Done::Whole)
}

fn refuse_children(select: &Select) -> Result<(), Failure> {
    let Selection::Items(items) = &select.selection else { return Ok(()) };
    if items.iter().any(|item| matches!(item.expr, SelectExpr::Children(_))) {
        return Err(Failure::usage("a child set does not fit into a row").hint("use --format json or --format jsonl"));
    }
    Ok(())
}

/// The columns that the query names itself; what it leaves open is learnt from the records.
fn columns(select: &Select) -> Vec<String> {
    let Selection::Items(items) = &select.selection else { return Vec::new() };
    let named = items.iter().filter_map(|item| match (&item.alias, &item.expr) {
        (Some(alias), _) => Some(alias.text.clone()),
        (None, SelectExpr::Expr(Expr::Field(path))) if select.group_by.is_none() => {
            let names: Vec<&str> = path.names().map(|name| name.text.as_str()).collect();
            // `c.Name` under `FROM Contact c` comes back as `Name`.
            let own = |n: &str| select.from.alias.as_ref().or(select.from.path.names().last()).is_some_and(|a| a.is(n));
            let names = if names.len() > 1 && own(names[0]) { &names[1..] } else { &names[..] };
            Some(names.join("."))
        }
        _ => None,
    });
    named.collect()
}

/// A child set may be paged as well; half of it would be wrong without a word.
async fn complete_children(client: &Client, record: &mut Map<String, Json>) -> Result<(), Failure> {
    for (_, value) in record.iter_mut() {
        let Some(set) = value.as_object_mut().filter(|set| set.contains_key("totalSize")) else { continue };
        let mut next = set.get("nextRecordsUrl").and_then(Json::as_str).map(str::to_owned);
        while let Some(url) = next {
            let page = client.next_page(&url).await?;
            let more = page.records.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
            let more = more.map_err(|e| Failure::failed("cannot print a record").caused_by(e))?;
            if let Some(Json::Array(records)) = set.get_mut("records") {
                records.extend(more);
            }
            next = page.next;
        }
    }
    Ok(())
}

fn progress(printer: &Printer) -> Option<ProgressBar> {
    let watched = printer.has_watcher() && matches!(printer.format(), Format::Json | Format::Table);
    watched.then(|| {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{pos} of {len} records {bar:30}") {
            bar.set_style(style);
        }
        bar
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_what_was_selected() {
        for (soql, wanted) in [
            ("SELECT Id, Account.Name FROM Contact", vec!["Id", "Account.Name"]),
            ("SELECT c.Id, c.Account.Name FROM Contact c", vec!["Id", "Account.Name"]),
            ("SELECT Contact.Id FROM Contact", vec!["Id"]),
            ("SELECT Name n, COUNT(Id) total FROM Account GROUP BY Name", vec!["n", "total"]),
        ] {
            assert_eq!(columns(&parse(soql, Options::default()).unwrap()), wanted, "{soql}");
        }
    }

    #[test]
    fn the_fault_stands_under_the_query() {
        let error = parse("SELECT Id\nFORM Account", Options::default()).unwrap_err();
        let text = malformed("SELECT Id\nFORM Account", &error).text();
        assert!(text.contains("\n  FORM Account\n"), "{text}");
    }
}

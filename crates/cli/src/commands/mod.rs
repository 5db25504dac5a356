//! The commands, a file each.

mod api;
mod ask;
mod check;
mod conflicts;
mod dead_letters;
mod demo;
mod describe;
mod history;
mod mirror;
mod org;
mod plan;
mod query;
mod rows;
mod soql;
mod status;
mod uninstall;
mod up;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use tombolo_hub::{config::Config, operate::Desk};

use crate::{
    arguments::{Arguments, Command, FileArgument, HubCommand},
    failure::{Done, Failure},
    output::{Format, Layout, Printer, RecordWriter},
    reference,
};

pub(crate) async fn run(arguments: Arguments, printer: &Printer) -> Result<Done, Failure> {
    match arguments.command {
        Command::Mirror(what) => mirror::run(&what, printer).await,
        Command::Demo(what) => demo::run(&what, printer).await,
        Command::Hub(what) => hub(what, printer).await,
        Command::Query(what) => query::run(&what, printer).await,
        Command::Get(what) => rows::get(&what, printer).await,
        Command::Create(what) => rows::create(&what, printer).await,
        Command::Update(what) => rows::update(&what, printer).await,
        Command::Upsert(what) => rows::upsert(&what, printer).await,
        Command::Delete(what) => rows::delete(&what, printer).await,
        Command::Describe(what) => describe::describe(&what, printer).await,
        Command::Limits(what) => describe::limits(&what, printer).await,
        Command::Api(what) => api::run(&what, printer).await,
        Command::Soql(what) => soql::run(&what, printer),
        Command::Org(what) => org::run(what, printer).await,
        Command::Reference { page } => reference::print(page, printer),
    }
}

async fn hub(command: HubCommand, printer: &Printer) -> Result<Done, Failure> {
    match command {
        HubCommand::Up(what) => up::run(&what, printer).await,
        HubCommand::Check(what) => check::run(&what, printer).await,
        HubCommand::Plan(what) => plan::run(&what, printer).await,
        HubCommand::Status(what) => status::run(&what.file, printer).await,
        HubCommand::Pause(what) => ask::pause(&what, printer).await,
        HubCommand::Resume(what) => ask::resume(&what, printer).await,
        HubCommand::Reload(what) => ask::reload(&what.file, printer).await,
        HubCommand::Conflicts(what) => conflicts::run(&what, printer).await,
        HubCommand::DeadLetters(what) => dead_letters::run(&what, printer).await,
        HubCommand::Retry(what) => ask::retry(what, printer).await,
        HubCommand::History(what) => history::run(&what, printer).await,
        HubCommand::Reconcile(what) => ask::reconcile(&what, printer).await,
        HubCommand::Scrub(what) => ask::scrub(&what, printer).await,
        HubCommand::Uninstall(what) => uninstall::run(&what, printer).await,
    }
}

/// The file, as it is named or where it is looked for.
fn read_config(file: &FileArgument) -> Result<Config, Failure> {
    Ok(Config::read(&file.config)?)
}

/// The state of the file's hub.
async fn desk(file: &FileArgument) -> Result<Desk, Failure> {
    Ok(Desk::open(read_config(file)?).await?)
}

/// What a hub's command found: one JSON document as it is, or rows of it.
fn print_found(
    printer: &Printer,
    whole: &impl Serialize,
    rows: Vec<Map<String, Json>>,
    columns: &[&str],
) -> Result<(), Failure> {
    if printer.format() == Format::Json {
        let json = serde_json::to_value(whole).map_err(|e| Failure::failed("cannot print as JSON").caused_by(e))?;
        return printer.document(&json);
    }
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let mut writer = RecordWriter::new(printer, Layout::default(), columns);
    let total = rows.len() as u64;
    for row in rows {
        writer.push(row)?;
    }
    writer.finish(total)
}

/// A row of a table.
fn row<const N: usize>(cells: [(&str, Json); N]) -> Map<String, Json> {
    cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Text that is given as it is, as `@FILE`, or as `-` for stdin.
fn text_argument(given: &str) -> Result<String, Failure> {
    if given == "-" {
        return std::io::read_to_string(std::io::stdin())
            .map_err(|e| Failure::failed("cannot read stdin").caused_by(e));
    }
    match given.strip_prefix('@') {
        None => Ok(given.to_owned()),
        Some(path) => {
            std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("cannot read {path}")).caused_by(e))
        }
    }
}

/// A JSON object that is given as text, `@FILE` or `-`.
fn object_argument(given: &str) -> Result<Map<String, Json>, Failure> {
    let text = text_argument(given)?;
    match serde_json::from_str(&text) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(_) => Err(Failure::usage("--data is JSON, but not an object")),
        Err(error) => Err(Failure::usage("--data is not JSON").caused_by(error)),
    }
}

/// The name among these that is most like the one that was not found.
fn did_you_mean<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = names.map(|name| (distance(&wrong.to_lowercase(), &name.to_lowercase()), name));
    near.filter(|(steps, name)| *steps <= 1 + name.len() / 4).min().map(|(_, name)| name)
}

/// Single-character edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered() {
        let names = ["Name", "Phone", "BillingCity"];
        assert_eq!(did_you_mean("Nmae", names.into_iter()), Some("Name"));
        assert_eq!(did_you_mean("billingcty", names.into_iter()), Some("BillingCity"));
        assert_eq!(did_you_mean("Revenue", names.into_iter()), None);
    }
}

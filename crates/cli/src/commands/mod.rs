//! The commands, a file each.

mod api;
mod demo;
mod describe;
mod mirror;
mod org;
mod query;
mod rows;
mod soql;

use serde_json::{Map, Value as Json};

use crate::{
    arguments::{Arguments, Command},
    failure::{Done, Failure},
    output::Printer,
    reference,
};

pub(crate) async fn run(arguments: Arguments, printer: &Printer) -> Result<Done, Failure> {
    match arguments.command {
        Command::Mirror(what) => mirror::run(&what, printer).await,
        Command::Demo(what) => demo::run(&what, printer).await,
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

//! Cases of another engine, of the shared folder: those that Salesforce's grammar accepts and whose data is there,
//! asked of our engine. Where the answers differ, `tests/data/soql/opensoql.tsv` says which section of soql.md decides.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tombolo_schema::ApiVersion;

use super::{
    value_in_short,
    voyage::{Asking, Object, Row, Voyage, World, folder},
};
use crate::core::record::CoreError;

type Rows = Vec<Map<String, Value>>;

#[derive(Deserialize)]
struct Cases {
    /// Rows by object, by data set.
    datasets: BTreeMap<String, BTreeMap<String, Rows>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    query: String,
    dataset: String,
    expected_rows: Rows,
    salesforce_client_grammar: String,
    uses_empty_string_rows: bool,
}

#[test]
fn cases_of_another_engine() {
    let Some(Cases { datasets, cases }) = shared() else { return };
    let wanted = |case: &&Case| case.salesforce_client_grammar == "accept" && !case.uses_empty_string_rows;
    let (present, absent): (Vec<_>, Vec<_>) =
        cases.iter().filter(wanted).partition(|case| datasets.get(&case.dataset).is_some_and(|set| !set.is_empty()));
    eprintln!("{} cases, {} more without a data set", present.len(), absent.len());
    assert!(!present.is_empty());

    let mut listed = listed();
    let mut voyages: BTreeMap<&str, Voyage> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in present {
        let set = &datasets[&case.dataset];
        let voyage = voyages.entry(&case.dataset).or_insert_with(|| Voyage::of(&world(set)));
        let (found, expect) = (ask(voyage, &own_names(&case.query, set)), told(&case.expected_rows));
        match (found == expect, listed.remove(&case.id)) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => wrong.push(format!("{}: listed, but does not differ", case.id)),
            (false, None) => {
                wrong.push(format!("{}\n{}\nexpected {expect:?}\nfound    {found:?}", case.id, case.query));
            }
        }
    }
    wrong.extend(listed.keys().map(|id| format!("{id}: listed, but not asked")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn shared() -> Option<Cases> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let shared = std::env::var_os("TOMBOLO_SHARED").map_or_else(default, PathBuf::from);
    let required = std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|part| part == "shared"));
    match fs::read_to_string(shared.join("cases/soql_engine_opensoql.json")) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(error) if required => panic!("{}: {error}", shared.display()),
        Err(_) => {
            eprintln!("skipped: no shared folder, so no cases of another engine");
            None
        }
    }
}

/// The cases that differ, and why.
fn listed() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("opensoql.tsv")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    let line = |line: &str| {
        let (id, why) = line.split_once('\t').unwrap();
        assert!(why.starts_with(|c: char| c.is_ascii_digit()), "{line}: a section of soql.md");
        (id.to_owned(), why.to_owned())
    };
    lines.map(line).collect()
}

/// The data set as objects of our own: `Contact` is `Contact__c`, `Foo` is `Foo__c`, and each row is named by its Id.
fn world(set: &BTreeMap<String, Rows>) -> World {
    let mut world = World { clock: None, objects: BTreeMap::new(), rows: Vec::new() };
    for (object, rows) in set {
        let columns = rows.iter().flat_map(Map::keys).filter(|column| *column != "Id");
        let fields = columns.map(|column| (format!("{column}__c"), field(rows, column))).collect();
        world.objects.insert(format!("{object}__c"), Object { activities: false, fields });
        world.rows.extend(rows.iter().map(|row| {
            let values = row.iter().filter(|(column, _)| *column != "Id");
            let values = values.map(|(column, value)| (format!("{column}__c"), value.clone())).collect();
            Row { name: id(row), object: format!("{object}__c"), values, deleted: false }
        }));
    }
    world
}

fn id(row: &Map<String, Value>) -> String {
    row["Id"].as_str().unwrap().to_owned()
}

/// The metadata of a column, by what its values look like.
fn field(rows: &Rows, column: &str) -> String {
    let sample = rows.iter().map(|row| &row[column]).find(|value| !value.is_null() && *value != "");
    let text = sample.and_then(Value::as_str).unwrap_or_default();
    match sample {
        Some(Value::Number(_)) => "<type>Number</type><precision>18</precision><scale>2</scale>",
        _ if text.parse::<jiff::Timestamp>().is_ok() => "<type>DateTime</type>",
        _ if text.parse::<jiff::civil::Date>().is_ok() => "<type>Date</type>",
        _ => "<type>Text</type><length>80</length>",
    }
    .to_owned()
}

/// A query with our names of objects and fields instead of theirs.
fn own_names(query: &str, set: &BTreeMap<String, Rows>) -> String {
    let columns = set.values().flatten().flat_map(Map::keys).filter(|column| *column != "Id");
    let names: Vec<_> = set.keys().chain(columns).collect();
    let own = |text: &str| {
        let words = text.split_inclusive(|c: char| !c.is_alphanumeric());
        let word = |word: &str| {
            let name = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            let known = names.iter().any(|known| known.eq_ignore_ascii_case(name));
            if known { word.replacen(name, &format!("{name}__c"), 1) } else { word.to_owned() }
        };
        words.map(word).collect::<String>()
    };
    // Every other part between quotes is a string.
    let parts = query.split('\'').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { own(part) } else { part.to_owned() }).collect::<Vec<_>>().join("'")
}

/// Rows in any order: none of the queries asks for one.
fn ask(voyage: &Voyage, query: &str) -> Vec<String> {
    let asking = Asking { version: ApiVersion::DEFAULT, user: None, include_deleted: false };
    let page = match voyage.ask(query, asking) {
        Ok(page) => page,
        Err(CoreError::Refused(faults)) => return vec![faults[0].message.clone()],
        Err(error) => panic!("{query}\n{error:?}"),
    };
    let mut rows: Vec<_> = page
        .records
        .iter()
        .map(|record| {
            let fields = record.fields.iter().map(|(name, value)| {
                format!("{}: {}", name.trim_end_matches("__c"), voyage.without_ids(&value_in_short(value)))
            });
            fields.collect::<Vec<_>>().join(", ").replace(['{', '}'], "")
        })
        .collect();
    rows.sort();
    rows
}

fn told(rows: &Rows) -> Vec<String> {
    let value = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Number(number) => format!("{:?}", number.as_f64().unwrap()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &Map<String, Value>| {
        row.iter().map(|(name, v)| format!("{name}: {}", value(v))).collect::<Vec<_>>().join(", ")
    };
    let mut rows: Vec<_> = rows.iter().map(row).collect();
    rows.sort();
    rows
}

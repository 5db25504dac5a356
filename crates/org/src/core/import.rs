//! `sf data tree` plans: files of records, which may name each other by reference, written through the DML pipeline.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::OptionalExtension;
use serde::Deserialize;
use serde_json::{Map, Value};
use tombolo_schema::Id;

use super::{
    Core,
    dml::{Work, insert_one},
    record::{CoreError, Fault, Input, Result, RowInput},
};

/// A step of a plan.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    sobject: String,
    #[serde(default)]
    save_refs: bool,
    #[serde(default)]
    resolve_refs: bool,
    files: Vec<File>,
}

/// A file of records: its name, or an entry that may say more.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum File {
    Name(PathBuf),
    Entry { file: PathBuf },
}

#[derive(Debug, Deserialize)]
struct Records {
    records: Vec<Map<String, Value>>,
}

impl Core {
    /// Loads the plans of the configuration that this data has not seen yet.
    pub(super) fn import_plans(&self, work: &mut Work<'_>) -> Result<()> {
        for plan in &self.0.config.imports {
            let path = fs::canonicalize(plan).map_err(|e| at(plan, &e))?;
            let name = path.display().to_string();
            let known = "SELECT 1 FROM _plans WHERE path = ?1";
            let known: Option<i64> = work.connection.query_row(known, [&name], |row| row.get(0)).optional()?;
            if known.is_none() {
                load_plan(work, &path)?;
                work.connection.execute("INSERT INTO _plans VALUES (?1)", [&name])?;
            }
        }
        Ok(())
    }
}

fn at(path: &Path, problem: &dyn std::fmt::Display) -> CoreError {
    CoreError::Setup(format!("{}: {problem}", path.display()))
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(|e| at(path, &e))?;
    serde_json::from_str(&text).map_err(|e| at(path, &e))
}

fn load_plan(work: &mut Work<'_>, plan: &Path) -> Result<()> {
    let folder = plan.parent().unwrap_or(Path::new("."));
    let mut references: HashMap<String, Id> = HashMap::new();
    for step in read::<Vec<Step>>(plan)? {
        for file in &step.files {
            let (File::Name(name) | File::Entry { file: name }) = file;
            load_file(work, &folder.join(name), &step, &mut references)?;
        }
    }
    Ok(())
}

fn load_file(work: &mut Work<'_>, path: &Path, step: &Step, references: &mut HashMap<String, Id>) -> Result<()> {
    let Records { records } = read(path)?;
    for (index, mut record) in records.into_iter().enumerate() {
        let attributes = record.remove("attributes").unwrap_or_default();
        let attribute = |name: &str| attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        let reference = attribute("referenceId");
        let object = attribute("type").unwrap_or_else(|| step.sobject.clone());
        let which = || {
            let name = reference.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
            format!("record {}{name}", index + 1)
        };
        let wrong = |problem: &dyn std::fmt::Display| at(path, &format!("{}: {problem}", which()));
        let mut input = RowInput::default();
        for (name, value) in record {
            let value = resolved(value, step.resolve_refs, references).map_err(|e| wrong(&e))?;
            input.fields.push((name, value));
        }
        let id = insert_record(work, &object, &input).map_err(|error| match error {
            CoreError::Refused(faults) => wrong(&told(&faults)),
            other => other,
        })?;
        if let (true, Some(reference)) = (step.save_refs, reference) {
            references.insert(reference, id);
        }
    }
    Ok(())
}

fn insert_record(work: &mut Work<'_>, object: &str, input: &RowInput) -> Result<Id> {
    let object = work.object(object)?;
    insert_one(work, &object, input, None)
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(|f| format!("{}: {}", f.code, f.message)).collect::<Vec<_>>().join("; ")
}

/// A value of the file; `@Name` stands for the record of that name.
fn resolved(value: Value, resolve: bool, references: &HashMap<String, Id>) -> Result<Input, String> {
    Ok(match value {
        Value::Null => Input::Null,
        Value::Bool(on) => Input::Boolean(on),
        Value::Number(number) => Input::Number(number.to_string()),
        Value::String(text) => match text.strip_prefix('@').filter(|_| resolve) {
            Some(name) => {
                let id = references.get(name).ok_or_else(|| format!("no record before it is called `{name}`"))?;
                Input::Text(id.as_str().to_owned())
            }
            None => Input::Text(text),
        },
        Value::Array(_) => Input::List,
        Value::Object(parts) => {
            let parts = parts.into_iter().map(|(name, value)| Ok((name, resolved(value, resolve, references)?)));
            Input::Nested(parts.collect::<Result<_, String>>()?)
        }
    })
}

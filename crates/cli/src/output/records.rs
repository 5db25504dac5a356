//! Records as a table, CSV, JSON or JSON lines.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value as Json};

use super::{Format, Printer};
use crate::failure::Failure;

type Record = Map<String, Json>;

/// What is shown of each record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layout {
    /// Keep Salesforce's `attributes`.
    pub(crate) attributes: bool,
}

/// Takes records one by one and prints them in the chosen format.
///
/// CSV and JSON lines are printed as they come; a table and a JSON document need all records first.
pub(crate) struct RecordWriter<'a> {
    printer: &'a Printer,
    layout: Layout,
    columns: Vec<String>,
    rows: Vec<Record>,
    count: u64,
}

impl<'a> RecordWriter<'a> {
    /// `columns` are the selected paths in order, where known: a parent that is empty hides its fields otherwise.
    pub(crate) fn new(printer: &'a Printer, layout: Layout, columns: Vec<String>) -> Self {
        Self { printer, layout, columns, rows: Vec::new(), count: 0 }
    }

    pub(crate) fn push(&mut self, mut record: Record) -> Result<(), Failure> {
        if !self.layout.attributes {
            strip_attributes(&mut record);
        }
        plain_children(&mut record);
        self.count += 1;
        match self.printer.format() {
            Format::Jsonl => self.printer.line(&Json::Object(record).to_string()),
            Format::Json => {
                self.rows.push(record);
                Ok(())
            }
            Format::Csv => {
                let flat = flatten(&record)?;
                if self.count == 1 {
                    self.learn_columns(&flat);
                    self.printer.data(&csv_line(self.columns.iter().map(String::as_str))?)?;
                }
                let cells: Vec<String> = self.columns.iter().map(|c| cell(find(&flat, c))).collect();
                self.printer.data(&csv_line(cells.iter().map(String::as_str))?)
            }
            Format::Table => {
                self.rows.push(flatten(&record)?);
                Ok(())
            }
        }
    }

    /// Prints what waited for the last record. `total` is the size of the whole result.
    pub(crate) fn finish(mut self, total: u64) -> Result<(), Failure> {
        match self.printer.format() {
            Format::Json => {
                let records = std::mem::take(&mut self.rows).into_iter().map(Json::Object).collect::<Vec<_>>();
                self.printer.document(&serde_json::json!({ "totalSize": total, "done": true, "records": records }))?;
            }
            Format::Csv if self.count == 0 && !self.columns.is_empty() => {
                self.printer.data(&csv_line(self.columns.iter().map(String::as_str))?)?;
            }
            Format::Table => self.table()?,
            Format::Csv | Format::Jsonl => {}
        }
        Ok(())
    }

    fn table(&mut self) -> Result<(), Failure> {
        for row in std::mem::take(&mut self.rows) {
            self.learn_columns(&row);
            self.rows.push(row);
        }
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|c| c.to_uppercase()));
        for row in &self.rows {
            table.add_row(self.columns.iter().map(|c| one_line(&cell(find(row, c)))));
        }
        // The padding of the first column is not wanted: what is printed begins where the line does.
        let plain = |line: String| format!("{}\n", line.strip_prefix(' ').unwrap_or(&line).trim_end());
        let text: String = table.lines().map(plain).collect();
        self.printer.data(&text)
    }

    fn learn_columns(&mut self, row: &Record) {
        for name in row.keys() {
            let known = self.columns.iter().any(|c| c.eq_ignore_ascii_case(name));
            // `Account: null` says that the parent is empty, not that there is a column of this name.
            let hides_parent = self.columns.iter().any(|c| is_path_below(c, name));
            if !known && !hides_parent {
                self.columns.push(name.clone());
            }
        }
    }
}

fn is_path_below(column: &str, parent: &str) -> bool {
    column.len() > parent.len()
        && column.as_bytes()[parent.len()] == b'.'
        && column.get(..parent.len()).is_some_and(|head| head.eq_ignore_ascii_case(parent))
}

fn find<'r>(row: &'r Record, column: &str) -> Option<&'r Json> {
    row.get(column).or_else(|| row.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, value)| value))
}

fn cell(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n', '\t'], " ")
}

fn csv_line<'c>(cells: impl Iterator<Item = &'c str>) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).map_err(|e| Failure::failed("cannot write CSV").caused_by(e))?;
    let bytes = writer.into_inner().map_err(|e| Failure::failed("cannot write CSV").caused_by(e))?;
    String::from_utf8(bytes).map_err(|e| Failure::failed("cannot write CSV").caused_by(e))
}

fn strip_attributes(record: &mut Record) {
    record.shift_remove("attributes");
    for value in record.values_mut() {
        match value {
            Json::Object(inner) => strip_attributes(inner),
            Json::Array(items) => items.iter_mut().filter_map(Json::as_object_mut).for_each(strip_attributes),
            _ => {}
        }
    }
}

/// A child set is printed as the array of its records.
fn plain_children(record: &mut Record) {
    for value in record.values_mut() {
        if let Json::Object(inner) = value {
            plain_children(inner);
            if inner.contains_key("totalSize")
                && let Some(Json::Array(mut records)) = inner.remove("records")
            {
                records.iter_mut().filter_map(Json::as_object_mut).for_each(plain_children);
                *value = Json::Array(records);
            }
        }
    }
}

/// Parents become dotted columns; a child set does not fit into a row.
fn flatten(record: &Record) -> Result<Record, Failure> {
    let mut flat = Record::new();
    flatten_into(&mut flat, "", record)?;
    Ok(flat)
}

fn flatten_into(flat: &mut Record, prefix: &str, record: &Record) -> Result<(), Failure> {
    for (name, value) in record {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Json::Object(inner) => flatten_into(flat, &path, inner)?,
            Json::Array(_) => {
                return Err(Failure::usage(format!("the child set {path} does not fit into a row"))
                    .hint("use --format json or --format jsonl"));
            }
            plain => {
                flat.insert(path, plain.clone());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(json: Json) -> Record {
        json.as_object().cloned().unwrap()
    }

    #[test]
    fn parents_are_dotted_and_children_refused() {
        let flat = flatten(&record(json!({"Id": "1", "Account": {"Name": "A", "Owner": {"Alias": "x"}}}))).unwrap();
        assert_eq!(Json::Object(flat), json!({"Id": "1", "Account.Name": "A", "Account.Owner.Alias": "x"}));
        let refused = flatten(&record(json!({"Contacts": [{"Id": "1"}]}))).unwrap_err();
        assert!(refused.text().contains("hint: use --format json"));
    }

    #[test]
    fn child_sets_become_arrays_and_attributes_go() {
        let mut children = record(json!({
            "attributes": {"type": "Account"},
            "Contacts": {"totalSize": 1, "done": true, "records": [{"attributes": {}, "Id": "1"}]},
        }));
        strip_attributes(&mut children);
        plain_children(&mut children);
        assert_eq!(Json::Object(children), json!({"Contacts": [{"Id": "1"}]}));
    }

    #[test]
    fn an_empty_parent_is_no_column() {
        let printer = Printer { format: Format::Table, json_errors: false };
        let mut writer = RecordWriter::new(&printer, Layout::default(), vec!["Id".into(), "Account.Name".into()]);
        writer.learn_columns(&record(json!({"Id": "1", "Account": null})));
        assert_eq!(writer.columns, ["Id", "Account.Name"]);
    }
}

//! `soql check` and `soql fmt`: one JSON line out for each line in.

use std::io::{BufRead as _, stdin};

use serde_json::{Value as Json, json};
use tombolo_soql::{
    Options, ParseError,
    check::{Rules, lint},
    parse, pretty, sosl,
};

use crate::{
    arguments::SoqlCommand,
    failure::{Done, Failure},
    output::Printer,
};

/// Comments are taken out by tools before a query is sent, so a check does not mind them.
const SYNTAX: Options = Options { apex: false, comments: true };

pub(super) fn run(what: &SoqlCommand, printer: &Printer) -> Result<Done, Failure> {
    for line in stdin().lock().lines() {
        let line = line.map_err(|e| Failure::failed("cannot read stdin").caused_by(e))?;
        let answer = match query_of(&line) {
            Err(message) => json!({ "ok": false, "line": 1, "column": 1, "message": message }),
            Ok(query) => match what {
                SoqlCommand::Check => check(&query),
                SoqlCommand::Fmt => format(&query),
            },
        };
        printer.line(&answer.to_string())?;
    }
    Ok(Done::Whole)
}

/// A line that begins with `"` is a JSON string, for queries that have line breaks of their own.
fn query_of(line: &str) -> Result<String, String> {
    if !line.starts_with('"') {
        return Ok(line.to_owned());
    }
    serde_json::from_str(line).map_err(|error| format!("the line is not a JSON string: {error}"))
}

fn refused(error: &ParseError) -> Json {
    let message = error.kind.to_string();
    json!({ "ok": false, "line": error.position.line, "column": error.position.column, "message": message })
}

/// How wide a formatted query may be.
const WIDTH: usize = 80;

/// A search begins with FIND, and is checked as SOSL.
fn is_search(query: &str) -> bool {
    query.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("FIND"))
}

fn check(query: &str) -> Json {
    if is_search(query) {
        return sosl::parse(query, SYNTAX).map_or_else(|e| refused(&e), |_| json!({ "ok": true, "warnings": [] }));
    }
    match parse(query, SYNTAX) {
        Ok(select) => {
            let findings = lint(&select, Rules::default());
            let warnings = findings.errors.iter().chain(&findings.warnings);
            json!({ "ok": true, "warnings": warnings.map(|finding| finding.text.as_str()).collect::<Vec<_>>() })
        }
        Err(error) => refused(&error),
    }
}

fn format(query: &str) -> Json {
    let text = if is_search(query) {
        sosl::parse(query, SYNTAX).map(|search| sosl::pretty(&search, WIDTH))
    } else {
        parse(query, SYNTAX).map(|select| pretty(&select, WIDTH))
    };
    text.map_or_else(|error| refused(&error), |text| json!({ "ok": true, "query": text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_answered() {
        assert_eq!(check("SELECT Id FROM Account // all"), json!({ "ok": true, "warnings": [] }));
        let refused = check("SELECT Id FROM Account WHERE");
        assert_eq!((&refused["ok"], &refused["line"], &refused["column"]), (&json!(false), &json!(1), &json!(29)));
        assert_eq!(query_of(r#""SELECT\nId""#).unwrap(), "SELECT\nId");
        assert!(query_of(r#""SELECT"#).is_err());
        assert_eq!(format("select  id from account limit 1")["query"], "SELECT id\nFROM account\nLIMIT 1");
        assert_eq!(check("FIND {tide} IN NAME FIELDS")["ok"], true);
        let refused_later = check("SELECT Id FROM Account OFFSET 2001");
        assert_eq!(refused_later["warnings"].as_array().map(Vec::len), Some(1), "{refused_later}");
    }
}

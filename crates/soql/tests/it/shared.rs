//! The case files of the shared folder, where there is one.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use serde_json::Value;
use tombolo_soql::{
    Options,
    check::{Rules, lint},
    parse, pretty, sosl,
};

fn cases(file: &str) -> Option<Vec<Value>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = PathBuf::from(env::var("TOMBOLO_SHARED").unwrap_or_else(|_| default.to_owned()));
    let required = env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|part| part == "shared"));
    match fs::read_to_string(folder.join("cases").join(file)) {
        Ok(text) => Some(serde_json::from_str(&text).expect("case files are JSON")),
        Err(error) if required => panic!("{file}: {error}"),
        Err(_) => {
            eprintln!("skipped: no shared folder, so no {file}");
            None
        }
    }
}

/// Our decisions where the case files disagree with us or with each other: id, `accept` or `refuse`, reason.
fn decisions() -> BTreeMap<&'static str, bool> {
    let lines = include_str!("../data/decisions.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.split('\t');
            let (id, decision) = (columns.next().unwrap(), columns.next().unwrap());
            assert!(columns.next().is_some_and(|reason| !reason.is_empty()), "{id} needs a reason");
            (id, decision == "accept")
        })
        .collect()
}

fn check(file: &str, apex: bool, expected: impl Fn(&Value) -> bool) {
    let Some(cases) = cases(file) else { return };
    let decisions = decisions();
    let mut wrong = Vec::new();
    for case in &cases {
        let (id, query) = (case["id"].as_str().unwrap(), case["query"].as_str().unwrap());
        let comments = case["features"].to_string().contains("comments");
        let options = Options { apex, comments };
        let parsed = parse(query, options);
        let expect = decisions.get(id).copied().unwrap_or_else(|| expected(case));
        if parsed.is_ok() != expect {
            wrong.push(format!("{id}: {query}\n    {:?}", parsed.as_ref().map(|_| ()).map_err(ToString::to_string)));
        }
        if let Ok(select) = parsed {
            let findings = lint(&select, Rules { apex, multi_currency: true, ..Rules::default() });
            assert!(findings.errors.iter().all(|error| error.offset <= query.len()), "{id}");
            for printed in [select.to_string(), pretty(&select, 60)] {
                assert_eq!(parse(&printed, options).as_ref(), Ok(&select), "{id}: {printed}");
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases of {file}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn valid_statements_parse() {
    check("soql_valid.json", false, |_| true);
}

#[test]
fn invalid_statements_are_refused() {
    check("soql_invalid.json", false, |_| false);
}

#[test]
fn statements_for_apex_parse_with_the_option() {
    check("soql_apex_only.json", true, |_| true);
}

#[test]
fn disputed_statements_follow_the_grammar_of_the_clients() {
    // That grammar is older than comments.
    let accepts = |case: &Value| {
        case["salesforce_client_grammar"] == "accept" || case["features"].to_string().contains("comments")
    };
    check("soql_disputed.json", false, accepts);
}

#[test]
fn searches_follow_their_labels() {
    let Some(cases) = cases("sosl_cases.json") else { return };
    let decisions = decisions();
    let mut judged = 0;
    for case in &cases {
        let (id, query) = (case["id"].as_str().unwrap(), case["query"].as_str().unwrap());
        let Some(expect) = decisions.get(id).copied().or(case["valid"].as_bool()) else { continue };
        // In Apex a term stands in quotes, elsewhere in braces.
        let apex = case["bind"] == true || case["embedded_in_apex"] == true || id.starts_with("apex-dev-tools:");
        let options = Options { apex, comments: apex };
        let parsed = sosl::parse(query, options);
        assert_eq!(parsed.is_ok(), expect, "{id}: {query}\n{parsed:?}");
        if let Ok(search) = parsed {
            for printed in [search.to_string(), sosl::pretty(&search, 60)] {
                assert_eq!(sosl::parse(&printed, options).as_ref(), Ok(&search), "{id}: {printed}");
            }
            assert!(search.term.query().is_ok(), "{id}: {:?}", search.term.query());
        }
        judged += 1;
    }
    assert!(judged > 90, "{judged}");
}

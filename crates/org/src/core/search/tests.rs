//! Searches of an org in memory: each line a statement and what it finds.

use super::*;
use crate::core::{
    CdcSelection,
    record::{Atomicity, Output},
    tests::{add, caller, delete, org, row, undelete, update},
};

struct World {
    core: Core,
    acme: String,
}

fn world() -> World {
    let core = org(CdcSelection::None);
    let acme = add(
        &core,
        "Account",
        r#"{"Name": "Acme Map Store", "Phone": "+41 44 123 45 67", "Description": "We sell deep sea maps.", "Site": "quay"}"#,
    );
    add(&core, "Account", r#"{"Name": "Ärger & Söhne", "Website": "https://sea.example.com"}"#);
    add(&core, "Account", r#"{"Name": "Seaside mapping", "NumberOfEmployees": 7}"#);
    let contact = format!(
        r#"{{"FirstName": "Ada", "LastName": "O'Brien-Sea", "Email": "ada@acme.example", "AccountId": "{acme}"}}"#
    );
    add(&core, "Contact", &contact);
    add(&core, "Contact", r#"{"LastName": "Storey", "HomePhone": "555-0100"}"#);
    World { core, acme }
}

impl World {
    fn search(&self, sosl: &str) -> String {
        let records = self.core.search(&caller(&self.core), sosl).unwrap_or_else(|e| panic!("{sosl}\n{e:?}"));
        let show = |record: &Record| {
            let values = record.fields.iter().map(|(_, value)| match value {
                Output::Text(text) => text.clone(),
                other => format!("{other:?}"),
            });
            format!("{}:{}", record.object, values.collect::<Vec<_>>().join(","))
        };
        records.iter().map(show).collect::<Vec<_>>().join(" | ")
    }

    /// The names of the accounts that a term finds.
    fn accounts(&self, term: &str) -> String {
        self.search(&format!("FIND {{{term}}} RETURNING Account(Name ORDER BY Name)")).replace("Account:", "")
    }

    fn refusal(&self, sosl: &str) -> String {
        match self.core.search(&caller(&self.core), sosl) {
            Err(CoreError::Refused(faults)) => format!("{}: {}", faults[0].code, faults[0].message),
            other => panic!("{sosl}\n{other:?}"),
        }
    }
}

const ACME: &str = "Acme Map Store";
const SEASIDE: &str = "Seaside mapping";

#[test]
fn terms_find_rows() {
    let world = world();
    for (term, expect) in [
        ("acme", ACME),
        ("MAP", ACME),
        ("map*", &format!("{ACME} | {SEASIDE}")),
        ("ma?s", ACME),
        ("s*e", &format!("{ACME} | {SEASIDE} | Ärger & Söhne")),
        ("*side", SEASIDE),
        ("ärger", "Ärger & Söhne"),
        ("arger", ""),
        ("deep sea", ACME),
        ("\"deep sea\"", ACME),
        ("\"sea deep\"", ""),
        ("\"deep se*\"", ACME),
        ("\"store quay\"", ""),
        ("store quay", ACME),
        ("sea OR seaside", &format!("{ACME} | {SEASIDE} | Ärger & Söhne")),
        ("sea AND NOT maps", "Ärger & Söhne"),
        ("sea AND (maps OR nothing)", ACME),
        ("map* AND NOT (deep OR nothing)", SEASIDE),
        ("sea.example.com", "Ärger & Söhne"),
        ("sea \\&", &format!("{ACME} | Ärger & Söhne")),
        ("\\&", ""),
        ("*", ""),
        ("xyzzy*", ""),
        ("x?y", ""),
    ] {
        assert_eq!(world.accounts(term), expect, "{term}");
    }
}

#[test]
fn scopes_and_returning() {
    let world = world();
    let found = |sosl: &str| world.search(sosl);
    assert_eq!(
        found("FIND {acme} IN NAME FIELDS RETURNING Account(Name), Contact(LastName)"),
        format!("Account:{ACME}")
    );
    assert_eq!(found("FIND {acme} IN EMAIL FIELDS RETURNING Account(Name), Contact(LastName)"), "Contact:O'Brien-Sea");
    assert_eq!(found("FIND {555} IN PHONE FIELDS RETURNING Contact(Name)"), "Contact:Storey");
    assert_eq!(found("FIND {acme} IN PHONE FIELDS RETURNING Contact(Name)"), "");
    assert_eq!(
        found("FIND {o'brien-sea} IN ALL FIELDS RETURNING Contact(LastName, Account.Name)").matches("Acme").count(),
        1
    );
    assert_eq!(found("FIND {brien s*} RETURNING Contact(LastName)"), "Contact:O'Brien-Sea");
    assert_eq!(
        found("FIND {sea OR map*} RETURNING Account(Name WHERE NumberOfEmployees > 1 LIMIT 5)"),
        format!("Account:{SEASIDE}")
    );
    let names = "FIND {sea OR map*} RETURNING Account(Name ORDER BY Name DESC LIMIT 1 OFFSET 1)";
    assert_eq!(found(names), format!("Account:{SEASIDE}"));
    assert_eq!(
        found("FIND {sea OR map*} RETURNING Account(Name ORDER BY Name), Contact(LastName) LIMIT 3")
            .matches('|')
            .count(),
        2
    );
    assert_eq!(found("FIND {acme} RETURNING Account"), format!("Account:{}", world.acme));
    // Without RETURNING: the Ids of whatever is found.
    assert_eq!(found("FIND {acme}").matches(':').count(), 2);
    assert_eq!(
        found("FIND {acme} RETURNING Contact(FORMAT(CreatedDate) made) WITH SPELL_CORRECTION = false"),
        "Contact:1/1/2026, 12:00 AM"
    );
}

#[test]
fn the_index_follows_what_is_written() {
    let world = world();
    let core = &world.core;
    assert_eq!(world.accounts("acme"), ACME);
    assert_eq!(update(core, &world.acme, r#"{"Name": "Zebra", "Site": "dock"}"#).faults, []);
    assert_eq!((world.accounts("acme"), world.accounts("zebra dock")), (String::new(), "Zebra".to_owned()));
    assert_eq!(delete(core, &world.acme).faults, []);
    assert_eq!(world.accounts("zebra"), "");
    assert_eq!(undelete(core, &world.acme).faults, []);
    assert_eq!(world.accounts("zebra"), "Zebra");
    assert_eq!(delete(core, &world.acme).faults, []);
    core.empty_recycle_bin(&caller(core), vec![world.acme.clone()]).unwrap();
    assert_eq!(world.accounts("zebra"), "");
    add(core, "Account", r#"{"Name": "Zebra two"}"#);
    assert_eq!(world.accounts("zebra"), "Zebra two");
    // What is undone was never there.
    let rows = ["{\"Name\": \"Zebra three\"}", "{}"].map(|json| ("Account".to_owned(), row(json)));
    core.insert(&caller(core), rows.to_vec(), Atomicity::AllOrNone).unwrap();
    assert_eq!(world.accounts("zebra"), "Zebra two");
    core.reset().unwrap();
    assert_eq!(world.accounts("zebra"), "");
    add(core, "Account", r#"{"Name": "Zebra four"}"#);
    assert_eq!(world.accounts("zebra"), "Zebra four");
}

#[test]
fn refusals() {
    let world = world();
    for (sosl, expect) in [
        ("FIND acme", "MALFORMED_SEARCH: No search term found. The search term must be enclosed in braces."),
        ("FIND 'acme'", "MALFORMED_SEARCH: No search term found. The search term must be enclosed in braces."),
        ("FIND {}", "MALFORMED_SEARCH: No search term found. The search term must be enclosed in braces."),
        ("FIND { }", "MALFORMED_SEARCH: No search term found."),
        ("FIND {a AND}", "MALFORMED_SEARCH: \nFIND {a AND}\n           ^\nERROR at Row:1:Column:12\n"),
        ("FIND {acme} RETURNING", "MALFORMED_SEARCH: \n"),
        ("FIND {acme} RETURNING Nope", "INVALID_TYPE: \nFIND {acme} RETURNING Nope\n                      ^"),
        ("FIND {acme} RETURNING Account(Nope)", "INVALID_FIELD: \n"),
        ("FIND {acme} RETURNING Account(Name WHERE Id IN (SELECT Id FROM Contact))", "MALFORMED_SEARCH: \n"),
        ("FIND {acme} RETURNING Account(COUNT(Id))", "MALFORMED_SEARCH: \n"),
        ("FIND {acme} RETURNING Account(Name OFFSET 1), Contact(Name)", "MALFORMED_SEARCH: \n"),
        ("FIND {acme} RETURNING Organization(Name)", "INVALID_TYPE_FOR_OPERATION: \n"),
        ("FIND {acme} WITH HIGHLIGHT", "MALFORMED_SEARCH: \n"),
    ] {
        let refusal = world.refusal(sosl);
        assert!(refusal.starts_with(expect), "{sosl}\n{refusal}");
    }
    let deep = format!("FIND {{{}a{}}} RETURNING Account", "(b OR c AND ".repeat(60), ")".repeat(60));
    assert!(world.refusal(&deep).contains("too complicated"));
    let long = format!("FIND {{{}}} RETURNING Account", "acme x OR ".repeat(390) + "y");
    assert_eq!(world.search(&long), "");
    let longer = format!("FIND {{{}}} RETURNING Account(Name)", "acme AND ".repeat(600) + "y");
    assert_eq!(world.search(&longer), format!("Account:{ACME}"));
    assert_eq!(world.search(&format!("FIND {{{}}} RETURNING Account", "acme ".repeat(3000))), "");
}

/// Statements of the shared cases: whatever comes of them, it is an answer or a refusal.
#[test]
fn no_statement_breaks_the_search() {
    let world = world();
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var("TOMBOLO_SHARED").unwrap_or_else(|_| default.to_owned());
    let required = std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|part| part == "shared"));
    let text = match std::fs::read_to_string(format!("{folder}/cases/sosl_cases.json")) {
        Ok(text) => text,
        Err(error) if required => panic!("{error}"),
        Err(_) => return eprintln!("skipped: no shared folder, so no sosl_cases.json"),
    };
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    for sosl in cases.iter().filter_map(|case| case["query"].as_str()) {
        if let Err(error) = world.core.search(&caller(&world.core), sosl) {
            assert!(matches!(error, CoreError::Refused(_)), "{sosl}\n{error:?}");
        }
    }
}

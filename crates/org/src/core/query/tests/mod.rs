//! Queries on an org in memory: each line a statement and what comes of it.

mod cases;
mod functions;
mod grouped;
mod opensoql;
mod pages;
mod refused;
mod rows;
mod voyage;

use tombolo_schema::ApiVersion;

use super::QueryOptions;
use crate::core::{
    Caller, CdcSelection, Core,
    record::{CoreError, Output, Page, Record},
    tests::{add, caller, delete, org},
};

/// An org with some accounts, contacts, cases and tasks.
pub(super) struct World {
    pub(super) core: Core,
    pub(super) acme: String,
    pub(super) ada: String,
    pub(super) lead: String,
}

pub(super) fn world() -> World {
    let core = org(CdcSelection::None);
    let acme = add(
        &core,
        "Account",
        r#"{"Name": "Acme", "Industry": "Banking", "NumberOfEmployees": 100, "AnnualRevenue": 2,
            "BillingCity": "Zürich", "BillingCountry": "CH", "Site": "a"}"#,
    );
    let _ = add(&core, "Account", r#"{"Name": "ärger 50% AG", "Industry": "Energy", "NumberOfEmployees": 7}"#);
    let child = format!(r#"{{"Name": "acme labs", "ParentId": "{acme}", "AnnualRevenue": 10}}"#);
    add(&core, "Account", &child);
    let ada = add(
        &core,
        "Contact",
        &format!(r#"{{"FirstName": "Ada", "LastName": "Byron", "AccountId": "{acme}", "Birthdate": "1815-12-10"}}"#),
    );
    add(&core, "Contact", &format!(r#"{{"LastName": "Zuse", "AccountId": "{acme}", "Email": "z@example.com"}}"#));
    add(&core, "Contact", r#"{"LastName": "Loner", "HomePhone": "1"}"#);
    let lead = add(&core, "Lead", r#"{"LastName": "Lovelace", "Company": "Engines"}"#);
    add(
        &core,
        "Task",
        &format!(r#"{{"Subject": "Ring", "WhoId": "{ada}", "WhatId": "{acme}", "ActivityDate": "2026-01-03"}}"#),
    );
    add(&core, "Task", &format!(r#"{{"Subject": "Scribble", "WhoId": "{lead}"}}"#));
    let gone = add(&core, "Account", r#"{"Name": "Gone"}"#);
    assert_eq!(delete(&core, &gone).faults, []);
    World { core, acme, ada, lead }
}

impl World {
    pub(super) fn page(&self, soql: &str) -> Page {
        self.core.query(&caller(&self.core), soql, QueryOptions::default()).unwrap_or_else(|e| panic!("{soql}\n{e:?}"))
    }

    /// What a statement finds, in short.
    pub(super) fn rows(&self, soql: &str) -> String {
        let page = self.page(soql);
        assert_eq!(page.next, None, "{soql}");
        page.records.iter().map(short).collect::<Vec<_>>().join(" | ")
    }

    /// How a statement is refused: code and last line.
    pub(super) fn refusal(&self, soql: &str) -> String {
        self.refusal_at(soql, ApiVersion::DEFAULT)
    }

    pub(super) fn refusal_at(&self, soql: &str, version: ApiVersion) -> String {
        let caller = Caller { version, ..caller(&self.core) };
        match self.core.query(&caller, soql, QueryOptions::default()) {
            Err(CoreError::Refused(faults)) => format!("{}: {}", faults[0].code, faults[0].message),
            other => panic!("{soql}\n{other:?}"),
        }
    }
}

/// A record in short: its values, with those of parents in braces and of children in brackets.
pub(super) fn short(record: &Record) -> String {
    record.fields.iter().map(|(_, value)| value_in_short(value)).collect::<Vec<_>>().join(", ")
}

pub(super) fn value_in_short(value: &Output) -> String {
    match value {
        Output::Null => "-".to_owned(),
        Output::Boolean(on) => on.to_string(),
        Output::Int(number) => number.to_string(),
        Output::Double(number) => format!("{number:?}"),
        Output::Text(text) => text.clone(),
        Output::Date(date) => date.to_string(),
        Output::DateTime(at) => at.to_string(),
        Output::Time(time) => time.to_string(),
        Output::Compound(parts) => {
            let parts = parts.iter().filter(|(_, value)| *value != Output::Null);
            parts.map(|(key, value)| format!("{key}={}", value_in_short(value))).collect::<Vec<_>>().join(" ")
        }
        Output::Record(record) => format!("{}{{{}}}", record.object, short(record)),
        Output::Children(page) => {
            let records: Vec<_> = page.records.iter().map(short).collect();
            format!("{}[{}]", page.total_size, records.join("; "))
        }
        Output::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

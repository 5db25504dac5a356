//! `demo --once --keep DIR --json`: both sides can be compared afterwards, and are equal.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tombolo_org::{OrgConfig, Storage};

use crate::command::{Run, TestOrg};

#[test]
fn what_it_leaves_is_equal_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let report = Run::new(&["demo", "--once", "--keep", &path, "--json"]).json();
    assert!(report["changes"].as_u64().unwrap() > 0, "{report}");
    let lines = std::fs::read_to_string(folder.path().join("changes.jsonl")).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].is_string()));

    let org = TestOrg::with(OrgConfig {
        storage: Storage::Directory(folder.path().join("org")),
        projects: vec![folder.path().join("project")],
        ..OrgConfig::default()
    });
    for (soql, sql) in [
        ("SELECT Id, Name FROM Account", "SELECT id, name FROM account WHERE NOT is_deleted"),
        ("SELECT Id, Title FROM Contact", "SELECT id, title FROM contact WHERE NOT is_deleted"),
        ("SELECT Id, Status__c FROM Shipment__c", "SELECT id, status__c FROM shipment__c WHERE NOT is_deleted"),
    ] {
        let (there, here) = org.block_on(async {
            let records: Vec<_> = org.client().query(soql).try_collect().await.unwrap();
            let there: BTreeMap<String, String> = records
                .iter()
                .map(|r| {
                    let mut values = r.fields().values().map(|v| v.as_str().unwrap_or_default().to_owned());
                    (values.next().unwrap(), values.next().unwrap())
                })
                .collect();
            let url = format!("sqlite:{}", folder.path().join("app.db").display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
            let here: BTreeMap<String, String> =
                rows.iter().map(|row| (row.get(0), row.get::<Option<String>, _>(1).unwrap_or_default())).collect();
            (there, here)
        });
        assert!(there.len() >= 100, "{soql}: {}", there.len());
        assert_eq!(there, here, "{soql}");
    }
}

//! `mirror`: what it leaves in a database, and what it refuses.

use serde_json::Value as Json;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::command::{Run, TestOrg, assert_transcript};

struct Database {
    folder: tempfile::TempDir,
}

impl Database {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("mirror.db").display())
    }

    fn execute(&self, org: &TestOrg, sql: &'static str) {
        let url = format!("{}?mode=rwc", self.url());
        org.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        });
    }

    /// The first column of each row, as text.
    fn column(&self, org: &TestOrg, sql: &'static str) -> Vec<String> {
        org.block_on(async {
            let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect()
        })
    }
}

fn once(org: &TestOrg, url: &str, objects: &[&str]) -> Run {
    let mut arguments = vec!["mirror"];
    arguments.extend(objects);
    arguments.extend(["--to", url, "--once", "--json"]);
    org.tombolo(&arguments)
}

fn counts(report: &Json) -> Vec<(&str, u64, u64)> {
    let objects = report["objects"].as_array().unwrap().iter();
    objects
        .map(|o| (o["object"].as_str().unwrap(), o["rows"].as_u64().unwrap(), o["deleted"].as_u64().unwrap()))
        .collect()
}

#[test]
fn once_and_once_again() {
    let org = TestOrg::start();
    let database = Database::new();
    let url = database.url();
    for name in ["Name=A", "Name=B", "Name=C"] {
        org.tombolo(&["create", "Account", name]).output();
    }
    let report = once(&org, &url, &["Account", "contact"]).json();
    assert_eq!(counts(&report), [("Account", 3, 0), ("Contact", 0, 0)]);
    assert_eq!(database.column(&org, "SELECT name FROM account ORDER BY name"), ["A", "B", "C"]);
    assert!(database.column(&org, "SELECT id FROM contact").is_empty());

    let id = database.column(&org, "SELECT id FROM account WHERE name = 'B'").remove(0);
    org.tombolo(&["delete", "Account", &id]).output();
    org.tombolo(&["create", "Contact", "LastName=New"]).output();
    let report = once(&org, &url, &["Account", "Contact"]).json();
    assert_eq!(counts(&report), [("Account", 2, 1), ("Contact", 1, 0)]);
    assert_eq!(database.column(&org, "SELECT name FROM account WHERE is_deleted ORDER BY name"), ["B"]);
}

#[test]
fn what_a_mirror_refuses() {
    let org = TestOrg::start();
    let database = Database::new();
    let url = database.url();
    assert_transcript!(org.tombolo(&["mirror", "Acount", "--to", &url, "--once"]));
    assert_transcript!(org.tombolo(&["mirror", "Account", "--to", "mysql://somewhere/x", "--once"]));
    database.execute(&org, "CREATE TABLE account (id TEXT PRIMARY KEY)");
    assert_transcript!(org.tombolo(&["mirror", "Account", "--to", &url, "--once"]));
    let unreachable = "postgres://nobody:secret@127.0.0.1:1/none";
    let output = org.tombolo(&["mirror", "Account", "--to", unreachable, "--once"]).output();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn a_database_that_cannot_be_written() {
    let org = TestOrg::start();
    let output = org.tombolo(&["mirror", "Account", "--to", "sqlite:/proc/no-such-place/mirror.db", "--once"]).output();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

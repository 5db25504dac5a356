//! The commands that work on a file of mappings: what they say of a file, and of a hub that is not there.

use serde_json::json;
use sqlx::Connection as _;
use tombolo_org::{CdcSelection, OrgConfig};

use crate::command::{Run, TestOrg, assert_transcript};

const GOOD: &str = "\
state: sqlite:hub.db
connections:
  crm:
    system: salesforce
    auth: { flow: token, instance_url: http://127.0.0.1:1, access_token: \"${CRM_TOKEN}\" }
  app: { system: postgres, url: \"${DATABASE_URL}\" }
mappings:
  account:
    between: [crm.Account, app.accounts]
    external_id: App_Id__c
    fields:
      - Name = name
      - Phone = phone [newest]
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tombolo.yaml"), text).unwrap();
        Self(folder)
    }

    fn tombolo(&self, arguments: &[&str]) -> Run {
        let file = self.0.path().join("tombolo.yaml").display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["-c", &file]);
        let run = Run::new(&all).env("CRM_TOKEN", "hunter2");
        run.env("DATABASE_URL", "postgres://app:hunter2@127.0.0.1:1/shop")
    }
}

#[test]
fn a_file_that_is_right_in_itself() {
    let folder = Folder::with(&GOOD.replace("mappings:", "listen: 127.0.0.1:7400\nmappings:"));
    assert_transcript!(folder.tombolo(&["check", "--offline"]));
    let json = folder.tombolo(&["check", "--offline", "--json"]).json();
    assert_eq!((&json["ok"], &json["findings"][0]["line"]), (&json!(true), &json!(7)));
}

#[test]
fn what_check_says_of_a_broken_file() {
    let broken = GOOD
        .replace("external_id", "externalid")
        .replace("Name = name", "Name => name")
        .replace("[newest]", "[newset]")
        .replace("${CRM_TOKEN}", "${CRM_SECRET}");
    let folder = Folder::with(&broken);
    assert_transcript!(folder.tombolo(&["check"]));
    assert_transcript!(folder.tombolo(&["check", "--json"]));
    // Every other command says the same.
    assert_transcript!(folder.tombolo(&["up"]));
    assert_transcript!(Folder::with("mappings: [").tombolo(&["check"]));
    assert_transcript!(Folder::with(GOOD).tombolo(&["check", "--ofline"]));
}

#[test]
fn a_file_that_is_not_there() {
    assert_transcript!(Run::new(&["check", "-c", "/nowhere/tombolo.yaml"]));
}

#[test]
fn a_hub_that_never_ran() {
    let folder = Folder::with(GOOD);
    for arguments in [
        &["status"][..],
        &["conflicts", "--open"],
        &["dead-letters"],
        &["history", "001000000000001AAA"],
        &["pause", "account"],
        &["retry", "--all"],
    ] {
        assert_transcript!(folder.tombolo(arguments));
    }
    let output = folder.tombolo(&["check"]).output();
    assert_eq!(output.status.code(), Some(3), "nobody listens on port 1");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
}

#[test]
fn what_is_not_said_is_not_done() {
    let folder = Folder::with(GOOD);
    assert_transcript!(folder.tombolo(&["uninstall"]));
    assert_transcript!(folder.tombolo(&["retry"]));
    assert_transcript!(folder.tombolo(&["retry", "--all", "--code", "X"]));
    assert_transcript!(folder.tombolo(&["reconcile", "--since", "yesterday"]));
}

/// A schema of the test's own on the PostgreSQL server; none, said in one line, where there is no server.
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Schema {
    pub(crate) fn make(org: &TestOrg, tables: &str) -> Option<Self> {
        let url =
            std::env::var("DATABASE_URL").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned());
        let name = format!("tombolo_cli_{:016x}", fastrand::u64(..));
        let made = org.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&url).await?;
            let sql = format!("CREATE SCHEMA {name}; SET search_path TO {name}; {tables}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await
        });
        match made {
            Ok(_) => Some(Self { name, url }),
            Err(error) => {
                let required = std::env::var("TOMBOLO_REQUIRE").unwrap_or_default();
                assert!(!required.split(',').any(|what| what == "servers"), "PostgreSQL is required: {error}");
                println!("skipped: no PostgreSQL at the address of DATABASE_URL");
                None
            }
        }
    }

    pub(crate) fn drop(&self, org: &TestOrg) {
        let sql = format!("DROP SCHEMA {} CASCADE", self.name);
        org.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        });
    }
}

#[test]
fn both_ends_are_asked() {
    let org = TestOrg::with(OrgConfig { cdc: CdcSelection::All, seed: Some(7), ..OrgConfig::default() });
    let tables = "CREATE TABLE accounts (id serial PRIMARY KEY, name varchar(255) NOT NULL, phone varchar(40), \
                  staff text, website varchar(20))";
    let Some(schema) = Schema::make(&org, tables) else { return };
    let check = |lines: &str| {
        let text = GOOD
            .replace("app.accounts", &format!("app.{}.accounts", schema.name))
            .replace("    external_id: App_Id__c\n", "")
            .replace("      - Phone = phone [newest]\n", lines)
            .replace("http://127.0.0.1:1", &org.block_on(org.client().instance_url()).unwrap());
        let folder = Folder::with(&text);
        let run = folder.tombolo(&["check", "--json"]).env("CRM_TOKEN", org.token()).env("DATABASE_URL", &schema.url);
        let json = run.json();
        let found = if json["ok"] == true { &json["findings"] } else { &json["error"]["details"] };
        let said: Vec<String> =
            found.as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect();
        (json["ok"] == true, said.join("\n").replace(&schema.name, "public"))
    };
    let good = check("      - Phone = phone\n");
    let warned = check("      - Website = website\n");
    let broken = check("      - Phnoe = phone\n      - NumberOfEmployees = staff\n      - Phone -> fax\n");
    schema.drop(&org);
    assert_eq!(good, (true, String::new()));
    assert_eq!(
        warned,
        (true, "`website` takes 20 characters, and a value may have 255: longer ones are refused".to_owned())
    );
    let expected = "`crm.Account` has no field `Phnoe`\n`NumberOfEmployees` (int) and `staff` (text) do not go together\n\
                    `app.public.accounts` has no field `fax`";
    assert_eq!(broken, (false, expected.to_owned()));
}

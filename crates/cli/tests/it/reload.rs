//! `reload`: a running hub takes over a changed file.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::PathBuf,
    process::{Child, Command},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use sqlx::{Connection as _, Row as _, SqliteConnection};
use tombolo_org::{CdcSelection, OrgConfig};

use crate::{
    command::{Run, TestOrg},
    hub::Schema,
};

const HEAD: &str = "\
state: \"${STATE_URL}\"
connections:
  crm:
    system: salesforce
    auth: { flow: token, instance_url: ORG, access_token: \"${CRM_TOKEN}\" }
  app: { system: sqlite, url: \"sqlite:app.db\" }
settings: { window: 20ms, lease: 3s }
mappings:
  account:
    between: [crm.Account, app.accounts]
";
const LINES: &str = "    fields: [Name = name, Phone = phone]\n";
const CONTACT: &str = "  contact:
    between: [crm.Contact, app.contacts]
    fields: [LastName = name]
";
/// Where nobody listens, with a password that nobody is to see.
const NO_REDIS: &str = "redis://:hunter2@127.0.0.1:1";

/// A running hub, and what it says.
struct Up {
    child: Child,
    said: Receiver<String>,
}

impl Up {
    fn start(run: Run) -> Self {
        let mut child = run.start();
        let (tell, said) = channel();
        let sides: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for side in sides {
            let tell = tell.clone();
            std::thread::spawn(move || {
                BufReader::new(side).lines().map_while(Result::ok).try_for_each(|l| tell.send(l))
            });
        }
        Self { child, said }
    }

    /// Waits for a line with these words; gives every line up to it.
    fn until(&self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let next = self.said.recv_timeout(Duration::from_secs(60));
            lines.push(next.unwrap_or_else(|_| panic!("never said {words}: {lines:#?}")));
            if lines.last().unwrap().contains(words) {
                return lines;
            }
        }
    }

    fn stop(mut self) -> Vec<String> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.said.iter().collect()
    }
}

struct Ground {
    org: TestOrg,
    state: String,
    folder: tempfile::TempDir,
}

impl Ground {
    fn make() -> Self {
        let org = TestOrg::with(OrgConfig { cdc: CdcSelection::All, seed: Some(7), ..OrgConfig::default() });
        let ground = Self { org, state: "sqlite:hub.db".to_owned(), folder: tempfile::tempdir().unwrap() };
        std::fs::write(ground.path("app.db"), "").unwrap();
        ground.app(
            "CREATE TABLE accounts (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, phone TEXT); \
             CREATE TABLE contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
        );
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, mappings: &str) {
        let url = self.org.block_on(self.org.client().instance_url()).unwrap();
        let text = format!("{}{mappings}", HEAD.replace("ORG", &url));
        std::fs::write(self.path("tombolo.yaml"), text).unwrap();
    }

    fn tombolo(&self, command: &str) -> Run {
        let file = self.path("tombolo.yaml").display().to_string();
        let run = Run::new(&[command, "-c", &file]).env("CRM_TOKEN", self.org.token());
        run.env("TOMBOLO_REDIS_URL", NO_REDIS).env("STATE_URL", &self.state)
    }

    /// The exit code, and everything that was said.
    fn reload(&self) -> (Option<i32>, String) {
        let output = self.tombolo("reload").output();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    async fn database(&self) -> SqliteConnection {
        SqliteConnection::connect(&format!("sqlite:{}", self.path("app.db").display())).await.unwrap()
    }

    fn app(&self, script: &'static str) {
        self.org.block_on(async { sqlx::raw_sql(script).execute(&mut self.database().await).await.unwrap() });
    }

    /// Waits until these are the names of a table.
    fn until_names(&self, query: &'static str, wanted: &[&str]) {
        let waiting = async {
            let mut looks = tokio::time::interval(Duration::from_millis(20));
            loop {
                let rows = sqlx::raw_sql(query).fetch_all(&mut self.database().await).await.unwrap();
                let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                if names == wanted {
                    break;
                }
                looks.tick().await;
            }
        };
        let found = self.org.block_on(async { tokio::time::timeout(Duration::from_secs(60), waiting).await });
        assert!(found.is_ok(), "never {wanted:?} from {query}");
    }

    fn create(&self, object: &str, data: &str) -> String {
        self.org.tombolo(&["create", object, "--data", data, "--json"]).json()["id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_running_hub_takes_over_a_changed_file_and_leaves_a_wrong_one() {
    let ground = Ground::make();
    ground.write(LINES);
    let up = Up::start(ground.tombolo("up"));
    let begun = up.until("ready: 1 mapping is kept in step");
    let acme = ground.create("Account", r#"{"Name":"Acme","Phone":"1"}"#);
    ground.create("Account", r#"{"Name":"Umbrella"}"#);
    ground.until_names("SELECT name FROM accounts ORDER BY name", &["Acme", "Umbrella"]);

    for (wrong, said) in [
        (LINES.replace("Phone =", "Phnoe ="), "has no field `Phnoe`"),
        (
            LINES.replace("Name = name, Phone = phone", "Phone = phone, Name = name"),
            "the lines of the mapping `account`",
        ),
    ] {
        ground.write(&wrong);
        let (code, text) = ground.reload();
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(said), "{text}");
    }

    let deletes = "    deletes: { from_salesforce: hard }\n";
    ground.write(&format!("{LINES}{deletes}{CONTACT}"));
    let (code, text) = ground.reload();
    assert!(code == Some(0) && text.contains("asked to take over"), "{text}");
    let meanwhile =
        up.until("the changed file is taken over: the mapping `account` (deletes), the new mapping `contact`");
    assert!(!meanwhile.iter().any(|line| line.contains("not taken over")), "{meanwhile:#?}");
    up.until("ready: 2 mappings are kept in step");
    ground.create("Contact", r#"{"LastName":"Ann"}"#);
    ground.until_names("SELECT name FROM contacts", &["Ann"]);
    let gone = ground.org.tombolo(&["delete", "Account", &acme]).output();
    assert_eq!(gone.status.code(), Some(0));
    ground.until_names("SELECT name FROM accounts", &["Umbrella"]);

    assert_eq!(ground.reload().0, Some(0));
    up.until("the file says nothing new");
    let ended = up.stop();
    // A Redis that is not there is told of in one line, without its password.
    let all = [begun, meanwhile, ended].concat();
    assert_eq!(all.iter().filter(|line| line.contains("Redis does not serve")).count(), 1, "{all:#?}");
    assert!(!all.iter().any(|line| line.contains("hunter2")), "{all:#?}");
    let (code, text) = ground.reload();
    assert!(code == Some(0) && text.contains("nobody runs this file's hub"), "{text}");
}

#[test]
fn whoever_takes_over_does_so_with_the_file_as_it_is_by_then() {
    let mut ground = Ground::make();
    let Some(schema) = Schema::make(&ground.org, "") else { return };
    ground.state = format!("{}?schema={}", schema.url, schema.name);
    ground.write(LINES);
    let mut first = Up::start(ground.tombolo("up"));
    first.until("ready: 1 mapping is kept in step");
    let second = Up::start(ground.tombolo("up"));
    second.until("waiting to take over");
    ground.write(&format!("{LINES}{CONTACT}"));
    first.child.kill().and_then(|()| first.child.wait()).unwrap();
    second.until("the changed file is taken over: the new mapping `contact`");
    second.until("ready: 2 mappings are kept in step");
    ground.create("Contact", r#"{"LastName":"Ann"}"#);
    ground.until_names("SELECT name FROM contacts", &["Ann"]);
    second.stop();
    schema.drop(&ground.org);
}

//! Real databases for tests: each test has one of its own, with somebody else's connection to it.

use futures_util::future::BoxFuture;
use tokio::{net::TcpStream, sync::Mutex};
use tombolo_engine::sync::{Key, Stored};

use super::super::{
    Database,
    address::Address,
    dialect::{Dialect, Sql},
    session::Session,
};
use crate::systems::{
    conformance::{Ground, TABLE},
    system::System,
};

/// A database of one test.
pub(super) struct SqlGround {
    pub(super) url: String,
    pub(super) dialect: Dialect,
    app: Mutex<Session>,
    _folder: Option<tempfile::TempDir>,
}

/// Which server, or file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Postgres,
    MySql,
    Sqlite,
}

const POSTGRES_TABLE: &str = "CREATE TABLE contacts (id serial PRIMARY KEY, name varchar(80), \
    email varchar(80) UNIQUE, score numeric(10, 2), active boolean, born date, seen timestamptz(3), nap time(3), \
    notes text, tenant_id text)";
const MYSQL_TABLE: &str = "CREATE TABLE contacts (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80), \
    email VARCHAR(80) UNIQUE, score DECIMAL(10, 2), active TINYINT(1), born DATE, seen DATETIME(3), nap TIME(3), \
    notes TEXT, tenant_id VARCHAR(40)) CHARACTER SET utf8mb4";
const SQLITE_TABLE: &str = "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name VARCHAR(80), \
    email VARCHAR(80) UNIQUE, score DECIMAL(10, 2), active BOOLEAN, born DATE, seen DATETIME, nap TIME, \
    notes TEXT, tenant_id TEXT)";

/// How the table is made.
pub(super) const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => POSTGRES_TABLE,
        Kind::MySql => MYSQL_TABLE,
        Kind::Sqlite => SQLITE_TABLE,
    }
}

/// Runs a test in a database of its own, if there is a server.
pub(super) async fn with(kind: Kind, test: impl AsyncFn(&SqlGround)) {
    let Some(server) = server(kind).await else { return };
    let name = format!("tombolo_test_{:016x}", fastrand::u64(..));
    let folder = (kind == Kind::Sqlite).then(|| tempfile::tempdir().unwrap());
    let url = match &folder {
        Some(folder) => format!("sqlite:{}", folder.path().join("app.db").display()),
        None => {
            run(&server, &format!("CREATE DATABASE {name}")).await;
            format!("{}/{name}", server.rsplit_once('/').unwrap().0)
        }
    };
    if let Some(path) = url.strip_prefix("sqlite:") {
        std::fs::write(path, "").unwrap();
    }
    let address: Address = url.parse().unwrap();
    let app = Session::open(&address).await.unwrap();
    let ground = SqlGround { dialect: address.dialect(), url, app: Mutex::new(app), _folder: folder };
    ground.app(table(kind)).await;
    let result = std::panic::AssertUnwindSafe(test(&ground));
    let result = futures_util::FutureExt::catch_unwind(result).await;
    drop(ground);
    match kind {
        Kind::Postgres => run(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await,
        Kind::MySql => run(&server, &format!("DROP DATABASE {name}")).await,
        Kind::Sqlite => {}
    }
    if let Err(panic) = result {
        eprintln!("on {kind:?}");
        std::panic::resume_unwind(panic);
    }
}

async fn run(url: &str, script: &str) {
    Session::open(&url.parse().unwrap()).await.unwrap().script(script).await.unwrap();
}

async fn server(kind: Kind) -> Option<String> {
    let (name, default, port) = match kind {
        Kind::Sqlite => return Some(String::new()),
        Kind::Postgres => ("TOMBOLO_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/test", 5432),
        Kind::MySql => ("TOMBOLO_TEST_MYSQL", "mysql://root@127.0.0.1:3306/test", 3306),
    };
    let url = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let place = url.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    let place = if place.contains(':') { place.to_owned() } else { format!("{place}:{port}") };
    if TcpStream::connect(&place).await.is_ok() {
        return Some(url);
    }
    let required = std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|what| what == "servers"));
    assert!(!required, "no server at {place}, and TOMBOLO_REQUIRE asks for servers");
    eprintln!("skipped: no server at {place}");
    None
}

impl SqlGround {
    /// What the application runs.
    pub(super) async fn app(&self, script: &str) {
        if let Err(fault) = self.app.lock().await.script(script).await {
            panic!("{script}: {fault:?}");
        }
    }

    /// Another connection to the same database.
    pub(super) async fn session(&self) -> Session {
        Session::open(&self.url.parse().unwrap()).await.unwrap()
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.app.lock().await.number(Sql::new(self.dialect, sql)).await.unwrap()
    }

    pub(super) fn database(&self, cap: u64) -> Database {
        Database::with_cap(crate::systems::conformance::CONNECTION, &self.url, cap).unwrap().telling_own()
    }

    fn literal(&self, value: &Stored) -> String {
        match value {
            Stored::Null => "NULL".to_owned(),
            Stored::Boolean(yes) => yes.to_string(),
            Stored::Int(number) => number.to_string(),
            Stored::Double(number) => number.to_string(),
            Stored::Text(text) => self.dialect.literal(text),
            other => panic!("{other:?}"),
        }
    }
}

impl Ground for SqlGround {
    fn handle(&self) -> Box<dyn System> {
        Box::new(self.database(1_000_000))
    }

    fn insert<'a>(&'a self, values: &'a [(&'a str, Stored)]) -> BoxFuture<'a, Key> {
        Box::pin(async move {
            let names: Vec<String> = values.iter().map(|(name, _)| (*name).to_owned()).collect();
            let literals: Vec<String> = values.iter().map(|(_, value)| self.literal(value)).collect();
            self.app(&format!("INSERT INTO {TABLE} ({}) VALUES ({})", names.join(", "), literals.join(", "))).await;
            let drawn = match self.dialect {
                Dialect::Postgres => "SELECT currval('contacts_id_seq')",
                Dialect::MySql => "SELECT CAST(LAST_INSERT_ID() AS SIGNED)",
                Dialect::Sqlite => "SELECT last_insert_rowid()",
            };
            self.number(drawn).await.to_string()
        })
    }

    fn update<'a>(&'a self, key: &'a str, values: &'a [(&'a str, Stored)]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let set: Vec<String> =
                values.iter().map(|(name, value)| format!("{name} = {}", self.literal(value))).collect();
            self.app(&format!("UPDATE {TABLE} SET {} WHERE id = {key}", set.join(", "))).await;
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.app(&format!("DELETE FROM {TABLE} WHERE id = {key}")).await })
    }

    fn waiting(&self) -> BoxFuture<'_, i64> {
        Box::pin(async {
            let outbox = self.dialect.ours("outbox");
            self.number(&format!("SELECT count(*) FROM {outbox}")).await
        })
    }
}

//! A database of its own for each test, where there is a server.

use super::{
    super::connection::{Connection, Fetched, Statement},
    *,
};

/// Where a test's state lies.
pub(super) enum TestPlace {
    #[cfg(feature = "sqlite")]
    Sqlite(tempfile::TempDir),
    #[cfg(feature = "postgres")]
    Postgres { schema: String },
    #[cfg(feature = "mysql")]
    MySql { database: String },
}

impl TestPlace {
    pub(super) async fn all() -> Vec<Self> {
        let mut places = Vec::new();
        #[cfg(feature = "sqlite")]
        places.push(Self::Sqlite(tempfile::tempdir().unwrap()));
        places.extend(Self::servers().await);
        places
    }

    /// Those that several processes may work with.
    pub(super) async fn servers() -> Vec<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tombolo_state_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut places = Vec::new();
        #[cfg(feature = "postgres")]
        if is_there("PostgreSQL", &postgres_url()) {
            places.push(Self::Postgres { schema: format!("{name} \"q\"") });
        }
        #[cfg(feature = "mysql")]
        if is_there("MySQL", &mysql_url()) {
            let root: Place = mysql_url().parse().unwrap();
            root.connect(true).await.unwrap().raw(format!("CREATE DATABASE {name}")).await.unwrap();
            places.push(Self::MySql { database: name });
        }
        places
    }

    pub(super) fn url(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("state.db").display()),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => format!("{}?schema={schema}", postgres_url()),
            #[cfg(feature = "mysql")]
            Self::MySql { database } => {
                let url = mysql_url();
                format!("{}/{database}", url.rsplit_once('/').unwrap().0)
            }
        }
    }

    pub(super) fn place(&self) -> Place {
        self.url().parse().unwrap()
    }

    pub(super) async fn open(&self) -> Arc<dyn State> {
        open(&self.url()).await.unwrap()
    }

    pub(super) async fn open_with(&self, failpoints: Failpoints) -> Arc<SqlState> {
        Arc::new(SqlState::open(self.place(), failpoints).await.unwrap())
    }

    pub(super) async fn connect(&self) -> Connection {
        self.place().connect(true).await.unwrap()
    }

    /// Runs a statement beside any state store; tables in it are named `{table}`.
    pub(super) async fn fetch(&self, sql: &str) -> Vec<Fetched> {
        self.connect().await.fetch(Statement::new(self.spelled(sql))).await.unwrap()
    }

    pub(super) async fn run(&self, sql: &str) {
        self.connect().await.raw(self.spelled(sql)).await.unwrap();
    }

    /// Ends every other connection to the test's database, as a server does with those that are idle in a transaction.
    pub(super) async fn end_others(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {}
            // Other tests use the same database: those that name this schema.
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => {
                let sql = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                           WHERE pid <> pg_backend_pid() AND application_name = ?";
                let ended = self.connect().await.fetch(Statement::new(sql).text(format!("tombolo {schema}"))).await;
                ended.unwrap();
            }
            #[cfg(feature = "mysql")]
            Self::MySql { database } => {
                let sql = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
                           WHERE db = ? AND id <> CONNECTION_ID()";
                let mut connection = self.connect().await;
                for row in connection.fetch(Statement::new(sql).text(database)).await.unwrap() {
                    connection.raw(format!("KILL {}", row.number(0).unwrap())).await.unwrap();
                }
            }
        }
    }

    pub(super) fn spelled(&self, sql: &str) -> String {
        let dialect = self.place().dialect().unwrap();
        let mut spelled = String::new();
        for (at, piece) in sql.split(['{', '}']).enumerate() {
            spelled.push_str(&if at % 2 == 0 { piece.to_owned() } else { dialect.table(piece) });
        }
        spelled
    }

    pub(super) async fn clean(self) {
        match &self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => {
                let name = super::super::dialect::quoted(schema);
                self.run(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await;
            }
            #[cfg(feature = "mysql")]
            Self::MySql { database } => self.run(&format!("DROP DATABASE {database}")).await,
        }
    }
}

#[cfg(feature = "postgres")]
fn postgres_url() -> String {
    std::env::var("TOMBOLO_POSTGRES_URL").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned())
}

#[cfg(feature = "mysql")]
fn mysql_url() -> String {
    std::env::var("TOMBOLO_MYSQL_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:3306/test".to_owned())
}

/// Whether a server answers. A test that has to have it fails without.
pub(super) fn is_there(what: &str, url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let address = rest.split(['/', '?']).next().unwrap_or_default();
    let there = std::net::TcpStream::connect(address).is_ok();
    let required = std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|what| what == "servers"));
    assert!(there || !required, "no {what} at {address}, and TOMBOLO_REQUIRE asks for servers");
    if !there {
        eprintln!("skipped: no {what} at {address}");
    }
    there
}

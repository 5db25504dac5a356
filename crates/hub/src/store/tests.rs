//! What every store promises, run on each of them; and what only the SQL ones have: tables that people read.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use tombolo_engine::{
    Cursor, Position, Row, Transport,
    mirror::{ClosedGap, Gap, Incoming, Refill, Snapshot, State, Write},
};
use tombolo_schema::{FieldType, Id, Value, parse_time};

use super::{connection::Connection, memory::MemoryStore, *};
use crate::{Error, ErrorKind};

const FIELDS: [(&str, FieldType); 9] = [
    ("Name", FieldType::String),
    ("SystemModstamp", FieldType::DateTime),
    ("Active__c", FieldType::Boolean),
    ("Count__c", FieldType::Int),
    ("Price__c", FieldType::Currency),
    ("Day__c", FieldType::Date),
    ("Clock__c", FieldType::Time),
    ("Order", FieldType::Picklist),
    ("Body", FieldType::Base64),
];

fn table_of(object: &str, fields: &[(&str, FieldType)]) -> Table {
    let columns = fields.iter().filter_map(|(name, kind)| Column::of(name, Some(*kind))).collect();
    Table::new(object, "SystemModstamp", columns)
}

fn table() -> Table {
    table_of("Order", &FIELDS)
}

fn id(number: u64) -> Id {
    Id::from_number(*b"801", number)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn row(number: u64, second: i64, name: &str, deleted: bool) -> Incoming {
    let values = vec![
        Value::Text(name.to_owned()),
        Value::DateTime(at(second)),
        Value::Boolean(true),
        Value::Int(-7),
        Value::Double(0.1),
        Value::Date("2026-11-22".parse().unwrap()),
        Value::Time(parse_time("13:05:00.250Z").unwrap()),
        Value::Null,
    ];
    Incoming {
        row: Row { id: id(number), stamp: at(second), deleted, values },
        committed: None,
        force: false,
        known_only: false,
    }
}

fn write(rows: Vec<Incoming>) -> Write {
    Write { rows, ..Write::default() }
}

fn owner() -> Owner {
    Owner { tenant: "t".to_owned(), org: "00D000000000001EAA".to_owned() }
}

fn a_state() -> State {
    State {
        snapshot: Snapshot::Pending(Some(Cursor { stamp: at(1), id: Some(id(1)) })),
        refill: Some(Refill { after: Some(Cursor::at(at(2))) }),
        opened: Some(at(3)),
        position: Some(Position {
            source: "00D".to_owned(),
            channel: "/data/OrderChangeEvent".to_owned(),
            transport: Transport::CometD,
            bytes: vec![0, 255, 7],
            committed: at(4),
        }),
        announced: true,
        polled: Some(Cursor { stamp: at(5), id: None }),
        deletes_until: Some(at(6)),
        gap: Some(Gap { detected: at(7), since: None, reason: "it's so".to_owned(), upserted: 1, deleted: 2 }),
    }
}

/// What every store promises.
async fn promises(store: Arc<dyn Store>) {
    let table = table();
    let tables = [table.clone()];
    assert_eq!(store.prepare(&owner(), &tables).await.unwrap(), [State::default()]);
    assert_eq!(store.count(&table).await.unwrap(), 0);
    let applied = async |write: &Write| {
        let mut committed = store.commit(&table, write).await.unwrap();
        committed.applied.sort_by_key(|(id, _)| *id);
        (committed.applied, committed.stale)
    };
    for (what, write, expected, stale) in [
        (
            "new rows",
            write(vec![row(1, 1, "a", false), row(2, 1, "b", false), row(3, 1, "c", true)]),
            vec![(id(1), Applied::Inserted), (id(2), Applied::Inserted), (id(3), Applied::Inserted)],
            vec![],
        ),
        ("the same rows", write(vec![row(1, 1, "a", false), row(3, 1, "c", true)]), vec![], vec![]),
        (
            "another value in the same second",
            write(vec![row(1, 1, "A", false)]),
            vec![(id(1), Applied::Updated)],
            vec![],
        ),
        ("an older row", write(vec![row(1, 0, "old", false)]), vec![], vec![id(1)]),
        (
            "an older row that is forced",
            write(vec![Incoming { force: true, ..row(1, 0, "old", false) }]),
            vec![(id(1), Applied::Updated)],
            vec![],
        ),
        (
            "one row twice",
            write(vec![row(1, 3, "x", false), row(1, 4, "y", false)]),
            vec![(id(1), Applied::Updated)],
            vec![],
        ),
        ("a delete", write(vec![row(1, 5, "y", true)]), vec![(id(1), Applied::Deleted)], vec![]),
        ("an undelete", write(vec![row(1, 6, "y", false)]), vec![(id(1), Applied::Undeleted)], vec![]),
        (
            "rows that are gone",
            Write { gone: vec![id(2), id(3), id(9)], ..Write::default() },
            vec![(id(2), Applied::Deleted)],
            vec![],
        ),
        (
            "deleted rows that were never here",
            write(vec![Incoming { known_only: true, ..row(8, 7, "z", true) }]),
            vec![],
            vec![],
        ),
        ("nothing", Write::default(), vec![], vec![]),
    ] {
        assert_eq!(applied(&write).await, (expected, stale), "{what}");
    }
    assert_eq!(store.live(&table).await.unwrap(), [(id(1), at(6))]);
    assert_eq!(store.live_among(&table, &[id(1), id(2), id(9)]).await.unwrap(), [id(1)]);
    assert_eq!(store.count(&table).await.unwrap(), 1);

    let kept = Write { state: a_state(), ..Write::default() };
    store.commit(&table, &kept).await.unwrap();
    assert_eq!(store.prepare(&owner(), &tables).await.unwrap(), [a_state()]);
    let closed = a_state().gap.map(|gap| ClosedGap { gap, closed: at(9) });
    let state = State { gap: None, position: None, snapshot: Snapshot::Done, refill: None, ..a_state() };
    store.commit(&table, &Write { state: state.clone(), closed, ..Write::default() }).await.unwrap();
    assert_eq!(store.prepare(&owner(), &tables).await.unwrap(), [state]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn memory_keeps_the_promises() {
    promises(Arc::new(MemoryStore::default())).await;
}

/// A database of its own for a test; none where there is no server.
enum Place {
    Sqlite(tempfile::TempDir),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Place {
    fn all() -> Vec<Self> {
        let places = vec![Self::Sqlite(tempfile::tempdir().unwrap())];
        #[cfg(feature = "postgres")]
        let places = places.into_iter().chain(Self::postgres()).collect();
        places
    }

    #[cfg(feature = "postgres")]
    fn postgres() -> Option<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        postgres_is_there().then(|| Self::Postgres(format!("tombolo \"test\" {}_{number}", std::process::id())))
    }

    fn target(&self) -> Target {
        match self {
            Self::Sqlite(folder) => Target::Sqlite(folder.path().join("mirror.db")),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres_url().parse().unwrap(),
        }
    }

    async fn open_with(&self, failpoints: Failpoints) -> crate::Result<SqlStore> {
        let schema = match self {
            Self::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(schema) => Some(schema.as_str()),
        };
        SqlStore::open(&self.target(), schema, "t", failpoints).await
    }

    async fn open(&self) -> SqlStore {
        self.open_with(Failpoints::default()).await.unwrap()
    }

    /// Values of one row, as the database's own texts.
    async fn texts(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut connection = self.connect().await;
        let rows = connection.fetch(sql.to_owned(), Vec::new()).await.unwrap();
        let columns = sql.split(" FROM ").next().unwrap().split(", ").count();
        rows.iter().map(|row| (0..columns).map(|column| row.text(column).unwrap()).collect()).collect()
    }

    async fn run(&self, sql: &str) {
        self.connect().await.run(sql.to_owned(), Vec::new()).await.unwrap();
    }

    async fn connect(&self) -> Connection {
        use sqlx::Connection as _;
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("mirror.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
                Connection::Sqlite(sqlx::SqliteConnection::connect_with(&options).await.unwrap())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(schema) => {
                let mut connection = Connection::Postgres(sqlx::PgConnection::connect(&postgres_url()).await.unwrap());
                let name = connection::quoted(schema);
                connection.run(format!("CREATE SCHEMA IF NOT EXISTS {name}"), Vec::new()).await.unwrap();
                connection.run(format!("SET search_path TO {name}"), Vec::new()).await.unwrap();
                connection
            }
        }
    }

    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "a file needs no cleaning"))]
    async fn clean(self) {
        #[cfg(feature = "postgres")]
        if let Self::Postgres(schema) = &self {
            self.run(&format!("DROP SCHEMA {} CASCADE", connection::quoted(schema))).await;
        }
    }
}

#[cfg(feature = "postgres")]
fn postgres_url() -> String {
    std::env::var("TOMBOLO_POSTGRES_URL").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned())
}

#[cfg(feature = "postgres")]
fn postgres_is_there() -> bool {
    let url = postgres_url();
    let address = url.rsplit_once('@').map_or(&*url, |(_, rest)| rest).split('/').next().unwrap_or_default().to_owned();
    let there = std::net::TcpStream::connect(&address).is_ok();
    let required = std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|what| what == "servers"));
    assert!(there || !required, "no PostgreSQL at {address}, and TOMBOLO_REQUIRE asks for servers");
    if !there {
        eprintln!("skipped: no PostgreSQL at {address}");
    }
    there
}

#[tokio::test]
async fn sql_stores_keep_the_promises() {
    for place in Place::all() {
        promises(Arc::new(place.open().await)).await;
        place.clean().await;
    }
}

#[tokio::test]
async fn values_and_types_are_those_of_the_contract() {
    for place in Place::all() {
        let store = place.open().await;
        store.prepare(&owner(), &[table()]).await.unwrap();
        store.commit(&table(), &write(vec![row(1, 1, "a \u{1F980} \"b\"", false)])).await.unwrap();
        let row = match &place {
            Place::Sqlite(_) => {
                let sql = "SELECT name, system_modstamp, typeof(active__c), CAST(price__c AS TEXT), day__c, clock__c, \
                           typeof(price__c), typeof(is_deleted), typeof(\"order\") FROM \"order\"";
                let row = place.texts(sql).await.remove(0);
                assert_eq!(row[1].as_deref(), Some("2023-11-14T22:13:21.000Z"));
                assert_eq!(row[5].as_deref(), Some("13:05:00.250Z"));
                assert_eq!(
                    [&row[6], &row[7], &row[8], &row[2]].map(|text| text.as_deref().unwrap()),
                    ["real", "integer", "null", "integer"]
                );
                row
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => {
                let sql = "SELECT name, (system_modstamp AT TIME ZONE 'UTC')::text, active__c::text, price__c::text, day__c::text, \
                           clock__c::text, pg_typeof(price__c)::text, pg_typeof(clock__c)::text, pg_typeof(count__c)::text FROM \"order\"";
                let row = place.texts(sql).await.remove(0);
                assert_eq!(row[1].as_deref(), Some("2023-11-14 22:13:21"));
                assert_eq!(row[5].as_deref(), Some("13:05:00.25"));
                assert_eq!(
                    [&row[6], &row[7], &row[8]].map(|text| text.as_deref().unwrap()),
                    ["numeric", "time without time zone", "integer"]
                );
                row
            }
        };
        assert_eq!(
            [&row[0], &row[3], &row[4]].map(|text| text.as_deref().unwrap()),
            ["a \u{1F980} \"b\"", "0.1", "2026-11-22"]
        );
        store.close().await.unwrap();
        place.clean().await;
    }
}

#[tokio::test]
async fn a_second_mirror_is_refused_until_the_first_is_gone() {
    for place in Place::all() {
        let first = place.open().await;
        let refused = place.open_with(Failpoints::default()).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Usage);
        assert!(refused.to_string().contains("another mirror"), "{refused}");
        // Not closed, only gone: as after a kill.
        drop(first);
        place.open().await.close().await.unwrap();
        place.clean().await;
    }
}

#[tokio::test]
async fn refusals_leave_everything_as_it_was() {
    for place in Place::all() {
        place.run("CREATE TABLE \"order\" (id TEXT)").await;
        let store = place.open().await;
        let tables = [table_of("Account", &FIELDS), table()];
        let refused = store.prepare(&owner(), &tables).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage);
        assert!(refused.to_string().contains("\"order\""), "{refused}");
        place.run("DROP TABLE \"order\"").await;
        // Neither the other table nor the state was made.
        place.run("CREATE TABLE _tombolo_meta (tenant TEXT)").await;
        place.run("DROP TABLE _tombolo_meta").await;
        store.prepare(&owner(), &tables).await.unwrap();
        let other = Owner { org: "00D000000000002EAA".to_owned(), ..owner() };
        assert_eq!(store.prepare(&other, &tables).await.unwrap_err().kind(), ErrorKind::Usage);
        let other = Owner { tenant: "u".to_owned(), ..owner() };
        assert_eq!(store.prepare(&other, &tables).await.unwrap_err().kind(), ErrorKind::Usage);
        store.close().await.unwrap();
        place.clean().await;
    }
}

#[tokio::test]
async fn columns_follow_describe() {
    for place in Place::all() {
        let store = place.open().await;
        let done = State { snapshot: Snapshot::Done, ..State::default() };
        let before = table_of("Thing__c", &FIELDS[..3]);
        store.prepare(&owner(), std::slice::from_ref(&before)).await.unwrap();
        store.commit(&before, &Write { state: done.clone(), ..Write::default() }).await.unwrap();
        let renamed = table_of("Thing__c", &[FIELDS[0], FIELDS[1], FIELDS[3]]);
        let states = store.prepare(&owner(), std::slice::from_ref(&renamed)).await.unwrap();
        assert_eq!(states[0].refill, Some(Refill::default()), "a new column is filled");
        store.commit(&renamed, &Write { state: done.clone(), ..Write::default() }).await.unwrap();
        let removed = place.texts("SELECT columns FROM _tombolo_objects").await.remove(0).remove(0).unwrap();
        assert!(removed.contains("\"active__c\",\"kind\":\"boolean\",\"removed\":true"), "{removed}");
        let states = store.prepare(&owner(), std::slice::from_ref(&before)).await.unwrap();
        assert_eq!(states[0].refill, Some(Refill::default()), "one that is back is filled again");
        store.commit(&before, &Write { state: done.clone(), ..Write::default() }).await.unwrap();
        assert_eq!(store.prepare(&owner(), std::slice::from_ref(&before)).await.unwrap(), [done]);
        let retyped = table_of("Thing__c", &[FIELDS[0], FIELDS[1], ("Active__c", FieldType::Date)]);
        let refused = store.prepare(&owner(), &[retyped]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage);
        assert!(refused.to_string().contains("Thing__c.Active__c was boolean and is date"), "{refused}");
        place.run("DROP TABLE thing__c").await;
        assert_eq!(store.prepare(&owner(), &[before]).await.unwrap(), [State::default()], "made anew");
        store.close().await.unwrap();
        place.clean().await;
    }
}

#[tokio::test]
async fn rows_and_state_are_written_together_or_not_at_all() {
    for place in Place::all() {
        for (stop_at, kept) in [
            (failpoint_names::ROWS_WRITTEN, false),
            (failpoint_names::BEFORE_COMMIT, false),
            (failpoint_names::COMMITTED, true),
        ] {
            let failpoints =
                Failpoints::new(move |name| if name == stop_at { Err(Error::failed("stopped")) } else { Ok(()) });
            let store = place.open_with(failpoints).await.unwrap();
            store.prepare(&owner(), &[table()]).await.unwrap();
            let state = State { announced: true, ..State::default() };
            store.commit(&table(), &Write { state, ..write(vec![row(1, 1, "a", false)]) }).await.unwrap_err();
            drop(store);
            let store = place.open().await;
            let states = store.prepare(&owner(), &[table()]).await.unwrap();
            let shown = (store.count(&table()).await.unwrap() == 1, states[0].announced);
            assert_eq!(shown, (kept, kept), "{stop_at}");
            store.close().await.unwrap();
        }
        place.clean().await;
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_keeps_the_password() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("not a database"), "plain text, and quite a lot of it ".repeat(100)).unwrap();
    let sqlite = |path: &Path| Target::Sqlite(path.to_owned());
    for (target, schema, kind) in [
        (sqlite(&folder.path().join("no/such/folder/a.db")), None, ErrorKind::Failed),
        (sqlite(folder.path()), None, ErrorKind::Failed),
        (sqlite(&folder.path().join("not a database")), None, ErrorKind::Failed),
        (sqlite(&folder.path().join("a.db")), Some("s"), ErrorKind::Usage),
        ("postgres://u:secret@127.0.0.1:1/db".parse().unwrap(), None, ErrorKind::Connect),
        ("postgres://u:secret@127.0.0.1:port/db".parse().unwrap(), None, ErrorKind::Usage),
    ] {
        let error = SqlStore::open(&target, schema, "t", Failpoints::default()).await.err().unwrap();
        let shown = format!("{error} {error:?}");
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_broken_connection_is_made_again_and_locked_again() {
    for place in Place::all().into_iter().filter(|place| matches!(place, Place::Postgres(_))) {
        let store = place.open().await;
        store.prepare(&owner(), &[table()]).await.unwrap();
        let pid = store.read("SELECT pg_backend_pid()::bigint".to_owned(), Vec::new(), |row| row.int(0)).await.unwrap();
        place.run(&format!("SELECT pg_terminate_backend({})", pid[0].unwrap())).await;
        let written = write(vec![row(1, 1, "a", false)]);
        let broken = store.commit(&table(), &written).await.unwrap_err();
        assert!(broken.is_retryable() && broken.kind() == ErrorKind::Connect, "{broken}");
        store.commit(&table(), &written).await.unwrap();
        assert_eq!(store.count(&table()).await.unwrap(), 1);
        assert_eq!(place.open_with(Failpoints::default()).await.err().unwrap().kind(), ErrorKind::Usage);
        store.close().await.unwrap();
        place.clean().await;
    }
}

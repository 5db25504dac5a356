//! How an org begins: its folder, its tables, its first rows, the plans it is to load; and how it begins anew.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, RwLock},
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Clock, ClockMode, Core, CoreConfig, EventLog, Inner, Limits, Registry, Storage,
    dml::bin,
    faults::Faults,
    identity::Identity,
    ids::{self, Seed},
    late::LateRows,
    query::Cursors,
    record::{CoreError, Result},
    schema::{Kind, Source},
    schema_edits, search, selection,
};
use crate::store::{Store, quoted};

/// With a seed, a manual clock begins here: then the same requests have the same answers.
const SEEDED_START: Timestamp = Timestamp::constant(1_767_225_600, 0);

impl Core {
    /// Opens the org, or the one that its data folder holds.
    pub(crate) fn open(config: CoreConfig) -> Result<Self> {
        let store = Arc::new(Store::open(folder(&config.storage)).map_err(setup)?);
        let (source, registry, seed, is_new) = store.write(|connection| prepare(connection, &config))?;
        let clock = Clock::starting_at(config.clock, start(&store, &config)?);
        let events = EventLog::open(Arc::clone(&store), clock.clone())?;
        let selected = selection::chosen(&registry, config.limits, &config.cdc);
        let selected = selected.map_err(|fault| CoreError::Setup(fault.message))?;
        let inner = Arc::new(Inner {
            limits: Limits::new(config.limits, clock.clone()),
            schema: RwLock::new(Arc::new(registry)),
            source: Mutex::new(source),
            schema_since: RwLock::new(clock.now_in_seconds()),
            identity: Identity::of(seed)?,
            selected: RwLock::new(Arc::new(selected)),
            cursors: Cursors::default(),
            faults: Faults::default(),
            masked: Mutex::default(),
            late: LateRows::default(),
            config,
            store,
            clock,
            events,
            seed,
        });
        let core = Self(inner, None);
        core.write(&core.internal_caller(), |work| {
            if is_new {
                core.add_first_rows(work)?;
            }
            core.import_plans(work)
        })?;
        Ok(core)
    }

    /// Back to how it was right after the start: projects stay, plans are loaded again, everything else goes.
    pub(crate) fn reset(&self) -> Result<()> {
        self.undo_schema_edits()?;
        let registry = self.schema();
        self.limits().reset();
        self.cursors().clear();
        self.late().clear();
        self.select_cdc(self.0.config.cdc.clone())?;
        self.write(&self.internal_caller(), |work| {
            let own = ["_deleted", "_cleared", "_counters", "_events", "_event_marks", "_plans"];
            let objects = registry.objects().iter().filter(|o| o.kind == Kind::Rows).map(|o| &*o.name);
            for table in own.into_iter().chain(objects) {
                work.connection.execute(&format!("DELETE FROM {}", quoted(table)), [])?;
            }
            self.add_first_rows(work)?;
            self.import_plans(work)
        })?;
        self.events().catch_up()
    }
}

fn folder(storage: &Storage) -> Option<&Path> {
    match storage {
        Storage::Memory => None,
        Storage::Directory(path) => Some(path),
    }
}

fn setup(error: impl std::fmt::Display) -> CoreError {
    CoreError::Setup(error.to_string())
}

/// Makes or widens the tables; says which seed the org grew from, and whether it is new.
fn prepare(connection: &Connection, config: &CoreConfig) -> Result<(Source, Registry, Seed, bool)> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS _org (name TEXT PRIMARY KEY, value TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS _prefixes (object TEXT PRIMARY KEY, prefix TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS _plans (path TEXT PRIMARY KEY);",
    )?;
    ids::create(connection)?;
    bin::create(connection)?;
    EventLog::create(connection)?;
    search::create(connection)?;
    schema_edits::create(connection)?;
    let (seed, is_new) = seed(connection, config)?;
    let (source, registry) = schema_edits::with_kept(connection, Source::of_projects(&config.projects)?)?;
    Ok((source, registry, seed, is_new))
}

fn seed(connection: &Connection, config: &CoreConfig) -> Result<(Seed, bool)> {
    let kept: Option<String> =
        connection.query_row("SELECT value FROM _org WHERE name = 'seed'", [], |row| row.get(0)).optional()?;
    if let Some(kept) = kept {
        let seed = kept.parse().map_err(|_| CoreError::Setup("the data folder's seed is not a number".to_owned()))?;
        return Ok((Seed(seed), false));
    }
    let seed = config.seed.unwrap_or_else(|| fastrand::u64(..));
    connection.execute("INSERT INTO _org VALUES ('seed', ?1)", [seed.to_string()])?;
    Ok((Seed(seed), true))
}

pub(super) fn read_prefixes(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare("SELECT object, prefix FROM _prefixes")?;
    Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn write_prefixes(connection: &Connection, prefixes: &BTreeMap<String, String>) -> Result<()> {
    let mut insert = connection.prepare("INSERT OR IGNORE INTO _prefixes VALUES (?1, ?2)")?;
    for (object, prefix) in prefixes {
        insert.execute(params![object, prefix])?;
    }
    Ok(())
}

/// Time never goes back: an org that is opened again begins after its last stamp.
fn start(store: &Store, config: &CoreConfig) -> Result<Timestamp> {
    let last: Option<i64> = store.read(|connection| {
        let sql = "SELECT max(at) FROM (SELECT max(committed) AS at FROM _events UNION ALL
                   SELECT max(deleted_at) FROM _deleted UNION ALL
                   SELECT max(\"SystemModstamp\") FROM \"Organization\")";
        connection.query_row(sql, [], |row| row.get(0))
    })?;
    let first = match (config.clock, config.seed) {
        (ClockMode::Manual, Some(_)) => SEEDED_START,
        _ => Timestamp::now(),
    };
    let after = last.and_then(|at| Timestamp::from_millisecond(at).ok());
    let after = after.and_then(|at| at.checked_add(SignedDuration::from_secs(1)).ok());
    Ok(after.map_or(first, |after| first.max(after)))
}

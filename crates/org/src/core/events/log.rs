//! The durable log of change events: written in the transaction of the change, read by any number of subscribers.

use std::sync::Arc;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::{ChangeEvent, Channel, StoredEvent, encoding};
use crate::{
    core::{Clock, record::Result},
    store::Store,
};

/// Events are kept for 72 hours (streaming.md 1.6).
const RETENTION: SignedDuration = SignedDuration::from_hours(72);

/// The log. Clones read and write the same one.
#[derive(Debug, Clone)]
pub(crate) struct EventLog {
    store: Arc<Store>,
    clock: Clock,
    latest: Arc<watch::Sender<u64>>,
}

impl EventLog {
    /// The log that lies in the store.
    pub(crate) fn open(store: Arc<Store>, clock: Clock) -> Result<Self> {
        let latest = store.read(last_given)?;
        Ok(Self { store, clock, latest: Arc::new(watch::Sender::new(latest)) })
    }

    /// What the log needs in the database.
    pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS _events (
                replay_id INTEGER PRIMARY KEY, entity TEXT NOT NULL, committed INTEGER NOT NULL, body TEXT NOT NULL);
             CREATE INDEX IF NOT EXISTS _events_by_entity ON _events (entity, replay_id);
             CREATE INDEX IF NOT EXISTS _events_by_time ON _events (committed);
             CREATE TABLE IF NOT EXISTS _event_marks (name TEXT PRIMARY KEY, replay_id INTEGER NOT NULL);",
        )
    }

    /// Up to `max` retained events of the channel with replay ids above `after`, oldest first.
    pub(crate) fn read_after(&self, channel: &Channel, after: u64, max: usize) -> Result<Vec<StoredEvent>> {
        let (entity, any) = match channel {
            Channel::All => ("", true),
            Channel::Entity(object) => (object.as_str(), false),
        };
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows: Vec<(u64, String)> = self.store.read(|connection| {
            let filter = if any { "?1 = ?1" } else { "entity = ?1" };
            let sql = format!(
                "SELECT replay_id, body FROM _events WHERE {filter} AND replay_id > ?2 AND committed >= ?3
                 ORDER BY replay_id LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            statement.query_map(params![entity, after, self.horizon_ms(), max], read)?.collect::<rusqlite::Result<_>>()
        })?;
        rows.into_iter()
            .map(|(replay_id, body)| Ok(StoredEvent { replay_id, event: encoding::decode(&body)? }))
            .collect()
    }

    /// The replay id given last; 0 before the first.
    pub(crate) fn latest(&self) -> u64 {
        *self.latest.borrow()
    }

    /// The replay id of the newest event that is no longer kept; 0 when all are.
    /// A position below it has lost its place.
    pub(crate) fn dropped_up_to(&self) -> Result<u64> {
        Ok(self.store.read(|connection| {
            let expired: Option<u64> = connection
                .prepare_cached("SELECT max(replay_id) FROM _events WHERE committed < ?1")?
                .query_row([self.horizon_ms()], |row| row.get(0))?;
            mark(connection, DROPPED).map(|dropped| dropped.max(expired.unwrap_or(0)))
        })?)
    }

    /// Told the latest replay id after each commit that made events.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Adds events in the transaction of their change; they are announced by `announce` once it is committed.
    pub(crate) fn append(&self, connection: &Connection, events: &[ChangeEvent]) -> Result<u64> {
        let mut replay_id = last_given(connection)?;
        let mut insert = connection
            .prepare_cached("INSERT INTO _events (replay_id, entity, committed, body) VALUES (?1, ?2, ?3, ?4)")?;
        for event in events {
            // Gaps between replay ids are normal (streaming.md 1.6); who counts on none shall find out here.
            replay_id += 1 + event.commit_number % 3;
            insert.execute(params![replay_id, event.entity, event.commit_timestamp, encoding::encode(event)?])?;
        }
        set_mark(connection, GIVEN, replay_id)?;
        self.drop_expired(connection)?;
        Ok(replay_id)
    }

    /// Adds an event once more, under a new replay id: duplicates come late (`core::faults`).
    pub(crate) fn repeat(&self, event: &ChangeEvent) -> Result<u64> {
        let replay_id = self.store.write(|connection| self.append(connection, std::slice::from_ref(event)))?;
        self.announce(replay_id);
        Ok(replay_id)
    }

    /// Tells what is latest after the log was emptied.
    pub(crate) fn catch_up(&self) -> Result<()> {
        self.latest.send_replace(self.store.read(last_given)?);
        Ok(())
    }

    /// Wakes the subscribers. Of two commits the later may be announced first: then the earlier is no news.
    pub(crate) fn announce(&self, latest: u64) {
        self.latest.send_if_modified(|known| {
            let is_news = latest > *known;
            *known = latest.max(*known);
            is_news
        });
    }

    fn drop_expired(&self, connection: &Connection) -> rusqlite::Result<()> {
        let expired: Option<u64> = connection
            .prepare_cached("SELECT max(replay_id) FROM _events WHERE committed < ?1")?
            .query_row([self.horizon_ms()], |row| row.get(0))?;
        let Some(expired) = expired else { return Ok(()) };
        connection.execute("DELETE FROM _events WHERE replay_id <= ?1", [expired])?;
        set_mark(connection, DROPPED, expired)
    }

    fn horizon_ms(&self) -> i64 {
        self.clock.now().saturating_sub(RETENTION).map_or(i64::MIN, |t| t.as_millisecond())
    }
}

const GIVEN: &str = "given";
const DROPPED: &str = "dropped";

fn last_given(connection: &Connection) -> rusqlite::Result<u64> {
    mark(connection, GIVEN)
}

fn mark(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT replay_id FROM _event_marks WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn set_mark(connection: &Connection, name: &str, replay_id: u64) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO _event_marks VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET replay_id = excluded.replay_id";
    connection.prepare_cached(sql)?.execute(params![name, replay_id]).map(drop)
}

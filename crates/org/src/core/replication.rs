//! What changed and what went in a span of time: getUpdated and getDeleted.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;
use tombolo_schema::{ErrorCode, Id};

use super::{
    Caller, Core,
    dml::{KEPT, no_such_object},
    record::{CoreError, Fault, Result},
};
use crate::store::quoted;

/// The records created or changed in a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Updated {
    pub(crate) ids: Vec<Id>,
    pub(crate) latest_date_covered: Timestamp,
}

/// The records deleted in a span, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) records: Vec<(Id, Timestamp)>,
    pub(crate) earliest_date_available: Timestamp,
    pub(crate) latest_date_covered: Timestamp,
}

/// getUpdated reaches 30 days back (rest.md 2.4).
const UPDATES_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
const MOST_IDS: usize = 600_000;

impl Core {
    /// The live records whose SystemModstamp lies from `start` on and before `end`.
    pub(crate) fn updated(&self, _: &Caller, object: &str, start: Timestamp, end: Timestamp) -> Result<Updated> {
        let registry = self.schema();
        let object = registry.object(object).ok_or_else(|| no_such_object(object))?;
        let span = self.span(object, start, end, UPDATES_KEPT)?;
        let stamp =
            ["SystemModstamp", "LastModifiedDate", "CreatedDate"].into_iter().find(|f| object.field(f).is_some());
        let stamp = quoted(stamp.ok_or_else(|| not_replicated(&object.name))?);
        let live = if object.has_recycle_bin() { " AND \"IsDeleted\" = 0" } else { "" };
        let table = quoted(&object.name);
        let sql =
            format!("SELECT \"Id\" FROM {table} WHERE {stamp} >= ?1 AND {stamp} < ?2{live} ORDER BY {stamp}, \"Id\"");
        let (ids, _) = self.read_as_seen(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![span.from_ms, span.to_ms], |row| row.get::<_, String>(0))?;
            Ok((rows.map(|id| parsed(&id?)).collect::<Result<Vec<_>>>()?, false))
        })?;
        if ids.len() > MOST_IDS {
            let message = "exceeded the number of ids that can be returned, use a smaller date range";
            return Err(Fault::new(ErrorCode::ExceededIdLimit, message).into());
        }
        Ok(Updated { ids, latest_date_covered: span.covered })
    }

    /// The records deleted from `start` on and before `end`, whether they can still be undeleted or not.
    pub(crate) fn deleted(&self, _: &Caller, object: &str, start: Timestamp, end: Timestamp) -> Result<Deleted> {
        let registry = self.schema();
        let object = registry.object(object).ok_or_else(|| no_such_object(object))?;
        let span = self.span(object, start, end, KEPT)?;
        let sql = "SELECT id, deleted_at FROM _deleted WHERE object = ?1 AND deleted_at >= ?2 AND deleted_at < ?3
                   ORDER BY deleted_at, id";
        let (records, _) = self.read_as_seen(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![&*object.name, span.from_ms, span.to_ms])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                let at = Timestamp::from_millisecond(row.get(1)?).map_err(|e| CoreError::Internal(e.to_string()))?;
                records.push((parsed(&row.get::<_, String>(0)?)?, at));
            }
            Ok((records, false))
        })?;
        Ok(Deleted { records, earliest_date_available: span.horizon, latest_date_covered: span.covered })
    }

    /// Seconds are cut off; the span has to be a minute at least and to lie in the time that is kept.
    fn span(&self, object: &super::ObjectDef, start: Timestamp, end: Timestamp, kept: SignedDuration) -> Result<Span> {
        if !object.flags.replicateable {
            return Err(not_replicated(&object.name).into());
        }
        let now = self.clock().now_in_seconds();
        let horizon = minute(now.saturating_sub(kept).unwrap_or(Timestamp::MIN));
        let (from, to) = (minute(start), minute(end));
        if from >= to {
            return Err(bad_span("endDate must be at least one minute greater than startDate").into());
        }
        if from < horizon {
            let days = kept.as_hours() / 24;
            return Err(bad_span(&format!("startDate cannot be more than {days} days ago")).into());
        }
        let (from_ms, to_ms) = (from.as_millisecond(), to.as_millisecond());
        Ok(Span { from_ms, to_ms, horizon, covered: to.min(now) })
    }
}

struct Span {
    from_ms: i64,
    to_ms: i64,
    /// Since when the org remembers.
    horizon: Timestamp,
    covered: Timestamp,
}

fn minute(moment: Timestamp) -> Timestamp {
    let second = moment.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(moment)
}

fn parsed(id: &str) -> Result<Id> {
    Id::parse(id).map_err(|e| CoreError::Internal(e.to_string()))
}

fn bad_span(message: &str) -> Fault {
    Fault::new(ErrorCode::InvalidReplicationDate, message)
}

fn not_replicated(object: &str) -> Fault {
    Fault::new(ErrorCode::InvalidType, format!("sObject type '{object}' is not replicateable."))
}

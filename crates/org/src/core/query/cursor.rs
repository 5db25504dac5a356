//! Results too long for one answer: held as they were when they were asked for, and read on page by page.
//!
//! A held result keeps the Ids of its rows, in order, and a snapshot of the store that the rows are read from.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tombolo_schema::{ErrorCode, Id};

use super::select::Rows;
use crate::{
    core::record::{Fault, Locator, Page, Result},
    store::Snapshot,
};

/// How many results are held for a user; the oldest one goes when there are more (soql.md 7).
const MAX_HELD: usize = 10;
/// How long a result is held.
const LIFETIME: SignedDuration = SignedDuration::from_hours(48);
/// How long after its last page was read: long enough to ask for that page again.
const LIFETIME_WHEN_DONE: SignedDuration = SignedDuration::from_mins(15);

/// The held results of the org.
#[derive(Debug)]
pub(crate) struct Cursors {
    held: Mutex<Vec<Arc<Held>>>,
    last: AtomicU64,
}

/// A result, and the child sets in it that are too long, which are held and dropped together.
#[derive(Debug)]
struct Held {
    session: String,
    user: Id,
    snapshot: Mutex<Snapshot>,
    content: Mutex<Content>,
}

/// What is looked up while no page is read.
#[derive(Debug)]
struct Content {
    sets: HashMap<Id, Set>,
    expires: Timestamp,
}

/// The rows of a result or of a child set.
#[derive(Debug, Clone)]
pub(in crate::core) struct Set {
    pub(super) rows: Arc<Rows>,
    pub(super) ids: Arc<[Id]>,
}

/// What is known while a page is put together.
pub(super) struct Reading<'a> {
    pub(super) connection: &'a Connection,
    pub(super) batch: usize,
    cursors: &'a Cursors,
    /// What did not fit into the page.
    sets: HashMap<Id, Set>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(connection: &'a Connection, batch: usize, cursors: &'a Cursors) -> Self {
        Self { connection, batch, cursors, sets: HashMap::new() }
    }

    /// Holds the rows of a set of which only the first `shown` fit, and says where its next page begins.
    pub(super) fn hold(&mut self, rows: &Arc<Rows>, ids: Vec<Id>, shown: usize) -> Locator {
        let cursor = self.cursors.next_id();
        self.sets.insert(cursor, Set { rows: Arc::clone(rows), ids: ids.into() });
        Locator { cursor, offset: shown as u64 }
    }

    /// Drops what no record of the page points at.
    pub(super) fn keep_only(&mut self, cursors: &HashSet<Id>) {
        self.sets.retain(|cursor, _| cursors.contains(cursor));
    }

    pub(super) fn into_sets(self) -> HashMap<Id, Set> {
        self.sets
    }
}

impl Default for Cursors {
    fn default() -> Self {
        // A restarted org must not take a locator of the time before for one of its own.
        Self { held: Mutex::default(), last: AtomicU64::new(fastrand::u64(..1 << 48)) }
    }
}

impl Cursors {
    fn next_id(&self) -> Id {
        Id::from_number(*b"01g", self.last.fetch_add(1, Ordering::Relaxed))
    }

    /// Holds what did not fit into a page.
    pub(in crate::core) fn keep(&self, owner: (Id, &str), snapshot: Snapshot, sets: HashMap<Id, Set>, now: Timestamp) {
        let (user, session) = (owner.0, owner.1.to_owned());
        let content = Mutex::new(Content { sets, expires: now + LIFETIME });
        let snapshot = Mutex::new(snapshot);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|held| !held.is_expired(now));
        let of_user = held.iter().filter(|held| held.user == user).count();
        if of_user >= MAX_HELD
            && let Some(oldest) = held.iter().position(|held| held.user == user)
        {
            held.remove(oldest);
        }
        held.push(Arc::new(Held { session, user, snapshot, content }));
    }

    /// Drops every held result.
    pub(crate) fn clear(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The page that a locator points at.
    pub(super) fn page(&self, session: &str, locator: &str, batch: usize, now: Timestamp) -> Result<(Page, Arc<Rows>)> {
        let locator = parse(locator).ok_or_else(invalid)?;
        let held = self.find(session, locator.cursor, now).ok_or_else(invalid)?;
        let set = held.content().sets.get(&locator.cursor).cloned().ok_or_else(invalid)?;
        let start = usize::try_from(locator.offset).unwrap_or(usize::MAX);
        if start >= set.ids.len() {
            return Err(invalid().into());
        }
        let end = set.ids.len().min(start.saturating_add(batch));
        let snapshot = held.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reading = Reading::new(&snapshot, batch, self);
        let records = set.rows.by_id(&mut reading, &set.ids[start..end])?;
        let end = start + records.len();
        let is_last = end == set.ids.len();
        let mut content = held.content();
        content.sets.extend(reading.into_sets());
        if is_last && content.sets.len() == 1 {
            content.expires = content.expires.min(now + LIFETIME_WHEN_DONE);
        }
        let next = (!is_last).then_some(Locator { cursor: locator.cursor, offset: end as u64 });
        Ok((Page { total_size: set.ids.len() as u64, records, next }, set.rows))
    }

    fn find(&self, session: &str, cursor: Id, now: Timestamp) -> Option<Arc<Held>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|held| !held.is_expired(now));
        held.iter().find(|held| held.session == session && held.content().sets.contains_key(&cursor)).cloned()
    }
}

impl Held {
    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.content().expires <= now
    }
}

fn invalid() -> Fault {
    Fault::new(ErrorCode::InvalidQueryLocator, "invalid query locator")
}

/// `01g…-2000`
fn parse(locator: &str) -> Option<Locator> {
    let (cursor, offset) = locator.split_once('-')?;
    let cursor = Id::parse(cursor).ok().filter(|id| id.key_prefix() == "01g")?;
    Some(Locator { cursor, offset: offset.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_are_read_strictly() {
        let cursor = Id::from_number(*b"01g", 7);
        assert_eq!(parse(&format!("{cursor}-2000")), Some(Locator { cursor, offset: 2000 }));
        assert_eq!(parse(&format!("{}-500", cursor.short())).map(|l| l.offset), Some(500));
        for wrong in ["", "-1", "01g-5", "001000000000001AAA-5", &format!("{cursor}-x"), cursor.as_str()] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

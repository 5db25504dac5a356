//! The org itself: schema, DML, queries, events, security, limits. It knows no wire format.
//!
//! `Core` is the one door: cheap to clone, synchronous, safe to call from many threads.

pub(crate) mod caller;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod dml;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod identity;
mod ids;
mod import;
mod joint;
mod late;
pub(crate) mod limits;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod replication;
pub(crate) mod schema;
mod schema_edits;
pub(crate) mod search;
pub(crate) mod security;
mod selection;
mod setup;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tombolo_schema::Id;

pub use config::{CdcSelection, ClockMode, LimitProfile, Storage};
pub use schema::SchemaEdit;

pub(crate) use caller::{Api, Caller};
pub(crate) use clock::Clock;
pub(crate) use config::CoreConfig;
pub(crate) use dml::{
    Condition, Conversion, Converted, Found, Key, Looked, Mark, Merge, Merged, Selection, Target, Verdict,
};
pub(crate) use events::{ChangeEvent, Channel, EventLog, StoredEvent};
pub(crate) use identity::UserInfo;
pub(crate) use joint::Ending;
pub(crate) use limits::Limits;
pub(crate) use query::{Column, Columns, QueryOptions};
pub(crate) use schema::{FieldDef, ObjectDef, Registry, Source};

use faults::{FaultKind, Faults};
use identity::Identity;
use ids::Seed;
use joint::Joint;
use late::LateRows;
use record::Result;

use crate::store::Store;

/// The org. All methods are synchronous and may wait for the store.
///
/// A clone that [`Core::together`] hands out works inside that one transaction.
#[derive(Clone)]
pub(crate) struct Core(Arc<Inner>, Option<Arc<Joint>>);

struct Inner {
    config: CoreConfig,
    store: Arc<Store>,
    schema: RwLock<Arc<Registry>>,
    /// What the schema is made from: the projects of the start, and what was edited since.
    source: Mutex<Source>,
    /// When the schema became what it is.
    schema_since: RwLock<jiff::Timestamp>,
    clock: Clock,
    limits: Limits,
    events: EventLog,
    seed: Seed,
    identity: Identity,
    selected: RwLock<Arc<BTreeSet<String>>>,
    cursors: query::Cursors,
    faults: Faults,
    /// The schema without the fields that faults hide, and which those are.
    masked: Mutex<Option<Masked>>,
    late: LateRows,
}

struct Masked {
    whole: Arc<Registry>,
    hidden: Vec<(String, String)>,
    registry: Arc<Registry>,
}

impl Core {
    /// The org's own Id.
    pub(crate) fn org_id(&self) -> Id {
        self.0.identity.org
    }

    /// The one user the org starts with.
    pub(crate) fn admin_user(&self) -> UserInfo {
        self.0.identity.admin.clone()
    }

    /// The objects and fields as they are now.
    pub(crate) fn schema(&self) -> Arc<Registry> {
        let whole = Arc::clone(&self.0.schema.read().unwrap_or_else(PoisonError::into_inner));
        if !self.0.faults.may_be(FaultKind::HideField) {
            return whole;
        }
        self.without_hidden(whole)
    }

    fn without_hidden(&self, whole: Arc<Registry>) -> Arc<Registry> {
        let hidden = self.0.faults.hidden_fields(self.0.clock.now());
        let mut masked = self.0.masked.lock().unwrap_or_else(PoisonError::into_inner);
        match &*masked {
            Some(kept) if Arc::ptr_eq(&kept.whole, &whole) && kept.hidden == hidden => Arc::clone(&kept.registry),
            _ => {
                let registry = Arc::new(whole.without(&hidden));
                self.schema_changed();
                *masked = Some(Masked { whole, hidden, registry: Arc::clone(&registry) });
                registry
            }
        }
    }

    /// From now on the schema is another one.
    fn schema_changed(&self) {
        let mut since = self.0.schema_since.write().unwrap_or_else(PoisonError::into_inner);
        // Who asks by the second shall not miss it.
        let next = since.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(jiff::Timestamp::MAX);
        *since = self.0.clock.now_in_seconds().max(next);
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    fn late(&self) -> &LateRows {
        &self.0.late
    }

    /// What a describe can be recognised by later.
    pub(crate) fn schema_mark(&self) -> Mark {
        let since = *self.0.schema_since.read().unwrap_or_else(PoisonError::into_inner);
        Mark { modified: Some(since), tag: Some(format!("{:08x}", since.as_second() & 0xffff_ffff)) }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn events(&self) -> &EventLog {
        &self.0.events
    }

    /// Reads the store in one snapshot.
    pub(crate) fn snapshot<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> Result<T>) -> Result<T> {
        match &self.1 {
            Some(joint) => joint.read(work),
            None => self.0.store.read(work),
        }
    }

    fn cursors(&self) -> &query::Cursors {
        &self.0.cursors
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn seed(&self) -> Seed {
        self.0.seed
    }
}

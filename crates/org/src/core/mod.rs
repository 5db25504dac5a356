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
pub(crate) mod limits;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod replication;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod security;
mod selection;
mod setup;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use tombolo_schema::Id;

pub use config::{CdcSelection, ClockMode, LimitProfile, Storage};

pub(crate) use caller::{Api, Caller};
pub(crate) use clock::Clock;
pub(crate) use config::CoreConfig;
pub(crate) use dml::{Found, Selection, Target};
pub(crate) use events::{ChangeEvent, Channel, EventLog, StoredEvent};
pub(crate) use identity::UserInfo;
pub(crate) use limits::Limits;
pub(crate) use query::{Column, Columns, QueryOptions};
pub(crate) use schema::{FieldDef, ObjectDef, Registry};

use identity::Identity;
use ids::Seed;
use record::Result;

use crate::store::Store;

/// The org. All methods are synchronous and may wait for the store.
#[derive(Clone)]
pub(crate) struct Core(Arc<Inner>);

struct Inner {
    config: CoreConfig,
    store: Arc<Store>,
    schema: RwLock<Arc<Registry>>,
    clock: Clock,
    limits: Limits,
    events: EventLog,
    seed: Seed,
    identity: Identity,
    selected: RwLock<Arc<BTreeSet<String>>>,
    cursors: query::Cursors,
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
        Arc::clone(&self.0.schema.read().unwrap_or_else(PoisonError::into_inner))
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
        self.0.store.read(work)
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

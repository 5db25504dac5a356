//! Several writes as one transaction: what a composite request is when all or none of it is to count.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tombolo_schema::Id;

use super::{
    Caller, Core,
    dml::Work,
    events::Change,
    late::LateRow,
    query::Set,
    record::{CoreError, Result},
};
use crate::store::Lent;

/// A transaction that is open while its parts are worked off.
pub(super) struct Joint {
    lent: Lent,
    gathered: Mutex<Gathered>,
}

/// What waits for the end.
#[derive(Default)]
struct Gathered {
    changes: Vec<Change>,
    late: Vec<LateRow>,
    /// Results of queries that were too long for one page.
    results: Vec<HeldBack>,
}

struct HeldBack {
    user: Id,
    session: String,
    sets: HashMap<Id, Set>,
}

/// How a joint transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Keep,
    Undo,
}

impl Core {
    /// One transaction for everything that is done through the core that `run` gets. Later parts see what earlier ones
    /// did; the events of all have one transaction key, each with the origin of its own caller.
    pub(crate) fn together<T>(&self, caller: &Caller, run: impl FnOnce(&Self) -> (T, Ending)) -> Result<T> {
        if self.1.is_some() {
            return Err(CoreError::Internal("a transaction inside a transaction".to_owned()));
        }
        let mut announced = None;
        let (mut results, mut late) = (Vec::new(), Vec::new());
        let done = self.store().write_together(|lent| -> Result<(T, bool)> {
            let joint = Arc::new(Joint { lent: lent.clone(), gathered: Mutex::default() });
            let (done, ending) = run(&Self(Arc::clone(&self.0), Some(Arc::clone(&joint))));
            if ending == Ending::Undo {
                return Ok((done, false));
            }
            let gathered = joint.take();
            (results, late) = (gathered.results, gathered.late);
            announced = joint.with(|connection| self.tell(connection, caller, gathered.changes))?;
            Ok((done, true))
        })?;
        self.late().add(late, self.clock().now());
        if let Some(latest) = announced {
            self.events().announce(latest);
        }
        for held in results {
            let snapshot = self.store().keep_snapshot()?;
            self.cursors().keep((held.user, &held.session), snapshot, held.sets, self.clock().now());
        }
        Ok(done)
    }

    /// Whether this core works inside a transaction that others share.
    pub(crate) fn is_joint(&self) -> bool {
        self.1.is_some()
    }
}

impl Joint {
    fn gathered(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Gathered {
        std::mem::take(&mut self.gathered())
    }

    fn with<T, E: From<CoreError>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let lent = self.lent.lock();
        let ended = || CoreError::Internal("the transaction has ended".to_owned());
        work(lent.as_ref().ok_or_else(ended)?)
    }

    /// Reads what the transaction has made of the store so far.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.with(work)
    }

    /// A part of the transaction, undone by itself when it fails as a whole.
    pub(super) fn write<T>(
        &self,
        core: &Core,
        caller: &Caller,
        run: impl FnOnce(&mut Work<'_>) -> Result<T>,
    ) -> Result<T> {
        self.with(|connection| {
            connection.execute_batch("SAVEPOINT part")?;
            let mut work = core.work(connection, caller);
            let done = run(&mut work);
            if done.is_err() {
                connection.execute_batch("ROLLBACK TO part")?;
            } else {
                let mut gathered = self.gathered();
                gathered.changes.append(&mut work.take_changes());
                gathered.late.append(&mut work.take_late());
            }
            connection.execute_batch("RELEASE part")?;
            done
        })
    }

    /// Keeps what did not fit into a page until the transaction has ended well.
    pub(super) fn hold(&self, owner: (Id, &str), sets: HashMap<Id, Set>) {
        self.gathered().results.push(HeldBack { user: owner.0, session: owner.1.to_owned(), sets });
    }
}

//! Work on many rows, cut into requests: the first reading, polls, the reconciliation of a gap.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use tombolo_schema::Id;

use crate::Cursor;

/// Work on many rows.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) steps: VecDeque<Step>,
    /// What the source lists, while the lists are compared.
    pub(super) listed: HashMap<Id, Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Snapshot,
    Refill,
    Poll,
    Reconcile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Read rows behind the cursor until there are no more.
    Pages(Option<Cursor>),
    /// List what was deleted.
    Deletes(Timestamp),
    /// List the source's Ids behind this one until there are no more.
    List(Option<Id>),
    /// List the mirror's Ids and compare.
    Compare,
    /// Wait until everything noted up to this mark is settled; none: mark now.
    Settle(Option<u64>),
    /// The same; then deletes are known up to this moment. Not before: a crash would forget the suspicions.
    SettleDeletes(u64, Timestamp),
}

impl Job {
    pub(super) fn new(kind: Kind, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { kind, steps: steps.into_iter().collect(), listed: HashMap::new() }
    }

    /// Puts another step in place of the one at hand.
    pub(super) fn replace(&mut self, step: Step) {
        if let Some(first) = self.steps.front_mut() {
            *first = step;
        }
    }
}

/// The Ids in which two lists of (Id, stamp) differ.
///
/// Each is only a suspicion: the lists were taken one after the other while rows changed.
pub(super) fn differing(mut listed: HashMap<Id, Timestamp>, stored: &[(Id, Timestamp)]) -> Vec<Id> {
    let mut ids: Vec<Id> =
        stored.iter().filter(|(id, stamp)| listed.remove(id) != Some(*stamp)).map(|(id, _)| *id).collect();
    ids.extend(listed.into_keys());
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_differ_in_ids_and_stamps() {
        let entry = |number, second| (Id::from_number(*b"001", number), Timestamp::from_second(second).unwrap());
        let listed = [entry(1, 1), entry(2, 2), entry(4, 4)].into_iter().collect();
        let stored = [entry(1, 1), entry(2, 1), entry(3, 3)];
        assert_eq!(differing(listed, &stored), [2, 3, 4].map(|number| entry(number, 0).0));
    }
}

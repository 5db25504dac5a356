//! When to poll, and from where.
//!
//! Whether an entity is selected for change events cannot be asked over CometD: the subscription to one that is not
//! selected stands and stays silent. So each entity is polled often until its stream has told of a change, and seldom
//! from then on; and when a seldom poll finds what the stream never told, often again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use tombolo_schema::Id;

use super::{
    Settings, State, earlier,
    job::{Job, Kind, Step},
};
use crate::Cursor;

#[derive(Debug)]
pub(super) struct Polling {
    /// When the next poll is due.
    pub(super) next: Timestamp,
    /// When the next poll that lists deletes is due.
    scrub: Timestamp,
    /// The next poll covers a time in which nobody listened.
    back: bool,
    /// The newest row seen when a poll last began, and when that was first so.
    seen: (Option<Cursor>, Timestamp),
    /// A poll ended in this run.
    polled: bool,
    /// Changes that a poll found before the stream told of them.
    unannounced: BTreeSet<Id>,
    /// Those of the poll before.
    doubtful: BTreeSet<Id>,
}

/// More unannounced changes than this prove no more than these.
const ENOUGH: usize = 1_000;

impl Polling {
    pub(super) const fn new() -> Self {
        Self {
            next: Timestamp::MIN,
            scrub: Timestamp::MIN,
            back: true,
            seen: (None, Timestamp::MIN),
            polled: false,
            unannounced: BTreeSet::new(),
            doubtful: BTreeSet::new(),
        }
    }

    pub(super) const fn has_polled(&self) -> bool {
        self.polled
    }

    /// Polls now, and back over a time in which nobody listened.
    pub(super) const fn reach_back(&mut self, now: Timestamp) {
        self.next = now;
        self.scrub = now;
        self.back = true;
    }

    /// Polls now, from where the snapshot says.
    pub(super) const fn begin(&mut self, now: Timestamp) {
        self.reach_back(now);
        self.back = false;
    }

    pub(super) fn job(&mut self, now: Timestamp, settings: &Settings, state: &State) -> Job {
        if self.seen.0 != state.polled {
            self.seen = (state.polled, now);
        }
        let deep = self.scrub <= now;
        let overlap = match (self.back, deep) {
            (true, _) => settings.margin,
            (false, true) => settings.scrub_overlap,
            (false, false) => settings.overlap,
        };
        let pages = Step::Pages(state.polled.map(|polled| self.from(now, polled, overlap)));
        let mut steps = vec![pages];
        if deep && settings.lists_deletes {
            steps.push(Step::Deletes(state.deletes_until.unwrap_or(now)));
        } else if deep {
            steps.extend([Step::List(None), Step::Compare, Step::Settle(None)]);
        }
        if deep {
            self.scrub = later(now, settings.scrub);
        }
        self.back = false;
        Job::new(Kind::Poll, steps)
    }

    /// Behind the newest row seen; further back as long as a row with an older stamp may still become visible.
    /// Once that time is over the rows of the newest second, however many, are not read again.
    fn from(&self, now: Timestamp, polled: Cursor, overlap: SignedDuration) -> Cursor {
        let settled = !self.back && now.duration_since(self.seen.1) > overlap;
        if settled || polled.id.is_none() && !self.back { polled } else { Cursor::at(earlier(polled.stamp, overlap)) }
    }

    pub(super) fn end(&mut self, now: Timestamp, settings: &Settings, state: &mut State) {
        self.polled = true;
        if state.announced && !self.doubtful.is_empty() {
            state.announced = false;
        }
        self.doubtful = std::mem::take(&mut self.unannounced);
        self.next = later(now, if state.announced { settings.scrub } else { settings.poll });
    }

    /// The stream told of this record.
    pub(super) fn announced(&mut self, id: &Id) {
        self.unannounced.remove(id);
        self.doubtful.remove(id);
    }

    /// A poll found changes of these records that the stream has not told yet.
    pub(super) fn found<'a>(&mut self, ids: impl Iterator<Item = &'a Id>) {
        let room = ENOUGH.saturating_sub(self.unannounced.len());
        self.unannounced.extend(ids.take(room));
    }
}

fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(moment)
}

//! What a mirror tells while it runs and when it ends.

use jiff::SignedDuration;
use serde::Serialize;

use crate::store::Applied;

/// What was done, object by object, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The objects.
    pub objects: Vec<ObjectReport>,
}

/// What was done for an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectReport {
    /// The object, as the org spells it.
    pub object: String,
    /// Rows in the table that are not marked deleted.
    pub rows: u64,
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that differed from what was there, those that came back from the recycle bin included.
    pub updated: u64,
    /// Rows that were marked deleted.
    pub deleted: u64,
    /// API calls made for the object.
    pub api_calls: u64,
    /// Milliseconds from the commit in Salesforce to the commit here, median; none if no change was seen.
    pub lag_ms: Option<u64>,
    /// Gaps that were made good.
    pub gaps: u64,
}

/// News from a running mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The first reading of an object has come this far.
    Snapshot {
        /// The object.
        object: String,
        /// Rows written so far.
        rows: u64,
    },
    /// The object is read, and changes are followed from here on.
    Live {
        /// The object.
        object: String,
    },
    /// A change was written.
    Applied {
        /// The object.
        object: String,
        /// The record.
        id: String,
        /// What it did to the row.
        change: Applied,
        /// From the commit in Salesforce to the commit here, where the first is known.
        lag: Option<SignedDuration>,
    },
    /// A stretch of the stream was missed; the rows are being compared.
    Gap {
        /// The object.
        object: String,
        /// Why.
        reason: String,
    },
    /// The gap is made good.
    GapClosed {
        /// The object.
        object: String,
        /// Rows that were written for it.
        upserted: u64,
        /// Rows that were marked deleted for it.
        deleted: u64,
    },
    /// The object has no change events: it is polled.
    Polled {
        /// The object.
        object: String,
        /// Why, as the org says it.
        reason: String,
    },
    /// Something does not work for now, and is tried again.
    Trouble {
        /// The object.
        object: String,
        /// What.
        message: String,
    },
}

/// The counts of one run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) gaps: u64,
    lags: Vec<u32>,
}

/// More lags than this are thinned out: every second one goes.
const LAGS: usize = 100_000;

impl Tally {
    pub(super) fn add(&mut self, applied: Applied) {
        match applied {
            Applied::Inserted => self.inserted += 1,
            Applied::Updated | Applied::Undeleted => self.updated += 1,
            Applied::Deleted => self.deleted += 1,
        }
    }

    pub(super) fn add_lag(&mut self, lag: SignedDuration) {
        self.lags.push(u32::try_from(lag.as_millis().max(0)).unwrap_or(u32::MAX));
        if self.lags.len() > LAGS {
            let mut keep = false;
            self.lags.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    pub(super) fn median_lag(&mut self) -> Option<u64> {
        self.lags.sort_unstable();
        self.lags.get(self.lags.len() / 2).map(|lag| u64::from(*lag))
    }
}

//! The source's time.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The source's time, as it was told once and has run on since. It never runs backwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    told: Timestamp,
    at: Instant,
}

/// An answer's date has whole seconds, so a difference below this is none.
const SAME: SignedDuration = SignedDuration::from_secs(2);

impl Clock {
    /// Sets the clock. Where the source's time is ours as far as anyone can tell, ours has milliseconds.
    pub(super) fn set(told: Timestamp) -> Self {
        let ours = Timestamp::now();
        let same = ours.duration_since(told).abs() <= SAME;
        Self { told: if same { ours } else { told }, at: Instant::now() }
    }

    /// The source's time now.
    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.at.elapsed()).unwrap_or(SignedDuration::MAX);
        self.told.checked_add(passed).unwrap_or(self.told)
    }

    /// When the source's time will be this.
    pub(super) fn instant(&self, moment: Timestamp) -> Instant {
        let ahead = moment.duration_since(self.told);
        self.at + std::time::Duration::try_from(ahead).unwrap_or_default()
    }
}

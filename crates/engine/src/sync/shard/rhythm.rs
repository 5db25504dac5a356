//! Mappings that are written to on a rhythm: what is ready in between waits for the next beat. Hearing and deciding go
//! on, so that a beat writes what the records have become by then.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{Shard, Timer};
use crate::sync::{LinkId, MappingIndex, Side, settings};

/// What waits, and what may go.
#[derive(Debug, Clone, Default)]
pub(super) struct Rhythm {
    /// What waits for the next beat.
    waiting: BTreeMap<MappingIndex, BTreeSet<(LinkId, Side)>>,
    /// What a beat let go and was not looked at yet.
    let_go: BTreeSet<(LinkId, Side)>,
}

impl Rhythm {
    /// There is nothing to write any more.
    pub(super) fn forget(&mut self, id: LinkId, side: Side) {
        self.let_go.remove(&(id, side));
    }
}

impl Shard {
    /// Whether a write waits for the next beat of its mapping. The first loading does not.
    pub(super) fn is_held(&mut self, id: LinkId, mapping: MappingIndex, side: Side) -> bool {
        let Some(rhythm) = self.settings.rhythms.get(&mapping).copied() else { return false };
        if self.mappings[mapping].loaded != [true, true] || self.rhythm.let_go.remove(&(id, side)) {
            return false;
        }
        self.rhythm.waiting.entry(mapping).or_default().insert((id, side));
        if let settings::Rhythm::Every(every) = rhythm {
            self.timers.insert((next_beat(self.now, every), Timer::Beat(mapping)));
        }
        true
    }

    /// What waited is looked at again, and may go.
    pub(super) fn beat(&mut self, mapping: MappingIndex) {
        for (id, side) in self.rhythm.waiting.remove(&mapping).unwrap_or_default() {
            self.rhythm.let_go.insert((id, side));
            self.touch_or_load(id);
        }
    }
}

/// The next full multiple of a length of time: the same whoever counts, so a hub that starts anew keeps the rhythm.
fn next_beat(now: Timestamp, every: Duration) -> Timestamp {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let beats = now.as_millisecond().div_euclid(every).saturating_add(1);
    Timestamp::from_millisecond(beats.saturating_mul(every)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_full_multiples() {
        for (now, every, next) in [
            ("2026-11-22T08:00:00Z", 900, "2026-11-22T08:15:00Z"),
            ("2026-11-22T08:14:59.999Z", 900, "2026-11-22T08:15:00Z"),
            ("2026-11-22T08:15:00.001Z", 900, "2026-11-22T08:30:00Z"),
            ("2026-11-22T08:00:00.5Z", 1, "2026-11-22T08:00:01Z"),
            ("2026-11-22T08:00:00Z", u64::MAX, "9999-12-30T22:00:00.999999999Z"),
        ] {
            let next: Timestamp = next.parse().unwrap();
            assert_eq!(next_beat(now.parse().unwrap(), Duration::from_secs(every)), next, "{now} {every}");
        }
    }
}

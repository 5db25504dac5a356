//! What stops a loop and a mass delete: writes of a record, and deletes of a mapping, within a window of time.
//!
//! Successful ones count, too: a loop between two systems succeeds every time.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    time::Duration,
};

use jiff::Timestamp;

use super::{LinkId, MappingIndex};

/// Records that are remembered at once, in each of two generations.
const RECORDS: usize = 50_000;
/// Into how many parts the window of deletes is divided.
const PARTS: u32 = 60;

/// Counts writes and deletes. Its memory is bounded: where very many records are written within one window, those
/// that were written longest ago are forgotten, and a record in a loop is never one of them.
#[derive(Debug, Clone)]
pub struct Brake {
    writes: (u32, Duration),
    deletes: (u32, u64, Duration),
    /// When each record was written, in milliseconds, the oldest first.
    young: HashMap<LinkId, VecDeque<i64>>,
    old: HashMap<LinkId, VecDeque<i64>>,
    turned: Option<Timestamp>,
    deleted: HashMap<MappingIndex, Ring>,
}

impl Brake {
    /// More than `writes.0` writes of a record, or deletes of more than `deletes.0` percent and more than `deletes.1`
    /// records of a mapping, in so much time.
    pub fn new(writes: (u32, Duration), deletes: (u32, u64, Duration)) -> Self {
        Self { writes, deletes, young: HashMap::new(), old: HashMap::new(), turned: None, deleted: HashMap::new() }
    }

    /// Counts a write of a record. Whether it was one too many.
    pub fn note(&mut self, now: Timestamp, link: LinkId) -> bool {
        self.turn(now);
        let (limit, window) = self.writes;
        let (now, since) = (now.as_millisecond(), now.as_millisecond() - milliseconds(window));
        let mut times = self.young.remove(&link).or_else(|| self.old.remove(&link)).unwrap_or_default();
        while times.front().is_some_and(|time| *time <= since) {
            times.pop_front();
        }
        times.push_back(now);
        let tripped = times.len() > limit as usize;
        // One more than is allowed tells all that there is to tell.
        if tripped && times.len() > limit as usize + 1 {
            times.pop_front();
        }
        self.young.insert(link, times);
        tripped
    }

    /// Counts a delete of a record of a mapping that has so many records. Whether they are too many.
    pub fn note_delete(&mut self, now: Timestamp, mapping: MappingIndex, records: u64) -> bool {
        let (share, least, window) = self.deletes;
        let ring = self.deleted.entry(mapping).or_insert_with(|| Ring::new(window / PARTS, PARTS as usize));
        ring.add(now, 1);
        let deleted = ring.sum(now);
        deleted > least && u128::from(deleted) * 100 > u128::from(records) * u128::from(share)
    }

    /// A person let the record go on: its writes are counted anew.
    pub fn release(&mut self, link: LinkId) {
        self.young.remove(&link);
        self.old.remove(&link);
    }

    /// A person let the mapping go on: its deletes are counted anew.
    pub fn release_deletes(&mut self, mapping: MappingIndex) {
        self.deleted.remove(&mapping);
    }

    /// Forgets the older generation when the younger one is full, or a window old.
    fn turn(&mut self, now: Timestamp) {
        let turned = *self.turned.get_or_insert(now);
        let old = now.as_millisecond() - turned.as_millisecond() >= milliseconds(self.writes.1);
        if old || self.young.len() >= RECORDS {
            self.old = mem::take(&mut self.young);
            self.turned = Some(now);
        }
    }
}

/// A sum over a window of time that moves on in parts.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    part: i64,
    counts: VecDeque<u64>,
    /// The number of the newest part since the epoch.
    newest: i64,
}

impl Ring {
    pub(super) fn new(part: Duration, parts: usize) -> Self {
        Self { part: milliseconds(part).max(1), counts: VecDeque::from(vec![0; parts.max(1)]), newest: i64::MIN }
    }

    pub(super) fn add(&mut self, now: Timestamp, count: u64) {
        self.turn(now);
        if let Some(newest) = self.counts.back_mut() {
            *newest = newest.saturating_add(count);
        }
    }

    pub(super) fn sum(&self, now: Timestamp) -> u64 {
        self.parts(now).fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// The parts that still count, the oldest first, each with the moment at which it stops.
    pub(super) fn parts(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = (Timestamp, u64)> + '_ {
        let now = self.number(now);
        let length = i64::try_from(self.counts.len()).unwrap_or(i64::MAX);
        let oldest = self.newest.saturating_sub(length - 1);
        self.counts.iter().enumerate().filter_map(move |(place, count)| {
            let until = oldest.saturating_add(i64::try_from(place).ok()?).saturating_add(length);
            let ends = Timestamp::from_millisecond(until.saturating_mul(self.part)).unwrap_or(Timestamp::MAX);
            (until > now && *count > 0).then_some((ends, *count))
        })
    }

    fn number(&self, now: Timestamp) -> i64 {
        now.as_millisecond().div_euclid(self.part)
    }

    /// Makes the part of this moment the newest. A clock that goes back stays in the newest.
    fn turn(&mut self, now: Timestamp) {
        let number = self.number(now);
        if number <= self.newest {
            return;
        }
        // Before the first count everything is far behind.
        let steps = usize::try_from(number.saturating_sub(self.newest)).unwrap_or(usize::MAX);
        for _ in 0..steps.min(self.counts.len()) {
            self.counts.pop_front();
            self.counts.push_back(0);
        }
        self.newest = number;
    }
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn brake() -> Brake {
        Brake::new((20, WINDOW), (5, 100, WINDOW))
    }

    #[test]
    fn the_one_write_too_many_trips() {
        let mut brake = brake();
        let tripped: Vec<bool> = (0..22).map(|second| brake.note(at(second), 1)).collect();
        assert_eq!(tripped.iter().position(|tripped| *tripped), Some(20));
        assert!(tripped[21], "and so does the next");
        assert!(!brake.note(at(22), 2), "another record is another count");
        brake.release(1);
        assert!(!brake.note(at(23), 1));
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut brake = brake();
        for second in 0..200 {
            assert!(!brake.note(at(second * 30), 1), "20 in ten minutes, however long it goes on");
        }
        let mut brake = self::brake();
        assert!((0..200).any(|second| brake.note(at(second * 28), 1)), "21 in ten minutes");
    }

    #[test]
    fn a_loop_is_found_among_very_many_records() {
        let mut brake = brake();
        let mut tripped = false;
        for round in 0..25 {
            tripped |= brake.note(at(round), 0);
            for link in 0..10_000 {
                brake.note(at(round), 1 + round as u64 * 10_000 + link);
            }
        }
        assert!(tripped);
        assert!(brake.young.len() + brake.old.len() <= 2 * RECORDS + 1);
        let held: usize = brake.young.values().map(VecDeque::len).max().unwrap();
        assert!(held <= 22);
    }

    #[test]
    fn a_mass_delete_is_more_than_a_share_and_more_than_a_few() {
        for (records, deletes, expected) in [
            (10_000, 500, None),
            (10_000, 501, Some(501)),
            (1_000, 100, None),
            (1_000, 101, Some(101)),
            (50, 101, Some(101)),
            (0, 101, Some(101)),
        ] {
            let mut brake = brake();
            let tripped = (1..=deletes).find(|_| brake.note_delete(at(0), 0, records));
            assert_eq!(tripped, expected, "{deletes} of {records}");
        }
        let mut brake = brake();
        for second in 0..10_000 {
            assert!(!brake.note_delete(at(second * 10), 0, 1_000), "slowly deleted is not deleted at once");
        }
        assert!((0..101).any(|_| brake.note_delete(at(100_000), 0, 1_000)));
        assert!(!brake.note_delete(at(100_000), 1, 1_000), "another mapping is another count");
        brake.release_deletes(0);
        assert!(!brake.note_delete(at(100_000), 0, 1_000));
    }

    proptest! {
        /// The brake agrees with a list of all moments.
        #[test]
        fn it_counts_as_a_list_does(steps in prop::collection::vec((0i64..90, 0u64..3), 0..200)) {
            let mut brake = Brake::new((5, Duration::from_secs(60)), (5, 100, WINDOW));
            let mut all: Vec<(i64, u64)> = Vec::new();
            let mut now = 0;
            for (step, link) in steps {
                now += step / 10;
                all.push((now, link));
                let within = all.iter().filter(|(time, other)| *other == link && *time > now - 60).count();
                prop_assert_eq!(brake.note(at(now), link), within > 5);
            }
        }

        #[test]
        fn a_ring_sums_its_window(steps in prop::collection::vec((0i64..40, 0u64..9), 0..100)) {
            let mut ring = Ring::new(Duration::from_secs(10), 6);
            let mut all: Vec<(i64, u64)> = Vec::new();
            let mut now = 0;
            for (step, count) in steps {
                now += step;
                ring.add(at(now), count);
                all.push((now, count));
                let sum: u64 = all.iter().filter(|(time, _)| time / 10 > now / 10 - 6).map(|(_, count)| count).sum();
                prop_assert_eq!(ring.sum(at(now)), sum);
            }
        }

        #[test]
        fn no_clock_confuses_it(times in prop::collection::vec(any::<i32>(), 0..50)) {
            let mut brake = brake();
            for time in times {
                let now = Timestamp::from_second(i64::from(time) * 100).unwrap();
                brake.note(now, 1);
                brake.note_delete(now, 0, 10);
            }
        }
    }
}

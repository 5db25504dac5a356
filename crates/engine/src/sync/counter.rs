//! A sum that the hub owns: seeded from Salesforce's value, raised by events, written as an absolute value.
//!
//! An absolute value may be written twice without harm; a difference may not.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Canon, Stored};

/// Values written that Salesforce has not shown yet; older ones than these are surely overwritten.
const OPEN: usize = 32;

/// A sum in a field of one record. Put away together with the journal's place of the event that raised it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// Decimals of the field.
    scale: u8,
    /// Salesforce's value when the record was linked; none before.
    seed: Option<f64>,
    /// What the events add up to.
    added: f64,
    /// The value that Salesforce showed last.
    #[serde(default)]
    shown: Option<f64>,
    /// Values written and not shown yet, oldest first.
    #[serde(default)]
    open: VecDeque<f64>,
    /// Events that were added, and when.
    #[serde(default)]
    seen: BTreeMap<String, Timestamp>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    New,
    /// It had been added before.
    Repeated,
    /// It carries no number.
    NoNumber,
}

/// What a value in Salesforce means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// It is ours, or was there before.
    Known,
    /// Somebody else wrote it. The sum stands, and is written again.
    Foreign {
        /// What they wrote.
        value: f64,
        /// The sum that overwrites it.
        sum: f64,
    },
}

impl Counter {
    /// A counter of a field with so many decimals that was not read yet. Events are added from now on.
    pub fn new(scale: u8) -> Self {
        Self { scale, seed: None, added: 0.0, shown: None, open: VecDeque::new(), seen: BTreeMap::new() }
    }

    /// The record is linked, and its field shows this. Only the first time counts.
    pub fn seed(&mut self, value: &Stored) {
        if self.seed.is_none() {
            let value = self.number(value).unwrap_or_default();
            self.seed = Some(value);
            self.shown = Some(value);
        }
    }

    /// Adds an event, once.
    pub fn add(&mut self, now: Timestamp, event: &str, amount: &Stored) -> Added {
        if self.seen.contains_key(event) {
            return Added::Repeated;
        }
        let Some(amount) = self.number(amount) else { return Added::NoNumber };
        self.added = self.rounded(self.added + amount);
        self.seen.insert(event.to_owned(), now);
        Added::New
    }

    /// Forgets events that are older than this: they will not come again.
    pub fn forget(&mut self, now: Timestamp, kept: SignedDuration) {
        self.seen.retain(|_, added| now.duration_since(*added) <= kept);
    }

    /// The sum; none before the record is linked.
    pub fn sum(&self) -> Option<f64> {
        self.seed.map(|seed| self.rounded(seed + self.added))
    }

    /// The absolute value to write; none when it is there or on its way.
    pub fn to_write(&self) -> Option<f64> {
        let newest = self.open.back().copied().or(self.shown);
        self.sum().filter(|sum| newest != Some(*sum))
    }

    /// The value is about to be written.
    pub fn writing(&mut self, value: f64) {
        self.open.push_back(self.rounded(value));
        if self.open.len() > OPEN {
            self.open.pop_front();
        }
    }

    /// The value was refused, or certainly did not arrive.
    pub fn unwritten(&mut self, value: f64) {
        let value = self.rounded(value);
        if let Some(place) = self.open.iter().rposition(|open| *open == value) {
            self.open.remove(place);
        }
    }

    /// Salesforce shows this.
    pub fn shows(&mut self, value: &Stored) -> Shown {
        let value = self.number(value).unwrap_or_default();
        if let Some(place) = self.open.iter().position(|open| *open == value) {
            // What was written before it is overwritten.
            self.open.drain(..=place);
            self.shown = Some(value);
            return Shown::Known;
        }
        let known = self.shown == Some(value);
        self.shown = Some(value);
        match self.sum() {
            Some(sum) if !known && sum != value => Shown::Foreign { value, sum },
            _ => Shown::Known,
        }
    }

    /// A number of the field's decimals; nothing is nought.
    fn number(&self, value: &Stored) -> Option<f64> {
        match Canon::Decimal(self.scale).of(value) {
            Stored::Double(number) if number.is_finite() => Some(number),
            Stored::Null => Some(0.0),
            _ => None,
        }
    }

    fn rounded(&self, number: f64) -> f64 {
        self.number(&Stored::Double(number)).unwrap_or(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn d(number: f64) -> Stored {
        Stored::Double(number)
    }

    #[test]
    fn events_before_the_link_are_not_lost() {
        let mut counter = Counter::new(0);
        assert_eq!(counter.add(at(1), "a", &Stored::Int(2)), Added::New);
        assert_eq!((counter.sum(), counter.to_write()), (None, None));
        counter.seed(&d(10.0));
        counter.seed(&d(99.0));
        assert_eq!((counter.sum(), counter.to_write()), (Some(12.0), Some(12.0)));
    }

    #[test]
    fn an_event_counts_once() {
        let mut counter = Counter::new(2);
        counter.seed(&Stored::Null);
        assert_eq!(counter.add(at(1), "a", &d(0.1)), Added::New);
        assert_eq!(counter.add(at(2), "a", &d(0.1)), Added::Repeated);
        assert_eq!(counter.add(at(2), "b", &"0.2".into()), Added::New);
        assert_eq!(counter.add(at(2), "c", &"many".into()), Added::NoNumber);
        assert_eq!(counter.sum(), Some(0.3));
        counter.forget(at(3), SignedDuration::from_secs(1));
        assert_eq!(counter.add(at(3), "b", &d(1.0)), Added::Repeated, "kept for its second");
        assert_eq!(counter.add(at(3), "a", &d(1.0)), Added::New, "forgotten");
    }

    #[test]
    fn what_is_on_its_way_is_not_written_again() {
        let mut counter = Counter::new(0);
        counter.seed(&d(10.0));
        assert_eq!(counter.to_write(), None);
        counter.add(at(1), "a", &Stored::Int(1));
        counter.writing(11.0);
        assert_eq!(counter.to_write(), None);
        counter.add(at(2), "b", &Stored::Int(1));
        assert_eq!(counter.to_write(), Some(12.0));
        counter.writing(12.0);
        assert_eq!(counter.shows(&d(11.0)), Shown::Known);
        assert_eq!(counter.to_write(), None, "12 is still under way");
        assert_eq!(counter.shows(&d(12.0)), Shown::Known);
        assert_eq!(counter.to_write(), None);
        counter.add(at(3), "c", &Stored::Int(1));
        counter.writing(13.0);
        counter.unwritten(13.0);
        assert_eq!(counter.to_write(), Some(13.0));
    }

    #[test]
    fn a_foreign_edit_is_told_and_overwritten() {
        let mut counter = Counter::new(0);
        counter.seed(&d(10.0));
        counter.add(at(1), "a", &Stored::Int(1));
        counter.writing(11.0);
        assert_eq!(counter.shows(&d(500.0)), Shown::Foreign { value: 500.0, sum: 11.0 });
        assert_eq!(counter.shows(&d(500.0)), Shown::Known, "told once");
        assert_eq!(counter.shows(&d(11.0)), Shown::Known, "our write came after it");
        assert_eq!(counter.shows(&Stored::Null), Shown::Foreign { value: 0.0, sum: 11.0 });
        assert_eq!(counter.to_write(), Some(11.0));
        counter.writing(11.0);
        assert_eq!(counter.shows(&Stored::Int(11)), Shown::Known);
    }

    #[test]
    fn it_is_put_away_and_goes_on() {
        let mut counter = Counter::new(2);
        counter.seed(&d(1.5));
        counter.add(at(1), "a", &d(0.25));
        counter.writing(1.75);
        let again: Counter = serde_json::from_str(&serde_json::to_string(&counter).unwrap()).unwrap();
        assert_eq!(again, counter);
    }

    proptest! {
        /// Repetitions and order change nothing.
        #[test]
        fn the_sum_is_of_each_event_once(events in prop::collection::vec((0u32..20, -500i64..500), 0..60)) {
            let mut counter = Counter::new(2);
            counter.seed(&Stored::Int(3));
            let mut once = BTreeMap::new();
            for (event, cents) in &events {
                counter.add(at(0), &event.to_string(), &d(*cents as f64 / 100.0));
                once.entry(event).or_insert(*cents);
            }
            let cents: i64 = once.values().sum();
            prop_assert_eq!(counter.sum(), Some((300 + cents) as f64 / 100.0));
        }
    }
}

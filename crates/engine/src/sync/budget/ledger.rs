//! The calls of an org that were taken in the last day, by every shard that works with it: what the state store keeps,
//! so that several processes share one allowance and a restart forgets nothing.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{allowed, kept};
use crate::sync::Class;

/// A quarter of an hour: how finely use is remembered.
pub(super) const PART: Duration = Duration::from_secs(15 * 60);
/// Salesforce counts over 24 hours. A block that was taken is spent a little later, so that it counts a little longer.
const PARTS: i64 = 98;
const PARTS_OF_A_DAY: i64 = 96;

/// Calls that a shard asks for, and what it has to say of those it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Of this connection's org.
    pub connection: String,
    /// When.
    pub at: Timestamp,
    /// So many, or fewer if there are no more.
    pub calls: u64,
    /// So many were made already and never asked for.
    pub owed: u64,
    /// So many are given back, of those that were given at this time.
    pub back: Option<(Timestamp, u64)>,
    /// What the org told that everybody may call in a day, if it did.
    pub limit: Option<u64>,
    /// How much of that is ours, and how much of ours is kept for what is live, in percent.
    pub budget: (u32, u32),
    /// For what.
    pub class: Class,
}

/// What was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reserved {
    /// So many calls.
    pub given: u64,
    /// So many are taken now, by all shards, these included.
    pub used: u64,
    /// What the org told last that everybody may call in a day, whoever it told.
    pub limit: Option<u64>,
}

/// What was taken of one org.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// What the org told last that everybody may call in a day.
    pub limit: Option<u64>,
    /// How many calls were taken in which quarter of an hour since 1970.
    pub parts: BTreeMap<i64, u64>,
}

/// How a budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Our calls in the last 24 hours, of all shards.
    pub used: u64,
    /// How many we may make in 24 hours; none as long as the org has not told its limit.
    pub allowed: Option<u64>,
    /// Our calls in the last hour.
    pub hourly: u64,
    /// When they run out, if it goes on like this.
    pub exhausted: Option<Timestamp>,
}

impl Ledger {
    /// The number of the quarter of an hour that a moment is in.
    pub fn part(at: Timestamp) -> i64 {
        at.as_second().div_euclid(PART.as_secs().cast_signed())
    }

    /// The oldest part that counts at a moment.
    pub fn oldest(at: Timestamp) -> i64 {
        Self::part(at) - PARTS + 1
    }

    /// Takes back, notes what was made, and gives what there is. As long as nobody knows the org's limit, everything
    /// is given.
    pub fn reserve(&mut self, ask: &Reservation) -> Reserved {
        let oldest = Self::oldest(ask.at);
        self.parts.retain(|part, _| *part >= oldest);
        if let Some((at, calls)) = ask.back
            && let Some(count) = self.parts.get_mut(&Self::part(at))
        {
            *count = count.saturating_sub(calls);
        }
        self.limit = ask.limit.or(self.limit);
        let used = self.used(ask.at).saturating_add(ask.owed);
        let given = self.limit.map_or(ask.calls, |limit| {
            let bound = allowed(limit, ask.budget).saturating_sub(kept(limit, ask.budget, ask.class));
            ask.calls.min(bound.saturating_sub(used))
        });
        if given + ask.owed > 0 {
            let count = self.parts.entry(Self::part(ask.at)).or_default();
            *count = count.saturating_add(given).saturating_add(ask.owed);
        }
        Reserved { given, used: used.saturating_add(given), limit: self.limit }
    }

    /// How many calls count as made.
    pub fn used(&self, at: Timestamp) -> u64 {
        self.since(Self::oldest(at))
    }

    /// How it stands, and when it runs out.
    pub fn forecast(&self, now: Timestamp, budget: (u32, u32)) -> Forecast {
        let hourly = self.since(Self::part(now) - 3);
        let used = self.since(Self::part(now) - PARTS_OF_A_DAY + 1);
        let allowed = self.limit.map(|limit| allowed(limit, budget));
        let exhausted = allowed.and_then(|allowed| self.exhausted(now, allowed, hourly));
        Forecast { used, allowed, hourly, exhausted }
    }

    fn since(&self, part: i64) -> u64 {
        self.parts.range(part..).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The first moment at which the calls of the last hour, going on, and what is not a day old fill the allowance.
    fn exhausted(&self, now: Timestamp, allowed: u64, hourly: u64) -> Option<Timestamp> {
        (0..=PARTS_OF_A_DAY).find_map(|part| {
            let still = self.since(Self::part(now) - PARTS_OF_A_DAY + 1 + part);
            let then = now.checked_add(SignedDuration::try_from(PART).ok()? * i32::try_from(part).ok()?).ok()?;
            (still.saturating_add(hourly.saturating_mul(part.unsigned_abs()) / 4) >= allowed).then_some(then)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn ask(minute: i64, calls: u64, class: Class) -> Reservation {
        Reservation {
            connection: "crm".to_owned(),
            at: at(minute),
            calls,
            owed: 0,
            back: None,
            limit: Some(100_000),
            budget: (50, 20),
            class,
        }
    }

    #[test]
    fn whoever_asks_gets_what_there_is() {
        let mut ledger = Ledger::default();
        let unknown = Reservation { limit: None, ..ask(0, 60_000, Class::Live) };
        assert_eq!(ledger.reserve(&unknown), Reserved { given: 60_000, used: 60_000, limit: None });
        let mut ledger = Ledger::default();
        for (calls, class, given, used) in [
            (30_000, Class::Backfill, 30_000, 30_000),
            (30_000, Class::Backfill, 5_000, 35_000),
            (10_000, Class::Reconcile, 5_000, 40_000),
            (10_000, Class::Live, 9_000, 49_000),
            (10_000, Class::Interactive, 1_000, 50_000),
            (10_000, Class::Interactive, 0, 50_000),
        ] {
            assert_eq!(
                ledger.reserve(&ask(1, calls, class)),
                Reserved { given, used, limit: Some(100_000) },
                "{class:?}"
            );
        }
        // What was made counts, whether there was room for it or not.
        let owed = Reservation { owed: 7, ..ask(2, 1, Class::Live) };
        assert_eq!(ledger.reserve(&owed), Reserved { given: 0, used: 50_007, limit: Some(100_000) });
        // Somebody who was told no limit yet is held to what others were told.
        assert_eq!(ledger.reserve(&Reservation { limit: None, ..ask(2, 1, Class::Live) }).given, 0);
    }

    #[test]
    fn what_is_given_back_is_there_again() {
        let mut ledger = Ledger::default();
        ledger.reserve(&ask(0, 100, Class::Live));
        ledger.reserve(&ask(16, 100, Class::Live));
        let back = Reservation { back: Some((at(0), 60)), ..ask(17, 0, Class::Live) };
        assert_eq!(ledger.reserve(&back).used, 140);
        let forged = Reservation { back: Some((at(0), 60)), ..ask(17, 0, Class::Live) };
        assert_eq!(ledger.reserve(&forged).used, 100, "never more than was taken then");
    }

    #[test]
    fn calls_come_back_after_a_day() {
        let mut ledger = Ledger::default();
        ledger.reserve(&ask(0, 100_000, Class::Live));
        assert_eq!(ledger.reserve(&ask(24 * 60 + 14, 1, Class::Live)).given, 0);
        assert_eq!(ledger.reserve(&ask(24 * 60 + 31, 1, Class::Live)).given, 1);
    }

    #[test]
    fn the_end_is_foretold() {
        let mut ledger = Ledger::default();
        let nothing = Forecast { used: 0, allowed: None, hourly: 0, exhausted: None };
        assert_eq!(ledger.forecast(at(0), (50, 20)), nothing);
        for quarter in 0..8 {
            ledger.reserve(&ask(quarter * 15, 1_250, Class::Live));
        }
        let forecast = ledger.forecast(at(119), (50, 20));
        assert_eq!((forecast.used, forecast.allowed, forecast.hourly), (10_000, Some(50_000), 5_000));
        let exhausted = forecast.exhausted.unwrap();
        assert!((at(119 + 8 * 60 - 15)..=at(119 + 8 * 60 + 15)).contains(&exhausted), "{exhausted}");
        let mut slow = Ledger::default();
        slow.reserve(&ask(0, 2_000, Class::Live));
        assert_eq!(slow.forecast(at(1), (50, 20)).exhausted, None, "2,000 an hour are 48,000 a day");
    }
}

//! How much of an org's daily allocations may be used, and by whom: API calls, and events delivered.
//!
//! Salesforce counts both over the last 24 hours. What the org tells in its answers is everybody's use; what is
//! counted here is ours.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Class, brake::Ring};

/// A quarter of an hour: how finely our own use is remembered, and how long a figure of the org holds.
const PART: Duration = Duration::from_secs(15 * 60);
const PARTS: usize = 96;
const HELD: SignedDuration = SignedDuration::from_mins(15);
/// Below so many percent of its allocation left, events are asked for instead of delivered; above so many no more.
const EVENTS_LEFT: (u64, u64) = (5, 15);

/// The daily allocations of one org.
#[derive(Debug, Clone)]
pub struct Budget {
    share: u32,
    reserve: u32,
    ours: Ring,
    org: Option<Reading>,
    events: Option<Reading>,
    polling: bool,
}

/// What the org told, and what was added since.
#[derive(Debug, Clone, Copy)]
struct Reading {
    used: u64,
    limit: u64,
    at: Timestamp,
}

impl Reading {
    const fn left(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// Whether calls may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// They may.
    Allowed,
    /// Not before this moment.
    Wait(Timestamp),
}

/// How the budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Our calls in the last 24 hours.
    pub used: u64,
    /// How many we may make in 24 hours; none as long as the org has not told its limit.
    pub allowed: Option<u64>,
    /// Our calls in the last hour.
    pub hourly: u64,
    /// When they run out, if it goes on like this.
    pub exhausted: Option<Timestamp>,
}

impl Budget {
    /// So many percent of an org's calls are ours, and so many percent of these are kept for what is live.
    pub fn new(share: u32, reserve: u32) -> Self {
        Self {
            share: share.min(100),
            reserve: reserve.min(100),
            ours: Ring::new(PART, PARTS),
            org: None,
            events: None,
            polling: false,
        }
    }

    /// The org told how many calls everybody made in 24 hours, and how many they may.
    pub fn usage(&mut self, now: Timestamp, used: u64, limit: u64) {
        self.org = Some(Reading { used, limit, at: now });
    }

    /// Counts calls of ours.
    pub fn spend(&mut self, now: Timestamp, _class: Class, calls: u64) {
        self.ours.add(now, calls);
        if let Some(org) = &mut self.org {
            org.used = org.used.saturating_add(calls);
        }
    }

    /// Whether so many calls may be made now. As long as the org has not told its limit, they may.
    pub fn allows(&self, now: Timestamp, class: Class, calls: u64) -> Allowance {
        let Some(org) = self.org else { return Allowance::Allowed };
        let kept = self.kept(class, org.limit);
        // What the org told grows old: others' calls are forgotten by it, and nobody tells as long as nobody asks.
        if now.duration_since(org.at) < HELD && org.left() < calls.saturating_add(kept) {
            return Allowance::Wait(org.at.saturating_add(HELD).unwrap_or(Timestamp::MAX));
        }
        let mut excess =
            self.ours.sum(now).saturating_add(calls).saturating_add(kept).saturating_sub(self.allowed(org));
        if excess == 0 {
            return Allowance::Allowed;
        }
        // It fits when enough of our calls are older than a day; what never fits is asked again in a day.
        for (ends, count) in self.ours.parts(now) {
            excess = excess.saturating_sub(count);
            if excess == 0 {
                return Allowance::Wait(ends);
            }
        }
        Allowance::Wait(now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX))
    }

    /// How it stands, and when it runs out.
    pub fn forecast(&self, now: Timestamp) -> Forecast {
        let used = self.ours.sum(now);
        let hour = now.saturating_add(SignedDuration::from_hours(23)).unwrap_or(Timestamp::MAX);
        let hourly: u64 = self.ours.parts(now).filter(|(ends, _)| *ends > hour).map(|(_, count)| count).sum();
        let allowed = self.org.map(|org| self.allowed(org));
        let exhausted = allowed.and_then(|allowed| self.exhausted(now, allowed, hourly));
        Forecast { used, allowed, hourly, exhausted }
    }

    /// The org told how many events were delivered in 24 hours, and how many may be.
    pub fn events(&mut self, now: Timestamp, used: u64, limit: u64) {
        self.events = Some(Reading { used, limit, at: now });
        self.decide_polling();
    }

    /// Events were delivered to us.
    pub fn heard(&mut self, count: u64) {
        if let Some(events) = &mut self.events {
            events.used = events.used.saturating_add(count);
        }
        self.decide_polling();
    }

    /// Whether changes are asked for, because the allocation of events is about to run out. What stands behind it is
    /// not asked back at once: it would run out again.
    pub const fn should_poll(&self) -> bool {
        self.polling
    }

    fn decide_polling(&mut self) {
        let Some(events) = self.events else { return };
        let left = |percent: u64| u128::from(events.limit) * u128::from(percent) / 100;
        let bound = if self.polling { left(EVENTS_LEFT.1) } else { left(EVENTS_LEFT.0) };
        self.polling = u128::from(events.left()) < bound.max(1);
    }

    /// Our share of the org's calls.
    fn allowed(&self, org: Reading) -> u64 {
        percent(org.limit, self.share)
    }

    /// What a class leaves to those above it.
    fn kept(&self, class: Class, limit: u64) -> u64 {
        let reserve = percent(percent(limit, self.share), self.reserve);
        match class {
            Class::Interactive => 0,
            Class::Live => reserve / 10,
            Class::Reconcile => reserve,
            Class::Backfill => reserve.saturating_add(reserve / 2),
        }
    }

    /// The first moment at which the calls of the last hour, going on, and what is not a day old fill the allowance.
    fn exhausted(&self, now: Timestamp, allowed: u64, hourly: u64) -> Option<Timestamp> {
        (0..=PARTS as u64).find_map(|part| {
            let then = now.saturating_add(HELD * i32::try_from(part).ok()?).ok()?;
            let still: u64 = self.ours.parts(now).filter(|(ends, _)| *ends > then).map(|(_, count)| count).sum();
            (still + hourly * part / 4 >= allowed).then_some(then)
        })
    }
}

fn percent(of: u64, percent: u32) -> u64 {
    u64::try_from(u128::from(of) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLASSES: [Class; 4] = [Class::Interactive, Class::Live, Class::Reconcile, Class::Backfill];

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn allowed(budget: &Budget, minute: i64) -> [bool; 4] {
        CLASSES.map(|class| budget.allows(at(minute), class, 1) == Allowance::Allowed)
    }

    /// Half of 100,000 calls, a fifth of them in reserve: 50,000 and 10,000.
    fn budget() -> Budget {
        let mut budget = Budget::new(50, 20);
        budget.usage(at(0), 0, 100_000);
        budget
    }

    #[test]
    fn the_less_urgent_stops_first() {
        for (used, expected) in [
            (0, [true, true, true, true]),
            (34_999, [true, true, true, true]),
            (35_000, [true, true, true, false]),
            (40_000, [true, true, false, false]),
            (49_000, [true, false, false, false]),
            (50_000, [false, false, false, false]),
        ] {
            let mut budget = budget();
            budget.spend(at(1), Class::Live, used);
            assert_eq!(allowed(&budget, 2), expected, "{used}");
        }
    }

    #[test]
    fn without_a_limit_everything_may_be_asked() {
        let mut budget = Budget::new(50, 20);
        budget.spend(at(0), Class::Backfill, 1_000_000);
        assert_eq!(allowed(&budget, 0), [true; 4]);
        assert_eq!(budget.forecast(at(0)).allowed, None);
    }

    #[test]
    fn what_others_use_is_not_there_for_us() {
        let mut budget = budget();
        budget.usage(at(0), 99_500, 100_000);
        assert_eq!(allowed(&budget, 1), [true, false, false, false]);
        assert_eq!(budget.allows(at(1), Class::Live, 1), Allowance::Wait(at(15)));
        // Nobody tells as long as nobody asks: an old figure is tried out.
        assert_eq!(allowed(&budget, 15), [true; 4]);
        budget.usage(at(15), 100_000, 100_000);
        assert_eq!(allowed(&budget, 15), [false; 4]);
    }

    #[test]
    fn calls_come_back_after_a_day() {
        let mut budget = budget();
        budget.spend(at(0), Class::Live, 20_000);
        budget.spend(at(60), Class::Live, 25_000);
        let Allowance::Wait(until) = budget.allows(at(61), Class::Backfill, 1_000) else { panic!("too much") };
        assert!(until > at(24 * 60 - 1) && until <= at(24 * 60 + 15), "{until}");
        budget.usage(until, 45_000, 100_000);
        assert_eq!(budget.allows(until, Class::Backfill, 1_000), Allowance::Allowed);
        assert!(
            matches!(budget.allows(at(61), Class::Backfill, 60_000), Allowance::Wait(_)),
            "never fits, and says so"
        );
    }

    #[test]
    fn the_end_is_foretold() {
        let mut budget = budget();
        assert_eq!(budget.forecast(at(0)), Forecast { used: 0, allowed: Some(50_000), hourly: 0, exhausted: None });
        for quarter in 0..8 {
            budget.spend(at(quarter * 15), Class::Live, 1_250);
        }
        let forecast = budget.forecast(at(119));
        assert_eq!((forecast.used, forecast.hourly), (10_000, 5_000));
        let exhausted = forecast.exhausted.unwrap();
        assert!((at(119 + 8 * 60 - 15)..=at(119 + 8 * 60 + 15)).contains(&exhausted), "{exhausted}");
        let mut slow = self::budget();
        slow.spend(at(0), Class::Live, 2_000);
        assert_eq!(slow.forecast(at(1)).exhausted, None, "2,000 an hour are 48,000 a day");
    }

    #[test]
    fn changes_are_asked_for_before_the_events_run_out() {
        let mut budget = budget();
        assert!(!budget.should_poll());
        budget.heard(1_000_000);
        assert!(!budget.should_poll(), "no allocation is known");
        budget.events(at(0), 23_000, 25_000);
        assert!(!budget.should_poll());
        budget.heard(751);
        assert!(budget.should_poll(), "below 5 %");
        budget.events(at(60), 22_000, 25_000);
        assert!(budget.should_poll(), "12 % are not enough to go back");
        budget.events(at(120), 20_000, 25_000);
        assert!(!budget.should_poll());
        budget.events(at(120), 0, 0);
        assert!(budget.should_poll(), "an org without events");
    }

    proptest! {
        /// Whatever is asked and told: within a day no more is spent than our share, and waiting helps.
        #[test]
        fn the_share_is_kept(steps in prop::collection::vec((0i64..300, 0usize..4, 1u64..3_000), 0..200)) {
            let mut budget = budget();
            let mut spent: Vec<(Timestamp, u64)> = Vec::new();
            let mut minute = 0;
            for (step, class, calls) in steps {
                minute += step;
                let now = at(minute);
                match budget.allows(now, CLASSES[class], calls) {
                    Allowance::Allowed => {
                        budget.spend(now, CLASSES[class], calls);
                        spent.push((now, calls));
                    }
                    Allowance::Wait(until) => prop_assert!(until > now),
                }
                let day = now - SignedDuration::from_hours(24) + HELD;
                let today: u64 = spent.iter().filter(|(time, _)| *time > day).map(|(_, calls)| calls).sum();
                prop_assert!(today <= 50_000);
            }
        }
    }
}

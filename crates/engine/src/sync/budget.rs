//! How much of an org's daily allocations may be used, and by whom: API calls, and events delivered.
//!
//! Salesforce counts both over the last 24 hours. What the org tells in its answers is everybody's use. What is ours is
//! kept in the state store, in a [`Ledger`] that all shards of an org share: a shard takes a block of calls from it,
//! spends them, and takes the next. What it has left it gives back when it is a quarter of an hour old, or when it
//! ends; of a process that is killed, one block counts as spent.

mod ledger;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub use self::ledger::{Forecast, Ledger, Reservation, Reserved};
use super::Class;

/// How long a figure of the org or of the ledger holds, and a block.
const HELD: SignedDuration = SignedDuration::from_mins(15);
/// A block is one part of this of our share, and at most so many calls.
const BLOCKS: u64 = 500;
const LARGEST: u64 = 100;
/// A block before the org's limit is known.
const FIRST: u64 = 10;
/// Below so many percent of its allocation left, events are asked for instead of delivered; above so many no more.
const EVENTS_LEFT: (u64, u64) = (5, 15);

/// The daily allocations of one org, as one shard has them.
#[derive(Debug, Clone)]
pub struct Budget {
    budget: (u32, u32),
    limit: Option<u64>,
    org: Option<Reading>,
    /// What all shards have taken, and when that was told.
    taken: Option<(u64, Timestamp)>,
    /// What is left of the block.
    left: u64,
    /// Calls that were made and not taken before.
    owed: u64,
    /// The ledger was asked and has not answered.
    asked: bool,
    /// Until when others wait for that.
    waits: BTreeSet<Timestamp>,
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
    /// The ledger has to be asked for them first.
    Ask,
    /// Not before this moment.
    Wait(Timestamp),
}

impl Budget {
    /// So many percent of an org's calls are ours, and so many percent of these are kept for what is live.
    pub fn new((share, reserve): (u32, u32)) -> Self {
        Self {
            budget: (share.min(100), reserve.min(100)),
            limit: None,
            org: None,
            taken: None,
            left: 0,
            owed: 0,
            asked: false,
            waits: BTreeSet::new(),
            events: None,
            polling: false,
        }
    }

    /// The org told how many calls everybody made in 24 hours, and how many they may.
    pub fn usage(&mut self, now: Timestamp, used: u64, limit: u64) {
        self.org = Some(Reading { used, limit, at: now });
        self.limit = Some(limit);
    }

    /// Counts calls of ours.
    pub fn spend(&mut self, calls: u64) {
        let more = calls.saturating_sub(self.left);
        self.left -= calls - more;
        self.owed = self.owed.saturating_add(more);
        if let Some(org) = &mut self.org {
            org.used = org.used.saturating_add(calls);
        }
    }

    /// Whether so many calls may be made now.
    pub fn allows(&self, now: Timestamp, class: Class, calls: u64) -> Allowance {
        let kept = self.limit.map_or(0, |limit| kept(limit, self.budget, class));
        // What the org told grows old: others' calls are forgotten by it, and nobody tells as long as nobody asks.
        if let Some(org) = self.org
            && now.duration_since(org.at) < HELD
            && org.left() < calls.saturating_add(kept)
        {
            return Allowance::Wait(later(org.at));
        }
        // So does what the ledger told.
        let Some((taken, at)) = self.taken.filter(|(_, at)| now.duration_since(*at) < HELD) else {
            return Allowance::Ask;
        };
        let spent = taken.saturating_sub(self.left).saturating_add(self.owed);
        if self.limit.is_some_and(|limit| spent.saturating_add(calls + kept) > allowed(limit, self.budget)) {
            return Allowance::Wait(later(at));
        }
        if self.left >= calls { Allowance::Allowed } else { Allowance::Ask }
    }

    /// What to ask the ledger for, unless it is asked already. A block that grew old is given back.
    pub fn reserve(&mut self, now: Timestamp, class: Class, connection: &str) -> Option<Reservation> {
        if self.asked {
            return None;
        }
        self.asked = true;
        let block = self.block();
        Some(Reservation { calls: block, ..self.settle(now, class, connection) })
    }

    /// Whether the next block is to be asked for while something is left of this one.
    pub fn runs_low(&self, now: Timestamp, class: Class) -> bool {
        !self.asked && self.left < self.block() / 4 && !matches!(self.allows(now, class, 1), Allowance::Wait(_))
    }

    /// What is left and owed, for the ledger.
    pub fn settle(&mut self, now: Timestamp, class: Class, connection: &str) -> Reservation {
        let at = self.taken.map(|(_, at)| at);
        let old = at.filter(|at| self.left > 0 && now.duration_since(*at) >= HELD);
        let back = old.map(|at| (at, std::mem::take(&mut self.left)));
        Reservation {
            connection: connection.to_owned(),
            at: now,
            calls: 0,
            owed: std::mem::take(&mut self.owed),
            back,
            limit: self.limit,
            budget: self.budget,
            class,
        }
    }

    /// Everything that is left goes back, at the end. None if there is nothing to tell.
    pub fn surrender(&mut self, now: Timestamp, connection: &str) -> Option<Reservation> {
        let left = std::mem::take(&mut self.left);
        let back = self.taken.map(|(_, at)| (at, left)).filter(|(_, left)| *left > 0);
        let settled = self.settle(now, Class::Live, connection);
        (back.is_some() || settled.owed > 0).then_some(Reservation { back, ..settled })
    }

    /// The ledger answered. Until when others had waited for that.
    pub fn reserved(&mut self, now: Timestamp, reserved: Reserved) -> BTreeSet<Timestamp> {
        let paid = self.owed.min(reserved.given);
        self.owed -= paid;
        self.left = self.left.saturating_add(reserved.given - paid);
        self.taken = Some((reserved.used, now));
        self.limit = self.limit.or(reserved.limit);
        self.asked = false;
        std::mem::take(&mut self.waits)
    }

    /// Something waits for the ledger's answer, until this moment at most.
    pub fn waits(&mut self, until: Timestamp) {
        self.waits.insert(until);
    }

    /// The org told how many events were delivered in 24 hours, and how many may be.
    pub fn events(&mut self, now: Timestamp, used: u64, limit: u64) {
        self.events = Some(Reading { used, limit, at: now });
        self.decide_polling();
    }

    /// Whether changes are to be asked for, because the allocation of events is about to run out. What stands behind it
    /// is not asked back at once: it would run out again.
    pub const fn should_poll(&self) -> bool {
        self.polling
    }

    fn decide_polling(&mut self) {
        let Some(events) = self.events else { return };
        let left = |percent: u64| u128::from(events.limit) * u128::from(percent) / 100;
        let bound = if self.polling { left(EVENTS_LEFT.1) } else { left(EVENTS_LEFT.0) };
        self.polling = u128::from(events.left()) < bound.max(1);
    }

    fn block(&self) -> u64 {
        self.limit.map_or(FIRST, |limit| (allowed(limit, self.budget) / BLOCKS).clamp(1, LARGEST))
    }
}

/// When a figure is asked for again.
fn later(at: Timestamp) -> Timestamp {
    at.saturating_add(HELD).unwrap_or(Timestamp::MAX)
}

/// Our share of the org's calls.
fn allowed(limit: u64, (share, _): (u32, u32)) -> u64 {
    percent(limit, share)
}

/// What a class leaves to those above it.
fn kept(limit: u64, budget: (u32, u32), class: Class) -> u64 {
    let reserve = percent(allowed(limit, budget), budget.1);
    match class {
        Class::Interactive => 0,
        Class::Live => reserve / 10,
        Class::Reconcile => reserve,
        Class::Backfill => reserve.saturating_add(reserve / 2),
    }
}

fn percent(of: u64, percent: u32) -> u64 {
    u64::try_from(u128::from(of) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

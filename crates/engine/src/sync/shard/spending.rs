//! Calls that are counted: whether one more may be made, and taking the next block from the ledger that all shards of
//! an org share.

use jiff::{SignedDuration, Timestamp};

use super::{Shard, Timer};
use crate::sync::{Allowance, Budget, Class, Effect, Mutation, Reservation, Reserved};

/// How long the ledger's answer is waited for before one looks again: its coming wakes whoever waits.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

impl Shard {
    pub(super) fn budget(&mut self, connection: &str) -> &mut Budget {
        let budget = self.settings.budget;
        self.budgets.entry(connection.to_owned()).or_insert_with(|| Budget::new(budget))
    }

    fn is_budgeted(&self, connection: &str) -> bool {
        self.plan.connections.get(connection).is_some_and(|limits| limits.budgeted)
    }

    /// Until when no call of this class may be made to a connection, if none may be made now.
    pub(super) fn spent_until(&mut self, connection: &str, class: Class) -> Option<Timestamp> {
        if !self.is_budgeted(connection) || self.settings.faulty(Mutation::NoLedger) {
            return None;
        }
        let now = self.now;
        let soon = now.checked_add(PATIENCE).unwrap_or(Timestamp::MAX);
        match self.budget(connection).allows(now, class, 1) {
            Allowance::Allowed => None,
            Allowance::Wait(until) => Some(until.max(soon)),
            Allowance::Ask => {
                self.reserve(connection, class);
                self.budget(connection).waits(soon);
                Some(soon)
            }
        }
    }

    /// A call is about to be made.
    pub(super) fn spend(&mut self, connection: &str, class: Class) {
        if !self.is_budgeted(connection) {
            return;
        }
        let now = self.now;
        let budget = self.budget(connection);
        budget.spend(1);
        if budget.runs_low(now, class) {
            self.reserve(connection, class);
        }
    }

    fn reserve(&mut self, connection: &str, class: Class) {
        let now = self.now;
        let ask = self.budget(connection).reserve(now, class, connection);
        self.effects.extend(ask.map(Effect::Reserve));
    }

    /// Calls were given: what waited for them goes on at once.
    pub(super) fn reserved(&mut self, connection: &str, reserved: Reserved) {
        let now = self.now;
        let waited = self.budget(connection).reserved(now, reserved);
        let is_for_calls = |timer: &Timer| matches!(timer, Timer::Link(_) | Timer::Lane(_) | Timer::Job(_));
        let due = |(at, timer): &(Timestamp, Timer)| waited.contains(at) && is_for_calls(timer);
        let due: Vec<(Timestamp, Timer)> = self.timers.extract_if(.., due).collect();
        self.timers.extend(due.into_iter().map(|(_, timer)| (now, timer)));
    }

    /// At the end: what was taken from the ledgers and not spent.
    pub fn surrender(&mut self) -> Vec<Reservation> {
        let now = self.now;
        self.budgets.iter_mut().filter_map(|(connection, budget)| budget.surrender(now, connection)).collect()
    }

    /// Whether an org is about to deliver no more events for the day.
    pub fn runs_out_of_events(&self, connection: &str) -> bool {
        self.budgets.get(connection).is_some_and(Budget::should_poll)
    }
}

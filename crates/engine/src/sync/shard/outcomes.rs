//! What became of batches.

use super::{Shard, Timer, cache::Lookup};
use crate::sync::{Key, LinkId, Outcome, Refusal, Reread, Side, Tag, record::Next};

impl Shard {
    /// Takes in what became of each write of a batch.
    pub(super) fn written(&mut self, tag: Tag, outcomes: Vec<Outcome>) {
        let Some((connection, links)) = self.batches.remove(&tag) else { return };
        let lane = self.lane(&connection);
        lane.flying = lane.flying.saturating_sub(1);
        let missing = std::iter::repeat(Outcome::Unknown);
        for ((id, side), outcome) in links.into_iter().zip(outcomes.into_iter().chain(missing)) {
            self.outcome(id, side, tag, outcome);
        }
        self.release_deferred();
    }

    fn outcome(&mut self, id: LinkId, side: Side, tag: Tag, outcome: Outcome) {
        let shard = self.number;
        let Some(link) = self.cache.get(id) else { return };
        let (mapping, was_half) = (link.mapping, link.is_half());
        let outcome = self.halting(mapping, side, outcome);
        self.lose(mapping, side, &outcome);
        let outcome = self.made_before(id, mapping, side, was_half, outcome);
        let flight = self.cache.get(id).and_then(|link| link.flight[side].as_ref());
        let operation = flight.map(|flight| (flight.operation_id.clone(), !flight.before.is_empty()));
        let settled = !matches!(outcome, Outcome::Unknown);
        let refused = matches!(outcome, Outcome::Moved { .. }) && self.needs.tries.contains_key(&id);
        if matches!(outcome, Outcome::Moved { .. }) {
            self.needs.tries.entry(id).or_insert(0);
        }
        let parent = self.parent_shown(id, side, &outcome);
        let Some(next) = self.with(id, |link, scope| link.answered(scope, side, tag, outcome, shard)) else { return };
        // A row that was asked for while it was under way may show what was there before it.
        self.cache.not_before(id, side, self.writes_left);
        if let Some((operation, again)) = operation.filter(|_| settled)
            && self.mapping(mapping).ends[side].style == crate::sync::Style::Compared
        {
            let connection = self.mapping(mapping).ends[side].connection.clone();
            if again {
                // An earlier sending may still land: its mark has to be there then.
                self.at(self.settings.landing, Timer::Operation(connection, operation));
            } else {
                self.transaction.operations.push((connection, operation));
            }
        }
        if let Some((key, changed)) = parent {
            self.fan_out_row(mapping, &key, &changed);
        }
        if next == Next::Go && !refused {
            self.needs.tries.remove(&id);
        }
        match next {
            // One that is refused again and again is not asked for at once.
            Next::Go if refused => self.later(id, None),
            Next::Go => {}
            Next::FindOut => {
                let retry = self.settings.retry;
                self.at(retry, Timer::Link(id));
                self.touched.remove(&id);
            }
            Next::Later(at) => self.later(id, at),
            Next::Duplicate(key) => self.duplicate(id, side, key),
        }
        self.schedule(id);
        if was_half && self.cache.get(id).is_some_and(|link| !link.is_half()) {
            self.with(id, |link, _| link.unmatched = false);
            self.linked(id);
        }
    }

    /// What the row that a refused write found shows anew: children may show it, too.
    fn parent_shown(&mut self, id: LinkId, side: Side, outcome: &Outcome) -> Option<(Key, Vec<String>)> {
        let Outcome::Moved { row: Some(row), .. } = outcome else { return None };
        let changed = self.look(id, |link, scope| link.changed_by(scope, side, row)).unwrap_or_default();
        (side == Side::Left && !changed.is_empty()).then(|| (row.key.clone(), changed))
    }

    /// The change that told of the new record may have come first and made a link of its own.
    fn made_before(&mut self, id: LinkId, mapping: usize, side: Side, was_half: bool, outcome: Outcome) -> Outcome {
        let (Outcome::Done { key, .. } | Outcome::AlreadyDone { key }) = &outcome else { return outcome };
        let Lookup::Link(other) = self.cache.lookup(mapping, side, key) else { return outcome };
        if !was_half || other == id {
            return outcome;
        }
        if self.cache.get(other).is_some_and(crate::sync::Link::is_half) {
            self.absorb(id, other, side);
            return outcome;
        }
        Outcome::Duplicate { key: Some(key.clone()) }
    }

    /// Looks at a link again after a while, and not before.
    fn later(&mut self, id: LinkId, at: Option<jiff::Timestamp>) {
        self.touched.remove(&id);
        let tries = self.needs.tries.entry(id).or_insert(0);
        *tries = (*tries + 1).min(7);
        let wait = self.settings.retry * (1 << (*tries - 1));
        match at {
            Some(at) if at > self.now => {
                self.timers.insert((at, Timer::Link(id)));
            }
            _ => self.at(wait, Timer::Link(id)),
        }
    }

    /// The record is there already. It is linked if nobody else has it, and merged.
    pub(super) fn duplicate(&mut self, id: LinkId, side: Side, key: Option<String>) {
        let Some(mapping) = self.cache.get(id).map(|link| link.mapping) else { return };
        let Some(key) = key else {
            let refusal = Refusal {
                code: "DUPLICATE_VALUE".to_owned(),
                message: "another record has this value, and the system does not say which".to_owned(),
                fields: Vec::new(),
                passing: false,
            };
            self.with(id, |link, scope| {
                link.refused[side] = Some(refusal.clone());
                link.note_dead_letter(scope, side, Vec::new(), &refusal);
            });
            return;
        };
        match self.cache.lookup(mapping, side, &key) {
            Lookup::Link(other) if other == id => {}
            Lookup::Link(other) if self.cache.get(other).is_some_and(crate::sync::Link::is_half) => {
                self.absorb(id, other, side);
            }
            Lookup::Link(_) => self.ambiguous(mapping, id, 2),
            Lookup::Unloaded => {
                // Whose it is has to be looked up; the write is tried again then.
                self.needs.by_key.insert((mapping, side, key));
                self.needs.looking.insert(id);
            }
            Lookup::Absent => {
                self.with(id, |link, _| {
                    link.keys[side] = Some(key);
                    link.presence[side] = crate::sync::Presence::Present;
                    link.reread[side] = Some(Reread::News);
                });
            }
        }
    }

    /// A half link turns out to be the other side of this one.
    pub(super) fn absorb(&mut self, id: LinkId, other: LinkId, side: Side) {
        let half = self.cache.get(other).is_some_and(|link| link.is_half() && link.flight.iter().all(Option::is_none));
        if !half {
            return;
        }
        let Some(mut taken) = self.cache.take(other) else { return };
        self.with(id, |link, scope| {
            let (flight, ledger) = (link.flight[side].take(), std::mem::take(&mut link.ledger[side]));
            link.join(scope, side, &mut taken.link);
            link.flight[side] = flight;
            link.ledger[side] = ledger;
        });
        let plan = std::sync::Arc::clone(&self.plan);
        self.cache.put(taken, &plan);
        self.forget(other);
        if let Some(slot) = self.cache.take(id) {
            self.cache.put_anew(slot, &plan);
        }
        self.linked(id);
    }

    /// A table that is gone or a user who may not stops that side of the mapping, and no other; its records wait.
    fn halting(&mut self, mapping: usize, side: Side, outcome: Outcome) -> Outcome {
        let Outcome::Refused(refusal) = &outcome else { return outcome };
        if !halts(&refusal.code) {
            return outcome;
        }
        self.halt(mapping, side, format!("{}: {}", refusal.code, refusal.message));
        Outcome::NotDone(None)
    }
}

/// Refusals that no other record would escape: they stop the mapping instead of making dead letters of all.
fn halts(code: &str) -> bool {
    // PostgreSQL: no such table, no right, read-only, disk full. MySQL: the same. SQLite by name. Salesforce: no such
    // object, no right to it.
    const CODES: [&str; 13] = [
        "42P01",
        "42501",
        "25006",
        "53100",
        "1146",
        "1142",
        "1290",
        "1021",
        "SQLITE_READONLY",
        "SQLITE_FULL",
        "UNDEFINED_TABLE",
        "INVALID_TYPE",
        "INSUFFICIENT_ACCESS",
    ];
    CODES.contains(&code)
}

//! A side that was stopped is tried again. One whose table was gone is read whole before anything is written to it: what
//! it lacks then nobody deleted, and it comes back.

use super::{Shard, cache::Lookup};
use crate::sync::{Deletes, Fate, JobKind, Key, MappingIndex, Presence, Side, Style};

/// What [`crate::sync::Input::Lost`] says when a table stands without its triggers: it was made anew.
pub const MADE_ANEW: &str = "a table was made anew: its triggers were gone";

/// Refusals that say that there is no such table or object: PostgreSQL, MySQL, any database, Salesforce.
const GONE: [&str; 4] = ["42P01", "1146", "UNDEFINED_TABLE", "INVALID_TYPE"];
/// What a brake says when it stops a mapping: it waits for a person.
pub(super) const MASS_DELETE: &str = "mass delete";

/// Whether this is why nothing is written: the table is gone, or was.
fn is_gone(reason: &str) -> bool {
    reason == MADE_ANEW || GONE.contains(&reason.split(':').next().unwrap_or_default())
}

impl Shard {
    /// Whether this is to be told: a side is stopped once, and of a table that is gone the last word counts.
    pub(super) fn is_news(&self, mapping: MappingIndex, side: Side, reason: &str) -> bool {
        let known = self.mappings[mapping].halted[side].as_deref();
        known.is_none_or(|known| known != reason && is_gone(known) && is_gone(reason))
    }

    /// Tries a side again that was stopped, whatever stopped it.
    pub(super) fn revive(&mut self, mapping: MappingIndex, side: Side) {
        let Some(reason) = self.mappings[mapping].halted[side].as_deref() else { return };
        if is_gone(reason) {
            self.start(mapping, side, JobKind::Recover, None, None);
        } else {
            self.go_on(mapping, side);
        }
    }

    /// The stopped sides that the last holder left.
    pub(super) fn probe_halted(&mut self) {
        for mapping in 0..self.mappings.len() {
            if self.mappings[mapping].halted.iter().any(Option::is_some) {
                self.probe_later(mapping);
            }
        }
    }

    pub(super) fn probe_later(&mut self, mapping: MappingIndex) {
        self.at(std::time::Duration::from_secs(60), super::Timer::Probe(mapping));
    }

    /// A table stands without its triggers: until it was read, nobody knows what it holds.
    pub(super) fn made_anew(&mut self, mapping: MappingIndex, side: Side) {
        if self.mapping(mapping).ends[side].style == Style::Compared && self.mappings[mapping].loaded[side] {
            // Whatever stopped it before, this matters more.
            self.mappings[mapping].halted[side] = None;
            self.halt(mapping, side, MADE_ANEW.to_owned());
        }
    }

    /// It was read, and what it showed is known: it is written to again.
    pub(super) fn recovered(&mut self, mapping: MappingIndex, side: Side) {
        let others = self.jobs.values().any(|running| {
            let job = &running.job;
            job.kind == JobKind::Recover && (job.mapping, job.side) == (mapping, side)
        });
        let gone = self.mappings[mapping].halted[side].as_deref().is_some_and(is_gone);
        if gone && !others {
            self.go_on(mapping, side);
        }
    }

    fn go_on(&mut self, mapping: MappingIndex, side: Side) {
        self.mappings[mapping].halted[side] = None;
        self.transaction.mappings.push((mapping, self.mappings[mapping].clone()));
        self.touch_all();
    }

    /// Whether what a side lacks was lost with its table.
    pub(super) fn is_recovering(&self, mapping: MappingIndex, side: Side) -> bool {
        self.mapping(mapping).ends[side].style == Style::Compared
            && self.mappings[mapping].halted[side].as_deref().is_some_and(is_gone)
    }

    /// Whether records that a side lacks are still to be looked up.
    pub(super) fn has_absences(&self) -> bool {
        !self.needs.absences.is_empty()
    }

    /// Whether a record was written to, or is being, since a list was asked for: what the list lacks may be there by now.
    pub(super) fn was_written(&self, mapping: MappingIndex, side: Side, key: &Key, clock: u64) -> bool {
        let Lookup::Link(id) = self.cache.lookup(mapping, side, key) else { return false };
        let flying = |link: &crate::sync::Link| link.flight[side].as_ref().is_some_and(|flight| !flight.unknown);
        self.cache.slot(id).is_some_and(|slot| slot.left[side] >= clock || flying(&slot.link))
    }

    /// Asks for the keys of a table once more, after a while: what it lacked was being written meanwhile, and nobody
    /// knows whether it is there.
    pub(super) fn list_anew(&mut self, name: &str) {
        if let Some(running) = self.jobs.get_mut(name) {
            running.list_anew();
            self.job_later(name, None);
        }
    }

    /// The table lacks a record that nobody deleted.
    pub(super) fn bring_back(&mut self, mapping: MappingIndex, side: Side, key: &Key) {
        if let Lookup::Link(id) = self.cache.lookup(mapping, side, key) {
            self.with(id, |link, scope| link.vanish(scope, side));
        }
    }
}

impl crate::sync::Link {
    /// Its table is there without it: it is made again, from what the other side shows.
    pub(crate) fn vanish(&mut self, scope: &mut crate::sync::record::Scope<'_>, side: Side) {
        if self.presence[side] != Presence::Present {
            return;
        }
        if self.deleted_there[side] {
            // Not with its table: somebody deleted it since it was made again.
            self.not_there(scope, side);
            return;
        }
        (self.reread[side], self.flight[side]) = (None, None);
        self.ledger[side].clear();
        for field in &mut self.fields {
            field.open[side].clear();
            field.held[side].clear();
            field.image[side] = None;
        }
        scope.note(self.id, crate::sync::Step::Read, side, Vec::new(), "not in the table that was made anew");
        self.presence[side] = Presence::Deleted;
        if self.fate != Fate::Live {
            return;
        }
        if self.presence[side.other()] != Presence::Present {
            self.fate = Fate::Gone;
        } else if matches!(scope.mapping.deletes[side.other()], Deletes::Soft(_)) {
            // What comes back by clearing a mark would have to be there.
            (self.presence[side], self.keys[side], self.unmatched) = (Presence::Absent, None, true);
        }
    }
}

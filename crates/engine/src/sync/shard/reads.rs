//! Rows that have to be read, and what was asked of systems.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{
    Shard, Timer,
    cache::Lookup,
    items::{Item, ReadRow},
    running::JobId,
};
use crate::sync::{Answer, Class, Effect, Key, LinkId, MappingIndex, Read, Row, Side};

/// A question to a system that is not answered yet.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// These links' rows.
    Rows { mapping: MappingIndex, side: Side, links: Vec<(LinkId, Key)>, clock: u64 },
    /// The record that a write of unknown outcome was to make.
    External { id: LinkId, side: Side },
    /// A page of a job.
    Job { job: JobId, clock: u64 },
}

impl Asked {
    /// How many writes had left when it was asked.
    pub(super) const fn clock(&self) -> u64 {
        match self {
            Self::Rows { clock, .. } | Self::Job { clock, .. } => *clock,
            Self::External { .. } => u64::MAX,
        }
    }
}

/// So many rows are asked for at once.
const ROWS: usize = 200;

impl Shard {
    /// Asks for the rows that links need.
    pub(super) fn collect_reads(&mut self) {
        if self.rereads.is_empty() {
            return;
        }
        let asked = self.asked_rows();
        for ((mapping, side), mut ids) in std::mem::take(&mut self.rereads) {
            let mut links = Vec::new();
            while let Some(id) = ids.pop_first() {
                let Some(link) = self.cache.get(id) else { continue };
                let flying = link.flight[side].as_ref().is_some_and(|flight| !flight.unknown);
                if link.reread[side].is_none() || flying || asked.contains(&(id, side)) {
                    continue;
                }
                if let Some(key) = link.keys[side].clone() {
                    links.push((id, key));
                }
                if links.len() == ROWS {
                    self.ask_rows(mapping, side, std::mem::take(&mut links));
                }
            }
            if !links.is_empty() {
                self.ask_rows(mapping, side, links);
            }
        }
    }

    /// The rows that are being asked for.
    fn asked_rows(&self) -> HashSet<(LinkId, Side)> {
        let rows = self.reads.values().filter_map(|asked| match asked {
            Asked::Rows { side, links, .. } => Some(links.iter().map(|(id, _)| (*id, *side))),
            Asked::External { .. } | Asked::Job { .. } => None,
        });
        rows.flatten().collect()
    }

    /// Until when no call of this class may be made to a side's connection, if none may be made now.
    pub(super) fn must_wait(&mut self, mapping: MappingIndex, side: Side, class: Class) -> Option<Timestamp> {
        let connection = self.mapping(mapping).ends[side].connection.clone();
        self.spent_until(&connection, class)
    }

    fn ask_rows(&mut self, mapping: MappingIndex, side: Side, links: Vec<(LinkId, Key)>) {
        if let Some(until) = self.must_wait(mapping, side, Class::Live) {
            for (id, _) in links {
                self.timers.insert((until, Timer::Link(id)));
            }
            return;
        }
        let keys = links.iter().map(|(_, key)| key.clone()).collect();
        let clock = self.read_clock();
        self.ask(
            mapping,
            side,
            Class::Live,
            Read::Rows { mapping, side, keys },
            Asked::Rows { mapping, side, links, clock },
        );
    }

    /// Asks whether the record that a write was to make is there.
    pub(super) fn ask_external(&mut self, id: LinkId, mapping: MappingIndex, side: Side, other: Key) {
        if let Some(until) = self.must_wait(mapping, side, Class::Live) {
            self.timers.insert((until, Timer::Link(id)));
        } else if self.looked_for.insert(id) {
            self.ask(mapping, side, Class::Live, Read::External { mapping, side, other }, Asked::External { id, side });
        }
    }

    /// A row counts for a record if no write to it left since this.
    pub(super) fn read_clock(&mut self) -> u64 {
        self.writes_left += 1;
        self.writes_left
    }

    pub(super) fn ask(&mut self, mapping: MappingIndex, side: Side, class: Class, read: Read, asked: Asked) {
        let connection = self.mapping(mapping).ends[side].connection.clone();
        let ticket = self.ticket();
        self.reads.insert(ticket, asked);
        self.spend(&connection, class);
        self.effects.push_back(Effect::Read { ticket, class, connection, read });
    }

    /// Takes in what a system answered.
    pub(super) fn answered(&mut self, ticket: u64, answer: Answer) {
        match self.reads.remove(&ticket) {
            None => {}
            Some(Asked::Rows { mapping, side, links, clock }) => {
                self.rows_answered(mapping, side, links, clock, answer);
            }
            Some(Asked::External { id, side }) => {
                self.looked_for.remove(&id);
                self.external_answered(id, side, answer);
            }
            Some(Asked::Job { job, clock }) => self.job_answered(job, clock, answer),
        }
    }

    fn rows_answered(
        &mut self,
        mapping: MappingIndex,
        side: Side,
        links: Vec<(LinkId, Key)>,
        clock: u64,
        answer: Answer,
    ) {
        let (rows, server) = match answer {
            Answer::Rows { rows, server, .. } => (rows, server),
            Answer::Later(at) => {
                for (id, _) in links {
                    self.look_later(id, at);
                }
                return;
            }
            Answer::Failed(refusal) => {
                self.halt(mapping, side, format!("{}: {}", refusal.code, refusal.message));
                for (id, _) in links {
                    self.look_later(id, None);
                }
                return;
            }
            Answer::Deleted { .. } | Answer::Keys { .. } => return,
        };
        let mut missing: std::collections::BTreeMap<Key, LinkId> =
            links.into_iter().map(|(id, key)| (key, id)).collect();
        for row in rows {
            missing.remove(&row.key);
            self.row(mapping, side, row, clock, server, None);
        }
        for id in missing.into_values() {
            self.queue.push_back(Item::NotThere { id, side, clock });
        }
    }

    pub(super) fn row(
        &mut self,
        mapping: MappingIndex,
        side: Side,
        row: Row,
        clock: u64,
        server: Option<jiff::Timestamp>,
        job: Option<(JobId, u64)>,
    ) {
        let partial = job.as_ref().is_some_and(|(job, _)| self.is_children(job));
        let told = self.now;
        let read = ReadRow { mapping, side, row, clock, server, told, job, partial, doubted: false };
        match self.holding(&read) {
            Some(running) => running.unreleased.push_back(read),
            None => self.queue.push_back(Item::Row(Box::new(read))),
        }
    }

    fn look_later(&mut self, id: LinkId, at: Option<jiff::Timestamp>) {
        match at.filter(|at| *at > self.now) {
            Some(at) => {
                self.timers.insert((at, Timer::Link(id)));
            }
            None => self.at(self.settings.retry * 4, Timer::Link(id)),
        }
    }

    fn external_answered(&mut self, id: LinkId, side: Side, answer: Answer) {
        match answer {
            Answer::Rows { rows, .. } => {
                match rows.into_iter().find(|row| !row.deleted) {
                    Some(row) => self.found(id, side, &row),
                    None => {
                        self.with(id, |link, scope| link.not_landed(scope, side));
                    }
                }
                self.schedule(id);
                self.release_deferred();
            }
            Answer::Failed(refusal) => {
                let mapping = self.cache.get(id).map(|link| link.mapping);
                if let Some(mapping) = mapping {
                    self.halt(mapping, side, format!("{}: {}", refusal.code, refusal.message));
                }
                self.look_later(id, None);
            }
            Answer::Later(at) => self.look_later(id, at),
            Answer::Deleted { .. } | Answer::Keys { .. } => self.look_later(id, None),
        }
    }

    /// The record that a write was to make is there. A page may have told of it first, and made a link of its own: two
    /// links never have one key.
    fn found(&mut self, id: LinkId, side: Side, row: &Row) {
        let Some(mapping) = self.cache.get(id).map(|link| link.mapping) else { return };
        match self.cache.lookup(mapping, side, &row.key) {
            Lookup::Unloaded => {
                self.needs.by_key.insert((mapping, side, row.key.clone()));
                self.look_later(id, None);
                return;
            }
            Lookup::Link(other) if other != id => {
                self.absorb(id, other, side);
                if self.cache.get(other).is_some() {
                    self.with(id, |link, scope| link.not_landed(scope, side));
                    self.duplicate(id, side, Some(row.key.clone()));
                    return;
                }
            }
            Lookup::Link(_) | Lookup::Absent => {}
        }
        self.with(id, |link, scope| link.landed(scope, side, row));
        self.linked(id);
    }
}

//! What has to be asked of the state store before anything can be decided: one question at a time, as wide as possible.

use std::collections::BTreeSet;

use super::{
    Shard,
    items::{Item, QUEUE},
    running::JobId,
};
use crate::sync::{Command, Effect, Entry, Key, LinkId, Load, Loaded, MappingIndex, Side};

/// What is to be asked, and what was.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    pub(super) by_key: BTreeSet<(MappingIndex, Side, Key)>,
    pub(super) by_id: BTreeSet<LinkId>,
    pub(super) by_match: BTreeSet<(MappingIndex, Side, String)>,
    pub(super) parked_on: BTreeSet<(MappingIndex, Side, Key)>,
    pub(super) keys: Option<(MappingIndex, Side, Option<Key>, usize)>,
    pub(super) halves: Option<(MappingIndex, Side, LinkId, usize)>,
    /// Links to look at when what they asked for is here.
    pub(super) looking: BTreeSet<LinkId>,
    /// The job that asked for stored keys, and the one that asked for halves.
    pub(super) keys_of: Option<JobId>,
    pub(super) halves_of: Option<JobId>,
    /// Keys that are said to be gone: looked up first.
    pub(super) absences: Vec<(MappingIndex, Side, Key)>,
    /// What people asked for, whose link is not here.
    pub(super) commands: Vec<(u64, Command)>,
    /// Links to look at once more.
    pub(super) woken: BTreeSet<LinkId>,
    /// How often a write of a link was put off.
    pub(super) tries: std::collections::HashMap<LinkId, u32>,
    /// The question that is not answered yet, and what was in it.
    asked: Option<(u64, Load, u64)>,
    /// Entries that became durable while the journal was asked.
    pub(super) fresh: Vec<Entry>,
    /// Links to look at when they are here.
    wanted: BTreeSet<LinkId>,
}

impl Needs {
    /// Links that a restart has to look after.
    pub(super) fn active(&mut self, ids: Vec<LinkId>) {
        self.by_id.extend(ids.iter().copied());
        self.wanted.extend(ids);
    }

    pub(super) fn want(&mut self, id: LinkId) {
        self.by_id.insert(id);
        self.wanted.insert(id);
    }

    /// Whether links of the last holder are still to come: a change may be the echo of what one of them sent.
    pub(super) fn is_starting(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether a question is not answered yet.
    pub(super) const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_none() && self.is_nothing()
    }

    fn is_nothing(&self) -> bool {
        self.by_key.is_empty()
            && self.by_id.is_empty()
            && self.by_match.is_empty()
            && self.parked_on.is_empty()
            && self.keys.is_none()
            && self.halves.is_none()
    }
}

/// So many links are asked for at once at most.
const LINKS: usize = 2_000;

impl Shard {
    /// Asks the state store for what is needed, unless a question is open.
    pub(super) fn recall(&mut self) {
        let room = self.queue.len() < QUEUE;
        let journal = self.backlog.filter(|_| room).map(|after| (after, QUEUE));
        if self.needs.asked.is_some() || self.needs.is_nothing() && journal.is_none() {
            return;
        }
        let needs = &mut self.needs;
        let by_id: Vec<LinkId> = needs.by_id.iter().copied().take(LINKS).collect();
        for id in &by_id {
            needs.by_id.remove(id);
        }
        let load = Load {
            by_key: std::mem::take(&mut needs.by_key).into_iter().collect(),
            by_id,
            by_match: std::mem::take(&mut needs.by_match).into_iter().collect(),
            parked_on: std::mem::take(&mut needs.parked_on).into_iter().collect(),
            journal,
            keys: needs.keys.take(),
            halves: needs.halves.take(),
        };
        let ticket = self.ticket();
        self.needs.asked = Some((ticket, load.clone(), self.last_place));
        self.effects.push_back(Effect::Load { ticket, load });
    }

    /// Takes in what the state store knows.
    pub(super) fn loaded(&mut self, ticket: u64, loaded: Loaded) {
        let Some((_, load, last_place)) = self.needs.asked.take_if(|(asked, ..)| *asked == ticket) else { return };
        let plan = std::sync::Arc::clone(&self.plan);
        let Loaded { links, by_match, parked_on, journal, keys, halves } = loaded;
        for link in links {
            let id = link.id;
            self.cache.insert(link, &plan);
            if self.needs.wanted.remove(&id) {
                self.schedule(id);
                self.touched.insert(id);
            }
        }
        for (mapping, side, key) in load.by_key {
            if self.cache.lookup(mapping, side, &key) == super::cache::Lookup::Unloaded {
                self.cache.is_absent(mapping, side, key);
            }
        }
        for id in load.by_id {
            self.needs.wanted.remove(&id);
        }
        self.touched.append(&mut self.needs.looking);
        self.looked_up();
        self.commands_loaded();
        self.matched(load.by_match, by_match);
        self.touched.extend(parked_on.into_iter().flatten().filter(|id| self.cache.get(*id).is_some()));
        if let Some((after, limit)) = load.journal {
            self.recalled(after, limit, last_place, journal);
        }
        if load.keys.is_some() {
            self.stored_keys(keys);
        }
        if let Some((.., limit)) = load.halves {
            self.halves_loaded(halves, limit);
        }
    }

    /// Entries that waited in the journal. When the last of them are here, what is heard goes into the queue again.
    fn recalled(&mut self, after: u64, limit: usize, last_place: u64, entries: Vec<Entry>) {
        let full = entries.len() >= limit || self.needs.fresh.len() > QUEUE;
        let last = entries.last().map_or(after, |entry| entry.place);
        let fresh = std::mem::take(&mut self.needs.fresh);
        self.queue.extend(entries.into_iter().map(|entry| Item::Entry(Box::new(entry))));
        if full {
            self.backlog = Some(last);
            return;
        }
        // What was put away after the question was asked was not in the answer.
        self.queue.extend(
            fresh.into_iter().filter(|entry| entry.place > last_place).map(|entry| Item::Entry(Box::new(entry))),
        );
        self.backlog = None;
    }

    /// Looks at a link again, wherever it is.
    pub(super) fn touch_or_load(&mut self, id: LinkId) {
        if self.cache.get(id).is_some() {
            self.touched.insert(id);
        } else {
            self.needs.want(id);
        }
    }
}

//! Which records of both sides are the same: those that `match` finds, one on each side and no more.

use std::collections::BTreeSet;

use super::{Shard, Timer, cache::Parent};
use crate::sync::{ConflictKind, Fate, Link, LinkId, MappingIndex, Presence, Refusal, Side};

/// The code of a record that could be more than one.
const AMBIGUOUS: &str = "AMBIGUOUS_MATCH";

impl Shard {
    /// Asks for the records that could be the same, or marks the link as having none.
    pub(super) fn look_for_match(&mut self, id: LinkId) {
        let Some(link) = self.cache.get(id) else { return };
        let mapping = link.mapping;
        let Some(side) = Side::BOTH.into_iter().find(|side| link.keys[*side].is_some()) else { return };
        match link.match_text(self.mapping(mapping), side) {
            None => self.unmatched(id, side),
            Some(text) => {
                self.needs.by_match.insert((mapping, Side::Left, text.clone()));
                self.needs.by_match.insert((mapping, Side::Right, text));
            }
        }
    }

    /// Nobody on the other side is this record: it may be made there.
    fn unmatched(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.cache.get(id) else { return };
        let creates = self.mapping(link.mapping).ends[side.other()].creates;
        self.with(id, |link, _| link.unmatched = true);
        if creates {
            self.needs.woken.insert(id);
        }
    }

    /// Whether a half link still has to be joined, or made on the other side: a restart has to look after it.
    pub(super) fn is_unfinished(&self, link: &Link) -> bool {
        let Some(side) = Side::BOTH.into_iter().find(|side| link.keys[*side].is_none()) else { return false };
        let mapping = self.mapping(link.mapping);
        let wanted = if link.unmatched {
            mapping.ends[side].creates
        } else {
            self.mappings[link.mapping].loaded == [true, true] || self.is_plain(link.mapping)
        };
        wanted
            && link.fate == Fate::Live
            && link.presence[side.other()] == Presence::Present
            && link.refused[side].is_none()
            && link.takes_part(mapping)
    }

    /// A record shows something else where records are matched: who could be the same is asked anew.
    pub(super) fn match_anew(&mut self, id: LinkId, before: Option<&str>, side: Side) {
        let stale = self.cache.match_text(id, side) != before
            && self
                .cache
                .get(id)
                .is_some_and(|link| link.unmatched && link.is_half() && link.flight.iter().all(Option::is_none));
        if stale {
            self.with(id, |link, _| link.unmatched = false);
        }
    }

    /// The state store told who could be whom. What is in memory is newer.
    pub(super) fn matched(&mut self, asked: Vec<(MappingIndex, Side, String)>, found: Vec<Vec<LinkId>>) {
        let mut texts: std::collections::BTreeMap<(MappingIndex, String), [BTreeSet<LinkId>; 2]> = Default::default();
        for ((mapping, side, text), ids) in asked.into_iter().zip(found) {
            let still = ids.into_iter().filter(|id| self.cache.match_text(*id, side) == Some(text.as_str()));
            let mut all: BTreeSet<LinkId> = still.collect();
            all.extend(self.cache.matching(mapping, side, &text));
            texts.entry((mapping, text)).or_default()[side] = all;
        }
        for ((mapping, _), [left, right]) in texts {
            self.join_or_make(mapping, &left, &right);
        }
    }

    fn join_or_make(&mut self, mapping: MappingIndex, left: &BTreeSet<LinkId>, right: &BTreeSet<LinkId>) {
        let all: BTreeSet<LinkId> = left.union(right).copied().collect();
        let open: Vec<LinkId> = all.iter().copied().filter(|id| self.is_open_half(*id)).collect();
        let making = all.iter().any(|id| {
            self.cache.get(*id).is_some_and(|link| link.is_half() && link.flight.iter().any(Option::is_some))
        });
        if making {
            // One of them is being made on the other side: what it becomes decides.
            for id in open {
                self.at(self.settings.retry, Timer::Link(id));
            }
            return;
        }
        match (left.len(), right.len()) {
            (1, 1) if open.len() == 2 => {
                let (Some(left), Some(right)) = (left.first(), right.first()) else { return };
                self.join(*left, *right);
            }
            // Several on one side, none on the other: each is made there.
            (_, 0) | (0, _) => {
                for id in open {
                    let side = if left.contains(&id) { Side::Left } else { Side::Right };
                    self.unmatched(id, side);
                }
            }
            _ => {
                for id in open {
                    self.ambiguous(mapping, id, all.len());
                }
            }
        }
    }

    /// Whether a link shows only one side and nothing is being made of it.
    fn is_open_half(&self, id: LinkId) -> bool {
        self.cache.get(id).is_some_and(|link| {
            link.is_half() && link.flight.iter().all(Option::is_none) && link.presence.contains(&Presence::Present)
        })
    }

    /// Two half links are one record.
    pub(super) fn join(&mut self, left: LinkId, right: LinkId) {
        let Some(mut other) = self.cache.take(right) else { return };
        self.with(left, |link, scope| link.join(scope, Side::Right, &mut other.link));
        let plan = std::sync::Arc::clone(&self.plan);
        self.cache.put(other, &plan);
        self.forget(right);
        // The key belongs to the link that stays: it was taken out of the index with the other.
        if let Some(slot) = self.cache.take(left) {
            self.cache.put_anew(slot, &plan);
        }
        self.linked(left);
    }

    /// A link is whole: whoever waits for it is woken.
    pub(super) fn linked(&mut self, id: LinkId) {
        self.needs.woken.insert(id);
        self.wake_children(id);
    }

    /// Both sides have a record: whoever waits for it is looked at again.
    pub(super) fn wake_children(&mut self, id: LinkId) {
        let Some(link) = self.cache.get(id) else { return };
        let keys = Side::BOTH.into_iter().filter_map(|side| Some((link.mapping, side, link.keys[side].clone()?)));
        let parents: Vec<Parent> = keys.collect();
        let waiting: Vec<LinkId> = parents.iter().flat_map(|parent| self.cache.parked_on(parent)).collect();
        self.needs.parked_on.extend(parents);
        self.needs.woken.extend(waiting);
    }

    /// More than one record could be the other side's: none is linked, and a person has to decide.
    pub(super) fn ambiguous(&mut self, mapping: MappingIndex, id: LinkId, candidates: usize) {
        let Some(side) = self.cache.get(id).and_then(|link| {
            let missing = Side::BOTH.into_iter().find(|side| link.keys[*side].is_none())?;
            link.refused[missing].is_none().then_some(missing)
        }) else {
            return;
        };
        let refusal = Refusal {
            code: AMBIGUOUS.to_owned(),
            message: format!("{candidates} records of {} match each other", self.mapping(mapping).name),
            fields: Vec::new(),
            passing: false,
        };
        self.with(id, |link, scope| {
            link.refused[side] = Some(refusal);
            link.note_match_conflict(scope, ConflictKind::Match);
        });
    }
}

//! Looks at links that something happened to: what they want, what they wait for, what has to be read or looked up.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{Shard, Timer};
use crate::sync::{
    Fate, Key, LinkId, MappingIndex, Mutation, Operation, Parked, Presence, Refusal, Reread, SentState, Side, Step,
    Style, record::Want,
};

impl Shard {
    /// Looks at every link that was touched. Whether there was any.
    pub(super) fn advance(&mut self) -> bool {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return false;
        }
        for id in touched {
            self.advance_link(id);
        }
        // Working on a link touches it; what it wants was just looked at.
        self.touched.clear();
        for id in std::mem::take(&mut self.needs.woken) {
            self.touched.insert(id);
        }
        true
    }

    fn advance_link(&mut self, id: LinkId) {
        if self.cache.get(id).is_none() {
            return;
        }
        self.find_out(id);
        self.give_up_loose(id);
        self.expire(id);
        self.settle(id);
        let Some(link) = self.cache.get(id) else { return };
        let mapping = link.mapping;
        for side in Side::BOTH {
            if self.cache.get(id).is_some_and(|link| link.reread[side].is_some()) {
                self.rereads.entry((mapping, side)).or_default().insert(id);
            }
        }
        if self.wants_match(id) {
            self.look_for_match(id);
        }
        let mut waits = None;
        let mut looking = false;
        let mut idle = true;
        for side in Side::BOTH {
            let want = self.want(id, mapping, side);
            idle &= matches!(want, Want::Nothing | Want::Wait(_));
            match want {
                Want::Nothing => self.rhythm.forget(id, side),
                Want::Write(intent) => {
                    waits = intent.waits.clone().map(|parent| (parent, false)).or(waits);
                    if !self.is_held(id, mapping, side) {
                        self.ready(id, side);
                    }
                }
                Want::Look(keys) => {
                    looking = true;
                    self.needs.by_key.extend(keys);
                    self.needs.looking.insert(id);
                }
                Want::Wait(parent) => waits = Some((parent, true)),
                Want::Later(until) => {
                    self.needs.tries.entry(id).or_insert(0);
                    self.timers.insert((until, Timer::Link(id)));
                }
                Want::Read => {
                    self.with(id, |link, _| link.reread[side] = Some(Reread::Echo));
                    self.rereads.entry((mapping, side)).or_default().insert(id);
                }
            }
        }
        if idle && self.cache.get(id).is_none_or(|link| link.flight.iter().all(Option::is_none)) {
            self.needs.tries.remove(&id);
        }
        if waits.is_some() || !looking {
            self.park(id, waits);
        }
    }

    /// Forgets what was taken once both sides show it.
    fn settle(&mut self, id: LinkId) {
        if self.cache.get(id).is_none_or(|link| link.fields.iter().all(|field| field.taken.is_none())) {
            return;
        }
        let all = |link: &crate::sync::Link, scope: &crate::sync::record::Scope<'_>| {
            (0..link.fields.len()).filter(|index| link.stands(scope, *index)).collect::<Vec<_>>()
        };
        let standing = self.look(id, all).unwrap_or_default();
        if !standing.is_empty() {
            self.with(id, |link, _| {
                for index in standing {
                    link.fields[index].taken = None;
                }
            });
        }
    }

    /// What a link wants to write to a side. A write that is only to be done if the row did not change since it was
    /// read waits until the second is over in which that row was read: before, it would be refused again and again.
    pub(super) fn want(&mut self, id: LinkId, mapping: MappingIndex, side: Side) -> Want {
        let echoes = self.mapping(mapping).ends[side].style == Style::Tagged && !self.may_miss(mapping, side);
        self.look(id, |link, scope| link.want(scope, side, echoes)).unwrap_or(Want::Nothing)
    }

    /// Works on a link without a change that has to be put away, unless it changes.
    pub(super) fn with_quietly<T>(
        &mut self,
        id: LinkId,
        work: impl FnOnce(&mut crate::sync::Link, &mut crate::sync::record::Scope<'_>) -> T,
    ) -> Option<T> {
        let before = self.cache.get(id).cloned()?;
        let was_dirty = self.dirty.contains(&id);
        let result = self.with(id, work);
        if !was_dirty && self.cache.get(id) == Some(&before) {
            self.dirty.remove(&id);
        }
        result
    }

    /// A link waits for its parent, or does not any more.
    fn park(&mut self, id: LinkId, waits: Option<((MappingIndex, Side, Key), bool)>) {
        let Some(link) = self.cache.get(id) else { return };
        match (waits, &link.parked) {
            (None, None) => {}
            (None, Some(_)) => {
                self.with(id, |link, _| link.parked = None);
            }
            (Some((parent, _)), Some(parked)) if parked.parent == parent => self.parked_too_long(id),
            (Some((parent, required)), _) => {
                self.with(id, |link, scope| {
                    let (side, note) = (parent.1, format!("waits for {}", parent.2));
                    link.parked = Some(Parked { parent, since: scope.now, required });
                    scope.note(link.id, Step::Parked, side, Vec::new(), note);
                });
                self.at(self.settings.parked, Timer::Link(id));
            }
        }
    }

    /// A child that waited for a day is a dead letter that says for whom it waits.
    fn parked_too_long(&mut self, id: LinkId) {
        let Some(parked) = self.cache.get(id).and_then(|link| link.parked.clone()) else { return };
        let limit = SignedDuration::try_from(self.settings.parked).unwrap_or(SignedDuration::MAX);
        if self.now.duration_since(parked.since) < limit {
            return;
        }
        let (mapping, side, key) = &parked.parent;
        let parent = self.plan.mappings.get(*mapping).map_or("", |mapping| mapping.name.as_str());
        let refusal = Refusal {
            code: "PARENT_MISSING".to_owned(),
            message: format!("the record of {parent} with key {key} has no counterpart"),
            fields: Vec::new(),
            passing: false,
        };
        let target = side.other();
        self.with(id, |link, scope| {
            link.parked = None;
            let waiting: Vec<usize> = (0..link.fields.len())
                .filter(|index| scope.mapping.fields[*index].reference.is_some())
                .filter(|index| {
                    matches!(link.need(scope, *index, target, true), crate::sync::record::Need::Missing(..))
                })
                .collect();
            let names = waiting.iter().map(|index| scope.mapping.fields[*index].names[target].clone()).collect();
            if parked.required {
                link.refused[target] = Some(refusal.clone());
            } else {
                for index in waiting {
                    link.fields[index].refused[target] = Some(refusal.clone());
                }
            }
            link.note_dead_letter(scope, target, names, &refusal);
        });
    }

    /// Echoes that did not come are looked for by reading; what was settled is not listened for for ever.
    fn expire(&mut self, id: LinkId) {
        let Some(link) = self.cache.get(id) else { return };
        if link.ledger.iter().all(Vec::is_empty) {
            return;
        }
        let wait = SignedDuration::try_from(self.settings.echo_wait).unwrap_or_default();
        let landing = SignedDuration::try_from(self.settings.landing).unwrap_or_default();
        let now = self.now;
        let no_wait = self.settings.faulty(Mutation::NoEchoWait);
        let mut late = [false; 2];
        let mut stale = false;
        for side in Side::BOTH {
            for sent in &link.ledger[side] {
                let age = now.duration_since(sent.at);
                match sent.state {
                    SentState::Awaited => late[side] |= age >= wait && link.reread[side].is_none() && !no_wait,
                    SentState::Settled | SentState::Abandoned => stale |= age >= landing,
                }
            }
        }
        if !stale && late == [false; 2] {
            return;
        }
        self.with(id, |link, scope| {
            for side in Side::BOTH {
                link.ledger[side]
                    .retain(|sent| sent.state == SentState::Awaited || now.duration_since(sent.at) < landing);
                if late[side] {
                    link.reread[side] = Some(Reread::Echo);
                    if link.ledger[side].iter().any(|sent| sent.delete && sent.state == SentState::Awaited) {
                        // The row tells whether the delete went through.
                        scope.note(link.id, Step::Read, side, Vec::new(), "no echo of the delete came");
                    }
                }
            }
        });
        self.schedule(id);
    }

    /// A sending that nobody knows of does not land any more: what waited for it is somebody else's.
    fn give_up_loose(&mut self, id: LinkId) {
        let landing = SignedDuration::try_from(self.settings.landing).unwrap_or_default();
        for side in Side::BOTH {
            let loosed = self.cache.get(id).and_then(|link| link.loosed[side]);
            if loosed.is_some_and(|loosed| self.now.duration_since(loosed) >= landing) {
                self.with(id, |link, _| {
                    link.loose[side].clear();
                    link.loosed[side] = None;
                });
                self.release_deferred();
            }
        }
    }

    /// When a link has to be looked at again.
    pub(super) fn schedule(&mut self, id: LinkId) {
        let Some(link) = self.cache.get(id) else { return };
        let mut times = BTreeSet::new();
        for sent in link.ledger.iter().flatten() {
            let wait = match sent.state {
                SentState::Awaited => self.settings.echo_wait,
                SentState::Settled | SentState::Abandoned => self.settings.landing,
            };
            times.extend(SignedDuration::try_from(wait).ok().and_then(|wait| sent.at.checked_add(wait).ok()));
        }
        for loosed in link.loosed.iter().flatten() {
            let wait = SignedDuration::try_from(self.settings.landing).ok();
            times.extend(wait.and_then(|wait| loosed.checked_add(wait).ok()));
        }
        if let Some(parked) = &link.parked {
            let wait = SignedDuration::try_from(self.settings.parked).ok();
            times.extend(wait.and_then(|wait| parked.since.checked_add(wait).ok()));
        }
        let soonest = self.now.checked_add(SignedDuration::from_millis(1)).unwrap_or(self.now);
        self.timers.extend(times.into_iter().map(|at| (at.max(soonest), Timer::Link(id))));
    }

    /// A write that nobody knows the outcome of: found out by its external id, by its operation id, or by reading.
    fn find_out(&mut self, id: LinkId) {
        for side in Side::BOTH {
            let Some(link) = self.cache.get(id) else { return };
            let mapping = link.mapping;
            let Some(flight) = &link.flight[side] else { continue };
            if !flight.unknown && self.batches.contains_key(&flight.tag) {
                continue;
            }
            let style = self.mapping(mapping).ends[side].style;
            match (&flight.operation, style) {
                _ if self.settings.faulty(Mutation::ReplayBody) => self.ready(id, side),
                (_, Style::Compared) => self.ready(id, side),
                (Operation::Create { key: None, other }, _) => {
                    let other = other.clone();
                    self.mark_unknown(id, side);
                    self.ask_external(id, mapping, side, other);
                }
                _ => {
                    self.mark_unknown(id, side);
                    self.rereads.entry((mapping, side)).or_default().insert(id);
                    self.with_quietly(id, |link, _| link.reread[side] = Some(Reread::Outcome));
                }
            }
        }
    }

    fn mark_unknown(&mut self, id: LinkId, side: Side) {
        self.with_quietly(id, |link, _| {
            if let Some(flight) = &mut link.flight[side] {
                flight.unknown = true;
            }
        });
    }

    /// Whether a half link has to be matched before anything is made of it.
    pub(super) fn wants_match(&self, id: LinkId) -> bool {
        let Some(link) = self.cache.get(id) else { return false };
        let Some(side) = Side::BOTH.into_iter().find(|side| link.keys[*side].is_none()) else { return false };
        !link.unmatched
            && link.fate == Fate::Live
            && link.presence[side.other()] == Presence::Present
            && link.reread[side.other()].is_none()
            && link.refused[side].is_none()
            && (self.mappings[link.mapping].loaded == [true, true] || self.is_plain(link.mapping))
            && link.takes_part(self.mapping(link.mapping))
    }

    /// Whether records that one side has need not wait until all of both sides are read: nothing matches them, and they
    /// wait for no parent.
    pub(super) fn is_plain(&self, mapping: MappingIndex) -> bool {
        let mapping = self.mapping(mapping);
        mapping.match_on.is_empty() && mapping.fields.iter().all(|pair| pair.reference.is_none())
    }
}

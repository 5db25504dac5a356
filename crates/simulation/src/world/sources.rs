//! How the processes hear of changes: subscriptions that go on from a position, and an outbox that is claimed.

use tombolo_engine::sync::{Delivery, Input, Mutation, SourceId};

use super::{SHORT, Task, World};
use crate::{
    engine::Engine,
    history::Boundary,
    ledger::{CommitId, Told},
    moment::{MILLI, Micros, SECOND, timestamp},
    org::Channel,
    plan::{APP, CRM},
};

/// The name of the outbox among the sources.
const OUTBOX: &str = "*";

/// The source of an object's events.
pub(super) fn source_of(object: &str) -> SourceId {
    SourceId { connection: CRM.to_owned(), channel: object.to_owned() }
}

impl<E: Engine> World<E> {
    /// Opens every stream, where it stood.
    pub(super) fn subscribe(&mut self, epoch: u64) {
        if !self.is_up(epoch, &Task::Subscribe(epoch)) {
            return;
        }
        let objects: Vec<&'static str> = self.org.channels.keys().copied().collect();
        for object in objects {
            self.open(epoch, object);
        }
        let first =
            self.instances.get_mut(&epoch).is_some_and(|instance| !std::mem::replace(&mut instance.reads_outbox, true));
        if first {
            let source = SourceId { connection: APP.to_owned(), channel: OUTBOX.to_owned() };
            if self.store.sources.get(&source).is_none_or(|state| state.opened.is_none()) {
                let at = timestamp(self.clock(tombolo_engine::sync::Side::Right));
                self.feed(epoch, Input::Opened { source, at }, Vec::new());
            }
            self.agenda.add(self.now + SHORT, Task::Outbox(epoch));
        }
    }

    fn open(&mut self, epoch: u64, object: &'static str) {
        let source = source_of(object);
        let (length, retained) = match self.org.channels.get(object) {
            Some(channel) => (channel.log.len(), channel.retained),
            None => return,
        };
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        let state = self.store.sources.get(&source);
        let known = instance.cursors.get(object).copied();
        let stands = known.or_else(|| state.and_then(|state| state.position.as_deref()).map(Channel::index));
        let opened = known.is_some() || state.is_some_and(|state| state.opened.is_some());
        match stands {
            Some(index) if index >= retained => {
                instance.cursors.insert(object, index);
            }
            _ => {
                instance.cursors.insert(object, length);
                self.armed.opened.insert(object, length);
                if opened {
                    let lost = self.lose(object, stands.unwrap_or(0), length);
                    let reason = "the position is not retained".to_owned();
                    self.feed(epoch, Input::Lost { source: source.clone(), reason }, lost);
                }
                let at = timestamp(self.clock(tombolo_engine::sync::Side::Left));
                self.feed(epoch, Input::Opened { source, at }, Vec::new());
            }
        }
        self.agenda.add(self.now + SHORT, Task::Deliver(epoch, object));
    }

    /// What nobody will hear of any more.
    fn lose(&mut self, object: &'static str, from: usize, to: usize) -> Vec<CommitId> {
        let Some(channel) = self.org.channels.get(object) else { return Vec::new() };
        let lost: Vec<CommitId> =
            channel.log.iter().take(to).skip(from).flat_map(|event| event.commits.iter().copied()).collect();
        for commit in &lost {
            let told = &mut self.ledger.commits[*commit].told;
            if *told == Told::Event {
                *told = Told::Gap(None);
            }
        }
        lost
    }

    /// Whether a process can do this now; otherwise it does it when it goes on, or never.
    fn is_up(&mut self, epoch: u64, task: &Task) -> bool {
        let Some(instance) = self.instances.get(&epoch) else { return false };
        if instance.engine.is_none() {
            return false;
        }
        if let Some(until) = instance.paused {
            self.agenda.add(until, task.clone());
            return false;
        }
        true
    }

    /// Events whose time came are handed over, with the position behind them.
    pub(super) fn deliver(&mut self, epoch: u64, object: &'static str) {
        if !self.is_up(epoch, &Task::Deliver(epoch, object)) {
            return;
        }
        let most = if self.hurry { 1 } else { self.dice.of("events at once").usize(1..6) };
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        if instance.cut > now {
            return;
        }
        let Some(cursor) = instance.cursors.get_mut(object) else { return };
        let Some(channel) = self.org.channels.get(object) else { return };
        let due: Vec<_> = channel.log.iter().skip(*cursor).take_while(|event| event.due <= now).take(most).collect();
        if due.is_empty() {
            // It was made while nobody listened, and comes later.
            if let Some(next) = channel.log.get(*cursor) {
                self.agenda.add(next.due.max(now + SHORT), Task::Deliver(epoch, object));
            }
            return;
        }
        *cursor += due.len();
        let delivery = Delivery {
            source: source_of(object),
            news: due.iter().flat_map(|event| event.news(object)).collect(),
            position: Some(Channel::position(*cursor)),
            committed: due.last().map(|event| event.at),
        };
        let told = due.iter().flat_map(|event| event.commits.iter().copied()).collect();
        let next = channel.log.get(*cursor).map(|event| event.due);
        if let Some(next) = next {
            self.agenda.add(next.max(now + SHORT), Task::Deliver(epoch, object));
        }
        self.feed(epoch, Input::Heard(delivery), told);
    }

    /// The outbox is read: visible rows in the order of ids that were not handed over before.
    pub(super) fn read_outbox(&mut self, epoch: u64) {
        if !self.is_up(epoch, &Task::Outbox(epoch)) {
            return;
        }
        let most = if self.hurry { 1 } else { self.dice.of("rows at once").usize(1..12) };
        let watermark = self.mutation() == Some(Mutation::Watermark);
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        let behind = if watermark { self.database.watermark } else { 0 };
        let rows = self.database.outbox.iter().filter(|(id, _)| **id > behind && !instance.handed.contains(id));
        let rows: Vec<_> = rows.take(most).collect();
        let told = rows.iter().flat_map(|(_, row)| row.commits.iter().copied()).collect();
        let news: Vec<_> = rows.iter().map(|(id, row)| self.database.news(**id, row)).collect();
        let ids: Vec<u64> = rows.iter().map(|(id, _)| **id).collect();
        instance.handed.extend(&ids);
        if watermark {
            self.database.watermark = ids.last().copied().unwrap_or(behind).max(behind);
        }
        if news.is_empty() {
            return;
        }
        self.agenda.add(self.now + 10 * MILLI, Task::Outbox(epoch));
        let committed = news.last().and_then(|news| news.at);
        let source = SourceId { connection: APP.to_owned(), channel: OUTBOX.to_owned() };
        self.feed(epoch, Input::Heard(Delivery { source, news, position: None, committed }), told);
    }

    /// Somebody committed in the org: its streams go on.
    pub(super) fn org_moved(&mut self, duplicates: bool) {
        let mut grown = Vec::new();
        for (object, channel) in &self.org.channels {
            let seen = self.lengths.insert(*object, channel.log.len()).unwrap_or(0);
            let dues: Vec<Micros> = channel.log[seen.min(channel.log.len())..].iter().map(|event| event.due).collect();
            grown.extend(dues.into_iter().enumerate().map(|(place, due)| (*object, seen + place, due)));
        }
        let epochs: Vec<u64> =
            self.instances.iter().filter(|(_, i)| i.engine.is_some()).map(|(epoch, _)| *epoch).collect();
        for (object, index, due) in grown {
            for epoch in &epochs {
                self.agenda.add(due, Task::Deliver(*epoch, object));
            }
            if duplicates && self.armed.take_duplicate() {
                let later = self.delay("duplicate", SECOND, 20 * SECOND);
                self.agenda.add(due + later, Task::Again(object, index));
            }
        }
    }

    /// An event comes again: the same identity under another position.
    pub(super) fn tell_again(&mut self, object: &'static str, index: usize) {
        let now = self.now;
        let Some(channel) = self.org.channels.get_mut(object) else { return };
        let Some(mut event) = channel.log.get(index).cloned() else { return };
        event.due = now;
        channel.push(event);
        self.org_moved(false);
    }

    /// Somebody committed in the database: the processes are woken.
    pub(super) fn database_moved(&mut self) {
        let epochs: Vec<u64> =
            self.instances.iter().filter(|(_, i)| i.engine.is_some()).map(|(epoch, _)| *epoch).collect();
        for epoch in epochs {
            let delay = self.delay("*", 2 * MILLI, 120 * MILLI);
            self.agenda.add(self.now + delay, Task::Outbox(epoch));
        }
    }

    /// Whether the process dies here, because a fault said so.
    pub(super) fn dies(&mut self, boundary: Boundary, epoch: u64) -> bool {
        let Some(place) = self.armed.crashes.iter().position(|armed| *armed == boundary) else { return false };
        if self.current() != Some(epoch) {
            return false;
        }
        self.armed.crashes.remove(place);
        self.crash(epoch, boundary);
        true
    }
}

//! What is to be written, by connection: collected for a moment, then sent together.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Shard, Timer, recover::MASS_DELETE};
use crate::sync::{
    Batch, Class, Effect, JobKind, LinkId, MappingIndex, Refusal, Reread, Side, Style, Tag, Write,
    record::{Intent, IntentKind, Want},
};

/// What waits to be written over one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    ready: BTreeSet<(LinkId, Side)>,
    order: std::collections::VecDeque<(LinkId, Side)>,
    /// When it is emptied.
    pub(super) due: Option<Timestamp>,
    /// Requests under way.
    pub(super) flying: usize,
}

impl Lane {
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.flying == 0
    }

    /// How many records wait.
    pub(super) fn waiting(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.ready.iter().map(|(id, _)| *id)
    }

    fn push(&mut self, id: LinkId, side: Side) {
        if self.ready.insert((id, side)) {
            self.order.push_back((id, side));
        }
    }

    fn pop(&mut self) -> Option<(LinkId, Side)> {
        let next = self.order.pop_front()?;
        self.ready.remove(&next);
        Some(next)
    }
}

/// The code of a record that is written again and again.
const BRAKE: &str = "WRITTEN_TOO_OFTEN";

impl Shard {
    pub(super) fn lane(&mut self, connection: &str) -> &mut Lane {
        self.lanes.entry(connection.to_owned()).or_default()
    }

    /// A link has something to write to a side.
    pub(super) fn ready(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.cache.get(id) else { return };
        let mapping = link.mapping;
        if self.is_halted(mapping, side) {
            return;
        }
        let connection = self.mapping(mapping).ends[side].connection.clone();
        let Some(window) = self.plan.connections.get(&connection).map(|known| self.settings.window_of(known)) else {
            return;
        };
        let now = self.now;
        let lane = self.lane(&connection);
        lane.push(id, side);
        if lane.due.is_none() {
            let window = SignedDuration::try_from(window).unwrap_or_default();
            let due = now.checked_add(window).unwrap_or(now);
            lane.due = Some(due);
            self.timers.insert((due, Timer::Lane(connection)));
        }
    }

    /// Whether nothing may be written to this side of the mapping now.
    pub(super) fn is_halted(&self, mapping: MappingIndex, side: Side) -> bool {
        let state = &self.mappings[mapping];
        state.paused || state.halted[side].is_some()
    }

    /// How many records more can be written to a side at once.
    pub(super) fn room(&self, mapping: MappingIndex, side: Side) -> usize {
        let connection = &self.mapping(mapping).ends[side].connection;
        let Some(limits) = self.plan.connections.get(connection) else { return usize::MAX };
        let (flying, waiting) = self.lanes.get(connection).map_or((0, 0), |lane| (lane.flying, lane.ready.len()));
        (limits.parallel.saturating_sub(flying) * limits.batch).saturating_sub(waiting)
    }

    /// Sends what is due.
    pub(super) fn fill_lanes(&mut self) {
        let names: Vec<String> = self.lanes.keys().cloned().collect();
        for connection in names {
            let Some(limits) = self.plan.connections.get(&connection).copied() else { continue };
            loop {
                let now = self.now;
                let lane = self.lane(&connection);
                let due = lane.due.is_some_and(|due| due <= now) || lane.ready.len() >= limits.batch;
                if !due || lane.ready.is_empty() || lane.flying >= limits.parallel {
                    if lane.ready.is_empty() {
                        lane.due = None;
                    }
                    break;
                }
                if !self.within_budget(&connection) {
                    break;
                }
                self.send(&connection, limits.batch);
            }
        }
    }

    /// Whether one more call may be made; if not, the lane is tried again later.
    fn within_budget(&mut self, connection: &str) -> bool {
        let class = self.class();
        let Some(at) = self.spent_until(connection, class) else { return true };
        self.lane(connection).due = Some(at);
        self.timers.insert((at, Timer::Lane(connection.to_owned())));
        false
    }

    /// How urgent writes are now: while records of the first loading are made, they are that.
    fn class(&self) -> Class {
        let loading = |running: &super::Running| matches!(running.job.kind, JobKind::Load | JobKind::Join);
        if self.jobs.values().any(loading) { Class::Backfill } else { Class::Live }
    }

    fn send(&mut self, connection: &str, limit: usize) {
        let class = self.class();
        let tag = Tag { shard: self.number, epoch: self.epoch, batch: self.last_batch + 1 };
        let mut writes = Vec::new();
        let mut links = Vec::new();
        let mut taken = BTreeSet::new();
        let mut again = Vec::new();
        while writes.len() < limit
            && let Some((id, side)) = self.lane(connection).pop()
        {
            // A record stands at most once in a tag.
            if taken.contains(&id) {
                again.push((id, side));
                continue;
            }
            if let Some(write) = self.launch(id, side, tag) {
                taken.insert(id);
                writes.push(write);
                links.push((id, side));
            }
        }
        let lane = self.lane(connection);
        for (id, side) in again {
            lane.push(id, side);
        }
        if lane.ready.is_empty() {
            lane.due = None;
        }
        if writes.is_empty() {
            return;
        }
        lane.flying += 1;
        self.last_batch = tag.batch;
        self.counts.writes += writes.len() as u64;
        self.spend(connection, class);
        self.batches.insert(tag, (connection.to_owned(), links));
        self.after.push(Effect::Write(Batch { tag, connection: connection.to_owned(), writes, class }));
    }

    /// Takes what a link wants to write to a side, and opens it.
    fn launch(&mut self, id: LinkId, side: Side, tag: Tag) -> Option<Write> {
        let mapping = self.cache.get(id)?.mapping;
        if self.is_halted(mapping, side) {
            return None;
        }
        self.writes_left += 1;
        let left = self.writes_left;
        let unknown = self.cache.get(id)?.flight[side]
            .as_ref()
            .is_some_and(|flight| flight.unknown || flight.tag.epoch != self.epoch);
        let write = if unknown {
            self.with(id, |link, scope| link.resend(scope, side, tag)).flatten()
        } else {
            let intent = match self.want(id, mapping, side) {
                Want::Write(intent) => intent,
                Want::Later(at) => {
                    self.timers.insert((at, Timer::Link(id)));
                    return None;
                }
                Want::Read => {
                    self.timers.insert((self.now, Timer::Link(id)));
                    return None;
                }
                Want::Nothing | Want::Look(_) | Want::Wait(_) => {
                    self.touched.insert(id);
                    return None;
                }
            };
            if intent.kind == IntentKind::Update && self.is_unread(id, side) {
                self.with(id, |link, _| link.reread[side] = Some(Reread::News));
                return None;
            }
            if self.brakes(id, side, &intent) {
                return None;
            }
            self.with(id, |link, scope| link.launch(scope, side, intent, tag))
        };
        if let Some(mut slot) = self.cache.take(id) {
            slot.left[side] = left;
            let plan = std::sync::Arc::clone(&self.plan);
            self.cache.put(slot, &plan);
        }
        write.map(|write| self.in_gap(write))
    }

    /// Whether changes may have been missed of a record of which no row was ever seen: nothing could be conditional.
    fn is_unread(&self, id: LinkId, side: Side) -> bool {
        self.cache.get(id).is_some_and(|link| {
            self.mapping(link.mapping).ends[side].style == Style::Tagged
                && link.unmodified_since(side).is_none()
                && self.may_miss(link.mapping, side)
        })
    }

    /// Inside a gap, the record's or its entity's, there are no echoes to rely on: updates are conditional.
    fn in_gap(&self, mut write: Write) -> Write {
        let Some(link) = self.cache.get(write.link) else { return write };
        let tagged = self.mapping(write.mapping).ends[write.side].style == Style::Tagged;
        if tagged && (link.reread[write.side].is_some() || self.may_miss(write.mapping, write.side)) {
            write.unmodified_since = link.unmodified_since(write.side);
        }
        write
    }

    /// Whether changes of a side may have been missed: its gap is not closed, or its source has not said yet
    /// that it goes on from where it was.
    pub(super) fn may_miss(&self, mapping: MappingIndex, side: Side) -> bool {
        let end = &self.mapping(mapping).ends[side];
        let mut sources = self.sources.iter().filter(|(id, _)| id.covers(&end.connection, &end.entity));
        sources.any(|(_, source)| source.gap || !source.heard)
            || self.gaps.values().any(|gap| gap.covers(&end.connection, &end.entity))
    }

    /// A gap opened: what waits to be sent becomes conditional, too.
    pub(super) fn hold_to_rows(&mut self) {
        let mut waiting: Vec<Vec<Effect>> =
            self.commits.values_mut().map(|pending| std::mem::take(&mut pending.after)).collect();
        let writes = waiting.iter_mut().flatten().filter_map(|effect| match effect {
            Effect::Write(batch) => Some(&mut batch.writes),
            _ => None,
        });
        for write in writes.flatten() {
            *write = self.in_gap(write.clone());
        }
        for (pending, after) in self.commits.values_mut().zip(waiting) {
            pending.after = after;
        }
    }

    /// Whether a brake stops this write: a record written too often, or a mass delete.
    fn brakes(&mut self, id: LinkId, side: Side, intent: &Intent) -> bool {
        let now = self.now;
        if self.brake.note(now, id) {
            let (writes, window) = self.settings.brake;
            let refusal = Refusal {
                code: BRAKE.to_owned(),
                message: format!("more than {writes} writes within {} s", window.as_secs()),
                fields: Vec::new(),
                passing: false,
            };
            self.with(id, |link, scope| {
                link.refused[side] = Some(refusal.clone());
                link.note_dead_letter(scope, side, Vec::new(), &refusal);
            });
            return true;
        }
        if !matches!(intent.kind, IntentKind::Delete | IntentKind::SoftDelete) {
            return false;
        }
        let Some(mapping) = self.cache.get(id).map(|link| link.mapping) else { return false };
        let records = self.mappings[mapping].records;
        if !self.brake.note_delete(now, mapping, records) {
            return false;
        }
        let reason = format!("{MASS_DELETE}: too many of {records} records are to be deleted at once");
        self.halt(mapping, side, reason);
        true
    }

    /// Stops writing to a side of a mapping until a person says so, or what was wrong is over.
    pub(super) fn halt(&mut self, mapping: MappingIndex, side: Side, reason: String) {
        if self.is_news(mapping, side, &reason) {
            self.mappings[mapping].halted[side] = Some(reason);
            self.transaction.mappings.push((mapping, self.mappings[mapping].clone()));
            self.probe_later(mapping);
        }
    }
}

//! Changes that were not heard: the gap is written down, made up for by reading, and closed.

use jiff::{SignedDuration, Timestamp};

use super::{Shard, cache::Lookup, items::Item, recover::MADE_ANEW};
use crate::sync::{Entry, Gap, JobKind, Key, MappingIndex, Mutation, Reread, Side, SourceId, Style};

impl Shard {
    /// A source is heard from now on: the first time, what was there before is read; after a loss, what was missed.
    pub(super) fn opened(&mut self, source: SourceId, at: Timestamp) {
        let slot = self.sources.entry(source.clone()).or_default();
        let first = slot.state.opened.is_none();
        if first || slot.gap {
            slot.state.opened = Some(at);
        }
        slot.heard = true;
        let missed = slot.gap;
        self.transaction.sources.push((source.clone(), slot.state.clone()));
        for (mapping, side) in self.covered(&source) {
            if !self.mappings[mapping].loaded[side] {
                self.start(mapping, side, JobKind::Load, None, None);
            }
        }
        if missed {
            self.reconcile_gaps(&source);
        }
    }

    /// The sides of mappings that a source tells of.
    fn covered(&self, source: &SourceId) -> Vec<(MappingIndex, Side)> {
        let mut covered = Vec::new();
        for (index, mapping) in self.plan.mappings.iter().enumerate() {
            for side in Side::BOTH {
                let end = &mapping.ends[side];
                if end.style != Style::Conditional && source.covers(&end.connection, &end.entity) {
                    covered.push((index, side));
                }
            }
        }
        covered
    }

    /// The mappings that show fields of a parent that is heard on a source and that no mapping keeps itself.
    fn children_of(&self, source: &SourceId) -> Vec<MappingIndex> {
        let parents = |mapping: &crate::sync::Mapping| {
            let end = &mapping.ends[Side::Left];
            let mut paths = mapping.fields.iter().filter_map(|pair| pair.path.as_ref());
            paths.any(|path| source.covers(&end.connection, &path.parent))
        };
        if !self.covered(source).is_empty() {
            return Vec::new();
        }
        let mappings = self.plan.mappings.iter().enumerate();
        mappings.filter(|(_, mapping)| parents(mapping)).map(|(index, _)| index).collect()
    }

    /// A source lost its place.
    pub(super) fn lost(&mut self, source: &SourceId, reason: &str) {
        let slot = self.sources.entry(source.clone()).or_default();
        slot.gap = true;
        slot.state.position = None;
        let from = slot.state.committed.max(slot.state.opened);
        for (mapping, side) in self.covered(source) {
            self.doubt_creates(mapping, side);
            if reason == MADE_ANEW {
                self.made_anew(mapping, side);
            }
        }
        let slot = self.sources.entry(source.clone()).or_default();
        self.transaction.sources.push((source.clone(), slot.state.clone()));
        let entity = if source.channel == "*" { String::new() } else { source.channel.clone() };
        self.open_gap(&source.connection.clone(), entity, from, reason);
        self.hold_to_rows();
    }

    fn open_gap(&mut self, connection: &str, entity: String, from: Option<Timestamp>, reason: &str) -> u64 {
        let open = self.gaps.values().find(|gap| gap.connection == connection && gap.entity == entity);
        if let Some(gap) = open {
            return gap.id;
        }
        self.last_gap += 1;
        let gap = Gap {
            id: self.last_gap,
            connection: connection.to_owned(),
            entity,
            from,
            noticed: self.now,
            reason: reason.to_owned(),
            done: String::new(),
            closed: None,
        };
        self.transaction.gaps.push(gap.clone());
        self.gaps.insert(gap.id, gap);
        self.last_gap
    }

    /// Reads what may have been missed: a window of changes with the deletes, or everything where no window is known.
    fn reconcile_gaps(&mut self, source: &SourceId) {
        let margin = SignedDuration::try_from(self.settings.margin).unwrap_or_default();
        let gaps: Vec<(u64, Option<Timestamp>)> = self
            .gaps
            .values()
            .filter(|gap| gap.connection == source.connection)
            .filter(|gap| {
                gap.entity.is_empty() || source.channel == "*" || gap.entity.eq_ignore_ascii_case(&source.channel)
            })
            .map(|gap| (gap.id, gap.from.and_then(|from| from.checked_sub(margin).ok())))
            .collect();
        for (gap, since) in gaps {
            if self.settings.faulty(Mutation::NoReconcile) {
                self.close_gap(Some(gap), 0, 0);
                continue;
            }
            let mut started = false;
            for (mapping, side) in self.covered(source) {
                let compared = self.mapping(mapping).ends[side].style == Style::Compared;
                // A database keeps no stamps: everything is read.
                let since = since.filter(|_| !compared);
                let kind = if self.is_recovering(mapping, side) { JobKind::Recover } else { JobKind::Reconcile };
                self.start(mapping, side, kind, since, Some(gap));
                started = true;
            }
            for mapping in self.children_of(source) {
                // Which children show a parent that changed unheard, their stamps do not tell.
                self.start(mapping, Side::Left, JobKind::Reconcile, None, Some(gap));
                started = true;
            }
            if !started {
                self.close_gap(Some(gap), 0, 0);
            }
        }
    }

    /// Something happened to records that the source cannot name: all of the entity is compared.
    pub(super) fn entity_gap(&mut self, entry: &Entry) {
        let news = &entry.news;
        let gap = self.open_gap(
            &news.connection.clone(),
            news.entity.clone(),
            None,
            "the source could not tell which records changed",
        );
        self.hold_to_rows();
        for (mapping, side) in self.ends_for(&news.connection, &news.entity) {
            self.doubt_creates(mapping, side);
            if self.settings.faulty(Mutation::NoReconcile) {
                continue;
            }
            self.start(mapping, side, JobKind::Reconcile, None, Some(gap));
        }
    }

    /// A record that is being made has no key to be compared: it may be gone by the time that its key is known, and is
    /// read then.
    fn doubt_creates(&mut self, mapping: MappingIndex, side: Side) {
        for id in self.cache.being_made(mapping, side) {
            self.with(id, |link, _| link.reread[side] = Some(Reread::News));
        }
    }

    fn ends_for(&self, connection: &str, entity: &str) -> Vec<(MappingIndex, Side)> {
        let any = entity.is_empty() || entity == "*";
        let mut ends = Vec::new();
        for (index, mapping) in self.plan.mappings.iter().enumerate() {
            for side in Side::BOTH {
                let end = &mapping.ends[side];
                if end.connection == connection && (any || end.entity.eq_ignore_ascii_case(entity)) {
                    ends.push((index, side));
                }
            }
        }
        ends
    }

    /// A gap is closed when every job that makes up for it is done.
    pub(super) fn close_gap(&mut self, gap: Option<u64>, rows: u64, found: u64) {
        let Some(id) = gap else { return };
        let open = self.jobs.values().any(|running| running.job.gap == Some(id));
        let Some(gap) = self.gaps.get_mut(&id) else { return };
        let note = format!("read {rows} rows, {found} were missing");
        gap.done = if gap.done.is_empty() { note } else { format!("{}; {note}", gap.done) };
        if !open {
            gap.closed = Some(self.now);
        }
        self.transaction.gaps.push(gap.clone());
        if open {
            return;
        }
        self.gaps.remove(&id);
        for (source, slot) in &mut self.sources {
            slot.gap &= self.gaps.values().any(|gap| source.covers(&gap.connection, &gap.entity));
        }
    }

    /// Somebody says that a record is gone: it is asked for by its key before that is believed.
    pub(super) fn confirm_absence(&mut self, mapping: MappingIndex, side: Side, key: Key) {
        match self.cache.lookup(mapping, side, &key) {
            Lookup::Link(id) => {
                let gone = self.cache.get(id).is_some_and(|link| link.presence[side] != crate::sync::Presence::Present);
                if self.is_recovering(mapping, side) {
                    self.bring_back(mapping, side, &key);
                } else if !gone {
                    self.with(id, |link, _| link.reread[side] = Some(Reread::News));
                }
            }
            Lookup::Absent => {}
            Lookup::Unloaded => {
                self.needs.by_key.insert((mapping, side, key.clone()));
                self.needs.absences.push((mapping, side, key));
            }
        }
    }

    /// Keys that a system has: a record that nobody knows is read.
    pub(super) fn find_unknown(&mut self, mapping: MappingIndex, side: Side, keys: Vec<Key>) {
        let told = self.now;
        self.queue.extend(keys.into_iter().map(|key| Item::Key { mapping, side, key, told }));
    }

    /// What was looked up is known now.
    pub(super) fn looked_up(&mut self) {
        for (mapping, side, key) in std::mem::take(&mut self.needs.absences) {
            self.confirm_absence(mapping, side, key);
        }
    }
}

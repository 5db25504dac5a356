//! What was told, in order: changes from the journal and rows from reads, each to its link.

use jiff::Timestamp;

use super::{
    Shard, Source,
    cache::Lookup,
    carried::{Carrier, Claim},
    running::JobId,
};
use crate::sync::{
    Delivery, Effect, Entry, Fate, Key, Link, LinkId, MappingIndex, Mutation, NewsKind, Presence, Reread, Row, Side,
    Stored, Style, record::RowUse,
};

/// Something told and not decided.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// A change.
    Entry(Box<Entry>),
    /// A row that was read.
    Row(Box<ReadRow>),
    /// A record that was asked for and is not there.
    NotThere { id: LinkId, side: Side, clock: u64 },
    /// A record that a system listed at this time.
    Key { mapping: MappingIndex, side: Side, key: Key, told: Timestamp },
}

impl Item {
    /// When it was asked for, by the count of writes, if it is the answer to a question.
    pub(super) const fn clock(&self) -> Option<u64> {
        match self {
            Self::Row(read) => Some(read.clock),
            Self::NotThere { clock, .. } => Some(*clock),
            Self::Entry(_) | Self::Key { .. } => None,
        }
    }
}

/// A row that was read, with when it was asked for.
#[derive(Debug, Clone)]
pub(super) struct ReadRow {
    pub(super) mapping: MappingIndex,
    pub(super) side: Side,
    pub(super) row: Row,
    /// How many writes had left when it was asked for.
    pub(super) clock: u64,
    pub(super) server: Option<Timestamp>,
    /// When it was answered.
    pub(super) told: Timestamp,
    /// The job that read it, and its page.
    pub(super) job: Option<(JobId, u64)>,
    /// Only some fields were read.
    pub(super) partial: bool,
    /// The link whose other key it carries was read anew for it.
    pub(super) doubted: bool,
}

/// What has to be asked for before an item can be decided.
#[derive(Debug, Default)]
struct Missing {
    /// Keys that nobody has looked up.
    keys: Vec<(MappingIndex, Side, Key)>,
    /// A link that is not here.
    link: Option<LinkId>,
}

impl Missing {
    const fn is_nothing(&self) -> bool {
        self.keys.is_empty() && self.link.is_none()
    }
}

/// So many entries are held in memory; more wait in the journal.
pub(super) const QUEUE: usize = 5_000;

/// The links of so many items are asked for at once.
const AHEAD: usize = 4_000;

impl Shard {
    /// Journals what was heard. It is acknowledged and decided when it is durable.
    pub(super) fn heard(&mut self, delivery: Delivery) {
        let Delivery { source, news, position, committed } = delivery;
        let identities: Vec<String> = news.iter().map(|news| news.identity.clone()).collect();
        for news in news {
            self.last_place += 1;
            self.transaction.heard.push(Entry { place: self.last_place, heard: self.now, news });
        }
        let slot: &mut Source = self.sources.entry(source.clone()).or_default();
        slot.heard = true;
        slot.state.position = position.or(slot.state.position.take());
        slot.state.committed = committed.max(slot.state.committed);
        self.transaction.sources.push((source.clone(), slot.state.clone()));
        let acknowledge = Effect::Acknowledge { source, identities };
        if self.settings.faulty(Mutation::AcknowledgeBeforeJournal) {
            self.effects.push_back(acknowledge);
        } else {
            self.after.push(acknowledge);
        }
    }

    /// Takes changes that are durable into the queue, unless older ones wait in the journal or there are too many.
    pub(super) fn enqueue(&mut self, entries: impl Iterator<Item = Entry>) {
        for entry in entries {
            match self.backlog {
                Some(_) => self.needs.fresh.push(entry),
                None if self.queue.len() >= QUEUE => self.backlog = Some(entry.place - 1),
                None => self.queue.push_back(Item::Entry(Box::new(entry))),
            }
        }
    }

    /// Decides what can be decided: all whose links are known. Whether anything was.
    pub(super) fn take_items(&mut self) -> bool {
        if self.needs.is_starting() {
            return false;
        }
        let mut taken = 0;
        while taken < self.settings.step
            && let Some(item) = self.queue.front()
        {
            if !self.missing(item).is_nothing() {
                self.look_ahead();
                break;
            }
            let Some(item) = self.queue.pop_front() else { break };
            self.take_item(item);
            taken += 1;
        }
        taken > 0
    }

    /// Asks for what the next items need: one question instead of many. While one is open, nothing is asked twice.
    fn look_ahead(&mut self) {
        if self.needs.is_asking() {
            return;
        }
        let missing: Vec<Missing> = self.queue.iter().take(AHEAD).map(|item| self.missing(item)).collect();
        for Missing { keys, link } in missing {
            self.needs.by_key.extend(keys);
            self.needs.by_id.extend(link);
        }
    }

    /// What has to be asked for before an item can be decided.
    fn missing(&self, item: &Item) -> Missing {
        let mut missing = Missing::default();
        let mut want = |mapping, side, key: &Key| {
            if self.cache.lookup(mapping, side, key) == Lookup::Unloaded {
                missing.keys.push((mapping, side, key.clone()));
            }
        };
        match item {
            Item::Entry(entry) => {
                let merged = match &entry.news.kind {
                    NewsKind::Delete { merged_into } => merged_into.as_ref(),
                    _ => None,
                };
                for (mapping, side) in self.ends_of(entry) {
                    entry.news.key.iter().chain(merged).for_each(|key| want(mapping, side, key));
                    let carried =
                        entry.news.key.iter().filter_map(|key| self.may_belong(mapping, side, key, &entry.news.values));
                    carried.for_each(|key| want(mapping, side.other(), &key));
                    self.each_reference(mapping, side, &entry.news.values, &mut want);
                }
            }
            Item::Row(read) => {
                let keys = std::iter::once(&read.row.key).chain(&read.row.merged_into);
                keys.for_each(|key| want(read.mapping, read.side, key));
                let carried = self.may_belong(read.mapping, read.side, &read.row.key, &read.row.values);
                carried.iter().for_each(|key| want(read.mapping, read.side.other(), key));
                self.each_reference(read.mapping, read.side, &read.row.values, &mut want);
            }
            Item::Key { mapping, side, key, .. } => want(*mapping, *side, key),
            Item::NotThere { id, .. } => missing.link = Some(*id).filter(|id| self.cache.get(*id).is_none()),
        }
        missing
    }

    /// The parents that values point to.
    fn each_reference(
        &self,
        mapping: MappingIndex,
        side: Side,
        values: &[(String, Stored)],
        mut tell: impl FnMut(MappingIndex, Side, &Key),
    ) {
        for pair in &self.mapping(mapping).fields {
            let Some(reference) = pair.reference else { continue };
            let value = values.iter().find(|(name, _)| name.eq_ignore_ascii_case(&pair.names[side]));
            if let Some(key) = value.and_then(|(_, value)| value.as_key()) {
                tell(reference.mapping, side, &key);
            }
        }
    }

    /// The mappings and sides that an entry concerns.
    fn ends_of(&self, entry: &Entry) -> Vec<(MappingIndex, Side)> {
        let news = &entry.news;
        let mappings = self.plan.mappings.iter().enumerate();
        mappings
            .flat_map(|(index, mapping)| {
                mapping.sides_of(&news.connection, &news.entity).map(move |side| (index, side))
            })
            .collect()
    }

    fn take_item(&mut self, item: Item) {
        match item {
            Item::Entry(entry) => self.take_entry(*entry),
            Item::Row(read) => self.take_row(*read),
            Item::NotThere { id, side, clock } => self.take_absence(id, side, clock),
            Item::Key { mapping, side, key, told } => self.take_key(mapping, side, key, told),
        }
    }

    fn take_entry(&mut self, entry: Entry) {
        self.claim_loose(&entry);
        if self.is_deferred(&entry) || self.claim_entry(&entry) == Claim::Wait {
            self.deferred_keys.extend(entry.news.key.clone());
            self.deferred.push(Item::Entry(Box::new(entry)));
            return;
        }
        self.counts.changes += 1;
        self.transaction.decided.push(entry.place);
        self.fan_out(&entry);
        if entry.news.key.is_none() {
            self.entity_gap(&entry);
            return;
        }
        for (mapping, side) in self.ends_of(&entry) {
            self.shows_again(mapping, side, &entry.news.values);
            self.take_change(&entry, mapping, side);
        }
    }

    fn take_change(&mut self, entry: &Entry, mapping: MappingIndex, side: Side) {
        let Some(key) = &entry.news.key else { return };
        let id = match self.cache.lookup(mapping, side, key) {
            Lookup::Link(id) => id,
            _ if matches!(entry.news.kind, NewsKind::Delete { .. }) => return,
            _ => self.new_link(mapping, side, key.clone()),
        };
        if let NewsKind::Delete { merged_into: Some(winner) } = &entry.news.kind
            && self.cache.lookup(mapping, side, winner) == Lookup::Absent
        {
            let winner = winner.clone();
            self.with(id, |link, scope| link.merged_into(scope, side, &winner));
            return;
        }
        let shard = self.number;
        let matched = self.cache.match_text(id, side).map(str::to_owned);
        let unclear = self.with(id, |link, scope| {
            let partial = link.presence[side] == Presence::Absent && !matches!(entry.news.kind, NewsKind::Create);
            let asked = link.reread[side].take();
            link.hear(scope, side, entry, shard);
            if partial && link.presence[side] == Presence::Present {
                // The first that is heard of it: the rest of the record is read.
                link.reread[side] = Some(Reread::News);
            }
            let unclear = link.reread[side].is_some();
            link.reread[side] = link.reread[side].or(asked);
            unclear
        });
        if unclear == Some(true) || self.mapping(mapping).ends[side].style == Style::Compared {
            // A row that was asked for before may be older than what was heard, and a database's row does not tell.
            self.cache.not_before(id, side, self.writes_left);
        }
        self.match_anew(id, matched.as_deref(), side);
        if entry.news.kind == NewsKind::Gap {
            self.hold_to_rows();
        }
    }

    /// Gives the record of a change to the link whose other key it carries.
    fn claim_entry(&mut self, entry: &Entry) -> Claim {
        let news = &entry.news;
        let told = matches!(news.kind, NewsKind::Create | NewsKind::Update);
        let Some(key) = news.key.as_ref().filter(|_| told) else { return Claim::Itself };
        for (mapping, side) in self.ends_of(entry) {
            let tag = news.origin.filter(|tag| tag.shard == self.number);
            // Changes come in their order: what came before it of another record is known.
            let carrier = Carrier { mapping, side, key, values: &news.values, tag, ours: false, doubted: true };
            if self.claim(&carrier) == Claim::Wait {
                return Claim::Wait;
            }
        }
        Claim::Itself
    }

    /// A create that was given up landed after all: the record is the one that it was to make.
    fn claim_loose(&mut self, entry: &Entry) {
        let (Some(tag), Some(key)) = (entry.news.origin, &entry.news.key) else { return };
        if entry.news.kind != NewsKind::Create || tag.shard != self.number {
            return;
        }
        for (mapping, side) in self.ends_of(entry) {
            if self.mapping(mapping).ends[side].external_id.is_some() {
                // What the record carries tells for whom it was made.
                continue;
            }
            let loose = self.cache.loose(mapping, side, tag);
            let Some(id) = loose.filter(|_| self.cache.lookup(mapping, side, key) == Lookup::Absent) else { continue };
            let flying = self.cache.get(id).is_none_or(|link| link.flight[side].is_some());
            if !flying {
                self.with(id, |link, _| {
                    link.keys[side] = Some(key.clone());
                    link.loose[side].clear();
                    link.loosed[side] = None;
                    if link.presence[side.other()] == Presence::Deleted && link.fate == Fate::Gone {
                        link.fate = Fate::Follow { deleted: side.other(), at: None };
                    }
                });
            }
        }
    }

    /// A change of a record that is not known while a write that may be making it has no answer yet: it waits for that,
    /// and what follows on the same record with it.
    fn is_deferred(&self, entry: &Entry) -> bool {
        let news = &entry.news;
        let same_key = news.key.as_ref().is_some_and(|key| self.deferred_keys.contains(key));
        let behind = same_key
            && self.deferred.iter().any(|item| match item {
                Item::Entry(deferred) => {
                    deferred.news.key == news.key
                        && deferred.news.connection == news.connection
                        && deferred.news.entity == news.entity
                }
                Item::Row(_) | Item::NotThere { .. } | Item::Key { .. } => false,
            });
        let ours = news.origin.filter(|tag| tag.shard == self.number && !self.settings.faulty(Mutation::NoTag));
        // A record that was merged away goes into one that may be being made.
        let key = match &news.kind {
            NewsKind::Delete { merged_into } => merged_into,
            NewsKind::Create if ours.is_none() => &None,
            _ => &news.key,
        };
        let Some(key) = key.as_ref().filter(|_| !behind) else { return behind };
        let ends = self.ends_of(entry);
        let mut unknown =
            ends.iter().filter(|(mapping, side)| self.cache.lookup(*mapping, *side, key) == Lookup::Absent);
        unknown.any(|(mapping, side)| self.cache.may_be_ours(*mapping, *side, entry.heard))
    }

    /// A write was answered or found out: what waited for it is looked at again, before anything newer.
    pub(super) fn release_deferred(&mut self) {
        self.deferred_keys.clear();
        for item in std::mem::take(&mut self.deferred).into_iter().rev() {
            self.queue.push_front(item);
        }
    }

    /// A record that nobody knows is read.
    fn take_key(&mut self, mapping: MappingIndex, side: Side, key: Key, told: Timestamp) {
        if self.cache.lookup(mapping, side, &key) != Lookup::Absent {
            return;
        }
        if self.cache.may_be_ours(mapping, side, told) {
            self.deferred.push(Item::Key { mapping, side, key, told });
            return;
        }
        let id = self.new_link(mapping, side, key);
        self.with(id, |link, _| link.reread[side] = Some(Reread::News));
    }

    pub(super) fn new_link(&mut self, mapping: MappingIndex, side: Side, key: String) -> LinkId {
        self.last_link += 1;
        let mut link = Link::new(self.last_link, mapping, self.mapping(mapping).fields.len());
        link.keys[side] = Some(key);
        self.cache.insert(link, &self.plan);
        self.last_link
    }

    /// Gives a row to the link whose other key it carries. Whether it has to wait for what is known of that.
    fn claim_row(&mut self, read: &ReadRow) -> bool {
        let ReadRow { mapping, side, ref row, doubted, .. } = *read;
        let (key, values, ours) = (&row.key, &row.values, row.foreign_at.is_none());
        let claim = self.claim(&Carrier { mapping, side, key, values, tag: None, ours, doubted });
        let doubted = doubted || claim == Claim::Doubt;
        if claim != Claim::Itself {
            self.deferred.push(Item::Row(Box::new(ReadRow { doubted, ..read.clone() })));
        }
        claim != Claim::Itself
    }

    /// Whether a row has to wait: for a write that may be making its record, or for what is known of whose it is.
    fn waits(&mut self, read: &ReadRow) -> bool {
        let mut keys = std::iter::once(&read.row.key).chain(&read.row.merged_into);
        let unknown = keys.any(|key| self.cache.lookup(read.mapping, read.side, key) == Lookup::Absent);
        if unknown && self.cache.may_be_ours(read.mapping, read.side, read.told) {
            self.deferred.push(Item::Row(Box::new(read.clone())));
            return true;
        }
        !read.row.deleted && !read.partial && self.claim_row(read)
    }

    fn take_row(&mut self, read: ReadRow) {
        if self.waits(&read) {
            return;
        }
        let ReadRow { mapping, side, row, clock, server, told: _, job, partial, doubted: _ } = read;
        if let Some((job, page)) = &job {
            self.row_handled(job, *page);
        }
        self.shows_again(mapping, side, &row.values);
        let id = match self.cache.lookup(mapping, side, &row.key) {
            Lookup::Link(id) => id,
            _ if row.deleted || partial => return,
            _ => self.new_link(mapping, side, row.key.clone()),
        };
        let stale = self.cache.slot(id).is_some_and(|slot| {
            let flying = slot.link.flight[side].as_ref().is_some_and(|flight| !flight.unknown);
            slot.left[side] >= clock || slot.asked[side] > clock || flying
        });
        if stale && !self.settings.faulty(Mutation::StaleRead) {
            let asked = self.cache.get(id).and_then(|link| link.reread[side]);
            if asked.is_some() || job.is_some() {
                self.with(id, |link, _| link.reread[side] = asked.or(Some(Reread::News)));
            }
            return;
        }
        if let Some(winner) = row.merged_into.clone().filter(|_| row.deleted)
            && self.cache.lookup(mapping, side, &winner) == Lookup::Absent
        {
            self.with(id, |link, scope| link.merged_into(scope, side, &winner));
            return;
        }
        if partial {
            self.with(id, |link, scope| link.paths(scope, side, &row));
            self.cache.was_read(id, side, clock);
            return;
        }
        let changed = self.look(id, |link, scope| link.changed_by(scope, side, &row)).unwrap_or_default();
        let matched = self.cache.match_text(id, side).map(str::to_owned);
        let used = self.with(id, |link, scope| link.row(scope, side, &row, server));
        self.match_anew(id, matched.as_deref(), side);
        if used == Some(RowUse::Taken) {
            self.cache.was_read(id, side, clock);
            if side == Side::Left && !changed.is_empty() {
                self.fan_out_row(mapping, &row.key, &changed);
            }
        }
        let reconciled = job.is_some_and(|(job, _)| self.is_reconcile(&job));
        if reconciled {
            self.with(id, |link, scope| link.doubt(scope, side, &row));
        }
        self.read_again(id, side, used, reconciled);
        if used == Some(RowUse::Taken) {
            // What it showed of a write may leave an echo to be waited for.
            self.schedule(id);
        }
        self.release_doubted();
    }

    /// A row that does not count yet is read again.
    fn read_again(&mut self, id: LinkId, side: Side, used: Option<RowUse>, reconciled: bool) {
        let asked = self.cache.get(id).is_some_and(|link| link.reread[side].is_some());
        // Of a record that moved on since, a row may still be all that tells of what was missed.
        let again = used == Some(RowUse::Again) || used == Some(RowUse::Stale) && (asked || reconciled);
        if again {
            // Not at once: what was heard has to become visible first.
            self.with(id, |link, _| link.reread[side] = Some(link.reread[side].unwrap_or(Reread::News)));
            self.at(self.settings.margin, super::Timer::Link(id));
            self.touched.remove(&id);
        }
    }

    fn take_absence(&mut self, id: LinkId, side: Side, clock: u64) {
        let Some(slot) = self.cache.slot(id) else { return };
        let flying = slot.link.flight[side].as_ref().is_some_and(|flight| !flight.unknown);
        if slot.left[side] >= clock || flying {
            // It was asked for too early: if it is still wanted, once more.
            self.touched.insert(id);
            return;
        }
        if self.is_recovering(slot.link.mapping, side) {
            self.with(id, |link, scope| link.vanish(scope, side));
        } else {
            self.with(id, |link, scope| link.not_there(scope, side));
        }
        self.release_deferred();
    }
}

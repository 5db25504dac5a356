//! One shard in memory.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::time::Instant;
use tombolo_engine::sync::{
    Command, Conflict, DeadLetter, Entry, Gap, History, Job, Key, LinkId, LinkRow, Load, Loaded, MappingIndex,
    MappingState, Side, SourceId, SourceState, Start, Transaction,
};

use super::super::{
    Counts, Lease, Standing, Status,
    load::MOST_MATCHES,
    row::{half, present},
};
use crate::{Error, Result};

/// The state of one shard.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) epoch: u64,
    pub(super) holder: Option<(String, Instant)>,
    pub(super) last: [u64; 3],
    /// What was heard, and whether it is decided; by identity the place.
    pub(super) journal: BTreeMap<u64, (Entry, bool)>,
    pub(super) identities: BTreeMap<(String, String), u64>,
    pub(super) links: BTreeMap<LinkId, LinkRow>,
    /// Links by what they are found by.
    index: BTreeMap<Handle, BTreeSet<LinkId>>,
    pub(super) history: BTreeMap<LinkId, Vec<Told>>,
    pub(super) conflicts: BTreeMap<String, Conflict>,
    pub(super) dead_letters: BTreeMap<(LinkId, Side), DeadLetter>,
    pub(super) gaps: BTreeMap<u64, Gap>,
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) sources: BTreeMap<SourceId, SourceState>,
    pub(super) mappings: BTreeMap<MappingIndex, MappingState>,
    pub(super) commands: BTreeMap<u64, Command>,
    pub(super) standings: BTreeMap<String, Standing>,
}

/// A step, when it was done, and where it stood in its transaction.
type Told = ((Timestamp, usize), History);

/// What a link is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Handle {
    Key(MappingIndex, Side, Key),
    Match(MappingIndex, Side, String),
    Parked(MappingIndex, Side, Key),
}

fn handles(row: &LinkRow) -> impl Iterator<Item = Handle> {
    let link = &row.link;
    let parked = link.parked.iter().map(|parked| {
        let (mapping, side, key) = parked.parent.clone();
        Handle::Parked(mapping, side, key)
    });
    let keys =
        Side::BOTH.into_iter().filter_map(|side| Some(Handle::Key(link.mapping, side, link.keys[side].clone()?)));
    let matches =
        Side::BOTH.into_iter().filter_map(|side| Some(Handle::Match(link.mapping, side, row.matches[side].clone()?)));
    parked.chain(keys).chain(matches)
}

impl Shard {
    pub(super) fn is_held_by(&self, lease: &Lease) -> bool {
        self.epoch == lease.epoch && self.holder.as_ref().is_some_and(|(holder, _)| *holder == lease.holder)
    }

    /// All of it, or nothing.
    pub(super) fn put(&mut self, transaction: &Transaction) -> Result<Vec<u64>> {
        self.check(transaction)?;
        let known = self.hear(transaction);
        self.put_links(transaction);
        self.put_records(transaction);
        self.put_standing(transaction);
        Ok(known)
    }

    fn hear(&mut self, transaction: &Transaction) -> Vec<u64> {
        let mut known = Vec::new();
        for entry in &transaction.heard {
            let identity = (entry.news.connection.clone(), entry.news.identity.clone());
            match self.identities.get(&identity) {
                Some(place) if *place == entry.place => {}
                Some(_) => known.push(entry.place),
                None => {
                    self.identities.insert(identity, entry.place);
                    self.journal.insert(entry.place, (entry.clone(), false));
                }
            }
            self.last[1] = self.last[1].max(entry.place);
        }
        for place in &transaction.decided {
            if let Some((_, decided)) = self.journal.get_mut(place) {
                *decided = true;
            }
        }
        known
    }

    /// Whether the places and keys of these entries and links would be nobody else's.
    fn check(&self, transaction: &Transaction) -> Result<()> {
        for entry in &transaction.heard {
            let other = self.journal.get(&entry.place).is_some_and(|(known, _)| {
                (&known.news.connection, &known.news.identity) != (&entry.news.connection, &entry.news.identity)
            });
            if other {
                return Err(Error::failed("two changes have one place in the journal"));
            }
        }
        let last: BTreeMap<LinkId, &LinkRow> = transaction.links.iter().map(|row| (row.link.id, row)).collect();
        let mut taken = BTreeSet::new();
        for (id, row) in last.iter().filter(|(id, _)| !transaction.forgotten.contains(id)) {
            for handle in handles(row).filter(|handle| matches!(handle, Handle::Key(..))) {
                let others = self.index.get(&handle).into_iter().flatten();
                let kept = |other: &&LinkId| !last.contains_key(other) && !transaction.forgotten.contains(other);
                if others.filter(kept).any(|other| other != id) || !taken.insert(handle) {
                    return Err(Error::failed("two links have one key"));
                }
            }
        }
        Ok(())
    }

    fn put_links(&mut self, transaction: &Transaction) {
        let forgotten: BTreeSet<LinkId> = transaction.forgotten.iter().copied().collect();
        for id in &forgotten {
            self.remove(*id);
        }
        if !forgotten.is_empty() {
            self.history.retain(|link, _| !forgotten.contains(link));
            self.conflicts.retain(|_, conflict| !forgotten.contains(&conflict.link));
            self.dead_letters.retain(|(link, _), _| !forgotten.contains(link));
        }
        for row in &transaction.links {
            let id = row.link.id;
            self.last[0] = self.last[0].max(id);
            if !forgotten.contains(&id) {
                self.remove(id);
                for handle in handles(row) {
                    self.index.entry(handle).or_default().insert(id);
                }
                self.links.insert(id, row.clone());
            }
        }
        self.last[0] = forgotten.last().map_or(self.last[0], |id| self.last[0].max(*id));
    }

    fn remove(&mut self, id: LinkId) {
        let Some(row) = self.links.remove(&id) else { return };
        for handle in handles(&row) {
            if let Some(links) = self.index.get_mut(&handle) {
                links.remove(&id);
            }
        }
    }

    fn put_records(&mut self, transaction: &Transaction) {
        let there = |link: &LinkId| !transaction.forgotten.contains(link);
        for (ordinal, step) in transaction.history.iter().enumerate().filter(|(_, step)| there(&step.link)) {
            // A commit that is repeated says the same again.
            let steps = self.history.entry(step.link).or_default();
            let place = (step.at, ordinal);
            if !steps.iter().any(|(known, said)| *known == place && said == step) {
                steps.push((place, step.clone()));
            }
        }
        for conflict in transaction.conflicts.iter().filter(|conflict| there(&conflict.link)) {
            self.conflicts.insert(conflict.id.clone(), conflict.clone());
        }
        for delivered in &transaction.delivered {
            self.dead_letters.remove(delivered);
        }
        for letter in transaction.dead_letters.iter().filter(|letter| there(&letter.link)) {
            self.dead_letters.insert((letter.link, letter.side), letter.clone());
        }
        for gap in &transaction.gaps {
            self.last[2] = self.last[2].max(gap.id);
            self.gaps.insert(gap.id, gap.clone());
        }
    }

    fn put_standing(&mut self, transaction: &Transaction) {
        for (name, job) in &transaction.jobs {
            match job {
                Some(job) => drop(self.jobs.insert(name.clone(), job.clone())),
                None => drop(self.jobs.remove(name)),
            }
        }
        self.sources.extend(transaction.sources.iter().cloned());
        self.mappings.extend(transaction.mappings.iter().cloned());
        self.commands.retain(|number, _| !transaction.commands.contains(number));
    }

    pub(super) fn start(&self, lease: &Lease) -> Start {
        Start {
            shard: lease.shard,
            epoch: lease.epoch,
            last_link: self.last[0],
            last_place: self.last[1],
            last_gap: self.last[2],
            active: self.links.iter().filter(|(_, row)| row.active).map(|(id, _)| *id).collect(),
            sources: pairs(&self.sources),
            jobs: pairs(&self.jobs),
            gaps: self.gaps.values().filter(|gap| gap.closed.is_none()).cloned().collect(),
            mappings: pairs(&self.mappings),
        }
    }

    fn found(&self, handle: Handle) -> impl Iterator<Item = LinkId> + use<'_> {
        self.index.get(&handle).into_iter().flatten().copied()
    }

    pub(super) fn load(&self, load: &Load) -> Loaded {
        let mut loaded = Loaded::default();
        for (mapping, side, text) in &load.by_match {
            let matching = self.found(Handle::Match(*mapping, *side, text.clone()));
            loaded.by_match.push(matching.take(MOST_MATCHES).collect());
        }
        for (mapping, side, key) in &load.parked_on {
            loaded.parked_on.push(self.found(Handle::Parked(*mapping, *side, key.clone())).collect());
        }
        if let Some((behind, limit)) = load.journal {
            let undecided = self.journal.range(behind + 1..).filter(|(_, (_, decided))| !decided);
            loaded.journal = undecided.take(limit).map(|(_, (entry, _))| entry.clone()).collect();
        }
        if let Some((mapping, side, behind, limit)) = &load.keys {
            let there = self.links.values().filter(|row| row.link.mapping == *mapping && present(&row.link, *side));
            let keys: BTreeSet<_> = there.filter_map(|row| row.link.keys[*side].clone()).collect();
            loaded.keys = keys.into_iter().filter(|key| behind.as_ref().is_none_or(|behind| key > behind)).collect();
            loaded.keys.truncate(*limit);
        }
        if let Some((mapping, side, behind, limit)) = load.halves {
            let rows = self.links.range(behind + 1..);
            let halves = rows.filter(|(_, row)| row.link.mapping == mapping && half(&row.link) == Some(side));
            loaded.halves = halves.map(|(id, _)| *id).take(limit).collect();
        }
        let keyed = |(mapping, side, key): &(MappingIndex, Side, Key)| Handle::Key(*mapping, *side, key.clone());
        let mut found: BTreeSet<LinkId> = load.by_key.iter().flat_map(|key| self.found(keyed(key))).collect();
        found
            .extend(loaded.by_match.iter().chain(&loaded.parked_on).flatten().chain(&loaded.halves).chain(&load.by_id));
        loaded.links = found.iter().filter_map(|id| self.links.get(id)).map(|row| row.link.clone()).collect();
        loaded
    }

    pub(super) fn status(&self) -> Status {
        let mut counted: BTreeMap<MappingIndex, (MappingState, Counts)> =
            self.mappings.iter().map(|(mapping, state)| (*mapping, (state.clone(), Counts::default()))).collect();
        for LinkRow { link, .. } in self.links.values() {
            let counts = &mut counted.entry(link.mapping).or_default().1;
            match Side::BOTH.map(|side| present(link, side)) {
                [true, true] => counts.linked += 1,
                [true, false] => counts.half[Side::Left] += 1,
                [false, true] => counts.half[Side::Right] += 1,
                [false, false] => {}
            }
        }
        for conflict in self.conflicts.values().filter(|conflict| conflict.winner.is_none()) {
            counted.entry(conflict.mapping).or_default().1.conflicts += 1;
        }
        for letter in self.dead_letters.values() {
            counted.entry(letter.mapping).or_default().1.dead_letters[letter.side] += 1;
        }
        let waiting = self.journal.values().filter(|(_, decided)| !decided).map(|(entry, _)| entry.heard);
        let (now, moment) = (Instant::now(), Timestamp::now());
        let until = |until: Instant| {
            let left = until.saturating_duration_since(now);
            let gone = now.saturating_duration_since(until);
            (moment + left) - gone
        };
        Status {
            holder: self.holder.as_ref().map(|(holder, at)| (holder.clone(), until(*at))),
            epoch: self.epoch,
            mappings: counted.into_iter().map(|(mapping, (state, counts))| (mapping, state, counts)).collect(),
            sources: pairs(&self.sources),
            jobs: pairs(&self.jobs),
            waiting: waiting.clone().count() as u64,
            oldest: waiting.min(),
            active: self.links.values().filter(|row| row.active).count() as u64,
            budgets: Vec::new(),
        }
    }

    /// Old records, kind by kind, until so many are gone.
    pub(super) fn prune(&mut self, before: Timestamp, limit: usize) -> usize {
        let old = |(entry, decided): &(Entry, bool)| *decided && entry.heard < before;
        let places = self.journal.iter().filter(|(_, row)| old(row)).map(|(place, _)| *place);
        let places: Vec<u64> = places.take(limit).collect();
        let mut left = limit - places.len();
        for place in places {
            if let Some((entry, _)) = self.journal.remove(&place) {
                self.identities.remove(&(entry.news.connection, entry.news.identity));
            }
        }
        let mut may_go = |old: bool| {
            let goes = old && left > 0;
            left -= usize::from(goes);
            !goes
        };
        for steps in self.history.values_mut() {
            steps.retain(|(_, step)| may_go(step.at < before));
        }
        self.conflicts.retain(|_, conflict| may_go(conflict.winner.is_some() && conflict.at < before));
        self.gaps.retain(|_, gap| may_go(gap.closed.is_some_and(|closed| closed < before)));
        limit - left
    }
}

pub(super) fn pairs<K: Clone, V: Clone>(map: &BTreeMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

//! The state store: what the contract of `Transaction`, `Load` and `Start` says, in memory.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tombolo_engine::sync::{
    Conflict, DeadLetter, Entry, Gap, Job, Key, Ledger, Link, LinkId, LinkRow, Load, Loaded, MappingIndex,
    MappingState, Presence, Side, SourceId, SourceState, Start, Transaction,
};

/// The durable state of a shard.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// The epoch of the present holder.
    pub epoch: u64,
    /// Links, by number.
    pub links: BTreeMap<LinkId, LinkRow>,
    /// Where sources stand.
    pub sources: BTreeMap<SourceId, SourceState>,
    /// Conflicts, by number.
    pub conflicts: BTreeMap<String, Conflict>,
    /// Dead letters.
    pub dead_letters: BTreeMap<(LinkId, Side), DeadLetter>,
    /// Every dead letter there ever was.
    pub dead_ever: Vec<DeadLetter>,
    /// The links that ever had a key.
    pub ever: BTreeMap<(MappingIndex, Side, Key), BTreeSet<LinkId>>,
    /// Gaps, by number.
    pub gaps: BTreeMap<u64, Gap>,
    /// The calls of the org that were taken.
    pub ledger: Ledger,
    /// The state of mappings.
    pub mappings: BTreeMap<MappingIndex, MappingState>,
    journal: BTreeMap<u64, Entry>,
    undecided: BTreeSet<u64>,
    identities: HashSet<(String, String)>,
    keys: BTreeMap<(MappingIndex, Side, Key), BTreeSet<LinkId>>,
    jobs: BTreeMap<String, Job>,
    last_link: LinkId,
    last_place: u64,
    last_gap: u64,
}

impl Store {
    /// Whether a change is in the journal.
    pub fn journaled(&self, connection: &str, identity: &str) -> bool {
        self.identities.contains(&(connection.to_owned(), identity.to_owned()))
    }

    /// How many entries are not decided.
    pub fn undecided(&self) -> usize {
        self.undecided.len()
    }

    /// How many jobs are not done.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Performs a transaction; says which entries were known already. `again` keeps those, too.
    pub fn commit(&mut self, transaction: Transaction, again: bool) -> Vec<u64> {
        let mut known = Vec::new();
        for entry in transaction.heard {
            self.last_place = self.last_place.max(entry.place);
            let identity = (entry.news.connection.clone(), entry.news.identity.clone());
            if !self.identities.insert(identity) && !again {
                known.push(entry.place);
                continue;
            }
            self.undecided.insert(entry.place);
            self.journal.insert(entry.place, entry);
        }
        self.sources.extend(transaction.sources);
        for place in transaction.decided {
            self.undecided.remove(&place);
        }
        self.put_links(transaction.links, &transaction.forgotten);
        self.conflicts.extend(transaction.conflicts.into_iter().map(|conflict| (conflict.id.clone(), conflict)));
        for letter in transaction.dead_letters {
            self.dead_ever.push(letter.clone());
            self.dead_letters.insert((letter.link, letter.side), letter);
        }
        for delivered in transaction.delivered {
            self.dead_letters.remove(&delivered);
        }
        for gap in transaction.gaps {
            self.last_gap = self.last_gap.max(gap.id);
            self.gaps.insert(gap.id, gap);
        }
        for (name, job) in transaction.jobs {
            match job {
                Some(job) => self.jobs.insert(name, job),
                None => self.jobs.remove(&name),
            };
        }
        self.mappings.extend(transaction.mappings);
        known
    }

    fn put_links(&mut self, rows: Vec<LinkRow>, forgotten: &[LinkId]) {
        let old = rows.iter().map(|row| row.link.id).chain(forgotten.iter().copied());
        for id in old.collect::<Vec<_>>() {
            let Some(row) = self.links.remove(&id) else { continue };
            for key in names(&row.link) {
                if let Some(ids) = self.keys.get_mut(&key) {
                    ids.remove(&id);
                }
            }
        }
        for row in rows {
            let id = row.link.id;
            self.last_link = self.last_link.max(id);
            for key in names(&row.link) {
                self.keys.entry(key.clone()).or_default().insert(id);
                self.ever.entry(key).or_default().insert(id);
            }
            self.links.insert(id, row);
        }
    }

    /// Answers a question.
    pub fn load(&self, load: &Load) -> Loaded {
        let mut found: BTreeSet<LinkId> = load.by_id.iter().copied().filter(|id| self.links.contains_key(id)).collect();
        for key in &load.by_key {
            found.extend(self.keys.get(key).into_iter().flatten());
        }
        let rows = || self.links.values();
        let mut loaded = Loaded::default();
        for (mapping, side, text) in &load.by_match {
            let matching = rows().filter(|row| row.link.mapping == *mapping);
            let ids = matching.filter(|row| row.matches[*side].as_ref() == Some(text)).map(|row| row.link.id);
            loaded.by_match.push(ids.take(3).collect());
        }
        for parent in &load.parked_on {
            let parked = rows().filter(|row| row.link.parked.as_ref().is_some_and(|parked| parked.parent == *parent));
            loaded.parked_on.push(parked.map(|row| row.link.id).collect());
        }
        found.extend(loaded.by_match.iter().chain(&loaded.parked_on).flatten());
        if let Some((behind, most)) = load.journal {
            let places = self.undecided.range(behind + 1..).take(most);
            loaded.journal = places.filter_map(|place| self.journal.get(place).cloned()).collect();
        }
        if let Some((mapping, side, after, most)) = &load.keys {
            let mut keys: Vec<Key> = rows()
                .filter(|row| row.link.mapping == *mapping && row.link.presence[*side] == Presence::Present)
                .filter_map(|row| row.link.keys[*side].clone())
                .filter(|key| after.as_ref().is_none_or(|after| key > after))
                .collect();
            keys.sort();
            keys.dedup();
            keys.truncate(*most);
            loaded.keys = keys;
        }
        if let Some((mapping, side, behind, most)) = &load.halves {
            let halves = self.links.range(behind + 1..).map(|(_, row)| &row.link).filter(|link| {
                link.mapping == *mapping && link.keys[*side].is_some() && link.keys[side.other()].is_none()
            });
            loaded.halves = halves.map(|link| link.id).take(*most).collect();
            found.extend(&loaded.halves);
        }
        loaded.links = found.iter().filter_map(|id| self.links.get(id)).map(|row| row.link.clone()).collect();
        loaded
    }

    /// The next holder's start; from here on the epoch is its.
    pub fn take_over(&mut self) -> Start {
        self.epoch += 1;
        Start {
            shard: 1,
            epoch: self.epoch,
            last_link: self.last_link,
            last_place: self.last_place,
            last_gap: self.last_gap,
            active: self.links.values().filter(|row| row.active).map(|row| row.link.id).collect(),
            sources: self.sources.iter().map(|(id, state)| (id.clone(), state.clone())).collect(),
            jobs: self.jobs.iter().map(|(name, job)| (name.clone(), job.clone())).collect(),
            gaps: self.gaps.values().filter(|gap| gap.closed.is_none()).cloned().collect(),
            mappings: self.mappings.iter().map(|(index, state)| (*index, state.clone())).collect(),
        }
    }

    /// What is not decided, in order, and the work that is not done. Of decided entries only that they were heard is
    /// ever asked, where they could come again.
    pub(crate) fn sketch(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        for entry in self.undecided.iter().filter_map(|place| self.journal.get(place)) {
            write!(out, "{entry:?}")?;
        }
        write!(out, "{:?}{}{}", self.jobs, self.last_link, self.last_gap)
    }

    /// The link that holds a key now.
    pub fn link_of(&self, mapping: MappingIndex, side: Side, key: &str) -> Option<&Link> {
        let ids = self.keys.get(&(mapping, side, key.to_owned()))?;
        ids.iter().filter_map(|id| self.links.get(id)).map(|row| &row.link).next_back()
    }

    /// Every link that ever had a key.
    pub fn links_ever(&self, mapping: MappingIndex, side: Side, key: &str) -> BTreeSet<LinkId> {
        self.ever.get(&(mapping, side, key.to_owned())).cloned().unwrap_or_default()
    }
}

fn names(link: &Link) -> Vec<(MappingIndex, Side, Key)> {
    let named = Side::BOTH.into_iter().filter_map(|side| link.keys[side].clone().map(|key| (link.mapping, side, key)));
    named.collect()
}

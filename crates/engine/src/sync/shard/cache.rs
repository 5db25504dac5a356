//! The links that are held in memory: those with something under way, and the last used others.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

use jiff::Timestamp;

use crate::sync::{
    Key, Link, LinkId, MappingIndex, Plan, Side, Tag,
    record::{References, Translation},
};

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Its link is here.
    Link(LinkId),
    /// There is no link.
    Absent,
    /// Nobody has looked.
    Unloaded,
}

/// A link in memory.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) link: Link,
    /// When the last write to each side left, or a change was heard that only a row can tell of, by the shard's count
    /// of writes: rows that were asked for before do not count.
    pub(super) left: [u64; 2],
    /// When the newest row of each side that counted was asked for, by the same count.
    pub(super) asked: [u64; 2],
    /// Whether it counts among the records of its mapping.
    pub(super) counted: bool,
    used: u64,
    matches: [Option<String>; 2],
    keys: [Option<Key>; 2],
    parked: Option<Parent>,
}

/// The parent that a link waits for.
pub(super) type Parent = (MappingIndex, Side, Key);

/// The links in memory. They are the truth of the one writer; the state store follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Cache {
    slots: HashMap<LinkId, Box<Slot>, BuildHasherDefault<Spread>>,
    by_key: [HashMap<MappingIndex, HashMap<Key, LinkId>>; 2],
    by_match: BTreeMap<(MappingIndex, Side, String), BTreeSet<LinkId>>,
    parked: HashMap<Parent, BTreeSet<LinkId>>,
    absent: BTreeMap<(MappingIndex, Side), HashSet<Key>>,
    /// Links that are being made on a side: the record may be there before its answer.
    making: BTreeSet<(MappingIndex, Side, LinkId)>,
    /// Those of them of which a sending was given up that may still land.
    loose: BTreeSet<(MappingIndex, Side, LinkId)>,
    clock: u64,
}

/// Numbers that count up need no hash that nobody can foresee, and a link is looked up some twenty times for each change.
#[derive(Debug, Clone, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

/// More keys of a side that are known to have no link are not remembered.
const ABSENT: usize = 50_000;

impl Cache {
    pub(super) fn lookup(&self, mapping: MappingIndex, side: Side, key: &str) -> Lookup {
        if let Some(id) = self.by_key[side].get(&mapping).and_then(|keys| keys.get(key)) {
            return Lookup::Link(*id);
        }
        if self.absent.get(&(mapping, side)).is_some_and(|keys| keys.contains(key)) {
            Lookup::Absent
        } else {
            Lookup::Unloaded
        }
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.slots.get(&id).map(|slot| &slot.link)
    }

    pub(super) fn slot(&self, id: LinkId) -> Option<&Slot> {
        self.slots.get(&id).map(|slot| &**slot)
    }

    /// A row of a link that was asked for then counted.
    pub(super) fn was_read(&mut self, id: LinkId, side: Side, clock: u64) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.asked[side] = slot.asked[side].max(clock);
        }
    }

    /// Rows of a link that were asked for up to then do not count.
    pub(super) fn not_before(&mut self, id: LinkId, side: Side, clock: u64) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.left[side] = slot.left[side].max(clock);
        }
    }

    /// Takes a link out to work on it. [`Cache::put`] gives it back.
    pub(super) fn take(&mut self, id: LinkId) -> Option<Box<Slot>> {
        self.slots.remove(&id)
    }

    /// Gives a link back that was not changed.
    pub(super) fn put_back(&mut self, mut slot: Box<Slot>) {
        self.clock += 1;
        slot.used = self.clock;
        self.slots.insert(slot.link.id, slot);
    }

    pub(super) fn put(&mut self, mut slot: Box<Slot>, plan: &Plan) {
        let id = slot.link.id;
        let mapping = slot.link.mapping;
        for side in Side::BOTH {
            if slot.keys[side] != slot.link.keys[side] {
                self.forget_key(mapping, side, slot.keys[side].take(), id);
                if let Some(new) = slot.link.keys[side].clone() {
                    if let Some(absent) = self.absent.get_mut(&(mapping, side)) {
                        absent.remove(&new);
                    }
                    self.by_key[side].entry(mapping).or_default().insert(new.clone(), id);
                    slot.keys[side] = Some(new);
                }
            }
            let made = (mapping, side, id);
            let making = slot.link.is_being_made(side);
            note(&mut self.making, made, making);
            note(&mut self.loose, made, making && !slot.link.loose[side].is_empty());
            let text = plan.mappings.get(mapping).and_then(|plan| slot.link.match_text(plan, side));
            if text != slot.matches[side] {
                self.unmatch(mapping, side, slot.matches[side].take(), id);
                if let Some(text) = text {
                    self.by_match.entry((mapping, side, text.clone())).or_default().insert(id);
                    slot.matches[side] = Some(text);
                }
            }
        }
        let parent = slot.link.parked.as_ref().map(|parked| &parked.parent);
        if slot.parked.as_ref() != parent {
            let parent = parent.cloned();
            self.unpark(slot.parked.take(), id);
            if let Some(parent) = parent {
                self.parked.entry(parent.clone()).or_default().insert(id);
                slot.parked = Some(parent);
            }
        }
        self.put_back(slot);
    }

    /// A key is not this link's any more; it may be another one's already.
    fn forget_key(&mut self, mapping: MappingIndex, side: Side, key: Option<Key>, id: LinkId) {
        if let (Some(key), Some(keys)) = (key, self.by_key[side].get_mut(&mapping))
            && keys.get(&key) == Some(&id)
        {
            keys.remove(&key);
        }
    }

    fn unpark(&mut self, parent: Option<Parent>, id: LinkId) {
        let Some(parent) = parent else { return };
        if let Some(links) = self.parked.get_mut(&parent) {
            links.remove(&id);
            if links.is_empty() {
                self.parked.remove(&parent);
            }
        }
    }

    /// The links in memory that wait for this parent.
    pub(super) fn parked_on(&self, parent: &Parent) -> impl Iterator<Item = LinkId> + '_ {
        self.parked.get(parent).into_iter().flatten().copied()
    }

    /// Gives a link back whose keys were another link's.
    pub(super) fn put_anew(&mut self, mut slot: Box<Slot>, plan: &Plan) {
        slot.keys = [None, None];
        slot.matches = [None, None];
        self.put(slot, plan);
    }

    fn unmatch(&mut self, mapping: MappingIndex, side: Side, text: Option<String>, id: LinkId) {
        let Some(text) = text else { return };
        let at = (mapping, side, text);
        if let Some(links) = self.by_match.get_mut(&at) {
            links.remove(&id);
            if links.is_empty() {
                self.by_match.remove(&at);
            }
        }
    }

    /// A link that was made or loaded. One that is here already is newer.
    pub(super) fn insert(&mut self, link: Link, plan: &Plan) {
        if !self.slots.contains_key(&link.id) {
            let slot = Slot {
                // A new one shows no side yet; one that was put away was counted with it.
                counted: link.is_record(),
                link,
                left: [0, 0],
                asked: [0, 0],
                used: 0,
                matches: [None, None],
                keys: [None, None],
                parked: None,
            };
            self.put(Box::new(slot), plan);
        }
    }

    /// Counts a link as the record that it is, or is not any more. By how much there are more now.
    pub(super) fn count(&mut self, id: LinkId) -> i64 {
        let Some(slot) = self.slots.get_mut(&id) else { return 0 };
        let before = std::mem::replace(&mut slot.counted, slot.link.is_record());
        i64::from(slot.counted) - i64::from(before)
    }

    pub(super) fn is_absent(&mut self, mapping: MappingIndex, side: Side, key: Key) {
        let absent = self.absent.entry((mapping, side)).or_default();
        if absent.len() >= ABSENT {
            absent.clear();
        }
        absent.insert(key);
    }

    /// The links in memory that show this match text on this side.
    pub(super) fn matching(&self, mapping: MappingIndex, side: Side, text: &str) -> impl Iterator<Item = LinkId> + '_ {
        self.by_match.get(&(mapping, side, text.to_owned())).into_iter().flatten().copied()
    }

    pub(super) fn match_text(&self, id: LinkId, side: Side) -> Option<&str> {
        self.slots.get(&id)?.matches[side].as_deref()
    }

    /// Forgets a link for good.
    pub(super) fn remove(&mut self, id: LinkId) {
        let Some(mut slot) = self.slots.remove(&id) else { return };
        let mapping = slot.link.mapping;
        for side in Side::BOTH {
            self.forget_key(mapping, side, slot.keys[side].take(), id);
            self.making.remove(&(mapping, side, id));
            self.loose.remove(&(mapping, side, id));
            self.unmatch(mapping, side, slot.matches[side].take(), id);
        }
        self.unpark(slot.parked.take(), id);
    }

    /// The links that are being made on a side.
    pub(super) fn being_made(&self, mapping: MappingIndex, side: Side) -> Vec<LinkId> {
        let of_it = self.making.range((mapping, side, 0)..=(mapping, side, LinkId::MAX));
        let flying = of_it.filter(|(.., id)| self.get(*id).is_some_and(|link| link.flight[side].is_some()));
        flying.map(|(.., id)| *id).collect()
    }

    /// Whether a record that nobody knows, told at this time, could be one that is being made.
    pub(super) fn may_be_ours(&self, mapping: MappingIndex, side: Side, told: Timestamp) -> bool {
        let of_it = self.making.range((mapping, side, 0)..=(mapping, side, LinkId::MAX));
        let mut links = of_it.filter_map(|(.., id)| self.get(*id));
        links.any(|link| {
            let flight = link.flight[side].as_ref();
            !link.loose[side].is_empty()
                || flight.is_some_and(|flight| flight.sent <= told || !flight.before.is_empty())
        })
    }

    /// The link of which a sending with this mark was given up, if there is but one.
    pub(super) fn loose(&self, mapping: MappingIndex, side: Side, tag: Tag) -> Option<LinkId> {
        let of_it = self.loose.range((mapping, side, 0)..=(mapping, side, LinkId::MAX));
        let mut links = of_it.filter_map(|(.., id)| self.get(*id)).filter(|link| link.loose[side].contains(&tag));
        links.next().filter(|_| links.next().is_none()).map(|link| link.id)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Lets go of the links used longest ago that may go, until so many are left.
    pub(super) fn shrink(&mut self, keep: usize, may_go: impl Fn(&Slot) -> bool) {
        let mut used: Vec<(u64, LinkId)> =
            self.slots.values().filter(|slot| may_go(slot)).map(|slot| (slot.used, slot.link.id)).collect();
        used.sort_unstable();
        let surplus = self.slots.len().saturating_sub(keep);
        for (_, id) in used.into_iter().take(surplus) {
            self.remove(id);
        }
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.slots.values().map(|slot| &slot.link)
    }
}

fn note<T: Ord>(set: &mut BTreeSet<T>, one: T, belongs: bool) {
    if belongs {
        set.insert(one);
    } else if !set.is_empty() {
        set.remove(&one);
    }
}

#[cfg(feature = "mutations")]
impl Cache {
    /// What of it decides what comes next; rows that were asked for at these counts are not decided yet.
    pub(super) fn essence(&self, waiting: &[u64], out: &mut impl std::fmt::Write) -> std::fmt::Result {
        let slots: BTreeMap<_, _> = self.slots.iter().collect();
        let among = |clock: &u64| {
            (waiting.partition_point(|other| other < clock), waiting.partition_point(|other| other <= clock))
        };
        for slot in slots.into_values() {
            let [left, asked] = [&slot.left, &slot.asked].map(|clocks| [among(&clocks[0]), among(&clocks[1])]);
            write!(out, "{:?}{left:?}{asked:?}", slot.link)?;
        }
        for (mapping, keys) in self.by_key.iter().flat_map(|side| side.iter().collect::<BTreeMap<_, _>>()) {
            write!(out, "{mapping}{:?}", keys.iter().collect::<BTreeMap<_, _>>())?;
        }
        for ((mapping, side), keys) in &self.absent {
            let keys: BTreeSet<_> = keys.iter().collect();
            write!(out, "{mapping}{side:?}{keys:?}")?;
        }
        write!(out, "{:?}", self.making)
    }
}

impl References for Cache {
    fn translate(&self, mapping: MappingIndex, side: Side, key: &str) -> Translation {
        match self.lookup(mapping, side, key) {
            Lookup::Unloaded => Translation::Unloaded,
            Lookup::Absent => Translation::Missing,
            // The link that is being worked on is not here; it cannot be its own parent before it is whole.
            Lookup::Link(id) => self
                .get(id)
                .filter(|link| link.presence[side.other()] == crate::sync::Presence::Present)
                .and_then(|link| link.keys[side.other()].clone())
                .map_or(Translation::Missing, Translation::Known),
        }
    }
}

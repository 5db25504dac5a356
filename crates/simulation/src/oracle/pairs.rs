//! Both sides have the same records, once, and they show the same.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_engine::sync::{ConflictKind, DeadLetter, Deletes, Fate, FieldPair, Key, Link, Side};

use super::{Court, Violation};
use crate::{
    Engine, canon,
    history::Soul,
    ledger::{Author, CommitKind},
    org,
    plan::{self, DELETED_AT},
};

pub(super) fn judge<E: Engine>(court: &Court<'_, E>) -> Vec<Violation> {
    let mut wrong = court.doubles();
    for mapping in 0..plan::OBJECTS.len() {
        for side in Side::BOTH {
            for key in court.all(mapping, side) {
                wrong.extend(court.alone(mapping, side, &key));
            }
        }
        for key in court.all(mapping, Side::Left) {
            wrong.extend(court.differences(mapping, &key));
        }
    }
    wrong
}

impl<E: Engine> Court<'_, E> {
    fn all(&self, mapping: usize, side: Side) -> Vec<Key> {
        match side {
            Side::Left => {
                let records = self.world.org.records.iter();
                let live = records.filter(|(_, r)| r.object == plan::OBJECTS[mapping] && r.state == org::State::Live);
                live.map(|(key, _)| key.clone()).collect()
            }
            Side::Right => {
                let names = self.world.database.rows.keys().filter(|(table, _)| *table == plan::TABLES[mapping]);
                names.map(|(_, key)| key.clone()).collect()
            }
        }
    }

    /// Things with two records on a side.
    fn doubles(&self) -> Vec<Violation> {
        let mut found: BTreeMap<(Side, &str, Soul), Vec<&Key>> = BTreeMap::new();
        for (key, record) in &self.world.org.records {
            if record.state == org::State::Live {
                found.entry((Side::Left, record.object, record.soul)).or_default().push(key);
            }
        }
        for ((table, key), row) in &self.world.database.rows {
            found.entry((Side::Right, table, row.soul)).or_default().push(key);
        }
        let double = found.into_iter().filter(|((_, _, soul), keys)| keys.len() > 1 && !self.may_be_two(*soul));
        let wrong = double.map(|((side, entity, soul), keys)| Violation {
            kind: "a record is doubled",
            text: format!("{side:?} {entity} #{soul}: {keys:?}"),
        });
        wrong.collect()
    }

    /// What was on both sides before is joined by its email, unless somebody changed that.
    fn may_be_two(&self, soul: Soul) -> bool {
        let mut before = self.world.history.before.iter().filter(|before| before.sides == [true, true]);
        before.any(|before| before.soul == soul) && self.world.history.acts.iter().any(|act| touches(&act.deed, soul))
    }

    /// A record that has no other half though it should.
    fn alone(&self, mapping: usize, side: Side, key: &Key) -> Option<Violation> {
        let link = self.world.store.link_of(mapping, side, key);
        let other = side.other();
        let half = link.and_then(|link| link.keys[other].as_ref());
        if half.is_some_and(|half| self.there(mapping, other, half)) {
            let soft = matches!(self.world.plan.mappings[mapping].deletes[Side::Left], Deletes::Soft(_));
            let decided = link.is_none_or(|link| link.fate != Fate::Manual);
            let gone = soft && decided && side == Side::Right && !self.shows(mapping, side, key, DELETED_AT).is_null();
            return gone.then(|| Violation {
                kind: "a soft delete that is none",
                text: format!("{} {key}, whose other half {half:?} is there", plan::TABLES[mapping]),
            });
        }
        if link.is_some_and(|link| self.may_be_alone(link, mapping, side, key)) {
            return None;
        }
        let text = format!("{side:?} {} {key}, link {link:?}", plan::entity(mapping, side));
        Some(Violation { kind: "a record is on one side only", text })
    }

    fn may_be_alone(&self, link: &Link, mapping: usize, side: Side, key: &Key) -> bool {
        let other = side.other();
        let links = BTreeSet::from([link.id]);
        let letters = self.world.store.dead_letters.values();
        let needed = |letter: &DeadLetter| {
            self.world.plan.mappings[mapping].fields.iter().any(|pair| {
                pair.reference.is_some_and(|reference| reference.required[other])
                    && letter.fields.contains(&pair.names[other])
            })
        };
        let of_it = letters.into_iter().filter(|letter| letter.link == link.id);
        let dead = of_it.into_iter().any(|letter| letter.fields.is_empty() || needed(letter));
        let mut conflicts = self.world.store.conflicts.values().filter(|conflict| conflict.link == link.id);
        let open =
            conflicts.any(|c| c.winner.is_none() || matches!(c.kind, ConflictKind::Match | ConflictKind::Severed));
        let gone_there = self.counterparts(mapping, side, key).iter().any(|half| {
            let commits = self.world.ledger.of(other, plan::entity(mapping, other), half);
            let mut commits = commits.iter().map(|id| &self.world.ledger.commits[*id]);
            commits.any(|commit| commit.kind == CommitKind::Delete && !matches!(commit.author, Author::Engine(..)))
        });
        let left_as_it_is = match &self.world.plan.mappings[mapping].deletes[other] {
            Deletes::Ignore => gone_there,
            Deletes::Soft(column) => {
                side == Side::Right && gone_there && !self.shows(mapping, side, key, column).is_null()
            }
            Deletes::Hard => false,
        };
        dead || open || left_as_it_is || self.are_history(&links)
    }

    /// The fields in which the two halves of a link differ.
    fn differences(&self, mapping: usize, left: &Key) -> Vec<Violation> {
        let Some(link) = self.world.store.link_of(mapping, Side::Left, left) else { return Vec::new() };
        let Some(right) = &link.keys[Side::Right] else { return Vec::new() };
        if !self.there(mapping, Side::Right, right) || self.is_history(left) {
            return Vec::new();
        }
        let links = BTreeSet::from([link.id]);
        let pairs = self.world.plan.mappings[mapping].fields.iter().enumerate();
        let differing = pairs.filter(|(index, pair)| {
            !self.disturbed(mapping, pair)
                && !self.in_hands(&links, *index, pair)
                && !self.alike(mapping, pair, left, right)
        });
        let wrong = differing.map(|(_, pair)| {
            let shown = |side: Side, key: &Key| canon::shown(&self.shows(mapping, side, key, &pair.names[side]));
            let [name, column] = &pair.names;
            Violation {
                kind: "the sides differ",
                text: format!(
                    "{left}.{name} = {}, {} {right}.{column} = {}, policy {:?}",
                    shown(Side::Left, left),
                    plan::TABLES[mapping],
                    shown(Side::Right, right),
                    pair.policy,
                ),
            }
        });
        wrong.collect()
    }

    fn alike(&self, mapping: usize, pair: &FieldPair, left: &Key, right: &Key) -> bool {
        let one = self.shows(mapping, Side::Left, left, &pair.names[Side::Left]);
        let other = self.shows(mapping, Side::Right, right, &pair.names[Side::Right]);
        let Some(reference) = pair.reference else { return canon::same(pair.canon, &one, &other) };
        let half = |side: Side, key: &str| {
            let link = self.world.store.link_of(reference.mapping, side, key)?;
            link.keys[side.other()].clone()
        };
        let stands = |side: Side, key: &str| {
            half(side, key).is_some_and(|half| self.there(reference.mapping, side.other(), &half))
        };
        match (one.as_key(), other.as_key()) {
            (None, None) => true,
            // Both refer to the same, though a side may have lost it and leave the reference (TRUNCATE).
            (Some(one), Some(other)) => half(Side::Left, &one) == Some(other),
            // What it refers to is on this side only, which is judged by itself.
            (Some(one), None) => !stands(Side::Left, &one),
            (None, Some(other)) => !stands(Side::Right, &other),
        }
    }
}

/// Whether a deed may keep a thing from being joined.
fn touches(deed: &crate::history::Deed, soul: Soul) -> bool {
    use crate::history::Deed;
    match deed {
        Deed::Update { soul: of, values } => *of == soul && values.iter().any(|(pair, _)| *pair == 1),
        Deed::All { mapping, value } => *mapping == plan::CONTACT && value.0 == 1,
        Deed::Delete(of) | Deed::Undelete(of) => *of == soul,
        Deed::Merge(one, other) => *one == soul || *other == soul,
        Deed::Truncate(_) => true,
        _ => false,
    }
}

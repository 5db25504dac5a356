//! The oracle: what may not be true of a world when everything came to rest. It knows nothing of the engine's ways.
//!
//! It judges by the ledger of commits, by what each writer had been told, and by what the state store says that people
//! are shown: conflicts, dead letters, open decisions.

mod deletes;
mod edits;
mod pairs;
mod policies;
mod thrift;

use std::collections::{BTreeMap, BTreeSet};

use tombolo_engine::sync::{Conflict, FieldPair, Key, Link, LinkId, Presence, Rewriting, Side, Stored};

use crate::{Engine, World, canon, org, plan};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of wrong.
    pub kind: &'static str,
    /// Where and how.
    pub text: String,
}

/// Judges a world in which everything came to rest.
pub fn judge<E: Engine>(world: &World<E>) -> Vec<Violation> {
    let mut wrong = world.wrong.clone();
    if wrong.iter().any(|wrong| matches!(wrong.kind, "never comes to rest" | "spins")) {
        return wrong;
    }
    let court = Court::new(world);
    wrong.extend(edits::judge(&court));
    wrong.extend(deletes::judge(&court));
    wrong.extend(pairs::judge(&court));
    wrong.extend(policies::judge(&court));
    wrong.extend(thrift::judge(&court));
    wrong.extend(records(world));
    wrong
}

/// What the brake on mass deletes goes by has to follow every record that comes and goes.
fn records<E: Engine>(world: &World<E>) -> Vec<Violation> {
    let store = &world.store;
    let counted = |mapping: usize| store.mappings.get(&mapping).map_or(0, |state| state.records);
    let there = |mapping: usize| {
        let links = store.links.values().map(|row| &row.link).filter(|link| link.mapping == mapping);
        links.filter(|link| link.presence.contains(&Presence::Present)).count() as u64
    };
    let names = world.plan.mappings.iter().map(|mapping| &mapping.name).enumerate();
    let wrong = names.filter(|(mapping, _)| counted(*mapping) != there(*mapping));
    let told = |(mapping, name)| Violation {
        kind: "records are counted wrong",
        text: format!("{name}: {} are counted, {} are there", counted(mapping), there(mapping)),
    };
    wrong.map(told).collect()
}

/// A world, and what is looked up in it again and again.
struct Court<'a, E> {
    world: &'a World<E>,
    /// Every key that a link ever had.
    keys: BTreeMap<LinkId, BTreeSet<(Side, Key)>>,
}

impl<'a, E: Engine> Court<'a, E> {
    fn new(world: &'a World<E>) -> Self {
        let mut keys: BTreeMap<LinkId, BTreeSet<(Side, Key)>> = BTreeMap::new();
        for ((_, side, key), links) in &world.store.ever {
            for link in links {
                keys.entry(*link).or_default().insert((*side, key.clone()));
            }
        }
        Self { world, keys }
    }

    /// The pair of a field, if it is mapped.
    fn pair(&self, mapping: usize, side: Side, field: &str) -> Option<(usize, &'a FieldPair)> {
        let pairs = self.world.plan.mappings[mapping].fields.iter().enumerate();
        pairs.into_iter().find(|(_, pair)| pair.names[side] == field)
    }

    /// The links that a record ever had.
    fn links(&self, mapping: usize, side: Side, key: &str) -> BTreeSet<LinkId> {
        self.world.store.links_ever(mapping, side, key)
    }

    fn link(&self, id: LinkId) -> Option<&'a Link> {
        self.world.store.links.get(&id).map(|row| &row.link)
    }

    /// The records that were ever a record's other half.
    fn counterparts(&self, mapping: usize, side: Side, key: &str) -> BTreeSet<Key> {
        let links = self.links(mapping, side, key);
        let keys = links.iter().filter_map(|link| self.keys.get(link)).flatten();
        keys.filter(|(other, _)| *other != side).map(|(_, key)| key.clone()).collect()
    }

    /// Whether two values are the same across a pair; references through the links of what they refer to.
    fn same_across(&self, pair: &FieldPair, side: Side, value: &Stored, other: &Stored) -> bool {
        let Some(reference) = pair.reference else { return canon::same(pair.canon, value, other) };
        match (value.as_key(), other.as_key()) {
            (None, None) => true,
            (Some(key), Some(other)) => self.counterparts(reference.mapping, side, &key).contains(&other),
            _ => false,
        }
    }

    /// The conflicts of these links in a field, or of the records as a whole.
    fn conflicts<'b>(
        &'b self,
        links: &'b BTreeSet<LinkId>,
        pair: &'b FieldPair,
    ) -> impl Iterator<Item = &'a Conflict> + 'b {
        self.world.store.conflicts.values().filter(move |conflict| {
            links.contains(&conflict.link) && conflict.field.as_ref().is_none_or(|names| *names == pair.names)
        })
    }

    /// Whether a field is in a dead letter now, or a person has to decide about it.
    fn in_hands(&self, links: &BTreeSet<LinkId>, index: usize, pair: &FieldPair) -> bool {
        let letters = self.world.store.dead_letters.values().filter(|letter| links.contains(&letter.link));
        let dead = letters
            .into_iter()
            .any(|letter| letter.fields.is_empty() || letter.fields.iter().any(|field| pair.names.contains(field)));
        let open = self.conflicts(links, pair).any(|conflict| conflict.winner.is_none());
        let manual = links
            .iter()
            .filter_map(|id| self.link(*id))
            .any(|link| link.fields.get(index).is_some_and(|field| field.manual || field.rewriting == Rewriting::Both));
        dead || open || manual
    }

    /// Whether a field was in a dead letter ever.
    fn was_dead(&self, links: &BTreeSet<LinkId>, pair: &FieldPair) -> bool {
        let letters = self.world.store.dead_ever.iter().filter(|letter| links.contains(&letter.link));
        letters
            .into_iter()
            .any(|letter| letter.fields.is_empty() || letter.fields.iter().any(|field| pair.names.contains(field)))
    }

    /// Whether a field was missing for a while, and is nobody's fault.
    fn disturbed(&self, mapping: usize, pair: &FieldPair) -> bool {
        self.world.disturbed.contains(&(plan::OBJECTS[mapping], pair.names[Side::Left].clone()))
    }

    /// Whether a record is there at the end.
    fn there(&self, mapping: usize, side: Side, key: &str) -> bool {
        match side {
            Side::Left => self.world.org.live(key).is_some(),
            Side::Right => self.world.database.rows.contains_key(&(plan::TABLES[mapping], key.to_owned())),
        }
    }

    /// What a record shows at the end.
    fn shows(&self, mapping: usize, side: Side, key: &str, field: &str) -> Stored {
        match side {
            Side::Left => {
                self.world.org.records.get(key).map(|record| self.world.org.shows(record, field)).unwrap_or_default()
            }
            Side::Right => self.world.database.shows(plan::TABLES[mapping], key, field),
        }
    }

    /// Whether a record of the org was merged into another one, or converted.
    fn is_history(&self, key: &str) -> bool {
        self.world.org.records.get(key).is_some_and(|record| {
            matches!(record.state, org::State::Bin(Some(_)))
                || record.values.get(plan::IS_CONVERTED) == Some(&Stored::Boolean(true))
        })
    }

    /// Whether any record of these links was.
    fn are_history(&self, links: &BTreeSet<LinkId>) -> bool {
        let keys = links.iter().filter_map(|link| self.keys.get(link)).flatten();
        keys.into_iter().any(|(side, key)| *side == Side::Left && self.is_history(key))
    }
}

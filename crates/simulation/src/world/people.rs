//! What people do on both sides.

use std::{collections::BTreeMap, sync::Arc};

use tombolo_engine::sync::{Command, Key, Side, Stored};

use super::{SHORT, Task, World};
use crate::{
    database::{self, Change, RowName},
    engine::Engine,
    history::{Deed, Soul},
    ledger::Author,
    moment::{Micros, SECOND, whole_second},
    org::{self, Operation, Telling},
    plan::{self, ACCOUNT, CONTACT, IS_CONVERTED, LEAD, OBJECTS, TABLES},
};

impl<E: Engine> World<E> {
    /// Somebody does something, if there is anything to do it to.
    pub(super) fn act(&mut self, number: usize) {
        let history = Arc::clone(&self.history);
        let Some(act) = history.acts.get(number) else { return };
        match (&act.deed, act.side) {
            (Deed::Scrub, _) => self.command(Command::Scrub(None)),
            (Deed::Retry, _) => self.command(Command::Retry { link: None, code: None }),
            (Deed::Pause(true), _) => self.command(Command::Pause(None)),
            (Deed::Pause(false), _) => self.command(Command::Resume(None)),
            (deed, Side::Left) => self.act_in_org(number, deed),
            (deed, Side::Right) => self.act_in_database(number, deed),
        }
    }

    fn act_in_org(&mut self, number: usize, deed: &Deed) {
        let operations = self.org_operations(deed);
        if operations.is_empty() {
            return;
        }
        let began = self.began(number, &operations);
        let full = matches!(deed, Deed::Merge(..) | Deed::Convert(..));
        let work = org::Work {
            now: self.now,
            began,
            author: Author::User(number),
            tag: None,
            due: self.due(),
            telling: if full { Telling::Full } else { self.armed.take_telling() },
        };
        let commits = self.org.commit(work, operations, &mut self.ledger);
        self.note(|| format!("     {:?}: {deed:?}", Side::Left));
        if !commits.is_empty() {
            self.org_moved(true);
        }
    }

    /// A transaction that took a while: its stamp lies before its commit, but not before the last one of its record.
    fn began(&self, number: usize, operations: &[Operation]) -> Micros {
        let mut rng = self.dice.fixed("began", number as u64);
        let [Operation::Update(key, _)] = operations else { return self.now };
        if self.hurry || rng.u8(..6) != 0 {
            return self.now;
        }
        let began = self.now - rng.i64(0..4 * SECOND);
        let later =
            |record: &org::Record| whole_second(began + self.org.skew) > record.stamp && began > record.committed;
        if self.org.live(key).is_some_and(later) { began } else { self.now }
    }

    fn org_operations(&mut self, deed: &Deed) -> Vec<Operation> {
        match deed {
            Deed::Create { soul, mapping, values, parent } => {
                let parent = parent.and_then(|parent| self.org.find(parent, OBJECTS[ACCOUNT]));
                let (object, values) = (OBJECTS[*mapping], org::named(*mapping, values, parent));
                vec![Operation::Create { key: self.org.draw_id(object), object, soul: *soul, values }]
            }
            Deed::Update { soul, values } => self.org_update(*soul, |mapping| org::named(mapping, values, None)),
            Deed::Move { soul, parent } => {
                let parent = parent.and_then(|parent| self.org.find(parent, OBJECTS[ACCOUNT]));
                let value = parent.map_or(Stored::Null, Stored::Text);
                self.org_update(*soul, |_| BTreeMap::from([("AccountId".to_owned(), value)]))
            }
            Deed::All { mapping, value } => {
                let of_it = self.org.records.iter().filter(|(_, record)| record.object == OBJECTS[*mapping]);
                let live = of_it.filter(|(_, record)| record.state == org::State::Live && !converted(record));
                let values = org::named(*mapping, std::slice::from_ref(value), None);
                live.map(|(key, _)| Operation::Update(key.clone(), values.clone())).collect()
            }
            Deed::Delete(soul) => {
                let found = OBJECTS.iter().find_map(|object| self.org.find(*soul, object));
                found.map(|key| Operation::Delete(key, None)).into_iter().collect()
            }
            Deed::Undelete(soul) => {
                if OBJECTS.iter().any(|object| self.org.find(*soul, object).is_some()) {
                    return Vec::new();
                }
                let found = OBJECTS.iter().find_map(|object| self.org.in_bin(*soul, object));
                let merged =
                    |key: &Key| matches!(self.org.records.get(key).map(|r| &r.state), Some(org::State::Bin(Some(_))));
                found.filter(|key| !merged(key)).map(Operation::Undelete).into_iter().collect()
            }
            Deed::Purge(soul) => {
                let found = OBJECTS.iter().find_map(|object| self.org.in_bin(*soul, object));
                if let Some(record) = found.and_then(|key| self.org.records.get_mut(&key)) {
                    record.state = org::State::Purged;
                }
                Vec::new()
            }
            Deed::Merge(loser, winner) => self.merge(*loser, *winner),
            Deed::Convert(lead, account, contact) => self.convert(*lead, *account, *contact),
            _ => Vec::new(),
        }
    }

    fn org_update(&self, soul: Soul, values: impl FnOnce(usize) -> BTreeMap<String, Stored>) -> Vec<Operation> {
        let found = (0..OBJECTS.len()).find_map(|mapping| Some((mapping, self.org.find(soul, OBJECTS[mapping])?)));
        let Some((mapping, key)) = found else { return Vec::new() };
        let mut values = values(mapping);
        values.retain(|field, _| self.org.has(OBJECTS[mapping], field));
        let frozen = self.org.live(&key).is_none_or(converted);
        if values.is_empty() || frozen { Vec::new() } else { vec![Operation::Update(key, values)] }
    }

    fn merge(&self, loser: Soul, winner: Soul) -> Vec<Operation> {
        for object in [OBJECTS[ACCOUNT], OBJECTS[CONTACT]] {
            let (Some(loser), Some(winner)) = (self.org.find(loser, object), self.org.find(winner, object)) else {
                continue;
            };
            if loser == winner {
                continue;
            }
            let points =
                |record: &org::Record| record.values.get("AccountId").and_then(Stored::as_key).as_ref() == Some(&loser);
            let children = self.org.records.iter().filter(|(_, r)| r.state == org::State::Live && points(r));
            let moved = BTreeMap::from([("AccountId".to_owned(), Stored::Text(winner.clone()))]);
            let mut operations: Vec<Operation> =
                children.map(|(key, _)| Operation::Update(key.clone(), moved.clone())).collect();
            operations.push(Operation::Delete(loser, Some(winner)));
            return operations;
        }
        Vec::new()
    }

    fn convert(&mut self, lead: Soul, account: Soul, contact: Soul) -> Vec<Operation> {
        let Some(key) = self.org.find(lead, OBJECTS[LEAD]) else { return Vec::new() };
        let Some(record) = self.org.live(&key).filter(|record| !converted(record)) else { return Vec::new() };
        let shows = |field: &str| record.values.get(field).cloned().unwrap_or_default();
        let name = BTreeMap::from([("Name".to_owned(), shows("Company"))]);
        let mut person = BTreeMap::from([("LastName".to_owned(), shows("LastName"))]);
        let account_id = self.org.draw_id(OBJECTS[ACCOUNT]);
        person.insert("AccountId".to_owned(), Stored::Text(account_id.clone()));
        let contact_id = self.org.draw_id(OBJECTS[CONTACT]);
        let done = BTreeMap::from([(IS_CONVERTED.to_owned(), Stored::Boolean(true))]);
        vec![
            Operation::Create { key: account_id, object: OBJECTS[ACCOUNT], soul: account, values: name },
            Operation::Create { key: contact_id, object: OBJECTS[CONTACT], soul: contact, values: person },
            Operation::Update(key, done),
        ]
    }

    fn act_in_database(&mut self, number: usize, deed: &Deed) {
        if let Deed::Truncate(mapping) = deed {
            if self.database.locked.values().all(|until| *until <= self.now) {
                let work = self.database_work(number, self.now);
                self.database.truncate(work, TABLES[*mapping], &mut self.ledger);
                self.note(|| format!("     {:?}: {deed:?}", Side::Right));
                self.database_moved();
            }
            return;
        }
        let changes = self.database_changes(number, deed);
        let names = self.database.held_by(&changes);
        if let Some(until) = names.iter().filter_map(|name| self.database.held_until(name, self.now)).max() {
            self.agenda.add(until + SHORT, Task::Act(number));
            return;
        }
        let drawn: Vec<u64> = changes.iter().map(|_| self.database.draw_outbox()).collect();
        match self.armed.take_transaction().filter(|_| !changes.is_empty()) {
            Some(long) => {
                let until = self.now + long;
                self.database.locked.extend(names.into_iter().map(|name| (name, until)));
                self.note(|| format!("     {:?} begins: {deed:?}, ids {drawn:?}", Side::Right));
                self.agenda.add(until, Task::Finish { act: number, drawn, made: self.now });
            }
            None => self.finish(number, &drawn, self.now),
        }
    }

    /// A transaction of a person commits.
    pub(super) fn finish(&mut self, number: usize, drawn: &[u64], made: Micros) {
        let history = Arc::clone(&self.history);
        let Some(act) = history.acts.get(number) else { return };
        let work = self.database_work(number, made);
        let changes = self.database_changes(number, &act.deed);
        if changes.is_empty() {
            return;
        }
        self.note(|| format!("     {:?}: {:?}", Side::Right, act.deed));
        for name in self.database.held_by(&changes) {
            self.database.locked.remove(&name);
        }
        for (place, (name, change)) in changes.into_iter().enumerate() {
            self.database.change(work, &name, change, drawn.get(place).copied(), &mut self.ledger);
        }
        self.database_moved();
    }

    const fn database_work(&self, number: usize, made: Micros) -> database::Work {
        database::Work { now: self.now, made, author: Author::User(number), tag: None }
    }

    fn database_changes(&mut self, number: usize, deed: &Deed) -> Vec<(RowName, Change)> {
        match deed {
            Deed::Create { soul, mapping, values, parent } => {
                let parent = parent.and_then(|parent| self.database.find(parent, TABLES[ACCOUNT]));
                let table = TABLES[*mapping];
                // A row keeps its key if its transaction is begun first and committed later.
                let key = self.database.key_for(table, number);
                vec![((table, key), Change::Insert(*soul, database::named(*mapping, values, parent)))]
            }
            Deed::Update { soul, values } => {
                self.database_update(*soul, |mapping| database::named(mapping, values, None))
            }
            Deed::Move { soul, parent } => {
                let parent = parent.and_then(|parent| self.database.find(parent, TABLES[ACCOUNT]));
                let value = parent.map_or(Stored::Null, Stored::Text);
                self.database_update(*soul, |mapping| {
                    if mapping == CONTACT {
                        BTreeMap::from([("account_id".to_owned(), value)])
                    } else {
                        BTreeMap::new()
                    }
                })
            }
            Deed::All { mapping, value } => {
                let values = database::named(*mapping, std::slice::from_ref(value), None);
                let names = self.database.rows.keys().filter(|(table, _)| *table == TABLES[*mapping]);
                names.map(|name| (name.clone(), Change::Set(values.clone()))).collect()
            }
            Deed::Delete(soul) => {
                let found = TABLES.iter().find_map(|table| Some((*table, self.database.find(*soul, table)?)));
                found.map(|name| (name, Change::Delete)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn database_update(
        &self,
        soul: Soul,
        values: impl FnOnce(usize) -> BTreeMap<String, Stored>,
    ) -> Vec<(RowName, Change)> {
        let found = (0..TABLES.len()).find_map(|mapping| Some((mapping, self.database.find(soul, TABLES[mapping])?)));
        let Some((mapping, key)) = found else { return Vec::new() };
        let values = values(mapping);
        if values.is_empty() { Vec::new() } else { vec![((plan::TABLES[mapping], key), Change::Set(values))] }
    }
}

fn converted(record: &org::Record) -> bool {
    record.values.get(IS_CONVERTED) == Some(&Stored::Boolean(true))
}

//! How many changes a second the engine alone decides, on one core: a shard with a state store and two systems in memory
//! that answer at once. What is measured is the engine's own time, and beside it that of everything.
//!
//! `cargo run --release -p tombolo-simulation --example throughput [ROWS] [CHANGES]`
#![expect(clippy::print_stdout, reason = "it reports to the person who runs it")]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tombolo_engine::sync::{
    Answer, Batch, Connection, Delivery, Effect, Input, Key, News, NewsKind, Operation, Outcome, Plan, Policy, Read,
    Row, Settings, Shard, Side, SourceId, Tag, Values,
};
use tombolo_simulation::{
    plan::{self, APP, CONTACT, CRM, Choices, OBJECTS, TABLES},
    store::Store,
};

/// Changes that are heard together.
const TOGETHER: usize = 200;
/// Virtual time between two deliveries: 5,000 changes a second.
const APART: SignedDuration = SignedDuration::from_millis(40);
/// Rows on a page.
const PAGE: usize = 2000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().unwrap_or_default());
    let rows = numbers.next().unwrap_or(20_000);
    let changes = numbers.next().unwrap_or(100_000);
    let mut world = World::new(rows);
    let began = Instant::now();
    world.open();
    world.settle();
    let linked = world.systems[1].rows.len();
    report("load", rows, world.engine, began.elapsed());
    assert_eq!(linked, rows, "every row has to be on the other side");
    for (name, side) in [("Salesforce to database", Side::Left), ("database to Salesforce", Side::Right)] {
        world.engine = Duration::ZERO;
        let began = Instant::now();
        let written = world.written;
        world.edit(side, changes);
        world.settle();
        report(name, changes, world.engine, began.elapsed());
        println!("  {} record writes, {} links in memory at most", world.written - written, world.cached);
        world.compare();
    }
}

fn report(what: &str, count: usize, engine: Duration, all: Duration) {
    let a_second = |time: Duration| count as f64 / time.as_secs_f64();
    println!(
        "engine, {what}: {:.0} a second ({:.0} with systems and state in memory)",
        a_second(engine),
        a_second(all)
    );
}

/// One end: rows by key, and the number of its last change.
#[derive(Default)]
struct System {
    rows: BTreeMap<Key, Values>,
    changes: u64,
}

struct World {
    shard: Shard,
    store: Store,
    now: Timestamp,
    systems: [System; 2],
    inputs: VecDeque<Input>,
    engine: Duration,
    written: usize,
    cached: usize,
}

impl World {
    fn new(rows: usize) -> Self {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
        let mut store = Store::default();
        let start = store.take_over();
        // The brakes are for people.
        let settings = Settings { brake: (u32::MAX, Duration::from_secs(600)), ..Settings::default() };
        let mut systems = [System::default(), System::default()];
        for number in 0..rows {
            let values = vec![("LastName".to_owned(), format!("L{number}").as_str().into())];
            systems[0].rows.insert(format!("003{number:015}"), values);
        }
        let shard = Shard::new(now, contacts(), settings, start);
        let (inputs, engine) = (VecDeque::new(), Duration::ZERO);
        Self { shard, store, now, systems, inputs, engine, written: 0, cached: 0 }
    }

    fn open(&mut self) {
        for (connection, channel) in [(CRM, OBJECTS[CONTACT]), (APP, "*")] {
            self.tell(Input::Opened { source: source(connection, channel), at: self.now });
        }
    }

    /// The engine's own time.
    fn tell(&mut self, input: Input) {
        let began = Instant::now();
        self.shard.handle(self.now, input);
        self.engine += began.elapsed();
    }

    fn next(&mut self) -> Option<Effect> {
        let began = Instant::now();
        let effect = self.shard.next_effect();
        self.engine += began.elapsed();
        effect
    }

    /// Does what the engine asks for until it asks for nothing at this moment.
    fn pump(&mut self) {
        loop {
            while let Some(effect) = self.next() {
                self.perform(effect);
            }
            let Some(input) = self.inputs.pop_front() else { break };
            self.tell(input);
        }
        self.cached = self.cached.max(self.shard.cached());
    }

    /// Lets time pass until nothing is under way.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.pump();
            if self.shard.is_quiet() {
                return;
            }
            let Some(wake) = self.shard.wake() else { return };
            self.now = wake.max(self.now + SignedDuration::from_millis(1));
            self.tell(Input::Tick);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Commit { ticket, transaction } => {
                let known = self.store.commit(*transaction, false);
                self.inputs.push_back(Input::Committed { ticket, known });
            }
            Effect::Load { ticket, load } => {
                let loaded = Box::new(self.store.load(&load));
                self.inputs.push_back(Input::Loaded { ticket, loaded });
            }
            Effect::Write(batch) => self.write(batch),
            Effect::Read { ticket, read, .. } => {
                let answer = self.read(read);
                self.inputs.push_back(Input::Answered { ticket, answer });
            }
            Effect::Reserve(ask) => {
                let reserved = self.store.ledger.reserve(&ask);
                self.inputs.push_back(Input::Reserved { connection: ask.connection, reserved });
            }
            Effect::Acknowledge { .. } => {}
        }
    }

    fn write(&mut self, batch: Batch) {
        let mut outcomes = Vec::new();
        let mut echoes: [Vec<News>; 2] = [Vec::new(), Vec::new()];
        self.written += batch.writes.len();
        for write in batch.writes {
            let system = &mut self.systems[write.side];
            let (key, kind) = match write.operation {
                Operation::Update(key) | Operation::Undelete(key) => (key, NewsKind::Update),
                Operation::Create { key, .. } => {
                    (key.unwrap_or_else(|| format!("{}", system.rows.len() + 1)), NewsKind::Create)
                }
                Operation::Delete(key) => (key, NewsKind::Delete { merged_into: None }),
            };
            let row = system.rows.entry(key.clone()).or_default();
            set(row, &write.values);
            let shown = row.clone();
            echoes[write.side].push(self.news(write.side, &key, kind, write.values, Some(batch.tag)));
            let compared = (write.side == Side::Right).then(|| self.row(write.side, &key, shown));
            outcomes.push(Outcome::Done { key, row: compared });
        }
        self.inputs.push_back(Input::Written { tag: batch.tag, outcomes });
        for (side, news) in Side::BOTH.into_iter().zip(echoes) {
            if !news.is_empty() {
                self.inputs.push_back(self.delivery(side, news));
            }
        }
    }

    fn news(&mut self, side: Side, key: &str, kind: NewsKind, values: Values, origin: Option<Tag>) -> News {
        let system = &mut self.systems[side];
        system.changes += 1;
        let (connection, entity) = [(CRM, OBJECTS[CONTACT]), (APP, TABLES[CONTACT])][side as usize];
        News {
            connection: connection.to_owned(),
            entity: entity.to_owned(),
            key: Some(key.to_owned()),
            identity: system.changes.to_string(),
            kind,
            values,
            origin,
            at: Some(self.now),
            order: (side == Side::Right).then_some(system.changes),
        }
    }

    fn delivery(&self, side: Side, news: Vec<News>) -> Input {
        let source = [source(CRM, OBJECTS[CONTACT]), source(APP, "*")][side as usize].clone();
        let position = Some(self.systems[side].changes.to_be_bytes().to_vec());
        Input::Heard(Delivery { source, news, position, committed: Some(self.now) })
    }

    fn row(&self, side: Side, key: &str, values: Values) -> Row {
        Row {
            key: key.to_owned(),
            values,
            stamp: Some(self.now),
            foreign_at: None,
            order: (side == Side::Right).then_some(self.systems[side].changes),
            deleted: false,
            merged_into: None,
        }
    }

    fn read(&self, read: Read) -> Answer {
        let server = Some(self.now);
        match read {
            Read::Rows { side, keys, .. } => {
                let found = keys.into_iter().filter_map(|key| self.systems[side].rows.get_key_value(&key));
                let rows = found.map(|(key, values)| self.row(side, key, values.clone())).collect();
                Answer::Rows { rows, next: None, server }
            }
            Read::Page { side, after, .. } => {
                let behind = after.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
                let page = self.systems[side].rows.range(behind.clone()..).filter(|(key, _)| **key > behind).take(PAGE);
                let rows: Vec<Row> = page.map(|(key, values)| self.row(side, key, values.clone())).collect();
                let next = (rows.len() == PAGE).then(|| rows[PAGE - 1].key.clone().into_bytes());
                Answer::Rows { rows, next, server }
            }
            Read::Deleted { .. } => Answer::Deleted { keys: Vec::new(), complete: true },
            Read::Keys { .. } => Answer::Keys { keys: Vec::new(), next: None },
            Read::External { .. } | Read::Children { .. } => Answer::Rows { rows: Vec::new(), next: None, server },
        }
    }

    /// People edit one field of one record after the other.
    fn edit(&mut self, side: Side, changes: usize) {
        let keys: Vec<Key> = self.systems[side].rows.keys().cloned().collect();
        let field = ["Title", "job_title"][side as usize];
        let mut made = 0;
        while made < changes {
            let count = TOGETHER.min(changes - made);
            let news = (made..made + count).map(|number| {
                let key = &keys[number % keys.len()];
                let values = vec![(field.to_owned(), format!("{field} {number}").as_str().into())];
                set(self.systems[side].rows.entry(key.clone()).or_default(), &values);
                self.news(side, key, NewsKind::Update, values, None)
            });
            let news = news.collect();
            let heard = self.delivery(side, news);
            self.inputs.push_back(heard);
            made += count;
            self.pump();
            self.now += APART;
            self.tell(Input::Tick);
        }
    }

    /// Both ends have to show the same.
    fn compare(&self) {
        let mut titles = [Vec::new(), Vec::new()];
        for (side, field) in Side::BOTH.into_iter().zip(["Title", "job_title"]) {
            for values in self.systems[side].rows.values() {
                titles[side]
                    .extend(values.iter().filter(|(name, _)| name == field).map(|(_, value)| format!("{value:?}")));
            }
            titles[side].sort();
        }
        assert!(titles[0] == titles[1], "both ends have to be equal");
    }
}

/// Contacts alone, written in batches as large as the real ones.
fn contacts() -> Arc<Plan> {
    let mut plan = Plan::clone(&plan::plan(&Choices::plain(Policy::Newest(Side::Left))));
    let mut contact = plan.mappings.swap_remove(CONTACT);
    contact.fields.retain(|pair| pair.reference.is_none());
    plan.mappings = vec![contact];
    let connection = |batch, budgeted| Connection { batch, parallel: 2, budgeted };
    plan.connections =
        BTreeMap::from([(CRM.to_owned(), connection(1000, true)), (APP.to_owned(), connection(500, false))]);
    Arc::new(plan)
}

fn source(connection: &str, channel: &str) -> SourceId {
    SourceId { connection: connection.to_owned(), channel: channel.to_owned() }
}

fn set(row: &mut Values, values: &Values) {
    for (name, value) in values {
        match row.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.clone(),
            None => row.push((name.clone(), value.clone())),
        }
    }
}

//! Shards of the sync engine, driven by hand.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tombolo_engine::sync::{
    Answer, Canon, Command, ConflictKind, Connection, DeleteConflict, Deletes, Delivery, Effect, End, FieldPair,
    Flight, Flow, Input, Link, LinkRow, Loaded, Mapping, MappingState, News, NewsKind, Open, Operation, Outcome, Plan,
    Policy, Presence, Read, Reserved, Row, Settings, Shard, Side, SourceId, Start, Stored, Style, Tag, Taken,
    Transaction,
};

const ID: &str = "001000000000001AAA";

pub(crate) fn plan() -> Arc<Plan> {
    let end = |connection: &str, entity: &str, style| End {
        connection: connection.to_owned(),
        entity: entity.to_owned(),
        style,
        external_id: Some("App_Id__c".to_owned()),
        filter: None,
        watch: Vec::new(),
        creates: true,
        key: None,
        tenant_column: None,
    };
    let mapping = Mapping {
        name: "account".to_owned(),
        ends: [end("crm", "Account", Style::Tagged), end("app", "accounts", Style::Compared)],
        fields: vec![FieldPair {
            names: ["Name".to_owned(), "name".to_owned()],
            flow: Flow::Both,
            policy: Policy::Wins(Side::Left),
            canon: Canon::Text(None),
            reference: None,
            path: None,
        }],
        match_on: Vec::new(),
        deletes: [Deletes::Hard, Deletes::Hard],
        delete_conflict: DeleteConflict::Keep,
    };
    let connection = Connection { batch: 200, parallel: 2, budgeted: false };
    let connections = BTreeMap::from([("crm".to_owned(), connection), ("app".to_owned(), connection)]);
    Arc::new(Plan { tenant: "everyone".to_owned(), mappings: vec![mapping], connections })
}

/// A record of the right side whose create on the left was sent, and was not answered when its hub died.
fn sent() -> Link {
    let mut link = Link::new(1, 0, 1);
    link.keys = [None, Some("1".to_owned())];
    link.presence = [Presence::Absent, Presence::Present];
    link.fields[0].image[Side::Right] = Some(Stored::from("Acme"));
    link.unmatched = true;
    link.writes = 1;
    link.flight[Side::Left] = Some(Flight {
        tag: Tag { shard: 1, epoch: 1, batch: 1 },
        operation: Operation::Create { key: None, other: "1".to_owned() },
        operation_id: "1.1.1".to_owned(),
        sent: Timestamp::UNIX_EPOCH,
        before: Vec::new(),
        unknown: true,
        echoed: false,
        overtaken: false,
        values: Vec::new(),
        doubtful: Vec::new(),
        extra: Vec::new(),
    });
    link
}

fn made() -> Row {
    Row {
        key: ID.to_owned(),
        values: vec![("Name".to_owned(), Stored::from("Acme"))],
        stamp: Some("2026-11-22T08:00:00Z".parse().unwrap()),
        foreign_at: None,
        order: None,
        deleted: false,
        merged_into: None,
    }
}

/// The links as a state store has them after these transactions.
fn kept(transactions: &[Transaction]) -> BTreeMap<u64, Link> {
    let mut links = BTreeMap::new();
    for transaction in transactions {
        for LinkRow { link, .. } in &transaction.links {
            links.insert(link.id, link.clone());
        }
        for id in &transaction.forgotten {
            links.remove(id);
        }
    }
    links
}

#[test]
fn a_record_that_a_page_tells_of_before_its_create_is_found_out_has_one_link() {
    let loaded = MappingState { loaded: [true, true], ..MappingState::default() };
    let start =
        Start { shard: 1, epoch: 2, last_link: 1, active: vec![1], mappings: vec![(0, loaded)], ..Start::default() };
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let mut shard = Shard::new(now, plan(), Settings::default(), start);
    shard.handle(now, Input::Command { id: 1, command: Command::Reconcile { mapping: None, since: None } });
    let mut transactions: Vec<Transaction> = Vec::new();
    let mut asked = None;
    while let Some(effect) = shard.next_effect() {
        let input = match effect {
            Effect::Commit { ticket, transaction } => {
                transactions.push(*transaction);
                Input::Committed { ticket, known: Vec::new() }
            }
            Effect::Load { ticket, load } => {
                let links = if load.by_id.contains(&1) { vec![sent()] } else { Vec::new() };
                let by_match = load.by_match.iter().map(|_| Vec::new()).collect();
                let parked_on = load.parked_on.iter().map(|_| Vec::new()).collect();
                let loaded = Loaded { links, by_match, parked_on, ..Loaded::default() };
                Input::Loaded { ticket, loaded: Box::new(loaded) }
            }
            // The answer to this comes last.
            Effect::Read { ticket, read: Read::External { .. }, .. } => {
                asked = Some(ticket);
                continue;
            }
            Effect::Read {
                ticket,
                read: Read::Page { side: Side::Left, .. } | Read::Rows { side: Side::Left, .. },
                ..
            } => Input::Answered { ticket, answer: Answer::Rows { rows: vec![made()], next: None, server: Some(now) } },
            Effect::Read { ticket, .. } => Input::Answered { ticket, answer: Answer::Later(None) },
            Effect::Write(_) | Effect::Acknowledge { .. } | Effect::Reserve(_) => continue,
        };
        shard.handle(now, input);
    }
    // Taken for somebody else's, it would be made on the right once more.
    assert!(kept(&transactions).keys().all(|id| *id == 1), "{transactions:?}");
    let answer = Answer::Rows { rows: vec![made()], next: None, server: Some(now) };
    shard.handle(now, Input::Answered { ticket: asked.unwrap(), answer });
    while let Some(effect) = shard.next_effect() {
        if let Effect::Commit { transaction, .. } = effect {
            transactions.push(*transaction);
        }
    }
    let links = kept(&transactions);
    let linked: Vec<&Link> = links.values().filter(|link| link.keys[0].as_deref() == Some(ID)).collect();
    assert_eq!(linked.len(), 1, "{links:?}");
    assert_eq!(linked[0].keys, [Some(ID.to_owned()), Some("1".to_owned())]);
}

/// What is told of a record on the left, in its order.
fn told(key: &str, number: u32, kind: NewsKind, name: Option<&str>, batch: Option<(u64, u64)>) -> News {
    let name = name.map(|name| ("Name".to_owned(), Stored::from(name)));
    let other = matches!(kind, NewsKind::Create).then(|| ("App_Id__c".to_owned(), Stored::from("1")));
    News {
        connection: "crm".to_owned(),
        entity: "Account".to_owned(),
        key: Some(key.to_owned()),
        identity: format!("t:{number}:{key}"),
        kind,
        values: name.into_iter().chain(other).collect(),
        origin: batch.map(|(epoch, batch)| Tag { shard: 1, epoch, batch }),
        at: Some("2026-11-22T08:59:00Z".parse().unwrap()),
        order: None,
    }
}

/// A hub that took over, and what it is answered.
struct Hub {
    shard: Shard,
    now: Timestamp,
    /// The link that is under way.
    link: Link,
    /// What is found by key, or by external id.
    rows: Vec<Row>,
    /// The key of what is made.
    made: &'static str,
    transactions: Vec<Transaction>,
}

impl Hub {
    fn new(link: Link, rows: Vec<Row>) -> Self {
        let loaded = MappingState { loaded: [true, true], ..MappingState::default() };
        let mappings = vec![(0, loaded)];
        let start = Start { shard: 1, epoch: 2, last_link: 1, active: vec![1], mappings, ..Start::default() };
        let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        let shard = Shard::new(now, plan(), Settings::default(), start);
        Self { shard, now, link, rows, made: "001000000000002AAA", transactions: Vec::new() }
    }

    /// Tells something, five seconds later, and does what is asked for.
    fn tell(&mut self, input: Input) {
        self.now += jiff::SignedDuration::from_secs(5);
        self.shard.handle(self.now, input);
        while let Some(effect) = self.shard.next_effect() {
            let input = match effect {
                Effect::Commit { ticket, transaction } => {
                    self.transactions.push(*transaction);
                    Input::Committed { ticket, known: Vec::new() }
                }
                Effect::Reserve(ask) => {
                    let reserved = Reserved { given: ask.calls, used: ask.calls, limit: ask.limit };
                    Input::Reserved { connection: ask.connection, reserved }
                }
                Effect::Load { ticket, load } => {
                    let links = if load.by_id.contains(&1) { vec![self.link.clone()] } else { Vec::new() };
                    let by_match = load.by_match.iter().map(|_| Vec::new()).collect();
                    let parked_on = load.parked_on.iter().map(|_| Vec::new()).collect();
                    let loaded = Loaded { links, by_match, parked_on, ..Loaded::default() };
                    Input::Loaded { ticket, loaded: Box::new(loaded) }
                }
                Effect::Read { ticket, .. } => {
                    let answer = Answer::Rows { rows: self.rows.clone(), next: None, server: Some(self.now) };
                    Input::Answered { ticket, answer }
                }
                Effect::Write(batch) => {
                    let outcomes = vec![Outcome::Done { key: self.made.to_owned(), row: None }; batch.writes.len()];
                    Input::Written { tag: batch.tag, outcomes }
                }
                Effect::Acknowledge { .. } => continue,
            };
            self.shard.handle(self.now, input);
        }
    }

    fn hear(&mut self, news: Vec<News>) {
        let source = SourceId { connection: "crm".to_owned(), channel: "Account".to_owned() };
        self.tell(Input::Heard(Delivery { source, news, position: None, committed: Some(self.now) }));
    }

    /// The kinds of all conflicts, with the values on the left.
    fn conflicts(&self) -> Vec<(ConflictKind, Option<Stored>)> {
        let conflicts = self.transactions.iter().flat_map(|transaction| &transaction.conflicts);
        conflicts.map(|conflict| (conflict.kind, conflict.values[0].clone())).collect()
    }
}

#[test]
fn a_record_that_was_made_edited_and_deleted_before_it_is_made_again_is_told_in_conflicts() {
    // Whoever looks for the record does not find it: it is deleted by then.
    let mut hub = Hub::new(sent(), Vec::new());
    // The window of a lane passes.
    (0..2).for_each(|_| hub.tell(Input::Tick));
    hub.hear(vec![
        told(ID, 1, NewsKind::Create, Some("Acme"), Some((1, 1))),
        told(ID, 2, NewsKind::Update, Some("Acme & Co"), None),
        told(ID, 3, NewsKind::Delete { merged_into: None }, None, None),
        told(hub.made, 4, NewsKind::Create, Some("Acme"), Some((2, 1))),
    ]);
    let edit = Some(Stored::from("Acme & Co"));
    assert_eq!(hub.conflicts(), [(ConflictKind::Delete, None), (ConflictKind::Severed, edit)]);
    let links = kept(&hub.transactions);
    assert_eq!(links[&1].keys, [Some(hub.made.to_owned()), Some("1".to_owned())]);
    assert_eq!(links[&1].presence, [Presence::Present, Presence::Present]);
}

#[test]
fn an_edit_that_a_write_overwrote_before_its_record_was_deleted_is_told_in_a_conflict() {
    let name = Stored::from("Acme Ltd");
    let (tag, taken) =
        (Tag { shard: 1, epoch: 1, batch: 1 }, Taken { side: Side::Right, value: name.clone(), at: None, place: 0 });
    let open = Open { tag, value: name, taken: taken.clone() };
    let mut link = sent();
    link.keys[0] = Some(ID.to_owned());
    (link.presence, link.unmatched) = ([Presence::Present, Presence::Present], false);
    link.fields[0].image = [Some(Stored::from("Acme")), Some(taken.value.clone())];
    link.fields[0].taken = Some(taken);
    link.fields[0].open[Side::Left] = vec![open.clone()];
    let flight = link.flight[Side::Left].as_mut().unwrap();
    (flight.operation, flight.values) = (Operation::Update(ID.to_owned()), vec![(0, open)]);
    let edit = told(ID, 1, NewsKind::Update, Some("Acme & Co"), None);
    // By the time that the row is read somebody deleted it, having seen what was written.
    let at = Some("2026-11-22T08:59:30Z".parse().unwrap());
    let deleted = Row { deleted: true, stamp: at, foreign_at: at, ..made() };
    let mut hub = Hub::new(link, vec![deleted]);
    hub.hear(vec![edit]);
    hub.hear(vec![told(ID, 2, NewsKind::Update, Some("Acme Ltd"), Some((1, 1)))]);
    let told = hub.conflicts().into_iter().filter_map(|(_, value)| value).collect::<Vec<_>>();
    assert!(told.contains(&Stored::from("Acme & Co")), "{:?}", hub.transactions);
}

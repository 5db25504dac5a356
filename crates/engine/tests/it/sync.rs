//! Shards of the sync engine, driven by hand.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tombolo_engine::sync::{
    Answer, Canon, Command, Connection, DeleteConflict, Deletes, Effect, End, FieldPair, Flight, Flow, Input, Link,
    LinkRow, Loaded, Mapping, MappingState, Operation, Plan, Policy, Presence, Read, Row, Settings, Shard, Side, Start,
    Stored, Style, Tag, Transaction,
};

const ID: &str = "001000000000001AAA";

fn plan() -> Arc<Plan> {
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

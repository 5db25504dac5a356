//! The desk and the rehearsal, over twins in memory.

use std::{
    collections::BTreeMap,
    future::ready,
    path::Path,
    sync::{Arc, Mutex},
};

use futures_util::{
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt as _},
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tombolo_engine::sync::{
    Answer, Batch, Command, Conflict, ConflictKind, DeadLetter, History, Key, Link, LinkRow, MappingState, Outcome,
    Plan, Presence, Read, Refusal, Row, Side, SourceId, SourceState, Step, Stored, Transaction,
};

use super::{TENANT, check::learn, desk::Desk, preview::preview, *};
use crate::{
    Error, Result,
    config::{Config, Surroundings, resolve::resolve},
    state::{State, memory::MemoryState},
    systems::system::{ChangeEvents, ClockReading, Entity, Fence, Field, FieldKind, Permissions, System, Told},
};

const FILE: &str = "\
state: sqlite:hub.db
connections:
  crm: { system: salesforce, auth: { flow: token, instance_url: https://crm.example.com, access_token: x } }
  app: { system: postgres, url: postgres://app@db/shop }
mappings:
  account:
    between: [crm.Account, app.accounts]
    external_id: App_Id__c
    match: [Name = name]
    deletes: { from_salesforce: hard, to_salesforce: hard }
    fields:
      - Name = name
      - Phone = phone
";

fn config() -> Config {
    let around = Surroundings { folder: Path::new("/etc"), variable: &|_| None };
    Config::parse("tombolo.yaml", FILE, &around).unwrap()
}

/// A system with one entity that can only be looked at: whoever writes to it fails the test.
struct Shelf {
    entity: Entity,
    rows: Mutex<Vec<Row>>,
    broken: bool,
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        type_name: "text".to_owned(),
        nullable: name.to_lowercase() != "id",
        defaulted: name.to_lowercase() == "id",
        createable: name != "Id",
        updateable: name != "Id",
        unique: name == "App_Id__c",
        external_id: name == "App_Id__c",
        references: Vec::new(),
        relationship: None,
        picklist: None,
        calculated: false,
    }
}

impl Shelf {
    /// Rows are a key and the values of the other fields.
    fn new(name: &str, fields: &[&str], rows: &[&[&str]]) -> Arc<Self> {
        let entity = Entity {
            name: name.to_owned(),
            key: vec![fields[0].to_owned()],
            fields: fields.iter().map(|name| field(name, FieldKind::Text(Some(80)))).collect(),
            change_events: ChangeEvents::Selected,
            objections: Vec::new(),
            may: Permissions { create: true, update: true, delete: true },
        };
        let row = |cells: &&[&str]| Row {
            key: cells[0].to_owned(),
            values: fields
                .iter()
                .zip(*cells)
                .skip(1)
                .map(|(name, cell)| ((*name).to_owned(), (*cell).into()))
                .collect(),
            stamp: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            foreign_at: None,
            order: None,
            deleted: false,
            merged_into: None,
        };
        Arc::new(Self { entity, rows: Mutex::new(rows.iter().map(row).collect()), broken: false })
    }
}

impl System for Shelf {
    fn identity(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(ready(Ok(self.entity.name.clone())))
    }

    fn describe<'a>(&'a self, entity: &'a str) -> BoxFuture<'a, Result<Option<Entity>>> {
        Box::pin(ready(Ok((entity == self.entity.name).then(|| self.entity.clone()))))
    }

    fn entities(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(ready(Ok(vec![self.entity.name.clone()])))
    }

    fn prepare(&self, _: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        panic!("a rehearsal makes nothing")
    }

    fn sources(&self) -> Vec<SourceId> {
        Vec::new()
    }

    fn listen(&self, _: &SourceId, _: SourceState) -> BoxStream<'static, Result<Told>> {
        stream::empty().boxed()
    }

    fn acknowledge<'a>(&'a self, _: &'a SourceId, _: &'a [String], _: Fence) -> BoxFuture<'a, Result<()>> {
        panic!("a rehearsal acknowledges nothing")
    }

    fn fence(&self, _: Fence) -> BoxFuture<'_, Result<()>> {
        panic!("a rehearsal keeps nobody out")
    }

    fn write<'a>(&'a self, _: &'a Batch, _: Fence) -> BoxFuture<'a, Vec<Outcome>> {
        panic!("a rehearsal writes nothing")
    }

    fn read<'a>(&'a self, read: &'a Read) -> BoxFuture<'a, Answer> {
        if self.broken {
            let message = "permission denied".to_owned();
            let refusal = Refusal { code: "42501".to_owned(), message, fields: Vec::new(), passing: false };
            return Box::pin(ready(Answer::Failed(refusal)));
        }
        let mut all = self.rows.lock().unwrap().clone();
        all.sort_by(|one, other| one.key.cmp(&other.key));
        let keys = all.iter().map(|row| row.key.clone());
        let answer = match read {
            Read::Rows { keys, .. } => {
                all.retain(|row| keys.contains(&row.key));
                Answer::Rows { rows: all, next: None, server: Some(Timestamp::now()) }
            }
            Read::Page { .. } => Answer::Rows { rows: all, next: None, server: Some(Timestamp::now()) },
            Read::Keys { after, .. } => Answer::Keys {
                keys: keys.filter(|key| after.as_ref().is_none_or(|after| key > after)).collect(),
                next: None,
            },
            Read::Deleted { .. } => Answer::Deleted { keys: Vec::new(), complete: true },
            Read::External { .. } | Read::Children { .. } => {
                Answer::Rows { rows: Vec::new(), next: None, server: None }
            }
        };
        Box::pin(ready(answer))
    }

    fn settle<'a>(&'a self, _: &'a [String], _: Fence) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Err(Error::failed("a rehearsal settles nothing"))))
    }

    fn clock(&self) -> BoxFuture<'_, Result<ClockReading>> {
        Box::pin(ready(Ok(ClockReading { ahead_ms: 0, uncertain_ms: 1 })))
    }

    fn usage(&self) -> Option<(u64, u64)> {
        None
    }

    fn uninstall(&self, _: bool) -> BoxFuture<'_, Result<()>> {
        panic!("a rehearsal takes nothing out")
    }
}

const ACME: &str = "001000000000001AAA";
const BOLT: &str = "001000000000002AAA";

fn systems(crm: &[&[&str]], app: &[&[&str]]) -> BTreeMap<String, Arc<dyn System>> {
    let crm: Arc<dyn System> = Shelf::new("Account", &["Id", "Name", "Phone", "App_Id__c"], crm);
    let app: Arc<dyn System> = Shelf::new("accounts", &["id", "name", "phone"], app);
    BTreeMap::from([("crm".to_owned(), crm), ("app".to_owned(), app)])
}

async fn rehearsed(systems: &BTreeMap<String, Arc<dyn System>>, known: Option<&dyn State>) -> Json {
    let config = config();
    let facts = learn(&config, systems).await.unwrap();
    let (resolved, findings) = resolve(&config, &facts, TENANT);
    let plan = resolved.unwrap_or_else(|| panic!("{}", findings.lines().join("\n"))).plan;
    let found = preview(&config, &plan, systems, known, 10).await.unwrap();
    serde_json::to_value(&found).unwrap()
}

/// Operation, connection, key, values.
fn writes(plan: &Json) -> Vec<Json> {
    let kinds = plan["writes"].as_array().unwrap().iter();
    let each = kinds.flat_map(|kind| {
        let shown = kind["shown"].as_array().unwrap().iter();
        shown.map(|one| json!([kind["operation"], kind["connection"], one["key"], one["values"]])).collect::<Vec<_>>()
    });
    each.collect()
}

#[tokio::test]
async fn the_first_run_is_told_beforehand() {
    let systems =
        systems(&[&[ACME, "Acme", "1", ""], &[BOLT, "Bolt", "2", ""]], &[&["10", "Acme", "9"], &["11", "Coil", "3"]]);
    let plan = rehearsed(&systems, None).await;
    assert_eq!(
        writes(&plan),
        [
            json!(["create", "crm", null, { "Name": "Coil", "Phone": "3" }]),
            json!(["create", "app", null, { "name": "Bolt", "phone": "2" }]),
            json!(["update", "app", "10", { "phone": "1" }]),
        ]
    );
    assert_eq!((&plan["first_time"], &plan["conflicts"]), (&json!(true), &json!(1)));
    let conflict = &plan["shown_conflicts"][0];
    assert_eq!((&conflict["field"], &conflict["winner"]), (&json!(["Phone", "phone"]), &json!("crm")));
}

#[tokio::test]
async fn equal_ends_need_no_write() {
    let systems = systems(&[&[ACME, "Acme", "1", ""]], &[&["10", "Acme", "1"]]);
    let plan = rehearsed(&systems, None).await;
    assert_eq!((writes(&plan), &plan["conflicts"]), (vec![], &json!(0)));
}

/// A link as it stands after both ends showed the same.
fn link(id: u64, keys: [&str; 2], values: [&str; 2]) -> Link {
    let mut link = Link::new(id, 0, 2);
    link.keys = keys.map(|key| Some(Key::from(key)));
    link.presence = [Presence::Present; 2];
    for (field, value) in link.fields.iter_mut().zip(values) {
        field.image = [Some(Stored::from(value)), Some(Stored::from(value))];
    }
    link
}

/// A state that knows this link, and that everything was read once.
async fn state(link: &Link, more: Transaction) -> (Arc<dyn State>, u64) {
    let state: Arc<dyn State> = Arc::new(MemoryState::default());
    let shard = state.shard(TENANT).await.unwrap();
    let lease = state.acquire(shard, "host 7", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    let loaded = MappingState { loaded: [true, true], ..MappingState::default() };
    let row = LinkRow { link: link.clone(), matches: [None, None], active: false };
    let transaction = Transaction { links: vec![row], mappings: vec![(0, loaded)], ..more };
    state.commit(&lease, &transaction).await.unwrap();
    (state, shard)
}

#[tokio::test]
async fn a_later_run_goes_on_from_what_is_known() {
    // The app's phone moved since both showed 1; the second record is new.
    let systems = systems(&[&[ACME, "Acme", "1", ""], &[BOLT, "Bolt", "2", ""]], &[&["10", "Acme", "5"]]);
    let (state, _) = state(&link(1, [ACME, "10"], ["Acme", "1"]), Transaction::default()).await;
    let plan = rehearsed(&systems, Some(&*state)).await;
    assert_eq!(
        writes(&plan),
        [
            json!(["update", "crm", ACME, { "Phone": "5" }]),
            json!(["create", "app", null, { "name": "Bolt", "phone": "2" }]),
        ]
    );
    assert_eq!((&plan["first_time"], &plan["conflicts"]), (&json!(false), &json!(0)));
}

#[tokio::test]
async fn what_cannot_be_read_is_said() {
    let systems = systems(&[], &[]);
    let config = config();
    let facts = learn(&config, &systems).await.unwrap();
    let plan = resolve(&config, &facts, TENANT).0.unwrap().plan;
    let mut broken = Shelf::new("accounts", &["id", "name", "phone"], &[]);
    Arc::get_mut(&mut broken).unwrap().broken = true;
    let systems = BTreeMap::from([("crm".to_owned(), Arc::clone(&systems["crm"])), ("app".to_owned(), broken as _)]);
    let error = preview(&config, &plan, &systems, None, 10).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read accounts of `app`: 42501: permission denied");
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

async fn desk() -> (Desk, Arc<dyn State>, u64) {
    let link = link(1, [ACME, "10"], ["Acme", "1"]);
    let keys = link.keys.clone();
    let conflict = Conflict {
        id: "1-2".into(),
        link: 1,
        mapping: 0,
        keys: keys.clone(),
        field: Some(["Phone".into(), "phone".into()]),
        images: [Some("1".into()), Some("1".into())],
        values: [Some("2".into()), Some(Stored::Null)],
        times: [Some(at(1)), None],
        kind: ConflictKind::Edit,
        winner: None,
        at: at(2),
        rule: "manual".into(),
    };
    let cause = Refusal {
        code: "STRING_TOO_LONG".into(),
        message: "too long".into(),
        fields: vec!["Name".into()],
        passing: false,
    };
    let letter =
        DeadLetter { link: 1, side: Side::Left, mapping: 0, keys, fields: vec!["Name".into()], cause, at: at(3) };
    let step = History {
        link: 1,
        at: at(1),
        step: Step::Heard,
        side: Side::Right,
        place: Some(1),
        values: vec![("phone".into(), "2".into())],
        note: String::new(),
    };
    let more = Transaction {
        conflicts: vec![conflict],
        dead_letters: vec![letter],
        history: vec![step],
        ..Transaction::default()
    };
    let (state, shard) = state(&link, more).await;
    (Desk::over(config(), Arc::clone(&state)).await.unwrap(), state, shard)
}

#[tokio::test]
async fn how_a_hub_stands() {
    let (desk, ..) = desk().await;
    let status = serde_json::to_value(desk.status().await.unwrap()).unwrap();
    assert_eq!((&status["running"], &status["holder"]), (&json!(true), &json!("host 7")));
    let mapping = &status["mappings"][0];
    assert_eq!((&mapping["mapping"], &mapping["state"]), (&json!("account"), &json!("live")));
    assert_eq!((&mapping["linked"], &mapping["conflicts"]), (&json!(1), &json!(1)));
    assert_eq!(mapping["sides"][0]["dead_letters"], 1);
}

#[tokio::test]
async fn what_went_apart_what_is_refused_and_what_happened() {
    let (desk, ..) = desk().await;
    let conflicts = serde_json::to_value(desk.conflicts(true, 10).await.unwrap()).unwrap();
    let conflict = &conflicts[0];
    assert_eq!((&conflict["id"], &conflict["values"]), (&json!("1-2"), &json!(["2", null])));
    assert_eq!((&conflict["record"][1]["key"], &conflict["winner"]), (&json!("10"), &Json::Null));
    let letters = serde_json::to_value(desk.dead_letters(10).await.unwrap()).unwrap();
    assert_eq!(letters["dead_letters"][0]["refused_by"], "crm");
    assert_eq!((&letters["causes"][0]["count"], &letters["causes"][0]["code"]), (&json!(1), &json!("STRING_TOO_LONG")));
    // A record is found by any of its keys, the Id of 15 characters included.
    for key in [ACME, &ACME[..15], "10"] {
        let found = serde_json::to_value(desk.history(key).await.unwrap()).unwrap();
        assert_eq!(found[0]["steps"][0]["values"], json!({ "phone": "2" }), "{key}");
    }
    let error = desk.history("11").await.unwrap_err();
    assert_eq!(error.to_string(), "no record with the key `11` is known");
}

#[tokio::test]
async fn what_is_asked_waits_for_the_hub() {
    let (desk, state, shard) = desk().await;
    assert!(desk.pause(Some("account")).await.unwrap().running);
    desk.resume(None).await.unwrap();
    desk.reconcile(None, Some(at(0))).await.unwrap();
    desk.scrub(Some("account")).await.unwrap();
    desk.retry(&Retry::Code("STRING_TOO_LONG".into())).await.unwrap();
    desk.retry(&Retry::Record("10".into())).await.unwrap();
    desk.decide("1-2", "app").await.unwrap();
    let commands: Vec<Command> = state.commands(shard).await.unwrap().into_iter().map(|(_, command)| command).collect();
    assert_eq!(
        commands,
        [
            Command::Pause(Some(0)),
            Command::Resume(None),
            Command::Reconcile { mapping: None, since: Some(at(0)) },
            Command::Scrub(Some(0)),
            Command::Retry { link: None, code: Some("STRING_TOO_LONG".into()) },
            Command::Retry { link: Some(1), code: None },
            Command::Decide { conflict: "1-2".into(), link: 1, side: Side::Right },
        ]
    );
    for (error, expected) in [
        (desk.pause(Some("acount")).await, "tombolo.yaml has no mapping `acount`"),
        (desk.decide("9", "app").await, "no conflict `9` waits for a decision"),
        (desk.decide("1-2", "shop").await, "`shop` is neither end of the mapping `account`"),
        (desk.retry(&Retry::Record("x".into())).await, "no record with the key `x` is known"),
    ] {
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}

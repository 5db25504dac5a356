//! What every [`System`] promises, run on each of them: databases, the twin in memory, and who joins later.

mod values;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use tokio::time::{Instant, timeout};
use tombolo_engine::sync::{
    Answer, Batch, Canon, Class, Connection, DeleteConflict, Deletes, Delivery, End, FieldPair, Flow, Key, Mapping,
    News, NewsKind, Operation, Outcome, Plan, Policy, Precision, Read, Row, Side, SourceId, SourceState, Stored, Style,
    Tag, Values, Write,
};

pub(crate) use self::values::{any_value_comes_back, values_come_back_as_they_were_written};
use super::system::{Fence, System, Told};
use crate::{ErrorKind, Result};

/// The connection's name in every plan here, and its table: a key that the system draws, the columns of [`FIELDS`],
/// `notes` that nobody maps and `tenant_id`.
pub(crate) const CONNECTION: &str = "app";
pub(crate) const TABLE: &str = "contacts";
pub(crate) const SHARD: u64 = 7;

pub(crate) const FIELDS: [(&str, Canon); 7] = [
    ("name", Canon::Text(Some(80))),
    ("email", Canon::Text(Some(80))),
    ("score", Canon::Decimal(2)),
    ("active", Canon::Boolean),
    ("born", Canon::Date),
    ("seen", Canon::DateTime(Precision::Millisecond)),
    ("nap", Canon::Time),
];

/// A system with somebody else at work in it.
pub(crate) trait Ground: Send + Sync {
    /// A handle as another process would have it: nothing of what others learned.
    fn handle(&self) -> Box<dyn System>;

    /// Somebody else makes a record.
    fn insert<'a>(&'a self, values: &'a [(&'a str, Stored)]) -> BoxFuture<'a, Key>;

    /// Somebody else sets fields.
    fn update<'a>(&'a self, key: &'a str, values: &'a [(&'a str, Stored)]) -> BoxFuture<'a, ()>;

    /// Somebody else deletes.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()>;

    /// How many changes wait in the outbox.
    fn waiting(&self) -> BoxFuture<'_, i64>;
}

pub(crate) fn plan(tenant: Option<&str>) -> Arc<Plan> {
    plan_of(tenant, TABLE, &FIELDS)
}

pub(crate) fn plan_of(tenant: Option<&str>, table: &str, fields: &[(&str, Canon)]) -> Arc<Plan> {
    let end = |connection: &str, entity: &str, style| End {
        connection: connection.to_owned(),
        entity: entity.to_owned(),
        style,
        external_id: None,
        filter: None,
        watch: Vec::new(),
        creates: true,
        key: None,
        tenant_column: None,
    };
    let mut app = end(CONNECTION, table, Style::Compared);
    app.tenant_column = tenant.map(|_| "tenant_id".to_owned());
    let fields = fields.iter().map(|(name, canon)| FieldPair {
        names: [format!("{name}__c"), (*name).to_owned()],
        flow: Flow::Both,
        policy: Policy::Wins(Side::Left),
        canon: *canon,
        reference: None,
        path: None,
    });
    let mapping = Mapping {
        name: "contact".to_owned(),
        ends: [end("crm", "Contact", Style::Tagged), app],
        fields: fields.collect(),
        match_on: Vec::new(),
        deletes: [Deletes::Hard, Deletes::Hard],
        delete_conflict: DeleteConflict::Keep,
    };
    let connection = Connection { batch: 200, parallel: 2, budgeted: false };
    Arc::new(Plan {
        tenant: tenant.unwrap_or("everyone").to_owned(),
        mappings: vec![mapping],
        connections: BTreeMap::from([("crm".to_owned(), connection), (CONNECTION.to_owned(), connection)]),
    })
}

pub(crate) fn text(text: &str) -> Stored {
    Stored::Text(text.to_owned())
}

pub(crate) fn values(list: &[(&str, Stored)]) -> Values {
    list.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub(crate) fn fence(epoch: u64) -> Fence {
    Fence { shard: SHARD, epoch, until: Instant::now() + Duration::from_secs(60) }
}

pub(crate) fn tag(batch: u64) -> Tag {
    Tag { shard: SHARD, epoch: 1, batch }
}

pub(crate) fn write(operation: Operation, set: &[(&str, Stored)], expect: &[(&str, Stored)], id: &str) -> Write {
    Write {
        link: 1,
        mapping: 0,
        side: Side::Right,
        operation,
        values: values(set),
        expect: values(expect),
        unmodified_since: None,
        operation_id: id.to_owned(),
        insists: false,
        group: None,
    }
}

pub(crate) fn create() -> Operation {
    Operation::Create { key: None, other: "003000000000001AAA".to_owned() }
}

pub(crate) fn batch(number: u64, writes: Vec<Write>) -> Batch {
    Batch { tag: tag(number), connection: CONNECTION.to_owned(), writes, class: Class::Live }
}

/// Writes one record under epoch 1.
pub(crate) async fn write_one(system: &dyn System, number: u64, one: Write) -> Outcome {
    let mut outcomes = system.write(&batch(number, vec![one]), fence(1)).await;
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// What a source tells, one thing after the other.
pub(crate) struct Ear {
    source: SourceId,
    told: BoxStream<'static, Result<Told>>,
}

impl Ear {
    pub(crate) fn new(system: &dyn System, from: SourceState) -> Self {
        let source = system.sources().remove(0);
        let told = system.listen(&source, from);
        Self { source, told }
    }

    pub(crate) async fn told(&mut self) -> Told {
        let told = timeout(Duration::from_secs(60), self.told.next()).await.expect("nothing was told");
        told.expect("the stream ended").expect("the source failed")
    }

    pub(crate) async fn opened(&mut self) {
        let told = self.told().await;
        assert!(matches!(told, Told::Opened(_)), "{told:?}");
    }

    pub(crate) async fn delivery(&mut self) -> Delivery {
        match self.told().await {
            Told::Heard(delivery) => delivery,
            other => panic!("not a delivery: {other:?}"),
        }
    }

    /// So many changes, and nothing else on the way.
    pub(crate) async fn news(&mut self, count: usize) -> Vec<News> {
        let mut news = Vec::new();
        while news.len() < count {
            news.extend(self.delivery().await.news);
        }
        assert_eq!(news.len(), count, "{news:#?}");
        news
    }

    pub(crate) async fn acknowledge(&self, system: &dyn System, news: &[News]) {
        let identities: Vec<String> = news.iter().map(|news| news.identity.clone()).collect();
        system.acknowledge(&self.source, &identities, fence(1)).await.unwrap();
    }
}

/// A handle that is ready, and its ear.
pub(crate) async fn ready(ground: &dyn Ground) -> (Box<dyn System>, Ear) {
    ready_for(ground, plan(None)).await
}

pub(crate) async fn ready_for(ground: &dyn Ground, plan: Arc<Plan>) -> (Box<dyn System>, Ear) {
    let system = ground.handle();
    system.prepare(plan).await.unwrap();
    let mut ear = Ear::new(&*system, SourceState::default());
    ear.opened().await;
    (system, ear)
}

pub(crate) async fn row(system: &dyn System, key: &str) -> Option<Row> {
    let read = Read::Rows { mapping: 0, side: Side::Right, keys: vec![key.to_owned()] };
    match system.read(&read).await {
        Answer::Rows { mut rows, next: None, server: Some(_) } => {
            assert!(rows.len() <= 1, "{rows:?}");
            rows.pop()
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn value<'a>(list: &'a Values, name: &str) -> &'a Stored {
    list.iter().find(|(known, _)| known == name).map_or(&Stored::Null, |(_, value)| value)
}

pub(crate) async fn changes_are_told_once(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let key = ground.insert(&[("name", text("Ann")), ("email", text("ann@example.com"))]).await;
    let made = ear.news(1).await.remove(0);
    assert_eq!((made.kind.clone(), made.key.as_ref()), (NewsKind::Create, Some(&key)));
    assert_eq!((made.connection.as_str(), made.entity.as_str()), (CONNECTION, TABLE));
    assert_eq!(value(&made.values, "name"), &text("Ann"));
    // A record that is new tells every field, the empty ones, too.
    assert_eq!(made.values.len(), FIELDS.len());
    assert!(made.origin.is_none() && made.at.is_some());
    ground.update(&key, &[("name", text("Ann Lee")), ("email", text("ann@example.com"))]).await;
    // What nobody maps is not told.
    ground.update(&key, &[("notes", text("private"))]).await;
    ground.delete(&key).await;
    let mut later = ear.news(2).await;
    let (set, gone) = (later.remove(0), later.remove(0));
    assert_eq!((set.kind.clone(), set.values.clone()), (NewsKind::Update, values(&[("name", text("Ann Lee"))])));
    assert_eq!(gone.kind, NewsKind::Delete { merged_into: None });
    assert_eq!(gone.key, Some(key));
    assert!(made.order < set.order && set.order < gone.order);
    assert!(made.at <= set.at && set.at <= gone.at);
    ear.acknowledge(&*system, &[made, set, gone]).await;
    assert_eq!(ground.waiting().await, 0);
}

pub(crate) async fn what_is_not_acknowledged_comes_again(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    ground.insert(&[("name", text("one"))]).await;
    let first = ear.news(1).await;
    ground.insert(&[("name", text("two"))]).await;
    // The first one is not told again while it waits.
    let second = ear.delivery().await;
    assert_eq!(second.news.len(), 1);
    assert_eq!(second.committed, second.news[0].at);
    ear.acknowledge(&*system, &second.news).await;
    let state = SourceState { position: second.position.clone(), opened: None, committed: None };
    let restarted = ground.handle();
    restarted.prepare(plan(None)).await.unwrap();
    let mut ear = Ear::new(&*restarted, state);
    ear.opened().await;
    assert_eq!(ear.news(1).await, first);
    ear.acknowledge(&*restarted, &first).await;
    // Once more does no harm.
    ear.acknowledge(&*restarted, &first).await;
    assert_eq!(ground.waiting().await, 0);
    ground.insert(&[("name", text("three"))]).await;
    assert_eq!(value(&ear.news(1).await[0].values, "name"), &text("three"));
}

pub(crate) async fn our_writes_carry_their_tag(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let made = write_one(&*system, 1, write(create(), &[("name", text("Bo"))], &[], "1.1")).await;
    let Outcome::Done { key, row: Some(shown) } = made else { panic!("{made:?}") };
    assert_eq!((&shown.key, value(&shown.values, "name")), (&key, &text("Bo")));
    assert_eq!(value(&shown.values, "score"), &Stored::Null);
    let echo = ear.news(1).await.remove(0);
    assert_eq!((echo.kind.clone(), echo.origin, echo.order), (NewsKind::Create, Some(tag(1)), shown.order));
    // The next one is somebody else's.
    ground.update(&key, &[("name", text("Bob"))]).await;
    let foreign = ear.news(1).await.remove(0);
    assert_eq!(foreign.origin, None);
    let row = row(&*system, &key).await.unwrap();
    assert_eq!((row.order, row.foreign_at), (foreign.order, foreign.at));
    let expect = [("name", text("Bob")), ("email", Stored::Null)];
    let set =
        write_one(&*system, 2, write(Operation::Update(key.clone()), &[("name", text("B"))], &expect, "1.2")).await;
    let Outcome::Done { row: Some(shown), .. } = set else { panic!("{set:?}") };
    assert_eq!((value(&shown.values, "name"), shown.foreign_at), (&text("B"), None));
    let echo = ear.news(1).await.remove(0);
    assert_eq!((echo.origin, echo.values), (Some(tag(2)), values(&[("name", text("B"))])));
    let gone = write_one(&*system, 3, write(Operation::Delete(key.clone()), &[], &[("name", text("B"))], "1.3")).await;
    assert_eq!(gone, Outcome::Done { key: key.clone(), row: None });
    assert_eq!(ear.news(1).await[0].origin, Some(tag(3)));
    assert_eq!(self::row(&*system, &key).await, None);
}

pub(crate) async fn unseen_edits_are_not_overwritten(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let key = ground.insert(&[("name", text("Cy")), ("email", text("cy@example.com"))]).await;
    let made = ear.news(1).await;
    ear.acknowledge(&*system, &made).await;
    ground.update(&key, &[("name", text("Cyd"))]).await;
    let expect = [("name", text("Cy")), ("email", text("cy@example.com"))];
    let set = [("email", text("new@example.com"))];
    let moved = write_one(&*system, 1, write(Operation::Update(key.clone()), &set, &expect, "1.1")).await;
    let Outcome::Moved { pending, row: Some(shown) } = moved else { panic!("{moved:?}") };
    assert_eq!(value(&shown.values, "name"), &text("Cyd"));
    assert_eq!(value(&shown.values, "email"), &text("cy@example.com"));
    // What it had not seen is told as it will be heard.
    assert_eq!(ear.news(1).await, pending);
    assert_eq!(shown.order, pending[0].order);
    let expect = [("name", text("Cyd")), ("email", text("cy@example.com"))];
    let done = write_one(&*system, 2, write(Operation::Update(key.clone()), &set, &expect, "1.1")).await;
    assert!(matches!(done, Outcome::Done { .. }), "{done:?}");
    let moved = write_one(&*system, 3, write(Operation::Delete(key.clone()), &[], &expect, "1.2")).await;
    assert!(matches!(moved, Outcome::Moved { .. }), "{moved:?}");
    assert!(row(&*system, &key).await.is_some());
}

pub(crate) async fn an_operation_is_done_once(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let make = || write(create(), &[("name", text("Di"))], &[], "9.1");
    let Outcome::Done { key, .. } = write_one(&*system, 1, make()).await else { panic!("not made") };
    assert_eq!(write_one(&*system, 2, make()).await, Outcome::AlreadyDone { key: key.clone() });
    let set = || write(Operation::Update(key.clone()), &[("name", text("Dii"))], &[("name", text("Di"))], "9.2");
    assert!(matches!(write_one(&*system, 3, set()).await, Outcome::Done { .. }));
    assert_eq!(ground.handle().sources(), system.sources());
    assert_eq!(write_one(&*system, 4, set()).await, Outcome::AlreadyDone { key: key.clone() });
    assert_eq!(ear.news(2).await.len(), 2);
    system.settle(&["9.1".to_owned(), "9.2".to_owned()], fence(1)).await.unwrap();
    // Nothing recognises it any more, but the comparison does.
    assert!(matches!(write_one(&*system, 5, set()).await, Outcome::Moved { .. }));
}

pub(crate) async fn an_older_epoch_writes_nothing(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    system.fence(fence(1)).await.unwrap();
    let key = ground.insert(&[("name", text("Ed"))]).await;
    let news = ear.news(1).await;
    let next = ground.handle();
    next.prepare(plan(None)).await.unwrap();
    next.fence(fence(2)).await.unwrap();
    let set = write(Operation::Update(key.clone()), &[("name", text("late"))], &[("name", text("Ed"))], "1.1");
    assert_eq!(write_one(&*system, 1, set.clone()).await, Outcome::NotDone(None));
    let identities = [news[0].identity.clone()];
    let source = system.sources().remove(0);
    let error = system.acknowledge(&source, &identities, fence(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(system.fence(fence(1)).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(system.settle(&["1.1".to_owned()], fence(1)).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(ground.waiting().await, 1);
    assert_eq!(value(&row(&*system, &key).await.unwrap().values, "name"), &text("Ed"));
    let done = next.write(&batch(1, vec![set]), fence(2)).await;
    assert!(matches!(done[0], Outcome::Done { .. }), "{done:?}");
    next.acknowledge(&source, &identities, fence(2)).await.unwrap();
    // Another shard has epochs of its own.
    let other = Fence { shard: SHARD + 1, ..fence(1) };
    system.fence(other).await.unwrap();
}

pub(crate) async fn a_lease_that_is_over_writes_nothing(ground: &dyn Ground) {
    let (system, _) = ready(ground).await;
    let over = Fence { until: Instant::now(), ..fence(1) };
    let made = system.write(&batch(1, vec![write(create(), &[("name", text("x"))], &[], "1.1")]), over).await;
    assert_eq!(made, [Outcome::NotDone(None)]);
    assert_eq!(ground.waiting().await, 0);
}

pub(crate) async fn a_record_comes_back_under_its_key(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let key = ground.insert(&[("name", text("Flo"))]).await;
    ground.delete(&key).await;
    let back = Operation::Create { key: Some(key.clone()), other: "003".to_owned() };
    let made = write_one(&*system, 1, write(back.clone(), &[("name", text("Flo"))], &[], "1.1")).await;
    let Outcome::Done { key: same, row: Some(shown) } = made else { panic!("{made:?}") };
    assert_eq!((&same, &shown.key), (&key, &key));
    assert_eq!(ear.news(3).await[2].key, Some(key.clone()));
    let twice = write_one(&*system, 2, write(back, &[("name", text("Flo"))], &[], "1.2")).await;
    assert_eq!(twice, Outcome::Duplicate { key: Some(key) });
}

pub(crate) async fn a_duplicate_is_named(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let key = ground.insert(&[("email", text("gus@example.com"))]).await;
    let other = ground.insert(&[("email", text("other@example.com")), ("name", text("o"))]).await;
    // One that is refused takes no others with it.
    let writes = vec![
        write(create(), &[("name", text("before"))], &[], "1.1"),
        write(create(), &[("email", text("gus@example.com"))], &[], "1.2"),
        write(Operation::Update(other.clone()), &[("email", text("gus@example.com"))], &[("name", text("o"))], "1.3"),
        write(create(), &[("name", text("after"))], &[], "1.4"),
    ];
    let outcomes = system.write(&batch(1, writes), fence(1)).await;
    assert!(matches!(outcomes[0], Outcome::Done { .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Duplicate { key: Some(key) });
    let Outcome::Refused(refusal) = &outcomes[2] else { panic!("{outcomes:?}") };
    assert_eq!((refusal.fields.clone(), refusal.passing), (vec!["email".to_owned()], false), "{refusal:?}");
    assert!(matches!(outcomes[3], Outcome::Done { .. }), "{outcomes:?}");
    let told = ear.news(4).await;
    assert_eq!(told.iter().filter(|news| news.origin == Some(tag(1))).count(), 2);
}

pub(crate) async fn what_is_gone_is_said_to_be_gone(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let key = ground.insert(&[("name", text("Hal"))]).await;
    ground.delete(&key).await;
    let set = || write(Operation::Update(key.clone()), &[("name", text("x"))], &[("name", text("Hal"))], "1.1");
    let moved = write_one(&*system, 1, set()).await;
    let Outcome::Moved { pending, row: None } = moved else { panic!("{moved:?}") };
    let told = ear.news(2).await;
    assert_eq!(pending, told);
    ear.acknowledge(&*system, &told).await;
    assert_eq!(write_one(&*system, 2, set()).await, Outcome::Gone { certain: true });
    let delete = write(Operation::Delete(key), &[], &[], "1.2");
    assert_eq!(write_one(&*system, 3, delete).await, Outcome::Gone { certain: true });
    let never = write(Operation::Update("no such key".to_owned()), &[("name", text("x"))], &[], "1.3");
    assert_eq!(write_one(&*system, 4, never).await, Outcome::Gone { certain: true });
}

pub(crate) async fn pages_have_every_record_once(ground: &dyn Ground) {
    let (system, _) = ready(ground).await;
    let writes = (0..450).map(|n| write(create(), &[("name", text(&format!("p{n}")))], &[], &format!("{n}.1")));
    let outcomes = system.write(&batch(1, writes.collect()), fence(1)).await;
    let made: Vec<Key> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Done { key, row: Some(_) } => key.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let read = Read::Page { mapping: 0, side: Side::Right, since: None, after };
        let Answer::Rows { rows: page, next, server: Some(_) } = system.read(&read).await else { panic!("no page") };
        rows.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let mut paged: Vec<Key> = rows.iter().map(|row| row.key.clone()).collect();
    assert!(rows.iter().all(|row| row.order.is_some() && row.foreign_at.is_none() && row.values.len() == FIELDS.len()));
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let read = Read::Keys { mapping: 0, side: Side::Right, after };
        let Answer::Keys { keys: page, next } = system.read(&read).await else { panic!("no keys") };
        keys.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = made.clone();
    sorted.sort_unstable();
    assert_eq!(keys, sorted);
    paged.sort_unstable();
    assert_eq!(paged, sorted);
    let deleted = Read::Deleted { mapping: 0, side: Side::Right, since: jiff::Timestamp::now() };
    assert!(matches!(system.read(&deleted).await, Answer::Deleted { complete: false, .. }));
}

pub(crate) async fn tenants_do_not_see_each_other(ground: &dyn Ground) {
    let (ours, mut ear) = ready_for(ground, plan(Some("a"))).await;
    let theirs = ground.handle();
    theirs.prepare(plan(Some("b"))).await.unwrap();
    let mut their_ear = Ear::new(&*theirs, SourceState::default());
    their_ear.opened().await;
    let a = ground.insert(&[("name", text("a")), ("tenant_id", text("a"))]).await;
    let b = ground.insert(&[("name", text("b")), ("tenant_id", text("b"))]).await;
    // Nobody's: it would wait for ever.
    ground.insert(&[("name", text("c")), ("tenant_id", text("c"))]).await;
    assert_eq!(ear.news(1).await[0].key, Some(a.clone()));
    assert_eq!(their_ear.news(1).await[0].key, Some(b.clone()));
    assert_eq!(ground.waiting().await, 2);
    assert!(row(&*ours, &a).await.is_some());
    assert_eq!(row(&*ours, &b).await, None);
    let set = write(Operation::Update(b.clone()), &[("name", text("mine"))], &[], "1.1");
    assert_eq!(write_one(&*ours, 1, set).await, Outcome::Gone { certain: true });
    let made = write_one(&*ours, 2, write(create(), &[("name", text("new"))], &[], "1.2")).await;
    let Outcome::Done { key, .. } = made else { panic!("{made:?}") };
    assert_eq!(ear.news(1).await[0].key, Some(key.clone()));
    assert_eq!(row(&*theirs, &key).await, None);
    let Answer::Keys { keys, .. } = ours.read(&Read::Keys { mapping: 0, side: Side::Right, after: None }).await else {
        panic!("no keys")
    };
    assert_eq!(keys.len(), 2);
    // A record that changes hands goes here and comes there.
    ground.update(&a, &[("tenant_id", text("b"))]).await;
    assert_eq!(ear.news(1).await[0].kind, NewsKind::Delete { merged_into: None });
    let come = their_ear.news(1).await.remove(0);
    assert_eq!((come.kind, come.key), (NewsKind::Create, Some(a)));
}

pub(crate) async fn what_is_described_can_be_mapped(ground: &dyn Ground) {
    let (system, _) = ready(ground).await;
    let entity = system.describe(TABLE).await.unwrap().unwrap();
    assert_eq!((entity.name.as_str(), entity.key.as_slice()), (TABLE, ["id".to_owned()].as_slice()));
    assert!(entity.objections.is_empty(), "{:?}", entity.objections);
    for (name, _) in FIELDS {
        let field = entity.fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("no {name}"));
        assert!(field.createable && field.updateable && field.nullable && !field.calculated, "{field:?}");
        assert_eq!(field.unique, name == "email", "{field:?}");
    }
    assert!(system.entities().await.unwrap().contains(&TABLE.to_owned()));
    assert_eq!(system.describe("no_such_table").await.unwrap(), None);
    assert_eq!(system.identity().await.unwrap(), ground_identity(ground).await);
    assert!(system.clock().await.unwrap().ahead_ms.abs() < 60_000);
}

async fn ground_identity(ground: &dyn Ground) -> String {
    let other = ground.handle();
    other.prepare(plan(None)).await.unwrap();
    other.identity().await.unwrap()
}

pub(crate) async fn uninstalling_is_refused_while_changes_wait(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let key = ground.insert(&[("name", text("Ian"))]).await;
    assert_eq!(system.uninstall(false).await.unwrap_err().kind(), ErrorKind::Usage);
    let told = ear.news(1).await;
    ear.acknowledge(&*system, &told).await;
    system.uninstall(false).await.unwrap();
    // The application goes on.
    ground.update(&key, &[("name", text("Jan"))]).await;
    let again = ground.handle();
    again.prepare(plan(None)).await.unwrap();
    assert_eq!(value(&row(&*again, &key).await.unwrap().values, "name"), &text("Jan"));
    ground.update(&key, &[("name", text("Kim"))]).await;
    again.uninstall(true).await.unwrap();
}

/// Every case, as tests of a ground: `with` gets an async function of the ground.
macro_rules! conformance {
    ($with:path) => {
        crate::systems::conformance::conformance! { $with,
            changes_are_told_once,
            what_is_not_acknowledged_comes_again,
            our_writes_carry_their_tag,
            unseen_edits_are_not_overwritten,
            an_operation_is_done_once,
            an_older_epoch_writes_nothing,
            a_lease_that_is_over_writes_nothing,
            a_record_comes_back_under_its_key,
            a_duplicate_is_named,
            what_is_gone_is_said_to_be_gone,
            pages_have_every_record_once,
            tenants_do_not_see_each_other,
            values_come_back_as_they_were_written,
            any_value_comes_back,
            what_is_described_can_be_mapped,
            uninstalling_is_refused_while_changes_wait,
        }
    };
    ($with:path, $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $with(async |ground| crate::systems::conformance::$case(ground).await).await;
            }
        )*
    };
}
pub(crate) use conformance;

//! A system's twin in memory: tables, an outbox, operation rows and epochs, and troubles to be had on demand.

mod world;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    future::{BoxFuture, ready},
    stream::{self, BoxStream, StreamExt as _},
};
use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};
use tombolo_engine::sync::{
    Answer, Batch, Delivery, End, Key, Mapping, News, Operation, Outcome, Plan, Read, Refusal, Row, SourceId,
    SourceState, Stored, Tag, Write,
};

use super::system::{ChangeEvents, ClockReading, Entity, Fence, Metered, Permissions, System, Told};
use crate::{Error, ErrorKind, Result};

use self::world::{Data, belongs, heard};
pub(crate) use self::world::{Trouble, World};

const PAGE: usize = 100;

/// One process's handle on the world.
pub(crate) struct Twin {
    world: World,
    connection: String,
    plan: Mutex<Option<Arc<Plan>>>,
    handed: Arc<Mutex<BTreeSet<u64>>>,
}

impl Twin {
    fn new(world: World, connection: &str) -> Self {
        Self { world, connection: connection.to_owned(), plan: Mutex::default(), handed: Arc::default() }
    }

    fn plan(&self) -> Arc<Plan> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone();
        plan.expect("the twin was not prepared")
    }

    fn named(&self, mut news: News) -> News {
        news.connection.clone_from(&self.connection);
        news
    }

    fn write_one(&self, data: &mut Data, plan: &Plan, tag: Tag, write: &Write, shard: u64) -> Outcome {
        let doubted = |(_, value): &(String, Stored)| data.doubted.as_ref() == Some(value);
        if !write.insists && write.values.iter().any(doubted) {
            return Outcome::Questioned(refusal("DUPLICATES_DETECTED", "", false));
        }
        let mapping = &plan.mappings[write.mapping];
        let end = &mapping.ends[write.side];
        let operation = (shard, write.operation_id.clone());
        if let Some(key) = data.operations.get(&operation) {
            return Outcome::AlreadyDone { key: key.clone() };
        }
        if let Some(taken) = taken(data, end, write) {
            return match write.operation {
                Operation::Create { .. } => Outcome::Duplicate { key: Some(taken.1) },
                _ => refused("DUPLICATE", &taken.0, false),
            };
        }
        let (Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key)) = &write.operation else {
            let Operation::Create { key, .. } = &write.operation else { return refused("NOT_SUPPORTED", "", false) };
            let mut values = write.values.clone();
            values.extend(end.tenant_column.iter().map(|column| (column.clone(), Stored::Text(plan.tenant.clone()))));
            let key = data.insert(&end.entity, key.as_deref(), &values, Some(tag));
            data.operations.insert(operation, key.clone());
            return Outcome::Done { row: data.row(plan, mapping, end, &key), key };
        };
        let pending = || {
            let theirs = data.outbox.iter().filter(|(id, _)| data.whose.get(*id) == Some(&plan.tenant));
            let of = theirs.filter(|(_, news)| news.entity == end.entity && news.key.as_ref() == Some(key));
            of.map(|(_, news)| self.named(news.clone())).collect::<Vec<News>>()
        };
        let Some(row) = data.row(plan, mapping, end, key) else {
            let pending = pending();
            return if pending.is_empty() {
                Outcome::Gone { certain: true }
            } else {
                Outcome::Moved { pending, row: None }
            };
        };
        if moved(mapping, write, &row) {
            return Outcome::Moved { pending: pending(), row: Some(row) };
        }
        let key = key.clone();
        match write.operation {
            Operation::Delete(_) => data.delete(&end.entity, &key, Some(tag)),
            _ => data.update(&end.entity, &key, &write.values, Some(tag)),
        }
        data.operations.insert(operation, key.clone());
        let row = data.row(plan, mapping, end, &key);
        Outcome::Done { key, row }
    }

    fn written(&self, batch: &Batch, fence: Fence) -> Vec<Outcome> {
        let plan = self.plan();
        let mut data = self.world.data();
        let trouble = data.troubles.pop_front();
        if fence.until <= Instant::now() || !data.check(fence) || trouble == Some(Trouble::Away) {
            return vec![Outcome::NotDone(None); batch.writes.len()];
        }
        if trouble == Some(Trouble::Locked) {
            return vec![refused("LOCKED", "", true); batch.writes.len()];
        }
        let one = |write| self.write_one(&mut data, &plan, batch.tag, write, fence.shard);
        let outcomes: Vec<Outcome> = batch.writes.iter().map(one).collect();
        drop(data);
        self.world.told();
        if trouble == Some(Trouble::LostAnswer) { vec![Outcome::Unknown; outcomes.len()] } else { outcomes }
    }

    fn answer(&self, read: &Read) -> Answer {
        let plan = self.plan();
        let data = self.world.data();
        let server = Some(Timestamp::now());
        let of = |mapping: &usize, side: &tombolo_engine::sync::Side| {
            let mapping = &plan.mappings[*mapping];
            (mapping, &mapping.ends[*side])
        };
        let keys_of = |end: &End| {
            let rows = data.tables.get(&end.entity).map(|table| &table.rows).into_iter().flatten();
            let mine = rows.filter(|(_, row)| belongs(row, end.tenant_column.as_deref(), &plan.tenant));
            mine.map(|(key, _)| key.clone()).collect::<Vec<Key>>()
        };
        match read {
            Read::Rows { mapping, side, keys } => {
                let (mapping, end) = of(mapping, side);
                let rows = keys.iter().filter_map(|key| data.row(&plan, mapping, end, key)).collect();
                Answer::Rows { rows, next: None, server }
            }
            Read::Page { mapping, side, after, .. } => {
                let (mapping, end) = of(mapping, side);
                let keys = keys_of(end)
                    .into_iter()
                    .filter(|key| after.as_ref().is_none_or(|after| key.as_bytes() > after.as_slice()));
                let keys: Vec<Key> = keys.take(PAGE).collect();
                let next = keys.last().filter(|_| keys.len() == PAGE).map(|key| key.clone().into_bytes());
                let rows = keys.iter().filter_map(|key| data.row(&plan, mapping, end, key)).collect();
                Answer::Rows { rows, next, server }
            }
            Read::Keys { mapping, side, after } => {
                let keys = keys_of(of(mapping, side).1).into_iter();
                let keys: Vec<Key> =
                    keys.filter(|key| after.as_ref().is_none_or(|after| key > after)).take(PAGE).collect();
                let next = keys.last().filter(|_| keys.len() == PAGE).cloned();
                Answer::Keys { keys, next }
            }
            Read::External { .. } => Answer::Rows { rows: Vec::new(), next: None, server },
            Read::Deleted { .. } => Answer::Deleted { keys: Vec::new(), complete: false },
            Read::Children { .. } => Answer::Failed(refusal("NOT_SUPPORTED", "", false)),
        }
    }
}

fn refusal(code: &str, field: &str, passing: bool) -> Refusal {
    let fields = if field.is_empty() { Vec::new() } else { vec![field.to_owned()] };
    Refusal { code: code.to_owned(), message: code.to_lowercase(), fields, passing }
}

fn refused(code: &str, field: &str, passing: bool) -> Outcome {
    Outcome::Refused(refusal(code, field, passing))
}

fn moved(mapping: &Mapping, write: &Write, row: &Row) -> bool {
    write.expect.iter().any(|(name, expected)| {
        let shown = row.values.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let pair = mapping.fields.iter().find(|pair| pair.names[write.side] == *name);
        shown.is_some_and(|shown| match pair {
            Some(pair) => !pair.canon.same(expected, shown),
            None => expected != shown,
        })
    })
}

/// The unique field whose value another record has, and that record.
fn taken(data: &Data, end: &End, write: &Write) -> Option<(String, Key)> {
    let table = data.tables.get(&end.entity)?;
    let own = match &write.operation {
        Operation::Create { key, .. } => {
            if let Some(key) = key.as_ref().filter(|key| table.rows.contains_key(*key)) {
                return Some(("id".to_owned(), key.clone()));
            }
            None
        }
        Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key) => Some(key),
    };
    let unique = |name: &str| table.fields.iter().any(|field| field.unique && field.name == name);
    write.values.iter().filter(|(name, value)| unique(name) && !value.is_null()).find_map(|(name, value)| {
        let holder = table.rows.iter().find(|(key, row)| Some(*key) != own && row.get(name) == Some(value));
        holder.map(|(key, _)| (name.clone(), key.clone()))
    })
}

impl System for Twin {
    fn identity(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(ready(Ok("twin".to_owned())))
    }

    fn describe<'a>(&'a self, entity: &'a str) -> BoxFuture<'a, Result<Option<Entity>>> {
        let data = self.world.data();
        let entity = data.tables.get(entity).map(|table| Entity {
            name: entity.to_owned(),
            key: vec!["id".to_owned()],
            fields: table.fields.clone(),
            change_events: ChangeEvents::None,
            objections: Vec::new(),
            may: Permissions { create: true, update: true, delete: true },
        });
        Box::pin(ready(Ok(entity)))
    }

    fn entities(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(ready(Ok(self.world.data().tables.keys().cloned().collect())))
    }

    fn prepare(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        let mut data = self.world.data();
        for mapping in &plan.mappings {
            for (side, end) in mapping.ends.iter().enumerate().filter(|(_, end)| end.connection == self.connection) {
                let told = data.told.entry((end.entity.clone(), plan.tenant.clone())).or_default();
                let mut names: BTreeSet<String> = told.heard.drain(..).collect();
                names.extend(heard(mapping, side));
                told.heard = names.into_iter().collect();
                told.tenant_column.clone_from(&end.tenant_column);
            }
        }
        drop(data);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        Box::pin(ready(Ok(())))
    }

    fn sources(&self) -> Vec<SourceId> {
        vec![SourceId { connection: self.connection.clone(), channel: "*".to_owned() }]
    }

    fn listen(&self, source: &SourceId, from: SourceState) -> BoxStream<'static, Result<Told>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let follow = Follow {
            world: self.world.clone(),
            changed: self.world.changed.subscribe(),
            handed: Arc::clone(&self.handed),
            tenant: self.plan().tenant.clone(),
            source: source.clone(),
            incarnation: from.position.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes),
            opened: false,
        };
        let told = stream::unfold(follow, |mut follow| async move {
            let told = follow.next().await?;
            Some((Ok(told), follow))
        });
        told.boxed()
    }

    fn acknowledge<'a>(&'a self, _: &'a SourceId, identities: &'a [String], fence: Fence) -> BoxFuture<'a, Result<()>> {
        let mut data = self.world.data();
        if !data.check(fence) {
            return Box::pin(ready(Err(fenced())));
        }
        let ids: Vec<u64> =
            data.outbox.iter().filter(|(_, news)| identities.contains(&news.identity)).map(|(id, _)| *id).collect();
        for id in ids {
            data.outbox.remove(&id);
            data.whose.remove(&id);
            self.handed.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
        Box::pin(ready(Ok(())))
    }

    fn fence(&self, fence: Fence) -> BoxFuture<'_, Result<()>> {
        let mut data = self.world.data();
        if !data.check(fence) {
            return Box::pin(ready(Err(fenced())));
        }
        data.epochs.insert(fence.shard, fence.epoch);
        Box::pin(ready(Ok(())))
    }

    fn write<'a>(&'a self, batch: &'a Batch, fence: Fence) -> BoxFuture<'a, Vec<Outcome>> {
        self.world.data().calls += 1;
        Box::pin(ready(self.written(batch, fence)))
    }

    fn read<'a>(&'a self, read: &'a Read) -> BoxFuture<'a, Answer> {
        self.world.data().calls += 1;
        Box::pin(ready(self.answer(read)))
    }

    fn settle<'a>(&'a self, operations: &'a [String], fence: Fence) -> BoxFuture<'a, Result<()>> {
        let mut data = self.world.data();
        if !data.check(fence) {
            return Box::pin(ready(Err(fenced())));
        }
        for id in operations {
            data.operations.remove(&(fence.shard, id.clone()));
        }
        Box::pin(ready(Ok(())))
    }

    fn clock(&self) -> BoxFuture<'_, Result<ClockReading>> {
        Box::pin(ready(Ok(ClockReading { ahead_ms: 0, uncertain_ms: 0 })))
    }

    fn usage(&self) -> Option<(u64, u64)> {
        let data = self.world.data();
        data.allowed.map(|allowed| (data.calls, allowed))
    }

    fn metered(&self) -> Metered {
        let mut data = self.world.data();
        let calls = data.calls - data.metered;
        data.metered = data.calls;
        Metered { calls, events: 0 }
    }

    fn uninstall(&self, force: bool) -> BoxFuture<'_, Result<()>> {
        let mut data = self.world.data();
        if !force && !data.outbox.is_empty() {
            return Box::pin(ready(Err(Error::usage("changes wait"))));
        }
        data.outbox.clear();
        data.whose.clear();
        data.told.clear();
        data.operations.clear();
        data.epochs.clear();
        data.incarnation += 1;
        Box::pin(ready(Ok(())))
    }
}

fn fenced() -> Error {
    Error::new(ErrorKind::Fenced, "the shard has another holder now")
}

struct Follow {
    world: World,
    changed: watch::Receiver<u64>,
    handed: Arc<Mutex<BTreeSet<u64>>>,
    tenant: String,
    source: SourceId,
    incarnation: Option<u64>,
    opened: bool,
}

impl Follow {
    async fn next(&mut self) -> Option<Told> {
        loop {
            self.changed.borrow_and_update();
            if let Some(told) = self.look() {
                return Some(told);
            }
            self.changed.changed().await.ok()?;
        }
    }

    fn look(&mut self) -> Option<Told> {
        let data = self.world.data();
        if self.incarnation.is_some_and(|known| known != data.incarnation) {
            self.incarnation = Some(data.incarnation);
            self.opened = false;
            return Some(Told::Lost("the outbox was made anew".to_owned()));
        }
        if !self.opened {
            self.opened = true;
            self.incarnation = Some(data.incarnation);
            return Some(Told::Opened(Timestamp::now()));
        }
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = data.outbox.iter().filter(|(id, _)| data.whose.get(*id) == Some(&self.tenant));
        let fresh: Vec<(u64, News)> =
            mine.filter(|(id, _)| !handed.contains(*id)).take(PAGE).map(|(id, news)| (*id, news.clone())).collect();
        if fresh.is_empty() {
            return None;
        }
        handed.extend(fresh.iter().map(|(id, _)| *id));
        let news: Vec<News> = fresh
            .into_iter()
            .map(|(_, mut news)| {
                news.connection.clone_from(&self.source.connection);
                news
            })
            .collect();
        Some(Told::Heard(Delivery {
            source: self.source.clone(),
            committed: news.iter().filter_map(|news| news.at).max(),
            news,
            position: Some(data.incarnation.to_be_bytes().to_vec()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::conformance::{CONNECTION, Ground, TABLE, conformance, values};
    use crate::systems::system::FieldKind;

    struct Ours(World);

    impl Ground for Ours {
        fn handle(&self) -> Box<dyn System> {
            Box::new(self.0.twin(CONNECTION))
        }

        fn insert<'a>(&'a self, list: &'a [(&'a str, Stored)]) -> BoxFuture<'a, Key> {
            Box::pin(ready(self.0.insert(TABLE, &values(list))))
        }

        fn update<'a>(&'a self, key: &'a str, list: &'a [(&'a str, Stored)]) -> BoxFuture<'a, ()> {
            self.0.update(TABLE, key, &values(list));
            Box::pin(ready(()))
        }

        fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()> {
            self.0.delete(TABLE, key);
            Box::pin(ready(()))
        }

        fn waiting(&self) -> BoxFuture<'_, i64> {
            Box::pin(ready(i64::try_from(self.0.waiting()).unwrap_or(i64::MAX)))
        }
    }

    async fn in_memory(case: impl AsyncFn(&dyn Ground)) {
        let world = World::new();
        let text = FieldKind::Text(Some(80));
        world.table(
            TABLE,
            &[
                ("name", text, false),
                ("email", text, true),
                ("score", FieldKind::Decimal(Some(2)), false),
                ("active", FieldKind::Boolean, false),
                ("born", FieldKind::Date, false),
                ("seen", FieldKind::DateTime(3), false),
                ("nap", FieldKind::Time, false),
                ("notes", text, false),
                ("tenant_id", text, false),
            ],
        );
        case(&Ours(world)).await;
    }

    conformance!(in_memory);

    #[tokio::test]
    async fn troubles_come_when_they_are_asked_for() {
        use crate::systems::conformance::{Ear, create, plan, text, write, write_one};
        let world = World::new();
        world.table(TABLE, &[("name", FieldKind::Text(None), false)]);
        let twin = world.twin(CONNECTION);
        twin.prepare(plan(None)).await.unwrap();
        let make = || write(create(), &[("name", text("x"))], &[], "1.1");
        world.trouble(Trouble::Away);
        assert_eq!(write_one(&twin, 1, make()).await, Outcome::NotDone(None));
        world.trouble(Trouble::Locked);
        assert!(matches!(write_one(&twin, 1, make()).await, Outcome::Refused(refusal) if refusal.passing));
        assert_eq!(world.shows(TABLE, "1"), None);
        world.trouble(Trouble::LostAnswer);
        assert_eq!(write_one(&twin, 1, make()).await, Outcome::Unknown);
        assert_eq!(world.shows(TABLE, "1").unwrap()["name"], text("x"));
        assert_eq!(write_one(&twin, 2, make()).await, Outcome::AlreadyDone { key: "1".to_owned() });
        let mut ear = Ear::new(&twin, SourceState::default());
        ear.opened().await;
        world.lose_outbox();
        assert!(matches!(ear.told().await, Told::Lost(_)));
        ear.opened().await;
    }
}

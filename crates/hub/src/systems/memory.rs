//! The source's twin in memory: an org with one object, whose stream can be cut, expired and refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    StreamExt,
    future::{BoxFuture, ready},
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use tokio::sync::watch;
use tombolo_engine::{ChangeHeader, Cursor, Row};
use tombolo_schema::{FieldType, Id, Value};

use super::{Deletes, Entity, News, Source, Stamps};
use crate::{
    Error, ErrorKind, Result,
    store::{Column, Table},
};

const PAGE: usize = 7;

/// An org with accounts. Clones are one org.
#[derive(Clone)]
pub(crate) struct MemoryOrg {
    data: Arc<Mutex<Data>>,
    /// Raised with every event and every cut.
    news: watch::Sender<u64>,
}

struct Data {
    rows: BTreeMap<Id, Row>,
    log: Vec<ChangeHeader>,
    kept_from: usize,
    cuts: u64,
    deletes: Vec<(Timestamp, Id)>,
    selected: bool,
    refuses: bool,
    failures: u32,
    calls: u64,
}

pub(crate) fn id(number: u64) -> Id {
    Id::from_number(*b"001", number)
}

impl MemoryOrg {
    pub(crate) fn new(selected: bool) -> Self {
        let data = Data {
            rows: BTreeMap::new(),
            log: Vec::new(),
            kept_from: 0,
            cuts: 0,
            deletes: Vec::new(),
            selected,
            refuses: false,
            failures: 0,
            calls: 0,
        };
        Self { data: Arc::new(Mutex::new(data)), news: watch::Sender::new(0) }
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn upsert(&self, number: u64, name: &str) {
        let stamp = whole_second();
        let values = vec![Value::Text(name.to_owned()), Value::DateTime(stamp)];
        let row = Row { id: id(number), stamp, deleted: false, values };
        let new = self.data().rows.insert(row.id, row).is_none();
        self.tell(if new { "CREATE" } else { "UPDATE" }, id(number).as_str());
    }

    pub(crate) fn set_deleted(&self, number: u64, deleted: bool) {
        if let Some(row) = self.data().rows.get_mut(&id(number)) {
            row.deleted = deleted;
            row.stamp = whole_second();
            row.values[1] = Value::DateTime(row.stamp);
        }
        self.tell(if deleted { "DELETE" } else { "UNDELETE" }, id(number).as_str());
    }

    pub(crate) fn hard_delete(&self, number: u64) {
        let mut data = self.data();
        data.rows.remove(&id(number));
        data.deletes.push((Timestamp::now(), id(number)));
        drop(data);
        self.tell("DELETE", id(number).as_str());
    }

    pub(crate) fn tell(&self, change_type: &str, record: &str) {
        let mut data = self.data();
        if data.selected {
            let header = ChangeHeader {
                entity: "Account".to_owned(),
                record_ids: vec![record.to_owned()],
                change_type: change_type.to_owned(),
                changed_fields: Vec::new(),
                origin: String::new(),
                transaction_key: data.log.len().to_string(),
                sequence_number: 1,
                committed: Timestamp::now(),
            };
            data.log.push(header);
        }
        drop(data);
        self.news.send_modify(|count| *count += 1);
    }

    pub(crate) fn cut(&self) {
        self.data().cuts += 1;
        self.news.send_modify(|count| *count += 1);
    }

    pub(crate) fn expire(&self) {
        let mut data = self.data();
        data.kept_from = data.log.len();
    }

    pub(crate) fn refuse(&self) {
        self.data().refuses = true;
    }

    /// The next requests fail as if the org were away.
    pub(crate) fn fail(&self, times: u32) {
        self.data().failures = times;
    }

    /// All rows, those in the recycle bin included.
    pub(crate) fn rows(&self) -> BTreeMap<Id, Row> {
        self.data().rows.clone()
    }

    fn answer<T>(&self, look: impl FnOnce(&Data) -> T) -> Result<T> {
        let mut data = self.data();
        data.calls += 1;
        if data.failures > 0 {
            data.failures -= 1;
            return Err(Error::new(ErrorKind::Connect, "the org is away").may_pass(true));
        }
        Ok(look(&data))
    }
}

fn whole_second() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

impl Source for MemoryOrg {
    fn identity(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(ready(Ok("00D000000000001EAA".to_owned())))
    }

    fn clock(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(ready(Ok(whole_second())))
    }

    fn describe<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<Entity>> {
        let fields = [("Name", FieldType::String), ("SystemModstamp", FieldType::DateTime)];
        let columns = fields.iter().filter_map(|(name, kind)| Column::of(name, Some(*kind))).collect();
        let entity = Entity {
            table: Table::new("Account", "SystemModstamp", columns),
            stamp: "SystemModstamp".to_owned(),
            has_bin: true,
            lists_deletes: true,
            channel: "/data/AccountChangeEvent".to_owned(),
        };
        let known = object.eq_ignore_ascii_case("Account");
        let unknown = || Error::usage(format!("the org has no object `{object}`"));
        Box::pin(ready(if known { Ok(entity) } else { Err(unknown()) }))
    }

    fn read<'a>(&'a self, _: &'a Entity, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<Row>>> {
        Box::pin(ready(self.answer(|data| ids.iter().filter_map(|id| data.rows.get(id).cloned()).collect())))
    }

    fn page<'a>(&'a self, _: &'a Entity, after: Option<Cursor>, bin: bool) -> BoxFuture<'a, Result<(Vec<Row>, bool)>> {
        Box::pin(ready(self.answer(|data| {
            let behind = |row: &&Row| after.is_none_or(|after| Cursor::behind(row) > after);
            let wanted = |row: &&Row| bin || !row.deleted;
            let mut rows: Vec<Row> = data.rows.values().filter(behind).filter(wanted).cloned().collect();
            rows.sort_by_key(Cursor::behind);
            rows.truncate(PAGE);
            let last = rows.len() < PAGE;
            (rows, last)
        })))
    }

    fn deleted<'a>(&'a self, _: &'a Entity, since: Timestamp) -> BoxFuture<'a, Result<Deletes>> {
        Box::pin(ready(self.answer(|data| Deletes {
            ids: data.deletes.iter().filter(|(at, _)| *at >= since).map(|(_, id)| *id).collect(),
            until: Timestamp::now(),
            complete: true,
        })))
    }

    fn list<'a>(&'a self, _: &'a Entity, after: Option<Id>) -> BoxFuture<'a, Result<(Stamps, bool)>> {
        Box::pin(ready(self.answer(|data| {
            let live = data.rows.values().filter(|row| !row.deleted && after.is_none_or(|after| row.id > after));
            let entries: Vec<_> = live.map(|row| (row.id, row.stamp)).take(PAGE).collect();
            let last = entries.len() < PAGE;
            (entries, last)
        })))
    }

    fn listen(&self, _: &Entity, after: Option<Vec<u8>>) -> BoxStream<'static, Result<News>> {
        let data = self.data();
        if data.refuses {
            return stream::iter([Ok(News::Refused("no such channel".to_owned()))]).boxed();
        }
        let after = after.and_then(|bytes| bytes.try_into().ok()).map(|bytes| usize::from_be_bytes(bytes) + 1);
        let lost = after.is_some_and(|next| next < data.kept_from);
        let next = after.filter(|_| !lost).unwrap_or(data.log.len());
        let first = lost.then(|| Ok(News::PositionLost("the replay id has expired".to_owned())));
        let opened = [Ok(News::Opened(whole_second()))];
        let follow = Follow { org: self.clone(), changed: self.news.subscribe(), next, cuts: data.cuts };
        let changes = stream::unfold(follow, |mut follow| async move {
            let news = follow.next().await?;
            Some((Ok(news), follow))
        });
        stream::iter(first).chain(stream::iter(opened)).chain(changes).boxed()
    }

    fn calls(&self, _: &str) -> u64 {
        self.data().calls
    }
}

struct Follow {
    org: MemoryOrg,
    changed: watch::Receiver<u64>,
    next: usize,
    cuts: u64,
}

impl Follow {
    async fn next(&mut self) -> Option<News> {
        loop {
            let (header, cuts) = {
                let data = self.org.data();
                (data.log.get(self.next).cloned(), data.cuts)
            };
            if cuts != self.cuts {
                return None;
            }
            if let Some(header) = header {
                self.next += 1;
                return Some(News::Change(header, (self.next - 1).to_be_bytes().to_vec()));
            }
            self.changed.changed().await.ok()?;
        }
    }
}

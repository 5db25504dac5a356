//! The world in which twins live: tables, an outbox, operation rows, epochs.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;
use tombolo_engine::sync::{End, Key, Mapping, News, NewsKind, Plan, Row, Stored, Tag, Values};

use super::Twin;
use crate::systems::system::{Fence, Field, FieldKind};

/// The world in which twins live. Clones are one world; [`World::twin`] is one process's handle on it.
#[derive(Clone)]
pub(crate) struct World {
    pub(super) data: Arc<Mutex<Data>>,
    /// Raised with every commit.
    pub(super) changed: watch::Sender<u64>,
}

/// What goes wrong with a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is not done.
    Away,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// It is refused, and may be accepted later.
    Locked,
}

#[derive(Default)]
pub(super) struct Data {
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) outbox: BTreeMap<u64, News>,
    /// Whose each row of the outbox is.
    pub(super) whose: BTreeMap<u64, String>,
    pub(super) last_id: u64,
    pub(super) incarnation: u64,
    pub(super) operations: BTreeMap<(u64, String), Key>,
    pub(super) epochs: BTreeMap<u64, u64>,
    /// Who is told of which table: entity and tenant, and the tenant's column.
    pub(super) told: BTreeMap<(String, String), Listener>,
    pub(super) troubles: VecDeque<Trouble>,
    /// Questions and batches, and how many of them were looked at.
    pub(super) calls: u64,
    pub(super) metered: u64,
    /// How many calls a day are allowed, if they are counted.
    pub(super) allowed: Option<u64>,
    /// A value that nobody means, unless a person says so.
    pub(super) doubted: Option<Stored>,
}

/// The fields that are heard, and the tenant's column.
#[derive(Clone, Default)]
pub(super) struct Listener {
    pub(super) heard: Vec<String>,
    pub(super) tenant_column: Option<String>,
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) fields: Vec<Field>,
    pub(super) rows: BTreeMap<Key, BTreeMap<String, Stored>>,
    pub(super) last_key: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { data: Arc::default(), changed: watch::Sender::new(0) }
    }

    /// From here on it is asked whether whoever writes this means it.
    pub(crate) fn doubt(&self, value: &str) {
        self.data().doubted = Some(Stored::Text(value.to_owned()));
    }

    /// From here on calls are counted, and so many are allowed in a day.
    pub(crate) fn allow(&self, calls: u64) {
        self.data().allowed = Some(calls);
    }

    /// How many calls a day are allowed.
    pub(crate) fn allowed(&self) -> u64 {
        self.data().allowed.unwrap_or(u64::MAX)
    }

    /// The calls that were made.
    pub(crate) fn calls(&self) -> u64 {
        self.data().calls
    }

    /// A table whose key `id` is drawn. Of each field: its name, kind, and whether it is unique.
    pub(crate) fn table(&self, name: &str, fields: &[(&str, FieldKind, bool)]) {
        let id = ("id", FieldKind::Integer, true);
        let fields = std::iter::once(&id).chain(fields).map(|(name, kind, unique)| Field {
            name: (*name).to_owned(),
            kind: *kind,
            type_name: format!("{kind:?}").to_lowercase(),
            nullable: *name != "id",
            defaulted: *name == "id",
            createable: true,
            updateable: *name != "id",
            unique: *unique,
            external_id: false,
            references: Vec::new(),
            relationship: None,
            picklist: None,
            calculated: false,
        });
        let table = Table { fields: fields.collect(), ..Table::default() };
        self.data().tables.insert(name.to_owned(), table);
    }

    pub(crate) fn twin(&self, connection: &str) -> Twin {
        Twin::new(self.clone(), connection)
    }

    /// Somebody else makes a record.
    pub(crate) fn insert(&self, table: &str, values: &Values) -> Key {
        let key = self.data().insert(table, None, values, None);
        self.told();
        key
    }

    /// Somebody else sets fields.
    pub(crate) fn update(&self, table: &str, key: &str, values: &Values) {
        self.data().update(table, key, values, None);
        self.told();
    }

    /// Somebody else deletes.
    pub(crate) fn delete(&self, table: &str, key: &str) {
        self.data().delete(table, key, None);
        self.told();
    }

    /// What a record shows.
    pub(crate) fn shows(&self, table: &str, key: &str) -> Option<BTreeMap<String, Stored>> {
        self.data().tables.get(table)?.rows.get(key).cloned()
    }

    /// The next writes meet this.
    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.data().troubles.push_back(trouble);
    }

    /// The outbox is thrown away and made anew.
    pub(crate) fn lose_outbox(&self) {
        let mut data = self.data();
        data.outbox.clear();
        data.whose.clear();
        data.incarnation += 1;
        drop(data);
        self.told();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.data().outbox.len()
    }

    pub(super) fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn told(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl Data {
    pub(super) fn insert(&mut self, name: &str, key: Option<&str>, values: &Values, origin: Option<Tag>) -> Key {
        let table = self.tables.entry(name.to_owned()).or_default();
        let key = key.map_or_else(
            || {
                table.last_key += 1;
                table.last_key.to_string()
            },
            str::to_owned,
        );
        let row: BTreeMap<String, Stored> = values.iter().cloned().collect();
        table.rows.insert(key.clone(), row.clone());
        self.tell(name, &key, None, Some(&row), origin);
        key
    }

    pub(super) fn update(&mut self, name: &str, key: &str, values: &Values, origin: Option<Tag>) {
        let Some(row) = self.tables.get_mut(name).and_then(|table| table.rows.get_mut(key)) else { return };
        let before = row.clone();
        row.extend(values.iter().cloned());
        let after = row.clone();
        self.tell(name, key, Some(&before), Some(&after), origin);
    }

    pub(super) fn delete(&mut self, name: &str, key: &str, origin: Option<Tag>) {
        let before = self.tables.get_mut(name).and_then(|table| table.rows.remove(key));
        if let Some(before) = before {
            self.tell(name, key, Some(&before), None, origin);
        }
    }

    /// Writes what the outbox is to say of a change, for each who is told.
    fn tell(
        &mut self,
        entity: &str,
        key: &str,
        before: Option<&BTreeMap<String, Stored>>,
        after: Option<&BTreeMap<String, Stored>>,
        origin: Option<Tag>,
    ) {
        let told: Vec<(String, Listener)> = self
            .told
            .iter()
            .filter(|((table, _), _)| table == entity)
            .map(|((_, tenant), told)| (tenant.clone(), told.clone()))
            .collect();
        for (tenant, told) in told {
            let theirs = |row: Option<&BTreeMap<String, Stored>>| {
                row.filter(|row| belongs(row, told.tenant_column.as_deref(), &tenant)).cloned()
            };
            let shown = |row: &BTreeMap<String, Stored>, name: &String| row.get(name).cloned().unwrap_or_default();
            let (kind, values): (NewsKind, Values) = match (theirs(before), theirs(after)) {
                (None, None) => continue,
                (None, Some(new)) => {
                    (NewsKind::Create, told.heard.iter().map(|name| (name.clone(), shown(&new, name))).collect())
                }
                (Some(_), None) => (NewsKind::Delete { merged_into: None }, Values::new()),
                (Some(old), Some(new)) => {
                    let changed = told.heard.iter().filter(|name| shown(&old, name) != shown(&new, name));
                    let values: Values = changed.map(|name| (name.clone(), shown(&new, name))).collect();
                    if values.is_empty() {
                        continue;
                    }
                    (NewsKind::Update, values)
                }
            };
            self.last_id += 1;
            let news = News {
                connection: String::new(),
                entity: entity.to_owned(),
                key: Some(key.to_owned()),
                identity: format!("twin|{}|{}", self.incarnation, self.last_id),
                kind,
                values,
                origin,
                at: Some(Timestamp::now()),
                order: Some(self.last_id),
            };
            self.outbox.insert(self.last_id, news);
            self.whose.insert(self.last_id, tenant);
        }
    }

    pub(super) fn check(&self, fence: Fence) -> bool {
        self.epochs.get(&fence.shard).is_none_or(|epoch| *epoch <= fence.epoch)
    }

    pub(super) fn row(&self, plan: &Plan, mapping: &Mapping, end: &End, key: &str) -> Option<Row> {
        let shown = self.tables.get(&end.entity)?.rows.get(key)?;
        if !belongs(shown, end.tenant_column.as_deref(), &plan.tenant) {
            return None;
        }
        let side = if mapping.ends[0] == *end { 0 } else { 1 };
        let names = heard(mapping, side);
        let newest =
            self.outbox.values().rev().find(|news| news.entity == end.entity && news.key.as_deref() == Some(key));
        Some(Row {
            key: key.to_owned(),
            values: names
                .into_iter()
                .map(|name| (name.clone(), shown.get(&name).cloned().unwrap_or_default()))
                .collect(),
            stamp: newest.and_then(|news| news.at),
            foreign_at: newest.filter(|news| news.origin.is_none()).and_then(|news| news.at),
            order: newest.and_then(|news| news.order),
            deleted: false,
            merged_into: None,
        })
    }
}

pub(super) fn belongs(row: &BTreeMap<String, Stored>, column: Option<&str>, tenant: &str) -> bool {
    column.is_none_or(|column| row.get(column).and_then(Stored::as_key).as_deref() == Some(tenant))
}

pub(super) fn heard(mapping: &Mapping, side: usize) -> Vec<String> {
    let mapped = mapping.fields.iter().map(|pair| pair.names[side].clone());
    mapped.chain(mapping.ends[side].watch.iter().cloned()).collect()
}

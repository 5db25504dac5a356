//! What the engine asks to read.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value as Json;
use tombolo_client::{ErrorKind, QueryPage, Record, Subrequest};
use tombolo_engine::sync::{Answer, Key, Mapping, Plan, Read, Refusal, Row, Side};
use tombolo_schema::{ErrorCode, FieldType, Id};

use super::{
    Asked, HOLDS, Shared,
    object::Object,
    outcome,
    rows::{self, Columns, Cursor, changed},
};
use crate::systems::salesforce::deletes;

/// Rows of a page: what a query answers at once by default (`rest.md 2.5`).
const PAGE: usize = 2_000;
/// Queries in a composite (`rest.md 3.1`).
const QUERIES: usize = 5;
/// Letters of a query that fit into an address with its encoding (`rest.md 2.1`), and letters of an Id in a list.
const LETTERS: usize = 14_000;
const LETTERS_OF_ID: usize = 27;

/// What a query found: the records, and the org's time when it looked.
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) server: Option<Timestamp>,
}

/// Which rows a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Live,
    /// Those in the recycle bin, too.
    All,
}

impl Shared {
    pub(super) async fn read(&self, read: &Read) -> Answer {
        let Some(plan) = self.plan() else { return Answer::Later(None) };
        let answer = self.answer(&plan, read).await;
        let unknown_field = |error: &tombolo_client::Error| error.code() == Some(&ErrorCode::InvalidField);
        match answer {
            Ok(answer) => answer,
            // A field is gone, or hidden: it is left out from now on, and looked for again by and by.
            Err(error) if unknown_field(&error) && self.learn_anew(&plan, read).await => {
                self.answer(&plan, read).await.unwrap_or_else(|error| outcome::unread(&error))
            }
            Err(error) => outcome::unread(&error),
        }
    }

    async fn answer(&self, plan: &Plan, read: &Read) -> Asked<Answer> {
        let (mapping, side) = end(read);
        let Some(mapping) = plan.mappings.get(mapping) else { return Ok(not_planned()) };
        match read {
            Read::Rows { keys, .. } => {
                let columns = self.columns(mapping, side, None).await?;
                Ok(Answer::Rows { rows: self.rows(&columns, keys).await?, next: None, server: None })
            }
            Read::External { mapping: index, other, .. } => self.external(*index, mapping, side, other).await,
            Read::Page { since, after, .. } => self.page(mapping, side, *since, after.as_deref()).await,
            Read::Deleted { since, .. } => self.deleted(mapping, side, *since).await,
            Read::Keys { after, .. } => self.keys(mapping, side, after.as_deref()).await,
            Read::Children { via, parent, after, .. } => self.children(mapping, via, parent, after.as_deref()).await,
        }
    }

    /// Describes the objects of a question again. Whether that went well.
    async fn learn_anew(&self, plan: &Plan, read: &Read) -> bool {
        let (mapping, side) = end(read);
        let Some(mapping) = plan.mappings.get(mapping) else { return false };
        let parents = mapping.fields.iter().filter_map(|pair| pair.path.as_ref()).map(|path| path.parent.as_str());
        let mut learned = true;
        for object in std::iter::once(mapping.ends[side].entity.as_str()).chain(parents) {
            learned &= self.object(object, Some(std::time::Duration::ZERO)).await.is_ok();
        }
        learned
    }

    /// What is read of a side: all fields, or those that are read through one parent. Fields that the org does not
    /// have are left out; the row's values lack them.
    pub(super) async fn columns(&self, mapping: &Mapping, side: Side, through: Option<&str>) -> Asked<Columns> {
        let mut object = self.object(&mapping.ends[side].entity, None).await?;
        let names: Vec<&str> = match through {
            None => mapping.heard(side).collect(),
            Some(via) => {
                let through = |path: &tombolo_engine::sync::ParentPath| path.via.eq_ignore_ascii_case(via);
                let pairs = mapping.fields.iter().filter(|pair| pair.path.as_ref().is_some_and(through));
                pairs.map(|pair| pair.names[side].as_str()).collect()
            }
        };
        if names.iter().any(|name| !name.contains('.') && !object.has(name)) {
            object = self.object(&object.name, Some(HOLDS)).await?;
        }
        let mut wanted: Vec<(String, Option<FieldType>)> = Vec::new();
        for name in names {
            match self.kind(&object, name).await? {
                Some(kind) => wanted.push((name.to_owned(), kind)),
                None => tracing::warn!(object = object.name, field = name, "the org has no such field: it is left out"),
            }
        }
        Ok(Columns { object, wanted })
    }

    /// The type of a field or of a parent's field; none if there is no such field.
    async fn kind(&self, object: &Arc<Object>, path: &str) -> Asked<Option<Option<FieldType>>> {
        let mut object = object.clone();
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return Ok(object.field(name).map(|field| field.kind));
            }
            let Some(parent) = object.parent(name).map(str::to_owned) else { return Ok(None) };
            object = self.object(&parent, None).await?;
        }
        Ok(None)
    }

    /// The records of these Ids, those in the recycle bin included.
    ///
    /// They are asked for by Id, and not by a query, which may answer from before a write that is done. What is not
    /// there is looked for in the recycle bin.
    pub(super) async fn rows(&self, columns: &Columns, keys: &[Key]) -> Asked<Vec<Row>> {
        let ids: Vec<Id> = keys.iter().filter_map(|key| Id::parse(key).ok()).collect();
        let mut records = Vec::new();
        let mut missing = ids.clone();
        if columns.paths().all(|(_, field)| !field.contains('.')) {
            let found = self.retrieve(&columns.object.name, &ids, &columns.own_fields()).await?;
            missing = ids.iter().zip(&found).filter(|(_, record)| record.is_none()).map(|(id, _)| *id).collect();
            records = self.with_parents(columns, found.into_iter().flatten().collect()).await?;
        }
        if !missing.is_empty() && columns.object.has("IsDeleted") {
            records.extend(self.by_id(&columns.select(), &missing).await?.records);
        }
        let ours = self.user().await?;
        Ok(records.iter().filter_map(|record| columns.row(record, ours)).collect())
    }

    /// Reads by Id, half as many at a time where the answer would be too large.
    async fn retrieve(&self, object: &str, ids: &[Id], fields: &[&str]) -> Asked<Vec<Option<Record>>> {
        let mut records = Vec::with_capacity(ids.len());
        let (mut at_once, mut rest) = (PAGE, ids);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(at_once.min(rest.len()));
            match self.client.collections().retrieve(object, now, fields).await {
                Ok(read) => {
                    records.extend(read);
                    rest = later;
                }
                Err(error) if error.kind() == ErrorKind::TooLarge && now.len() > 1 => at_once = now.len() / 2,
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Puts the wanted fields of parents into records, as a query would.
    async fn with_parents(&self, columns: &Columns, mut records: Vec<Record>) -> Asked<Vec<Record>> {
        let mut relationships: Vec<&str> = columns.paths().map(|(relationship, _)| relationship).collect();
        relationships.dedup();
        for relationship in relationships {
            let Some(via) = columns.object.via(relationship) else { continue };
            let Some(parent) = via.references.first() else { continue };
            let wanted = columns.paths().filter(|(name, _)| *name == relationship);
            let fields: Vec<&str> = wanted.map(|(_, field)| field).collect();
            let leads = |record: &Record| Id::parse(record.get(&via.name)?.as_str()?).ok();
            let mut ids: Vec<Id> = records.iter().filter_map(leads).collect();
            ids.sort_unstable();
            ids.dedup();
            let parents: HashMap<Id, Record> = ids
                .iter()
                .copied()
                .zip(self.retrieve(parent, &ids, &fields).await?)
                .filter_map(|(id, record)| Some((id, record?)))
                .collect();
            let with_parent = |record: Record| {
                let parent = leads(&record).and_then(|id| parents.get(&id));
                let value = parent.map_or(Json::Null, |parent| Json::Object(parent.fields().clone()));
                let object = record.object().to_owned();
                let mut fields = record.into_fields();
                fields.insert(relationship.to_owned(), value);
                Record::new(object, fields)
            };
            records = records.into_iter().map(with_parent).collect();
        }
        Ok(records)
    }

    /// What deleted records were merged into.
    pub(super) async fn masters(&self, object: &Object, keys: &[Key]) -> Asked<HashMap<Key, Key>> {
        let ids: Vec<Id> = keys.iter().filter_map(|key| Id::parse(key).ok()).collect();
        let found = self.by_id(&format!("SELECT Id, MasterRecordId FROM {}", object.name), &ids).await?;
        let pair = |record: &Record| Some((rows::key(record, "Id")?, rows::key(record, "MasterRecordId")?));
        Ok(found.records.iter().filter_map(pair).collect())
    }

    /// One call for up to five lists of Ids.
    async fn by_id(&self, select: &str, ids: &[Id]) -> Asked<Found> {
        let mut found = Found { records: Vec::new(), server: None };
        let at_once = (LETTERS.saturating_sub(select.len()) / LETTERS_OF_ID).clamp(20, PAGE);
        let lists: Vec<String> =
            ids.chunks(at_once).map(|ids| format!("{select} WHERE Id IN ({})", list(ids))).collect();
        for soqls in lists.chunks(QUERIES) {
            if let [soql] = soqls {
                self.ask(soql, Scope::All, &mut found).await?;
                continue;
            }
            let mut composite = self.client.composite();
            for (number, soql) in soqls.iter().enumerate() {
                composite = composite.add(Subrequest::query_all(format!("q{number}"), soql));
            }
            let answer = composite.send().await?;
            found.server = found.server.or(answer.server_time);
            for response in &answer.responses {
                self.take(response.page()?, &mut found).await?;
            }
        }
        Ok(found)
    }

    /// Asks, and goes on to the last page.
    async fn ask(&self, soql: &str, scope: Scope, found: &mut Found) -> Asked<()> {
        let first = if soql.len() > LETTERS {
            // Too long for an address.
            let part = match scope {
                Scope::Live => Subrequest::query("q0", soql),
                Scope::All => Subrequest::query_all("q0", soql),
            };
            let answer = self.client.composite().add(part).send().await?;
            QueryPage { server_time: answer.server_time, ..answer.get("q0")?.page()? }
        } else {
            match scope {
                Scope::Live => self.client.query_page(soql).await?,
                Scope::All => self.client.query_all_page(soql).await?,
            }
        };
        self.take(first, found).await
    }

    async fn take(&self, page: QueryPage, found: &mut Found) -> Asked<()> {
        found.server = found.server.or(page.server_time);
        found.records.extend(page.records);
        let mut next = page.next;
        while let Some(locator) = next {
            let page = self.client.next_page(&locator).await?;
            found.records.extend(page.records);
            next = page.next;
        }
        Ok(())
    }

    pub(super) async fn asked(&self, soql: &str, scope: Scope) -> Asked<Found> {
        let mut found = Found { records: Vec::new(), server: None };
        self.ask(soql, scope, &mut found).await?;
        Ok(found)
    }

    /// Everything in the order of Ids, without the recycle bin; or what changed since, with it, in the order of
    /// changes.
    async fn page(
        &self,
        mapping: &Mapping,
        side: Side,
        since: Option<Timestamp>,
        after: Option<&[u8]>,
    ) -> Asked<Answer> {
        let columns = self.columns(mapping, side, None).await?;
        let Ok(after) = after.map(|bytes| Cursor::read(bytes).ok_or(())).transpose() else { return Ok(no_cursor()) };
        let stamp = &columns.object.stamp;
        let (condition, order, scope) = match since {
            Some(since) => (changed(stamp, since, after.as_ref()), format!("{stamp}, Id"), Scope::All),
            None => {
                let behind = after.map(|cursor| format!(" WHERE Id > '{}'", cursor.id)).unwrap_or_default();
                (behind, "Id".to_owned(), Scope::Live)
            }
        };
        let scope = if columns.object.has("IsDeleted") { scope } else { Scope::Live };
        let soql = format!("{}{condition} ORDER BY {order} LIMIT {PAGE}", columns.select());
        self.page_of(&columns, &soql, scope).await
    }

    async fn children(&self, mapping: &Mapping, via: &str, parent: &Key, after: Option<&[u8]>) -> Asked<Answer> {
        let columns = self.columns(mapping, Side::Left, Some(via)).await?;
        let (Ok(parent), Some(via)) = (Id::parse(parent), columns.object.field(via)) else {
            return Ok(refused("INVALID_FIELD", "no field leads to this parent"));
        };
        let Ok(after) = after.map(|bytes| Cursor::read(bytes).ok_or(())).transpose() else { return Ok(no_cursor()) };
        let behind = after.map(|cursor| format!(" AND Id > '{}'", cursor.id)).unwrap_or_default();
        let soql = format!("{} WHERE {} = '{parent}'{behind} ORDER BY Id LIMIT {PAGE}", columns.select(), via.name);
        self.page_of(&columns, &soql, Scope::Live).await
    }

    async fn page_of(&self, columns: &Columns, soql: &str, scope: Scope) -> Asked<Answer> {
        let found = self.asked(soql, scope).await?;
        let ours = self.user().await?;
        let rows: Vec<Row> = found.records.iter().filter_map(|record| columns.row(record, ours)).collect();
        let last = found.records.last().filter(|_| found.records.len() == PAGE);
        let cursor = |record: &Record| {
            Some(Cursor { stamp: rows::moment(record, &columns.object.stamp), id: rows::key(record, "Id")? }.bytes())
        };
        Ok(Answer::Rows { rows, next: last.and_then(cursor), server: found.server })
    }

    async fn deleted(&self, mapping: &Mapping, side: Side, since: Timestamp) -> Asked<Answer> {
        let object = self.object(&mapping.ends[side].entity, None).await?;
        if !object.lists_deletes {
            return Ok(Answer::Deleted { keys: Vec::new(), complete: false });
        }
        let Ok(now) = crate::systems::salesforce::date(&self.client).await else { return Ok(Answer::Later(None)) };
        let deleted = deletes::list(&self.client, &object.name, since, now, || ()).await?;
        let keys: Vec<Key> = deleted.ids.iter().map(|id| id.as_str().to_owned()).collect();
        let masters = match object.has("MasterRecordId") && !keys.is_empty() {
            true => self.masters(&object, &keys).await?,
            false => HashMap::new(),
        };
        let pair = |key: Key| {
            let master = masters.get(&key).cloned();
            (key, master)
        };
        Ok(Answer::Deleted { keys: keys.into_iter().map(pair).collect(), complete: deleted.complete })
    }

    async fn keys(&self, mapping: &Mapping, side: Side, after: Option<&str>) -> Asked<Answer> {
        let object = self.object(&mapping.ends[side].entity, None).await?;
        let Ok(after) = after.map(Id::parse).transpose() else { return Ok(no_cursor()) };
        let behind = after.map(|id| format!(" WHERE Id > '{id}'")).unwrap_or_default();
        let soql = format!("SELECT Id FROM {}{behind} ORDER BY Id LIMIT {PAGE}", object.name);
        let found = self.asked(&soql, Scope::Live).await?;
        let keys: Vec<Key> = found.records.iter().filter_map(|record| rows::key(record, "Id")).collect();
        let next = keys.last().filter(|_| found.records.len() == PAGE).cloned();
        Ok(Answer::Keys { keys, next })
    }

    /// The rows of records of one side, by key: none for a record that is not there.
    pub(super) async fn rows_of(&self, mapping: &Mapping, side: Side, keys: &[Key]) -> Asked<HashMap<Key, Row>> {
        let columns = self.columns(mapping, side, None).await?;
        let rows = self.rows(&columns, keys).await?;
        Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
    }
}

fn end(read: &Read) -> (usize, Side) {
    match read {
        Read::Rows { mapping, side, .. }
        | Read::External { mapping, side, .. }
        | Read::Page { mapping, side, .. }
        | Read::Deleted { mapping, side, .. }
        | Read::Keys { mapping, side, .. } => (*mapping, *side),
        Read::Children { mapping, .. } => (*mapping, Side::Left),
    }
}

fn list(ids: &[Id]) -> String {
    ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",")
}

pub(super) fn refused(code: &str, message: &str) -> Answer {
    let (code, message) = (code.to_owned(), message.to_owned());
    Answer::Failed(Refusal { code, message, fields: Vec::new(), passing: false })
}

fn no_cursor() -> Answer {
    refused("INVALID_QUERY_LOCATOR", "this is not where a page of this org ended")
}

fn not_planned() -> Answer {
    refused("INVALID_TYPE", "this mapping is not in the plan that the org was prepared for")
}

//! Reading rows: by Id, by (stamp, Id), and lists of what is there and what is gone.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tombolo_client::{ErrorKind, QueryPage, Record};
use tombolo_engine::{Cursor, Row};
use tombolo_schema::Id;

use super::{Salesforce, deletes, errors::failed, fields};
use crate::{
    Result,
    systems::{Deletes, Entity, Stamps},
};

/// Rows of a page: what a query answers at once by default (`rest.md 2.5`).
const PAGE: usize = 2_000;
/// Ids in the condition of a query: its address has to stay below 16 kB.
const IDS_IN_QUERY: usize = 200;
/// Letters of a list of fields in a query; a longer list is read in parts.
const LETTERS_OF_FIELDS: usize = 8_000;

impl Salesforce {
    /// Live records come by one retrieve for 2,000 Ids; what it does not find is looked for in the recycle bin.
    pub(super) async fn read_rows(&self, entity: &Entity, ids: &[Id]) -> Result<Vec<Row>> {
        let parts = selections(entity);
        let all = once(&parts);
        let records = self.retrieve(entity, ids, &all).await?;
        let found: Vec<Record> = records.into_iter().flatten().collect();
        let mut rows = found.iter().map(|record| fields::row(entity, record)).collect::<Result<Vec<Row>>>()?;
        if entity.has_bin && rows.len() < ids.len() {
            let found: HashSet<Id> = rows.iter().map(|row| row.id).collect();
            let missing: Vec<Id> = ids.iter().copied().filter(|id| !found.contains(id)).collect();
            let records = self.query_ids(entity, &missing, &parts).await?;
            for record in &records {
                rows.push(fields::row(entity, record)?);
            }
        }
        Ok(rows)
    }

    pub(super) async fn read_page(
        &self,
        entity: &Entity,
        after: Option<Cursor>,
        bin: bool,
    ) -> Result<(Vec<Row>, bool)> {
        let parts = selections(entity);
        let first = parts.first().map(|part| part.join(", ")).unwrap_or_default();
        let soql = format!(
            "SELECT {first} FROM {object}{condition} ORDER BY {stamp}, Id LIMIT {PAGE}",
            object = entity.table.object,
            stamp = entity.stamp,
            condition = behind(&entity.stamp, after),
        );
        let mut records = self.query(entity, &soql, bin && entity.has_bin).await?;
        let last = records.len() < PAGE;
        if parts.len() > 1 {
            let ids = records.iter().map(|record| fields::id(entity, record)).collect::<Result<Vec<Id>>>()?;
            self.complete(entity, &mut records, &ids, &parts[1..]).await?;
        }
        let rows = records.iter().map(|record| fields::row(entity, record)).collect::<Result<Vec<Row>>>()?;
        Ok((rows, last))
    }

    pub(super) async fn list_ids(&self, entity: &Entity, after: Option<Id>) -> Result<(Stamps, bool)> {
        let condition = after.map(|id| format!(" WHERE Id > '{id}'")).unwrap_or_default();
        let (object, stamp) = (&entity.table.object, &entity.stamp);
        let soql = format!("SELECT Id, {stamp} FROM {object}{condition} ORDER BY Id LIMIT {PAGE}");
        let records = self.query(entity, &soql, false).await?;
        let entry = |record| Ok((fields::id(entity, record)?, fields::stamp(entity, record)?));
        let entries = records.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let last = entries.len() < PAGE;
        Ok((entries, last))
    }

    pub(super) async fn list_deletes(&self, entity: &Entity, since: Timestamp) -> Result<Deletes> {
        let now = self.date().await?;
        let object = &entity.table.object;
        let deleted = deletes::list(&self.client, object, since, now, || self.count(object, 1)).await;
        deleted.map_err(|error| failed(format!("cannot list what was deleted of {object}"), error))
    }

    /// Reads by Id, half as many at a time where the answer would be too large.
    async fn retrieve(&self, entity: &Entity, ids: &[Id], fields: &[&str]) -> Result<Vec<Option<Record>>> {
        let object = &entity.table.object;
        let mut records = Vec::with_capacity(ids.len());
        let mut at_once = PAGE;
        let mut rest = ids;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(at_once.min(rest.len()));
            self.count(object, 1);
            match self.client.collections().retrieve(object, now, fields).await {
                Ok(read) => {
                    records.extend(read);
                    rest = later;
                }
                Err(error) if error.kind() == ErrorKind::TooLarge && now.len() > 1 => at_once = now.len() / 2,
                Err(error) => return Err(failed(format!("cannot read records of {object}"), error)),
            }
        }
        Ok(records)
    }

    /// Reads by Id with queries, which see the recycle bin too.
    async fn query_ids(&self, entity: &Entity, ids: &[Id], parts: &[Vec<&str>]) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for ids in ids.chunks(IDS_IN_QUERY) {
            let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
            let mut found: Vec<Record> = Vec::new();
            for part in parts {
                let (fields, object) = (part.join(", "), &entity.table.object);
                let soql = format!("SELECT {fields} FROM {object} WHERE Id IN ({})", list.join(", "));
                let more = self.query(entity, &soql, true).await?;
                found = if found.is_empty() { more } else { merge(found, more) };
            }
            records.append(&mut found);
        }
        Ok(records)
    }

    /// Adds the fields of further parts to records that hold those of the first.
    async fn complete(
        &self,
        entity: &Entity,
        records: &mut Vec<Record>,
        ids: &[Id],
        parts: &[Vec<&str>],
    ) -> Result<()> {
        let all = once(parts);
        let more: Vec<Record> = self.retrieve(entity, ids, &all).await?.into_iter().flatten().collect();
        let found: HashSet<&str> = more.iter().filter_map(Record::id).collect();
        let missing: Vec<Id> = ids.iter().copied().filter(|id| !found.contains(id.as_str())).collect();
        let deleted = if missing.is_empty() { Vec::new() } else { self.query_ids(entity, &missing, parts).await? };
        let live = merge(std::mem::take(records), more.into_iter().chain(deleted).collect());
        *records = live;
        Ok(())
    }

    async fn query(&self, entity: &Entity, soql: &str, bin: bool) -> Result<Vec<Record>> {
        let object = &entity.table.object;
        let unread = |error| failed(format!("cannot query {object}"), error);
        self.count(object, 1);
        let first = if bin { self.client.query_all_page(soql).await } else { self.client.query_page(soql).await };
        let QueryPage { mut records, mut next, .. } = first.map_err(unread)?;
        while let Some(locator) = next {
            self.count(object, 1);
            let page = self.client.next_page(&locator).await.map_err(unread)?;
            records.extend(page.records);
            next = page.next;
        }
        Ok(records)
    }
}

/// The fields to select, in parts that fit into a query's address. Each begins with what every row needs.
fn selections(entity: &Entity) -> Vec<Vec<&str>> {
    let mut head = vec!["Id", entity.stamp.as_str()];
    head.extend(entity.has_bin.then_some("IsDeleted"));
    let mut parts = vec![head.clone()];
    let mut letters = 0;
    for column in entity.columns().iter().filter(|column| column.field != entity.stamp) {
        letters += column.field.len() + 2;
        if letters > LETTERS_OF_FIELDS {
            parts.push(head.clone());
            letters = column.field.len() + 2;
        }
        if let Some(part) = parts.last_mut() {
            part.push(&column.field);
        }
    }
    parts
}

/// The fields of all parts, each once.
fn once<'a>(parts: &[Vec<&'a str>]) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    parts.iter().flatten().copied().filter(|field| seen.insert(*field)).collect()
}

/// The condition for rows behind a cursor.
fn behind(stamp: &str, after: Option<Cursor>) -> String {
    let Some(Cursor { stamp: moment, id }) = after else { return String::new() };
    let moment = moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
    match id {
        None => format!(" WHERE {stamp} >= {moment}"),
        // The first term is what an index can serve.
        Some(id) => format!(" WHERE {stamp} >= {moment} AND ({stamp} > {moment} OR Id > '{id}')"),
    }
}

/// Adds the fields of `more` to the records of the same Id. Where both have a field, the first reading stands: if
/// its stamp is older than other fields, the row is read again for its change.
fn merge(records: Vec<Record>, more: Vec<Record>) -> Vec<Record> {
    let mut more: HashMap<String, Record> =
        more.into_iter().filter_map(|record| Some((record.id()?.to_owned(), record))).collect();
    records
        .into_iter()
        .map(|record| {
            let Some(other) = record.id().and_then(|id| more.remove(id)) else { return record };
            let object = record.object().to_owned();
            let mut fields = record.into_fields();
            for (name, value) in other.into_fields() {
                fields.entry(name).or_insert(value);
            }
            Record::new(object, fields)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Column, Table};
    use tombolo_schema::FieldType;

    fn entity(fields: &[String]) -> Entity {
        let columns = fields.iter().filter_map(|field| Column::of(field, Some(FieldType::String))).collect();
        Entity {
            table: Table::new("Account", "SystemModstamp", columns),
            stamp: "SystemModstamp".to_owned(),
            has_bin: true,
            lists_deletes: true,
            channel: String::new(),
        }
    }

    #[test]
    fn pages_go_on_behind_stamp_and_id() {
        let at = "2026-11-22T01:02:03Z".parse().unwrap();
        let id = Id::parse("0015500001QdQWaAAN").unwrap();
        for (after, expected) in [
            (None, ""),
            (Some(Cursor::at(at)), " WHERE S >= 2026-11-22T01:02:03.000Z"),
            (
                Some(Cursor { stamp: at, id: Some(id) }),
                " WHERE S >= 2026-11-22T01:02:03.000Z AND (S > 2026-11-22T01:02:03.000Z OR Id > '0015500001QdQWaAAN')",
            ),
        ] {
            assert_eq!(behind("S", after), expected);
        }
    }

    #[test]
    fn a_wide_object_is_read_in_parts_that_hold_each_field_once() {
        let fields: Vec<String> = (0..800).map(|number| format!("Some_Rather_Long_Name_{number}__c")).collect();
        let entity = entity(&fields);
        let parts = selections(&entity);
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| part.join(", ").len() < LETTERS_OF_FIELDS + 100));
        let read: Vec<&str> = parts.iter().flat_map(|part| &part[3..]).copied().collect();
        assert_eq!(read, fields);
    }
}

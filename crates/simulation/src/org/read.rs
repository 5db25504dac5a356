//! What the org answers to questions.

use jiff::Timestamp;
use tombolo_engine::sync::{Answer, Key, Mapping, Read, Row, Side, Stored};

use super::{Org, Record, State};
use crate::{
    moment::{Micros, micros, timestamp},
    plan::{EXTERNAL_ID, OBJECTS},
};

impl Org {
    /// Answers; the records told whole are named apart.
    pub fn read(&mut self, read: &Read, mappings: &[Mapping], now: Micros) -> Answer {
        self.calls += 1;
        let server = Some(timestamp(now + self.skew));
        match read {
            Read::Rows { mapping, keys, .. } => {
                let rows = keys.iter().filter_map(|key| self.row_of(&mappings[*mapping], key)).collect();
                Answer::Rows { rows, next: None, server }
            }
            Read::External { mapping, other, .. } => {
                let carries = |record: &Record| record.values.get(EXTERNAL_ID).and_then(Stored::as_key);
                let found = self.living(*mapping).filter(|(_, record)| carries(record).as_ref() == Some(other));
                let rows = found.map(|(key, record)| self.row(&mappings[*mapping], key, record)).collect();
                Answer::Rows { rows, next: None, server }
            }
            Read::Page { mapping, since, after, .. } => {
                self.page(&mappings[*mapping], *mapping, *since, after.as_deref(), server)
            }
            Read::Deleted { mapping, since, .. } => self.deleted(*mapping, *since),
            Read::Keys { mapping, after, .. } => {
                let behind = self.living(*mapping).map(|(key, _)| key).filter(|key| after.as_ref() < Some(*key));
                let keys: Vec<Key> = behind.take(self.page).cloned().collect();
                let next = keys.last().filter(|_| keys.len() == self.page).cloned();
                Answer::Keys { keys, next }
            }
            Read::Children { mapping, via, parent, after } => {
                let points = |record: &Record| record.values.get(via).and_then(Stored::as_key).as_ref() == Some(parent);
                let after = after.as_ref().and_then(|after| String::from_utf8(after.clone()).ok());
                let children =
                    self.living(*mapping).filter(|(key, record)| points(record) && Some(*key) > after.as_ref());
                let mut rows: Vec<Row> =
                    children.take(self.page).map(|(key, record)| self.row(&mappings[*mapping], key, record)).collect();
                for row in &mut rows {
                    row.values.retain(|(field, _)| field.contains('.'));
                }
                let next = rows.last().filter(|_| rows.len() == self.page).map(|row| row.key.clone().into_bytes());
                Answer::Rows { rows, next, server }
            }
        }
    }

    fn living(&self, mapping: usize) -> impl Iterator<Item = (&Key, &Record)> {
        let object = OBJECTS[mapping];
        self.records.iter().filter(move |(_, record)| record.object == object && record.state == State::Live)
    }

    /// A row, in the bin or not.
    pub fn row_of(&self, mapping: &Mapping, key: &str) -> Option<Row> {
        let (key, record) = self.records.get_key_value(key)?;
        let there = record.state != State::Purged && record.object == mapping.ends[Side::Left].entity;
        there.then(|| self.row(mapping, key, record))
    }

    fn row(&self, mapping: &Mapping, key: &str, record: &Record) -> Row {
        let fields = mapping.heard(Side::Left).filter(|field| self.has(record.object, field));
        let stamp = timestamp(record.stamp);
        Row {
            key: key.to_owned(),
            values: fields.map(|field| (field.to_owned(), self.shows(record, field))).collect(),
            stamp: Some(stamp),
            foreign_at: (!record.by_us).then_some(stamp),
            order: None,
            deleted: record.state != State::Live,
            merged_into: if let State::Bin(merged) = &record.state { merged.clone() } else { None },
        }
    }

    /// In the order of stamp and Id, or of Id alone where everything is read.
    fn page(
        &self,
        mapping: &Mapping,
        index: usize,
        since: Option<Timestamp>,
        after: Option<&[u8]>,
        server: Option<Timestamp>,
    ) -> Answer {
        let since_micros = since.map(micros);
        let mark = |key: &str, record: &Record| match since {
            Some(_) => format!("{:020}/{key}", record.stamp + i64::from(u32::MAX) * 1_000_000),
            None => key.to_owned(),
        };
        let after = after.and_then(|after| std::str::from_utf8(after).ok());
        let recent = self.living(index).filter(|(_, record)| since_micros.is_none_or(|since| record.stamp >= since));
        let mut rows: Vec<(String, Row)> = recent
            .map(|(key, record)| (mark(key, record), self.row(mapping, key, record)))
            .filter(|(mark, _)| after.is_none_or(|after| mark.as_str() > after))
            .collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows.truncate(self.page);
        let next = rows.last().filter(|_| rows.len() == self.page).map(|(mark, _)| mark.clone().into_bytes());
        Answer::Rows { rows: rows.into_iter().map(|(_, row)| row).collect(), next, server }
    }

    /// As getDeleted tells: complete unless something was purged since.
    fn deleted(&self, mapping: usize, since: Timestamp) -> Answer {
        let since = micros(since);
        let gone = |record: &&Record| record.object == OBJECTS[mapping] && record.deleted >= since;
        let complete = !self.records.values().filter(gone).any(|record| record.state == State::Purged);
        let keys = self.records.iter().filter(|(_, record)| gone(record));
        let keys = keys.filter_map(|(key, record)| match &record.state {
            State::Bin(merged) => Some((key.clone(), merged.clone())),
            _ => None,
        });
        Answer::Deleted { keys: keys.collect(), complete }
    }
}

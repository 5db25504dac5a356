//! A simulated org with one object: rows, a recycle bin, a change stream that can be late, cut and expired.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tombolo_engine::{ChangeHeader, Cursor, Row};
use tombolo_schema::{Id, Value};

pub(crate) fn id(number: u64) -> Id {
    Id::from_number(*b"001", number)
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn second(millis: i64) -> i64 {
    millis.div_euclid(1_000) * 1_000
}

#[derive(Default)]
pub(crate) struct Org {
    pub(crate) selected: bool,
    pub(crate) rows: BTreeMap<Id, Row>,
    /// The stream; a replay id is an index. With each event, when it may be delivered.
    pub(crate) log: Vec<(i64, ChangeHeader)>,
    /// Events before this one are no longer kept.
    pub(crate) kept_from: usize,
    pub(crate) delay: i64,
    deletes: Vec<(i64, Id)>,
    edits: i64,
}

impl Org {
    /// Writes a row whose stamp was taken `age` milliseconds before it becomes visible.
    pub(crate) fn upsert(&mut self, now: i64, number: u64, age: i64) {
        let id = id(number);
        if self.rows.get(&id).is_some_and(|row| row.deleted) {
            return;
        }
        self.edits += 1;
        let known = self.rows.get(&id).map_or(0, |row| row.stamp.as_millisecond());
        let stamp = at(second(now - age).max(known));
        let new =
            self.rows.insert(id, Row { id, stamp, deleted: false, values: vec![Value::Int(self.edits)] }).is_none();
        self.tell(now, if new { "CREATE" } else { "UPDATE" }, id);
    }

    pub(crate) fn set_deleted(&mut self, now: i64, number: u64, deleted: bool) {
        let Some(row) = self.rows.get_mut(&id(number)).filter(|row| row.deleted != deleted) else { return };
        row.deleted = deleted;
        row.stamp = at(second(now));
        if deleted {
            self.deletes.push((now, id(number)));
        }
        self.tell(now, if deleted { "DELETE" } else { "UNDELETE" }, id(number));
    }

    /// Empties the recycle bin of one row: no event.
    pub(crate) fn purge(&mut self, number: u64) {
        if self.rows.get(&id(number)).is_some_and(|row| row.deleted) {
            self.rows.remove(&id(number));
        }
    }

    pub(crate) fn hard_delete(&mut self, now: i64, number: u64) {
        if self.rows.remove(&id(number)).is_some_and(|row| !row.deleted) {
            self.deletes.push((now, id(number)));
            self.tell(now, "DELETE", id(number));
        }
    }

    pub(crate) fn tell(&mut self, now: i64, change_type: &str, id: Id) {
        let ids = if change_type == "GAP_OVERFLOW" { "000000000000000AAA".to_owned() } else { id.to_string() };
        let header = ChangeHeader {
            entity: "Account".to_owned(),
            record_ids: vec![ids],
            change_type: change_type.to_owned(),
            changed_fields: Vec::new(),
            origin: String::new(),
            transaction_key: self.log.len().to_string(),
            sequence_number: 1,
            committed: at(now),
        };
        self.publish(now, header);
    }

    pub(crate) fn publish(&mut self, now: i64, header: ChangeHeader) {
        if self.selected {
            let after = self.log.last().map_or(0, |(due, _)| *due);
            self.log.push(((now + self.delay).max(after), header));
        }
    }

    pub(crate) fn read(&self, ids: &[Id]) -> Vec<Row> {
        ids.iter().filter_map(|id| self.rows.get(id).cloned()).collect()
    }

    pub(crate) fn page(&self, after: Option<Cursor>, bin: bool, limit: usize) -> (Vec<Row>, bool) {
        let behind = |row: &&Row| after.is_none_or(|after| Cursor::behind(row) > after);
        let mut rows: Vec<Row> = self.rows.values().filter(|row| bin || !row.deleted).filter(behind).cloned().collect();
        rows.sort_by_key(Cursor::behind);
        rows.truncate(limit);
        let last = rows.len() < limit;
        (rows, last)
    }

    /// Deletes from a whole minute on, as getDeleted has them (`rest.md 2.4`); those of the minute that runs are listed
    /// again, because more of them may come.
    pub(crate) fn deleted(&self, now: i64, since: Timestamp) -> (Vec<Id>, Timestamp) {
        let minute = |millis: i64| millis.div_euclid(60_000) * 60_000;
        let (start, end) = (minute(since.as_millisecond()), minute(now));
        let ids = self.deletes.iter().filter(|(when, _)| *when >= start).map(|(_, id)| *id).collect();
        (ids, at(end - 60_000).max(since))
    }

    pub(crate) fn list(&self, after: Option<Id>, limit: usize) -> (Vec<(Id, Timestamp)>, bool) {
        let live = self.rows.values().filter(|row| !row.deleted && after.is_none_or(|after| row.id > after));
        let entries: Vec<_> = live.map(|row| (row.id, row.stamp)).take(limit).collect();
        let last = entries.len() < limit;
        (entries, last)
    }
}

//! What fits into a page: a row counts one, and so does each row of its child sets (soql.md 7).
//!
//! A page ends before the parent whose children no longer fit. A parent whose children are more than a page comes
//! first on one, with as many of them as fit and a locator for the rest.

use std::{collections::HashSet, ops::Range, sync::Arc};

use tombolo_schema::Id;

use super::{cursor::Reading, select::Rows, shape::Slot};
use crate::core::record::{Output, Page, Record, Result};

/// So many parents are looked at before it is guessed how many will fit.
const FIRST_LOOK: usize = 16;
/// A guess goes at most so many times beyond the one before.
const GROWTH: usize = 8;

impl Rows {
    /// The first of these rows, as many as fit together with their children. `read` gives a part of them.
    pub(super) fn fitting<'a>(
        &self,
        reading: &mut Reading<'a>,
        rows: usize,
        mut read: impl FnMut(&Reading<'a>, Range<usize>) -> Result<Vec<Record>>,
    ) -> Result<Vec<Record>> {
        if self.children.is_empty() {
            return read(reading, 0..rows);
        }
        let (mut page, mut used, mut seen, mut look) = (Vec::new(), 0, 0, FIRST_LOOK);
        'page: while seen < rows && used < reading.batch {
            let end = rows.min(seen + look);
            let mut records = read(reading, seen..end)?;
            self.fill(reading, &mut records)?;
            for mut record in records {
                let weight = weight(&record);
                if used + weight <= reading.batch {
                    used += weight;
                    page.push(record);
                    continue;
                }
                if page.is_empty() {
                    self.cut(reading, &mut record, reading.batch - 1);
                    page.push(record);
                }
                break 'page;
            }
            seen = end;
            // As many as fit if the next ones are like those so far.
            let likely = (reading.batch - used) * seen / used.max(1) + 1;
            look = likely.clamp(FIRST_LOOK, look * GROWTH);
        }
        reading.keep_only(&locators(&page));
        Ok(page)
    }

    /// Takes children away from a record until no more than `room` are left, but one of each set.
    fn cut(&self, reading: &mut Reading<'_>, record: &mut Record, room: usize) {
        let sets = |record: &Record| record.fields.iter().filter(|(_, v)| matches!(v, Output::Children(_))).count();
        let (mut room, mut others) = (room, sets(record));
        for ((_, value), (_, slot)) in record.fields.iter_mut().zip(&self.shape.fields) {
            let (Output::Children(page), Slot::Children(child)) = (value, slot) else { continue };
            others -= 1;
            let rows = &self.children[*child].rows;
            let used = rows.cut_set(reading, page, room.saturating_sub(others).max(1));
            room = room.saturating_sub(used);
        }
    }

    /// The same for a set of these rows; how much of the room it takes.
    fn cut_set(self: &Arc<Self>, reading: &mut Reading<'_>, page: &mut Page, room: usize) -> usize {
        let (mut used, mut kept) = (0, 0);
        for record in &mut page.records {
            if kept == 0 && weight(record) > room {
                self.cut(reading, record, room - 1);
            } else if used + weight(record) > room {
                break;
            }
            used += weight(record);
            kept += 1;
        }
        if kept < page.records.len() {
            match &mut page.next {
                Some(next) => next.offset = kept as u64,
                None => {
                    let ids = page.records.iter().filter_map(|record| record.id).collect();
                    page.next = Some(reading.hold(self, ids, kept));
                }
            }
            page.records.truncate(kept);
        }
        used
    }
}

/// The rows that a record brings: itself and its children.
fn weight(record: &Record) -> usize {
    1 + sets(record).flat_map(|page| &page.records).map(weight).sum::<usize>()
}

fn sets(record: &Record) -> impl Iterator<Item = &Page> {
    record.fields.iter().filter_map(|(_, value)| match value {
        Output::Children(page) => Some(&**page),
        _ => None,
    })
}

/// The held sets that records point at.
fn locators(records: &[Record]) -> HashSet<Id> {
    let mut found = HashSet::new();
    for set in records.iter().flat_map(sets) {
        found.extend(set.next.as_ref().map(|next| next.cursor));
        found.extend(locators(&set.records));
    }
    found
}

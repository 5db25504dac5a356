//! A virtual database of an application: tables, triggers that fill an outbox, operation rows and an epoch row.

mod outbox;
mod read;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use tombolo_engine::sync::{Key, NewsKind, Side, Stored, Tag};

pub use outbox::{OutboxRow, id_of as identity_number};
pub use write::Request;

use crate::{
    history::{Before, Habits, Soul},
    ledger::{Author, Commit, CommitId, CommitKind, FieldChange, Ledger, Told},
    moment::{Micros, timestamp},
    plan::{self, TABLES},
    sketch::Sketch,
};

/// The name of a row: its table and primary key.
pub type RowName = (&'static str, Key);

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    /// How far its clock runs ahead of ours.
    pub skew: Micros,
    /// The rows.
    pub rows: BTreeMap<RowName, TableRow>,
    /// The outbox, by id: visible rows only.
    pub outbox: BTreeMap<u64, OutboxRow>,
    /// The epoch row.
    pub epoch: u64,
    /// Operation rows: what was done under each id.
    pub operations: BTreeMap<String, Key>,
    /// Rows that somebody's transaction holds, until then.
    pub locked: BTreeMap<RowName, Micros>,
    /// Titles become lower case.
    pub rewrites: bool,
    /// The greatest distance of ids in the outbox.
    pub cap: u64,
    /// The greatest id that anybody read: for the fault that trusts it.
    pub watermark: u64,
    /// The rows that are gone, and whose record each was.
    pub gone: BTreeMap<RowName, Soul>,
    orders: BTreeMap<RowName, u64>,
    serial: BTreeMap<&'static str, u64>,
    promised: BTreeMap<usize, Key>,
    next_outbox: u64,
    page: usize,
    /// Columns that the triggers copy.
    heard: BTreeSet<(&'static str, String)>,
}

/// A row.
#[derive(Debug, Clone)]
pub struct TableRow {
    /// The thing that it is a record of.
    pub soul: Soul,
    /// Its columns.
    pub values: BTreeMap<String, Stored>,
}

/// One change of one row; what it refers to is there.
#[derive(Debug, Clone)]
pub enum Change {
    /// A row is inserted.
    Insert(Soul, BTreeMap<String, Stored>),
    /// Columns are set.
    Set(BTreeMap<String, Stored>),
    /// It is deleted.
    Delete,
}

/// Who changes, and when.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Now: the commit.
    pub now: Micros,
    /// When the trigger ran.
    pub made: Micros,
    /// Who.
    pub author: Author,
    /// The tag of the request, as its transaction says.
    pub tag: Option<Tag>,
}

impl Database {
    /// An empty database.
    pub fn new(habits: &Habits, heard: BTreeSet<(&'static str, String)>) -> Self {
        Self {
            skew: habits.skew[Side::Right],
            rows: BTreeMap::new(),
            outbox: BTreeMap::new(),
            epoch: 0,
            operations: BTreeMap::new(),
            locked: BTreeMap::new(),
            rewrites: habits.database_rewrites,
            cap: habits.outbox_cap,
            watermark: 0,
            gone: BTreeMap::new(),
            orders: BTreeMap::new(),
            serial: BTreeMap::new(),
            promised: BTreeMap::new(),
            next_outbox: 0,
            page: habits.page,
            heard,
        }
    }

    /// A row that was there before anybody listened.
    pub fn seed(&mut self, before: &Before, values: BTreeMap<String, Stored>, ledger: &mut Ledger) {
        let table = TABLES[before.mapping];
        let key = self.draw_key(table);
        let at = -3600 * crate::moment::SECOND;
        let changes = values.iter().map(|(field, after)| FieldChange {
            field: field.clone(),
            before: Stored::Null,
            after: after.clone(),
        });
        ledger.add(Commit {
            at,
            made: at,
            side: Side::Right,
            entity: table,
            key: key.clone(),
            author: Author::Initial,
            kind: CommitKind::Create,
            changes: changes.collect(),
            stamp: at,
            told: Told::Never,
        });
        self.rows.insert((table, key), TableRow { soul: before.soul, values });
    }

    /// The newest outbox row of each row, and the keys to come.
    pub(crate) fn sketch(&self, out: &mut Sketch) -> std::fmt::Result {
        for (name, order) in &self.orders {
            write!(out, "{name:?}")?;
            out.order(*order);
        }
        write!(out, "{:?}{:?}", self.serial, self.promised)
    }

    /// The next primary key of a table.
    pub fn draw_key(&mut self, table: &'static str) -> Key {
        let serial = self.serial.entry(table).or_insert(0);
        *serial += 1;
        serial.to_string()
    }

    /// The primary key of the row that an act inserts, whenever it commits.
    pub fn key_for(&mut self, table: &'static str, act: usize) -> Key {
        if let Some(key) = self.promised.get(&act) {
            return key.clone();
        }
        let key = self.draw_key(table);
        self.promised.insert(act, key.clone());
        key
    }

    /// An id of the outbox, which may become visible after later ones.
    pub fn draw_outbox(&mut self) -> u64 {
        self.next_outbox += 1;
        self.next_outbox
    }

    /// The row of a thing.
    pub fn find(&self, soul: Soul, table: &str) -> Option<Key> {
        let mut found = self.rows.iter().filter(|((name, _), row)| *name == table && row.soul == soul);
        found.next().map(|((_, key), _)| key.clone())
    }

    /// What a row shows in a column.
    pub fn shows(&self, table: &'static str, key: &str, column: &str) -> Stored {
        let row = self.rows.get(&(table, key.to_owned()));
        row.and_then(|row| row.values.get(column).cloned()).unwrap_or_default()
    }

    /// Until when somebody holds a row.
    pub fn held_until(&self, row: &RowName, now: Micros) -> Option<Micros> {
        self.locked.get(row).copied().filter(|until| *until > now)
    }

    /// The rows that a transaction holds until it commits: those that it changes, and the children that a delete changes
    /// with them.
    pub fn held_by(&self, changes: &[(RowName, Change)]) -> Vec<RowName> {
        let mut held: Vec<RowName> = changes.iter().map(|(name, _)| name.clone()).collect();
        for ((table, key), change) in changes {
            if matches!(change, Change::Delete) && *table == TABLES[plan::ACCOUNT] {
                held.extend(self.children(key));
            }
        }
        held
    }

    /// The rows that refer to an account.
    fn children(&self, account: &str) -> Vec<RowName> {
        let points = |row: &TableRow| row.values.get("account_id").and_then(Stored::as_key).as_deref() == Some(account);
        self.rows.iter().filter(|(_, row)| points(row)).map(|(name, _)| name.clone()).collect()
    }

    /// Changes a row; the trigger writes under the id that was drawn, or draws one. Says which commit it was.
    pub fn change(
        &mut self,
        work: Work,
        row: &RowName,
        change: Change,
        drawn: Option<u64>,
        ledger: &mut Ledger,
    ) -> Vec<CommitId> {
        let mut done = Vec::new();
        let deleted = matches!(change, Change::Delete);
        let (kind, changes) = match change {
            Change::Insert(soul, values) => {
                self.rows.insert(row.clone(), TableRow { soul, values: BTreeMap::new() });
                (CommitKind::Create, self.set(row, values))
            }
            Change::Set(values) => (CommitKind::Update, self.set(row, values)),
            Change::Delete => {
                let Some(old) = self.rows.remove(row) else { return done };
                self.gone.insert(row.clone(), old.soul);
                (CommitKind::Delete, Vec::new())
            }
        };
        if kind == CommitKind::Update && changes.is_empty() {
            return done;
        }
        done.push(self.record(work, row, kind, changes, drawn, ledger));
        if deleted && row.0 == TABLES[plan::ACCOUNT] {
            done.extend(self.detach(work, &row.1, ledger));
        }
        done
    }

    fn record(
        &mut self,
        work: Work,
        row: &RowName,
        kind: CommitKind,
        changes: Vec<FieldChange>,
        drawn: Option<u64>,
        ledger: &mut Ledger,
    ) -> CommitId {
        let heard = kind != CommitKind::Update
            || changes.iter().any(|change| self.heard.contains(&(row.0, change.field.clone())));
        let news = match kind {
            CommitKind::Create => NewsKind::Create,
            CommitKind::Delete => NewsKind::Delete { merged_into: None },
            _ => NewsKind::Update,
        };
        let values: Vec<(String, Stored)> = changes
            .iter()
            .filter(|change| self.heard.contains(&(row.0, change.field.clone())))
            .map(|change| (change.field.clone(), change.after.clone()))
            .collect();
        let id = ledger.add(Commit {
            at: work.now,
            made: work.made,
            side: Side::Right,
            entity: row.0,
            key: row.1.clone(),
            author: work.author,
            kind,
            changes,
            stamp: work.made + self.skew,
            told: Told::Never,
        });
        if heard {
            let drawn = drawn.unwrap_or_else(|| self.draw_outbox());
            self.orders.insert(row.clone(), drawn);
            let at = timestamp(work.made + self.skew);
            let told = self.trigger(drawn, row, news, values, work.tag, at, id);
            ledger.commits[id].told = told;
        }
        id
    }

    /// ON DELETE SET NULL, which fires the trigger of the children.
    fn detach(&mut self, work: Work, account: &str, ledger: &mut Ledger) -> Vec<CommitId> {
        let work = Work { author: Author::Cascade, ..work };
        let children = self.children(account);
        let null = || Change::Set(BTreeMap::from([("account_id".to_owned(), Stored::Null)]));
        children.iter().flat_map(|child| self.change(work, child, null(), None, ledger)).collect()
    }

    fn set(&mut self, row: &RowName, values: BTreeMap<String, Stored>) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        for (field, value) in values {
            let after = match value {
                Stored::Text(text) if self.rewrites && field == "job_title" => Stored::Text(text.to_lowercase()),
                Stored::Int(number) if field == "score" => Stored::Double(number as f64),
                other => other,
            };
            let Some(stored) = self.rows.get_mut(row) else { continue };
            let before = stored.values.insert(field.clone(), after.clone()).unwrap_or_default();
            if before != after {
                changes.push(FieldChange { field, before, after });
            }
        }
        changes
    }

    /// TRUNCATE: every row of a table at once, and one line of the truncate trigger.
    pub fn truncate(&mut self, work: Work, table: &'static str, ledger: &mut Ledger) {
        let names: Vec<RowName> = self.rows.keys().filter(|(name, _)| *name == table).cloned().collect();
        let mut commits = Vec::new();
        for name in names {
            let Some(old) = self.rows.remove(&name) else { continue };
            self.gone.insert(name.clone(), old.soul);
            commits.push(ledger.add(Commit {
                at: work.now,
                made: work.made,
                side: Side::Right,
                entity: table,
                key: name.1.clone(),
                author: work.author,
                kind: CommitKind::Delete,
                changes: Vec::new(),
                stamp: work.made + self.skew,
                told: Told::Gap(None),
            }));
        }
        self.gap_row(table, timestamp(work.made + self.skew), commits);
    }
}

/// The fields and values of an act, by the names of the database; the account by its key.
pub fn named(mapping: usize, values: &[(usize, Stored)], parent: Option<Key>) -> BTreeMap<String, Stored> {
    let names = column_names(mapping);
    let mut named: BTreeMap<String, Stored> =
        values.iter().map(|(pair, value)| (names[*pair].to_owned(), value.clone())).collect();
    if let Some(parent) = parent {
        named.insert("account_id".to_owned(), Stored::Text(parent));
    }
    named
}

/// The columns of a table, in the order of the mapping's pairs.
pub const fn column_names(mapping: usize) -> &'static [&'static str] {
    match mapping {
        plan::ACCOUNT => &["name", "phone", "rank"],
        plan::CONTACT => &["last_name", "email", "job_title", "score", "active", "account_id"],
        _ => &["last_name", "company"],
    }
}

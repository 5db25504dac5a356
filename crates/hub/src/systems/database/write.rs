//! Writing: a batch is one transaction that checks the epoch, locks, compares, writes and reads back.
//!
//! What the database refuses undoes the transaction; the batch is halved until the write that is refused stands alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::{Instant, timeout_at};
use tombolo_engine::sync::{Batch, Key, MappingIndex, News, Operation, Outcome, Row, Side, Tag, Write};

use super::{
    Inner,
    capture::{self, SEEN, mark},
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    judge::judged,
    layout::check_epoch,
    many::{self, Kind},
    mapped::{Mapped, MappedEnd},
    operations::Operations,
    outbox::{self, Origin},
    record, rows,
    session::Session,
};
use crate::systems::system::Fence;

/// How many records one transaction writes.
const AT_ONCE: usize = 500;

impl Inner {
    pub(super) async fn write_batch(&self, batch: &Batch, fence: Fence) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = vec![Outcome::NotDone(None); batch.writes.len()];
        let mut todo: Vec<Range<usize>> = chunks(batch.writes.len());
        let mut refreshed = false;
        while let Some(range) = todo.pop() {
            match self.attempt(batch, range.clone(), fence).await {
                Ok(done) => done.into_iter().zip(range).for_each(|(outcome, place)| outcomes[place] = outcome),
                Err(Failed::Unknown) => outcomes[range].fill(Outcome::Unknown),
                Err(Failed::Undone(fault)) => match fault.kind {
                    // The rest would meet the same.
                    FaultKind::Lost | FaultKind::Login | FaultKind::Fenced => {
                        tracing::warn!(connection = self.connection, code = fault.code, "nothing was written");
                        break;
                    }
                    _ if fault.code == many::UNTOLD && range.len() > 1 => {
                        self.make_one_by_one(&batch.writes[range.clone()]);
                        todo.push(range);
                    }
                    FaultKind::Missing if !refreshed => {
                        refreshed = true;
                        self.refresh().await;
                        todo.push(range);
                    }
                    _ if range.len() > 1 => {
                        let middle = range.start + range.len() / 2;
                        todo.push(middle..range.end);
                        todo.push(range.start..middle);
                    }
                    _ => outcomes[range.start] = self.refused(&batch.writes[range.start], fault).await,
                },
            }
        }
        outcomes
    }

    async fn attempt(&self, batch: &Batch, range: Range<usize>, fence: Fence) -> Result<Vec<Outcome>, Failed> {
        if Instant::now() >= fence.until {
            return Err(Failed::Undone(late()));
        }
        let committing = AtomicBool::new(false);
        let work = self.transact(batch, &batch.writes[range], fence, &committing);
        match timeout_at(fence.until, work).await {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(fault)) if committing.load(Ordering::Relaxed) && fault.kind == FaultKind::Lost => {
                Err(Failed::Unknown)
            }
            Ok(Err(fault)) => Err(Failed::Undone(fault)),
            Err(_) if committing.load(Ordering::Relaxed) => Err(Failed::Unknown),
            Err(_) => Err(Failed::Undone(late())),
        }
    }

    async fn transact(
        &self,
        batch: &Batch,
        writes: &[Write],
        fence: Fence,
        committing: &AtomicBool,
    ) -> Result<Vec<Outcome>, Fault> {
        let mapped = self.mapped()?;
        let dialect = self.dialect();
        let seen = !self.tells_own && dialect == Dialect::Postgres && are_known_alone(&mapped, writes);
        let begin = begin(dialect, &batch.tag.to_string(), fence.until, seen.then_some(&*mapped.plan.tenant));
        let mut lent = self.pool.begin(&begin).await?;
        let one_by_one = self.one_by_one();
        let (session, tells_own) = (&mut lent.session, self.tells_own);
        let work = Work { mapped: &mapped, fence, tag: batch.tag, one_by_one, tells_own, seen, session, cap: self.cap };
        match work.run(writes).await {
            Ok(outcomes) => {
                committing.store(true, Ordering::Relaxed);
                lent.session.script(commit(dialect)).await?;
                self.pool.give_back(lent);
                Ok(outcomes)
            }
            Err(fault) => {
                if fault.kind != FaultKind::Lost && lent.session.script("ROLLBACK").await.is_ok() {
                    self.pool.give_back(lent);
                }
                Err(fault)
            }
        }
    }

    /// What a fault means for the one write that met it.
    async fn refused(&self, write: &Write, fault: Fault) -> Outcome {
        if fault.is_uncaptured() {
            self.look_soon();
            return fault.outcome();
        }
        let Ok(mapped) = self.mapped() else { return fault.outcome() };
        let Ok(end) = mapped.end(write.mapping, write.side) else { return fault.outcome() };
        let fault = record::explained(end, write, fault);
        if fault.kind == FaultKind::Unique
            && matches!(write.operation, Operation::Create { .. })
            && let Ok(Some(key)) = self.twin(end, write, &fault).await
        {
            return Outcome::Duplicate { key: Some(key) };
        }
        fault.outcome()
    }
}

impl Inner {
    fn one_by_one(&self) -> BTreeSet<String> {
        self.one_by_one.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on the tables of these writes get their rows one by one.
    fn make_one_by_one(&self, writes: &[Write]) {
        let Ok(mapped) = self.mapped() else { return };
        let ends = writes.iter().filter_map(|write| mapped.end(write.mapping, write.side).ok());
        let tables = ends.map(|end| end.table.canonical.clone());
        self.one_by_one.lock().unwrap_or_else(PoisonError::into_inner).extend(tables);
    }

    async fn twin(&self, end: &MappedEnd, write: &Write, fault: &Fault) -> Result<Option<Key>, Fault> {
        let mut lent = self.pool.live().await?;
        let key = record::twin(&mut lent.session, end, write, fault).await?;
        self.pool.give_back(lent);
        Ok(key)
    }
}

/// Why an attempt came to nothing.
enum Failed {
    /// It was undone.
    Undone(Fault),
    /// It may have been committed.
    Unknown,
}

/// From the last to the first, as a stack has it.
fn chunks(length: usize) -> Vec<Range<usize>> {
    (0..length).step_by(AT_ONCE).map(|start| start..(start + AT_ONCE).min(length)).rev().collect()
}

fn late() -> Fault {
    Fault::new(FaultKind::Lost, "LEASE", "the lease ends before the write could")
}

/// Begins a transaction whose changes carry the tag, and which does not wait longer than the lease lasts.
///
/// PostgreSQL: where the plan's tenant reads back what it writes, its changes are not captured first.
fn begin(dialect: Dialect, tag: &str, until: Instant, seen: Option<&str>) -> String {
    let begin = dialect.begin();
    let left = until.saturating_duration_since(Instant::now()).as_millis().max(1);
    match dialect {
        Dialect::Postgres => format!(
            "{begin}; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {left}; \
             SELECT set_config('tombolo.origin', '{tag}', true), set_config('{SEEN}', {}, true)",
            left.min(5_000),
            dialect.literal(&seen.map(mark).unwrap_or_default()),
        ),
        Dialect::MySql => format!("SET @tombolo_origin = '{tag}'; {begin}"),
        Dialect::Sqlite => format!("{begin}; UPDATE tombolo_origin SET origin = '{tag}'"),
    }
}

const fn commit(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "COMMIT",
        Dialect::MySql => "COMMIT; SET @tombolo_origin = NULL",
        Dialect::Sqlite => "UPDATE tombolo_origin SET origin = ''; COMMIT",
    }
}

/// A transaction under way.
struct Work<'a> {
    mapped: &'a Mapped,
    fence: Fence,
    tag: Tag,
    one_by_one: BTreeSet<String>,
    tells_own: bool,
    /// What is written is not captured.
    seen: bool,
    session: &'a mut Session,
    cap: u64,
}

pub(super) type EndKey = (MappingIndex, Side);

impl Work<'_> {
    async fn run(mut self, writes: &[Write]) -> Result<Vec<Outcome>, Fault> {
        let Self { mapped, fence, cap, .. } = self;
        let session = &mut *self.session;
        check_epoch(session, fence.shard, fence.epoch).await?;
        let operations = Operations::begin(session, fence, writes).await?;
        let mut outcomes: Vec<Option<Outcome>> = vec![None; writes.len()];
        for (outcome, write) in outcomes.iter_mut().zip(writes) {
            *outcome = operations.done_before(write).map(|key| Outcome::AlreadyDone { key });
            if let Err(fault) = mapped.end(write.mapping, write.side) {
                *outcome = Some(fault.outcome());
            }
        }
        let shown = current(session, mapped, writes, &outcomes).await?;
        for (outcome, write) in outcomes.iter_mut().zip(writes) {
            if outcome.is_none() {
                *outcome = judged(mapped, write, &shown)?;
            }
        }
        for run in runs(writes, &outcomes) {
            let keys = self.run_of(&writes[run.clone()]).await?;
            for (place, key) in run.zip(keys) {
                outcomes[place] = Some(Outcome::Done { key, row: None });
            }
        }
        let session = self.session;
        trust_absences(session, mapped, writes, &outcomes, cap).await?;
        tell_pending(session, mapped, writes, &mut outcomes).await?;
        read_back(session, mapped, writes, &mut outcomes).await?;
        if !self.tells_own {
            outbox::forget(session, mapped, self.tag, &seen(mapped, writes, &outcomes)).await?;
        }
        if self.seen {
            order(session, &mut outcomes).await?;
        }
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        operations.end(session, writes, &outcomes).await?;
        Ok(outcomes)
    }

    /// Writes of one table and kind; their keys.
    async fn run_of(&mut self, writes: &[Write]) -> Result<Vec<Key>, Fault> {
        let Some(first) = writes.first() else { return Ok(Vec::new()) };
        let end = self.mapped.end(first.mapping, first.side)?;
        let kind = Kind::of(&first.operation);
        let alone = kind == Kind::Create && self.one_by_one.contains(&end.table.canonical);
        let mut keys = Vec::with_capacity(writes.len());
        for writes in writes.chunks(if alone { 1 } else { AT_ONCE }) {
            let writes: Vec<&Write> = writes.iter().collect();
            keys.extend(many::write(self.session, end, kind, &writes).await?);
        }
        Ok(keys)
    }
}

/// The records that are to be written, locked table by table in the order of keys, and what they show then.
async fn current(
    session: &mut Session,
    mapped: &Mapped,
    writes: &[Write],
    outcomes: &[Option<Outcome>],
) -> Result<BTreeMap<(EndKey, Key), Row>, Fault> {
    let mut keys: BTreeMap<(&str, EndKey), BTreeSet<&str>> = BTreeMap::new();
    for (write, outcome) in writes.iter().zip(outcomes) {
        let end = mapped.end(write.mapping, write.side);
        if let (Some(key), None, Ok(end)) = (key_of(&write.operation), outcome, end) {
            let place = (end.table.canonical.as_str(), (write.mapping, write.side));
            keys.entry(place).or_default().insert(key);
        }
    }
    let mut shown = BTreeMap::new();
    for ((_, place), keys) in keys {
        let end = mapped.end(place.0, place.1)?;
        let keys: Vec<&str> = keys.into_iter().collect();
        // Two statements: what a row that had to be waited for shows is only seen by the next one.
        if session.dialect() != Dialect::Sqlite {
            rows::lock(session, end, &keys).await?;
        }
        for row in rows::by_key(session, end, &keys).await? {
            shown.insert((place, row.key.clone()), row);
        }
    }
    Ok(shown)
}

pub(super) const fn key_of(operation: &Operation) -> Option<&Key> {
    match operation {
        Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key) => Some(key),
        Operation::Create { .. } => None,
    }
}

/// Writes that are to be done, of one table and kind, as far as they stand together: what comes first is done first.
fn runs(writes: &[Write], outcomes: &[Option<Outcome>]) -> Vec<Range<usize>> {
    let kind = |place: usize| {
        let write: &Write = &writes[place];
        outcomes[place].is_none().then(|| (write.mapping, write.side, Kind::of(&write.operation)))
    };
    let mut runs: Vec<Range<usize>> = Vec::new();
    for place in (0..writes.len()).filter(|place| outcomes[*place].is_none()) {
        match runs.last_mut() {
            Some(run) if run.end == place && kind(run.start) == kind(place) => run.end += 1,
            _ => runs.push(place..place + 1),
        }
    }
    runs
}

/// The changes of ours that are known in full, because what the record shows was read back: the newest of each record.
fn seen(mapped: &Mapped, writes: &[Write], outcomes: &[Option<Outcome>]) -> Vec<i64> {
    let told = writes.iter().zip(outcomes).filter_map(|(write, outcome)| {
        let Some(Outcome::Done { row: Some(row), .. }) = outcome else { return None };
        let end = mapped.end(write.mapping, write.side).ok()?;
        // To another mapping of the same table it is news.
        i64::try_from(row.order.filter(|_| is_known_alone(mapped, end))?).ok()
    });
    told.collect()
}

/// Whether no other mapping wants to hear of any of these records.
fn are_known_alone(mapped: &Mapped, writes: &[Write]) -> bool {
    let places: BTreeSet<EndKey> = writes.iter().map(|write| (write.mapping, write.side)).collect();
    let mut ends = places.into_iter().filter_map(|(mapping, side)| mapped.end(mapping, side).ok());
    ends.all(|end| is_known_alone(mapped, end))
}

fn is_known_alone(mapped: &Mapped, end: &MappedEnd) -> bool {
    mapped.ends.values().flatten().filter(|other| other.table.canonical == end.table.canonical).count() == 1
}

/// What was written and not captured stands behind every change that was captured before: their rows are locked, so
/// none is under way.
async fn order(session: &mut Session, outcomes: &mut [Option<Outcome>]) -> Result<(), Fault> {
    let rows = outcomes.iter_mut().filter_map(|outcome| match outcome {
        Some(Outcome::Done { row, .. }) => row.as_mut(),
        _ => None,
    });
    let mut rows: Vec<&mut Row> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let drawn = session.number(Sql::new(session.dialect(), "SELECT nextval('tombolo.outbox_id')")).await?;
    for row in &mut rows {
        row.order = row.order.max(u64::try_from(drawn).ok());
    }
    Ok(())
}

/// A record that is not there was deleted only if the table is the one whose changes were captured.
async fn trust_absences(
    session: &mut Session,
    mapped: &Mapped,
    writes: &[Write],
    outcomes: &[Option<Outcome>],
    cap: u64,
) -> Result<(), Fault> {
    let gone = writes.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, Some(Outcome::Gone { .. })));
    let ends: BTreeSet<EndKey> = gone.map(|(write, _)| (write.mapping, write.side)).collect();
    for (mapping, side) in ends {
        capture::stands_for(session, mapped, mapped.end(mapping, side)?, cap).await?;
    }
    Ok(())
}

/// Gives those that moved, or are gone, their changes that nobody has claimed.
async fn tell_pending(
    session: &mut Session,
    mapped: &Mapped,
    writes: &[Write],
    outcomes: &mut [Option<Outcome>],
) -> Result<(), Fault> {
    let unseen = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Moved { .. } | Outcome::Gone { .. }));
    let by_end =
        grouped(writes, outcomes, |write, outcome| key_of(&write.operation).filter(|_| unseen(outcome)).cloned());
    if by_end.is_empty() {
        return Ok(());
    }
    let origin = Origin::read(session).await?;
    for (place, keys) in by_end {
        let end = mapped.end(place.0, place.1)?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut news: BTreeMap<Key, Vec<News>> = BTreeMap::new();
        for one in outbox::pending(session, mapped, end, &origin, &keys).await? {
            news.entry(one.key.clone().unwrap_or_default()).or_default().push(one);
        }
        for (write, outcome) in writes.iter().zip(outcomes.iter_mut()) {
            let Some(key) = key_of(&write.operation).filter(|_| (write.mapping, write.side) == place) else { continue };
            match (outcome, news.get(key)) {
                (Some(Outcome::Moved { pending, .. }), Some(news)) => pending.clone_from(news),
                (outcome @ Some(Outcome::Gone { .. }), Some(news)) => {
                    *outcome = Some(Outcome::Moved { pending: news.clone(), row: None });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Gives those that were written what they show now, after the table's own triggers.
async fn read_back(
    session: &mut Session,
    mapped: &Mapped,
    writes: &[Write],
    outcomes: &mut [Option<Outcome>],
) -> Result<(), Fault> {
    let by_end = grouped(writes, outcomes, |write, outcome| match outcome {
        Some(Outcome::Done { key, .. }) if !matches!(write.operation, Operation::Delete(_)) => Some(key.clone()),
        _ => None,
    });
    for (place, keys) in by_end {
        let end = mapped.end(place.0, place.1)?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut shown: BTreeMap<Key, Row> = BTreeMap::new();
        for row in rows::by_key(session, end, &keys).await? {
            shown.insert(row.key.clone(), row);
        }
        for (write, outcome) in writes.iter().zip(outcomes.iter_mut()) {
            if let (true, Some(Outcome::Done { key, row })) = ((write.mapping, write.side) == place, outcome) {
                *row = shown.get(key).cloned();
            }
        }
    }
    Ok(())
}

fn grouped(
    writes: &[Write],
    outcomes: &[Option<Outcome>],
    key: impl Fn(&Write, &Option<Outcome>) -> Option<Key>,
) -> BTreeMap<EndKey, BTreeSet<Key>> {
    let mut groups: BTreeMap<EndKey, BTreeSet<Key>> = BTreeMap::new();
    for (write, outcome) in writes.iter().zip(outcomes) {
        if let Some(key) = key(write, outcome) {
            groups.entry((write.mapping, write.side)).or_default().insert(key);
        }
    }
    groups
}

/// Deletes operation rows of a shard.
pub(super) async fn settle(session: &mut Session, fence: Fence, operations: &[String]) -> Result<(), Fault> {
    check_epoch(session, fence.shard, fence.epoch).await?;
    let dialect = session.dialect();
    for ids in operations.chunks(512) {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let text = format!("DELETE FROM {} WHERE shard = ", dialect.ours("operations"));
        let mut sql = Sql::new(dialect, text);
        sql.bind(fence.shard).push(" AND id").among(&ids);
        session.run(sql).await?;
    }
    Ok(())
}

//! The outbox: what its rows say, which are claimed, and how they are deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tombolo_engine::sync::{Key, News, NewsKind, Stored, Tag, Values};

use super::{
    dialect::{Dialect, Param, Sql},
    fault::Fault,
    mapped::{Mapped, MappedEnd},
    session::{Fetched, Session},
    value,
};

/// How many rows are claimed at once.
pub(super) const PAGE: usize = 2_000;

/// How many ids one statement deletes.
const AT_ONCE: usize = 1_000;

/// Which outbox of which database: what ids of it are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) database: String,
    pub(super) incarnation: String,
}

impl Origin {
    /// With the time: where ids began anew and nobody noticed, a change is not taken for an older one.
    fn identity(&self, id: i64, at: Option<Timestamp>) -> String {
        let micros = at.map_or(0, Timestamp::as_microsecond);
        format!("{}|{}|{id}.{micros}", self.database, self.incarnation)
    }

    /// The id in an identity, if it is of this outbox.
    pub(super) fn id(&self, identity: &str) -> Option<i64> {
        let (origin, id) = identity.rsplit_once('|')?;
        let same = origin.strip_prefix(self.database.as_str())?.strip_prefix('|')? == self.incarnation;
        let id = id.split_once('.').map_or(id, |(id, _)| id);
        if same { id.parse().ok() } else { None }
    }

    pub(super) async fn read(session: &mut Session) -> Result<Self, Fault> {
        let dialect = session.dialect();
        let text =
            "SELECT a.value, b.value FROM {meta} a, {meta} b WHERE a.name = 'identity' AND b.name = 'incarnation'";
        let sql = Sql::new(dialect, text.replace("{meta}", &dialect.ours("meta")));
        match session.fetch(sql).await?.first() {
            Some(row) => Ok(Self { database: row.required(0)?, incarnation: row.required(1)? }),
            None => {
                let words = "the tables of tombolo are gone";
                Err(Fault::new(super::fault::FaultKind::Missing, "UNDEFINED_TABLE", words))
            }
        }
    }
}

/// Rows of the outbox as changes.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    /// The outbox's mark now.
    pub(super) incarnation: String,
    pub(super) news: Vec<News>,
    /// What each change stands for: gap rows of one entity are told as one.
    pub(super) ids: BTreeMap<i64, Vec<i64>>,
    /// There are gap rows.
    pub(super) gaps: bool,
    /// The newest id that was drawn, if the database says.
    pub(super) newest: Option<i64>,
}

const COLUMNS: [&str; 8] = ["id", "entity", "kind", "record", "old_values", "new_values", "origin", "at_us"];

fn columns(dialect: Dialect, of: &str) -> String {
    let shown = COLUMNS.iter().map(|name| match (dialect, *name) {
        (Dialect::Postgres, "old_values" | "new_values") => format!("{of}{name}::text"),
        _ => format!("{of}{name}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The visible rows of the plan, in the order of their ids, without those that were handed out.
///
/// No watermark: an id drawn earlier may be committed later.
pub(super) async fn claim(
    session: &mut Session,
    mapped: &Mapped,
    origin: &Origin,
    handed: &[i64],
) -> Result<Claimed, Fault> {
    let dialect = session.dialect();
    let newest = match dialect {
        Dialect::Postgres => "(SELECT s.last_value FROM tombolo.outbox_id s)",
        Dialect::Sqlite => "(SELECT s.seq FROM sqlite_sequence s WHERE s.name = 'tombolo_outbox')",
        // Nothing that is cheap to ask.
        Dialect::MySql => "CAST(-1 AS SIGNED)",
    };
    let mut sql = Sql::new(
        dialect,
        format!(
            "SELECT m.value, {newest}, {} FROM {} m LEFT JOIN (SELECT ",
            columns(dialect, "o."),
            dialect.ours("meta")
        ),
    );
    sql.push(&COLUMNS.join(", ")).push(" FROM ").push(&dialect.ours("outbox")).push(" WHERE tenant = ");
    sql.bind(mapped.plan.tenant.as_str()).push(" AND entity IN (");
    let entities: BTreeSet<String> = mapped.captured().into_iter().map(|one| one.table.canonical.clone()).collect();
    let entities: Vec<&str> = entities.iter().map(String::as_str).collect();
    sql.bind_list(&entities, |sql, name| {
        sql.bind(*name);
    });
    sql.push(")");
    if !handed.is_empty() {
        sql.push(" AND id NOT IN (").push(&listed(handed)).push(")");
        sql.once = true;
    }
    sql.push(&format!(" ORDER BY id LIMIT {PAGE}) o ON 1 = 1 WHERE m.name = 'incarnation' ORDER BY o.id"));
    let rows = session.fetch(sql).await?;
    let mut claimed = Claimed::default();
    let mut gaps: BTreeMap<String, (Vec<i64>, Option<Timestamp>)> = BTreeMap::new();
    for row in &rows {
        claimed.incarnation = row.required(0)?;
        claimed.newest = Some(row.int(1)?).filter(|newest| *newest >= 0);
        let Some(read) = OutboxRow::read(row, 2)? else { continue };
        if read.kind == "G" {
            let (ids, at) = gaps.entry(read.entity).or_default();
            ids.push(read.id);
            *at = read.at;
            claimed.gaps = true;
        } else {
            claimed.ids.insert(read.id, vec![read.id]);
            claimed.news.extend(read.news(mapped, origin));
        }
    }
    for (entity, (ids, at)) in gaps {
        let Some(last) = ids.last().copied() else { continue };
        claimed.ids.insert(last, ids);
        let row = OutboxRow { id: last, entity, kind: "G".to_owned(), at, ..OutboxRow::default() };
        claimed.news.extend(row.news(mapped, origin));
    }
    claimed.news.sort_by_key(|news| news.order);
    Ok(claimed)
}

/// The rows of these records that nobody has claimed, oldest first.
pub(super) async fn pending(
    session: &mut Session,
    mapped: &Mapped,
    end: &MappedEnd,
    origin: &Origin,
    keys: &[&str],
) -> Result<Vec<News>, Fault> {
    let dialect = session.dialect();
    let text = format!("SELECT {} FROM {} o WHERE o.tenant = ", columns(dialect, "o."), dialect.ours("outbox"));
    let mut sql = Sql::new(dialect, text);
    sql.bind(mapped.plan.tenant.as_str()).push(" AND o.entity = ").bind(end.table.canonical.as_str());
    sql.push(" AND o.record").among(keys).push(" ORDER BY o.id");
    let mut pending = Vec::new();
    for row in session.fetch(sql).await? {
        if let Some(read) = OutboxRow::read(&row, 0)? {
            pending.extend(read.news(mapped, origin));
        }
    }
    Ok(pending)
}

/// Deletes exactly these rows.
pub(super) async fn delete(session: &mut Session, ids: &[i64]) -> Result<(), Fault> {
    let dialect = session.dialect();
    for ids in ids.chunks(AT_ONCE) {
        let mut sql =
            Sql::new(dialect, format!("DELETE FROM {} WHERE id IN ({})", dialect.ours("outbox"), listed(ids)));
        sql.once = true;
        session.run(sql).await?;
    }
    Ok(())
}

/// Deletes rows that carry this tag, in the transaction that made them: nobody need hear of them.
///
/// Not in MySQL, where room in the outbox is given back with what is acknowledged.
pub(super) async fn forget(session: &mut Session, mapped: &Mapped, tag: Tag, ids: &[i64]) -> Result<(), Fault> {
    let dialect = session.dialect();
    if ids.is_empty() || dialect == Dialect::MySql {
        return Ok(());
    }
    let mut sql = Sql::new(dialect, format!("DELETE FROM {} WHERE id", dialect.ours("outbox")));
    if dialect == Dialect::Postgres {
        sql.push(" = ANY(").bind(Param::Ints(ids.to_vec())).push(")");
    } else {
        sql.push(" IN (");
        sql.bind_list(ids, |sql, id| {
            sql.bind(*id);
        });
        sql.push(")");
    }
    sql.push(" AND origin = ").bind(tag.to_string().as_str());
    sql.push(" AND tenant = ").bind(mapped.plan.tenant.as_str());
    session.run(sql).await.map(drop)
}

/// How many rows wait, of whatever tenant.
pub(super) async fn waiting(session: &mut Session) -> Result<i64, Fault> {
    let dialect = session.dialect();
    session.number(Sql::new(dialect, format!("SELECT count(*) FROM {}", dialect.ours("outbox")))).await
}

/// The newest id that was ever drawn, where the database keeps it.
pub(super) async fn newest(session: &mut Session) -> Result<Option<i64>, Fault> {
    let dialect = session.dialect();
    let text = match dialect {
        Dialect::Postgres => "SELECT last_value FROM tombolo.outbox_id",
        Dialect::Sqlite => "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tombolo_outbox'",
        Dialect::MySql => {
            "SELECT CAST(AUTO_INCREMENT AS SIGNED) - 1 FROM information_schema.tables \
             WHERE table_schema = database() AND table_name = 'tombolo_outbox'"
        }
    };
    session.fetch(Sql::new(dialect, text)).await?.first().map(|row| row.int(0)).transpose()
}

/// Says that no row is older than this, so that triggers need not look (PostgreSQL). One that is drawn already and
/// committed later may be: the cap is not that exact.
pub(super) async fn raise_floor(session: &mut Session) -> Result<(), Fault> {
    let dialect = session.dialect();
    let text =
        "SELECT coalesce((SELECT min(o.id) FROM tombolo.outbox o), (SELECT s.last_value FROM tombolo.outbox_id s))";
    let floor = session.number(Sql::new(dialect, text)).await?;
    super::layout::set_mark(session, "floor", &floor.to_string()).await
}

fn listed(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// A row of the outbox.
#[derive(Debug, Default)]
struct OutboxRow {
    id: i64,
    entity: String,
    kind: String,
    record: Option<Key>,
    old: Captions,
    new: Captions,
    origin: String,
    at: Option<Timestamp>,
}

/// Column names and values as text.
type Captions = BTreeMap<String, Option<String>>;

impl OutboxRow {
    fn read(row: &Fetched, first: usize) -> Result<Option<Self>, Fault> {
        // The outer join's row without any.
        let Some(entity) = row.text(first + 1)? else { return Ok(None) };
        let values = |column: usize| -> Result<Captions, Fault> {
            Ok(row.text(column)?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
        };
        Ok(Some(Self {
            id: row.int(first)?,
            entity,
            kind: row.required(first + 2)?,
            record: row.text(first + 3)?,
            old: values(first + 4)?,
            new: values(first + 5)?,
            origin: row.text(first + 6)?.unwrap_or_default(),
            at: Timestamp::from_microsecond(row.int(first + 7)?).ok(),
        }))
    }

    /// The change, once for each name that the plan has for the table.
    fn news(&self, mapped: &Mapped, origin: &Origin) -> Option<News> {
        let mut ends = mapped.ends.values().flatten().filter(|end| end.table.canonical == self.entity);
        let first = ends.next()?;
        let ends: Vec<&MappedEnd> = std::iter::once(first).chain(ends).collect();
        let (kind, values) = match self.kind.as_str() {
            "C" => (NewsKind::Create, self.values(&ends, |_| true)),
            "U" => (NewsKind::Update, self.values(&ends, |name| self.old.get(name) != self.new.get(name))),
            "D" => (NewsKind::Delete { merged_into: None }, Values::new()),
            _ => (NewsKind::Gap, Values::new()),
        };
        Some(News {
            connection: mapped.connection.clone(),
            entity: first.entity.clone(),
            key: self.record.clone(),
            identity: origin.identity(self.id, self.at),
            kind,
            values,
            origin: Tag::find(&self.origin),
            at: self.at,
            order: u64::try_from(self.id).ok(),
        })
    }

    fn values(&self, ends: &[&MappedEnd], wanted: impl Fn(&str) -> bool) -> Values {
        let mut values: Values = Vec::new();
        for (name, place) in ends.iter().flat_map(|end| &end.heard) {
            let column = &ends[0].table.columns[*place];
            let Some(text) = self.new.get(&column.field.name) else { continue };
            if wanted(&column.field.name) && !values.iter().any(|(known, _)| known == name) {
                let value: Stored = value::read(column.form, text.clone());
                values.push((name.clone(), value));
            }
        }
        values
    }
}

/// The newest change of a record as a text inside a SELECT of its row: id, time and origin.
pub(super) fn newest_of(end: &MappedEnd, of: &str) -> String {
    let dialect = end.dialect();
    let text = match dialect {
        Dialect::Postgres => "o.id::text, '|', o.at_us::text, '|', o.origin",
        Dialect::MySql | Dialect::Sqlite => "o.id, '|', o.at_us, '|', o.origin",
    };
    let parts: Vec<&str> = text.split(", ").collect();
    let key = match dialect {
        Dialect::MySql => format!("{} COLLATE utf8mb4_bin", end.key_shown(of)),
        Dialect::Postgres | Dialect::Sqlite => end.key_shown(of),
    };
    let tenant =
        end.tenant.as_ref().map_or(String::new(), |(_, tenant)| format!(" AND o.tenant = {}", dialect.literal(tenant)));
    format!(
        "(SELECT {} FROM {} o WHERE o.entity = {} AND o.record = {key}{tenant} ORDER BY o.id DESC LIMIT 1)",
        dialect.concat(&parts),
        dialect.ours("outbox"),
        dialect.literal(&end.table.canonical),
    )
}

/// What [`newest_of`] said: the id, the time, and whether it was us.
pub(super) fn newest_read(text: &str) -> Option<(u64, Option<Timestamp>, bool)> {
    let mut parts = text.splitn(3, '|');
    let id = parts.next()?.parse().ok()?;
    let at = parts.next()?.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    let ours = Tag::find(parts.next()?).is_some();
    Some((id, at, ours))
}

//! Reading: records by key, page by page in the order of keys, and the keys alone.

use jiff::Timestamp;
use tombolo_engine::sync::{Answer, Key, MappingIndex, Read, Refusal, Row, Side};

use super::{
    Inner, capture,
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    mapped::{Mapped, MappedEnd},
    rows,
    session::Session,
};

/// How many rows a page has, and how many keys.
const ROWS: usize = 2_000;
const KEYS: usize = 20_000;

impl Inner {
    pub(super) async fn answer(&self, read: &Read) -> Answer {
        match self.try_answer(read).await {
            Err(fault) if fault.is_uncaptured() => {
                self.look_soon();
                failed(fault)
            }
            Err(fault) if fault.kind == FaultKind::Missing => {
                // A table or column is gone, ours or theirs: look again at what is there.
                self.refresh().await;
                self.try_answer(read).await.unwrap_or_else(failed)
            }
            answer => answer.unwrap_or_else(failed),
        }
    }

    async fn try_answer(&self, read: &Read) -> Result<Answer, Fault> {
        let mapped = self.mapped()?;
        match read {
            Read::Rows { mapping, side, keys } => self.rows(&mapped, mapped.end(*mapping, *side)?, keys).await,
            Read::External { mapping, side, other } => self.external(&mapped, *mapping, *side, other).await,
            // A database keeps no stamps: what changed since is everything.
            Read::Page { mapping, side, after, .. } => self.page(mapped.end(*mapping, *side)?, after.as_deref()).await,
            Read::Deleted { .. } => Ok(Answer::Deleted { keys: Vec::new(), complete: false }),
            Read::Keys { mapping, side, after } => {
                self.keys(&mapped, mapped.end(*mapping, *side)?, after.as_deref()).await
            }
            Read::Children { .. } => Ok(Answer::Failed(Refusal {
                code: "NOT_SUPPORTED".to_owned(),
                message: "a database's fields are not read through parents".to_owned(),
                fields: Vec::new(),
                passing: false,
            })),
        }
    }

    async fn rows(&self, mapped: &Mapped, end: &MappedEnd, keys: &[Key]) -> Result<Answer, Fault> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut lent = self.pool.live().await?;
        let session = &mut lent.session;
        let answer = {
            let server = clock(session).await?;
            let mut rows = Vec::new();
            for keys in keys.chunks(ROWS) {
                rows.extend(rows::by_key(session, end, keys).await?);
            }
            if rows.len() < keys.len() {
                capture::stands_for(session, mapped, end, self.cap).await?;
            }
            Ok(Answer::Rows { rows, next: None, server })
        };
        self.pool.give_back(lent);
        answer
    }

    async fn external(&self, mapped: &Mapped, mapping: MappingIndex, side: Side, other: &str) -> Result<Answer, Fault> {
        let end = mapped.end(mapping, side)?;
        let name = mapped.plan.mappings[mapping].ends[side].external_id.as_deref();
        let column = name.and_then(|name| end.table.column(name));
        let mut lent = self.pool.live().await?;
        let session = &mut lent.session;
        let answer = {
            let server = clock(session).await?;
            let mut found = Vec::new();
            if let Some(column) = column {
                let mut sql = rows::select(end);
                sql.push(" WHERE t.").push(&column.quoted(end.dialect())).push(" = ");
                column.bind(&mut sql, Some(other.to_owned()));
                end.and_tenant(&mut sql, "t.");
                found = read_rows(session, end, sql).await?;
            }
            Ok(Answer::Rows { rows: found, next: None, server })
        };
        self.pool.give_back(lent);
        answer
    }

    async fn page(&self, end: &MappedEnd, after: Option<&[u8]>) -> Result<Answer, Fault> {
        let after = after.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut lent = self.pool.live().await?;
        let session = &mut lent.session;
        let answer = {
            let dialect = end.dialect();
            let server = clock(session).await?;
            let mut sql = rows::select(end);
            let key = format!("t.{}", end.key_column().quoted(dialect));
            sql.push(" WHERE 1 = 1");
            if let Some(after) = &after {
                sql.push(" AND ").push(&key).push(" > ");
                end.bind_key(&mut sql, after);
            }
            end.and_tenant(&mut sql, "t.");
            sql.push(&format!(" ORDER BY {key} LIMIT {ROWS}"));
            let rows = read_rows(session, end, sql).await?;
            let last = rows.last().filter(|_| rows.len() == ROWS);
            let next = last.map(|row| row.key.clone().into_bytes());
            Ok(Answer::Rows { rows, next, server })
        };
        self.pool.give_back(lent);
        answer
    }

    /// In the order of the keys' bytes, as the state store has them: a number's text does not sort like the number.
    async fn keys(&self, mapped: &Mapped, end: &MappedEnd, after: Option<&str>) -> Result<Answer, Fault> {
        let mut lent = self.pool.live().await?;
        let session = &mut lent.session;
        let answer = {
            let key = match end.dialect() {
                Dialect::Postgres => format!("({}) COLLATE \"C\"", end.key_shown("t.")),
                Dialect::MySql => format!("({}) COLLATE utf8mb4_bin", end.key_shown("t.")),
                Dialect::Sqlite => format!("({}) COLLATE BINARY", end.key_shown("t.")),
            };
            let mut sql = Sql::new(end.dialect(), format!("SELECT {key} FROM {} t WHERE 1 = 1", end.table.sql));
            if let Some(after) = after {
                sql.push(" AND ").push(&key).push(" > ").bind(after);
            }
            end.and_tenant(&mut sql, "t.");
            sql.push(&format!(" ORDER BY 1 LIMIT {KEYS}"));
            let keys: Vec<Key> =
                session.fetch(sql).await?.iter().map(|row| row.required(0)).collect::<Result<_, _>>()?;
            let next = keys.last().filter(|_| keys.len() == KEYS).cloned();
            capture::stands_for(session, mapped, end, self.cap).await?;
            Ok(Answer::Keys { keys, next })
        };
        self.pool.give_back(lent);
        answer
    }
}

async fn read_rows(session: &mut Session, end: &MappedEnd, sql: Sql) -> Result<Vec<Row>, Fault> {
    session.fetch(sql).await?.iter().map(|row| rows::read(end, row)).collect()
}

/// The database's own time.
pub(super) async fn clock(session: &mut Session) -> Result<Option<Timestamp>, Fault> {
    let dialect = session.dialect();
    let micros = session.number(Sql::new(dialect, format!("SELECT {}", dialect.clock()))).await?;
    Ok(Timestamp::from_microsecond(micros).ok())
}

fn failed(fault: Fault) -> Answer {
    match fault.kind {
        FaultKind::Lost | FaultKind::Passing => Answer::Later(None),
        FaultKind::Missing => {
            let mut refusal = fault.refusal();
            refusal.code = if refusal.fields.is_empty() { "UNDEFINED_TABLE" } else { "UNDEFINED_COLUMN" }.to_owned();
            Answer::Failed(refusal)
        }
        _ => Answer::Failed(fault.refusal()),
    }
}

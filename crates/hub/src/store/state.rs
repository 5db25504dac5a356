//! The mirror's state as rows: read when a run begins, written with every transaction.

use jiff::Timestamp;
use tombolo_engine::{
    Cursor, Position, Transport,
    mirror::{ClosedGap, Gap, Refill, Snapshot, State},
};
use tombolo_schema::Id;

use super::{
    Column,
    connection::{Connection, Fetched, Param},
    layout::Dialect,
};
use crate::{Error, Result};

/// A statement and its values.
type Statement = (String, Vec<Param>);

/// What the state knows of one object.
pub(super) struct Known {
    pub(super) columns: Vec<Column>,
    pub(super) state: State,
}

/// Where in the state an object's rows are: every key carries the tenant.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) dialect: &'a Dialect,
    pub(super) tenant: &'a str,
    pub(super) object: &'a str,
}

impl Place<'_> {
    fn key(&self) -> Vec<Param> {
        vec![self.tenant.into(), self.object.into()]
    }

    /// Reads all that is known of the object.
    pub(super) async fn load(&self, connection: &mut Connection) -> Result<Option<Known>> {
        let sql = format!(
            "SELECT columns, snapshot_done, snapshot_stamp, snapshot_id, refill, refill_stamp, refill_id, opened_at, \
             announced, polled_stamp, polled_id, deletes_until FROM {} WHERE tenant = $1 AND object = $2",
            self.dialect.table("_tombolo_objects")
        );
        let rows = connection.fetch(sql, self.key()).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let columns = serde_json::from_str(&row.required(0)?)
            .map_err(|error| Error::failed("the mirror's state holds columns that make no sense").with_source(error))?;
        let snapshot = if row.flag(1)? { Snapshot::Done } else { Snapshot::Pending(cursor(row, 2)?) };
        let state = State {
            snapshot,
            refill: if row.flag(4)? { Some(Refill { after: cursor(row, 5)? }) } else { None },
            opened: moment(row, 7)?,
            announced: row.flag(8)?,
            polled: cursor(row, 9)?,
            deletes_until: moment(row, 11)?,
            position: self.load_position(connection).await?,
            gap: self.load_gap(connection).await?,
        };
        Ok(Some(Known { columns, state }))
    }

    async fn load_position(&self, connection: &mut Connection) -> Result<Option<Position>> {
        let sql = format!(
            "SELECT source, channel, transport, position, committed_at FROM {} WHERE tenant = $1 AND object = $2",
            self.dialect.table("_tombolo_positions")
        );
        let rows = connection.fetch(sql, self.key()).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let transport = Transport::from_name(&row.required(2)?);
        Ok(Some(Position {
            source: row.required(0)?,
            channel: row.required(1)?,
            transport: transport.ok_or_else(|| Error::failed("the mirror's state names a transport unknown here"))?,
            bytes: row.bytes(3)?.unwrap_or_default(),
            committed: moment(row, 4)?.unwrap_or_default(),
        }))
    }

    async fn load_gap(&self, connection: &mut Connection) -> Result<Option<Gap>> {
        let sql = format!(
            "SELECT detected_at, since, reason, rows_upserted, rows_deleted FROM {} \
             WHERE tenant = $1 AND object = $2 AND closed_at IS NULL ORDER BY detected_at DESC",
            self.dialect.table("_tombolo_gaps")
        );
        let rows = connection.fetch(sql, self.key()).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let count = |column| Ok::<_, Error>(row.int(column)?.unwrap_or_default().unsigned_abs());
        Ok(Some(Gap {
            detected: moment(row, 0)?.unwrap_or_default(),
            since: moment(row, 1)?,
            reason: row.required(2)?,
            upserted: count(3)?,
            deleted: count(4)?,
        }))
    }

    /// The statement that makes the object known.
    pub(super) fn insert(&self, table: &str, columns: &[Column]) -> Result<Statement> {
        let sql = format!(
            "INSERT INTO {} (tenant, object, table_name, columns) VALUES ($1, $2, $3, $4)",
            self.dialect.table("_tombolo_objects")
        );
        Ok((sql, vec![self.tenant.into(), self.object.into(), table.into(), columns_json(columns)?]))
    }

    /// The statement that stores other columns.
    pub(super) fn set_columns(&self, columns: &[Column]) -> Result<Statement> {
        let sql = format!(
            "UPDATE {} SET columns = $3 WHERE tenant = $1 AND object = $2",
            self.dialect.table("_tombolo_objects")
        );
        Ok((sql, vec![self.tenant.into(), self.object.into(), columns_json(columns)?]))
    }

    /// The statements that forget the object, gaps that are made good excepted.
    pub(super) fn forget(&self) -> Vec<Statement> {
        ["_tombolo_objects", "_tombolo_positions"]
            .map(|table| (table, ""))
            .into_iter()
            .chain([("_tombolo_gaps", " AND closed_at IS NULL")])
            .map(|(table, rest)| {
                let sql = format!("DELETE FROM {} WHERE tenant = $1 AND object = $2{rest}", self.dialect.table(table));
                (sql, self.key())
            })
            .collect()
    }

    /// The statements that store a state, and a gap that was closed with it.
    pub(super) fn save(&self, state: &State, closed: Option<&ClosedGap>) -> Vec<Statement> {
        let mut statements = vec![self.save_object(state), self.save_position(state.position.as_ref())];
        statements.extend(closed.map(|closed| self.save_gap(&closed.gap, Some(closed.closed))));
        statements.extend(state.gap.as_ref().map(|gap| self.save_gap(gap, None)));
        statements
    }

    fn save_object(&self, state: &State) -> Statement {
        let sql = format!(
            "UPDATE {} SET snapshot_done = $3, snapshot_stamp = $4, snapshot_id = $5, refill = $6, refill_stamp = $7, \
             refill_id = $8, opened_at = $9, announced = $10, polled_stamp = $11, polled_id = $12, deletes_until = $13 \
             WHERE tenant = $1 AND object = $2",
            self.dialect.table("_tombolo_objects")
        );
        let (done, snapshot) = match state.snapshot {
            Snapshot::Done => (true, None),
            Snapshot::Pending(cursor) => (false, cursor),
        };
        let mut params = self.key();
        params.push(Param::Int(Some(done.into())));
        params.extend(cursor_params(snapshot));
        params.push(Param::Int(Some(state.refill.is_some().into())));
        params.extend(cursor_params(state.refill.and_then(|refill| refill.after)));
        params.push(moment_param(state.opened));
        params.push(Param::Int(Some(state.announced.into())));
        params.extend(cursor_params(state.polled));
        params.push(moment_param(state.deletes_until));
        (sql, params)
    }

    fn save_position(&self, position: Option<&Position>) -> Statement {
        let table = self.dialect.table("_tombolo_positions");
        let Some(position) = position else {
            return (format!("DELETE FROM {table} WHERE tenant = $1 AND object = $2"), self.key());
        };
        let sql = format!(
            "INSERT INTO {table} (tenant, object, source, channel, transport, position, committed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, object) DO UPDATE SET source = excluded.source, \
             channel = excluded.channel, transport = excluded.transport, position = excluded.position, \
             committed_at = excluded.committed_at"
        );
        let mut params = self.key();
        params.extend([
            position.source.as_str().into(),
            position.channel.as_str().into(),
            position.transport.name().into(),
            Param::Bytes(Some(position.bytes.clone())),
            moment_param(Some(position.committed)),
        ]);
        (sql, params)
    }

    fn save_gap(&self, gap: &Gap, closed: Option<Timestamp>) -> Statement {
        let sql = format!(
            "INSERT INTO {} (tenant, object, detected_at, since, reason, closed_at, rows_upserted, rows_deleted) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, object, detected_at) DO UPDATE SET \
             since = excluded.since, reason = excluded.reason, closed_at = excluded.closed_at, \
             rows_upserted = excluded.rows_upserted, rows_deleted = excluded.rows_deleted",
            self.dialect.table("_tombolo_gaps")
        );
        let count = |count: u64| Param::Int(Some(i64::try_from(count).unwrap_or(i64::MAX)));
        let mut params = self.key();
        params.extend([
            moment_param(Some(gap.detected)),
            moment_param(gap.since),
            gap.reason.as_str().into(),
            moment_param(closed),
            count(gap.upserted),
            count(gap.deleted),
        ]);
        (sql, params)
    }
}

fn columns_json(columns: &[Column]) -> Result<Param> {
    let json = serde_json::to_string(columns);
    json.map(|json| Param::Text(Some(json)))
        .map_err(|error| Error::failed("columns cannot be stored").with_source(error))
}

fn moment(row: &Fetched, column: usize) -> Result<Option<Timestamp>> {
    let Some(text) = row.text(column)? else { return Ok(None) };
    let wrong = |error| Error::failed(format!("the mirror's state holds `{text}` for a time")).with_source(error);
    text.parse().map(Some).map_err(wrong)
}

fn cursor(row: &Fetched, column: usize) -> Result<Option<Cursor>> {
    let Some(stamp) = moment(row, column)? else { return Ok(None) };
    let id = row.text(column + 1)?.map(|text| parse_id(&text)).transpose()?;
    Ok(Some(Cursor { stamp, id }))
}

/// An Id that was stored.
pub(super) fn parse_id(text: &str) -> Result<Id> {
    Id::parse(text).map_err(|error| Error::failed("a stored Id makes no sense").with_source(error))
}

fn moment_param(moment: Option<Timestamp>) -> Param {
    Param::Text(moment.map(|moment| moment.to_string()))
}

fn cursor_params(cursor: Option<Cursor>) -> [Param; 2] {
    let id = cursor.and_then(|cursor| cursor.id).map(|id| id.to_string());
    [moment_param(cursor.map(|cursor| cursor.stamp)), Param::Text(id)]
}

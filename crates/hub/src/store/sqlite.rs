//! What is particular to SQLite.

use std::{collections::HashMap, path::Path, time::Duration};

use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tombolo_engine::mirror::Incoming;
use tombolo_schema::{Id, Value, format_time};

use super::{
    Table,
    connection::{Connection, Param, broken, quoted},
    layout::Dialect,
    lock::FileLock,
    sql::{Open, Upserted},
    state::parse_id,
    table::{ID, IS_DELETED, SYNCED_AT},
};
use crate::{Error, Result};

/// SQLite binds at most 32,766 values in a statement.
const MOST_VALUES: usize = 32_000;

pub(super) async fn open(path: &Path) -> Result<(Open, Dialect)> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Two names of one file have to meet in one lock.
    let folder = folder
        .canonicalize()
        .map_err(|error| Error::failed(format!("there is no folder {}", folder.display())).with_source(error))?;
    let path =
        path.file_name().map(|name| folder.join(name)).ok_or_else(|| Error::usage("the target names no file"))?;
    let path = path.canonicalize().unwrap_or(path);
    let lock = FileLock::take(&path)?;
    // In WAL mode readers and the one writer do not wait for each other; a kill loses nothing, because a log that
    // was written stays written.
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(30))
        .disable_statement_logging();
    let connection = options.connect().await.map_err(broken)?;
    let open = Open { connection: Connection::Sqlite(connection), dirty: false, lock: Some(lock) };
    Ok((open, Dialect::Sqlite))
}

pub(super) async fn upsert(connection: &mut Connection, table: &Table, rows: &[&Incoming]) -> Result<Vec<Upserted>> {
    let before = before(connection, table, rows).await?;
    let mut upserted = Vec::with_capacity(rows.len());
    let mut fresh = Vec::with_capacity(rows.len());
    for row in rows {
        let known = before.get(&row.row.id);
        let stamp = stamp_text(row);
        let stale =
            !row.force && known.is_some_and(|(_, stored)| stored.as_ref().is_some_and(|stored| *stored > stamp));
        if !stale && (known.is_some() || !row.known_only) {
            fresh.push(*row);
        }
        let before = known.map(|(deleted, _)| *deleted);
        upserted.push(Upserted { id: row.row.id, before, changed: false, stale });
    }
    let at_once = (MOST_VALUES / (table.columns.len() + 2)).clamp(1, 200);
    for rows in fresh.chunks(at_once) {
        let params = rows.iter().flat_map(|row| params(row)).collect();
        for row in connection.fetch(statement(table, rows.len()), params).await? {
            let id = parse_id(&row.required(0)?)?;
            if let Ok(at) = upserted.binary_search_by_key(&id, |row| row.id) {
                upserted[at].changed = true;
            }
        }
    }
    Ok(upserted)
}

async fn before(
    connection: &mut Connection,
    table: &Table,
    rows: &[&Incoming],
) -> Result<HashMap<Id, (bool, Option<String>)>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.row.id.as_str()).collect();
    let sql = format!(
        "SELECT {}, {}, {} FROM {} WHERE {}",
        quoted(ID),
        quoted(IS_DELETED),
        quoted(&table.stamp),
        quoted(&table.name),
        Dialect::Sqlite.among(&quoted(ID)),
    );
    let rows = connection.fetch(sql, vec![Param::Text(Some(serde_json::Value::from(ids).to_string()))]).await?;
    rows.iter().map(|row| Ok((parse_id(&row.required(0)?)?, (row.flag(1)?, row.text(2)?)))).collect()
}

/// Inserts rows or updates them where they differ, and gives the Ids of those it wrote.
fn statement(table: &Table, rows: usize) -> String {
    let mut names = vec![quoted(ID)];
    names.extend(table.columns.iter().map(|column| quoted(&column.name)));
    names.push(quoted(IS_DELETED));
    let row = format!("({}strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", "?, ".repeat(names.len()));
    let changing = &names[1..];
    let set: Vec<String> = changing.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let excluded: Vec<String> = changing.iter().map(|name| format!("excluded.{name}")).collect();
    format!(
        "INSERT INTO {} ({}, {synced}) VALUES {} ON CONFLICT ({id}) DO UPDATE SET {}, {synced} = excluded.{synced} \
         WHERE ({}) IS NOT ({}) RETURNING {id}",
        quoted(&table.name),
        names.join(", "),
        vec![row; rows].join(", "),
        set.join(", "),
        changing.join(", "),
        excluded.join(", "),
        synced = quoted(SYNCED_AT),
        id = quoted(ID),
    )
}

fn params(incoming: &Incoming) -> impl Iterator<Item = Param> {
    let row = &incoming.row;
    let values = row.values.iter().map(param);
    [Param::from(row.id.as_str())].into_iter().chain(values).chain([Param::Int(Some(row.deleted.into()))])
}

/// A value as SQLite holds it (CONTRACTS, `tombolo mirror`).
fn param(value: &Value) -> Param {
    match value {
        Value::Null => Param::Text(None),
        Value::Boolean(value) => Param::Int(Some((*value).into())),
        Value::Int(value) => Param::Int(Some(*value)),
        Value::Double(value) => Param::Real(Some(*value)),
        Value::Text(value) => Param::Text(Some(value.clone())),
        Value::Date(value) => Param::Text(Some(value.to_string())),
        Value::DateTime(value) => Param::Text(Some(moment(*value))),
        Value::Time(value) => Param::Text(Some(format_time(*value))),
    }
}

fn stamp_text(incoming: &Incoming) -> String {
    moment(incoming.row.stamp)
}

fn moment(value: jiff::Timestamp) -> String {
    value.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

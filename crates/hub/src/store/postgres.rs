//! What is particular to PostgreSQL.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tombolo_engine::mirror::Incoming;
use tombolo_schema::Value;

use super::{
    Kind, Table,
    connection::{Connection, Param, broken, quoted},
    layout::Dialect,
    sql::{Open, Upserted},
    state::parse_id,
    table::{ID, IS_DELETED, SYNCED_AT},
};
use crate::{Error, ErrorKind, Result};

/// The server may need a moment to notice that the mirror before was killed.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
const CONNECT: Duration = Duration::from_secs(15);

pub(super) async fn open(url: &str, schema: &str) -> Result<(Open, Dialect)> {
    // The parser's own message may quote the address, and with it the password.
    let options: PgConnectOptions = url.parse().map_err(|_| {
        Error::usage("the database's address cannot be read")
            .with_hint("it looks like postgres://user@host:5432/database")
    })?;
    let options = options.application_name("tombolo mirror").disable_statement_logging();
    let connecting = tokio::time::timeout(CONNECT, options.connect());
    let connection =
        connecting.await.map_err(|_| Error::new(ErrorKind::Connect, "no answer").may_pass(true))?.map_err(broken)?;
    let mut connection = Connection::Postgres(connection);
    lock(&mut connection, schema).await?;
    let dialect = Dialect::Postgres { schema: schema.to_owned() };
    let sql = "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = $1";
    if connection.fetch(sql.to_owned(), vec![schema.into()]).await?.is_empty() {
        connection.run(format!("CREATE SCHEMA {}", quoted(schema)), Vec::new()).await?;
    }
    Ok((Open { connection, dirty: false, lock: None }, dialect))
}

/// Takes the schema for this session. All writes go through the same session, so that a mirror whose connection is
/// gone, and with it the lock, cannot write either.
async fn lock(connection: &mut Connection, schema: &str) -> Result<()> {
    let sql = "SELECT CAST(CASE WHEN pg_try_advisory_lock(hashtextextended('tombolo mirror ' || $1, 0)) \
               THEN 1 ELSE 0 END AS BIGINT)";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let rows = connection.fetch(sql.to_owned(), vec![schema.into()]).await?;
        if rows.first().map(|row| row.flag(0)).transpose()?.unwrap_or_default() {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            let text = format!("another mirror is writing to schema \"{schema}\"");
            return Err(Error::usage(text).with_hint("stop it first; a schema has one mirror at a time"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) async fn upsert(
    connection: &mut Connection,
    schema: &str,
    table: &Table,
    rows: &[&Incoming],
) -> Result<Vec<Upserted>> {
    let json = Json::Array(rows.iter().map(|row| record(table, row)).collect());
    let fetched = connection.fetch(statement(schema, table), vec![Param::Text(Some(json.to_string()))]).await?;
    fetched
        .iter()
        .map(|row| {
            let before = row.int(1)?.filter(|before| *before != 0).map(|before| before == 2);
            Ok(Upserted { id: parse_id(&row.required(0)?)?, before, changed: row.flag(2)?, stale: row.flag(3)? })
        })
        .collect()
}

/// Inserts the rows of a JSON array or updates them where they differ, and says of each what became of it.
///
/// One value is bound however many rows and columns there are. The columns of the array are numbered.
fn statement(schema: &str, table: &Table) -> String {
    let dialect = Dialect::Postgres { schema: schema.to_owned() };
    let mut names = vec![quoted(ID)];
    names.extend(table.columns.iter().map(|column| quoted(&column.name)));
    names.push(quoted(IS_DELETED));
    let mut kinds = vec![Kind::Text];
    kinds.extend(table.columns.iter().map(|column| column.kind));
    kinds.push(Kind::Boolean);
    let typed: Vec<String> =
        names.iter().zip(kinds).map(|(name, kind)| format!("{name} {}", dialect.column_type(kind))).collect();
    let join = |prefix: &str| names[1..].iter().map(|name| format!("{prefix}.{name}")).collect::<Vec<_>>().join(", ");
    let set: Vec<String> = names[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "WITH r AS (SELECT * FROM json_to_recordset($1::json) AS r({typed}, _force boolean, _known boolean)), \
         old AS (SELECT t.{id}, t.{deleted}, t.{stamp} FROM {table} t WHERE t.{id} IN (SELECT r.{id} FROM r)), \
         fresh AS (SELECT r.* FROM r LEFT JOIN old ON old.{id} = r.{id} \
           WHERE (r._force OR old.{stamp} IS NULL OR r.{stamp} >= old.{stamp}) \
             AND (old.{id} IS NOT NULL OR NOT r._known)), \
         up AS (INSERT INTO {table} AS t ({names}, {synced}) SELECT {names}, now() FROM fresh \
           ON CONFLICT ({id}) DO UPDATE SET {set}, {synced} = excluded.{synced} \
           WHERE ROW({stored}) IS DISTINCT FROM ROW({excluded}) RETURNING t.{id}) \
         SELECT r.{id}, CAST(CASE WHEN old.{id} IS NULL THEN 0 WHEN old.{deleted} THEN 2 ELSE 1 END AS BIGINT), \
           CAST(CASE WHEN up.{id} IS NULL THEN 0 ELSE 1 END AS BIGINT), \
           CAST(CASE WHEN fresh.{id} IS NULL AND old.{id} IS NOT NULL THEN 1 ELSE 0 END AS BIGINT) \
         FROM r LEFT JOIN old ON old.{id} = r.{id} LEFT JOIN fresh ON fresh.{id} = r.{id} \
           LEFT JOIN up ON up.{id} = r.{id}",
        typed = typed.join(", "),
        id = quoted(ID),
        deleted = quoted(IS_DELETED),
        stamp = quoted(&table.stamp),
        synced = quoted(SYNCED_AT),
        table = dialect.table(&table.name),
        names = names.join(", "),
        set = set.join(", "),
        stored = join("t"),
        excluded = join("excluded"),
    )
}

fn record(table: &Table, incoming: &Incoming) -> Json {
    let row = &incoming.row;
    let values = table.columns.iter().zip(&row.values).map(|(column, value)| (column.name.clone(), json(value)));
    let mut record: Map<String, Json> = values.collect();
    record.insert(ID.to_owned(), row.id.as_str().into());
    record.insert(IS_DELETED.to_owned(), row.deleted.into());
    record.insert("_force".to_owned(), incoming.force.into());
    record.insert("_known".to_owned(), incoming.known_only.into());
    Json::Object(record)
}

/// A value as the column types read it. PostgreSQL's text holds every character except NUL.
fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Double(value) => (*value).into(),
        Value::Text(value) => value.replace('\0', "").into(),
        Value::Date(value) => value.to_string().into(),
        Value::DateTime(value) => value.to_string().into(),
        Value::Time(value) => value.to_string().into(),
    }
}

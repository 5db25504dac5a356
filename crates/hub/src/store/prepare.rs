//! The beginning of a run: whose store it is, and tables that fit what describe says today. All or nothing.

use std::hash::{BuildHasher, Hasher, RandomState};

use jiff::Timestamp;
use tombolo_engine::mirror::{Refill, Snapshot, State};

use super::{
    Column, Owner, Table,
    connection::{Connection, Param},
    layout::Dialect,
    state::{Known, Place},
};
use crate::{Error, Result};

/// The layout of the state's tables. A later one is refused, an earlier one will be adapted.
const FORMAT: i64 = 1;

/// Prepares everything inside a transaction that the caller holds.
pub(super) async fn prepare(
    connection: &mut Connection,
    dialect: &Dialect,
    owner: &Owner,
    tables: &[Table],
) -> Result<Vec<State>> {
    for (name, create) in dialect.state_tables() {
        if !exists(connection, dialect, name).await? {
            connection.run(create, Vec::new()).await?;
        }
    }
    claim(connection, dialect, owner).await?;
    let mut states = Vec::with_capacity(tables.len());
    for table in tables {
        let place = Place { dialect, tenant: &owner.tenant, object: &table.object };
        let known = place.load(connection).await?;
        let there = exists(connection, dialect, &table.name).await?;
        states.push(match (known, there) {
            (Some(known), true) => adapt(connection, place, table, known).await?,
            (None, true) => return Err(in_the_way(dialect, table)),
            (known, false) => {
                if known.is_some() {
                    tracing::warn!(table = table.name, "the table is gone: it is made and filled anew");
                    run_all(connection, place.forget()).await?;
                }
                connection.run(dialect.create(table), Vec::new()).await?;
                run_all(connection, [place.insert(&table.name, &table.columns)?]).await?;
                State::default()
            }
        });
    }
    Ok(states)
}

/// Takes the store for an org, or refuses because it holds another's.
async fn claim(connection: &mut Connection, dialect: &Dialect, owner: &Owner) -> Result<()> {
    let meta = dialect.table("_tombolo_meta");
    let sql = format!("SELECT org_id, format FROM {meta} WHERE tenant = $1");
    let rows = connection.fetch(sql, vec![owner.tenant.as_str().into()]).await?;
    let Some(row) = rows.first() else {
        let sql =
            format!("INSERT INTO {meta} (tenant, org_id, mirror_id, format, created_at) VALUES ($1, $2, $3, $4, $5)");
        let params = vec![
            owner.tenant.as_str().into(),
            owner.org.as_str().into(),
            Param::Text(Some(mirror_id())),
            Param::Int(Some(FORMAT)),
            Param::Text(Some(Timestamp::now().to_string())),
        ];
        return connection.run(sql, params).await;
    };
    let org = row.required(0)?;
    if org != owner.org {
        let text = format!("{} holds the mirror of org {org}, and this is org {}", dialect.place(), owner.org);
        return Err(Error::usage(text).with_hint("mirror this org into another database or --schema"));
    }
    if row.int(1)?.is_some_and(|format| format > FORMAT) {
        return Err(Error::failed("the mirror's state was written by a newer tombolo").with_hint("update tombolo"));
    }
    Ok(())
}

/// Makes a known table fit: new columns are added and will be filled, removed ones are marked and kept.
async fn adapt(connection: &mut Connection, place: Place<'_>, table: &Table, known: Known) -> Result<State> {
    let Known { mut columns, mut state } = known;
    let before = columns.clone();
    let mut added = false;
    for column in &table.columns {
        match columns.iter_mut().find(|stored| stored.name == column.name) {
            Some(stored) if stored.kind != column.kind => return Err(retyped(table, stored, column)),
            Some(stored) => added |= std::mem::take(&mut stored.removed),
            None => {
                connection.run(place.dialect.add_column(table, column), Vec::new()).await?;
                columns.push(column.clone());
                added = true;
            }
        }
    }
    for stored in &mut columns {
        stored.removed |= !table.columns.iter().any(|column| column.name == stored.name);
    }
    if columns != before {
        run_all(connection, [place.set_columns(&columns)?]).await?;
    }
    if added {
        match &mut state.snapshot {
            Snapshot::Pending(after) => *after = None,
            Snapshot::Done => state.refill = Some(Refill::default()),
        }
        run_all(connection, place.save(&state, None)).await?;
    }
    Ok(state)
}

fn retyped(table: &Table, stored: &Column, column: &Column) -> Error {
    let text = format!(
        "field {}.{} was {} and is {} now: column \"{}\" of table \"{}\" cannot hold it",
        table.object,
        column.field,
        stored.kind.name(),
        column.kind.name(),
        stored.name,
        table.name
    );
    Error::usage(text).with_hint("drop the table to have it made and filled anew")
}

fn in_the_way(dialect: &Dialect, table: &Table) -> Error {
    let text = format!("table \"{}\" in {} was not made by this mirror", table.name, dialect.place());
    Error::usage(text).with_hint("mirror into another database or --schema, or rename the table")
}

async fn exists(connection: &mut Connection, dialect: &Dialect, name: &str) -> Result<bool> {
    let (sql, params) = dialect.exists(name);
    Ok(!connection.fetch(sql, params).await?.is_empty())
}

pub(super) async fn run_all(
    connection: &mut Connection,
    statements: impl IntoIterator<Item = (String, Vec<Param>)>,
) -> Result<()> {
    for (sql, params) in statements {
        connection.run(sql, params).await?;
    }
    Ok(())
}

/// A name for this mirror that no other has.
fn mirror_id() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

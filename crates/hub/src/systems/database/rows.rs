//! Rows of a table as the engine sees them.

use tombolo_engine::sync::{Key, Row};

use super::{
    dialect::Sql,
    fault::Fault,
    mapped::MappedEnd,
    outbox::{newest_of, newest_read},
    session::{Fetched, Session},
    value,
};

/// `SELECT key, newest change, heard columns FROM table t`.
pub(super) fn select(end: &MappedEnd) -> Sql {
    let dialect = end.dialect();
    let newest = if end.is_captured { newest_of(end, "t.") } else { "NULL".to_owned() };
    let mut text = format!("SELECT {}, {newest}", end.key_shown("t."));
    for (_, place) in &end.heard {
        text.push_str(", ");
        text.push_str(&end.table.columns[*place].shown(dialect, "t."));
    }
    Sql::new(dialect, format!("{text} FROM {} t", end.table.sql))
}

pub(super) fn read(end: &MappedEnd, row: &Fetched) -> Result<Row, Fault> {
    let newest = row.text(1)?.and_then(|text| newest_read(&text));
    let mut values = Vec::with_capacity(end.heard.len());
    for (at, (name, place)) in end.heard.iter().enumerate() {
        values.push((name.clone(), value::read(end.table.columns[*place].form, row.text(at + 2)?)));
    }
    let (order, stamp, ours) = newest.map_or((None, None, true), |(id, at, ours)| (Some(id), at, ours));
    Ok(Row {
        key: row.required(0)?,
        values,
        stamp,
        foreign_at: stamp.filter(|_| !ours),
        order,
        deleted: false,
        merged_into: None,
    })
}

/// The records with these keys that are there.
pub(super) async fn by_key(session: &mut Session, end: &MappedEnd, keys: &[&str]) -> Result<Vec<Row>, Fault> {
    let keys: Vec<&str> = keys.iter().copied().filter(|key| end.may_be_key(key)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = select(end);
    sql.push(" WHERE ");
    end.among(&mut sql, "t.", &keys);
    session.fetch(sql).await?.iter().map(|row| read(end, row)).collect()
}

/// Locks the records with these keys, in the order of keys, and gives those that are there.
pub(super) async fn lock(session: &mut Session, end: &MappedEnd, keys: &[&str]) -> Result<Vec<Key>, Fault> {
    let keys: Vec<&str> = keys.iter().copied().filter(|key| end.may_be_key(key)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let dialect = end.dialect();
    let mut sql = Sql::new(dialect, format!("SELECT {} FROM {} t WHERE ", end.key_shown("t."), end.table.sql));
    end.among(&mut sql, "t.", &keys);
    sql.push(&format!(" ORDER BY t.{}{}", end.key_column().quoted(dialect), dialect.for_update()));
    session.fetch(sql).await?.iter().map(|row| row.required(0)).collect()
}

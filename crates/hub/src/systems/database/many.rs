//! Many records of one table in one statement: made, set or deleted.
//!
//! What is made where the database draws the keys is told apart by what it shows: the rows come back in the order in
//! which they went in, as far as anybody has seen, but nobody promises it.

use std::{collections::BTreeMap, ops::Range};

use tombolo_engine::sync::{Key, Operation, Write};

use super::{
    dialect::{Dialect, Param, Sql},
    fault::{Fault, FaultKind},
    mapped::MappedEnd,
    record::{self, Given},
    session::Session,
    table::Column,
    value,
};

/// How many values a statement takes: less than any of the databases does.
const VALUES: usize = 24_000;

/// The code of a fault of ours: it cannot be told which row is whose.
pub(super) const UNTOLD: &str = "ROWS_NOT_TOLD_APART";

/// The kinds of writes that may stand in one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Update,
    Delete,
}

impl Kind {
    pub(super) const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Create { .. } => Self::Create,
            Operation::Update(_) | Operation::Undelete(_) => Self::Update,
            Operation::Delete(_) => Self::Delete,
        }
    }
}

/// Writes these records of one table, in as few statements as their columns allow, and gives their keys.
pub(super) async fn write(
    session: &mut Session,
    end: &MappedEnd,
    kind: Kind,
    writes: &[&Write],
) -> Result<Vec<Key>, Fault> {
    let keyed = || writes.iter().filter_map(|write| super::write::key_of(&write.operation));
    match kind {
        Kind::Create => create(session, end, writes).await,
        Kind::Update => {
            update(session, end, writes).await?;
            Ok(keyed().cloned().collect())
        }
        Kind::Delete => {
            let keys: Vec<&str> = keyed().map(String::as_str).collect();
            let mut sql = Sql::new(end.dialect(), format!("DELETE FROM {} WHERE ", end.table.sql));
            end.among(&mut sql, "", &keys);
            session.run(sql).await?;
            Ok(keyed().cloned().collect())
        }
    }
}

/// Rows that set the same columns, with their places among the writes.
struct Group<'a> {
    columns: Vec<&'a Column>,
    places: Vec<usize>,
    rows: Vec<Vec<Option<String>>>,
}

fn grouped<'a>(given: Vec<Vec<Given<'a>>>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Vec<&str>, Group<'a>> = BTreeMap::new();
    for (place, given) in given.into_iter().enumerate() {
        let names = given.iter().map(|(column, _)| column.field.name.as_str()).collect();
        let (columns, row) = given.into_iter().unzip();
        let group = groups.entry(names).or_insert_with(|| Group { columns, places: Vec::new(), rows: Vec::new() });
        group.places.push(place);
        group.rows.push(row);
    }
    groups.into_values().collect()
}

/// Cut into stretches, none of them too long; where the text of a statement depends on its rows their lengths are powers
/// of two, so that few are prepared.
fn stretches(dialect: Dialect, rows: usize, columns: usize) -> impl Iterator<Item = Range<usize>> {
    let bound = match dialect {
        Dialect::Postgres => 512,
        Dialect::Sqlite => 256,
        // Each row is looked for among all of them.
        Dialect::MySql => 32,
    };
    let most = (VALUES / columns.max(1)).clamp(1, bound);
    let mut from = 0;
    std::iter::from_fn(move || {
        let left = rows.checked_sub(from).filter(|left| *left > 0)?.min(most);
        let length = if dialect == Dialect::Postgres { left } else { 1 << left.ilog2() };
        from += length;
        Some(from - length..from)
    })
}

/// Rows as a table `v` whose columns are texts: `c0`, `c1`.
fn table(sql: &mut Sql, rows: &[Vec<Option<String>>]) {
    let names: Vec<String> = (0..rows.first().map_or(0, Vec::len)).map(|at| format!("c{at}")).collect();
    if sql.dialect == Dialect::Postgres {
        sql.push("UNNEST(");
        for at in 0..names.len() {
            sql.push(if at > 0 { ", " } else { "" });
            sql.bind(Param::Texts(rows.iter().map(|row| row[at].clone()).collect()));
        }
        sql.push(&format!(") WITH ORDINALITY v({}, place)", names.join(", ")));
        return;
    }
    let named: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("column{} AS {name}", at + 1)).collect();
    sql.push(&format!("(SELECT {} FROM (VALUES ", named.join(", ")));
    for (place, row) in rows.iter().enumerate() {
        sql.push(if place > 0 { ", (" } else { "(" });
        for (at, text) in row.iter().enumerate() {
            sql.push(if at > 0 { ", " } else { "" }).bind(text.clone());
        }
        sql.push(")");
    }
    sql.push(")) v");
}

/// A value of `v` as its column takes it.
fn cast(column: &Column, at: usize) -> String {
    match &column.cast {
        Some(cast) => format!("CAST(v.c{at} AS {cast})"),
        None => format!("v.c{at}"),
    }
}

async fn update(session: &mut Session, end: &MappedEnd, writes: &[&Write]) -> Result<(), Fault> {
    let dialect = end.dialect();
    let given = writes.iter().map(|write| record::given(end, &write.values)).collect::<Result<Vec<_>, _>>()?;
    for group in grouped(given).into_iter().filter(|group| !group.columns.is_empty()) {
        let keys = group.places.iter().filter_map(|place| super::write::key_of(&writes[*place].operation));
        let keys: Vec<&str> = keys.map(String::as_str).filter(|key| end.may_be_key(key)).collect();
        if keys.len() < group.places.len() {
            return Err(untold());
        }
        for stretch in stretches(dialect, group.rows.len(), group.columns.len() + 1) {
            let (keys, rows) = (&keys[stretch.clone()], &group.rows[stretch]);
            let sql = match dialect {
                _ if keys.len() == 1 => update_one(end, &group.columns, keys[0], &rows[0]),
                Dialect::MySql => update_by_case(end, &group.columns, keys, rows),
                Dialect::Postgres | Dialect::Sqlite => update_from(end, &group.columns, keys, rows),
            };
            session.run(sql).await?;
        }
    }
    Ok(())
}

fn update_one(end: &MappedEnd, columns: &[&Column], key: &str, row: &[Option<String>]) -> Sql {
    let mut sql = Sql::new(end.dialect(), format!("UPDATE {} SET ", end.table.sql));
    for (at, (column, text)) in columns.iter().zip(row).enumerate() {
        sql.push(if at > 0 { ", " } else { "" }).push(&column.quoted(end.dialect())).push(" = ");
        column.bind(&mut sql, text.clone());
    }
    sql.push(" WHERE ");
    end.is_record(&mut sql, "", key);
    sql
}

fn update_from(end: &MappedEnd, columns: &[&Column], keys: &[&str], rows: &[Vec<Option<String>>]) -> Sql {
    let dialect = end.dialect();
    let set =
        columns.iter().enumerate().map(|(at, column)| format!("{} = {}", column.quoted(dialect), cast(column, at)));
    let set: Vec<String> = set.collect();
    let key = end.key_column();
    let theirs = match (dialect, key.form) {
        (Dialect::Sqlite, value::Form::Integer) => format!("CAST(v.c{} AS INTEGER)", columns.len()),
        _ => cast(key, columns.len()),
    };
    let with_key = |(row, key): (&Vec<Option<String>>, &&str)| {
        let key = Some((*key).to_owned());
        row.iter().cloned().chain([key]).collect()
    };
    let rows: Vec<Vec<Option<String>>> = rows.iter().zip(keys).map(with_key).collect();
    let mut sql = Sql::new(dialect, format!("UPDATE {} AS t SET {} FROM ", end.table.sql, set.join(", ")));
    table(&mut sql, &rows);
    sql.push(&format!(" WHERE t.{} = {theirs}", key.quoted(dialect)));
    end.and_tenant(&mut sql, "t.");
    sql
}

/// MySQL: values in a list of their own have a collation of their own, and do not compare with keys of another.
fn update_by_case(end: &MappedEnd, columns: &[&Column], keys: &[&str], rows: &[Vec<Option<String>>]) -> Sql {
    let dialect = end.dialect();
    let key = end.key_column().quoted(dialect);
    // Assignments are carried out from left to right: the key is set last.
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|at| columns[*at].field.name == end.key_column().field.name);
    let mut sql = Sql::new(dialect, format!("UPDATE {} SET ", end.table.sql));
    for (place, at) in order.into_iter().enumerate() {
        sql.push(if place > 0 { ", " } else { "" }).push(&columns[at].quoted(dialect)).push(" = CASE ").push(&key);
        for (theirs, row) in keys.iter().zip(rows) {
            sql.push(" WHEN ");
            end.bind_key(&mut sql, theirs);
            sql.push(" THEN ");
            columns[at].bind(&mut sql, row[at].clone());
        }
        sql.push(" END");
    }
    sql.push(" WHERE ");
    end.among(&mut sql, "", keys);
    sql
}

/// Makes the records and gives their keys.
async fn create(session: &mut Session, end: &MappedEnd, writes: &[&Write]) -> Result<Vec<Key>, Fault> {
    let given = writes.iter().map(|write| record::whole(end, write)).collect::<Result<Vec<_>, _>>()?;
    let mut keys: Vec<Key> = vec![Key::new(); writes.len()];
    for group in grouped(given) {
        let key = end.key_column().field.name.as_str();
        // MySQL does not tell what it draws for many.
        let known = end.dialect() != Dialect::MySql || group.columns.iter().any(|column| column.field.name == key);
        for stretch in stretches(end.dialect(), group.rows.len(), group.columns.len()) {
            let rows = &group.rows[stretch.clone()];
            let made = if group.columns.is_empty() || rows.len() == 1 || !known {
                one_by_one(session, end, writes, &group.places[stretch.clone()]).await?
            } else {
                insert(session, end, &group.columns, rows).await?
            };
            for (place, key) in group.places[stretch].iter().zip(made) {
                keys[*place] = key;
            }
        }
    }
    Ok(keys)
}

async fn one_by_one(
    session: &mut Session,
    end: &MappedEnd,
    writes: &[&Write],
    places: &[usize],
) -> Result<Vec<Key>, Fault> {
    let mut keys = Vec::with_capacity(places.len());
    for place in places {
        keys.push(record::create(session, end, writes[*place]).await?);
    }
    Ok(keys)
}

async fn insert(
    session: &mut Session,
    end: &MappedEnd,
    columns: &[&Column],
    rows: &[Vec<Option<String>>],
) -> Result<Vec<Key>, Fault> {
    let dialect = end.dialect();
    let key_column = end.key_column();
    let known = columns.iter().position(|column| column.field.name == key_column.field.name);
    let names: Vec<String> = columns.iter().map(|column| column.quoted(dialect)).collect();
    let mut sql = Sql::new(dialect, format!("INSERT INTO {} ({})", end.table.sql, names.join(", ")));
    if dialect == Dialect::Postgres && known.is_some() && key_column.drawn {
        sql.push(" OVERRIDING SYSTEM VALUE");
    }
    if dialect == Dialect::Postgres {
        let taken: Vec<String> = columns.iter().enumerate().map(|(at, column)| cast(column, at)).collect();
        sql.push(&format!(" SELECT {} FROM ", taken.join(", ")));
        table(&mut sql, rows);
        sql.push(" ORDER BY v.place");
    } else {
        for (place, row) in rows.iter().enumerate() {
            sql.push(if place > 0 { ", (" } else { " VALUES (" });
            for (at, text) in row.iter().enumerate() {
                sql.push(if at > 0 { ", " } else { "" });
                columns[at].bind(&mut sql, text.clone());
            }
            sql.push(")");
        }
    }
    if let (Dialect::MySql, Some(at)) = (dialect, known) {
        session.run(sql).await?;
        return Ok(rows.iter().filter_map(|row| row[at].clone()).collect());
    }
    let shown: Vec<String> = columns.iter().map(|column| format!(", {}", column.shown(dialect, ""))).collect();
    sql.push(&format!(" RETURNING {}{}", end.key_shown(""), shown.concat()));
    let made = session.fetch(sql).await?;
    if made.len() != rows.len() {
        return Err(untold());
    }
    let mut keys = Vec::with_capacity(made.len());
    for (made, row) in made.iter().zip(rows) {
        for (at, column) in columns.iter().enumerate() {
            let read = |text| value::read(column.form, text);
            if !value::natural(column.field.kind).same(&read(row[at].clone()), &read(made.text(at + 1)?)) {
                return Err(untold());
            }
        }
        keys.push(made.required(0)?);
    }
    Ok(keys)
}

fn untold() -> Fault {
    Fault::new(FaultKind::Other, UNTOLD, "the rows that were made cannot be told apart")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_all_rows_with_few_lengths() {
        for (dialect, rows, columns, lengths) in [
            (Dialect::Sqlite, 0, 3, &[][..]),
            (Dialect::Sqlite, 1, 3, &[1]),
            (Dialect::Sqlite, 500, 3, &[256, 128, 64, 32, 16, 4]),
            (Dialect::Postgres, 1000, 3, &[512, 488]),
            (Dialect::MySql, 70, 3, &[32, 32, 4, 2]),
            (Dialect::Sqlite, 3, 24_000, &[1, 1, 1]),
        ] {
            let cut: Vec<_> = stretches(dialect, rows, columns).collect();
            assert_eq!(cut.iter().map(ExactSizeIterator::len).collect::<Vec<_>>(), lengths);
            assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(cut.last().map_or(0, |last| last.end), rows);
        }
    }
}

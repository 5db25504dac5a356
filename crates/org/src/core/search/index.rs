//! The full-text index: the words of each searchable row, by kind of field.
//!
//! An object is indexed when it is first searched. From then on triggers note which of its rows are stale, and the
//! next search brings them up to date: a write costs one small row, and an org that is never searched nothing.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};
use tombolo_schema::FieldType;

use crate::{
    core::{
        Core, ObjectDef,
        record::{CoreError, Result},
        schema::FieldDef,
    },
    store::quoted,
};

/// Between the texts of two fields: a word that nobody writes, so that no phrase goes from one into the next.
const BETWEEN: &str = " \u{e000} ";

/// Makes the tables of an index in which nothing is yet.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS _search_objects (object TEXT PRIMARY KEY, fields TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS _search_rows
             (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, object TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS _search_stale
             (object TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (object, id)) WITHOUT ROWID;
         CREATE VIRTUAL TABLE IF NOT EXISTS _search USING fts5(
             name, email, phone, other,
             content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
         CREATE VIRTUAL TABLE IF NOT EXISTS _search_words USING fts5vocab('_search', 'row');",
    )
}

/// Brings the index of these objects up to date.
pub(super) fn refresh<'a>(core: &Core, objects: impl Iterator<Item = &'a ObjectDef>) -> Result<()> {
    let objects: Vec<_> = objects.map(|object| (object, fields(object))).collect();
    let stale = core.snapshot(|connection| stale(connection, &objects))?;
    if stale.is_empty() {
        return Ok(());
    }
    core.store().write(|connection| {
        for (object, fields) in objects.iter().filter(|(object, _)| stale.contains(&*object.name)) {
            if known_fields(connection, object)?.as_ref() != Some(fields) {
                watch(connection, object, fields)?;
            }
            bring_up_to_date(connection, object)?;
        }
        Ok::<_, CoreError>(())
    })
}

/// The names of the objects that are not indexed, or in which rows have changed since.
fn stale(connection: &Connection, objects: &[(&ObjectDef, String)]) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    let mut changed = connection.prepare_cached("SELECT 1 FROM _search_stale WHERE object = ?1 LIMIT 1")?;
    for (object, fields) in objects {
        if known_fields(connection, object)?.as_ref() != Some(fields) || changed.exists([&*object.name])? {
            found.insert(object.name.to_string());
        }
    }
    Ok(found)
}

fn known_fields(connection: &Connection, object: &ObjectDef) -> rusqlite::Result<Option<String>> {
    let mut known = connection.prepare_cached("SELECT fields FROM _search_objects WHERE object = ?1")?;
    known.query_row([&*object.name], |row| row.get(0)).optional()
}

/// Which fields are indexed, as a text that changes when they do.
fn fields(object: &ObjectDef) -> String {
    let fields = object.columns().filter_map(|field| Some(format!("{}:{}", field.name, column_of(field)?)));
    fields.collect::<Vec<_>>().join(",")
}

/// The column of the index that a field belongs to.
fn column_of(field: &FieldDef) -> Option<&'static str> {
    match field.field_type {
        FieldType::String | FieldType::TextArea if field.flags.name_field => Some("name"),
        FieldType::Email => Some("email"),
        FieldType::Phone => Some("phone"),
        FieldType::String | FieldType::TextArea | FieldType::Url => Some("other"),
        _ => None,
    }
}

/// Has the changes of an object noted from now on, and all its rows indexed.
fn watch(connection: &Connection, object: &ObjectDef, fields: &str) -> rusqlite::Result<()> {
    let (name, table) = (&object.name, quoted(&object.name));
    let note = |event: &str, row: &str| {
        let trigger = quoted(&format!("{name}.search {}", event.split(' ').next().unwrap_or_default()));
        format!(
            "DROP TRIGGER IF EXISTS {trigger};
             CREATE TRIGGER {trigger} AFTER {event} ON {table} BEGIN
                 INSERT OR IGNORE INTO _search_stale VALUES ('{name}', {row}.\"Id\");
             END;"
        )
    };
    let columns: Vec<_> = object.columns().filter(|f| column_of(f).is_some()).map(|f| quoted(&f.name)).collect();
    let mut script = note("INSERT", "new") + &note("DELETE", "old");
    if !columns.is_empty() {
        script += &note(&format!("UPDATE OF {}", columns.join(", ")), "new");
    }
    connection.execute_batch(&script)?;
    let all = format!("INSERT OR IGNORE INTO _search_stale SELECT ?1, \"Id\" FROM {table}");
    connection.execute(&all, [&**name])?;
    connection.execute("INSERT OR REPLACE INTO _search_objects VALUES (?1, ?2)", [&**name, fields]).map(drop)
}

/// Indexes the rows that are noted as stale, and forgets those that are gone.
fn bring_up_to_date(connection: &Connection, object: &ObjectDef) -> rusqlite::Result<()> {
    let table = quoted(&object.name);
    let texts = ["name", "email", "phone", "other"].map(|column| text_of(object, column)).join(", ");
    let stale = "(SELECT id FROM _search_stale WHERE object = ?1)";
    for sql in [
        format!("DELETE FROM _search WHERE rowid IN (SELECT number FROM _search_rows WHERE id IN {stale})"),
        format!("DELETE FROM _search_rows WHERE id IN {stale} AND id NOT IN (SELECT \"Id\" FROM {table})"),
        format!(
            "INSERT OR IGNORE INTO _search_rows (id, object) SELECT \"Id\", ?1 FROM {table} WHERE \"Id\" IN {stale}"
        ),
        format!(
            "INSERT INTO _search (rowid, name, email, phone, other) SELECT r.number, {texts} FROM _search_stale s \
             JOIN {table} t ON t.\"Id\" = s.id JOIN _search_rows r ON r.id = s.id WHERE s.object = ?1"
        ),
        "DELETE FROM _search_stale WHERE object = ?1".to_owned(),
    ] {
        connection.prepare_cached(&sql)?.execute([&*object.name])?;
    }
    Ok(())
}

/// The texts of the fields that belong to a column of the index, one behind the other.
fn text_of(object: &ObjectDef, column: &str) -> String {
    let fields = object.columns().filter(|field| column_of(field) == Some(column));
    let texts: Vec<_> = fields.map(|field| format!("COALESCE(t.{} || '{BETWEEN}', '')", quoted(&field.name))).collect();
    if texts.is_empty() { "''".to_owned() } else { texts.join(" || ") }
}

/// The objects with rows in which a full-text query finds something.
pub(super) fn objects_with(connection: &Connection, text: &str) -> Result<HashSet<String>> {
    let sql = "SELECT DISTINCT r.object FROM _search s JOIN _search_rows r ON r.number = s.rowid \
               WHERE s._search MATCH ?1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_map([text], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The rows of an object that a full-text query finds, as `id` and `rank`; given the places of the two parameters.
pub(super) fn hits([text, object]: [&str; 2]) -> String {
    format!(
        "SELECT r.id AS id, s.rank AS rank FROM _search s JOIN _search_rows r ON r.number = s.rowid \
         WHERE s._search MATCH {text} AND r.object = {object}"
    )
}

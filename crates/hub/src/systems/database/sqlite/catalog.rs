//! What SQLite's schema says of a table.

use super::super::{
    dialect::{Dialect, Sql},
    fault::Fault,
    session::{Fetched, Session},
    table::{Column, Constraint, Table},
    value::Form,
};
use crate::systems::system::{Field, FieldKind, Permissions};

pub(in super::super) async fn tables(session: &mut Session) -> Result<Vec<String>, Fault> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               AND name NOT LIKE 'tombolo\\_%' ESCAPE '\\' ORDER BY name";
    session.fetch(Sql::new(Dialect::Sqlite, sql)).await?.iter().map(|row| row.required(0)).collect()
}

pub(in super::super) async fn table(session: &mut Session, name: &str) -> Result<Option<Table>, Fault> {
    let mut ask = async |text: &str, name: &str| {
        let mut sql = Sql::new(Dialect::Sqlite, text);
        sql.params = vec![name.into()];
        session.fetch(sql).await
    };
    let text = "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE";
    let rows = ask(text, name).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (canonical, is_table) = (row.required(0)?, row.required(1)? == "table");
    let definition = row.text(2)?.unwrap_or_default().to_uppercase();
    let columns = ask(
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1",
        &canonical,
    )
    .await?;
    let indexes = ask(
        "SELECT l.name, json_group_array(i.name) FROM pragma_index_list(?) l, pragma_index_info(l.name) i \
         WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name ORDER BY l.seq",
        &canonical,
    )
    .await?;
    let parents = ask("SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?)", &canonical).await?;
    let mut table = Table {
        dialect: Dialect::Sqlite,
        sql: Dialect::Sqlite.quoted(&canonical),
        canonical,
        columns: columns.iter().map(column).collect::<Result<_, _>>()?,
        primary: primary(&columns)?,
        constraints: Vec::new(),
        objections: Vec::new(),
        may: Permissions { create: is_table, update: is_table, delete: is_table },
    };
    draw_rowid(&mut table, &definition);
    for row in &indexes {
        let columns: Vec<String> = serde_json::from_str(&row.required(1)?).unwrap_or_default();
        constrain(&mut table, row.required(0)?, columns);
    }
    if !table.primary.is_empty() {
        let columns = table.primary.clone();
        constrain(&mut table, "PRIMARY KEY".to_owned(), columns);
    }
    for row in &parents {
        let (from, parent) = (row.required(0)?, row.required(1)?);
        if let Some(column) = table.columns.iter_mut().find(|column| column.field.name == from) {
            column.field.references.push(parent);
        }
    }
    if !is_table {
        table.objections.push("it is a view: its changes are not seen".to_owned());
    }
    if table.primary.is_empty() {
        table.objections.push("it has no primary key: name a unique column with `key`".to_owned());
    }
    Ok(Some(table))
}

fn primary(rows: &[Fetched]) -> Result<Vec<String>, Fault> {
    let mut places = Vec::new();
    for row in rows {
        if row.int(4)? > 0 {
            places.push((row.int(4)?, row.required(0)?));
        }
    }
    places.sort_unstable();
    Ok(places.into_iter().map(|(_, name)| name).collect())
}

/// An INTEGER PRIMARY KEY is the rowid, which SQLite draws.
fn draw_rowid(table: &mut Table, definition: &str) {
    let [only] = table.primary.as_slice() else { return };
    let without = definition.contains("WITHOUT ROWID");
    if let Some(column) = table.columns.iter_mut().find(|column| column.field.name == *only) {
        column.drawn = column.field.type_name.eq_ignore_ascii_case("INTEGER") && !without;
    }
}

fn constrain(table: &mut Table, name: String, columns: Vec<String>) {
    if let [only] = columns.as_slice()
        && let Some(column) = table.columns.iter_mut().find(|column| column.field.name == *only)
    {
        column.field.unique = true;
    }
    table.constraints.push(Constraint { name, columns, unique: true });
}

fn column(row: &Fetched) -> Result<Column, Fault> {
    let type_name = row.text(1)?.unwrap_or_default();
    let (kind, form) = form(&type_name.to_uppercase());
    // 2 and 3: generated, virtual and stored.
    let calculated = row.int(5)? >= 2;
    let writable = !calculated && kind != FieldKind::Other;
    let field = Field {
        name: row.required(0)?,
        kind,
        type_name,
        nullable: !row.flag(2)?,
        defaulted: row.flag(3)?,
        createable: writable,
        updateable: writable,
        unique: false,
        external_id: false,
        references: Vec::new(),
        relationship: None,
        picklist: None,
        calculated,
    };
    Ok(Column { field, form, cast: None, drawn: false })
}

/// By the declared type's name, as SQLite itself goes by parts of it. Lengths and scales bind nothing.
fn form(name: &str) -> (FieldKind, Form) {
    let has = |part: &str| name.contains(part);
    if has("BOOL") {
        (FieldKind::Boolean, Form::Boolean)
    } else if has("INT") {
        (FieldKind::Integer, Form::Integer)
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("UUID") || has("JSON") || name.is_empty() || has("ANY") {
        (FieldKind::Text(None), Form::Text)
    } else if has("BLOB") {
        (FieldKind::Other, Form::Opaque)
    } else if has("DATETIME") || has("TIMESTAMP") {
        (FieldKind::DateTime(3), Form::DateTime(3))
    } else if has("DATE") {
        (FieldKind::Date, Form::Date)
    } else if has("TIME") {
        (FieldKind::Time, Form::Time(3))
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        (FieldKind::Decimal(None), Form::Decimal)
    } else {
        (FieldKind::Decimal(scale(name)), Form::Decimal)
    }
}

/// `DECIMAL(10, 2)` has two; without any it is floating.
fn scale(name: &str) -> Option<u8> {
    let inside = name.split_once('(')?.1.trim_end_matches(')');
    inside.split_once(',').map_or(Some(0), |(_, scale)| scale.trim().parse().ok())
}

//! What MySQL's information schema says of a table.

use super::super::{
    dialect::{Dialect, Sql},
    fault::Fault,
    session::{Fetched, Session},
    table::{Column, Constraint, Table},
    value::Form,
};
use crate::systems::system::{Field, FieldKind, Permissions};

const COLUMNS: &str = "SELECT column_name, data_type, column_type, CAST(is_nullable = 'YES' AS SIGNED), \
     CAST((column_default IS NOT NULL AND column_default <> 'NULL') OR extra LIKE '%auto_increment%' AS SIGNED), extra, \
     CAST(character_maximum_length AS SIGNED), CAST(numeric_scale AS SIGNED), \
     CAST(datetime_precision AS SIGNED), CAST(coalesce(generation_expression, '') <> '' AS SIGNED) \
     FROM information_schema.columns WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position";

const INDEXES: &str = "SELECT index_name, CAST(GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR '\\n') AS CHAR) \
     FROM information_schema.statistics WHERE table_schema = database() AND table_name = ? AND non_unique = 0 \
     GROUP BY index_name";

const PARENTS: &str = "SELECT k.column_name, k.referenced_table_name, k.constraint_name, r.delete_rule, r.update_rule \
     FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
     ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name \
     AND r.table_name = k.table_name \
     WHERE k.table_schema = database() AND k.table_name = ? AND k.referenced_table_name IS NOT NULL";

/// What a server with a binary log asks of those who make triggers.
const TRIGGERS: &str = "SELECT CAST(@@log_bin AND NOT @@log_bin_trust_function_creators AS SIGNED)";

pub(in super::super) async fn tables(session: &mut Session) -> Result<Vec<String>, Fault> {
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = database() \
               AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'tombolo\\_%' ORDER BY table_name";
    session.fetch(Sql::new(Dialect::MySql, sql)).await?.iter().map(|row| row.required(0)).collect()
}

pub(in super::super) async fn table(session: &mut Session, name: &str) -> Result<Option<Table>, Fault> {
    let mut ask = async |text: &str, name: &str| {
        let mut sql = Sql::new(Dialect::MySql, text);
        sql.params = vec![name.into()];
        session.fetch(sql).await
    };
    let text = "SELECT table_name, table_type, engine FROM information_schema.tables \
                WHERE table_schema = database() AND table_name = ?";
    let rows = ask(text, name).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let canonical = row.required(0)?;
    let is_table = row.required(1)? == "BASE TABLE";
    let engine = row.text(2)?.unwrap_or_default();
    let columns = ask(COLUMNS, &canonical).await?;
    let (indexes, parents) = (ask(INDEXES, &canonical).await?, ask(PARENTS, &canonical).await?);
    let mut table = Table {
        dialect: Dialect::MySql,
        sql: Dialect::MySql.quoted(&canonical),
        canonical,
        columns: columns.iter().map(column).collect::<Result<_, _>>()?,
        primary: Vec::new(),
        constraints: Vec::new(),
        objections: Vec::new(),
        may: Permissions { create: is_table, update: is_table, delete: is_table },
    };
    for row in &indexes {
        constrain(&mut table, row.required(0)?, &row.required(1)?);
    }
    for row in &parents {
        refer(&mut table, row)?;
    }
    if !is_table {
        table.objections.push("it is a view: its changes are not seen".to_owned());
    } else if !engine.eq_ignore_ascii_case("InnoDB") {
        table.objections.push(format!("its engine {engine} has no transactions: convert it to InnoDB"));
    }
    if table.primary.is_empty() {
        table.objections.push("it has no primary key: name a unique column with `key`".to_owned());
    }
    object_to_binary_log(session, &mut table).await?;
    Ok(Some(table))
}

fn constrain(table: &mut Table, name: String, columns: &str) {
    let columns: Vec<String> = columns.split('\n').map(str::to_owned).collect();
    if let [only] = columns.as_slice()
        && let Some(column) = table.columns.iter_mut().find(|column| column.field.name == *only)
    {
        column.field.unique = true;
    }
    if name == "PRIMARY" {
        table.primary.clone_from(&columns);
    }
    table.constraints.push(Constraint { name, columns, unique: true });
}

/// Rows that a foreign key deletes or sets fire no triggers.
fn refer(table: &mut Table, row: &Fetched) -> Result<(), Fault> {
    let (from, parent, name) = (row.required(0)?, row.required(1)?, row.required(2)?);
    let changes = |rule: &str| matches!(rule, "CASCADE" | "SET NULL" | "SET DEFAULT");
    for (rule, what) in [(row.required(3)?, "DELETE"), (row.required(4)?, "UPDATE")] {
        if changes(&rule) {
            table.objections.push(format!(
                "its foreign key {name} does ON {what} {rule}: MySQL and MariaDB fire no trigger for that, so such \
                 changes are only found by a scrub; use RESTRICT, or map {parent} and its deletes instead"
            ));
        }
    }
    if let Some(column) = table.columns.iter_mut().find(|column| column.field.name == from) {
        column.field.references.push(parent);
    }
    table.constraints.push(Constraint { name, columns: vec![from], unique: false });
    Ok(())
}

async fn object_to_binary_log(session: &mut Session, table: &mut Table) -> Result<(), Fault> {
    if session.number(Sql::new(Dialect::MySql, TRIGGERS)).await? == 0 {
        return Ok(());
    }
    let grants = session.fetch(Sql::new(Dialect::MySql, "SHOW GRANTS")).await?;
    for row in &grants {
        let grant = row.text(0)?.unwrap_or_default();
        let global = grant.contains(" ON *.*");
        if global && ["ALL PRIVILEGES", "SUPER", "BINLOG ADMIN"].iter().any(|right| grant.contains(right)) {
            return Ok(());
        }
    }
    table.objections.push(
        "the server keeps a binary log and lets only administrators make triggers: \
         SET GLOBAL log_bin_trust_function_creators = 1"
            .to_owned(),
    );
    Ok(())
}

fn column(row: &Fetched) -> Result<Column, Fault> {
    let (data_type, type_name) = (row.required(1)?.to_lowercase(), row.required(2)?);
    let extra = row.text(5)?.unwrap_or_default().to_lowercase();
    let generated = row.flag(9)?;
    let length = u32::try_from(row.int(6)?).ok();
    let scale = u8::try_from(row.int(7)?).ok();
    let digits = u8::try_from(row.int(8)?).unwrap_or(0);
    let (kind, form) = form(&data_type, &type_name.to_lowercase(), length, scale, digits);
    let writable = !generated && kind != FieldKind::Other;
    let field = Field {
        name: row.required(0)?,
        kind,
        picklist: matches!(data_type.as_str(), "enum" | "set").then(|| labels(&type_name)),
        type_name,
        nullable: row.flag(3)?,
        defaulted: row.flag(4)?,
        createable: writable,
        updateable: writable,
        unique: false,
        external_id: false,
        references: Vec::new(),
        relationship: None,
        calculated: generated,
    };
    let cast = (form == Form::Bit).then(|| "UNSIGNED".to_owned());
    Ok(Column { field, form, cast, drawn: extra.contains("auto_increment") })
}

fn form(base: &str, whole: &str, length: Option<u32>, scale: Option<u8>, digits: u8) -> (FieldKind, Form) {
    match base {
        "tinyint" if whole.starts_with("tinyint(1)") => (FieldKind::Boolean, Form::Boolean),
        "bit" if whole == "bit(1)" => (FieldKind::Boolean, Form::Bit),
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => (FieldKind::Integer, Form::Integer),
        "decimal" => (FieldKind::Decimal(scale), Form::Decimal),
        "float" | "double" => (FieldKind::Decimal(None), Form::Decimal),
        "char" | "varchar" => (FieldKind::Text(length), Form::Text),
        "tinytext" | "text" | "mediumtext" | "longtext" | "json" | "enum" => (FieldKind::Text(None), Form::Text),
        "set" => (FieldKind::MultiPicklist, Form::Set),
        "date" => (FieldKind::Date, Form::Date),
        "datetime" => (FieldKind::DateTime(digits), Form::DateTime(digits)),
        "timestamp" => (FieldKind::DateTime(digits), Form::Epoch),
        "time" => (FieldKind::Time, Form::Time(digits)),
        "uuid" => (FieldKind::Uuid, Form::Text),
        _ => (FieldKind::Other, Form::Opaque),
    }
}

/// `enum('a','it''s')`
fn labels(type_name: &str) -> Vec<String> {
    let inside = type_name.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let inside = inside.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or_default();
    inside.split("','").map(|label| label.replace("''", "'")).collect()
}

//! What PostgreSQL's catalog says of a table.

use super::super::{
    dialect::{Dialect, Sql},
    fault::Fault,
    session::{Fetched, Session},
    table::{Column, Constraint, Table},
    value::Form,
};
use crate::systems::system::{Field, FieldKind, Permissions};

const COLUMNS: &str = "SELECT a.attname::text, coalesce(b.typname, t.typname)::text, \
     format_type(a.atttypid, a.atttypmod), format_type(coalesce(b.oid, t.oid), NULL), \
     (CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END)::bigint, \
     (CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE 1 END)::bigint, \
     (CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN a.attgenerated <> '' THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%' \
       THEN 1 ELSE 0 END)::bigint, \
     (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_enum e \
       WHERE e.enumtypid = coalesce(b.oid, t.oid)), \
     coalesce(b.typtype, t.typtype)::text \
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
     LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const CONSTRAINTS: &str = "SELECT c.conname::text, (SELECT json_agg(a.attname ORDER BY k.ord)::text \
       FROM unnest(c.conkey) WITH ORDINALITY k(num, ord) \
       JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num), \
     c.contype::text, CASE WHEN c.confrelid <> 0 THEN c.confrelid::regclass::text END \
     FROM pg_constraint c WHERE c.conrelid = $1::bigint::oid AND c.contype IN ('f', 'c') \
     UNION ALL \
     SELECT i.relname::text, (SELECT json_agg(a.attname ORDER BY k.ord)::text \
       FROM unnest(x.indkey::int2[]) WITH ORDINALITY k(num, ord) \
       JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num AND k.ord <= x.indnkeyatts), \
     CASE WHEN x.indisprimary THEN 'p' WHEN x.indpred IS NULL AND x.indexprs IS NULL THEN 'u' ELSE 'x' END, NULL \
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
     WHERE x.indrelid = $1::bigint::oid AND x.indisunique";

const TABLE: &str = "SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, \
     (CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN has_any_column_privilege(c.oid, 'INSERT') THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN has_any_column_privilege(c.oid, 'UPDATE') THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN has_table_privilege(c.oid, 'TRIGGER') THEN 1 ELSE 0 END)::bigint, \
     (CASE WHEN has_database_privilege(current_database(), 'CREATE') \
        OR (to_regnamespace('tombolo') IS NOT NULL AND has_schema_privilege('tombolo', 'CREATE')) \
       THEN 1 ELSE 0 END)::bigint \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.oid = coalesce(to_regclass($1), to_regclass($2)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// The tables that are found without naming their schema, and those of other schemas with it.
pub(in super::super) async fn tables(session: &mut Session) -> Result<Vec<String>, Fault> {
    let sql = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tombolo') \
         AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";
    session.fetch(Sql::new(Dialect::Postgres, sql)).await?.iter().map(|row| row.required(0)).collect()
}

pub(in super::super) async fn table(session: &mut Session, name: &str) -> Result<Option<Table>, Fault> {
    let mut sql = Sql::new(Dialect::Postgres, TABLE);
    sql.params = vec![path(name).as_str().into(), path(&name.to_lowercase()).as_str().into()];
    let rows = session.fetch(sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let oid = row.int(0)?;
    let (schema, relation) = (row.required(1)?, row.required(2)?);
    let mut by_oid = async |text: &str| {
        let mut sql = Sql::new(Dialect::Postgres, text);
        sql.params = vec![oid.into()];
        session.fetch(sql).await
    };
    let columns = by_oid(COLUMNS).await?.iter().map(column).collect::<Result<_, _>>()?;
    let found = by_oid(CONSTRAINTS).await?;
    let dialect = Dialect::Postgres;
    let may = Permissions { create: row.flag(5)?, update: row.flag(6)?, delete: row.flag(7)? };
    let mut table = Table {
        dialect,
        canonical: format!("{schema}.{relation}"),
        sql: format!("{}.{}", dialect.quoted(&schema), dialect.quoted(&relation)),
        columns,
        primary: Vec::new(),
        constraints: Vec::new(),
        objections: objections(row)?,
        may,
    };
    for row in &found {
        constrain(&mut table, row)?;
    }
    if table.primary.is_empty() {
        table.objections.push("it has no primary key: name a unique column with `key`".to_owned());
    }
    Ok(Some(table))
}

/// A name as a person writes it, as `to_regclass` takes it.
fn path(name: &str) -> String {
    let parts: Vec<String> = name.split('.').map(|part| Dialect::Postgres.quoted(part.trim_matches('"'))).collect();
    parts.join(".")
}

fn objections(row: &Fetched) -> Result<Vec<String>, Fault> {
    let mut objections = Vec::new();
    if !matches!(row.required(3)?.as_str(), "r" | "p") {
        objections.push("it is no table: changes of a view or foreign table are not seen".to_owned());
    }
    if !row.flag(4)? {
        objections.push("our user may not read it: GRANT SELECT".to_owned());
    }
    if !row.flag(8)? {
        objections.push("our user may not make triggers on it: GRANT TRIGGER".to_owned());
    }
    if !row.flag(9)? {
        objections.push("our user may not make the schema tombolo: GRANT CREATE ON DATABASE".to_owned());
    }
    Ok(objections)
}

fn constrain(table: &mut Table, row: &Fetched) -> Result<(), Fault> {
    let (name, kind) = (row.required(0)?, row.required(2)?);
    let columns: Vec<String> = row.text(1)?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    match (kind.as_str(), columns.as_slice()) {
        ("f", [only]) => {
            let parent = row.text(3)?;
            if let Some(column) = table.columns.iter_mut().find(|column| column.field.name == *only) {
                column.field.references.extend(parent);
            }
        }
        ("u" | "p", [only]) => {
            if let Some(column) = table.columns.iter_mut().find(|column| column.field.name == *only) {
                column.field.unique = true;
            }
        }
        _ => {}
    }
    if kind == "p" {
        table.primary.clone_from(&columns);
    }
    let unique = matches!(kind.as_str(), "u" | "p");
    table.constraints.push(Constraint { name, columns, unique });
    Ok(())
}

fn column(row: &Fetched) -> Result<Column, Fault> {
    let base = row.required(1)?;
    let (typmod, generated) = (row.int(4)?, row.flag(7)?);
    let labels: Option<Vec<String>> = row.text(9)?.and_then(|json| serde_json::from_str(&json).ok());
    let (kind, form) = if labels.is_some() {
        (FieldKind::Text(None), Form::Text)
    } else if row.required(10)? == "b" {
        form(&base, typmod)
    } else {
        (FieldKind::Other, Form::Opaque)
    };
    // A cast to varchar(n) would cut; the assignment says that it is too long.
    let plain = matches!(base.as_str(), "text" | "varchar" | "bpchar" | "citext" | "name");
    let writable = !generated && kind != FieldKind::Other;
    let field = Field {
        name: row.required(0)?,
        kind,
        type_name: row.required(2)?,
        nullable: row.flag(5)?,
        defaulted: row.flag(6)?,
        createable: writable,
        updateable: writable,
        unique: false,
        external_id: false,
        references: Vec::new(),
        relationship: None,
        picklist: labels,
        calculated: generated,
    };
    let cast = if plain { None } else { Some(row.required(3)?) };
    Ok(Column { field, form, cast, drawn: row.flag(8)? })
}

fn form(base: &str, typmod: i64) -> (FieldKind, Form) {
    let length = u32::try_from(typmod - 4).ok();
    // Of time types: the digits, six if none are given.
    let digits = u8::try_from(typmod).unwrap_or(6);
    match base {
        "text" | "citext" | "name" | "json" | "jsonb" => (FieldKind::Text(None), Form::Text),
        "varchar" | "bpchar" => (FieldKind::Text(length), Form::Text),
        "bool" => (FieldKind::Boolean, Form::Boolean),
        "int2" | "int4" | "int8" => (FieldKind::Integer, Form::Integer),
        "float4" | "float8" => (FieldKind::Decimal(None), Form::Decimal),
        // ((precision << 16) | scale) + 4, the scale in eleven bits.
        "numeric" if typmod >= 4 => (FieldKind::Decimal(u8::try_from((typmod - 4) & 0x7ff).ok()), Form::Decimal),
        "numeric" => (FieldKind::Decimal(None), Form::Decimal),
        "date" => (FieldKind::Date, Form::Date),
        "timestamp" | "timestamptz" => (FieldKind::DateTime(digits), Form::DateTime(digits)),
        "time" => (FieldKind::Time, Form::Time(digits)),
        "uuid" => (FieldKind::Uuid, Form::Text),
        _ => (FieldKind::Other, Form::Opaque),
    }
}

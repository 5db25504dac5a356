//! The triggers by which SQLite tells what happens to a table.
//!
//! SQLite has no error handling in triggers: they write to the outbox as long as it stands.

use super::super::{
    capture::Shape,
    dialect::{Dialect, Sql},
    fault::Fault,
    layout::fingerprint,
    session::Session,
    table::Column,
};

const EVENTS: [&str; 3] = ["insert", "update", "delete"];

fn name(canonical: &str, event: &str) -> String {
    format!("tombolo_{event}_{}", fingerprint(canonical))
}

pub(in super::super) async fn stands(session: &mut Session, shape: &Shape<'_>) -> Result<bool, Fault> {
    let canonical = &shape.table.canonical;
    let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? AND name IN (?, ?, ?)";
    let mut sql = Sql::new(Dialect::Sqlite, sql);
    sql.params = vec![canonical.as_str().into()];
    sql.params.extend(EVENTS.map(|event| name(canonical, event).as_str().into()));
    Ok(session.number(sql).await? == 3)
}

pub(in super::super) fn removal(canonical: &str) -> String {
    EVENTS.map(|event| format!("DROP TRIGGER IF EXISTS {}", name(canonical, event))).join("; ")
}

pub(in super::super) fn definition(shape: &Shape<'_>) -> String {
    let canonical = &shape.table.canonical;
    let trigger = |event: &str, when: &str, body: &str| {
        format!(
            "CREATE TRIGGER {} AFTER {} ON {} FOR EACH ROW {when}BEGIN {body} END",
            name(canonical, event),
            event.to_uppercase(),
            shape.table.sql,
        )
    };
    let dialect = Dialect::Sqlite;
    let changed: Vec<String> = shape
        .columns()
        .map(|column| dialect.distinct(&column.shown(dialect, "OLD."), &column.shown(dialect, "NEW.")))
        .collect();
    let whose = |of: &str| shape.tenant().map(|column| column.shown(dialect, of));
    let same_record = {
        let key = format!("{} = {}", shape.key().shown(dialect, "OLD."), shape.key().shown(dialect, "NEW."));
        match (whose("OLD."), whose("NEW.")) {
            (Some(old), Some(new)) => format!("({key} AND {old} IS {new})"),
            _ => format!("({key})"),
        }
    };
    let parts = [
        removal(canonical),
        trigger("insert", "", &row(shape, 'C', "true")),
        trigger("delete", "", &row(shape, 'D', "true")),
        trigger(
            "update",
            &format!("WHEN {} ", changed.join(" OR ")),
            &format!(
                "{} {} {}",
                row(shape, 'U', &same_record),
                row(shape, 'D', &format!("NOT {same_record}")),
                row(shape, 'C', &format!("NOT {same_record}")),
            ),
        ),
    ];
    parts.join("; ")
}

/// Writes one row of the outbox for each who is told; beyond the cap one without values.
fn row(shape: &Shape<'_>, kind: char, when: &str) -> String {
    let dialect = Dialect::Sqlite;
    let of = if kind == 'D' { "OLD." } else { "NEW." };
    let whose = match shape.tenant() {
        Some(column) => format!(" AND (c.per_tenant = 0 OR c.tenant = {})", column.shown(dialect, of)),
        None => String::new(),
    };
    let full = format!(
        "coalesce((SELECT max(id) FROM tombolo_outbox) - (SELECT min(id) FROM tombolo_outbox) >= {}, 0)",
        shape.cap
    );
    let unless_full = |value: &str| format!("CASE WHEN {full} THEN NULL ELSE {value} END");
    let old = if kind == 'C' { "NULL".to_owned() } else { unless_full(&json(shape, "OLD.")) };
    let new = if kind == 'D' { "NULL".to_owned() } else { unless_full(&json(shape, "NEW.")) };
    format!(
        "INSERT INTO tombolo_outbox \
         (tenant, mapping, entity, kind, record, old_values, new_values, origin, at_us) \
         SELECT c.tenant, c.mapping, c.entity, CASE WHEN {full} THEN 'G' ELSE '{kind}' END, {record}, {old}, {new}, \
         coalesce((SELECT origin FROM tombolo_origin), ''), {clock} \
         FROM tombolo_captures c WHERE c.entity = {entity}{whose} AND {when};",
        record = unless_full(&shape.key().shown(dialect, of)),
        clock = dialect.clock(),
        entity = dialect.literal(&shape.table.canonical),
    )
}

/// An object of column names and texts. Put together by hand, because functions take a hundred arguments at most.
fn json(shape: &Shape<'_>, of: &str) -> String {
    let dialect = Dialect::Sqlite;
    let member = |column: &Column| {
        let name = serde_json::Value::from(column.field.name.as_str()).to_string();
        format!("{} || json_quote({})", dialect.literal(&format!("{name}:")), column.shown(dialect, of))
    };
    let members: Vec<String> = shape.columns().map(member).collect();
    format!("'{{' || {} || '}}'", members.join(" || ',' || "))
}

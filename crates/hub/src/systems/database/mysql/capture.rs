//! The triggers by which MySQL and MariaDB tell what happens to a table.

use super::{
    super::{
        capture::Shape,
        dialect::{Dialect, Sql},
        fault::Fault,
        layout::fingerprint,
        session::Session,
    },
    permits,
};

const EVENTS: [&str; 3] = ["insert", "update", "delete"];

fn name(canonical: &str, event: &str) -> String {
    format!("tombolo_{event}_{}", fingerprint(canonical))
}

pub(in super::super) async fn stands(session: &mut Session, shape: &Shape<'_>) -> Result<bool, Fault> {
    let canonical = &shape.table.canonical;
    let sql = "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = database() \
               AND event_object_table = ? AND trigger_name IN (?, ?, ?)";
    let mut sql = Sql::new(Dialect::MySql, sql);
    sql.params = vec![canonical.as_str().into()];
    sql.params.extend(EVENTS.map(|event| name(canonical, event).as_str().into()));
    Ok(session.number(sql).await? == 3)
}

pub(in super::super) fn removal(canonical: &str) -> String {
    EVENTS.map(|event| format!("DROP TRIGGER IF EXISTS {}", name(canonical, event))).join("; ")
}

/// Nobody writes to the table between the triggers of before and these.
pub(in super::super) fn definition(shape: &Shape<'_>) -> String {
    let canonical = &shape.table.canonical;
    let triggers = EVENTS.map(|event| {
        format!(
            "CREATE TRIGGER {} AFTER {} ON {} FOR EACH ROW {}",
            name(canonical, event),
            event.to_uppercase(),
            shape.table.sql,
            body(shape, event),
        )
    });
    format!("LOCK TABLES {} WRITE; {}; {}; UNLOCK TABLES", shape.table.sql, removal(canonical), triggers.join("; "))
}

/// What goes wrong in it is a gap, or nothing, but never the user's trouble.
///
/// Whatever a trigger reads it locks until the user's transaction ends, at any isolation level. So it never reads the
/// outbox, and rows are written one by one with values that are known. Whether the cap is reached it learns from
/// permits ([`super::permits`]).
fn body(shape: &Shape<'_>, event: &str) -> String {
    let dialect = Dialect::MySql;
    let changed: Vec<String> = shape
        .columns()
        .map(|column| {
            dialect.distinct(&binary(&column.shown(dialect, "OLD.")), &binary(&column.shown(dialect, "NEW.")))
        })
        .collect();
    let (wanted, rows, gaps) = match event {
        "insert" => ("TRUE".to_owned(), told(shape, 'C'), told(shape, 'G')),
        "delete" => ("TRUE".to_owned(), told(shape, 'D'), gone(shape)),
        _ => (
            changed.join(" OR "),
            format!(
                "IF {} THEN {} ELSE {} {} END IF;",
                same_record(shape),
                told(shape, 'U'),
                told(shape, 'D'),
                told(shape, 'C')
            ),
            format!("{} {}", gone(shape), told(shape, 'G')),
        ),
    };
    // A condition that fails skips its whole IF: it is worked out apart.
    format!(
        "BEGIN DECLARE v_at BIGINT; DECLARE v_failed INT DEFAULT 0; DECLARE v_wanted INT DEFAULT 1; \
         DECLARE v_mapping VARCHAR(255); \
         DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET v_failed = 1; \
         SET v_at = {clock}; \
         SET v_wanted = ({wanted}); \
         IF v_wanted AND NOT v_failed THEN {rows} END IF; \
         IF v_failed THEN {gaps} END IF; END",
        clock = dialect.clock(),
    )
}

fn same_record(shape: &Shape<'_>) -> String {
    let columns = [Some(shape.key()), shape.tenant()].into_iter().flatten();
    let same = columns.map(|column| {
        let shown = |of: &str| binary(&column.shown(Dialect::MySql, of));
        format!("{} <=> {}", shown("OLD."), shown("NEW."))
    });
    same.collect::<Vec<_>>().join(" AND ")
}

/// Gaps of whoever the record was.
fn gone(shape: &Shape<'_>) -> String {
    rows(shape, 'G', "OLD.")
}

fn told(shape: &Shape<'_>, kind: char) -> String {
    rows(shape, kind, if kind == 'D' { "OLD." } else { "NEW." })
}

/// A row of the outbox for each who is told.
fn rows(shape: &Shape<'_>, kind: char, of: &str) -> String {
    let dialect = Dialect::MySql;
    let entity = dialect.literal(&shape.table.canonical);
    let null = || "NULL".to_owned();
    let record = if kind == 'G' { null() } else { shape.key().shown(dialect, of) };
    let old = if matches!(kind, 'U' | 'D') { json(shape, "OLD.") } else { null() };
    let new = if matches!(kind, 'U' | 'C') { json(shape, "NEW.") } else { null() };
    let permit = if kind == 'G' {
        String::new()
    } else {
        format!(
            " IF (SELECT COUNT(*) FROM tombolo_permits p WHERE p.stretch = LAST_INSERT_ID() DIV {}) = 0 THEN \
             UPDATE tombolo_outbox SET kind = 'G', record = NULL, old_values = NULL, new_values = NULL \
             WHERE id = LAST_INSERT_ID(); END IF;",
            permits::stretch(shape.cap)
        )
    };
    let row = |tenant: &str, mapping: &str| {
        format!(
            "INSERT INTO tombolo_outbox \
             (tenant, mapping, entity, kind, record, old_values, new_values, origin, at_us) \
             VALUES ({tenant}, {mapping}, {entity}, '{kind}', {record}, {old}, {new}, \
             COALESCE(LEFT(@tombolo_origin, 200), ''), v_at);{permit}"
        )
    };
    let mut rows: Vec<String> =
        shape.told.iter().map(|(tenant, mapping)| row(&dialect.literal(tenant), &dialect.literal(mapping))).collect();
    if let Some(column) = shape.tenant() {
        let tenant = column.shown(dialect, of);
        rows.push(format!(
            "SET v_mapping = (SELECT c.mapping FROM tombolo_captures c WHERE c.entity = {entity} \
             AND c.tenant = {tenant} COLLATE utf8mb4_bin AND c.per_tenant = 1 LIMIT 1); \
             IF v_mapping IS NOT NULL THEN {} END IF;",
            row(&tenant, "v_mapping")
        ));
    }
    rows.join(" ")
}

/// Two texts are the same if their bytes are: a change from `a` to `A` is one.
fn binary(text: &str) -> String {
    format!("CAST({text} AS BINARY)")
}

fn json(shape: &Shape<'_>, of: &str) -> String {
    let dialect = Dialect::MySql;
    let members: Vec<String> = shape
        .columns()
        .map(|column| format!("{}, {}", dialect.literal(&column.field.name), column.shown(dialect, of)))
        .collect();
    format!("JSON_OBJECT({})", members.join(", "))
}

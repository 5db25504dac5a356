//! The trigger by which PostgreSQL tells what happens to a table.

use super::super::{
    capture::{SEEN, Shape, mark},
    dialect::{Dialect, Sql},
    fault::Fault,
    layout::fingerprint,
    session::Session,
};

/// Triggers of one event fire in the order of their names: what another trigger does in turn comes behind.
const ROWS: &str = "!tombolo";
const INSERTED: &str = "!tombolo insert";
const UPDATED: &str = "!tombolo update";
const TRUNCATED: &str = "!tombolo truncate";
const ALL: [&str; 4] = [ROWS, INSERTED, UPDATED, TRUNCATED];

/// Whether the triggers stand, and are not switched off.
pub(in super::super) async fn stands(session: &mut Session, shape: &Shape<'_>) -> Result<bool, Fault> {
    let sql = "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname IN ($3, $4, $5, $6) \
               AND tgenabled <> 'D' AND to_regproc($2) IS NOT NULL";
    let mut sql = Sql::new(Dialect::Postgres, sql);
    sql.params = vec![shape.table.sql.as_str().into(), function(shape).as_str().into()];
    sql.params.extend(ALL.map(Into::into));
    let wanted = if only_listener(shape).is_some() { ALL.len() } else { 2 };
    Ok(usize::try_from(session.number(sql).await?) == Ok(wanted))
}

/// The one tenant that hears of all rows, if there is no other.
fn only_listener<'a>(shape: &'a Shape<'_>) -> Option<&'a str> {
    match shape.told.as_slice() {
        [(tenant, _)] if shape.tenant().is_none() => Some(tenant),
        _ => None,
    }
}

/// The triggers of rows. Where one tenant hears of them, its own writes need not call the function, which costs more
/// than the write itself.
fn row_triggers(shape: &Shape<'_>) -> String {
    let trigger = |name: &str, events: &str, when: &str| {
        format!(
            "CREATE TRIGGER \"{name}\" AFTER {events} ON {} FOR EACH ROW{when} EXECUTE FUNCTION {}();",
            shape.table.sql,
            function(shape)
        )
    };
    let Some(tenant) = only_listener(shape) else { return trigger(ROWS, "INSERT OR UPDATE OR DELETE", "") };
    let dialect = Dialect::Postgres;
    let unseen = format!(
        "pg_trigger_depth() > 0 OR coalesce(current_setting('{SEEN}', true), '') <> {}",
        dialect.literal(&mark(tenant))
    );
    let key = shape.key().quoted(dialect);
    [
        trigger(ROWS, "DELETE", ""),
        trigger(INSERTED, "INSERT", &format!(" WHEN ({unseen})")),
        trigger(UPDATED, "UPDATE", &format!(" WHEN ({unseen} OR OLD.{key} IS DISTINCT FROM NEW.{key})")),
    ]
    .join(" ")
}

pub(in super::super) fn definition(shape: &Shape<'_>) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp SET \"TimeZone\" = 'UTC' SET \"DateStyle\" = 'ISO, YMD' \
         SET extra_float_digits = 1 SET lock_timeout = '250ms' AS $tombolo${body}$tombolo$; \
         REVOKE ALL ON FUNCTION {function}() FROM PUBLIC; \
         {dropped} {rows} \
         CREATE TRIGGER \"{TRUNCATED}\" AFTER TRUNCATE ON {table} \
         FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        function = function(shape),
        table = shape.table.sql,
        dropped = ALL.map(|name| format!("DROP TRIGGER IF EXISTS \"{name}\" ON {};", shape.table.sql)).join(" "),
        rows = row_triggers(shape),
        body = body(shape),
    )
}

/// The triggers go with their function.
pub(in super::super) fn removal(canonical: &str) -> String {
    format!("DROP FUNCTION IF EXISTS tombolo.capture_{}() CASCADE", fingerprint(canonical))
}

fn function(shape: &Shape<'_>) -> String {
    format!("tombolo.capture_{}", fingerprint(&shape.table.canonical))
}

/// What goes wrong in it is a gap, or nothing, but never the user's trouble.
///
/// The oldest row is looked for only where the cap may be reached, by the floor that the hub raises: the index is full of
/// rows that were claimed, and each user's write would walk over all of them until the next vacuum.
const BODY: &str = "
DECLARE
  columns CONSTANT text[] := ARRAY[{names}];
  old_row jsonb; new_row jsonb; newest bigint; oldest bigint; stamp bigint; mark text;
BEGIN
  stamp := {clock};
  IF TG_OP = 'TRUNCATE' THEN
    {every_gap}
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN old_row := jsonb_object(columns, ARRAY[{old}]::text[]); END IF;
  IF TG_OP <> 'DELETE' THEN new_row := jsonb_object(columns, ARRAY[{new}]::text[]); END IF;
  IF old_row IS NOT DISTINCT FROM new_row THEN RETURN NULL; END IF;
  mark := left(coalesce(current_setting('tombolo.origin', true), ''), 200);
  SELECT s.last_value INTO newest FROM tombolo.outbox_id s;
  IF newest - coalesce((SELECT m.value::bigint FROM tombolo.meta m WHERE m.name = 'floor'
      AND m.value::bigint <= newest), 0) >= {cap} THEN
    SELECT o.id INTO oldest FROM tombolo.outbox o ORDER BY o.id LIMIT 1;
    IF newest - oldest >= {cap} THEN
      {own_gap}
      RETURN NULL;
    END IF;
  END IF;
  IF TG_OP = 'UPDATE' AND old_row ->> {key} = new_row ->> {key}
      AND {old_tenant} IS NOT DISTINCT FROM {new_tenant} THEN
    {into} SELECT c.tenant, c.mapping, c.entity, 'U', new_row ->> {key}, old_row, new_row, mark, stamp
      FROM tombolo.captures c WHERE c.entity = {entity} AND (c.per_tenant = 0 OR c.tenant = {new_tenant});
    RETURN NULL;
  END IF;
  IF old_row IS NOT NULL THEN
    {into} SELECT c.tenant, c.mapping, c.entity, 'D', old_row ->> {key}, old_row, NULL, mark, stamp
      FROM tombolo.captures c WHERE c.entity = {entity} AND (c.per_tenant = 0 OR c.tenant = {old_tenant});
  END IF;
  IF new_row IS NOT NULL THEN
    {into} SELECT c.tenant, c.mapping, c.entity, 'C', new_row ->> {key}, NULL, new_row, mark, stamp
      FROM tombolo.captures c WHERE c.entity = {entity} AND (c.per_tenant = 0 OR c.tenant = {new_tenant});
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    {every_gap}
  EXCEPTION WHEN OTHERS THEN
    NULL;
  END;
  RETURN NULL;
END;
";

/// A transaction writes one gap row for an entity and tenant. Its own always: another's may be claimed before this one
/// is committed. The setting is the transaction's, and undone with a savepoint.
const GAP: &str = "
    INSERT INTO tombolo.outbox (tenant, mapping, entity, kind, origin, at_us)
      SELECT c.tenant, c.mapping, c.entity, 'G', '', stamp FROM tombolo.captures c WHERE c.entity = {entity} AND {whose}
      AND strpos(coalesce(current_setting('tombolo.gaps', true), ''), '|' || c.entity || '/' || c.tenant || '|') = 0;
    PERFORM set_config('tombolo.gaps', coalesce(current_setting('tombolo.gaps', true), '')
      || (SELECT coalesce(string_agg('|' || c.entity || '/' || c.tenant || '|', ''), '') FROM tombolo.captures c
      WHERE c.entity = {entity} AND {whose}
      AND strpos(coalesce(current_setting('tombolo.gaps', true), ''), '|' || c.entity || '/' || c.tenant || '|') = 0),
      true);";

const INTO: &str = "INSERT INTO tombolo.outbox
      (tenant, mapping, entity, kind, record, old_values, new_values, origin, at_us)";

fn body(shape: &Shape<'_>) -> String {
    let dialect = Dialect::Postgres;
    let names: Vec<String> = shape.columns().map(|column| dialect.literal(&column.field.name)).collect();
    let values = |of: &str| shape.columns().map(|column| column.shown(dialect, of)).collect::<Vec<_>>().join(", ");
    let (old_tenant, new_tenant) = match shape.tenant() {
        Some(column) => {
            let name = dialect.literal(&column.field.name);
            (format!("old_row ->> {name}"), format!("new_row ->> {name}"))
        }
        None => ("''::text".to_owned(), "''::text".to_owned()),
    };
    let own = format!("(c.per_tenant = 0 OR c.tenant IN ({old_tenant}, {new_tenant}))");
    // Names of columns come last, so that what looks like a place to fill in one stays as it is.
    BODY.replace("{every_gap}", &GAP.replace("{whose}", "true"))
        .replace("{own_gap}", &GAP.replace("{whose}", &own))
        .replace("{into}", INTO)
        .replace("{clock}", dialect.clock())
        .replace("{cap}", &shape.cap.to_string())
        .replace("{old_tenant}", &old_tenant)
        .replace("{new_tenant}", &new_tenant)
        .replace("{entity}", &dialect.literal(&shape.table.canonical))
        .replace("{key}", &dialect.literal(&shape.key().field.name))
        .replace("{old}", &values("OLD."))
        .replace("{new}", &values("NEW."))
        .replace("{names}", &names.join(", "))
}

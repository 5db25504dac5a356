//! The tables of ours in an application's database: marks, epochs, operations, captures, outbox.

use super::{
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    session::Session,
};

/// Every table, in the order in which they are made.
const TABLES: [&str; 5] = ["meta", "epochs", "operations", "captures", "outbox"];

/// The layout that this program knows.
const VERSION: &str = "1";

/// Makes what is missing. An outbox that is made has a new incarnation.
pub(super) async fn make(session: &mut Session) -> Result<(), Fault> {
    let dialect = session.dialect();
    if dialect == Dialect::Postgres {
        // CREATE SCHEMA IF NOT EXISTS wants the right even where the schema is there.
        let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = 'tombolo'";
        if session.number(Sql::new(dialect, sql)).await? == 0 {
            session.script("CREATE SCHEMA tombolo").await?;
        }
    }
    for table in TABLES {
        if !exists(session, table).await? {
            session.script(definition(dialect, table)).await?;
            if table == "outbox" {
                if dialect == Dialect::MySql {
                    // They were for other ids.
                    session.script("DROP TABLE IF EXISTS tombolo_permits").await?;
                }
                draw_incarnation(session).await?;
            }
        }
    }
    if dialect == Dialect::MySql {
        session
            .script("CREATE TABLE IF NOT EXISTS tombolo_permits (stretch BIGINT PRIMARY KEY) ENGINE = InnoDB")
            .await?;
    }
    if dialect == Dialect::Sqlite {
        session
            .script(
                "CREATE TABLE IF NOT EXISTS tombolo_origin (one INTEGER PRIMARY KEY CHECK (one = 1), \
                 origin TEXT NOT NULL); \
                 INSERT OR IGNORE INTO tombolo_origin VALUES (1, '')",
            )
            .await?;
    }
    if mark(session, "identity").await?.is_none() {
        set_mark(session, "identity", &random()).await?;
    }
    if mark(session, "incarnation").await?.is_none() {
        draw_incarnation(session).await?;
    }
    match mark(session, "version").await? {
        None => set_mark(session, "version", VERSION).await,
        Some(version) if version == VERSION => Ok(()),
        Some(version) => {
            let text = format!("the tables of tombolo there have layout {version}, this program knows {VERSION}");
            Err(Fault::new(FaultKind::Other, "LAYOUT", text))
        }
    }
}

pub(super) async fn exists(session: &mut Session, table: &str) -> Result<bool, Fault> {
    let dialect = session.dialect();
    let name = dialect.ours(table);
    let mut sql = match dialect {
        Dialect::Postgres => Sql::new(dialect, "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)"),
        Dialect::MySql => {
            let text = "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() \
                        AND table_name = ?";
            Sql::new(dialect, text)
        }
        Dialect::Sqlite => Sql::new(dialect, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"),
    };
    sql.params = vec![name.as_str().into()];
    Ok(session.number(sql).await? > 0)
}

fn definition(dialect: Dialect, table: &str) -> String {
    let (name, text, wide, whole) = match dialect {
        Dialect::Postgres | Dialect::Sqlite => ("text", "text", "text", "bigint"),
        Dialect::MySql => ("VARCHAR(191)", "VARCHAR(255)", "LONGTEXT", "BIGINT"),
    };
    let columns = match table {
        "meta" => format!("name {name} PRIMARY KEY, value {wide} NOT NULL"),
        "epochs" => format!("shard {whole} PRIMARY KEY, epoch {whole} NOT NULL"),
        "operations" => format!(
            "shard {whole} NOT NULL, id {name} NOT NULL, epoch {whole} NOT NULL, record {text} NOT NULL, \
             token {whole} NOT NULL, at_us {whole} NOT NULL, PRIMARY KEY (shard, id)"
        ),
        "captures" => format!(
            "entity {name} NOT NULL, tenant {name} NOT NULL, mapping {text} NOT NULL, per_tenant {whole} NOT NULL, \
             captured {wide} NOT NULL, PRIMARY KEY (entity, tenant)"
        ),
        _ => {
            let (id, json) = match dialect {
                Dialect::Postgres => ("bigint PRIMARY KEY DEFAULT nextval('tombolo.outbox_id')", "jsonb"),
                Dialect::MySql => ("BIGINT AUTO_INCREMENT PRIMARY KEY", wide),
                Dialect::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", wide),
            };
            format!(
                "id {id}, tenant {name} NOT NULL, mapping {text} NOT NULL, entity {name} NOT NULL, \
                 kind {name} NOT NULL, record {text}, old_values {json}, new_values {json}, \
                 origin {text} NOT NULL, at_us {whole} NOT NULL"
            )
        }
    };
    let ours = dialect.ours(table);
    let made = match dialect {
        Dialect::MySql => {
            format!("CREATE TABLE {ours} ({columns}) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        }
        Dialect::Postgres | Dialect::Sqlite => format!("CREATE TABLE {ours} ({columns})"),
    };
    if table != "outbox" {
        return made;
    }
    let before = if dialect == Dialect::Postgres {
        "DROP SEQUENCE IF EXISTS tombolo.outbox_id; CREATE SEQUENCE tombolo.outbox_id; "
    } else {
        ""
    };
    let indexes = format!(
        "CREATE INDEX tombolo_outbox_tenant ON {ours} (tenant, id); \
         CREATE INDEX tombolo_outbox_record ON {ours} (entity, record)"
    );
    let owned =
        if dialect == Dialect::Postgres { "; ALTER SEQUENCE tombolo.outbox_id OWNED BY tombolo.outbox.id" } else { "" };
    format!("{before}{made}; {indexes}{owned}")
}

pub(super) async fn mark(session: &mut Session, name: &str) -> Result<Option<String>, Fault> {
    let dialect = session.dialect();
    let mut sql = Sql::new(dialect, format!("SELECT value FROM {} WHERE name = ", dialect.ours("meta")));
    sql.bind(name);
    session.fetch(sql).await?.first().map_or(Ok(None), |row| row.text(0))
}

pub(super) async fn set_mark(session: &mut Session, name: &str, value: &str) -> Result<(), Fault> {
    let dialect = session.dialect();
    let meta = dialect.ours("meta");
    let mut sql = Sql::new(dialect, format!("UPDATE {meta} SET value = "));
    sql.bind(value).push(" WHERE name = ").bind(name);
    if session.run(sql).await? == 0 {
        let mut sql = Sql::new(dialect, format!("INSERT INTO {meta} (name, value) VALUES ("));
        sql.bind(name).push(", ").bind(value).push(")");
        session.run(sql).await?;
    }
    Ok(())
}

/// Says that ids of the outbox have nothing to do with those of before. It begins with the time, so that who has no
/// position can tell whether it is newer than what he heard.
pub(super) async fn draw_incarnation(session: &mut Session) -> Result<(), Fault> {
    let dialect = session.dialect();
    let now = session.number(Sql::new(dialect, format!("SELECT {}", dialect.clock()))).await?;
    set_mark(session, "incarnation", &format!("{now}-{}", random())).await
}

fn random() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// Checks that no newer epoch writes, and keeps it so until the transaction ends.
pub(super) async fn check_epoch(session: &mut Session, shard: u64, epoch: u64) -> Result<(), Fault> {
    let dialect = session.dialect();
    let table = dialect.ours("epochs");
    let mut sql = Sql::new(dialect, format!("SELECT epoch FROM {table} WHERE shard = "));
    sql.bind(shard).push(dialect.for_share());
    let rows = session.fetch(sql).await?;
    let known = rows.first().map(|row| row.int(0)).transpose()?.and_then(|known| u64::try_from(known).ok());
    match known {
        Some(known) if known == epoch => Ok(()),
        Some(known) if known > epoch => Err(Fault::fenced()),
        _ => raise_epoch(session, shard, epoch).await,
    }
}

/// Writes the epoch down, unless there is a newer one.
pub(super) async fn raise_epoch(session: &mut Session, shard: u64, epoch: u64) -> Result<(), Fault> {
    let dialect = session.dialect();
    let table = dialect.ours("epochs");
    let mut sql = match dialect {
        Dialect::MySql => Sql::new(dialect, format!("INSERT INTO {table} (shard, epoch) VALUES (")),
        _ => Sql::new(dialect, format!("INSERT INTO {table} AS e (shard, epoch) VALUES (")),
    };
    sql.bind(shard).push(", ").bind(epoch).push(")");
    sql.push(match dialect {
        Dialect::MySql => " ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, VALUES(epoch))",
        Dialect::Postgres => " ON CONFLICT (shard) DO UPDATE SET epoch = greatest(e.epoch, excluded.epoch)",
        Dialect::Sqlite => " ON CONFLICT (shard) DO UPDATE SET epoch = max(e.epoch, excluded.epoch)",
    });
    session.run(sql).await?;
    let mut sql = Sql::new(dialect, format!("SELECT epoch FROM {table} WHERE shard = "));
    sql.bind(shard);
    let known = session.number(sql).await?;
    if u64::try_from(known).is_ok_and(|known| known == epoch) { Ok(()) } else { Err(Fault::fenced()) }
}

/// Removes every table of ours.
pub(super) async fn remove(session: &mut Session) -> Result<(), Fault> {
    let dialect = session.dialect();
    if dialect == Dialect::Postgres {
        return session.script("DROP SCHEMA IF EXISTS tombolo CASCADE").await;
    }
    for table in TABLES.iter().rev().chain(&["origin", "permits"]) {
        session.script(format!("DROP TABLE IF EXISTS {}", dialect.ours(table))).await?;
    }
    Ok(())
}

/// A short name for a table, for what is made for it: names have an end, at 63 characters or so.
pub(super) fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

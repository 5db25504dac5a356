//! The tables of the state, step by step: a step that was released is never changed, a new one is added.

use super::{
    Access, Dialect, SqlState,
    connection::{Connection, Statement},
    failpoints,
};
use crate::{Error, Result};

/// One step.
type Step = &'static [Table];

/// A table as each database spells it: `{number}` is a primary key that counts up, `{key}` a text in an index, `{body}` a
/// long text.
struct Table {
    name: &'static str,
    columns: &'static str,
    primary: &'static str,
    unique: &'static [&'static str],
    /// Name, columns, and which rows, where the database can leave out the others. Behind the shard comes what tells
    /// rows apart best, so that a database that has not counted them yet takes the right index.
    indexes: &'static [(&'static str, &'static str, Rows)],
    /// PostgreSQL: how full its pages are made. Where there is room, a changed row stays on its page and costs no index
    /// anything.
    full: u8,
}

/// Which rows an index holds.
#[derive(Clone, Copy)]
enum Rows {
    All,
    /// These, where the database can leave out the others.
    Only(&'static str),
    /// All, in the order of time in which they came.
    InTime,
}

/// All steps. The number of a layout is how many of them were taken.
const STEPS: [Step; 4] = [&FIRST, &SECOND, &THIRD, &FOURTH];

/// Texts in an index are at most 513 bytes long, times are microseconds since 1970, yes and no are 1 and 0.
const FIRST: [Table; 14] = [
    Table {
        name: "shards",
        columns: "shard {number}, tenant {key} NOT NULL, epoch BIGINT NOT NULL, holder {body}, expires BIGINT, \
                  last_link BIGINT NOT NULL, last_place BIGINT NOT NULL, last_gap BIGINT NOT NULL",
        primary: "",
        unique: &["tenant"],
        indexes: &[],
        full: 100,
    },
    Table {
        // What was ever heard, by what it is known by.
        name: "heard",
        columns: "shard BIGINT NOT NULL, connection {key} NOT NULL, identity {key} NOT NULL, place BIGINT NOT NULL, \
                  at BIGINT NOT NULL",
        primary: "shard, connection, identity",
        unique: &[],
        indexes: &[("heard_at", "shard, at", Rows::InTime)],
        full: 100,
    },
    Table {
        // What of it is not decided.
        name: "journal",
        columns: "shard BIGINT NOT NULL, place BIGINT NOT NULL, heard BIGINT NOT NULL, body {body} NOT NULL",
        primary: "shard, place",
        unique: &[],
        indexes: &[],
        full: 100,
    },
    Table {
        name: "links",
        columns: "shard BIGINT NOT NULL, id BIGINT NOT NULL, mapping BIGINT NOT NULL, left_key {key}, right_key {key}, \
                  left_present BIGINT NOT NULL, right_present BIGINT NOT NULL, left_match {key}, right_match {key}, \
                  half BIGINT, parked_mapping BIGINT, parked_side BIGINT, parked_key {key}, \
                  body {body} NOT NULL",
        primary: "shard, id",
        unique: &["shard, left_key, mapping", "shard, right_key, mapping"],
        indexes: &[
            ("links_left_match", "shard, left_match, mapping", Rows::All),
            ("links_right_match", "shard, right_match, mapping", Rows::All),
            ("links_half", "shard, half, mapping, id", Rows::Only("half IS NOT NULL")),
            ("links_parked", "shard, parked_key, parked_mapping, parked_side", Rows::Only("parked_key IS NOT NULL")),
        ],
        full: 80,
    },
    Table {
        // Links with something under way. A column of theirs would cost all their indexes a change each time.
        name: "active",
        columns: "shard BIGINT NOT NULL, link BIGINT NOT NULL",
        primary: "shard, link",
        unique: &[],
        indexes: &[],
        full: 100,
    },
    Table {
        name: "history",
        columns: "shard BIGINT NOT NULL, link BIGINT NOT NULL, at BIGINT NOT NULL, ordinal BIGINT NOT NULL, \
                  digest BIGINT NOT NULL, body {body} NOT NULL",
        primary: "shard, link, at, ordinal, digest",
        unique: &[],
        indexes: &[("history_at", "shard, at", Rows::InTime)],
        full: 100,
    },
    Table {
        name: "conflicts",
        columns: "shard BIGINT NOT NULL, id {key} NOT NULL, link BIGINT NOT NULL, mapping BIGINT NOT NULL, \
                  at BIGINT NOT NULL, undecided BIGINT NOT NULL, body {body} NOT NULL",
        primary: "shard, id",
        unique: &[],
        indexes: &[("conflicts_at", "shard, undecided, at", Rows::All), ("conflicts_link", "shard, link", Rows::All)],
        full: 100,
    },
    Table {
        name: "dead_letters",
        columns: "shard BIGINT NOT NULL, link BIGINT NOT NULL, side BIGINT NOT NULL, mapping BIGINT NOT NULL, \
                  at BIGINT NOT NULL, body {body} NOT NULL",
        primary: "shard, link, side",
        unique: &[],
        indexes: &[("dead_letters_at", "shard, at", Rows::All)],
        full: 100,
    },
    Table {
        name: "gaps",
        columns: "shard BIGINT NOT NULL, id BIGINT NOT NULL, noticed BIGINT NOT NULL, closed BIGINT, \
                  body {body} NOT NULL",
        primary: "shard, id",
        unique: &[],
        indexes: &[],
        full: 100,
    },
    Table {
        name: "jobs",
        columns: "shard BIGINT NOT NULL, name {key} NOT NULL, body {body} NOT NULL",
        primary: "shard, name",
        unique: &[],
        indexes: &[],
        full: 100,
    },
    Table {
        name: "sources",
        columns: "shard BIGINT NOT NULL, connection {key} NOT NULL, channel {key} NOT NULL, body {body} NOT NULL",
        primary: "shard, connection, channel",
        unique: &[],
        indexes: &[],
        full: 100,
    },
    Table {
        name: "mappings",
        columns: "shard BIGINT NOT NULL, mapping BIGINT NOT NULL, body {body} NOT NULL",
        primary: "shard, mapping",
        unique: &[],
        indexes: &[],
        full: 100,
    },
    Table {
        name: "commands",
        columns: "number {number}, shard BIGINT NOT NULL, asked BIGINT NOT NULL, body {body} NOT NULL",
        primary: "",
        unique: &[],
        indexes: &[("commands_shard", "shard, number", Rows::All)],
        full: 100,
    },
    Table { name: "state", columns: "layout BIGINT NOT NULL", primary: "layout", unique: &[], indexes: &[], full: 100 },
];

/// What all processes together may use of a connection: of no shard.
const SECOND: [Table; 1] = [Table {
    name: "budgets",
    columns: "budget {key} NOT NULL, day {key} NOT NULL, used BIGINT NOT NULL, touched BIGINT NOT NULL",
    primary: "budget, day",
    unique: &[],
    indexes: &[],
    full: 100,
}];

/// Which mappings and lines the numbers in the other tables stand for.
const THIRD: [Table; 1] = [Table {
    name: "shapes",
    columns: "shard BIGINT NOT NULL, body {body} NOT NULL",
    primary: "shard",
    unique: &[],
    indexes: &[],
    full: 100,
}];

/// What connections were told of their allocations.
const FOURTH: [Table; 1] = [Table {
    name: "standings",
    columns: "shard BIGINT NOT NULL, connection {key} NOT NULL, body {body} NOT NULL",
    primary: "shard, connection",
    unique: &[],
    indexes: &[],
    full: 100,
}];

impl SqlState {
    /// Makes or migrates the tables; who only looks on sees whether they are the ones known here.
    pub(super) async fn prepare_all(&self) -> Result<()> {
        if self.beside {
            let layout = self.pool.transaction(Access::Read, async |connection| self.layout(connection).await).await?;
            return match layout {
                0 => Err(Error::usage("there is no state yet").with_hint("it is made by `tombolo up`")),
                layout if layout < STEPS.len() => Err(Error::usage("the state was written by an older tombolo")
                    .with_hint("it is migrated when `tombolo up` starts")),
                layout => known(layout),
            };
        }
        self.pool.transaction(Access::Write, async |connection| self.migrate(connection).await).await
    }

    async fn migrate(&self, connection: &mut Connection) -> Result<()> {
        let dialect = &self.pool.dialect;
        let alone = alone(connection, dialect).await?;
        let done = self.take_steps(connection, dialect).await;
        if alone {
            connection.run(Statement::new("DO RELEASE_LOCK('tombolo state')")).await?;
        }
        done
    }

    async fn take_steps(&self, connection: &mut Connection, dialect: &Dialect) -> Result<()> {
        let from = self.layout(connection).await?;
        known(from)?;
        for (at, step) in STEPS.iter().enumerate().skip(from) {
            for table in *step {
                for sql in dialect.create(table) {
                    connection.run(Statement::new(sql)).await?;
                }
            }
            self.failpoints.reach(failpoints::MIGRATING)?;
            let state = dialect.table("state");
            connection.run(Statement::new(format!("DELETE FROM {state}"))).await?;
            let insert = Statement::new(format!("INSERT INTO {state} (layout) VALUES (?)"));
            connection.run(insert.int(at as i64 + 1)).await?;
        }
        Ok(())
    }

    /// How many steps were taken; 0 where there is no state.
    async fn layout(&self, connection: &mut Connection) -> Result<usize> {
        let dialect = &self.pool.dialect;
        if connection.fetch(dialect.exists("state")).await?.is_empty() {
            return Ok(0);
        }
        let rows = connection.fetch(Statement::new(format!("SELECT layout FROM {}", dialect.table("state")))).await?;
        rows.first().map_or(Ok(0), |row| row.number(0).map(|layout| layout as usize))
    }
}

fn known(layout: usize) -> Result<()> {
    if layout <= STEPS.len() {
        return Ok(());
    }
    let text =
        format!("the state was written by a newer tombolo: its layout is {layout}, and this one knows {}", STEPS.len());
    Err(Error::usage(text).with_hint("update tombolo on this machine"))
}

/// Sees to it that nobody else migrates. On MySQL every statement that makes a table ends its transaction: there a lock
/// by name keeps others out, and a step that was broken off half-way is taken again. True if it has to be given back.
async fn alone(connection: &mut Connection, dialect: &Dialect) -> Result<bool> {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => Ok(false),
        #[cfg(feature = "postgres")]
        Dialect::Postgres { schema } => {
            let sql = "SELECT CAST(1 AS BIGINT) FROM pg_advisory_xact_lock(hashtextextended('tombolo state ' || ?, 0))";
            connection.fetch(Statement::new(sql).text(schema)).await?;
            let sql = "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = ?";
            if connection.fetch(Statement::new(sql).text(schema)).await?.is_empty() {
                let name = super::dialect::quoted(schema);
                connection.run(Statement::new(format!("CREATE SCHEMA {name}"))).await?;
            }
            Ok(false)
        }
        #[cfg(feature = "mysql")]
        Dialect::MySql => {
            let sql = "SELECT CAST(GET_LOCK('tombolo state', 60) AS SIGNED)";
            let rows = connection.fetch(Statement::new(sql)).await?;
            if rows.first().map(|row| row.int(0)).transpose()?.flatten() == Some(1) {
                return Ok(true);
            }
            Err(Error::failed("another process migrates the state").may_pass(true))
        }
    }
}

impl Dialect {
    /// The statements that make a table.
    fn create(&self, table: &Table) -> Vec<String> {
        let mut parts = vec![self.spelled(table.columns)];
        if !table.primary.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", table.primary));
        }
        parts.extend(table.unique.iter().map(|columns| format!("UNIQUE ({columns})")));
        let name = self.table(table.name);
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql => {
                parts.extend(table.indexes.iter().map(|(name, columns, _)| format!("KEY {name} ({columns})")));
                let rest = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4";
                vec![format!("CREATE TABLE IF NOT EXISTS {name} ({}) {rest}", parts.join(", "))]
            }
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => {
                let mut statements =
                    vec![format!("CREATE TABLE {name} ({}){}", parts.join(", "), self.filled(table.full))];
                statements.extend(table.indexes.iter().map(|(index, columns, rows)| {
                    let index = self.index(index);
                    match rows {
                        Rows::All => format!("CREATE INDEX {index} ON {name} ({columns})"),
                        Rows::Only(rows) => format!("CREATE INDEX {index} ON {name} ({columns}) WHERE {rows}"),
                        Rows::InTime => format!("CREATE INDEX {index} ON {name} {}({columns})", self.in_time()),
                    }
                }));
                statements
            }
        }
    }

    fn spelled(&self, columns: &str) -> String {
        let (number, key, body) = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT", "TEXT"),
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => {
                ("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "TEXT COLLATE \"C\"", "TEXT")
            }
            // Bytes are compared as they are: no case folded, no trailing blank left out.
            #[cfg(feature = "mysql")]
            Self::MySql => ("BIGINT AUTO_INCREMENT PRIMARY KEY", "VARBINARY(513)", "LONGTEXT"),
        };
        columns.replace("{number}", number).replace("{key}", key).replace("{body}", body)
    }

    fn filled(&self, full: u8) -> String {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } if full < 100 => format!(" WITH (fillfactor = {full})"),
            _ => String::new(),
        }
    }

    /// The kind of index for rows that come in the order of time: next to nothing to write.
    const fn in_time(&self) -> &'static str {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "USING brin ",
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => "",
        }
    }

    /// Indexes share one space of names in SQLite; in PostgreSQL they lie in their table's schema.
    fn index(&self, name: &str) -> String {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => name.to_owned(),
            #[allow(unreachable_patterns, reason = "depends on the features")]
            _ => format!("tombolo_{name}"),
        }
    }

    /// Whether a table exists.
    fn exists(&self, name: &str) -> Statement {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Statement::new("SELECT name FROM sqlite_master WHERE name = ?").text(self.table(name)),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => Statement::new(
                "SELECT tablename::text FROM pg_catalog.pg_tables WHERE schemaname = ? AND tablename = ?",
            )
            .text(schema)
            .text(name),
            #[cfg(feature = "mysql")]
            Self::MySql => Statement::new(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
            )
            .text(self.table(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_was_released_is_not_changed() {
        for (dialect, released) in [
            #[cfg(feature = "sqlite")]
            (Dialect::Sqlite, include_str!("tests/v1_sqlite.sql")),
            #[cfg(feature = "postgres")]
            (Dialect::Postgres { schema: "SCHEMA".to_owned() }, include_str!("tests/v1_postgres.sql")),
            #[cfg(feature = "mysql")]
            (Dialect::MySql, include_str!("tests/v1_mysql.sql")),
        ] {
            let made: Vec<String> = STEPS[0].iter().flat_map(|table| dialect.create(table)).collect();
            let named = dialect.table("@");
            let (before, after) = named.split_once('@').unwrap();
            assert_eq!(after, "");
            let released: Vec<String> = released
                .split(";\n")
                .filter(|sql| sql.starts_with("CREATE"))
                .map(|sql| sql.replace('@', before))
                .collect();
            assert_eq!(made, released);
        }
    }
}

//! What every outbox promises, whichever the database: nothing missed, nothing in the application's way.

use std::time::Duration;

use futures_util::future::join;
use tokio::time::Instant;
use tombolo_engine::sync::{
    Answer, Canon, MADE_ANEW, NewsKind, Operation, Outcome, Precision, Read, Side, SourceState, Stored,
};

use super::ground::{Kind, SqlGround, table, with};
use crate::systems::{
    conformance::{
        Ear, Ground as _, batch, create, fence, plan, plan_of, ready, ready_for, row, text, value, write, write_one,
    },
    system::{Fence, FieldKind, System as _, Told},
};

const ALL: [Kind; 3] = [Kind::Postgres, Kind::MySql, Kind::Sqlite];
const SERVERS: [Kind; 2] = [Kind::Postgres, Kind::MySql];

async fn on(kinds: &[Kind], test: impl AsyncFn(&SqlGround, Kind)) {
    for kind in kinds {
        with(*kind, async |ground: &SqlGround| test(ground, *kind).await).await;
    }
}

#[tokio::test]
async fn an_id_that_was_drawn_earlier_may_be_committed_later() {
    on(&SERVERS, async |ground, _| {
        let (system, mut ear) = ready(ground).await;
        let mut slow = ground.session().await;
        slow.script("BEGIN; INSERT INTO contacts (name) VALUES ('slow')").await.unwrap();
        ground.insert(&[("name", text("quick"))]).await;
        let quick = ear.news(1).await;
        assert_eq!(value(&quick[0].values, "name"), &text("quick"));
        ear.acknowledge(&*system, &quick).await;
        slow.script("COMMIT").await.unwrap();
        let late = ear.news(1).await;
        assert_eq!(value(&late[0].values, "name"), &text("slow"));
        assert!(late[0].order < quick[0].order);
        ear.acknowledge(&*system, &late).await;
        assert_eq!(ground.waiting().await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_undone_is_not_told() {
    on(&ALL, async |ground, _| {
        let (_system, mut ear) = ready(ground).await;
        ground.app("BEGIN; INSERT INTO contacts (name) VALUES ('undone'); ROLLBACK").await;
        ground.insert(&[("name", text("done"))]).await;
        assert_eq!(value(&ear.news(1).await[0].values, "name"), &text("done"));
    })
    .await;
}

#[tokio::test]
async fn the_application_goes_on_while_nobody_listens() {
    on(&ALL, async |ground, _| {
        let (system, ear) = ready(ground).await;
        drop((system, ear));
        for _ in 0..50 {
            ground.app("INSERT INTO contacts (name) VALUES ('a'), ('b')").await;
        }
        ground.app("UPDATE contacts SET name = 'c' WHERE name = 'b'").await;
        ground.app("DELETE FROM contacts WHERE name = 'c'").await;
        let (system, mut ear) = ready(ground).await;
        let news = ear.news(200).await;
        assert!(news.is_sorted_by_key(|news| news.order));
        ear.acknowledge(&*system, &news).await;
        assert_eq!(ground.waiting().await, 0);
    })
    .await;
}

#[tokio::test]
async fn beyond_the_cap_only_a_gap_is_kept() {
    on(&ALL, async |ground, kind| {
        let system = ground.database(10);
        system.prepare(plan(None)).await.unwrap();
        for number in 0..20 {
            ground.insert(&[("name", text(&format!("n{number}")))]).await;
        }
        ground.app("INSERT INTO contacts (name) VALUES ('many'), ('more'), ('most')").await;
        let gaps =
            format!("SELECT count(*) FROM {} WHERE kind = 'G' AND record IS NULL", ground.dialect.ours("outbox"));
        // One for each transaction where that can be known.
        assert_eq!(ground.number(&gaps).await, if kind == Kind::Postgres { 10 } else { 12 });
        let mut ear = Ear::new(&system, SourceState::default());
        ear.opened().await;
        let news = ear.news(12).await;
        assert!(news[..11].iter().all(|news| news.kind == NewsKind::Create));
        assert_eq!((news[11].kind.clone(), news[11].key.clone()), (NewsKind::Gap, None));
        ear.acknowledge(&system, &news).await;
        assert_eq!(ground.waiting().await, 0);
        ground.insert(&[("name", text("again"))]).await;
        assert_eq!(ear.news(1).await[0].kind, NewsKind::Create);
    })
    .await;
}

#[tokio::test]
async fn a_lost_outbox_is_made_again_and_said_to_be_lost() {
    on(&SERVERS, async |ground, _| {
        let (system, mut ear) = ready(ground).await;
        let key = ground.insert(&[("name", text("one"))]).await;
        let news = ear.news(1).await;
        ground.app(&format!("DROP TABLE {}", ground.dialect.ours("outbox"))).await;
        // Nobody is kept from writing.
        ground.update(&key, &[("name", text("unheard"))]).await;
        ground.insert(&[("name", text("unheard, too"))]).await;
        let lost = ear.told().await;
        assert!(matches!(lost, Told::Lost(_)), "{lost:?}");
        ear.opened().await;
        ground.update(&key, &[("name", text("two"))]).await;
        assert_eq!(value(&ear.news(1).await[0].values, "name"), &text("two"));
        // Ids of before are not taken for ids of now.
        ear.acknowledge(&*system, &news).await;
        assert_eq!(ground.waiting().await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_outbox_that_was_lost_meanwhile_is_noticed() {
    on(&ALL, async |ground, kind| {
        let (system, mut ear) = ready(ground).await;
        ground.insert(&[("name", text("one"))]).await;
        let delivery = ear.delivery().await;
        drop((system, ear));
        let outbox = ground.dialect.ours("outbox");
        match kind {
            // Ids begin anew.
            Kind::Postgres => ground.app(&format!("TRUNCATE {outbox} RESTART IDENTITY")).await,
            _ => ground.app(&format!("DROP TABLE {outbox}")).await,
        }
        let system = ground.handle();
        system.prepare(plan(None)).await.unwrap();
        let state = SourceState { position: delivery.position, ..SourceState::default() };
        let mut ear = Ear::new(&*system, state);
        if kind == Kind::Postgres {
            // One row was told, with id 1; the first of the new ones has it, too, and is not taken for it.
            ground.insert(&[("name", text("two"))]).await;
            ear.opened().await;
            let news = ear.news(1).await;
            assert_eq!(news[0].order, delivery.news[0].order);
            assert_ne!(news[0].identity, delivery.news[0].identity);
            ground.insert(&[("name", text("three"))]).await;
            ear.news(1).await;
            ground.app(&format!("TRUNCATE {outbox} RESTART IDENTITY")).await;
            let lost = ear.told().await;
            assert!(matches!(lost, Told::Lost(_)), "{lost:?}");
            ear.opened().await;
            return;
        }
        let lost = ear.told().await;
        assert!(matches!(lost, Told::Lost(_)), "{lost:?}");
        ear.opened().await;
        // Without a position the age of the outbox tells.
        let long_ago = SourceState { opened: Some(jiff::Timestamp::UNIX_EPOCH), ..SourceState::default() };
        let lost = Ear::new(&*system, long_ago).told().await;
        assert!(matches!(lost, Told::Lost(_)), "{lost:?}");
    })
    .await;
}

#[tokio::test]
async fn what_the_tables_own_triggers_make_of_a_write_is_seen() {
    on(&SERVERS, async |ground, kind| {
        ground
            .app(match kind {
                Kind::Postgres => {
                    "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END'; \
                     CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON contacts \
                     FOR EACH ROW EXECUTE FUNCTION shout()"
                }
                _ => {
                    "CREATE TRIGGER shout BEFORE INSERT ON contacts FOR EACH ROW SET NEW.name = UPPER(NEW.name); \
                     CREATE TRIGGER shout2 BEFORE UPDATE ON contacts FOR EACH ROW SET NEW.name = UPPER(NEW.name)"
                }
            })
            .await;
        let (system, mut ear) = ready(ground).await;
        let made = write_one(&*system, 1, write(create(), &[("name", text("quiet"))], &[], "1.1")).await;
        let Outcome::Done { key, row: Some(shown) } = made else { panic!("{made:?}") };
        assert_eq!(value(&shown.values, "name"), &text("QUIET"));
        assert_eq!(value(&ear.news(1).await[0].values, "name"), &text("QUIET"));
        let set = write(Operation::Update(key), &[("name", text("loud"))], &[("name", text("QUIET"))], "1.2");
        let Outcome::Done { row: Some(shown), .. } = write_one(&*system, 2, set).await else { panic!("not set") };
        assert_eq!(value(&shown.values, "name"), &text("LOUD"));
    })
    .await;
}

#[tokio::test]
async fn a_record_that_gets_another_key_is_deleted_and_made() {
    on(&ALL, async |ground, _| {
        let (_system, mut ear) = ready(ground).await;
        let key = ground.insert(&[("name", text("Lu"))]).await;
        ground.app(&format!("UPDATE contacts SET id = 4711 WHERE id = {key}")).await;
        let news = ear.news(3).await;
        assert_eq!(
            (news[1].kind.clone(), news[1].key.as_deref()),
            (NewsKind::Delete { merged_into: None }, Some(&*key))
        );
        assert_eq!((news[2].kind.clone(), news[2].key.as_deref()), (NewsKind::Create, Some("4711")));
        assert_eq!(value(&news[2].values, "name"), &text("Lu"));
    })
    .await;
}

#[tokio::test]
async fn a_column_or_table_that_is_gone_is_said_to_be_gone() {
    on(&ALL, async |ground, kind| {
        let (system, mut ear) = ready(ground).await;
        let key = ground.insert(&[("name", text("Max")), ("notes", text("n"))]).await;
        ear.news(1).await;
        if kind == Kind::Sqlite {
            // SQLite keeps a column that a trigger names.
            ground.session().await.script("ALTER TABLE contacts DROP COLUMN score").await.unwrap_err();
        } else {
            ground.app("ALTER TABLE contacts DROP COLUMN score").await;
            ground.update(&key, &[("name", text("Maxi"))]).await;
            let writes = vec![
                write(Operation::Update(key.clone()), &[("score", Stored::Double(1.5))], &[], "1.1"),
                write(create(), &[("name", text("other"))], &[], "1.2"),
            ];
            let outcomes = system.write(&batch(1, writes), fence(1)).await;
            let Outcome::Refused(refusal) = &outcomes[0] else { panic!("{outcomes:?}") };
            assert_eq!(
                (refusal.code.as_str(), refusal.fields.as_slice()),
                ("UNDEFINED_COLUMN", ["score".to_owned()].as_slice())
            );
            assert!(matches!(outcomes[1], Outcome::Done { .. }), "{outcomes:?}");
            let shown = row(&*system, &key).await.unwrap();
            assert!(shown.values.iter().all(|(name, _)| name != "score"));
            // What the triggers could not say was a gap, or was said without the column.
            let kinds: Vec<NewsKind> = ear.news(2).await.into_iter().map(|news| news.kind).collect();
            assert!(kinds[0] == NewsKind::Gap || matches!(kinds[0], NewsKind::Update), "{kinds:?}");
        }
        ground.app("DROP TABLE contacts").await;
        let outcome = write_one(&*system, 2, write(create(), &[("name", text("x"))], &[], "1.3")).await;
        let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!((refusal.code.as_str(), refusal.passing), ("UNDEFINED_TABLE", false));
        let answer = system.read(&Read::Keys { mapping: 0, side: Side::Right, after: None }).await;
        let Answer::Failed(refusal) = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.code, "UNDEFINED_TABLE");
    })
    .await;
}

#[tokio::test]
async fn what_a_table_that_was_made_anew_lacks_is_not_said_to_be_deleted() {
    on(&ALL, async |ground, kind| {
        let (system, mut ear) = ready(ground).await;
        let key = ground.insert(&[("name", text("Max"))]).await;
        ear.news(1).await;
        ground.app("DROP TABLE contacts").await;
        ground.app(table(kind)).await;
        let update = write(Operation::Update(key.clone()), &[("name", text("x"))], &[], "1.1");
        let outcome = write_one(&*system, 1, update).await;
        let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.code, "UNDEFINED_TABLE");
        for read in [
            Read::Rows { mapping: 0, side: Side::Right, keys: vec![key] },
            Read::Keys { mapping: 0, side: Side::Right, after: None },
        ] {
            let answer = system.read(&read).await;
            let Answer::Failed(refusal) = answer else { panic!("{answer:?}") };
            assert_eq!(refusal.code, "UNDEFINED_TABLE");
        }
        // The listener looks at once, and from then on it is captured again.
        assert_eq!(ear.told().await, Told::Lost(MADE_ANEW.to_owned()));
        ear.opened().await;
        ground.insert(&[("name", text("new"))]).await;
        assert_eq!(value(&ear.news(1).await[0].values, "name"), &text("new"));
        let answer = system.read(&Read::Keys { mapping: 0, side: Side::Right, after: None }).await;
        assert!(matches!(&answer, Answer::Keys { keys, .. } if keys.len() == 1), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn who_only_looks_makes_nothing() {
    on(&ALL, async |ground, kind| {
        let key = ground.insert(&[("name", text("Max"))]).await;
        let system = ground.handle();
        system.learn(plan(None)).await.unwrap();
        let side = Side::Right;
        let page = system.read(&Read::Page { mapping: 0, side, since: None, after: None }).await;
        let Answer::Rows { rows, next: None, .. } = page else { panic!("{page:?}") };
        assert_eq!((rows.len(), rows[0].key.as_str(), rows[0].order), (1, key.as_str(), None));
        assert_eq!(value(&rows[0].values, "name"), &text("Max"));
        let keys = vec![key.clone(), "77".to_owned()];
        let found = system.read(&Read::Rows { mapping: 0, side, keys }).await;
        assert!(matches!(&found, Answer::Rows { rows, .. } if rows.len() == 1), "{found:?}");
        let listed = system.read(&Read::Keys { mapping: 0, side, after: None }).await;
        assert!(matches!(&listed, Answer::Keys { keys, .. } if *keys == [key]), "{listed:?}");
        ground.app("DROP TABLE contacts").await;
        let gone = system.read(&Read::Page { mapping: 0, side, since: None, after: None }).await;
        assert!(matches!(gone, Answer::Failed(_)), "{gone:?}");
        let ours = match kind {
            Kind::Postgres => "SELECT count(*) FROM pg_namespace WHERE nspname = 'tombolo'",
            Kind::MySql => {
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() \
                 AND table_name LIKE 'tombolo%'"
            }
            Kind::Sqlite => "SELECT count(*) FROM sqlite_master WHERE name LIKE 'tombolo%'",
        };
        assert_eq!(ground.number(ours).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_somebody_holds_is_not_waited_for_beyond_the_lease() {
    on(&SERVERS, async |ground, _| {
        let (system, _ear) = ready(ground).await;
        let key = ground.insert(&[("name", text("held"))]).await;
        let mut other = ground.session().await;
        other.script(format!("BEGIN; UPDATE contacts SET name = 'theirs' WHERE id = {key}")).await.unwrap();
        let set = || write(Operation::Update(key.clone()), &[("name", text("ours"))], &[("name", text("held"))], "1.1");
        let short = Fence { until: Instant::now() + Duration::from_millis(300), ..fence(1) };
        let outcome = system.write(&batch(1, vec![set()]), short).await.remove(0);
        let passing = matches!(&outcome, Outcome::Refused(refusal) if refusal.passing);
        assert!(passing || outcome == Outcome::NotDone(None), "{outcome:?}");
        // Who waits for the other sees what the other wrote.
        let waiting = write_one(&*system, 2, set());
        let (outcome, committed) = join(waiting, other.script("COMMIT")).await;
        committed.unwrap();
        let Outcome::Moved { row: Some(shown), pending } = outcome else { panic!("{outcome:?}") };
        assert_eq!(value(&shown.values, "name"), &text("theirs"));
        assert_eq!(shown.order, pending.last().unwrap().order);
    })
    .await;
}

#[tokio::test]
async fn the_rules_of_the_table_are_told_with_their_fields() {
    on(&ALL, async |ground, kind| {
        let key = if kind == Kind::Sqlite { "INTEGER PRIMARY KEY" } else { "INT PRIMARY KEY" };
        ground.app(&format!("CREATE TABLE parents (id {key})")).await;
        ground
            .app(
                "CREATE TABLE rules (id INT PRIMARY KEY, must VARCHAR(10) NOT NULL, age INT, parent INT, \
                 CONSTRAINT age_check CHECK (age > 0), \
                 CONSTRAINT rules_parent FOREIGN KEY (parent) REFERENCES parents (id))",
            )
            .await;
        let fields = [("must", Canon::Text(Some(10))), ("age", Canon::Integer), ("parent", Canon::Key)];
        let (system, _ear) = ready_for(ground, plan_of(None, "rules", &fields)).await;
        let key = || Operation::Create { key: Some("1".to_owned()), other: "003".to_owned() };
        let cases: [(&str, Stored, bool); 5] = [
            ("must", Stored::Null, true),
            ("age", Stored::Int(-1), kind == Kind::Postgres),
            ("parent", Stored::Int(99), kind != Kind::Sqlite),
            ("age", text("old"), true),
            ("must", text("much too long"), kind != Kind::Sqlite),
        ];
        for (number, (field, bad, named)) in cases.into_iter().enumerate() {
            if kind == Kind::Sqlite && matches!(&bad, Stored::Text(long) if long == "much too long") {
                continue;
            }
            let mut set = vec![("must", text("ok")), ("age", Stored::Int(1))];
            set.retain(|(name, _)| *name != field);
            set.push((field, bad.clone()));
            let outcome = write_one(&*system, 1, write(key(), &set, &[], &format!("{number}.1"))).await;
            let Outcome::Refused(refusal) = outcome else { panic!("{field} = {bad:?}: {outcome:?}") };
            assert!(!refusal.passing && !refusal.message.is_empty(), "{refusal:?}");
            if named {
                assert_eq!(refusal.fields, [field.to_owned()], "{refusal:?}");
            }
        }
        let entity = system.describe("rules").await.unwrap().unwrap();
        let parent = entity.fields.iter().find(|field| field.name == "parent").unwrap();
        assert_eq!(parent.references, ["parents".to_owned()]);
    })
    .await;
}

#[tokio::test]
async fn keys_are_drawn_given_or_made() {
    on(&ALL, async |ground, kind| {
        let (identity, uuid) = match kind {
            Kind::Postgres => {
                ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "uuid PRIMARY KEY DEFAULT gen_random_uuid()")
            }
            Kind::MySql => ("BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY", "CHAR(36) PRIMARY KEY DEFAULT (UUID())"),
            Kind::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT PRIMARY KEY NOT NULL"),
        };
        for (table, key) in [("identities", identity), ("uuids", uuid), ("texts", "VARCHAR(60) PRIMARY KEY")] {
            ground.app(&format!("CREATE TABLE {table} (id {key}, name VARCHAR(20))")).await;
            let plan = plan_of(None, table, &[("name", Canon::Text(Some(20)))]);
            let (system, mut ear) = ready_for(ground, plan).await;
            let made =
                write_one(&*system, 1, write(create(), &[("name", text("a"))], &[], &format!("{table}.1"))).await;
            let Outcome::Done { key, row: Some(_) } = made else { panic!("{table}: {made:?}") };
            assert_eq!(ear.news(1).await[0].key, Some(key.clone()), "{table}");
            let gone =
                write_one(&*system, 2, write(Operation::Delete(key.clone()), &[], &[], &format!("{table}.2"))).await;
            assert!(matches!(gone, Outcome::Done { .. }), "{gone:?}");
            let again = Operation::Create { key: Some(key.clone()), other: "003".to_owned() };
            let made = write_one(&*system, 3, write(again, &[("name", text("b"))], &[], &format!("{table}.3"))).await;
            assert!(matches!(&made, Outcome::Done { key: same, row: Some(_) } if *same == key), "{table}: {made:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_type_keeps_what_it_is_given() {
    on(&ALL, async |ground, kind| {
        let moment = |text: &str| Stored::DateTime(text.parse().unwrap());
        let (day, late) = (moment("2026-03-29T01:30:00Z"), moment("2038-01-01T23:59:59.999999Z"));
        let uuid = text("f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        let micros = Canon::DateTime(Precision::Microsecond);
        let millis = Canon::DateTime(Precision::Millisecond);
        let seconds = Canon::DateTime(Precision::Second);
        let (whole, float) = (Stored::Int(i64::MAX), Stored::Double(0.1 + 0.2));
        let types: Vec<(&str, Canon, Stored)> = match kind {
            Kind::Postgres => vec![
                ("bigint", Canon::Integer, whole),
                ("smallint", Canon::Integer, Stored::Int(-7)),
                ("double precision", Canon::Decimal(18), float),
                ("real", Canon::Decimal(6), Stored::Double(0.1)),
                ("numeric", Canon::Decimal(4), Stored::Double(12.3456)),
                ("numeric(18, 0)", Canon::Decimal(0), Stored::Double(123_456_789_012.0)),
                ("char(5)", Canon::Text(Some(5)), text("ab")),
                ("uuid", Canon::Key, uuid),
                ("timestamp", micros, late.clone()),
                ("timestamptz", micros, late),
                ("timestamp(0)", seconds, day),
                ("mood", Canon::Text(None), text("so so")),
                ("jsonb", Canon::Text(None), text("{\"a\": [1, null]}")),
                ("json", Canon::Text(None), text("{\"a\":1}")),
                ("percent", Canon::Integer, Stored::Int(50)),
            ],
            Kind::MySql => vec![
                ("BIGINT", Canon::Integer, whole),
                ("DOUBLE", Canon::Decimal(18), float),
                ("FLOAT", Canon::Decimal(6), Stored::Double(0.1)),
                ("DECIMAL(18, 0)", Canon::Decimal(0), Stored::Double(123_456_789_012.0)),
                ("BIT(1)", Canon::Boolean, Stored::Boolean(true)),
                ("CHAR(5)", Canon::Text(Some(5)), text("ab")),
                ("VARCHAR(9) CHARACTER SET latin1", Canon::Text(Some(9)), text("Zoë")),
                ("TIMESTAMP(6) NULL", micros, moment("2026-10-25T00:30:00.123456Z")),
                ("TIMESTAMP NULL", seconds, moment("2026-10-25T01:30:00Z")),
                ("DATETIME", seconds, day),
                ("ENUM('so so', 'it''s')", Canon::Text(None), text("it's")),
                ("SET('a', 'b', 'c')", Canon::MultiPicklist, text("a;c")),
                ("LONGTEXT", Canon::Text(None), text(&"long ".repeat(50_000))),
                ("YEAR", Canon::Integer, Stored::Int(1999)),
            ],
            Kind::Sqlite => vec![
                ("BIGINT", Canon::Integer, whole),
                ("REAL", Canon::Decimal(18), float),
                ("NUMERIC", Canon::Decimal(4), Stored::Double(12.3456)),
                ("BOOLEAN", Canon::Boolean, Stored::Boolean(true)),
                ("UUID", Canon::Key, uuid),
                ("TIMESTAMP", millis, moment("2038-01-01T23:59:59.999Z")),
                ("JSON", Canon::Text(None), text("{\"a\": [1, null]}")),
                ("", Canon::Text(None), text("whatever")),
            ],
        };
        if kind == Kind::Postgres {
            ground
                .app("CREATE TYPE mood AS ENUM ('so so', 'good'); CREATE DOMAIN percent AS int CHECK (value <= 100)")
                .await;
        }
        let names: Vec<String> = (0..types.len()).map(|number| format!("c{number}")).collect();
        let columns: Vec<String> =
            names.iter().zip(&types).map(|(name, (sql, _, _))| format!("{name} {sql}")).collect();
        ground.app(&format!("CREATE TABLE kinds (id INTEGER PRIMARY KEY, {})", columns.join(", "))).await;
        let fields: Vec<(&str, Canon)> =
            names.iter().map(String::as_str).zip(types.iter().map(|(_, canon, _)| *canon)).collect();
        let (system, mut ear) = ready_for(ground, plan_of(None, "kinds", &fields)).await;
        let entity = system.describe("kinds").await.unwrap().unwrap();
        assert!(entity.fields.iter().all(|field| field.kind != FieldKind::Other), "{entity:#?}");
        let set: Vec<(&str, Stored)> =
            names.iter().map(String::as_str).zip(types.iter().map(|(_, _, value)| value.clone())).collect();
        let make = Operation::Create { key: Some("1".to_owned()), other: "003".to_owned() };
        let made = write_one(&*system, 1, write(make, &set, &[], "1.1")).await;
        let Outcome::Done { row: Some(shown), .. } = made else { panic!("{made:?}") };
        let told = ear.news(1).await.remove(0);
        for ((name, given), (sql, canon, _)) in set.iter().zip(&types) {
            let stored = value(&shown.values, name);
            assert!(canon.same(stored, given), "{sql}: {given:?} came back as {stored:?}");
            assert_eq!(value(&told.values, name), stored, "{sql}");
        }
        // Whoever changes it in another time zone changes the same moments.
        let zone = match kind {
            Kind::Postgres => "SET TimeZone = 'Europe/Berlin'; SET DateStyle = 'German'; SET extra_float_digits = 0; ",
            Kind::MySql => "SET time_zone = '+02:00'; ",
            Kind::Sqlite => "",
        };
        let first = if kind == Kind::Sqlite { "c0 = 1" } else { "c0 = 1, c1 = NULL" };
        ground.app(&format!("{zone}UPDATE kinds SET {first}")).await;
        let told = ear.news(1).await.remove(0);
        let changed = if kind == Kind::Sqlite { 1 } else { 2 };
        assert_eq!(told.values.len(), changed, "{told:?}");
        ground.app("DELETE FROM kinds").await;
        ear.news(1).await;
        let columns: Vec<String> = names.iter().map(|name| format!("{name} = {name}")).collect();
        let back = Operation::Create { key: Some("1".to_owned()), other: "003".to_owned() };
        let made = write_one(&*system, 2, write(back, &set, &[], "1.2")).await;
        assert!(matches!(made, Outcome::Done { .. }), "{made:?}");
        ear.news(1).await;
        ground.app(&format!("UPDATE kinds SET {}; DELETE FROM kinds", columns.join(", "))).await;
        assert_eq!(ear.news(1).await[0].kind, NewsKind::Delete { merged_into: None });
    })
    .await;
}

//! Many writes at once: told apart, as the database would have them one by one, and not told to ourselves again.

use tombolo_engine::sync::{Key, NewsKind, Operation, Outcome, Read, Side, SourceState, Stored, Write};

use super::ground::{Kind, SqlGround, with};
use crate::systems::{
    conformance::{CONNECTION, Ear, Ground as _, batch, create, fence, plan, text, value, write},
    database::Database,
    system::System as _,
};

const ALL: [Kind; 3] = [Kind::Postgres, Kind::MySql, Kind::Sqlite];
const FORGETTING: [Kind; 2] = [Kind::Postgres, Kind::Sqlite];

async fn on(kinds: &[Kind], test: impl AsyncFn(&SqlGround)) {
    for kind in kinds {
        with(*kind, async |ground: &SqlGround| test(ground).await).await;
    }
}

/// As it runs outside of tests.
async fn plain(ground: &SqlGround) -> (Database, Ear) {
    let system = Database::new(CONNECTION, &ground.url).unwrap();
    system.prepare(plan(None)).await.unwrap();
    let mut ear = Ear::new(&system, SourceState::default());
    ear.opened().await;
    (system, ear)
}

async fn written(system: &Database, number: u64, writes: Vec<Write>) -> Vec<(Key, Option<Stored>)> {
    let outcomes = system.write(&batch(number, writes), fence(1)).await;
    let shown = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Done { key, row } => (key, row.map(|row| value(&row.values, "name").clone())),
        other => panic!("{other:?}"),
    });
    shown.collect()
}

fn makes(count: usize) -> Vec<Write> {
    let one = |number: usize| {
        let (name, email) = (format!("n{number}"), format!("{number}@example.com"));
        // Some have columns that others do not have.
        let set = [("name", text(&name)), ("email", text(&email))];
        write(create(), if number.is_multiple_of(3) { &set[..1] } else { &set }, &[], &format!("{number}.1"))
    };
    (0..count).map(one).collect()
}

async fn names_stand(ground: &SqlGround, system: &Database, made: &[(Key, Option<Stored>)], name: &str) {
    for (number, (_, shown)) in made.iter().enumerate() {
        assert_eq!(*shown, Some(text(&format!("{name}{number}"))), "{}", ground.url);
    }
    let keys = made.iter().map(|(key, _)| key.clone()).collect();
    let read = Read::Rows { mapping: 0, side: Side::Right, keys };
    let tombolo_engine::sync::Answer::Rows { rows, .. } = system.read(&read).await else { panic!("not read") };
    assert_eq!(rows.len(), made.len());
    for (number, (key, _)) in made.iter().enumerate() {
        let row = rows.iter().find(|row| row.key == *key).unwrap();
        assert_eq!(value(&row.values, "name"), &text(&format!("{name}{number}")), "{}", ground.url);
    }
}

#[tokio::test]
async fn each_record_gets_its_own_key_and_values() {
    on(&ALL, async |ground| {
        let (system, _ear) = plain(ground).await;
        let made = written(&system, 1, makes(150)).await;
        names_stand(ground, &system, &made, "n").await;
        let sets = made.iter().enumerate().map(|(number, (key, _))| {
            let (old, new, active) = (format!("n{number}"), format!("m{number}"), Stored::Boolean(number > 70));
            let set = [("name", text(&new)), ("active", active)];
            let set = if number.is_multiple_of(2) { &set[..1] } else { &set };
            write(Operation::Update(key.clone()), set, &[("name", text(&old))], &format!("{number}.2"))
        });
        let set = written(&system, 2, sets.collect()).await;
        assert_eq!(
            made.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            set.iter().map(|(key, _)| key).collect::<Vec<_>>()
        );
        names_stand(ground, &system, &set, "m").await;
        assert_eq!(ground.number("SELECT count(*) FROM contacts WHERE active IS NOT NULL").await, 75);
        let gone = made.iter().enumerate().map(|(number, (key, _))| {
            write(Operation::Delete(key.clone()), &[], &[("name", text(&format!("m{number}")))], &format!("{number}.3"))
        });
        written(&system, 3, gone.collect()).await;
        assert_eq!(ground.number("SELECT count(*) FROM contacts").await, 0);
    })
    .await;
}

#[tokio::test]
async fn rows_that_a_trigger_makes_different_are_made_one_by_one() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        ground
            .app(
                "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN NEW.name := upper(NEW.name); NEW.id := 1000000 - NEW.id; RETURN NEW; END'; \
                 CREATE TRIGGER shout BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION shout()",
            )
            .await;
        let (system, _ear) = plain(ground).await;
        for number in 1..=2 {
            let names =
                (0..20).map(|n| write(create(), &[("name", text(&format!("n{n}")))], &[], &format!("{number}.{n}")));
            let made = written(&system, number, names.collect()).await;
            names_stand(ground, &system, &made, "N").await;
        }
        assert_eq!(ground.number("SELECT count(*) FROM contacts").await, 40);
    })
    .await;
}

#[tokio::test]
async fn what_we_wrote_and_read_back_is_not_told_again() {
    on(&FORGETTING, async |ground| {
        let (system, mut ear) = plain(ground).await;
        let made = written(&system, 1, makes(20)).await;
        assert_eq!(ground.waiting().await, 0);
        let (key, _) = &made[0];
        ground.update(key, &[("name", text("theirs"))]).await;
        let told = ear.news(1).await;
        assert_eq!((told[0].key.as_ref(), told[0].origin), (Some(key), None));
        // It is not forgotten with what is written over it.
        let expect = [("name", text("theirs"))];
        let set = write(Operation::Update(key.clone()), &[("name", text("ours"))], &expect, "0.2");
        written(&system, 2, vec![set]).await;
        assert_eq!(ground.waiting().await, 1);
        ear.acknowledge(&system, &told).await;
        assert_eq!(ground.waiting().await, 0);
        let gone = write(Operation::Delete(key.clone()), &[], &[("name", text("ours"))], "0.3");
        written(&system, 3, vec![gone]).await;
        assert_eq!(ear.news(1).await[0].kind, NewsKind::Delete { merged_into: None });
    })
    .await;
}

#[tokio::test]
async fn what_we_wrote_stands_behind_what_was_told_before() {
    on(&FORGETTING, async |ground| {
        let (system, mut ear) = plain(ground).await;
        let made = written(&system, 1, makes(1)).await;
        let (key, _) = &made[0];
        ground.update(key, &[("name", text("there"))]).await;
        ground.update(key, &[("name", text("n0"))]).await;
        let told = ear.news(2).await;
        let before = told.iter().filter_map(|news| news.order).max().unwrap();
        ear.acknowledge(&system, &told).await;
        let set = write(Operation::Update(key.clone()), &[("name", text("ours"))], &[("name", text("n0"))], "0.2");
        let outcomes = system.write(&batch(2, vec![set]), fence(1)).await;
        let Outcome::Done { row: Some(row), .. } = &outcomes[0] else { panic!("{outcomes:?}") };
        assert!(row.order.is_some_and(|order| order > before), "{before} {row:?}");
        ground.update(key, &[("name", text("theirs"))]).await;
        assert!(ear.news(1).await[0].order > row.order);
    })
    .await;
}

#[tokio::test]
async fn what_a_trigger_does_to_other_records_is_told() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        ground
            .app(
                "INSERT INTO contacts (name) VALUES ('count'); \
                 CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN UPDATE contacts SET score = coalesce(score, 0) + 1 WHERE name = ''count''; RETURN NULL; END'; \
                 CREATE TRIGGER count_up AFTER INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION count_up()",
            )
            .await;
        let (system, mut ear) = plain(ground).await;
        written(&system, 1, makes(2)).await;
        let told = ear.news(2).await;
        assert!(told.iter().all(|news| news.kind == NewsKind::Update), "{told:#?}");
        assert_eq!(value(&told[1].values, "score"), &Stored::Double(2.0));
    })
    .await;
}

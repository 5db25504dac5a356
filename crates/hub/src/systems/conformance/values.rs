//! Values go in and come back: examples, and any.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Operation, Outcome, Stored, Values, Write};

use super::{FIELDS, Ground, batch, create, fence, ready, text, value, values, write, write_one};

/// `canon(stored(write(x))) = canon(x)`, on creates, on updates, and as it is told.
pub(crate) async fn values_come_back_as_they_were_written(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let moment = |text: &str| Stored::DateTime(text.parse().unwrap());
    let examples: [(&str, Vec<Stored>); 7] = [
        (
            "name",
            vec![text("a"), text("Zoë 🦀 'quoted' \"twice\" \\ back"), text("x".repeat(80).as_str()), text("100%")],
        ),
        ("email", vec![text("null"), text("0"), text("{\"a\": 1}"), text("a\nb\tc")]),
        ("score", vec![Stored::Double(0.1), Stored::Double(-12_345_678.99), Stored::Double(0.0), Stored::Double(2.5)]),
        ("active", vec![Stored::Boolean(true), Stored::Boolean(false)]),
        ("born", vec![Stored::Date("2000-02-29".parse().unwrap()), Stored::Date("1970-01-01".parse().unwrap())]),
        (
            "seen",
            vec![
                moment("2026-03-29T01:30:00.123Z"),
                moment("2026-10-25T01:30:00Z"),
                moment("1999-12-31T23:59:59.999Z"),
            ],
        ),
        ("nap", vec![Stored::Time("23:59:59.999".parse().unwrap()), Stored::Time("00:00:00".parse().unwrap())]),
    ];
    let mut number = 0;
    let key = ground.insert(&[("name", text("start"))]).await;
    ear.news(1).await;
    for (name, list) in examples {
        let canon = FIELDS.iter().find(|(known, _)| *known == name).unwrap().1;
        for example in list.into_iter().chain([Stored::Null]) {
            number += 1;
            let id = format!("{number}.1");
            let set = write(Operation::Update(key.clone()), &[(name, example.clone())], &[], &id);
            let outcome = write_one(&*system, number, set).await;
            let Outcome::Done { row: Some(row), .. } = outcome else { panic!("{name} = {example:?}: {outcome:?}") };
            let stored = value(&row.values, name);
            assert!(canon.same(stored, &example), "{name}: {example:?} came back as {stored:?}");
            let told = ear.news(1).await.remove(0);
            assert_eq!(value(&told.values, name), stored, "{name}");
            // What it shows is what the next write expects.
            let again =
                write(Operation::Update(key.clone()), &[(name, example)], &[(name, stored.clone())], &format!("{id}b"));
            let outcome = write_one(&*system, number, again).await;
            assert!(matches!(outcome, Outcome::Done { .. }), "{name}: {outcome:?}");
        }
    }
}

/// The same for values that nobody thought of.
pub(crate) async fn any_value_comes_back(ground: &dyn Ground) {
    let (system, mut ear) = ready(ground).await;
    let mut random = fastrand::Rng::with_seed(0x70_6d_62);
    let given: Vec<Values> = (0..300).map(|_| values(&any_values(&mut random))).collect();
    let writes = given
        .iter()
        .enumerate()
        .map(|(number, set)| Write { values: set.clone(), ..write(create(), &[], &[], &format!("{number}.1")) });
    let outcomes = system.write(&batch(1, writes.collect()), fence(1)).await;
    let mut shown = BTreeMap::new();
    for (outcome, set) in outcomes.iter().zip(&given) {
        let Outcome::Done { key, row: Some(row) } = outcome else { panic!("{set:?}: {outcome:?}") };
        for (name, canon) in FIELDS {
            let (given, stored) = (value(set, name), value(&row.values, name));
            assert!(canon.same(given, stored), "{name}: {given:?} came back as {stored:?}");
        }
        shown.insert(key.clone(), row.values.clone());
    }
    let mut told = 0;
    while told < given.len() {
        for news in ear.delivery().await.news {
            let row = &shown[news.key.as_ref().unwrap()];
            for (name, _) in FIELDS {
                assert_eq!(value(&news.values, name), value(row, name), "{name}");
            }
            told += 1;
        }
    }
}

fn any_values(random: &mut fastrand::Rng) -> Vec<(&'static str, Stored)> {
    let some = |value: Stored, random: &mut fastrand::Rng| if random.u8(..8) == 0 { Stored::Null } else { value };
    let text = |random: &mut fastrand::Rng| {
        let letters = (0..random.usize(1..60)).map(|_| match random.u8(..4) {
            0 => random.char('\u{1}'..='~'),
            1 => random.char('\u{a1}'..='\u{2fff}'),
            2 => random.char('\u{1f300}'..='\u{1f6ff}'),
            _ => random.alphanumeric(),
        });
        Stored::Text(format!("x{}x", letters.collect::<String>()))
    };
    let (name, email) = (text(random), text(random));
    // As it reads with two decimals, whatever a division would make of it.
    let score = format!("{}.{:02}", random.i64(-9_999_999..=9_999_999), random.u8(..100)).parse().unwrap();
    let millis = random.i64(-2_000_000_000_000..=4_000_000_000_000);
    let seen = jiff::Timestamp::from_millisecond(millis).unwrap();
    let born = jiff::civil::date(random.i16(1900..=2100), random.i8(1..=12), random.i8(1..=28));
    let nap =
        jiff::civil::time(random.i8(0..=23), random.i8(0..=59), random.i8(0..=59), random.i32(0..=999) * 1_000_000);
    vec![
        ("name", some(name, random)),
        // Unique.
        ("email", email),
        ("score", some(Stored::Double(score), random)),
        ("active", some(Stored::Boolean(random.bool()), random)),
        ("born", some(Stored::Date(born), random)),
        ("seen", some(Stored::DateTime(seen), random)),
        ("nap", some(Stored::Time(nap), random)),
    ]
}

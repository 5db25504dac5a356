//! How fast it is: `cargo test --release -p tombolo-hub state::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

const BATCH: u64 = 500;

/// Changes heard, decided with their links written twice and three steps of history each, as the engine does.
async fn changes_a_second(state: &dyn State, batches: u64) -> (f64, f64) {
    let lease = begin(state).await;
    let wide = |id: u64, active: bool| {
        let mut link = Link::new(id, 0, 12);
        link.keys = [Some(key(id)), Some(id.to_string())];
        link.presence = [Presence::Present; 2];
        for field in &mut link.fields {
            field.image = [Some(Stored::from("some text of a usual length")), Some(Stored::from("another text"))];
        }
        LinkRow { matches: [Some(format!("{id}@example.com")), Some(format!("{id}@example.com"))], active, link }
    };
    let (mut commits, mut loads) = (Duration::ZERO, Duration::ZERO);
    for batch in 0..batches {
        let places = batch * BATCH + 1..=(batch + 1) * BATCH;
        // Half of the records are new, half of them were there.
        let ids: Vec<u64> =
            places.clone().map(|place| if place.is_multiple_of(2) { place } else { place.div_ceil(4) * 2 }).collect();
        let began = Instant::now();
        let load = Load { by_key: ids.iter().map(|id| (0, Side::Left, key(*id))).collect(), ..Load::default() };
        state.load(lease.shard, &load).await.unwrap();
        loads += began.elapsed();
        let began = Instant::now();
        let first = Transaction {
            heard: places.clone().map(|place| entry(place, &format!("/data/ContactChangeEvent {place:040}"))).collect(),
            ..Transaction::default()
        };
        state.commit(&lease, &first).await.unwrap();
        let now = batch as i64;
        let second = Transaction {
            decided: places.clone().collect(),
            links: ids.iter().map(|id| wide(*id, true)).collect(),
            history: ids.iter().flat_map(|id| [step(*id, now, "heard"), step(*id, now, "sent")]).collect(),
            ..Transaction::default()
        };
        state.commit(&lease, &second).await.unwrap();
        let third = Transaction {
            links: ids.iter().map(|id| wide(*id, false)).collect(),
            history: ids.iter().map(|id| step(*id, now, "answered")).collect(),
            ..Transaction::default()
        };
        state.commit(&lease, &third).await.unwrap();
        commits += began.elapsed();
    }
    let changes = (batches * BATCH) as f64;
    (changes / commits.as_secs_f64(), changes / loads.as_secs_f64())
}

#[tokio::test]
#[ignore = "measures, and takes a while"]
async fn changes_are_put_away_quickly() {
    for place in TestPlace::all().await {
        let state = place.open().await;
        let batches = std::env::var("TOMBOLO_BATCHES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
        let (written, read) = changes_a_second(&*state, batches).await;
        eprintln!("{}: {written:.0} changes/s put away (of 3 commits), {read:.0} links/s read", place.place());
        place.clean().await;
    }
}

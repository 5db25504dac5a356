//! The mirror against a simulated org: whatever happens on the way, at the end both are equal.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod org;
mod recovery;
mod sync;
mod world;

use jiff::SignedDuration;
use proptest::prelude::*;
use tombolo_engine::mirror::Settings;
use world::{Event, World};

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..30u64, 0..4i64).prop_map(|(number, age)| Event::Upsert { number, age }),
        3 => (0..30u64).prop_map(Event::Delete),
        2 => (0..30u64).prop_map(Event::Undelete),
        1 => (0..30u64).prop_map(Event::Purge),
        1 => (0..30u64).prop_map(Event::HardDelete),
        1 => (0..30u64).prop_map(Event::GapUpdate),
        1 => Just(Event::Overflow),
        1 => Just(Event::Duplicate),
        2 => (0..6_000i64).prop_map(Event::Delay),
        1 => Just(Event::CutStream),
        1 => Just(Event::ExpireReplay),
        2 => any::<bool>().prop_map(|committed| Event::Kill { committed }),
    ]
}

/// A busy stretch on few records, told by a stream that is cut but never loses its position.
fn stream_history() -> impl Strategy<Value = Vec<(u16, Event)>> {
    let told = any_event().prop_filter("the stream tells of it", |event| {
        !matches!(event, Event::ExpireReplay | Event::Overflow | Event::Purge(_))
    });
    let few = told.prop_map(|event| match event {
        Event::Upsert { number, age } => Event::Upsert { number: number % 4, age },
        Event::Delete(number) => Event::Delete(number % 4),
        Event::Undelete(number) => Event::Undelete(number % 4),
        Event::HardDelete(number) => Event::HardDelete(number % 4),
        other => other,
    });
    prop::collection::vec((prop_oneof![0..200u16, 0..2_000u16], few), 0..80)
}

fn history() -> impl Strategy<Value = Vec<(u16, Event)>> {
    prop::collection::vec((0..4_000u16, any_event()), 0..60)
}

/// Polling so seldom that it cannot hide what the stream misses.
fn settings(hidden_by_polls: bool) -> Settings {
    let scrub = SignedDuration::from_secs(if hidden_by_polls { 60 } else { 1_000_000 });
    Settings { batch: 4, scrub, ..Settings::default() }
}

fn run(selected: bool, settings: Settings, before: u64, history: &[(u16, Event)]) -> World {
    let mut world = World::new(selected, settings, before);
    for (wait, event) in history {
        world.run_for(i64::from(*wait));
        world.happen(*event);
    }
    world.come_to_rest();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_selected_entity_ends_equal(before in 0..20u64, history in history()) {
        run(true, settings(false), before, &history).assert_equal();
    }

    #[test]
    fn a_stream_suffices_without_any_poll(before in 0..6u64, history in stream_history()) {
        let mut world = World::new(true, settings(false), before);
        world.run_for(20_000);
        world.happen(Event::Upsert { number: 9, age: 0 });
        world.come_to_rest();
        world.blind_polls = true;
        for (wait, event) in &history {
            world.run_for(i64::from(*wait));
            world.happen(*event);
        }
        world.come_to_rest();
        world.assert_equal();
    }

    #[test]
    fn a_polled_entity_ends_equal(before in 0..20u64, history in history()) {
        run(false, settings(true), before, &history).assert_equal();
    }

    #[test]
    fn without_a_list_of_deletes_lists_are_compared(before in 0..20u64, history in history()) {
        run(false, Settings { lists_deletes: false, ..settings(true) }, before, &history).assert_equal();
    }

    #[test]
    fn runs_of_once_end_equal(before in 0..20u64, first in history(), second in history()) {
        let once = Settings { once: true, ..settings(true) };
        let mut world = World::new(false, once, before);
        for history in [&first, &second, &Vec::new()] {
            for (wait, event) in history {
                world.run_for(i64::from(*wait));
                world.happen(*event);
            }
            // The source's list of deletes ends at a whole minute.
            world.run_for(90_000);
            world.restart();
            world.come_to_rest();
            prop_assert!(world.is_finished());
        }
        world.assert_equal();
    }
}

#[test]
fn hints_on_one_record_cost_one_read() {
    let mut world = World::new(true, settings(false), 1);
    world.run_for(20_000);
    world.happen(Event::Upsert { number: 0, age: 0 });
    world.come_to_rest();
    let reads = world.reads;
    for _ in 0..100 {
        world.happen(Event::Upsert { number: 0, age: 0 });
    }
    world.come_to_rest();
    world.assert_equal();
    assert_eq!(world.reads - reads, 1);
}

#[test]
fn an_expired_position_leaves_a_closed_gap_with_what_was_done() {
    for deletes_forgotten in [false, true] {
        let mut world = World::new(true, settings(false), 9);
        world.run_for(20_000);
        world.happen(Event::Upsert { number: 0, age: 0 });
        world.come_to_rest();
        world.kill();
        world.happen(Event::Upsert { number: 1, age: 0 });
        world.happen(Event::HardDelete(2));
        world.happen(Event::ExpireReplay);
        world.deletes_forgotten = deletes_forgotten;
        world.restart();
        world.come_to_rest();
        world.assert_equal();
        let [closed] = &world.closed[..] else { panic!("one gap, not {:?}", world.closed) };
        assert_eq!((closed.gap.upserted, closed.gap.deleted, &*closed.gap.reason), (1, 1, "expired"));
    }
}

#[test]
fn deletes_that_are_no_longer_listed_are_found_by_comparing() {
    let once = Settings { once: true, ..settings(true) };
    let mut world = World::new(false, once, 9);
    world.come_to_rest();
    world.happen(Event::HardDelete(2));
    world.deletes_forgotten = true;
    world.restart();
    world.come_to_rest();
    world.assert_equal();
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn a_quiet_entity_is_polled_cheaply() {
    let mut world = World::new(false, settings(true), 3);
    world.run_for(60_000);
    let (pages, rows) = (world.pages, world.rows_read);
    world.run_for(600_000);
    assert_eq!(world.rows_read, rows, "no row is read twice in a quiet org");
    assert!(world.pages - pages <= 121, "{} pages in ten minutes", world.pages - pages);
}

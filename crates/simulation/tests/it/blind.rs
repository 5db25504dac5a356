//! The blind overwrite: events are held back for five seconds while both sides edit the same field. Whatever the
//! policy, the right side wins, and a conflict says so.

use std::sync::Arc;

use tombolo_engine::sync::{ConflictKind, Policy, Shard, Side, Stored};
use tombolo_simulation::{
    History, World,
    history::{Act, Before, Deed, Habits},
    judge,
    moment::{MILLI, Micros, SECOND},
    plan::{ACCOUNT, Choices},
};

/// When the edits begin: everything that was there before is on both sides by then.
const START: Micros = 60 * SECOND;

/// The places of pairs in accounts.
const PHONE: usize = 1;
const RANK: usize = 2;

fn edit(at: Micros, side: Side, pair: usize, value: Stored) -> Act {
    Act { at: START + at, side, deed: Deed::Update { soul: 0, values: vec![(pair, value)] } }
}

fn world(policy: Policy, acts: Vec<Act>) -> World<Shard> {
    let values = vec![(0, Stored::from("Acme")), (PHONE, Stored::from("0")), (RANK, Stored::Int(500))];
    let before = Before { soul: 0, mapping: ACCOUNT, sides: [true, false], values: [values, Vec::new()], parent: None };
    let habits = Habits { event_delay: 5 * SECOND, ..Habits::default() };
    let history =
        History { seed: 1, choices: Choices::plain(policy), habits, before: vec![before], acts, faults: Vec::new() };
    let mut world = World::<Shard>::new(Arc::new(history), None, true).with_event_delay(5 * SECOND);
    world.run();
    world
}

/// What both sides show in the end, which has to be the same.
fn shown(world: &World<Shard>, pair: usize) -> Stored {
    let wrong = judge(world);
    let trace = world.trace.as_deref().unwrap_or_default().join("\n");
    assert_eq!(wrong, [], "{trace}");
    let key = world.org.find(0, "Account").expect("the account is there");
    let record = world.org.live(&key).expect("it lives");
    let row = world.database.find(0, "accounts").expect("its row is there");
    let [left, right] = [["Phone", "phone"], ["Rank__c", "rank"]][pair - 1];
    let value = world.org.shows(record, left);
    assert_eq!(value, world.database.shows("accounts", &row, right), "{trace}");
    value
}

/// Both edit the same field, at all distances around the moments at which writes leave, land and are told.
fn both(policy: Policy, pair: usize, left: &Stored, right: &Stored, wins: impl Fn(Micros) -> Option<Side>) {
    for apart in (-7000..=7000).step_by(250) {
        let apart = apart * MILLI;
        let acts = vec![
            edit(8 * SECOND, Side::Left, pair, left.clone()),
            edit(8 * SECOND + apart, Side::Right, pair, right.clone()),
        ];
        let world = world(policy, acts);
        let value = shown(&world, pair);
        let trace = world.trace.as_deref().unwrap_or_default().join("\n");
        let conflicts: Vec<_> = world.store.conflicts.values().collect();
        // Who was told of the other edit before made an ordinary change of it.
        if conflicts.is_empty() {
            let later = if apart > 0 { right } else { left };
            assert!(apart.abs() > 200 * MILLI, "no conflict though {apart} apart\n{trace}");
            assert_eq!(value, *later, "{apart} apart\n{trace}");
            continue;
        }
        assert!(
            conflicts.iter().all(|c| matches!(c.kind, ConflictKind::Edit | ConflictKind::Late)),
            "{conflicts:?}\n{trace}"
        );
        if let Some(side) = wins(apart) {
            assert_eq!(value, if side == Side::Left { left } else { right }.clone(), "{apart} apart\n{trace}");
        }
    }
}

#[test]
fn salesforce_wins() {
    both(Policy::Wins(Side::Left), PHONE, &"1".into(), &"2".into(), |_| Some(Side::Left));
}

#[test]
fn the_application_wins() {
    both(Policy::Wins(Side::Right), PHONE, &"1".into(), &"2".into(), |_| Some(Side::Right));
}

#[test]
fn the_newest_wins_and_the_owner_where_nobody_can_tell() {
    both(Policy::Newest(Side::Right), PHONE, &"1".into(), &"2".into(), |apart| match apart {
        // Salesforce's times have whole seconds.
        apart if apart > 2 * SECOND => Some(Side::Right),
        apart if apart < -2 * SECOND => Some(Side::Left),
        _ => None,
    });
    both(Policy::Newest(Side::Left), PHONE, &"1".into(), &"2".into(), |apart| (apart == 0).then_some(Side::Left));
}

#[test]
fn a_value_is_preferred_to_none() {
    both(Policy::PreferNonBlank(Side::Left), PHONE, &Stored::Null, &"2".into(), |_| Some(Side::Right));
    both(Policy::PreferNonBlank(Side::Right), PHONE, &"1".into(), &Stored::Null, |_| Some(Side::Left));
    both(Policy::PreferNonBlank(Side::Right), PHONE, &"1".into(), &"2".into(), |_| Some(Side::Right));
}

#[test]
fn the_greater_and_the_smaller_one_win() {
    both(Policy::Max, RANK, &Stored::Int(9), &Stored::Int(10), |_| Some(Side::Right));
    both(Policy::Max, RANK, &Stored::Int(11), &Stored::Int(10), |_| Some(Side::Left));
    both(Policy::Min, RANK, &Stored::Int(9), &Stored::Int(10), |_| Some(Side::Left));
    both(Policy::Min, RANK, &Stored::Int(11), &Stored::Int(10), |_| Some(Side::Right));
}

#[test]
fn a_person_decides_and_has_both_values() {
    for apart in [-200, 0, 200] {
        let acts = vec![
            edit(8 * SECOND, Side::Left, PHONE, "1".into()),
            edit(8 * SECOND + apart * MILLI, Side::Right, PHONE, "2".into()),
        ];
        let world = world(Policy::Manual, acts);
        assert_eq!(judge(&world), [], "{}", world.trace.as_deref().unwrap_or_default().join("\n"));
        // What left before the other edit was heard of may have landed: the conflict keeps both values.
        let mut open = world.store.conflicts.values().filter(|conflict| conflict.winner.is_none());
        assert!(open.any(|conflict| conflict.values == [Some("1".into()), Some("2".into())]));
    }
}

#[test]
fn three_edits_are_followed_through() {
    // A second edit of the losing side, made while the repair is on its way, is a change of its own.
    for third in (0..8000).step_by(400) {
        let acts = vec![
            edit(8 * SECOND, Side::Left, PHONE, "1".into()),
            edit(8 * SECOND + 100 * MILLI, Side::Right, PHONE, "2".into()),
            edit(8 * SECOND + 200 * MILLI + third * MILLI, Side::Left, PHONE, "3".into()),
        ];
        let world = world(Policy::Wins(Side::Right), acts);
        shown(&world, PHONE);
    }
}

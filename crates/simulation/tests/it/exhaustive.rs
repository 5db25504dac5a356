//! Small bounds, completely: two systems, a few edits, one crash, every order in which things can happen. What takes
//! minutes is `cargo xtask simulate --exhaustive yes`.

use tombolo_engine::sync::{Mutation, Policy, Shard, Side};
use tombolo_simulation::{Found, Walk, explore, history::Boundary};

const LEFT_WINS: Policy = Policy::Wins(Side::Left);
const RIGHT_WINS: Policy = Policy::Wins(Side::Right);

/// Nothing is wrong in any order. How many worlds there are, and how many ends.
#[expect(clippy::panic, reason = "the failure of a test says what happened")]
fn is_right(walk: &Walk) -> (usize, usize) {
    match explore::<Shard>(walk) {
        Found::Nothing { worlds, ends } => {
            eprintln!("{worlds} worlds, {ends} ends");
            (worlds, ends)
        }
        Found::Wrong { wrong, trace } => panic!("{}\n{wrong:#?}", trace.join("\n")),
        Found::TooMany => panic!("more than {} worlds", walk.most),
    }
}

#[test]
fn every_order_of_two_edits_of_one_field() {
    for policy in [LEFT_WINS, RIGHT_WINS] {
        let (worlds, ends) = is_right(&Walk::of_edits(policy, &[Side::Left, Side::Right], None));
        assert!(worlds > 100 && ends > 1, "{worlds} worlds, {ends} ends");
    }
}

#[test]
fn every_order_of_an_edit_and_a_long_wait() {
    let walk = Walk::of_edits(LEFT_WINS, &[Side::Left], Some(Boundary::AfterSend));
    is_right(&Walk { waits: true, ..walk });
}

#[test]
fn every_order_of_three_edits() {
    let (worlds, ends) = is_right(&Walk::of_edits(RIGHT_WINS, &[Side::Left, Side::Right, Side::Left], None));
    assert!(worlds > 1000 && ends > 1, "{worlds} worlds, {ends} ends");
}

#[test]
fn every_order_of_an_edit_and_a_crash_at_each_boundary() {
    for boundary in Boundary::ALL {
        for side in Side::BOTH {
            is_right(&Walk::of_edits(LEFT_WINS, &[side], Some(boundary)));
        }
    }
}

#[test]
fn every_order_of_two_edits_and_a_crash() {
    let short = [Boundary::BeforeSend, Boundary::BeforeAnswer, Boundary::BeforeAcknowledge, Boundary::AfterAcknowledge];
    for boundary in short {
        is_right(&Walk::of_edits(LEFT_WINS, &[Side::Left, Side::Right], Some(boundary)));
    }
}

#[test]
fn a_fault_put_in_on_purpose_is_found_by_trying_every_order() {
    let walk = Walk::of_edits(LEFT_WINS, &[Side::Left, Side::Right], None);
    let found = explore::<Shard>(&Walk { mutation: Some(Mutation::NoLateConflict), ..walk });
    assert!(matches!(found, Found::Wrong { .. }), "{found:?}");
}

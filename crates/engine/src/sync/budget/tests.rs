use proptest::prelude::*;

use super::*;

const CLASSES: [Class; 4] = [Class::Interactive, Class::Live, Class::Reconcile, Class::Backfill];

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

/// Makes so many calls, asking the ledger for whatever it takes; whether they could all be made.
fn calls(budget: &mut Budget, ledger: &mut Ledger, minute: i64, class: Class, calls: u64) -> bool {
    for _ in 0..calls {
        if !may(budget, ledger, minute, class) {
            return false;
        }
        budget.spend(1);
    }
    true
}

/// Whether one more call may be made, after the ledger was asked if it had to be.
fn may(budget: &mut Budget, ledger: &mut Ledger, minute: i64, class: Class) -> bool {
    if budget.allows(at(minute), class, 1) == Allowance::Ask {
        let ask = budget.reserve(at(minute), class, "crm").unwrap();
        budget.reserved(at(minute), ledger.reserve(&ask));
    }
    budget.allows(at(minute), class, 1) == Allowance::Allowed
}

fn each(budget: &mut Budget, ledger: &mut Ledger, minute: i64) -> [bool; 4] {
    CLASSES.map(|class| may(budget, ledger, minute, class))
}

/// Half of 100,000 calls, a fifth of them in reserve: 50,000 and 10,000.
fn budget() -> Budget {
    let mut budget = Budget::new((50, 20));
    budget.usage(at(0), 0, 100_000);
    budget
}

#[test]
fn the_less_urgent_stops_first() {
    for (used, expected) in [
        (0, [true, true, true, true]),
        (34_900, [true, true, true, true]),
        (35_000, [true, true, true, false]),
        (40_000, [true, true, false, false]),
        (49_000, [true, false, false, false]),
        (50_000, [false, false, false, false]),
    ] {
        let (mut budget, mut ledger) = (budget(), Ledger::default());
        assert!(calls(&mut budget, &mut ledger, 1, Class::Interactive, used));
        assert_eq!(each(&mut budget, &mut ledger, 2), expected, "{used}");
    }
}

#[test]
fn without_a_limit_everything_may_be_asked() {
    let (mut budget, mut ledger) = (Budget::new((50, 20)), Ledger::default());
    assert!(calls(&mut budget, &mut ledger, 0, Class::Backfill, 1_000));
    assert_eq!(each(&mut budget, &mut ledger, 0), [true; 4]);
    assert_eq!(ledger.used(at(0)), 1_010, "and is counted, a block at a time");
}

#[test]
fn what_others_use_is_not_there_for_us() {
    let (mut budget, mut ledger) = (budget(), Ledger::default());
    budget.usage(at(0), 99_500, 100_000);
    assert_eq!(each(&mut budget, &mut ledger, 1), [true, false, false, false]);
    assert_eq!(budget.allows(at(1), Class::Live, 1), Allowance::Wait(at(15)));
    // Nobody tells as long as nobody asks: an old figure is tried out.
    assert_eq!(each(&mut budget, &mut ledger, 15), [true; 4]);
    budget.usage(at(15), 100_000, 100_000);
    assert_eq!(each(&mut budget, &mut ledger, 15), [false; 4]);
}

#[test]
fn a_shard_is_held_to_what_all_of_them_took_and_so_is_the_next_holder() {
    let (mut one, mut other, mut ledger) = (budget(), budget(), Ledger::default());
    assert!(calls(&mut one, &mut ledger, 1, Class::Live, 48_000));
    assert!(!calls(&mut other, &mut ledger, 1, Class::Live, 2_000));
    drop((one, other));
    let mut next = Budget::new((50, 20));
    assert_eq!(each(&mut next, &mut ledger, 2), [true, false, false, false], "before the org told it anything");
}

#[test]
fn what_is_left_is_given_back() {
    let (mut budget, mut ledger) = (budget(), Ledger::default());
    assert!(calls(&mut budget, &mut ledger, 0, Class::Live, 1));
    assert_eq!(ledger.used(at(0)), 100);
    // A quiet shard: the next call is made a good while later.
    budget.usage(at(20), 1, 100_000);
    assert!(calls(&mut budget, &mut ledger, 20, Class::Live, 2));
    assert_eq!(ledger.used(at(20)), 101);
    let back = budget.surrender(at(21), "crm").unwrap();
    assert_eq!(ledger.reserve(&back).used, 3);
    assert_eq!(budget.surrender(at(21), "crm"), None);
}

#[test]
fn calls_that_nobody_asked_for_are_made_good() {
    let (mut budget, mut ledger) = (budget(), Ledger::default());
    assert!(calls(&mut budget, &mut ledger, 0, Class::Live, 1));
    budget.spend(150);
    assert!(calls(&mut budget, &mut ledger, 0, Class::Live, 1));
    assert_eq!(ledger.used(at(0)), 251);
    assert_eq!(budget.left, 99);
}

#[test]
fn the_next_block_is_asked_for_in_time() {
    let (mut budget, mut ledger) = (budget(), Ledger::default());
    assert!(calls(&mut budget, &mut ledger, 0, Class::Live, 70));
    assert!(!budget.runs_low(at(0), Class::Live));
    assert!(calls(&mut budget, &mut ledger, 0, Class::Live, 10));
    assert!(budget.runs_low(at(0), Class::Live));
    let ask = budget.reserve(at(0), Class::Live, "crm").unwrap();
    assert!(!budget.runs_low(at(0), Class::Live), "once");
    assert_eq!(budget.reserve(at(0), Class::Live, "crm"), None);
    budget.waits(at(1));
    assert_eq!(budget.reserved(at(0), ledger.reserve(&ask)), BTreeSet::from([at(1)]));
    assert_eq!((budget.left, ledger.used(at(0))), (120, 200));
}

#[test]
fn changes_are_asked_for_before_the_events_run_out() {
    let mut budget = budget();
    assert!(!budget.should_poll());
    for (used, limit, polls) in [
        (23_000, 25_000, false),
        (23_751, 25_000, true),
        // 12 % are not enough to go back.
        (22_000, 25_000, true),
        (20_000, 25_000, false),
        // An org without events.
        (0, 0, true),
    ] {
        budget.events(at(0), used, limit);
        assert_eq!(budget.should_poll(), polls, "{used} of {limit}");
    }
}

proptest! {
    /// Whatever is asked, by however many shards that die at any time: within a day no more is spent than our share.
    #[test]
    fn the_share_is_kept(steps in prop::collection::vec((0i64..300, 0usize..4, 1u64..300, 0usize..3, 0u8..8), 0..100)) {
        let fresh = || { let mut budget = Budget::new((50, 20)); budget.usage(at(0), 0, 2_000); budget };
        let (mut budgets, mut ledger) = ([fresh(), fresh(), fresh()], Ledger::default());
        let mut spent: Vec<Timestamp> = Vec::new();
        let mut minute = 0;
        for (step, class, calls, who, fate) in steps {
            minute += step;
            for _ in 0..calls {
                if may(&mut budgets[who], &mut ledger, minute, CLASSES[class]) {
                    budgets[who].spend(1);
                    spent.push(at(minute));
                }
            }
            match fate {
                0 => budgets[who] = Budget::new((50, 20)),
                1 => if let Some(back) = budgets[who].surrender(at(minute), "crm") {
                    ledger.reserve(&back);
                }
                _ => {}
            }
            let day = at(minute) - SignedDuration::from_hours(24);
            prop_assert!(spent.iter().filter(|time| **time > day).count() <= 1_000);
        }
    }
}

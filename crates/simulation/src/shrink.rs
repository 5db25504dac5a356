//! From a history that fails to the shortest one that still does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tombolo_engine::sync::Mutation;

use crate::{Engine, History, Violation, history::Deed, verdict};

/// What is wrong with a history; a panic of the engine is, too.
pub(crate) fn caught<E: Engine>(history: &Arc<History>, mutation: Option<Mutation>) -> Vec<Violation> {
    catch_unwind(AssertUnwindSafe(|| verdict::<E>(history, mutation)))
        .unwrap_or_else(|_| vec![Violation { kind: "the engine panics", text: "see above".to_owned() }])
}

/// Leaves out acts, faults and records as long as the same is wrong.
pub fn shrink<E: Engine>(history: &History, kind: &str, mutation: Option<Mutation>) -> History {
    let fails = |history: &History| {
        goes_on(history) && caught::<E>(&Arc::new(history.clone()), mutation).iter().any(|w| w.kind == kind)
    };
    let mut best = history.clone();
    loop {
        let length = |h: &History| h.acts.len() + h.faults.len() + h.before.len();
        let before = length(&best);
        best = shorter(best, |h| &mut h.faults, &fails);
        best = shorter(best, |h| &mut h.acts, &fails);
        best = shorter(best, |h| &mut h.before, &fails);
        if length(&best) == before {
            return best;
        }
    }
}

/// Whether all writing that is paused is continued: what is paused for ever is nobody's fault.
fn goes_on(history: &History) -> bool {
    let mut pauses =
        history.acts.iter().filter_map(|act| if let Deed::Pause(pause) = act.deed { Some(pause) } else { None });
    pauses.next_back() != Some(true)
}

/// Tries to leave out halves, quarters, and so on down to single things.
fn shorter<T: Clone>(
    mut best: History,
    list: impl Fn(&mut History) -> &mut Vec<T>,
    fails: &impl Fn(&History) -> bool,
) -> History {
    let mut chunk = list(&mut best).len();
    while chunk > 0 {
        let mut start = 0;
        while start < list(&mut best).len() {
            let mut tried = best.clone();
            let end = (start + chunk).min(list(&mut tried).len());
            list(&mut tried).drain(start..end);
            if fails(&tried) {
                best = tried;
            } else {
                start += chunk;
            }
        }
        chunk /= 2;
    }
    best
}

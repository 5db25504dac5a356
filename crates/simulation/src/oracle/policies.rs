//! Each conflict is won by the side that its policy says.

use std::{cmp::Ordering, collections::BTreeSet};

use tombolo_engine::sync::{Conflict, ConflictKind, FieldPair, Policy, Side};

use super::{Court, Violation};
use crate::{
    Engine, canon,
    ledger::{Author, Commit},
    moment::{Micros, SECOND, timestamp},
    plan,
};

pub(super) fn judge<E: Engine>(court: &Court<'_, E>) -> Vec<Violation> {
    let mut wrong = Vec::new();
    for conflict in court.world.store.conflicts.values() {
        if !matches!(conflict.kind, ConflictKind::Edit | ConflictKind::Late | ConflictKind::FirstMerge) {
            continue;
        }
        // Where what stands came after both, it is written down and not decided: no policy has a say.
        if conflict.kind == ConflictKind::Late && conflict.rule.ends_with("what came after that stands") {
            continue;
        }
        let Some([left, _]) = &conflict.field else { continue };
        let Some((_, pair)) = court.pair(conflict.mapping, Side::Left, left) else { continue };
        let expected = court.winner(conflict, pair);
        if expected.is_some_and(|expected| expected != conflict.winner) {
            let text = format!("{conflict:?}, policy {:?}, expected {expected:?}", pair.policy);
            wrong.push(Violation { kind: "the wrong side won", text });
        }
    }
    wrong
}

impl<E: Engine> Court<'_, E> {
    /// Who has to win, where that is sure.
    fn winner(&self, conflict: &Conflict, pair: &FieldPair) -> Option<Option<Side>> {
        let [left, right] = conflict.values.clone().map(Option::unwrap_or_default);
        let blank = [canon::blank(pair.canon, &left), canon::blank(pair.canon, &right)];
        if conflict.kind == ConflictKind::FirstMerge && blank[0] != blank[1] {
            return Some(Some(if blank[0] { Side::Right } else { Side::Left }));
        }
        match pair.policy {
            Policy::Manual => Some(None),
            Policy::Wins(side) => Some(Some(side)),
            Policy::PreferNonBlank(side) => Some(Some(match blank {
                [true, false] => Side::Right,
                [false, true] => Side::Left,
                _ => side,
            })),
            Policy::Max | Policy::Min if blank[0] || blank[1] => None,
            Policy::Max => by_order(canon::compare(pair.canon, &left, &right)?),
            Policy::Min => by_order(canon::compare(pair.canon, &left, &right)?.reverse()),
            Policy::Newest(owner) => self.newest(conflict, pair, owner),
        }
    }

    /// By the true times of the commits, where they are far enough apart to be told.
    fn newest(&self, conflict: &Conflict, pair: &FieldPair, owner: Side) -> Option<Option<Side>> {
        if conflict.times.contains(&None) {
            return Some(Some(owner));
        }
        let [left, right] = [self.made(conflict, pair, Side::Left)?, self.made(conflict, pair, Side::Right)?];
        let sure = 2 * SECOND + 4 * self.world.history.habits.uncertain;
        match left - right {
            apart if apart > sure => Some(Some(Side::Left)),
            apart if apart < -sure => Some(Some(Side::Right)),
            _ => None,
        }
    }

    /// When the value of a side was committed, if that is one moment.
    fn made(&self, conflict: &Conflict, pair: &FieldPair, side: Side) -> Option<Micros> {
        let value = conflict.values[side].as_ref()?;
        let keys = self.keys.get(&conflict.link)?.iter().filter(|(of, _)| *of == side).map(|(_, key)| key);
        let entity = plan::entity(conflict.mapping, side);
        let commits = keys.flat_map(|key| self.world.ledger.of(side, entity, key));
        let sets = |commit: &&Commit| {
            let mut changes = commit.changes.iter().filter(|change| change.field == pair.names[side]);
            changes.any(|change| canon::same(pair.canon, &change.after, value))
        };
        let commits = commits.map(|id| &self.world.ledger.commits[*id]).filter(sets);
        let times: BTreeSet<Micros> = commits
            .clone()
            .filter(|commit| !matches!(commit.author, Author::Engine(..)))
            .map(|commit| commit.at)
            .collect();
        // The time of a row is that of its last change by somebody, whatever that changed.
        let by_row = conflict.times[side].is_some_and(|time| {
            let keys = self.keys.get(&conflict.link).into_iter().flatten().filter(|(of, _)| *of == side);
            let all = keys.flat_map(|(_, key)| self.world.ledger.of(side, entity, key));
            all.map(|id| &self.world.ledger.commits[*id]).any(|later| {
                let stamped = timestamp(later.stamp).as_second() == time.as_second();
                !matches!(later.author, Author::Engine(..)) && stamped && times.last().is_some_and(|at| later.at > *at)
            })
        });
        // A write that changes nothing moves that time, too, and leaves no commit.
        let unchanged = conflict.times[side].is_some_and(|time| {
            let mut stamps = commits.clone().map(|commit| timestamp(commit.stamp).as_second());
            side == Side::Left && !stamps.any(|stamp| stamp == time.as_second())
        });
        if by_row || unchanged {
            return None;
        }
        let only = commits.clone().count() == 1 && commits.into_iter().all(|commit| commit.made == commit.at);
        times.first().copied().filter(|_| only)
    }
}

const fn by_order(order: Ordering) -> Option<Option<Side>> {
    match order {
        Ordering::Greater => Some(Some(Side::Left)),
        Ordering::Less => Some(Some(Side::Right)),
        Ordering::Equal => None,
    }
}

//! Three-way merge, field by field: what happens when a side moved.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::{Scope, want::Said};
use crate::sync::{Conflict, ConflictKind, Fate, FieldPair, Flow, Link, Policy, Rewriting, Side, Step, Stored, Taken};

/// What a side moved to.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) side: Side,
    pub(super) value: Stored,
    pub(super) at: Option<Timestamp>,
    pub(super) place: u64,
}

impl Move {
    fn taken(self) -> Taken {
        Taken { side: self.side, value: self.value, at: self.at, place: self.place }
    }
}

impl Link {
    /// A side shows a value that it did not show before: takes it, or decides between it and what the other side moved
    /// to and this one had not got yet.
    pub(super) fn shows(&mut self, scope: &mut Scope<'_>, index: usize, moved: Move) {
        let side = moved.side;
        let pair = &scope.mapping.fields[index];
        let before = self.fields[index].image[side].clone();
        let pending = self.undelivered(scope, index, side);
        let first = before.is_none() && self.fields[index].image[side.other()].is_some();
        let same = before.as_ref().is_some_and(|before| pair.canon.same(before, &moved.value));
        self.fields[index].image[side] = Some(moved.value.clone());
        let unseen = before.as_ref().is_none_or(Stored::is_null);
        if same || unseen && self.is_as_drafted(scope, index, side, &moved.value) {
            return;
        }
        if matches!(self.fate, Fate::Severed | Fate::Converted) {
            self.edit_of_severed(scope, index, &moved, before);
            if self.fate == Fate::Severed {
                // Should the other side come back, it counts as moved.
                self.fields[index].taken = Some(moved.taken());
            }
            return;
        }
        self.fields[index].rewriting = Rewriting::No;
        self.release_refusal(scope, index);
        if let Fate::Follow { deleted, at } = self.fate
            && deleted == side.other()
        {
            self.fields[index].taken = Some(moved.clone().taken());
            self.edited_before_delete(scope, deleted, at, index);
            // What the other side had moved to before it was deleted is in conflict with this, too.
            if let Some(other) = pending.filter(|_| self.fate == Fate::Live) {
                self.conflict(scope, index, moved, before, other, ConflictKind::Edit);
            }
            return;
        }
        if self.fields[index].manual {
            self.still_manual(scope, index, &moved);
            return;
        }
        self.decide(
            scope,
            index,
            moved,
            before,
            pending,
            if first { ConflictKind::FirstMerge } else { ConflictKind::Edit },
        );
    }

    /// An edit that goes nowhere, because the record is gone or closed on the other side.
    fn edit_of_severed(&self, scope: &mut Scope<'_>, index: usize, moved: &Move, before: Option<Stored>) {
        let (mut images, mut values, mut times) = ([None, None], [None, None], [None, None]);
        images[moved.side] = before;
        images[moved.side.other()] = self.fields[index].image[moved.side.other()].clone();
        values[moved.side] = Some(moved.value.clone());
        times[moved.side] = moved.at;
        let rule = "the other side has no such record to write to".to_owned();
        self.write_down(scope, Some(index), images, values, times, ConflictKind::Severed, Some(moved.side), rule);
    }

    /// What the other side moved to and this side has not got.
    pub(super) fn undelivered(&self, scope: &Scope<'_>, index: usize, side: Side) -> Option<Taken> {
        let pair = &scope.mapping.fields[index];
        let taken = self.fields[index].taken.as_ref().filter(|taken| taken.side != side)?;
        if !pair.flow.writes(side) {
            return None;
        }
        let stands = self.fields[index].open[side].is_empty()
            && match (self.said(scope, index, taken, side), &self.fields[index].image[side]) {
                (Said::Value(goal), Some(shown)) => pair.canon.same(shown, &goal),
                _ => false,
            };
        (!stands).then(|| taken.clone())
    }

    /// Takes the move, or applies the policy if the other side moved apart.
    pub(super) fn decide(
        &mut self,
        scope: &mut Scope<'_>,
        index: usize,
        moved: Move,
        before: Option<Stored>,
        pending: Option<Taken>,
        kind: ConflictKind,
    ) {
        let pair = &scope.mapping.fields[index];
        let side = moved.side;
        if let Flow::To(target) = pair.flow
            && target == side
        {
            self.overruled(index, side);
            return;
        }
        let Some(other) = pending else {
            if !(kind == ConflictKind::FirstMerge && self.blank_against_value(index, side, &moved.value)) {
                self.fields[index].taken = Some(moved.taken());
            }
            return;
        };
        if matches!(self.said(scope, index, &other, side), Said::Value(goal) if pair.canon.same(&goal, &moved.value)) {
            // Both moved to the same: nothing has to go anywhere.
            self.fields[index].taken = None;
            return;
        }
        self.conflict(scope, index, moved, before, other, kind);
    }

    /// A one-way field moved on the side that only follows: it gets the other side's value again.
    fn overruled(&mut self, index: usize, side: Side) {
        let field = &mut self.fields[index];
        if let Some(value) = field.image[side.other()].clone() {
            field.taken = Some(Taken { side: side.other(), value, at: None, place: 0 });
        }
    }

    /// At the first merge a value beats a blank, and the same stays as it is.
    fn blank_against_value(&mut self, index: usize, side: Side, value: &Stored) -> bool {
        let field = &mut self.fields[index];
        let Some(other) = field.image[side.other()].clone() else { return false };
        if value.is_null() && !other.is_null() {
            field.taken = Some(Taken { side: side.other(), value: other, at: None, place: 0 });
            return true;
        }
        false
    }

    /// Both sides moved apart: the policy decides, and the record of it keeps everything.
    pub(super) fn conflict(
        &mut self,
        scope: &mut Scope<'_>,
        index: usize,
        moved: Move,
        before: Option<Stored>,
        other: Taken,
        kind: ConflictKind,
    ) {
        let pair = &scope.mapping.fields[index];
        let side = moved.side;
        let first_blank = kind == ConflictKind::FirstMerge && (blank(&moved.value) || blank(&other.value));
        let (winner, rule) = if first_blank {
            (Some(if blank(&moved.value) { side.other() } else { side }), "a value beats a blank".to_owned())
        } else {
            winner(scope, pair, &moved, &other)
        };
        let mut images = [None, None];
        images[side] = before;
        images[side.other()] = self.fields[index].image[side.other()].clone();
        let mut values = [None, None];
        values[side] = Some(moved.value.clone());
        values[side.other()] = Some(other.value.clone());
        let mut times = [None, None];
        times[side] = moved.at;
        times[side.other()] = other.at;
        if !first_blank {
            self.write_down(scope, Some(index), images, values, times, kind, winner, rule);
        }
        let field = &mut self.fields[index];
        match winner {
            Some(won) if won == side => field.taken = Some(moved.taken()),
            Some(_) => field.taken = Some(other),
            None => {
                field.manual = true;
                field.taken = None;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a conflict record keeps all of it")]
    pub(super) fn write_down(
        &self,
        scope: &mut Scope<'_>,
        index: Option<usize>,
        images: [Option<Stored>; 2],
        values: [Option<Stored>; 2],
        times: [Option<Timestamp>; 2],
        kind: ConflictKind,
        winner: Option<Side>,
        rule: String,
    ) {
        let field = index.map(|index| scope.mapping.fields[index].names.clone());
        let number = scope.notes.conflicts.len();
        let id = match (winner, index) {
            // An open decision is one record, however often the sides move on.
            (None, Some(index)) => format!("{}-f{index}", self.id),
            (None, None) => format!("{}-record", self.id),
            _ => format!("{}-{}-{}-{number}", self.id, scope.now.as_millisecond(), scope.place),
        };
        let name = field.as_ref().map_or("record", |names| names[0].as_str()).to_owned();
        let side = winner.unwrap_or(Side::Left);
        scope.notes.conflicts.push(Conflict {
            id,
            link: self.id,
            mapping: self.mapping,
            keys: self.keys.clone(),
            field,
            images,
            values,
            times,
            kind,
            winner,
            at: scope.now,
            rule: rule.clone(),
        });
        scope.note(self.id, Step::Decided, side, Vec::new(), format!("{name}: {rule}"));
    }

    /// Keeps that more than one record could be the other side's.
    pub(crate) fn note_match_conflict(&self, scope: &mut Scope<'_>, kind: ConflictKind) {
        let rule = "more than one record matches; none is linked".to_owned();
        self.write_down(scope, None, [None, None], [None, None], [None, None], kind, None, rule);
    }

    /// A field that a person has to decide moved on: the record of it shows what there is now.
    fn still_manual(&self, scope: &mut Scope<'_>, index: usize, moved: &Move) {
        let images = self.fields[index].image.clone();
        let mut times = [None, None];
        times[moved.side] = moved.at;
        let kind = ConflictKind::Edit;
        self.write_down(scope, Some(index), images.clone(), images, times, kind, None, "manual".to_owned());
    }

    /// A new edit is a new chance: what was refused or left to a person is looked at again.
    fn release_refusal(&mut self, scope: &mut Scope<'_>, index: usize) {
        for side in Side::BOTH {
            if self.fields[index].refused[side].take().is_some()
                && !self.fields.iter().any(|field| field.refused[side].is_some())
                && self.refused[side].is_none()
            {
                scope.notes.delivered.push((self.id, side));
            }
        }
    }

    /// Whether what was taken in a field is to be forgotten: both sides show it.
    pub(crate) fn stands(&self, scope: &Scope<'_>, index: usize) -> bool {
        let pair = &scope.mapping.fields[index];
        let field = &self.fields[index];
        let Some(taken) = &field.taken else { return false };
        let quiet = field.open.iter().all(Vec::is_empty) && field.held.iter().all(Vec::is_empty);
        quiet
            && Side::BOTH.into_iter().all(|side| {
                if !pair.flow.writes(side) && taken.side != side {
                    return true;
                }
                let shown = field.image[side].as_ref();
                match self.said(scope, index, taken, side) {
                    Said::Value(goal) => shown.is_some_and(|shown| pair.canon.same(shown, &goal)),
                    Said::Missing(..) | Said::Unloaded(..) => false,
                }
            })
    }
}

/// Whether there is nothing in it: null, or blank text.
pub(super) fn blank(value: &Stored) -> bool {
    match value {
        Stored::Null => true,
        Stored::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Which side the policy prefers, and in which words.
fn winner(scope: &Scope<'_>, pair: &FieldPair, moved: &Move, other: &Taken) -> (Option<Side>, String) {
    let of = |side: Side| format!("{} wins", scope.mapping.ends[side].connection);
    match pair.policy {
        Policy::Wins(side) => (Some(side), of(side)),
        Policy::Manual => (None, "manual".to_owned()),
        Policy::PreferNonBlank(owner) => match (blank(&moved.value), blank(&other.value)) {
            (true, false) => (Some(other.side), "a value beats a blank".to_owned()),
            (false, true) => (Some(moved.side), "a value beats a blank".to_owned()),
            _ => (Some(owner), format!("both have values; {}", of(owner))),
        },
        Policy::Newest(owner) => {
            let later = later(scope, moved, other);
            later.map_or_else(
                || (Some(owner), format!("the times do not tell; {}", of(owner))),
                |side| (Some(side), "the newer one wins".to_owned()),
            )
        }
        Policy::Max | Policy::Min => {
            let order = order(&pair.canon.of(&moved.value), &pair.canon.of(&other.value));
            let wanted = if pair.policy == Policy::Max { Ordering::Greater } else { Ordering::Less };
            let side = if order == wanted { moved.side } else { other.side };
            (
                Some(side),
                if pair.policy == Policy::Max { "the greater one wins" } else { "the smaller one wins" }.to_owned(),
            )
        }
    }
}

/// The side that moved later, if the times tell: farther apart than a second and what the clocks may be off.
fn later(scope: &Scope<'_>, moved: &Move, other: &Taken) -> Option<Side> {
    let one = scope.ours(moved.side, moved.at?);
    let two = scope.ours(other.side, other.at?);
    let apart = one.as_millisecond() - two.as_millisecond();
    let uncertain = 1_000 + i64::try_from(scope.clocks[0].1 + scope.clocks[1].1).unwrap_or(i64::MAX / 2);
    (apart.abs() > uncertain).then_some(if apart > 0 { moved.side } else { other.side })
}

/// Null is less than anything; values of different kinds are compared as numbers, then as text.
fn order(one: &Stored, two: &Stored) -> Ordering {
    match (one, two) {
        (Stored::Null, Stored::Null) => Ordering::Equal,
        (Stored::Null, _) => Ordering::Less,
        (_, Stored::Null) => Ordering::Greater,
        (Stored::Text(one), Stored::Text(two)) => one.cmp(two),
        (Stored::Date(one), Stored::Date(two)) => one.cmp(two),
        (Stored::DateTime(one), Stored::DateTime(two)) => one.cmp(two),
        (Stored::Time(one), Stored::Time(two)) => one.cmp(two),
        (Stored::Boolean(one), Stored::Boolean(two)) => one.cmp(two),
        _ => match (number(one), number(two)) {
            (Some(one), Some(two)) => one.total_cmp(&two),
            _ => format!("{one:?}").cmp(&format!("{two:?}")),
        },
    }
}

#[expect(clippy::cast_precision_loss, reason = "only which is greater is asked")]
fn number(value: &Stored) -> Option<f64> {
    match value {
        Stored::Int(number) => Some(*number as f64),
        Stored::Double(number) => Some(*number),
        _ => None,
    }
}

//! A row of one record was read.

use jiff::{SignedDuration, Timestamp};

use super::{Scope, merge::Move, places, second};
use crate::sync::{
    Fate, Flight, Held, Link, Open, Operation, Presence, Refusal, Reread, Row, SentState, Side, Step, Stored, Style,
    Tag,
};

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowUse {
    /// It counted.
    Taken,
    /// It may be older than what was heard: it is to be read again.
    Again,
    /// It is older than what was heard.
    Stale,
}

impl Link {
    /// Takes in a row that was read. `server` is the system's time when it answered.
    pub(crate) fn row(&mut self, scope: &mut Scope<'_>, side: Side, row: &Row, server: Option<Timestamp>) -> RowUse {
        scope.place = 0;
        if let Some(verdict) = self.row_age(scope, side, row, server) {
            return verdict;
        }
        let reason = self.reread[side].take();
        if row.deleted {
            self.deleted_row(scope, side, row, reason);
            return RowUse::Taken;
        }
        self.order[side] = self.order[side].max(row.order.unwrap_or(0));
        self.deleted_there[side] &= self.presence[side] != Presence::Present;
        // What of it is left to the stream was not seen: no condition may rest on the time of this row.
        let left = reason.is_none() && (0..self.fields.len()).any(|index| self.is_unresolved(index, side));
        if !left {
            self.read[side] = row.stamp.or(self.read[side]);
        }
        self.young[side] = young(scope, side, row, server);
        let soft = matches!(scope.mapping.deletes[side.other()], crate::sync::Deletes::Soft(_));
        // A row that was deleted softly is still there: the row does not tell whether the mark is.
        let hidden = soft && self.presence[side] == Presence::Deleted;
        if !hidden {
            self.arrive(scope, side);
        }
        let unknown = self.flight[side].as_ref().is_some_and(|flight| flight.unknown);
        if unknown {
            self.outcome_read(scope, side, row);
        }
        let differs = self.differing(scope, side, row);
        if !differs.is_empty() {
            scope.note(self.id, Step::Read, side, differs, reason.map_or("read", reason_word));
        }
        for (name, value) in &row.values {
            self.watch(scope.mapping, side, name, value);
            let indexes: Vec<usize> = places(scope.mapping, side, name).collect();
            for index in indexes {
                // What somebody set in a row that is deleted counts when it comes back.
                if !hidden || self.fate == Fate::Live {
                    let read = ReadField { index, side, value, at: row.foreign_at, stamp: row.stamp, reason, unknown };
                    self.row_field(scope, side, &read);
                }
            }
        }
        if reason.is_some() {
            self.drafts[side].clear();
            self.settle_writes(side);
        }
        RowUse::Taken
    }

    /// A row that was read after writes were answered shows what became of them.
    fn settle_writes(&mut self, side: Side) {
        for sent in &mut self.ledger[side] {
            if sent.state == SentState::Awaited {
                sent.state = SentState::Settled;
            }
        }
    }

    /// A row was read that is deleted.
    fn deleted_row(&mut self, scope: &mut Scope<'_>, side: Side, row: &Row, reason: Option<Reread>) {
        let tagged = scope.mapping.ends[side].style == Style::Tagged;
        let delete = |flight: &Flight| flight.unknown && matches!(flight.operation, Operation::Delete(_));
        if row.foreign_at.is_none()
            && tagged
            && let Some(flight) = self.flight[side].take_if(|flight| delete(flight))
        {
            // It was ours and went through: its echo is waited for as if it had been answered.
            self.await_echo(scope, side, flight);
            return;
        }
        if self.is_being_deleted(side) && reason != Some(Reread::Echo) {
            // Our delete: its echo tells in order, and what it had not seen comes before.
            return;
        }
        self.young[side] = None;
        self.hold_unseen(scope, side, row);
        self.read[side] = row.stamp.or(self.read[side]);
        self.abandon(scope, side);
        if reason.is_some() {
            self.settle_writes(side);
        }
        let unseen = self.differing(scope, side, row);
        self.deleted(scope, side, row.foreign_at.or(row.stamp), None);
        // Somebody's delete: what the record showed last counts against what may bring it back.
        if self.may_come_back(side) {
            self.hold(scope, side, &unseen, row.foreign_at);
        }
    }

    /// Our delete went through and no echo tells what lies before it: what the row showed last and we had not seen.
    fn hold_unseen(&mut self, scope: &Scope<'_>, side: Side, row: &Row) {
        if !self.is_being_deleted(side) || row.foreign_at.is_some() {
            return;
        }
        let unseen = self.differing(scope, side, row);
        self.hold(scope, side, &unseen, None);
    }

    /// A row older than the newest change that was applied does not count; one of the same second is read again until
    /// that second is well past.
    fn row_age(&mut self, scope: &Scope<'_>, side: Side, row: &Row, server: Option<Timestamp>) -> Option<RowUse> {
        if scope.mapping.ends[side].style == Style::Compared {
            let stale = row.order.is_some_and(|order| order < self.order[side]);
            return stale.then_some(RowUse::Stale);
        }
        let stamp = row.stamp?;
        let newest = self.stamp[side].max(self.read[side])?;
        let margin = SignedDuration::try_from(scope.settings.margin).unwrap_or_default();
        // Long after the change, it is in every row that is read: a stamp may be older than the commit that it came with.
        let server = server.unwrap_or_else(|| scope.theirs(side, scope.now));
        let past = server.duration_since(newest) > margin;
        if past || second(stamp) > second(newest) {
            return None;
        }
        if second(stamp) < second(newest) {
            return Some(RowUse::Stale);
        }
        (!self.differing(scope, side, row).is_empty() || self.holds_other(scope, side, row)).then_some(RowUse::Again)
    }

    /// Whether a change is held that a row does not show: it may have been asked for before that was made.
    fn holds_other(&self, scope: &Scope<'_>, side: Side, row: &Row) -> bool {
        row.values.iter().any(|(name, value)| {
            places(scope.mapping, side, name).any(|index| {
                let held = self.fields[index].held[side].iter().rfind(|held| !held.late);
                held.is_some_and(|held| !scope.mapping.fields[index].canon.same(&held.value, value))
            })
        })
    }

    /// Takes in what a row shows of its parent. The record's own stamps say nothing of that.
    pub(crate) fn paths(&mut self, scope: &mut Scope<'_>, side: Side, row: &Row) {
        scope.place = 0;
        if self.presence[side] != Presence::Present || row.deleted {
            return;
        }
        for (name, value) in &row.values {
            let paths: Vec<usize> =
                places(scope.mapping, side, name).filter(|index| scope.mapping.fields[*index].path.is_some()).collect();
            for index in paths {
                self.shows(scope, index, Move { side, value: value.clone(), at: None, place: 0 });
            }
        }
    }

    /// The fields in which a row shows something else than what was known; none of a record that was not known.
    pub(crate) fn changed_by(&self, scope: &Scope<'_>, side: Side, row: &Row) -> Vec<String> {
        let known = self.fields.iter().any(|field| field.image[side].is_some());
        if row.deleted || !known {
            return Vec::new();
        }
        self.differing(scope, side, row).into_iter().map(|(name, _)| name).collect()
    }

    /// What the row shows that was not known.
    fn differing(&self, scope: &Scope<'_>, side: Side, row: &Row) -> Vec<(String, Stored)> {
        let differs = |name: &str, value: &Stored| {
            places(scope.mapping, side, name).any(|index| {
                let canon = scope.mapping.fields[index].canon;
                self.fields[index].image[side].as_ref().is_none_or(|image| !canon.same(image, value))
            })
        };
        row.values.iter().filter(|(name, value)| differs(name, value)).cloned().collect()
    }

    fn row_field(&mut self, scope: &mut Scope<'_>, side: Side, read: &ReadField<'_>) {
        let ReadField { index, value, at, stamp, reason, unknown, .. } = *read;
        let canon = scope.mapping.fields[index].canon;
        let moved = Move { side, value: value.clone(), at, place: 0 };
        if self.is_unresolved(index, side) && reason.is_none() {
            // The stream will tell in order.
            return;
        }
        let acknowledged = !unknown && self.is_acknowledged(scope, side, index, stamp);
        let open = self.fields[index].open[side].last().cloned();
        let held = std::mem::take(&mut self.fields[index].held[side]);
        let Some(open) = open else {
            let unseen = held.into_iter().rfind(|held| !held.late).filter(|held| !canon.same(&held.value, value));
            let settled = self.settled_write(scope, side, index, value);
            if let Some((Held { value: unseen, at, place, .. }, open)) = unseen.zip(settled) {
                // The record was deleted and is back, and a write to it is what overwrote this.
                self.fields[index].image[side] = Some(value.clone());
                self.overwritten(scope, index, Move { side, value: unseen, at, place }, &open);
            } else if at.is_none() && self.is_late_write(scope, side, index, value) {
                self.repair(scope, index, side, value.clone());
            } else {
                self.shows(scope, index, moved);
            }
            return;
        };
        self.fields[index].open[side].clear();
        if canon.same(value, &open.value) {
            self.fields[index].image[side] = Some(value.clone());
            let unseen = held.into_iter().rfind(|held| !held.late).filter(|held| !canon.same(&held.value, value));
            if let Some(held) = unseen {
                let moved = Move { side, value: held.value, at: held.at, place: held.place };
                self.overwritten(scope, index, moved, &open);
            }
        } else if acknowledged && at.is_none() {
            // It was done, nobody else changed the record since, and it shows something else: that was made of it.
            self.fields[index].image[side] = Some(value.clone());
            let unseen = held.into_iter().rfind(|held| !held.late).filter(|held| !canon.same(&held.value, value));
            self.note_replaced(scope, read, unseen, &open);
            self.rewritten(scope, index, side, value.clone(), &open, at);
        } else if held.last().is_some_and(|held| held.late && canon.same(&held.value, value)) {
            for held in held {
                self.tell_held(scope, index, side, held);
            }
        } else {
            let last = held.into_iter().next_back();
            if let Some(held) = last.as_ref().filter(|held| !held.late && !canon.same(&held.value, value)) {
                self.may_cover(side, index, open.tag, held);
            }
            let told = last.filter(|held| canon.same(&held.value, value));
            let moved = told.map_or(moved, |held| Move { side, value: held.value, at: held.at, place: held.place });
            self.shows(scope, index, moved);
        }
    }

    /// A row was read to make up for what was missed, which an echo may be among: what it shows in a field whose echo
    /// is waited for is decided before that field is written again.
    pub(crate) fn doubt(&mut self, scope: &Scope<'_>, side: Side, row: &Row) {
        let foreign = |index: usize, value: &Stored| {
            let (canon, field) = (scope.mapping.fields[index].canon, &self.fields[index]);
            let known = field.image[side].iter().chain(field.open[side].iter().map(|open| &open.value));
            self.is_unresolved(index, side) && !known.into_iter().any(|known| canon.same(known, value))
        };
        let mut values = row.values.iter();
        let moved = values.any(|(name, value)| places(scope.mapping, side, name).any(|index| foreign(index, value)));
        if moved && !row.deleted {
            self.reread[side] = self.reread[side].or(Some(Reread::Echo));
        }
    }

    /// A row shows what was made of a write: what that overwrote unseen is written down, and what it shows, if something
    /// newer is on its way.
    fn note_replaced(&self, scope: &mut Scope<'_>, read: &ReadField<'_>, unseen: Option<Held>, open: &Open) {
        let ReadField { index, side, value, stamp, .. } = *read;
        if let Some(held) = unseen {
            // What was made of it comes after this, and who made it had seen what was written.
            self.note_covered(scope, index, side, held, &open.taken);
        }
        let newer = self.fields[index].taken.clone().filter(|taken| *taken != open.taken);
        if let Some(newer) = newer.filter(|_| scope.mapping.ends[side].style == Style::Tagged) {
            // Unless it was an edit by the very user that we write as: then nobody saw it.
            let edit = Held { value: value.clone(), at: stamp, place: 0, late: false };
            self.note_covered(scope, index, side, edit, &newer);
        }
    }

    /// A change that came before the echo of a write of ours was replaced by now: by us, if that echo is still to come.
    fn may_cover(&mut self, side: Side, index: usize, tag: Tag, held: &Held) {
        if let Some(sent) = self.ledger[side].iter_mut().find(|sent| sent.tag == tag) {
            sent.covered.push((index, held.clone()));
        }
    }

    /// The write that was answered, and whose record was deleted before its echo, that a field shows.
    fn settled_write(&self, scope: &Scope<'_>, side: Side, index: usize, value: &Stored) -> Option<Open> {
        let canon = scope.mapping.fields[index].canon;
        let done = self.ledger[side].iter().filter(|sent| sent.state != SentState::Abandoned);
        let mut written = done.flat_map(|sent| &sent.values).filter(|(field, _)| *field == index);
        written.find(|(_, open)| canon.same(&open.value, value)).map(|(_, open)| open.clone())
    }

    /// Whether a field shows, and not as before, what a write was to set that was given up: where no echo tells, that
    /// is how a late one is known.
    fn is_late_write(&self, scope: &Scope<'_>, side: Side, index: usize, value: &Stored) -> bool {
        let canon = scope.mapping.fields[index].canon;
        let known = self.fields[index].image[side].as_ref().is_none_or(|image| canon.same(image, value));
        let mut given_up = self.ledger[side].iter().filter(|sent| sent.state == SentState::Abandoned);
        !known
            && given_up
                .any(|sent| sent.values.iter().any(|(field, open)| *field == index && canon.same(&open.value, value)))
    }

    /// Whether the newest write to a field was answered as done, and the row did not change after it: somebody may edit
    /// as the very user that we write as.
    fn is_acknowledged(&self, scope: &Scope<'_>, side: Side, index: usize, stamp: Option<Timestamp>) -> bool {
        let last = |at: Timestamp| {
            let (_, uncertain) = scope.clocks[side];
            let answered = scope.theirs(side, at).as_millisecond() + i64::try_from(uncertain).unwrap_or(0) + 1_000;
            stamp.is_none_or(|stamp| stamp.as_millisecond() <= answered)
        };
        scope.mapping.ends[side].style == Style::Conditional && self.flight[side].is_none()
            || self.ledger[side].iter().any(|sent| {
                sent.state == SentState::Awaited
                    && sent.values.iter().any(|(field, _)| *field == index)
                    && last(sent.at)
            })
    }

    /// A row was read because nobody knew what became of a write: it shows what the write set, or it has not landed.
    fn outcome_read(&mut self, scope: &Scope<'_>, side: Side, row: &Row) {
        let Some(flight) = self.flight[side].take() else { return };
        // A field that the side has lost meanwhile tells nothing.
        let mut shown = flight.values.iter().filter_map(|(index, open)| {
            let pair = &scope.mapping.fields[*index];
            let (_, shown) = row.values.iter().find(|(name, _)| name.eq_ignore_ascii_case(&pair.names[side]))?;
            Some(pair.canon.same(shown, &open.value))
        });
        let landed = shown.next().is_some_and(|first| first && shown.all(|same| same));
        let echoed = flight.echoed;
        self.await_echo(scope, side, flight);
        if let Some(sent) = self.ledger[side].last_mut().filter(|_| !echoed) {
            sent.state = if landed { SentState::Settled } else { SentState::Abandoned };
        }
    }

    /// The record is not there: a write whose outcome nobody knew has not landed, or was a delete. Should it land later,
    /// it is a late write.
    fn abandon(&mut self, scope: &Scope<'_>, side: Side) {
        let Some(flight) = self.flight[side].take_if(|flight| flight.unknown) else { return };
        let echoed = flight.echoed;
        // What was told meanwhile it overwrote unseen, if it was done before the record was deleted.
        let last = |index: usize| Some((index, self.fields[index].held[side].iter().rfind(|held| !held.late)?.clone()));
        let covered: Vec<(usize, Held)> = flight.values.iter().filter_map(|(index, _)| last(*index)).collect();
        self.await_echo(scope, side, flight);
        if let Some(sent) = self.ledger[side].last_mut().filter(|_| !echoed) {
            sent.state = SentState::Abandoned;
            sent.covered = covered;
        }
    }

    /// A record that was asked for is not there.
    pub(crate) fn not_there(&mut self, scope: &mut Scope<'_>, side: Side) {
        scope.place = 0;
        self.reread[side] = None;
        self.abandon(scope, side);
        self.settle_writes(side);
        for field in &mut self.fields {
            field.open[side].clear();
        }
        let lacks = self.fate == Fate::Live && self.presence[side] == Presence::Deleted;
        if lacks
            && self.presence[side.other()] == Presence::Present
            && scope.mapping.ends[side].style != Style::Compared
        {
            self.purged(scope, side);
        } else if self.keys[side].is_some() {
            self.deleted(scope, side, None, None);
        }
    }

    /// A record that was to come back is in no recycle bin any more: another one is made, which takes its place here.
    fn purged(&mut self, scope: &mut Scope<'_>, side: Side) {
        if !scope.mapping.ends[side].creates {
            let refusal = Refusal {
                code: "ENTITY_IS_DELETED".to_owned(),
                message: "the record was purged, and without `external_id` no other one is made".to_owned(),
                fields: Vec::new(),
                passing: false,
            };
            self.refused[side] = Some(refusal.clone());
            self.note_dead_letter(scope, side, Vec::new(), &refusal);
            return;
        }
        let key = self.keys[side].take().unwrap_or_default();
        scope.note(self.id, Step::Decided, side, Vec::new(), format!("{key} was purged: it is made anew"));
        (self.presence[side], self.unmatched) = (Presence::Absent, true);
        self.ledger[side].clear();
        for field in &mut self.fields {
            (field.image[side], field.confirmed[side]) = (None, None);
            field.held[side].clear();
        }
        (self.read[side], self.stamp[side], self.young[side]) = (None, None, None);
    }
}

/// A field of a row.
#[derive(Clone, Copy)]
struct ReadField<'a> {
    index: usize,
    side: Side,
    value: &'a Stored,
    /// When somebody else changed the row last.
    at: Option<Timestamp>,
    /// When anybody did.
    stamp: Option<Timestamp>,
    reason: Option<Reread>,
    /// Nobody knew what became of the newest write.
    unknown: bool,
}

/// Until when a row that is written under a condition on its stamp is not to be relied on, if it was read within the
/// second of that stamp, or so soon after that the answer may be older.
fn young(scope: &Scope<'_>, side: Side, row: &Row, server: Option<Timestamp>) -> Option<Timestamp> {
    let stamp = row.stamp?;
    let server = server.unwrap_or_else(|| scope.theirs(side, scope.now));
    if second(server) > second(stamp) + 1 {
        return None;
    }
    let over = Timestamp::from_second(second(stamp) + 2).ok()?;
    let uncertain = SignedDuration::from_millis(i64::try_from(scope.clocks[side].1).unwrap_or(0));
    scope.ours(side, over).checked_add(uncertain).ok()
}

const fn reason_word(reason: Reread) -> &'static str {
    match reason {
        Reread::News => "read: the change was not told in full",
        Reread::Echo => "read: no echo came",
        Reread::Outcome => "read: the outcome of a write was unknown",
    }
}

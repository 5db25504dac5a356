//! A record was deleted on a side.

use jiff::Timestamp;

use super::{Scope, merge::Move};
use crate::sync::{
    ConflictKind, DeleteConflict, Deletes, Fate, Field, Held, Link, Mutation, Operation, Presence, Sent, SentState,
    Side, Step, Stored, Style, Tag, Taken,
};

impl Link {
    /// Takes in that a record is gone on a side: by our own delete, or by somebody's.
    pub(super) fn deleted(&mut self, scope: &mut Scope<'_>, side: Side, at: Option<Timestamp>, tag: Option<Tag>) {
        if self.is_coming_back(side) {
            // The delete lies before the restore that is under way; of a database, its answer tells.
            let told = scope.mapping.ends[side].style == Style::Compared && tag.is_none() && at.is_some();
            self.deleted_there[side] |= told;
            return;
        }
        let ours = tag.is_some_and(|tag| self.take_delete(side, tag));
        let was = std::mem::replace(&mut self.presence[side], Presence::Deleted);
        self.deleted_there[side] |= tag.is_none() && at.is_some();
        self.reread[side] = None;
        self.young[side] = None;
        if !ours && self.fate_follows(side) && self.is_deleting(side) {
            // Somebody was first. If our delete is done all the same, the record was there again before it, with what
            // is held.
            return;
        }
        let unseen = self.unseen_edit(scope, side);
        self.close_writes(side);
        if ours || self.fate_follows(side) {
            self.delete_done(scope, side, unseen);
            return;
        }
        if was == Presence::Deleted {
            return;
        }
        let edited = if scope.faulty(Mutation::BlindDelete) { None } else { self.edit_for(scope, side) };
        match edited {
            Some(index) => self.delete_conflict(scope, side, at, index),
            None => self.follow(scope, side, at),
        }
    }

    /// Whether a restore of ours is under way: a delete told now lies before it.
    pub(super) fn is_coming_back(&self, side: Side) -> bool {
        let restores = |operation: &Operation| {
            matches!(operation, Operation::Undelete(_) | Operation::Create { key: Some(_), .. })
        };
        self.flight[side].as_ref().is_some_and(|flight| restores(&flight.operation))
            || self.ledger[side].iter().any(|sent| sent.restore && sent.state == SentState::Awaited)
    }

    /// Whether this side is to follow a delete on the other one.
    pub(super) fn fate_follows(&self, side: Side) -> bool {
        matches!(self.fate, Fate::Follow { deleted, .. } if deleted == side.other())
    }

    /// Whether a record that this side lost may be brought back: what it showed last counts then.
    pub(super) fn may_come_back(&self, side: Side) -> bool {
        self.fate == Fate::Live || self.fate_follows(side.other())
    }

    /// Whether a delete of ours is under way: unanswered, or its echo is awaited.
    pub(super) fn is_deleting(&self, side: Side) -> bool {
        let flying = self.flight[side].as_ref();
        self.is_being_deleted(side)
            || flying.is_some_and(|flight| matches!(flight.operation, Operation::Delete(_)) && !flight.echoed)
    }

    /// A delete of ours was not done, and the record had been deleted before.
    pub(super) fn delete_not_done(&mut self, scope: &mut Scope<'_>, side: Side) {
        if self.presence[side] == Presence::Deleted && self.fate_follows(side) {
            self.delete_done(scope, side, None);
        }
    }

    fn take_delete(&mut self, side: Side, tag: Tag) -> bool {
        let before = self.ledger[side].len();
        self.ledger[side].retain(|sent| !(sent.tag == tag && sent.delete));
        let flight = self.flight[side].as_mut().filter(|flight| flight.carries(tag));
        let flown = flight.is_some();
        if let Some(flight) = flight {
            flight.echoed = true;
        }
        flown || before != self.ledger[side].len()
    }

    /// An edit of this side that our delete had not seen: held while the delete was under way, or to be given back what a
    /// write of ours overwrote.
    fn unseen_edit(&self, scope: &Scope<'_>, side: Side) -> Option<usize> {
        let differs = |index: usize, value: &Stored| {
            let image = self.fields[index].image[side].as_ref();
            image.is_none_or(|image| !scope.mapping.fields[index].canon.same(image, value))
        };
        (0..self.fields.len()).find(|index| {
            let field = &self.fields[*index];
            let held = field.held[side].iter().rfind(|held| !held.late).map(|held| &held.value);
            let lost = field.taken.as_ref().filter(|taken| taken.side == side).map(|taken| &taken.value);
            held.into_iter().chain(lost).any(|value| differs(*index, value))
        })
    }

    /// What the other side moved to and this one never got, though it was on its way.
    fn edit_for(&self, scope: &Scope<'_>, side: Side) -> Option<usize> {
        let there = self.presence[side.other()] == Presence::Present;
        (0..self.fields.len()).find(|index| there && self.undelivered(scope, *index, side).is_some())
    }

    /// Nothing that was written to a record that is gone is waited for.
    fn close_writes(&mut self, side: Side) {
        for field in &mut self.fields {
            field.open[side].clear();
        }
        // What they overwrote unseen is still told, before their echoes or by them.
        let awaited = |sent: &Sent| sent.state == SentState::Awaited;
        let known = |sent: &Sent| !sent.delete && sent.state != SentState::Abandoned;
        self.ledger[side].retain(|sent| sent.restore || known(sent) || !sent.covered.is_empty());
        for sent in self.ledger[side].iter_mut().filter(|sent| !sent.restore && awaited(sent)) {
            sent.state = SentState::Settled;
        }
    }

    /// Our delete is through. An edit that it had not seen is a conflict.
    fn delete_done(&mut self, scope: &mut Scope<'_>, side: Side, unseen: Option<usize>) {
        let told = |field: &mut Field| std::mem::take(&mut field.held[side]).into_iter().rfind(|held| !held.late);
        let held: Vec<Option<Held>> = self.fields.iter_mut().map(told).collect();
        let Some(index) = unseen else {
            if self.fate_follows(side) && self.presence[side.other()] != Presence::Present {
                // What was on its way is kept for the record's coming back.
                self.fate = Fate::Gone;
                for field in &mut self.fields {
                    field.held = [Vec::new(), Vec::new()];
                }
            }
            return;
        };
        scope.notes.late += 1;
        let mut apart = Vec::new();
        for (index, held) in held.into_iter().enumerate() {
            if let Some(Held { value, at, place, .. }) = held {
                let pending = self.undelivered(scope, index, side);
                let before = self.fields[index].image[side].replace(value.clone());
                self.fields[index].taken = Some(Taken { side, value: value.clone(), at, place });
                apart.extend(pending.map(|other| (index, Move { side, value, at, place }, before, other)));
            }
        }
        self.judge_delete(scope, side.other(), index);
        // What the other side had moved to before it was deleted is in conflict with this, too.
        if self.fate == Fate::Live {
            for (index, moved, before, other) in apart {
                self.conflict(scope, index, moved, before, other, ConflictKind::Edit);
            }
        }
    }

    /// A record was brought back. What it shows nobody tells: somebody may have changed it before it was deleted.
    pub(super) fn restored(&mut self, scope: &mut Scope<'_>, side: Side, tag: Option<Tag>) {
        self.confirm_restore(scope, side, tag);
        if tag.is_none() {
            self.restored_before_delete(scope, side);
        }
        self.reread[side] = Some(crate::sync::Reread::News);
    }

    /// Somebody brought a record back that our delete, which is under way, had not seen come.
    fn restored_before_delete(&mut self, scope: &mut Scope<'_>, side: Side) {
        if self.presence[side] != Presence::Deleted || !self.fate_follows(side) || !self.is_deleting(side) {
            return;
        }
        self.presence[side] = Presence::Present;
        let (fate, winner, rule) = match scope.mapping.delete_conflict {
            DeleteConflict::Keep => (Fate::Live, Some(side), "it was brought back before the delete"),
            DeleteConflict::Delete => (self.fate.clone(), Some(side.other()), "the delete goes through"),
            DeleteConflict::Manual => (Fate::Manual, None, "manual"),
        };
        let images = self.fields.first().map(|field| field.image.clone()).unwrap_or_default();
        let (values, times) = ([None, None], [None, None]);
        self.write_down(scope, None, images, values, times, ConflictKind::Delete, winner, rule.to_owned());
        self.fate = fate;
        if self.fate == Fate::Live {
            self.take_all(scope, side);
        }
    }

    /// The delete of the other side was to follow here, and somebody edits the record here first.
    pub(super) fn edited_before_delete(
        &mut self,
        scope: &mut Scope<'_>,
        deleted: Side,
        at: Option<Timestamp>,
        index: usize,
    ) {
        self.judge_delete(scope, deleted, index);
        if scope.mapping.delete_conflict == DeleteConflict::Delete {
            self.fate = Fate::Follow { deleted, at };
        }
    }

    /// Deleted on `side`, edited on the other one.
    fn delete_conflict(&mut self, scope: &mut Scope<'_>, side: Side, at: Option<Timestamp>, index: usize) {
        self.judge_delete(scope, side, index);
        if scope.mapping.delete_conflict == DeleteConflict::Delete {
            self.follow(scope, side, at);
        }
    }

    /// Records the conflict between a delete on `deleted` and an edit on the other side, and decides it.
    fn judge_delete(&mut self, scope: &mut Scope<'_>, deleted: Side, index: usize) {
        let edited = deleted.other();
        let taken = self.fields[index].taken.clone();
        let mut values: [Option<Stored>; 2] = [None, None];
        values[edited] = taken.as_ref().map(|taken| taken.value.clone());
        let mut times = [None, None];
        times[edited] = taken.and_then(|taken| taken.at);
        let images = self.fields[index].image.clone();
        let (fate, winner, rule) = match scope.mapping.delete_conflict {
            DeleteConflict::Keep => (Fate::Live, Some(edited), "the edited record stays"),
            DeleteConflict::Delete => (Fate::Gone, Some(deleted), "the delete goes through"),
            DeleteConflict::Manual => (Fate::Manual, None, "manual"),
        };
        self.write_down(scope, None, images, values, times, ConflictKind::Delete, winner, rule.to_owned());
        self.fate = fate;
        if self.fate == Fate::Live {
            self.take_all(scope, edited);
        }
    }

    /// What the edited side shows is what the record is when it comes back.
    pub(super) fn take_all(&mut self, scope: &Scope<'_>, edited: Side) {
        for (pair, field) in scope.mapping.fields.iter().zip(&mut self.fields) {
            let Some(value) = field.image[edited].clone() else { continue };
            if field.taken.is_none() && pair.flow.writes(edited.other()) {
                field.taken = Some(crate::sync::Taken { side: edited, value, at: None, place: 0 });
            }
        }
    }

    /// What the file says about a delete on this side.
    fn follow(&mut self, scope: &mut Scope<'_>, side: Side, at: Option<Timestamp>) {
        for field in &mut self.fields {
            field.held[side].clear();
        }
        let there = self.presence[side.other()] == Presence::Present;
        self.fate = match scope.mapping.deletes[side] {
            _ if !there && self.flight[side.other()].is_none() => Fate::Gone,
            Deletes::Ignore => Fate::Severed,
            Deletes::Hard | Deletes::Soft(_) => Fate::Follow { deleted: side, at },
        };
        if self.fate == Fate::Severed {
            for field in &mut self.fields {
                field.taken = None;
            }
        }
        scope.note(self.id, Step::Decided, side, Vec::new(), "deleted");
    }

    /// The record is gone, and another one was made in its place.
    pub(crate) fn made_anew(&mut self, scope: &mut Scope<'_>, side: Side, key: String) {
        scope.note(self.id, Step::Linked, side, Vec::new(), format!("{key} carries its key"));
        self.close_writes(side);
        self.ledger[side].clear();
        (self.keys[side], self.order[side]) = (Some(key), 0);
        (self.read[side], self.stamp[side], self.young[side]) = (None, None, None);
    }

    /// The record that an earlier sending of a create had made was deleted, and a later one made it again.
    pub(crate) fn note_made_again(&self, scope: &mut Scope<'_>, side: Side, key: &str) {
        scope.notes.late += 1;
        let images = self.fields.first().map(|field| field.image.clone()).unwrap_or_default();
        let rule = format!("{key} was deleted, and made again before that was heard");
        let winner = Some(side.other());
        self.write_down(scope, None, images, [None, None], [None, None], ConflictKind::Delete, winner, rule);
    }

    /// A create of ours made the record: what it shows is nobody's edit.
    pub(crate) fn draft_shows(&mut self, scope: &Scope<'_>, side: Side, values: &crate::sync::Values) {
        self.presence[side] = Presence::Present;
        for (name, value) in values {
            for index in super::places(scope.mapping, side, name) {
                self.fields[index].image[side] = Some(value.clone());
            }
        }
    }

    /// The record was merged into another one on this side, and that one has no link yet: it becomes this link's.
    pub(crate) fn merged_into(&mut self, scope: &mut Scope<'_>, side: Side, winner: &str) {
        scope.note(self.id, Step::Linked, side, Vec::new(), format!("merged into {winner}"));
        self.keys[side] = Some(winner.to_owned());
        self.presence[side] = Presence::Present;
        self.close_writes(side);
        self.flight[side] = None;
        self.ledger[side].clear();
        for field in &mut self.fields {
            // As of a record that is joined: what it lacks does not take anything from the other side.
            (field.image[side], field.confirmed[side]) = (None, None);
        }
        self.order[side] = 0;
        self.read[side] = None;
        self.stamp[side] = None;
        self.reread[side] = Some(crate::sync::Reread::News);
    }
}

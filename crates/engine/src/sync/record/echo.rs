//! The echo of a write of ours: what it confirms, what it overwrote, what was made of it.

use jiff::Timestamp;

use super::{Scope, hear::Age, merge::Move, places};
use crate::sync::{
    ConflictKind, Deletes, Fate, Flow, Held, Link, Mutation, Open, Presence, Reread, Rewriting, Sent, SentState, Side,
    Step, Stored, Style, Tag, Taken, Values,
};

impl Link {
    /// Takes in a change that one of our writes made.
    pub(super) fn echo(&mut self, scope: &mut Scope<'_>, side: Side, tag: Tag, values: &Values, at: Option<Timestamp>) {
        scope.note(self.id, Step::Confirmed, side, Vec::new(), tag.to_string());
        if !sets_mark(scope, side, values) {
            self.presence[side] = Presence::Present;
        }
        let age = self.age(scope, side, at);
        if age != Age::New {
            self.tell_covered(scope, side, tag);
        }
        let given_up = |sent: &Sent| sent.tag == tag && sent.state == SentState::Abandoned;
        if age == Age::Unclear && self.ledger[side].iter().any(given_up) {
            // Whether it landed before the row was read or after, the row tells: it is still known as given up then.
            self.reread[side] = Some(Reread::News);
            return;
        }
        let written = self.take_written(side, tag);
        let known = written.is_some();
        let (written, settled) = written.unwrap_or_default();
        let (mut rest, mut doubtful): (Values, _) = (Vec::new(), Vec::new());
        for (name, value) in values {
            let own = places(scope.mapping, side, name).any(|index| written.iter().any(|(field, _)| *field == index));
            if !own {
                rest.push((name.clone(), value.clone()));
            }
        }
        let unanswered = scope.mapping.ends[side].style == Style::Compared
            && self.flight[side].as_ref().is_some_and(|flight| flight.carries(tag));
        for (index, open) in &written {
            let name = &scope.mapping.fields[*index].names[side];
            let told = values.iter().find(|(told, _)| told.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
            if settled {
                self.echo_settled(scope, *index, side, open, told);
                continue;
            }
            let shown = told.or_else(|| self.unchanged(scope, side, *index, open));
            let shown = shown.filter(|_| !self.is_told_late(scope, side, *index, at));
            // A compared write that is not answered: the change may be what another write of its transaction drew along.
            let canon = scope.mapping.fields[*index].canon;
            match shown.filter(|shown| !unanswered || canon.same(shown, &open.value)) {
                Some(shown) => self.echo_field(scope, side, *index, open, shown, at),
                None => doubtful.push((*index, open.clone())),
            }
        }
        self.keep_doubtful(scope, side, tag, doubtful);
        if scope.faulty(Mutation::DropByTag) {
            return;
        }
        if known || scope.mapping.ends[side].style == Style::Compared {
            self.tell(scope, side, &rest, at, age);
        } else {
            match age {
                Age::New => self.late_write(scope, side, tag, &rest, at),
                Age::Unclear => self.reread[side] = Some(Reread::News),
                // What it left was replaced before the row was read.
                Age::Late => {}
            }
        }
    }

    /// The echo of a write of which a row that was read since showed what became: it tells what lay before it. Unless
    /// what the row showed was another write's, and this one lands only now.
    fn echo_settled(&mut self, scope: &mut Scope<'_>, index: usize, side: Side, open: &Open, told: Option<Stored>) {
        let age = open.tag.age();
        let field = &mut self.fields[index];
        if field.confirmed[side].is_some_and(|confirmed| confirmed > age) {
            if let Some(value) = told {
                self.repair(scope, index, side, value);
            }
            return;
        }
        field.open[side].retain(|other| other.tag.age() > age);
        field.confirmed[side] = field.confirmed[side].max(Some(age));
        self.overwritten_before(scope, side, index, open);
    }

    /// A write that was given up, or whose row was read before its echo, had been done, and what it left was replaced in
    /// turn. What it overwrote unseen nobody wants back, and it is written down.
    fn tell_covered(&mut self, scope: &mut Scope<'_>, side: Side, tag: Tag) {
        let mut decided = self.ledger[side].iter_mut().filter(|sent| sent.state != SentState::Awaited);
        let Some(sent) = decided.find(|sent| sent.tag == tag) else { return };
        let (covered, written) = (std::mem::take(&mut sent.covered), sent.values.clone());
        for (index, held) in covered {
            let Some((_, open)) = written.iter().find(|(field, _)| *field == index) else { continue };
            if scope.mapping.fields[index].canon.same(&held.value, &open.value) {
                continue;
            }
            self.note_covered(scope, index, side, held, &open.taken);
        }
    }

    /// Writes down what a write of ours overwrote unseen and what came after that replaced.
    pub(super) fn note_covered(&self, scope: &mut Scope<'_>, index: usize, side: Side, held: Held, by: &Taken) {
        scope.notes.late += 1;
        let (mut values, mut times) = ([None, None], [None, None]);
        (values[side], times[side]) = (Some(held.value), held.at);
        (values[side.other()], times[side.other()]) = (Some(by.value.clone()), by.at);
        let (images, winner) = (self.fields[index].image.clone(), Some(by.side));
        let rule = "overwritten by a write of ours; what came after that stands".to_owned();
        self.write_down(scope, Some(index), images, values, times, ConflictKind::Late, winner, rule);
    }

    /// What was told before the echo of a write that is settled was overwritten by it.
    fn overwritten_before(&mut self, scope: &mut Scope<'_>, side: Side, index: usize, open: &Open) {
        let held = std::mem::take(&mut self.fields[index].held[side]);
        let canon = scope.mapping.fields[index].canon;
        let unseen = held.into_iter().rfind(|held| !held.late).filter(|held| !canon.same(&held.value, &open.value));
        if let Some(Held { value, at, place, .. }) = unseen {
            self.overwritten(scope, index, Move { side, value, at, place }, open);
        }
    }

    /// Whether an echo comes after changes of a field that were committed later: it was missed in a gap and is told once
    /// more. The row tells which came last.
    fn is_told_late(&self, scope: &Scope<'_>, side: Side, index: usize, at: Option<Timestamp>) -> bool {
        let mut held = self.fields[index].held[side].iter();
        scope.mapping.ends[side].style != Style::Compared
            && held.any(|held| !held.late && held.at.zip(at).is_some_and(|(held, echo)| held > echo))
    }

    /// What a field shows that a write of ours set and its echo does not tell: it did not change. None if that is not
    /// what was written, so that the row has to tell.
    fn unchanged(&self, scope: &Scope<'_>, side: Side, index: usize, open: &Open) -> Option<Stored> {
        let (pair, field) = (&scope.mapping.fields[index], &self.fields[index]);
        let before = field.held[side].last().map(|held| &held.value).or(field.image[side].as_ref());
        let before = before.cloned().unwrap_or_default();
        let trusted = scope.mapping.ends[side].style == Style::Compared || pair.canon.same(&before, &open.value);
        trusted.then_some(before)
    }

    /// Fields that an echo did not tell stay open until the row was read.
    fn keep_doubtful(&mut self, scope: &Scope<'_>, side: Side, tag: Tag, doubtful: Vec<(usize, Open)>) {
        if doubtful.is_empty() {
            return;
        }
        self.reread[side] = self.reread[side].or(Some(Reread::Echo));
        match self.flight[side].as_mut().filter(|flight| flight.carries(tag)) {
            Some(flight) => flight.doubtful = doubtful,
            None => self.await_row(scope, side, tag, doubtful),
        }
    }

    /// Waits for the row to show what became of these fields.
    pub(super) fn await_row(&mut self, scope: &Scope<'_>, side: Side, tag: Tag, values: Vec<(usize, Open)>) {
        let state = SentState::Awaited;
        let covered = Vec::new();
        self.ledger[side].push(Sent { tag, at: scope.now, delete: false, values, restore: false, covered, state });
    }

    /// The write with this tag, wherever it stands; it is confirmed now.
    fn take_written(&mut self, side: Side, tag: Tag) -> Option<(Vec<(usize, Open)>, bool)> {
        if let Some(flight) = self.flight[side].as_mut().filter(|flight| flight.carries(tag)) {
            flight.echoed = true;
            return Some((flight.values.clone(), false));
        }
        let at = self.ledger[side].iter().position(|sent| sent.tag == tag)?;
        // What was done before and whose echo did not come by now changed nothing: the row shows what was made of it.
        if self.ledger[side][..at].iter().any(|sent| sent.state == SentState::Awaited) {
            self.reread[side] = self.reread[side].or(Some(Reread::Echo));
        }
        let sent = self.ledger[side].remove(at);
        (sent.state != SentState::Abandoned).then_some((sent.values, sent.state == SentState::Settled))
    }

    fn echo_field(
        &mut self,
        scope: &mut Scope<'_>,
        side: Side,
        index: usize,
        open: &Open,
        value: Stored,
        at: Option<Timestamp>,
    ) {
        let pair = &scope.mapping.fields[index];
        let age = open.tag.age();
        self.fields[index].open[side].retain(|other| other.tag.age() > age);
        if self.fields[index].confirmed[side].is_some_and(|confirmed| confirmed > age) {
            self.repair(scope, index, side, value);
            return;
        }
        self.fields[index].confirmed[side] = Some(age);
        let rewritten = !pair.canon.same(&value, &open.value);
        self.fields[index].image[side] = Some(value.clone());
        let held = std::mem::take(&mut self.fields[index].held[side]);
        let unseen =
            held.into_iter().rfind(|held| !held.late).filter(|held| !pair.canon.same(&held.value, &open.value));
        if let Some(Held { value, at, place, .. }) = unseen {
            self.overwritten(scope, index, Move { side, value, at, place }, open);
        } else if rewritten {
            self.rewritten(scope, index, side, value, open, at);
        }
    }

    /// A value came back different: that is the side's own change, and goes to the other side once.
    pub(super) fn rewritten(
        &mut self,
        scope: &mut Scope<'_>,
        index: usize,
        side: Side,
        value: Stored,
        open: &Open,
        at: Option<Timestamp>,
    ) {
        if scope.faulty(Mutation::DropByTag) {
            return;
        }
        let field = &mut self.fields[index];
        if field.taken.as_ref().is_some_and(|taken| *taken != open.taken) {
            // Something newer is on its way here.
            return;
        }
        let one_way = matches!(scope.mapping.fields[index].flow, Flow::To(target) if target == side);
        if one_way || [Rewriting::Both, Rewriting::Once(side.other())].contains(&field.rewriting) {
            field.rewriting = Rewriting::Both;
            field.taken = None;
            scope.notes.rewritten += 1;
            scope.note(self.id, Step::Decided, side, Vec::new(), "rewritten: what was written comes back different");
        } else {
            field.rewriting = Rewriting::Once(side);
            field.taken = Some(Taken { side, value, at, place: scope.place });
        }
    }

    /// A write that nobody waits for any more landed: what the merge decided is written again.
    fn late_write(&mut self, scope: &mut Scope<'_>, side: Side, tag: Tag, values: &Values, at: Option<Timestamp>) {
        for (name, value) in values {
            let indexes: Vec<usize> = places(scope.mapping, side, name).collect();
            for index in indexes {
                if self.is_unresolved(index, side) {
                    // It lies before the echo of what was sent after it, which overwrote it; unless that was refused.
                    let held = Held { value: value.clone(), at, place: scope.place, late: true };
                    self.fields[index].held[side].push(held);
                    continue;
                }
                let newer = self.fields[index].confirmed[side].is_some_and(|confirmed| confirmed > tag.age());
                if newer || self.fields[index].image[side.other()].is_some() {
                    self.repair(scope, index, side, value.clone());
                } else {
                    let moved = Move { side, value: value.clone(), at, place: scope.place };
                    self.shows(scope, index, moved);
                }
            }
            self.watch(scope.mapping, side, name, value);
        }
    }

    /// What a late write left is replaced by what stands on the other side, unless something newer was taken.
    pub(super) fn repair(&mut self, scope: &mut Scope<'_>, index: usize, side: Side, value: Stored) {
        let together = self.fate == Fate::Live && self.takes_part(scope.mapping);
        let field = &mut self.fields[index];
        let agreed = field.image[side].replace(value);
        if field.taken.is_none() {
            let (from, value) = match (&field.image[side.other()], agreed) {
                (Some(other), _) if together && scope.mapping.fields[index].flow != Flow::To(side.other()) => {
                    (side.other(), other.clone())
                }
                (_, Some(before)) => (side, before),
                _ => return,
            };
            field.taken = Some(Taken { side: from, value, at: None, place: scope.place });
        }
        scope.notes.late += 1;
        scope.note(self.id, Step::Decided, side, Vec::new(), "a late write is repaired");
    }

    /// An event that was read already still tells that a write of ours landed.
    pub(super) fn confirm_known(&mut self, side: Side, tag: Option<Tag>) {
        let Some(tag) = tag else { return };
        self.ledger[side].retain(|sent: &Sent| sent.tag != tag);
    }

    /// The news that a record came back because we brought it back.
    pub(super) fn confirm_restore(&mut self, scope: &mut Scope<'_>, side: Side, tag: Option<Tag>) {
        let Some(tag) = tag else { return };
        let late = |sent: &Sent| sent.tag == tag && sent.restore && sent.state == SentState::Abandoned;
        if self.fate == Fate::Gone && self.ledger[side].iter().any(late) {
            // It was given up, and the record was deleted since: that stands.
            self.fate = Fate::Follow { deleted: side.other(), at: None };
            scope.notes.late += 1;
            scope.note(self.id, Step::Decided, side, Vec::new(), "a late write is repaired: the delete stands");
        }
        let ours = self.ledger[side].iter().any(|sent| sent.tag == tag && sent.restore)
            || self.flight[side].as_ref().is_some_and(|flight| flight.carries(tag));
        if ours {
            self.presence[side] = Presence::Present;
        }
    }

    /// What was held while a write was under way that did not happen is told now.
    pub(super) fn release(&mut self, scope: &mut Scope<'_>, side: Side) {
        for index in 0..self.fields.len() {
            if self.is_unresolved(index, side) {
                continue;
            }
            for held in std::mem::take(&mut self.fields[index].held[side]) {
                self.tell_held(scope, index, side, held);
            }
        }
    }

    /// What was held is told now, in its order.
    pub(super) fn tell_held(&mut self, scope: &mut Scope<'_>, index: usize, side: Side, held: Held) {
        let Held { value, at, place, late } = held;
        if late {
            self.repair(scope, index, side, value);
        } else {
            self.shows(scope, index, Move { side, value, at, place });
        }
    }
}

/// Whether values set the mark of a soft delete.
pub(super) fn sets_mark(scope: &Scope<'_>, side: Side, values: &Values) -> bool {
    let Deletes::Soft(column) = &scope.mapping.deletes[side.other()] else { return false };
    values.iter().any(|(name, value)| name.eq_ignore_ascii_case(column) && !value.is_null())
}

//! A change of one record is heard.

use jiff::Timestamp;

use super::{Scope, merge::Move, places, second};
use crate::sync::{
    ConflictKind, Entry, Fate, Held, Link, Mutation, News, NewsKind, Presence, Reread, Sent, SentState, Side, Step,
    Stored, Style, Values,
};

impl Link {
    /// Takes in a change of this record on a side.
    pub(crate) fn hear(&mut self, scope: &mut Scope<'_>, side: Side, entry: &Entry, shard: u64) {
        let news = &entry.news;
        scope.place = entry.place;
        scope.note(self.id, Step::Heard, side, news.values.clone(), kind_word(&news.kind));
        let tag = news.origin.filter(|tag| tag.shard == shard && !scope.faulty(Mutation::NoTag));
        if let Some(order) = news.order {
            let known = order <= self.order[side] && !scope.faulty(Mutation::NoDeduplication);
            self.order[side] = self.order[side].max(order);
            if known {
                self.confirm_known(side, tag);
                return;
            }
        }
        if let Some(flight) = self.flight[side].as_mut() {
            flight.overtaken |= !tag.is_some_and(|tag| flight.carries(tag));
        }
        match &news.kind {
            NewsKind::Create | NewsKind::Update => {
                let age = self.age(scope, side, news.at);
                if news.kind == NewsKind::Create {
                    self.shows_rest_blank(scope, side);
                }
                if let Some(tag) = tag {
                    self.echo(scope, side, tag, &news.values, news.at);
                } else if self.presence[side] == Presence::Deleted && !self.is_revived(scope, side, &news.values) {
                    // A row that was deleted softly is still there, and nobody keeps it in step.
                    self.tell(scope, side, &news.values, None, Age::Late);
                } else if self.is_before_delete(scope, side, news) {
                    // Most likely it lies before the delete that is known already. The row tells; where the record is
                    // being brought back, its echo decides.
                    if self.may_come_back(side) {
                        self.hold(scope, side, &news.values, news.at);
                    }
                    self.reread[side] = self.reread[side].or(Some(Reread::News));
                } else {
                    self.arrive(scope, side);
                    self.tell(scope, side, &news.values, news.at, age);
                }
                self.look_again(scope, side, news);
                self.convert(side, &news.values);
            }
            NewsKind::Delete { .. } => match self.age(scope, side, news.at) {
                // The row was read since, and was there.
                Age::Late if tag.is_none() && self.presence[side] == Presence::Present => {}
                Age::Unclear if tag.is_none() && self.presence[side] == Presence::Present => {
                    self.reread[side] = Some(Reread::News);
                }
                _ => self.deleted(scope, side, news.at, tag),
            },
            NewsKind::Undelete => {
                self.restored(scope, side, tag);
            }
            NewsKind::Gap => self.reread[side] = Some(Reread::News),
        }
        let told = !matches!(news.kind, NewsKind::Gap | NewsKind::Undelete);
        if told && self.stamp[side].is_none_or(|stamp| news.at.is_some_and(|at| at > stamp)) {
            self.stamp[side] = news.at.or(self.stamp[side]);
        }
    }

    /// Whether what a change tells lies before or after the row that was read last.
    pub(super) fn age(&self, scope: &Scope<'_>, side: Side, at: Option<Timestamp>) -> Age {
        match (at, self.read[side]) {
            _ if scope.mapping.ends[side].style == Style::Compared => Age::New,
            (Some(at), Some(read)) if second(at) < second(read) => Age::Late,
            (Some(at), Some(read)) if second(at) == second(read) => Age::Unclear,
            // What was missed in a gap and is told once more comes after what was committed later.
            (Some(at), _) if self.stamp[side].is_some_and(|stamp| at < stamp) => Age::Unclear,
            _ => Age::New,
        }
    }

    /// Whether an update is told of a record that is gone, though nobody told that it came back.
    fn is_before_delete(&self, scope: &Scope<'_>, side: Side, news: &News) -> bool {
        let busy = self.flight[side].is_some() || !self.ledger[side].is_empty();
        let soft = matches!(scope.mapping.deletes[side.other()], crate::sync::Deletes::Soft(_));
        let told = match scope.mapping.ends[side].style {
            Style::Tagged => true,
            Style::Compared => !soft,
            Style::Conditional => false,
        };
        let late = news.kind == NewsKind::Update || news.at.zip(self.stamp[side]).is_some_and(|(at, stamp)| at < stamp);
        // What lies before a delete is told while we bring the record back, too.
        told && (!busy || self.is_coming_back(side)) && late && self.presence[side] == Presence::Deleted
    }

    /// A create tells every field that has a value: the others have none.
    fn shows_rest_blank(&mut self, scope: &Scope<'_>, side: Side) {
        self.watched[side].resize(scope.mapping.ends[side].watch.len(), Stored::Null);
        for (pair, field) in scope.mapping.fields.iter().zip(&mut self.fields) {
            if pair.path.is_none() || side == Side::Right {
                field.image[side].get_or_insert(Stored::Null);
            }
        }
    }

    /// A side shows the record, where it was not or was gone.
    pub(super) fn arrive(&mut self, scope: &mut Scope<'_>, side: Side) {
        if self.presence[side] != Presence::Present {
            self.presence[side] = Presence::Present;
            self.deleted_there[side] = false;
            for index in 0..self.fields.len() {
                // What a write that is under way may overwrite is still told.
                if !self.is_unresolved(index, side) {
                    self.fields[index].held[side].clear();
                }
            }
            if matches!(self.fate, Fate::Gone | Fate::Severed) || self.fate_follows(side.other()) {
                self.fate = Fate::Live;
                // What the other side had not got when it was lost goes there now.
                self.take_all(scope, side);
                if self.deleted_there[side.other()] {
                    let rule = "it came back on the other side".to_owned();
                    let images = self.fields.first().map(|field| field.image.clone()).unwrap_or_default();
                    let (values, times) = ([None, None], [None, None]);
                    self.write_down(scope, None, images, values, times, ConflictKind::Delete, Some(side), rule);
                }
            }
        }
    }

    /// A soft-deleted row whose mark was taken away is back.
    fn is_revived(&mut self, scope: &mut Scope<'_>, side: Side, values: &Values) -> bool {
        let crate::sync::Deletes::Soft(column) = &scope.mapping.deletes[side.other()] else { return true };
        let cleared = values.iter().any(|(name, value)| name.eq_ignore_ascii_case(column) && value.is_null());
        cleared && matches!(self.fate, Fate::Gone | Fate::Live)
    }

    /// Values that somebody else set.
    pub(super) fn tell(&mut self, scope: &mut Scope<'_>, side: Side, values: &Values, at: Option<Timestamp>, age: Age) {
        for (name, value) in values {
            if age != Age::Late {
                self.watch(scope.mapping, side, name, value);
            }
            let indexes: Vec<usize> = places(scope.mapping, side, name).collect();
            for index in indexes {
                self.tell_field(scope, index, side, value, at, age);
            }
        }
    }

    /// Keeps values until the echo of a write decides about them.
    pub(super) fn hold(&mut self, scope: &Scope<'_>, side: Side, values: &Values, at: Option<Timestamp>) {
        for (name, value) in values {
            for index in places(scope.mapping, side, name) {
                self.fields[index].held[side].push(Held { value: value.clone(), at, place: scope.place, late: false });
            }
        }
    }

    fn tell_field(
        &mut self,
        scope: &mut Scope<'_>,
        index: usize,
        side: Side,
        value: &Stored,
        at: Option<Timestamp>,
        age: Age,
    ) {
        let moved = Move { side, value: value.clone(), at, place: scope.place };
        if self.is_unresolved(index, side) {
            self.fields[index].held[side].push(Held { value: value.clone(), at, place: scope.place, late: false });
            return;
        }
        match age {
            Age::New => self.shows(scope, index, moved),
            Age::Late => self.late(scope, index, moved),
            Age::Unclear => {
                let image = self.fields[index].image[side].as_ref();
                let same = image.is_some_and(|image| scope.mapping.fields[index].canon.same(image, value));
                if !same {
                    self.late(scope, index, moved);
                    self.reread[side] = Some(Reread::News);
                }
            }
        }
    }

    /// A change older than the row that was read: it was replaced there by whoever wrote the row. If that was us, and
    /// we had not seen it, it was overwritten.
    fn late(&mut self, scope: &mut Scope<'_>, index: usize, moved: Move) {
        let side = moved.side;
        let set = |sent: &Sent| sent.values.iter().find(|(field, _)| *field == index).map(|(_, open)| open.clone());
        let mut settled = self.ledger[side].iter().filter(|sent| sent.state == SentState::Settled);
        if let Some(open) = settled.find_map(set) {
            if !scope.mapping.fields[index].canon.same(&open.value, &moved.value) {
                self.overwritten_since(scope, index, moved, &open);
            }
            return;
        }
        // One that was given up may have been done all the same, and overwritten before the row was read.
        let mut given_up = self.ledger[side].iter_mut().filter(|sent| sent.state == SentState::Abandoned);
        if let Some(sent) = given_up.find(|sent| set(sent).is_some()) {
            let held = Held { value: moved.value, at: moved.at, place: moved.place, late: false };
            sent.covered.push((index, held));
        }
    }

    /// A write of ours overwrote a change, and a row was read since. Where somebody had seen what was written and changed
    /// it, that stands.
    pub(super) fn overwritten_since(
        &mut self,
        scope: &mut Scope<'_>,
        index: usize,
        moved: Move,
        open: &crate::sync::Open,
    ) {
        let (canon, side) = (scope.mapping.fields[index].canon, moved.side);
        let image = self.fields[index].image[side].as_ref();
        if image.is_none_or(|image| canon.same(image, &open.value)) {
            self.overwritten(scope, index, moved, open);
        } else {
            let held = Held { value: moved.value, at: moved.at, place: moved.place, late: false };
            self.note_covered(scope, index, side, held, &open.taken);
        }
    }

    /// A write of ours overwrote a change that its merge had not seen: the policy is applied again.
    pub(super) fn overwritten(&mut self, scope: &mut Scope<'_>, index: usize, moved: Move, open: &crate::sync::Open) {
        if scope.faulty(Mutation::NoLateConflict) {
            return;
        }
        scope.notes.late += 1;
        let side = moved.side;
        let newer = self.fields[index].taken.clone().filter(|taken| taken.side != side);
        let other = newer.unwrap_or_else(|| open.taken.clone());
        if other.side == side {
            // A repair overwrote it: what was repaired is older than what it overwrote. Whoever edits the record before
            // it is back does not see it.
            let (mut values, mut times) = ([None, None], [None, None]);
            (values[side], times[side]) = (Some(moved.value.clone()), moved.at);
            let images = self.fields[index].image.clone();
            let rule = "overwritten by a repair, and written again".to_owned();
            self.write_down(scope, Some(index), images, values, times, ConflictKind::Late, Some(side), rule);
            self.fields[index].taken =
                Some(crate::sync::Taken { side, value: moved.value, at: moved.at, place: moved.place });
            return;
        }
        let before = self.fields[index].image[side].clone();
        self.conflict(scope, index, moved, before, other, ConflictKind::Late);
    }

    /// A converted lead takes no more writes.
    fn convert(&mut self, side: Side, values: &Values) {
        let converted = values
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("IsConverted") && *value == Stored::Boolean(true));
        if converted && side == Side::Left {
            self.fate = Fate::Converted;
            for field in &mut self.fields {
                field.taken = None;
            }
        }
    }

    /// A parent path is told by no event of the child: when its reference moved, the row is read.
    fn look_again(&mut self, scope: &Scope<'_>, side: Side, news: &News) {
        let moved = scope.mapping.fields.iter().filter_map(|pair| pair.path.as_ref()).any(|path| {
            matches!(news.kind, NewsKind::Create)
                || news.values.iter().any(|(name, _)| name.eq_ignore_ascii_case(&path.via))
        });
        if side == Side::Left && moved {
            self.reread[side] = Some(Reread::News);
        }
    }
}

/// Where a change lies with respect to the row that was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// After it.
    New,
    /// In the same second.
    Unclear,
    /// Before it.
    Late,
}

fn kind_word(kind: &NewsKind) -> &'static str {
    match kind {
        NewsKind::Create => "create",
        NewsKind::Update => "update",
        NewsKind::Delete { .. } => "delete",
        NewsKind::Undelete => "undelete",
        NewsKind::Gap => "gap",
    }
}

//! Records that carry the key of the other side in their external id: whoever made them, and however late, they belong to
//! the link of that key, and nothing is made for them a second time.

use super::{Shard, cache::Lookup};
use crate::sync::{Fate, Key, LinkId, MappingIndex, Presence, Reread, Side, Step, Stored, Tag, Values};

/// A record that was told, as far as it matters whose it is.
pub(super) struct Carrier<'a> {
    pub(super) mapping: MappingIndex,
    pub(super) side: Side,
    pub(super) key: &'a Key,
    pub(super) values: &'a Values,
    /// The write of ours that made it, or none: a row does not tell.
    pub(super) tag: Option<Tag>,
    /// Nobody but us changed it, as far as is known.
    pub(super) ours: bool,
    /// The link that its key belongs to was read anew for it.
    pub(super) doubted: bool,
}

/// Whose a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Its own key tells.
    Itself,
    /// Of a link of which something is under way: what becomes of that comes first.
    Wait,
    /// Of a link that has another record, as far as is known: that one is read first.
    Doubt,
}

impl Shard {
    /// The other side's key that a record carries.
    pub(super) fn carried(&self, mapping: MappingIndex, side: Side, values: &Values) -> Option<Key> {
        let name = self.mapping(mapping).ends[side].external_id.as_ref()?;
        let (_, value) = values.iter().find(|(told, _)| told.eq_ignore_ascii_case(name))?;
        match value {
            Stored::Double(number) if number.fract() == 0.0 => Some(format!("{number:.0}")),
            value => value.as_key(),
        }
    }

    /// The other side's key that a record carries, if the record has no whole link of its own.
    pub(super) fn may_belong(&self, mapping: MappingIndex, side: Side, key: &Key, values: &Values) -> Option<Key> {
        let whole = match self.cache.lookup(mapping, side, key) {
            Lookup::Link(id) => self.cache.get(id).is_none_or(|link| !link.is_half()),
            Lookup::Absent | Lookup::Unloaded => false,
        };
        if whole { None } else { self.carried(mapping, side, values) }
    }

    /// Gives a record to the link whose other key it carries.
    pub(super) fn claim(&mut self, told: &Carrier<'_>) -> Claim {
        let Carrier { mapping, side, key, .. } = *told;
        let Some(other) = self.may_belong(mapping, side, key, told.values) else { return Claim::Itself };
        let Lookup::Link(id) = self.cache.lookup(mapping, side.other(), &other) else { return Claim::Itself };
        let half = match self.cache.lookup(mapping, side, key) {
            Lookup::Link(half) => Some(half),
            Lookup::Absent | Lookup::Unloaded => None,
        };
        let Some(link) = self.cache.get(id).filter(|_| half != Some(id)) else { return Claim::Itself };
        if half.and_then(|half| self.cache.get(half)).is_some_and(|half| half.flight.iter().any(Option::is_some)) {
            return Claim::Itself;
        }
        if link.flight[side].is_some() {
            return Claim::Wait;
        }
        let late = told.tag.map_or(told.ours && !link.loose[side].is_empty(), |tag| link.loose[side].contains(&tag));
        match (&link.keys[side], link.presence[side]) {
            (None, _) => self.give(id, half, told, late),
            (Some(_), Presence::Deleted) if late => self.undo_late_create(half, told),
            (Some(_), Presence::Deleted) => self.replace(id, half, told),
            (Some(_), _) if late && told.tag.is_some() => self.made_again(id, half, told),
            (Some(_), _) if told.doubted => {
                let half = half.unwrap_or_else(|| self.new_link(mapping, side, key.clone()));
                self.ambiguous(mapping, half, 2);
            }
            (Some(_), _) => {
                self.with(id, |link, _| link.reread[side] = Some(Reread::News));
                return Claim::Doubt;
            }
        }
        Claim::Itself
    }

    /// The link lacked its record on that side: this is it.
    fn give(&mut self, id: LinkId, half: Option<LinkId>, told: &Carrier<'_>, late: bool) {
        let (side, key) = (told.side, told.key.clone());
        if let Some(half) = half {
            self.absorb(id, half, side);
            return;
        }
        self.with(id, |link, scope| {
            scope.note(link.id, Step::Linked, side, Vec::new(), format!("{key} carries its key"));
            link.keys[side] = Some(key);
            link.unmatched = false;
            if late && link.presence[side.other()] == Presence::Deleted && link.fate == Fate::Gone {
                link.fate = Fate::Follow { deleted: side.other(), at: None };
            }
        });
        self.linked(id);
    }

    /// The link's record is gone, and somebody made it anew.
    fn replace(&mut self, id: LinkId, half: Option<LinkId>, told: &Carrier<'_>) {
        if let Some(half) = half {
            self.forget(half);
        }
        let (side, key) = (told.side, told.key.clone());
        self.with(id, |link, scope| link.made_anew(scope, side, key));
    }

    /// A create of ours that was given up landed after the record had been made by another sending and deleted: it is
    /// deleted once more, under a link of its own.
    fn undo_late_create(&mut self, half: Option<LinkId>, told: &Carrier<'_>) {
        let Carrier { mapping, side, key, values, .. } = *told;
        let id = half.unwrap_or_else(|| self.new_link(mapping, side, key.clone()));
        self.with(id, |link, scope| {
            scope.notes.late += 1;
            scope.note(link.id, Step::Decided, side, Vec::new(), "a create that was given up landed after the delete");
            link.fate = Fate::Follow { deleted: side.other(), at: None };
            link.draft_shows(scope, side, values);
        });
    }

    /// A create of ours that was given up had landed, and its record was deleted before the next sending made it again
    /// without knowing: the delete is overruled and written down, and what happened to the record before it is told
    /// under a link of its own.
    fn made_again(&mut self, id: LinkId, half: Option<LinkId>, told: &Carrier<'_>) {
        let Carrier { mapping, side, key, values, .. } = *told;
        let half = half.unwrap_or_else(|| self.new_link(mapping, side, key.clone()));
        self.with(half, |link, scope| {
            link.fate = Fate::Severed;
            link.draft_shows(scope, side, values);
        });
        self.with(id, |link, scope| link.note_made_again(scope, side, key));
    }

    /// A row was read: what waited to know whether its record is still there is looked at again.
    pub(super) fn release_doubted(&mut self) {
        let waits = self.deferred.iter().any(|item| matches!(item, super::Item::Row(read) if read.doubted));
        if waits {
            self.release_deferred();
        }
    }
}

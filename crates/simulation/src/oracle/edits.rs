//! No edit is lost: it stands, or was replaced by somebody who had seen it, or is in somebody's hands.

use std::collections::BTreeSet;

use tombolo_engine::sync::{FieldPair, LinkId, Side, Stored, Style};

use super::{Court, Violation};
use crate::{
    Engine, canon,
    ledger::{Author, Commit, CommitId, CommitKind, FieldChange, Told},
    moment::{shown, timestamp, whole_second},
    plan,
};

/// One edit: a field that somebody set.
struct Edit<'a> {
    id: CommitId,
    commit: &'a Commit,
    change: &'a FieldChange,
    mapping: usize,
    index: usize,
    pair: &'a FieldPair,
    links: BTreeSet<LinkId>,
}

pub(super) fn judge<E: Engine>(court: &Court<'_, E>) -> Vec<Violation> {
    let mut wrong = Vec::new();
    for (id, commit) in court.world.ledger.commits.iter().enumerate() {
        if !matches!(commit.author, Author::User(_) | Author::Initial) {
            continue;
        }
        let mapping = plan::mapping_of(commit.side, commit.entity);
        for change in &commit.changes {
            let Some((index, pair)) = court.pair(mapping, commit.side, &change.field) else { continue };
            if !pair.flow.writes(commit.side.other()) || court.disturbed(mapping, pair) {
                continue;
            }
            let links = court.links(mapping, commit.side, &commit.key);
            let edit = Edit { id, commit, change, mapping, index, pair, links };
            wrong.extend(court.lost(&edit));
        }
    }
    wrong
}

impl<E: Engine> Court<'_, E> {
    /// Why an edit is lost, if it is.
    fn lost(&self, edit: &Edit<'_>) -> Option<Violation> {
        let mut stands = edit.id;
        loop {
            let next = self.world.ledger.next(stands, &edit.change.field)?;
            let by = &self.world.ledger.commits[next];
            let Author::Engine(..) = by.author else { return None };
            let replaced = by.changes.iter().find(|change| change.field == edit.change.field);
            if replaced.is_some_and(|replaced| canon::same(edit.pair.canon, &replaced.after, &edit.change.after)) {
                return None;
            }
            if self.is_excused(edit, by) {
                return None;
            }
            // A write that landed late, and was repaired.
            match self.restored(edit, next) {
                Some(repair) => stands = repair,
                None => return Some(self.told(edit, by, replaced)),
            }
        }
    }

    fn is_excused(&self, edit: &Edit<'_>, by: &Commit) -> bool {
        self.is_nothing_new(edit)
            || self.was_shown_over_there(edit, by)
            || self.is_written_down(edit, by)
            || self.in_hands(&edit.links, edit.index, edit.pair)
            || self.was_dead(&edit.links, edit.pair)
            || self.leaves_no_trace(edit, by)
            || self.are_history(&edit.links)
    }

    /// The commit by which the engine brought the edit back, if nobody else set the field in between.
    fn restored(&self, edit: &Edit<'_>, overwritten: CommitId) -> Option<CommitId> {
        let mut at = overwritten;
        loop {
            at = self.world.ledger.next(at, &edit.change.field)?;
            let commit = &self.world.ledger.commits[at];
            if !matches!(commit.author, Author::Engine(..)) {
                // Somebody of the same side set it anew before the repair: what was lost in between is written down.
                return self.is_named(edit).then_some(at);
            }
            let change = commit.changes.iter().find(|change| change.field == edit.change.field);
            if change.is_some_and(|change| canon::same(edit.pair.canon, &change.after, &edit.change.after)) {
                return Some(at);
            }
        }
    }

    fn told(&self, edit: &Edit<'_>, by: &Commit, replaced: Option<&FieldChange>) -> Violation {
        let seen = self.world.had_seen(by.author, edit.id);
        let kind = if seen { "an edit that was seen is dropped" } else { "an edit is overwritten blindly" };
        let now = replaced.map_or_else(|| "deleted".to_owned(), |replaced| canon::shown(&replaced.after));
        let text = format!(
            "{:?} {} {}.{} = {} at {} by {:?}, replaced at {} by {:?}: {now}; policy {:?}",
            edit.commit.side,
            edit.commit.entity,
            edit.commit.key,
            edit.change.field,
            canon::shown(&edit.change.after),
            shown(edit.commit.at).trim(),
            edit.commit.author,
            shown(by.at).trim(),
            by.author,
            edit.pair.policy,
        );
        Violation { kind, text }
    }

    /// It went back to what was there before, or filled in nothing.
    fn is_nothing_new(&self, edit: &Edit<'_>) -> bool {
        let same = |value: &Stored| canon::same(edit.pair.canon, value, &edit.change.after);
        let commits = self.world.ledger.of(edit.commit.side, edit.commit.entity, &edit.commit.key);
        let earlier = commits.iter().filter(|id| **id <= edit.id).map(|id| &self.world.ledger.commits[*id]);
        let mut changes = earlier.flat_map(|commit| &commit.changes).filter(|change| change.field == edit.change.field);
        let made = edit.commit.kind == CommitKind::Create;
        (made && canon::blank(edit.pair.canon, &edit.change.after))
            || changes.any(|change| same(&change.before) || (same(&change.after) && !std::ptr::eq(change, edit.change)))
    }

    /// It was written to the other side, where somebody saw it and changed it, or the system did.
    fn was_shown_over_there(&self, edit: &Edit<'_>, by: &Commit) -> bool {
        let (side, other) = (edit.commit.side, edit.commit.side.other());
        let field = &edit.pair.names[other];
        let same = |value: &Stored| self.same_across(edit.pair, side, &edit.change.after, value);
        let deleted = !by.changes.iter().any(|change| change.field == edit.change.field);
        self.counterparts(edit.mapping, side, &edit.commit.key).iter().any(|key| {
            let commits = self.world.ledger.of(other, plan::entity(edit.mapping, other), key);
            commits.iter().any(|id| {
                let commit = &self.world.ledger.commits[*id];
                let Some(change) = commit.changes.iter().find(|change| change.field == *field) else { return false };
                if let Author::Engine(request, write) = commit.author {
                    let written = &self.world.requests[request].batch.writes[write].values;
                    let value = written.iter().find(|(name, _)| name == field).map(|(_, value)| value);
                    if commit.at >= edit.commit.at && value.is_some_and(same) && !same(&change.after) {
                        return true;
                    }
                }
                let next = self.world.ledger.next(*id, field).map(|next| &self.world.ledger.commits[next]);
                let ends = next.map_or(i64::MAX, |next| next.at);
                if deleted && same(&change.after) && next.is_some_and(|next| next.kind == CommitKind::Delete) {
                    return true;
                }
                let moved_on = next.is_some_and(|next| !matches!(next.author, Author::Engine(..)));
                same(&change.after)
                    && ends >= edit.commit.at
                    && (moved_on || (deleted && self.deleted_after(commit, by)))
            })
        })
    }

    /// Whether somebody deleted this record after a commit of it, and before another commit.
    fn deleted_after(&self, commit: &Commit, by: &Commit) -> bool {
        let commits = self.world.ledger.of(commit.side, commit.entity, &commit.key);
        commits.iter().map(|id| &self.world.ledger.commits[*id]).any(|later| {
            later.kind == CommitKind::Delete
                && !matches!(later.author, Author::Engine(..))
                && later.at >= commit.at
                && later.at <= by.at
        })
    }

    /// A conflict names it as the loser, or as undecided.
    fn is_written_down(&self, edit: &Edit<'_>, by: &Commit) -> bool {
        let side = edit.commit.side;
        self.conflicts(&edit.links, edit.pair).any(|conflict| {
            if conflict.field.is_none() {
                return by.kind == CommitKind::Delete || conflict.winner != Some(side);
            }
            let value = conflict.values[side].as_ref();
            conflict.winner != Some(side)
                && value.is_some_and(|value| canon::same(edit.pair.canon, value, &edit.change.after))
        })
    }

    /// A conflict names it, whoever won.
    fn is_named(&self, edit: &Edit<'_>) -> bool {
        self.conflicts(&edit.links, edit.pair).any(|conflict| {
            let value = conflict.values[edit.commit.side].as_ref();
            value.is_some_and(|value| canon::same(edit.pair.canon, value, &edit.change.after))
        })
    }

    /// Nobody could have known: its event told nothing and the write had left, or it lies in the same second as a
    /// conditional write.
    fn leaves_no_trace(&self, edit: &Edit<'_>, by: &Commit) -> bool {
        let Author::Engine(number, place) = by.author else { return false };
        if edit.commit.side != Side::Left {
            return false;
        }
        let request = &self.world.requests[number];
        if let Told::Gap(told) = edit.commit.told {
            return told.is_none_or(|told| request.sent <= told) && !self.world.had_seen(by.author, edit.id);
        }
        if self.world.history.choices.style != Style::Conditional {
            return false;
        }
        let since = request.batch.writes.get(place).and_then(|write| write.unmodified_since);
        let late = edit.commit.made < edit.commit.at && since == Some(timestamp(edit.commit.stamp));
        late || whole_second(edit.commit.stamp) == whole_second(by.stamp)
    }
}

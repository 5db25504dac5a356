//! Two half links become one: records of both sides that are the same.

use super::{Scope, merge::Move};
use crate::sync::{ConflictKind, Flow, Link, Side, Step, Taken};

impl Link {
    /// Takes over the other side from another half link, and merges for the first time: a value beats a blank, two
    /// values follow the policy.
    pub(crate) fn join(&mut self, scope: &mut Scope<'_>, side: Side, other: &mut Self) {
        self.keys[side] = other.keys[side].take();
        self.presence[side] = other.presence[side];
        self.order[side] = other.order[side];
        self.stamp[side] = other.stamp[side];
        self.read[side] = other.read[side];
        self.reread[side] = other.reread[side];
        self.watched[side] = std::mem::take(&mut other.watched[side]);
        self.flight[side] = other.flight[side].take();
        self.ledger[side] = std::mem::take(&mut other.ledger[side]);
        self.unmatched = false;
        let note = format!("{} = {}", self.keys[0].as_deref().unwrap_or("?"), self.keys[1].as_deref().unwrap_or("?"));
        scope.note(self.id, Step::Linked, side, Vec::new(), note);
        for index in 0..self.fields.len() {
            let field = std::mem::take(&mut other.fields[index]);
            self.fields[index].image[side] = field.image[side].clone();
            self.fields[index].open[side] = field.open[side].clone();
            self.fields[index].held[side] = field.held[side].clone();
            self.first_merge(scope, index, side, field.taken);
        }
    }

    fn first_merge(&mut self, scope: &mut Scope<'_>, index: usize, side: Side, theirs: Option<Taken>) {
        let pair = &scope.mapping.fields[index];
        let image = self.fields[index].image.clone();
        let taken = |side: Side| {
            let value = image[side].clone()?;
            Some(Taken { side, value, at: None, place: 0 })
        };
        let one_way = match pair.flow {
            Flow::To(target) => Some(target.other()),
            Flow::Both => None,
        };
        if let Some(source) = one_way {
            self.fields[index].taken = taken(source);
            return;
        }
        let ours = self.fields[index].taken.take().filter(|taken| taken.side != side).or_else(|| taken(side.other()));
        let theirs = theirs.filter(|taken| taken.side == side).or_else(|| taken(side));
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                let moved = Move { side, value: theirs.value, at: theirs.at, place: theirs.place };
                self.decide(scope, index, moved, None, Some(ours), ConflictKind::FirstMerge);
            }
            (ours, theirs) => self.fields[index].taken = ours.or(theirs),
        }
    }
}

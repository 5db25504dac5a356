//! A side asks whether a record is meant: a duplicate rule of Salesforce warns. A person decides, with the means of any
//! other conflict: the other side's record is written though it looks like another one, or it is left as it is.

use super::Scope;
use crate::sync::{Conflict, ConflictKind, Flight, Link, Refusal, Side, Step, Taken};

impl Link {
    /// The write was refused with a question. What is refused stays refused until somebody decides, or it moves again.
    pub(super) fn question(&mut self, scope: &mut Scope<'_>, side: Side, flight: &Flight, refusal: &Refusal) {
        self.shut(scope, side, flight, refusal);
        self.asked[side] = true;
        self.note_question(scope, side, None, format!("{}: {}", refusal.code, refusal.message));
        scope.note(self.id, Step::Decided, side, Vec::new(), "a person has to decide");
    }

    /// The record was written after all: there is nothing to decide any more.
    pub(super) fn answered_by_itself(&mut self, scope: &mut Scope<'_>, side: Side) {
        self.insists[side] = false;
        if std::mem::take(&mut self.asked[side]) {
            self.note_question(scope, side, Some(side.other()), "it was written".to_owned());
        }
    }

    /// A person decided, if this is the question that was open. Taking the side that asked leaves it as it is, and the
    /// other one follows it in the fields that were refused; a record that was to be made there is not made. Taking the
    /// other one writes it though it looks like another record.
    pub(crate) fn decide_question(&mut self, scope: &mut Scope<'_>, conflict: &str, taken: Side) -> bool {
        let Some(side) = Side::BOTH.into_iter().find(|side| conflict == self.question_id(*side)) else { return false };
        if !std::mem::take(&mut self.asked[side]) {
            return true;
        }
        let rule = "decided by a person";
        self.note_question(scope, side, Some(taken), rule.to_owned());
        scope.note(self.id, Step::Decided, taken, Vec::new(), rule);
        if taken != side {
            self.insists[side] = true;
            self.forgive(scope, None);
            return true;
        }
        for field in &mut self.fields {
            if field.refused[side].take().is_some()
                && let Some(value) = field.image[side].clone()
            {
                field.taken = Some(Taken { side, value, at: None, place: 0 });
            }
        }
        true
    }

    fn question_id(&self, side: Side) -> String {
        format!("{}-duplicate-{}", self.id, ["left", "right"][side as usize])
    }

    fn note_question(&self, scope: &mut Scope<'_>, side: Side, winner: Option<Side>, rule: String) {
        scope.notes.conflicts.push(Conflict {
            id: self.question_id(side),
            link: self.id,
            mapping: self.mapping,
            keys: self.keys.clone(),
            field: None,
            images: [None, None],
            values: [None, None],
            times: [None, None],
            kind: ConflictKind::Duplicate,
            winner,
            at: scope.now,
            rule,
        });
    }
}

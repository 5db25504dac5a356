//! What people ask of a shard.

use super::{Shard, cache::Lookup, recover::MASS_DELETE};
use crate::sync::{Command, Conflict, ConflictKind, Fate, LinkId, MappingIndex, Presence, Side, Step, Taken};

impl Shard {
    /// Does what was asked. It is told with the same transaction that it was done.
    pub(super) fn command(&mut self, id: u64, command: Command) {
        if !self.is_at_hand(&command) {
            self.needs.commands.push((id, command));
            return;
        }
        match command {
            // Not the shard's: whoever drives it knows what to do.
            Command::Reload => {}
            Command::Pause(mapping) => self.pause(mapping, true),
            Command::Resume(mapping) => self.pause(mapping, false),
            Command::Retry { link, code } => self.retry(link, code.as_deref()),
            Command::Reconcile { mapping, since } => {
                for index in self.chosen(mapping) {
                    self.reconcile(index, since);
                }
            }
            Command::Scrub(mapping) => {
                for index in self.chosen(mapping) {
                    self.scrub(index);
                }
            }
            Command::Decide { conflict, link, side } => {
                self.with(link, |link, scope| link.decide_manual(scope, &conflict, side));
            }
            Command::Choose { link, side, values } => {
                self.with(link, |link, scope| link.choose(scope, side, &values));
            }
            Command::Forget { mapping, side, key } => {
                if let Lookup::Link(id) = self.cache.lookup(mapping, side, &key) {
                    self.forget(id);
                }
            }
        }
        self.transaction.commands.push(id);
    }

    /// Whether the link that a command is about is here; if not, it is asked for.
    fn is_at_hand(&mut self, command: &Command) -> bool {
        match command {
            Command::Decide { link, .. } | Command::Choose { link, .. } | Command::Retry { link: Some(link), .. } => {
                let here = self.cache.get(*link).is_some();
                if !here {
                    self.needs.want(*link);
                }
                here
            }
            Command::Forget { mapping, side, key } => {
                let here = self.cache.lookup(*mapping, *side, key) != Lookup::Unloaded;
                if !here {
                    self.needs.by_key.insert((*mapping, *side, key.clone()));
                }
                here
            }
            _ => true,
        }
    }

    /// Commands whose link was asked for. One whose link does not exist is done.
    pub(super) fn commands_loaded(&mut self) {
        for (id, command) in std::mem::take(&mut self.needs.commands) {
            if self.is_at_hand(&command) {
                self.command(id, command);
            } else {
                self.transaction.commands.push(id);
            }
        }
    }

    fn chosen(&self, mapping: Option<MappingIndex>) -> Vec<MappingIndex> {
        let all = 0..self.plan.mappings.len();
        all.filter(|index| mapping.is_none_or(|mapping| mapping == *index)).collect()
    }

    fn pause(&mut self, mapping: Option<MappingIndex>, paused: bool) {
        for index in self.chosen(mapping) {
            self.mappings[index].paused = paused;
            if !paused {
                self.brake.release_deletes(index);
                for side in Side::BOTH {
                    self.revive(index, side);
                }
                self.regain(index);
            }
            self.transaction.mappings.push((index, self.mappings[index].clone()));
        }
        if !paused {
            self.touch_all();
        }
    }

    /// A mapping that a system stopped is tried again; a brake waits for a person.
    pub(super) fn probe(&mut self, mapping: MappingIndex) {
        for side in Side::BOTH {
            let halted = &self.mappings[mapping].halted[side];
            if halted.as_ref().is_some_and(|reason| !reason.starts_with(MASS_DELETE)) {
                self.revive(mapping, side);
            }
        }
    }

    pub(super) fn touch_all(&mut self) {
        let active: Vec<LinkId> = self
            .cache
            .links()
            .filter(|link| link.is_active() || self.is_unfinished(link))
            .map(|link| link.id)
            .collect();
        self.touched.extend(active);
    }

    /// Merges dead letters anew, from what both sides show.
    fn retry(&mut self, link: Option<LinkId>, code: Option<&str>) {
        let stuck: Vec<LinkId> = match link {
            Some(id) => vec![id],
            None => self.cache.links().filter(|link| link.is_stuck()).map(|link| link.id).collect(),
        };
        for id in stuck {
            self.retry_link(id, code);
        }
        if link.is_none() {
            (0..self.mappings.len()).for_each(|mapping| self.regain(mapping));
        }
    }

    pub(super) fn retry_link(&mut self, id: LinkId, code: Option<&str>) {
        self.brake.release(id);
        self.with(id, |link, scope| link.forgive(scope, code));
    }
}

impl crate::sync::Link {
    /// Looks at what was refused once more: a new merge from what is known, never the same body again.
    pub(crate) fn forgive(&mut self, scope: &mut crate::sync::record::Scope<'_>, code: Option<&str>) {
        let matches = |refusal: &crate::sync::Refusal| code.is_none_or(|code| refusal.code == code);
        for side in Side::BOTH {
            let mut forgiven = self.refused[side].take_if(|refusal| matches(refusal)).is_some();
            for field in &mut self.fields {
                let other = side.other();
                if field.refused[side].take_if(|refusal| matches(refusal)).is_some() {
                    forgiven = true;
                    if field.taken.is_none()
                        && let Some(value) = field.image[other].clone()
                    {
                        field.taken = Some(Taken { side: other, value, at: None, place: 0 });
                    }
                }
            }
            if forgiven {
                self.note_what_is_left(scope, side);
            }
        }
    }

    /// The letter of a side lists what it still refuses; with nothing left there is none.
    fn note_what_is_left(&self, scope: &mut crate::sync::record::Scope<'_>, side: Side) {
        let mut fields = self.fields.iter().zip(&scope.mapping.fields);
        let left = fields.find_map(|(field, pair)| Some((field.refused[side].clone()?, pair.names[side].clone())));
        match (&self.refused[side], left) {
            (Some(refusal), _) => self.note_dead_letter(scope, side, Vec::new(), &refusal.clone()),
            (None, Some((refusal, field))) => self.note_dead_letter(scope, side, vec![field], &refusal),
            (None, None) => scope.notes.delivered.push((self.id, side)),
        }
    }

    /// A person decided: this side's values are taken.
    pub(crate) fn decide_manual(&mut self, scope: &mut crate::sync::record::Scope<'_>, conflict: &str, side: Side) {
        if self.decide_question(scope, conflict, side) {
            return;
        }
        let index = conflict.rsplit_once("-f").and_then(|(_, index)| index.parse::<usize>().ok());
        let Some(index) = index.filter(|index| *index < self.fields.len()) else {
            self.decide_record(scope, conflict, side);
            return;
        };
        let field = &mut self.fields[index];
        if !field.manual {
            return;
        }
        field.manual = false;
        let Some(value) = field.image[side].clone() else { return };
        field.taken = Some(Taken { side, value, at: None, place: 0 });
        let names = scope.mapping.fields[index].names.clone();
        self.close_conflict(scope, conflict, Some(names), side);
    }

    fn decide_record(&mut self, scope: &mut crate::sync::record::Scope<'_>, conflict: &str, side: Side) {
        if self.fate != Fate::Manual {
            return;
        }
        self.fate = if self.presence[side] == Presence::Deleted {
            Fate::Follow { deleted: side, at: None }
        } else {
            Fate::Live
        };
        self.close_conflict(scope, conflict, None, side);
    }

    fn close_conflict(
        &self,
        scope: &mut crate::sync::record::Scope<'_>,
        conflict: &str,
        field: Option<[String; 2]>,
        side: Side,
    ) {
        scope.note(self.id, Step::Decided, side, Vec::new(), "decided by a person");
        scope.notes.conflicts.push(Conflict {
            id: conflict.to_owned(),
            link: self.id,
            mapping: self.mapping,
            keys: self.keys.clone(),
            field,
            images: [None, None],
            values: [None, None],
            times: [None, None],
            kind: ConflictKind::Edit,
            winner: Some(side),
            at: scope.now,
            rule: "decided by a person".to_owned(),
        });
    }

    /// A person gives the values.
    pub(crate) fn choose(
        &mut self,
        scope: &mut crate::sync::record::Scope<'_>,
        side: Side,
        values: &[crate::sync::Choice],
    ) {
        for (name, value) in values {
            for (index, pair) in scope.mapping.fields.iter().enumerate() {
                if pair.names[side].eq_ignore_ascii_case(name) {
                    let field = &mut self.fields[index];
                    field.manual = false;
                    field.refused = [None, None];
                    field.taken = Some(Taken { side, value: value.clone(), at: Some(scope.now), place: 0 });
                }
            }
        }
        scope.note(self.id, Step::Decided, side, values.to_vec(), "chosen by a person");
    }
}

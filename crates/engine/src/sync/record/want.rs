//! What is to be written to a side, derived from what is known: nothing of it is stored.

use jiff::Timestamp;

use super::{Scope, Translation, merge::Move};
use crate::sync::{
    Deletes, Fate, Flight, Key, Link, MappingIndex, Mutation, Open, Operation, Presence, Rewriting, Sent, SentState,
    Side, Step, Stored, Style, Tag, Taken, Values, Write,
};

/// A value as a side says it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// So.
    Value(Stored),
    /// It is the key of a record that has none there yet.
    Missing(MappingIndex, Side, Key),
    /// Nobody has looked.
    Unloaded(MappingIndex, Side, Key),
}

/// What is to be done to a side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Want {
    /// Nothing, or nothing yet.
    Nothing,
    /// A write of these fields.
    Write(Intent),
    /// These other links are to be looked up first.
    Look(Vec<(MappingIndex, Side, Key)>),
    /// It waits for the link of this parent.
    Wait((MappingIndex, Side, Key)),
    /// The row is to be read first.
    Read,
    /// The row is to be read first, and not before then.
    Later(Timestamp),
}

/// What a write would do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Intent {
    pub(crate) kind: IntentKind,
    /// Fields of lines, and the values.
    pub(crate) fields: Vec<(usize, Stored, Taken)>,
    /// Other fields: soft deletes.
    pub(crate) extra: Values,
    /// An optional reference that is left out until its link is there.
    pub(crate) waits: Option<(MappingIndex, Side, Key)>,
}

/// The kinds of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntentKind {
    Create,
    Restore,
    Update,
    Delete,
    SoftDelete,
}

/// What a side still needs in one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Need {
    Nothing,
    Value(Stored, Taken),
    Missing(MappingIndex, Side, Key),
    Unloaded(MappingIndex, Side, Key),
}

impl Link {
    /// A taken value as this side says it.
    pub(super) fn said(&self, scope: &Scope<'_>, index: usize, taken: &Taken, side: Side) -> Said {
        let pair = &scope.mapping.fields[index];
        if taken.side == side {
            return Said::Value(taken.value.clone());
        }
        let Some(reference) = pair.reference else {
            return Said::Value(pair.canon.say(&taken.value, side));
        };
        let Some(key) = taken.value.as_key() else { return Said::Value(Stored::Null) };
        match scope.references.translate(reference.mapping, taken.side, &key) {
            Translation::Known(other) => Said::Value(Stored::Text(other)),
            Translation::Missing => Said::Missing(reference.mapping, taken.side, key),
            Translation::Unloaded => Said::Unloaded(reference.mapping, taken.side, key),
        }
    }

    /// What a side still needs in a field. For a record that is made, what the other side shows is what is taken.
    pub(crate) fn need(&self, scope: &Scope<'_>, index: usize, side: Side, whole: bool) -> Need {
        let (pair, field) = (&scope.mapping.fields[index], &self.fields[index]);
        if !pair.flow.writes(side)
            || pair.path.is_some() && side == Side::Left
            || field.manual
            || field.refused[side].is_some()
            || field.rewriting == Rewriting::Both && !whole
        {
            return Need::Nothing;
        }
        let other = field.image[side.other()].as_ref();
        let shown = whole.then(|| other.filter(|value| !value.is_null())).flatten();
        let implied = shown.map(|value| Taken { side: side.other(), value: value.clone(), at: None, place: 0 });
        let Some(taken) = field.taken.clone().or(implied) else { return Need::Nothing };
        match self.said(scope, index, &taken, side) {
            Said::Missing(mapping, from, key) => Need::Missing(mapping, from, key),
            Said::Unloaded(mapping, from, key) => Need::Unloaded(mapping, from, key),
            Said::Value(goal) => {
                let current = if whole { None } else { self.current(index, side) };
                let stands = match current {
                    Some(shown) => pair.canon.same(shown, &goal),
                    None => pair.canon.of(&goal).is_null(),
                };
                if stands { Need::Nothing } else { Need::Value(goal, taken) }
            }
        }
    }

    /// What is to be written to a side now. Where there are `echoes` to rely on, writes have no condition.
    pub(crate) fn want(&self, scope: &Scope<'_>, side: Side, echoes: bool) -> Want {
        let conditional = !echoes && scope.mapping.ends[side].style != Style::Compared;
        match (self.want_now(scope, side), self.young[side].filter(|_| conditional)) {
            (Want::Write(_), Some(until)) if scope.now < until => Want::Later(until),
            (Want::Write(_), Some(_)) => Want::Read,
            // A write of ours moved the row's time, and what it left has to be known before a condition rests on that.
            (Want::Write(_), None) if conditional && self.is_awaited(side) => Want::Read,
            (want, _) => want,
        }
    }

    /// Whether the echo of a write that sets fields is waited for.
    fn is_awaited(&self, side: Side) -> bool {
        self.ledger[side].iter().any(|sent| sent.state == SentState::Awaited && !sent.values.is_empty())
    }

    fn want_now(&self, scope: &Scope<'_>, side: Side) -> Want {
        if self.flight[side].is_some() || self.refused[side].is_some() || self.reread[side].is_some() {
            return Want::Nothing;
        }
        let other = side.other();
        match self.fate {
            // A delete that was answered and not told yet is not asked for again.
            Fate::Follow { .. } if self.is_being_deleted(side) => Want::Nothing,
            Fate::Follow { deleted, at } if deleted == other && self.presence[side] == Presence::Present => {
                let (kind, extra) = match &scope.mapping.deletes[other] {
                    Deletes::Soft(column) => {
                        let at = at.map_or(scope.now, |at| scope.ours(other, at));
                        (IntentKind::SoftDelete, vec![(column.clone(), Stored::DateTime(at))])
                    }
                    Deletes::Hard | Deletes::Ignore => (IntentKind::Delete, Vec::new()),
                };
                Want::Write(Intent { kind, fields: Vec::new(), extra, waits: None })
            }
            Fate::Live if self.takes_part(scope.mapping) => self.want_alive(scope, side),
            Fate::Live | Fate::Severed => self.want_back(scope, side),
            _ => Want::Nothing,
        }
    }

    /// Whether a delete of ours was answered and its echo may still come.
    pub(super) fn is_being_deleted(&self, side: Side) -> bool {
        self.ledger[side].iter().any(|sent| sent.delete && sent.state == SentState::Awaited)
    }

    fn want_alive(&self, scope: &Scope<'_>, side: Side) -> Want {
        let there = self.presence[side.other()] == Presence::Present;
        let kind = match self.presence[side] {
            Presence::Present => IntentKind::Update,
            Presence::Absent if there && self.unmatched && scope.mapping.ends[side].creates => IntentKind::Create,
            Presence::Deleted if self.comes_back(scope, side) => IntentKind::Restore,
            _ => return Want::Nothing,
        };
        // What a database makes again has nothing of what it had.
        let soft = matches!(scope.mapping.deletes[side.other()], Deletes::Soft(_));
        let remade = kind == IntentKind::Restore && scope.mapping.ends[side].style == Style::Compared && !soft;
        let whole = kind == IntentKind::Create || remade;
        let mut intent = Intent { kind, fields: Vec::new(), extra: Vec::new(), waits: None };
        let mut look = Vec::new();
        for index in 0..self.fields.len() {
            match self.need(scope, index, side, whole) {
                Need::Nothing => {}
                Need::Value(value, taken) => intent.fields.push((index, value, taken)),
                Need::Unloaded(mapping, from, key) => look.push((mapping, from, key)),
                Need::Missing(mapping, from, key) => {
                    let required = scope.mapping.fields[index].reference.is_some_and(|r| r.required[side]);
                    if required && kind != IntentKind::Update {
                        return Want::Wait((mapping, from, key));
                    }
                    intent.waits = Some((mapping, from, key));
                }
            }
        }
        if !look.is_empty() {
            return Want::Look(look);
        }
        if kind == IntentKind::Restore
            && let Deletes::Soft(column) = &scope.mapping.deletes[side.other()]
        {
            intent.extra.push((column.clone(), Stored::Null));
        }
        if kind == IntentKind::Update && intent.fields.is_empty() {
            return intent.waits.map_or(Want::Nothing, Want::Wait);
        }
        let blind = scope.mapping.ends[side].style == Style::Conditional
            && kind == IntentKind::Update
            && self.fields.iter().any(|field| !field.open[side].is_empty());
        if blind { Want::Read } else { Want::Write(intent) }
    }

    /// What a side showed before a late write replaced it, while the record is not kept in step.
    fn want_back(&self, scope: &Scope<'_>, side: Side) -> Want {
        if self.presence[side] != Presence::Present {
            return Want::Nothing;
        }
        let own = |index: &usize| self.fields[*index].taken.as_ref().is_some_and(|taken| taken.side == side);
        let needs = (0..self.fields.len()).filter(own).map(|index| (index, self.need(scope, index, side, false)));
        let fields: Vec<_> = needs
            .filter_map(|(index, need)| match need {
                Need::Value(value, taken) => Some((index, value, taken)),
                Need::Nothing | Need::Missing(..) | Need::Unloaded(..) => None,
            })
            .collect();
        if fields.is_empty() {
            return Want::Nothing;
        }
        Want::Write(Intent { kind: IntentKind::Update, fields, extra: Vec::new(), waits: None })
    }

    /// Whether a record that a side lost is to be brought back there: it lives on the other side, or was edited before
    /// both lost it.
    fn comes_back(&self, scope: &Scope<'_>, side: Side) -> bool {
        self.keys[side].is_some()
            && (self.presence[side.other()] == Presence::Present || scope.mapping.ends[side].style != Style::Compared)
    }

    /// Notes that a write leaves: from now on it is open, under this tag.
    pub(crate) fn launch(&mut self, scope: &mut Scope<'_>, side: Side, intent: Intent, tag: Tag) -> Write {
        self.writes += 1;
        let creates = matches!(self.operation(scope, side, intent.kind), Operation::Create { .. });
        // A create that was refused may have been sent before and still land: the next one is known by the same id.
        let number =
            if creates { format!("{}{}", ["l", "r"][side as usize], self.made[side]) } else { self.writes.to_string() };
        let operation_id = format!("{}.{}.{number}", tag.shard, self.id);
        let mut values: Values = Vec::new();
        let mut opened = Vec::new();
        for (index, value, taken) in intent.fields {
            values.push((scope.mapping.fields[index].names[side].clone(), value.clone()));
            let open = Open { tag, value: value.clone(), taken };
            self.fields[index].open[side].push(open.clone());
            if scope.faulty(Mutation::BaseBeforeAnswer) {
                self.fields[index].image[side] = Some(value);
            }
            opened.push((index, open));
        }
        values.extend(intent.extra.iter().cloned());
        let operation = self.operation(scope, side, intent.kind);
        scope.note(self.id, Step::Sent, side, values.clone(), format!("{} {tag}", operation.word()));
        self.flight[side] = Some(Flight {
            tag,
            operation: operation.clone(),
            operation_id: operation_id.clone(),
            sent: scope.now,
            before: if creates { std::mem::take(&mut self.loose[side]) } else { Vec::new() },
            unknown: false,
            echoed: false,
            overtaken: false,
            values: opened.clone(),
            doubtful: Vec::new(),
            extra: intent.extra,
        });
        if matches!(operation, Operation::Create { key: Some(_), .. }) {
            self.overwrite_held(scope, side, tag, &opened);
        }
        let expect = self.expected(scope, side, &opened);
        let conditional = scope.mapping.ends[side].style == Style::Conditional;
        Write {
            link: self.id,
            mapping: self.mapping,
            side,
            operation,
            values,
            expect,
            unmodified_since: if conditional { self.read[side].or(self.stamp[side]) } else { None },
            operation_id,
            group: self.group(scope, side),
            insists: self.insists[side],
        }
    }

    /// A write overwrites what is held, and nobody merged it: what somebody set in a record that is made again.
    pub(super) fn overwrite_held(&mut self, scope: &mut Scope<'_>, side: Side, tag: Tag, opened: &[(usize, Open)]) {
        for index in 0..self.fields.len() {
            let held = std::mem::take(&mut self.fields[index].held[side]);
            let Some(held) = held.into_iter().rfind(|held| !held.late) else { continue };
            let open = opened.iter().find(|(opened, _)| *opened == index).map_or_else(
                || {
                    let value = self.fields[index].image[side.other()].clone().unwrap_or_default();
                    let taken = Taken { side: side.other(), value, at: None, place: 0 };
                    Open { tag, value: Stored::Null, taken }
                },
                |(_, open)| open.clone(),
            );
            if !scope.mapping.fields[index].canon.same(&held.value, &open.value) {
                let moved = Move { side, value: held.value, at: held.at, place: held.place };
                self.overwritten(scope, index, moved, &open);
            }
        }
    }

    fn operation(&self, scope: &Scope<'_>, side: Side, kind: IntentKind) -> Operation {
        let key = self.keys[side].clone();
        let other = self.keys[side.other()].clone().unwrap_or_default();
        match (kind, key) {
            (IntentKind::Create, _) | (_, None) => Operation::Create { key: None, other },
            (IntentKind::Restore, Some(key)) => {
                if scope.mapping.ends[side].style != Style::Compared {
                    Operation::Undelete(key)
                } else if matches!(scope.mapping.deletes[side.other()], Deletes::Soft(_)) {
                    Operation::Update(key)
                } else {
                    Operation::Create { key: Some(key), other }
                }
            }
            (IntentKind::Update, Some(_)) if scope.faulty(Mutation::UpsertOnUpdate) => {
                Operation::Create { key: None, other }
            }
            (IntentKind::Update | IntentKind::SoftDelete, Some(key)) => Operation::Update(key),
            (IntentKind::Delete, Some(key)) => Operation::Delete(key),
        }
    }

    /// What the side shows as far as we know, before this write.
    pub(super) fn expected(&self, scope: &Scope<'_>, side: Side, opened: &[(usize, Open)]) -> Values {
        if scope.mapping.ends[side].style != Style::Compared {
            return Vec::new();
        }
        let mut expect: Values = Vec::new();
        for (index, pair) in scope.mapping.fields.iter().enumerate() {
            let own = opened.iter().any(|(opened, _)| *opened == index);
            let open = &self.fields[index].open[side];
            let before = if own { open.len().checked_sub(2).and_then(|at| open.get(at)) } else { open.last() };
            let shown = before.map(|open| &open.value).or(self.fields[index].image[side].as_ref());
            if let Some(shown) = shown.filter(|_| !expect.iter().any(|(name, _)| *name == pair.names[side])) {
                expect.push((pair.names[side].clone(), shown.clone()));
            }
        }
        expect
    }

    /// Writes that lock the same parent go together: the key in the first reference field.
    fn group(&self, scope: &Scope<'_>, side: Side) -> Option<Key> {
        let references = scope.mapping.fields.iter().zip(&self.fields).filter(|(pair, _)| pair.reference.is_some());
        references.filter_map(|(_, field)| field.image[side].as_ref()).find_map(Stored::as_key)
    }

    /// A write was answered: what it opened waits for its echo.
    pub(super) fn await_echo(&mut self, scope: &Scope<'_>, side: Side, flight: Flight) {
        if flight.echoed {
            if !flight.doubtful.is_empty() {
                self.await_row(scope, side, flight.tag, flight.doubtful);
            }
            return;
        }
        let restore = matches!(flight.operation, Operation::Undelete(_) | Operation::Create { .. });
        let delete = matches!(flight.operation, Operation::Delete(_));
        self.ledger[side].push(Sent {
            tag: flight.tag,
            at: scope.now,
            delete,
            values: flight.values,
            restore,
            covered: Vec::new(),
            state: SentState::Awaited,
        });
    }
}

impl Operation {
    /// In a word, for the history.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
            Self::Undelete(_) => "undelete",
        }
    }
}

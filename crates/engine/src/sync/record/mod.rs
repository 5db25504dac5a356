//! What happens to one record: the rules of the link, each a function from what was known and heard to what is known.

mod answer;
mod delete;
mod echo;
mod hear;
mod join;
mod merge;
mod question;
mod row;
mod want;

use jiff::Timestamp;

use super::{
    Conflict, DeadLetter, History, Key, Link, LinkId, Mapping, MappingIndex, Mutation, Presence, Refusal, SentState,
    Settings, Side, Step, Stored, Values,
};

pub(crate) use answer::Next;
pub(crate) use row::RowUse;
pub(crate) use want::{Intent, IntentKind, Need, Want};

/// What a link is judged by: the mapping, the time, the other links.
pub(crate) struct Scope<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) settings: &'a Settings,
    pub(crate) now: Timestamp,
    /// How far each side's clock is ahead of ours, give or take, in milliseconds.
    pub(crate) clocks: [(i64, u64); 2],
    /// The other links, for references.
    pub(crate) references: &'a dyn References,
    /// What was noted on the way.
    pub(crate) notes: &'a mut Notes,
    /// The place in the journal of what is being told; 0 for a read.
    pub(crate) place: u64,
}

/// What links leave behind for people.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    pub(crate) history: Vec<History>,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) delivered: Vec<(LinkId, Side)>,
    /// How many pairs were marked rewritten, late conflicts found, late writes repaired.
    pub(crate) rewritten: u64,
    pub(crate) late: u64,
}

/// The other key of a link, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Translation {
    /// It is this.
    Known(Key),
    /// The record has none on the other side yet.
    Missing,
    /// Nobody has looked.
    Unloaded,
}

/// Looks up the other key of a record of a mapping.
pub(crate) trait References {
    /// The key on the other side of the record with this key.
    fn translate(&self, mapping: MappingIndex, side: Side, key: &str) -> Translation;
}

impl Scope<'_> {
    pub(crate) fn faulty(&self, mutation: Mutation) -> bool {
        self.settings.faulty(mutation)
    }

    /// A side's time in ours.
    fn ours(&self, side: Side, at: Timestamp) -> Timestamp {
        let ahead = jiff::SignedDuration::from_millis(self.clocks[side].0);
        at.checked_sub(ahead).unwrap_or(at)
    }

    /// Our time in a side's.
    fn theirs(&self, side: Side, at: Timestamp) -> Timestamp {
        let ahead = jiff::SignedDuration::from_millis(self.clocks[side].0);
        at.checked_add(ahead).unwrap_or(at)
    }

    pub(crate) fn note(&mut self, link: LinkId, step: Step, side: Side, values: Values, note: impl Into<String>) {
        let place = (self.place > 0).then_some(self.place);
        self.notes.history.push(History { link, at: self.now, step, side, place, values, note: note.into() });
    }
}

impl Link {
    /// What the side is taken to show: the newest open write, or what it showed last.
    pub(crate) fn current(&self, field: usize, side: Side) -> Option<&Stored> {
        let field = &self.fields[field];
        field.open[side].last().map(|open| &open.value).or(field.image[side].as_ref())
    }

    /// Whether a write that sets this field is under way: unanswered, or its echo awaited.
    fn is_unresolved(&self, field: usize, side: Side) -> bool {
        // A write that sets no field of a line is a delete: it concerns all of them.
        let sets =
            |values: &[(usize, super::Open)]| values.is_empty() || values.iter().any(|(index, _)| *index == field);
        self.flight[side].as_ref().is_some_and(|flight| {
            if flight.echoed { flight.doubtful.iter().any(|(index, _)| *index == field) } else { sets(&flight.values) }
        }) || self.ledger[side].iter().any(|sent| {
            sent.state == SentState::Awaited && (sent.delete || !sent.values.is_empty() && sets(&sent.values))
        })
    }

    /// Up to when a change of a record may have been stamped that is known. What was not read, or read within its
    /// second, may have changed once more within it: then that second does not count, and a write is told the row.
    pub(crate) fn unmodified_since(&self, side: Side) -> Option<Timestamp> {
        let known = self.stamp[side].max(self.read[side])?;
        let read = self.young[side].is_none() && self.read[side].is_some_and(|read| second(read) >= second(known));
        if read { Some(known) } else { Timestamp::from_second(second(known) - 1).ok() }
    }

    /// Whether anything is under way that a restart has to look after.
    pub fn is_active(&self) -> bool {
        self.flight.iter().any(Option::is_some)
            || self.ledger.iter().any(|ledger| !ledger.is_empty())
            || self.reread.iter().any(Option::is_some)
            || self.loosed.iter().any(Option::is_some)
            || self.parked.is_some()
            || matches!(self.fate, super::Fate::Follow { .. })
            || (self.fate == super::Fate::Live && self.presence.contains(&Presence::Deleted))
            || self.fields.iter().any(|field| {
                // A record that only one side has waits for the joining, not for a restart.
                let lives = !matches!(self.fate, super::Fate::Severed | super::Fate::Gone);
                (field.taken.is_some() && !self.is_half() && lives)
                    || field.open.iter().any(|open| !open.is_empty())
                    || field.held.iter().any(|held| !held.is_empty())
            })
    }

    /// Whether a side has it.
    pub(crate) fn is_record(&self) -> bool {
        self.presence.contains(&Presence::Present)
    }

    /// Whether it is being made on a side, and nobody knows yet under which key.
    pub(crate) fn is_being_made(&self, side: Side) -> bool {
        let flight = self.flight[side].as_ref();
        let making = flight.is_some_and(|flight| matches!(flight.operation, super::Operation::Create { .. }));
        self.keys[side].is_none() && (making || !self.loose[side].is_empty())
    }

    /// Whether both sides have it now.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_half() && self.presence == [Presence::Present; 2]
    }

    /// Whether nobody on the other side is this record, and it is going to be made there.
    pub(crate) fn is_to_be_made(&self, mapping: &Mapping) -> bool {
        let side = Side::BOTH.into_iter().find(|side| self.keys[*side].is_none());
        self.unmatched && side.is_some_and(|side| self.refused[side].is_none() && mapping.ends[side].creates)
    }

    /// Whether only one side ever showed it.
    pub fn is_half(&self) -> bool {
        self.keys.iter().any(Option::is_none)
    }

    /// Whether a person has to decide something, or a side refuses something.
    pub fn is_stuck(&self) -> bool {
        self.refused.iter().any(Option::is_some)
            || self.fate == super::Fate::Manual
            || self.fields.iter().any(|field| field.manual || field.refused.iter().any(Option::is_some))
    }

    /// The values under which `match` finds it, as canonical text; none if one of them is blank.
    pub fn match_text(&self, mapping: &Mapping, side: Side) -> Option<String> {
        if mapping.match_on.is_empty() || self.presence[side] != Presence::Present {
            return None;
        }
        let mut text = String::new();
        for index in &mapping.match_on {
            let shown = self.fields.get(*index)?.image[side].as_ref()?;
            match mapping.fields[*index].canon.of(shown) {
                Stored::Null => return None,
                Stored::Text(part) => text.push_str(&part.to_lowercase()),
                other => text.push_str(&format!("{other:?}")),
            }
            text.push('\u{1f}');
        }
        Some(text)
    }

    /// Whether the record takes part, by the filters of both sides. A side that was never seen does not object.
    pub(crate) fn takes_part(&self, mapping: &Mapping) -> bool {
        Side::BOTH.into_iter().all(|side| {
            let Some(filter) = &mapping.ends[side].filter else { return true };
            self.presence[side] != Presence::Present || filter.holds(&|name| self.shown(mapping, side, name).cloned())
        })
    }

    /// What a side shows in a field, by name: mapped or watched.
    fn shown<'a>(&'a self, mapping: &Mapping, side: Side, name: &str) -> Option<&'a Stored> {
        let mapped = mapping.fields.iter().position(|pair| pair.names[side].eq_ignore_ascii_case(name));
        if let Some(index) = mapped {
            return self.fields[index].image[side].as_ref();
        }
        let watched = mapping.ends[side].watch.iter().position(|watch| watch.eq_ignore_ascii_case(name))?;
        self.watched[side].get(watched)
    }

    /// Keeps what a side shows in a watched field.
    fn watch(&mut self, mapping: &Mapping, side: Side, name: &str, value: &Stored) {
        let watch = &mapping.ends[side].watch;
        if let Some(index) = watch.iter().position(|watched| watched.eq_ignore_ascii_case(name)) {
            if self.watched[side].len() < watch.len() {
                self.watched[side].resize(watch.len(), Stored::Null);
            }
            self.watched[side][index] = value.clone();
        }
    }

    /// Writes down that a side refuses something.
    pub(crate) fn note_dead_letter(&self, scope: &mut Scope<'_>, side: Side, fields: Vec<String>, cause: &Refusal) {
        // One letter a record and side: it lists all that the side refuses.
        let all = || {
            let refused =
                self.fields.iter().zip(&scope.mapping.fields).filter(|(field, _)| field.refused[side].is_some());
            refused.map(|(_, pair)| pair.names[side].clone()).collect()
        };
        let fields = if fields.is_empty() { fields } else { all() };
        scope.notes.dead_letters.push(DeadLetter {
            link: self.id,
            side,
            mapping: self.mapping,
            keys: self.keys.clone(),
            fields,
            cause: cause.clone(),
            at: scope.now,
        });
    }
}

/// The places of the mapping's fields that have this name on this side.
fn places<'a>(mapping: &'a Mapping, side: Side, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let named =
        move |(index, pair): (usize, &super::FieldPair)| pair.names[side].eq_ignore_ascii_case(name).then_some(index);
    mapping.fields.iter().enumerate().filter_map(named)
}

/// Cut to whole seconds, as rows are stamped.
fn second(at: Timestamp) -> i64 {
    at.as_second()
}

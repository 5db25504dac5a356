//! A write was answered.

use super::{RowUse, Scope, echo::sets_mark, places};
use crate::sync::{
    Entry, Flight, Link, Mutation, News, Operation, Outcome, Presence, Refusal, Reread, Row, Side, Step, Stored, Style,
    Tag, Write,
};

/// What the shard has to do after an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Nothing more than to look what is wanted.
    Go,
    /// Ask again after a while.
    Later(Option<jiff::Timestamp>),
    /// Find out by reading what became of it.
    FindOut,
    /// The record is there already, under this key if it is told.
    Duplicate(Option<String>),
}

impl Link {
    /// Takes in what became of a write. One that nobody waits for any more changes nothing.
    pub(crate) fn answered(
        &mut self,
        scope: &mut Scope<'_>,
        side: Side,
        tag: Tag,
        outcome: Outcome,
        shard: u64,
    ) -> Next {
        scope.place = 0;
        let Some(flight) = self.flight[side].take_if(|flight| flight.tag == tag) else { return Next::Go };
        let word = outcome_word(&outcome);
        scope.note(self.id, Step::Answered, side, Vec::new(), word);
        if scope.faulty(Mutation::ReplayBody) && matches!(&outcome, Outcome::NotDone(_) | Outcome::Moved { .. }) {
            self.flight[side] = Some(Flight { unknown: true, ..flight });
            return Next::Later(None);
        }
        match outcome {
            Outcome::Done { key, row } => self.done(scope, side, flight, key, row.as_ref()),
            Outcome::AlreadyDone { key } if !self.drafts[side].is_empty() => {
                self.done_by_draft(scope, side, &flight, key)
            }
            Outcome::AlreadyDone { key } => {
                self.done(scope, side, flight, key, None);
                self.reread[side] = Some(Reread::Outcome);
                Next::Go
            }
            Outcome::Moved { pending, row } => self.moved(scope, side, &flight, pending, row, shard),
            Outcome::Duplicate { key } => {
                self.close(scope, side, &flight);
                Next::Duplicate(key)
            }
            Outcome::Gone { certain } => {
                self.close(scope, side, &flight);
                if certain {
                    self.deleted(scope, side, None, None);
                } else {
                    self.reread[side] = Some(Reread::News);
                }
                Next::Go
            }
            Outcome::Refused(refusal) if refusal.passing => {
                self.close(scope, side, &flight);
                Next::Later(None)
            }
            Outcome::Questioned(refusal) => {
                self.question(scope, side, &flight, &refusal);
                Next::Go
            }
            Outcome::Refused(refusal) => self.refuse(scope, side, &flight, &refusal),
            Outcome::NotDone(after) => {
                self.close(scope, side, &flight);
                Next::Later(after)
            }
            Outcome::Unknown => self.unknown(scope, side, flight),
        }
    }

    fn done(&mut self, scope: &mut Scope<'_>, side: Side, flight: Flight, key: String, row: Option<&Row>) -> Next {
        let echoed = flight.echoed;
        self.refused[side] = None;
        self.answered_by_itself(scope, side);
        match &flight.operation {
            Operation::Delete(_) => {
                if scope.mapping.ends[side].style != Style::Tagged {
                    self.deleted_by_us(scope, side);
                } else if !echoed {
                    self.await_echo(scope, side, flight);
                }
                return Next::Go;
            }
            Operation::Update(_) if is_soft_delete(scope, side, &flight) => {
                self.deleted_by_us(scope, side);
                if let Some(row) = row {
                    self.order[side] = self.order[side].max(row.order.unwrap_or(0));
                }
                return Next::Go;
            }
            _ => {}
        }
        if !key.is_empty() {
            self.keys[side] = Some(key);
        }
        let edits = matches!(flight.operation, Operation::Update(_)) && flight.extra.is_empty();
        if edits && self.presence[side] == Presence::Deleted {
            // It was done before the record was deleted, which was told already.
            self.release(scope, side);
            return Next::Go;
        }
        self.presence[side] = Presence::Present;
        self.made[side] += u64::from(matches!(flight.operation, Operation::Create { .. }));
        if scope.faulty(Mutation::ImageAtAcknowledgement) {
            for (index, open) in &flight.values {
                self.fields[*index].image[side] = Some(open.value.clone());
                self.fields[*index].open[side].clear();
            }
        }
        self.drafts[side].clear();
        self.listen_for(scope, side, &flight.before);
        match scope.mapping.ends[side].style {
            Style::Compared => self.stored(scope, side, &flight, row),
            Style::Tagged => self.await_echo(scope, side, flight),
            Style::Conditional => self.reread[side] = Some(Reread::Echo),
        }
        Next::Go
    }

    /// Earlier sendings of a create that is done may land as soon as its record is gone.
    fn listen_for(&mut self, scope: &Scope<'_>, side: Side, before: &[Tag]) {
        if scope.mapping.ends[side].style != Style::Compared && !before.is_empty() {
            self.loose[side] = before.to_vec();
            self.loosed[side] = Some(scope.now);
        }
    }

    /// What a create would set that may have landed, though it was given up.
    fn keep_draft(&mut self, side: Side, flight: &Flight) {
        let draft = flight.values.iter().map(|(index, open)| (*index, open.value.clone())).collect();
        if !self.drafts[side].contains(&draft) {
            self.drafts[side].push(draft);
        }
    }

    /// One of the sendings of a create made the record, and not all of them set the same: the row tells.
    fn done_by_draft(&mut self, scope: &mut Scope<'_>, side: Side, flight: &Flight, key: String) -> Next {
        self.keep_draft(side, flight);
        self.refused[side] = None;
        self.keys[side] = Some(key);
        self.presence[side] = Presence::Present;
        self.made[side] += 1;
        for field in &mut self.fields {
            field.open[side].retain(|open| open.tag != flight.tag);
        }
        self.release(scope, side);
        self.reread[side] = Some(Reread::Outcome);
        Next::Go
    }

    /// Whether a field shows what a create of ours set.
    pub(super) fn is_as_drafted(&self, scope: &Scope<'_>, index: usize, side: Side, value: &Stored) -> bool {
        let canon = scope.mapping.fields[index].canon;
        self.drafts[side].iter().any(|draft| {
            let set = draft.iter().find(|(field, _)| *field == index).map(|(_, set)| set);
            set.map_or_else(|| canon.of(value).is_null(), |set| canon.same(set, value))
        })
    }

    /// Our own delete is through. If the record is wanted again by now, it is brought back.
    fn deleted_by_us(&mut self, scope: &mut Scope<'_>, side: Side) {
        if self.fate_follows(side) {
            self.deleted(scope, side, None, None);
        } else {
            self.presence[side] = Presence::Deleted;
            self.release(scope, side);
        }
    }

    /// A compared write read back what it stored: that confirms it, in the same transaction.
    fn stored(&mut self, scope: &mut Scope<'_>, side: Side, flight: &Flight, row: Option<&Row>) {
        // A slow answer may show less than what was heard since.
        let newest = |order: u64| order >= self.order[side];
        let Some(row) = row.filter(|row| row.order.map_or(!flight.overtaken, newest)) else {
            // What was heard meanwhile may have been its delete.
            self.reread[side] = self.reread[side].or(self.deleted_there[side].then_some(Reread::News));
            for (index, open) in &flight.values {
                self.fields[*index].open[side].retain(|other| other.tag != open.tag);
                // What its echo told may have moved on since.
                if !flight.echoed || flight.doubtful.iter().any(|(doubtful, _)| doubtful == index) {
                    self.fields[*index].image[side] = Some(open.value.clone());
                }
            }
            self.release(scope, side);
            return;
        };
        if row.order.is_some_and(|order| order > self.order[side]) {
            // What was heard meanwhile was done before it: to the record that was there before, if this made it again.
            self.overwrite_held(scope, side, flight.tag, &flight.values);
        }
        self.order[side] = self.order[side].max(row.order.unwrap_or(0));
        self.deleted_there[side] = false;
        for (name, value) in &row.values {
            self.watch(scope.mapping, side, name, value);
            let indexes: Vec<usize> = places(scope.mapping, side, name).collect();
            for index in indexes {
                let open = flight.values.iter().find(|(field, _)| *field == index).map(|(_, open)| open);
                let Some(open) = open else {
                    let moved = super::merge::Move { side, value: value.clone(), at: None, place: 0 };
                    self.shows(scope, index, moved);
                    continue;
                };
                self.fields[index].open[side].retain(|other| other.tag != open.tag);
                self.fields[index].image[side] = Some(value.clone());
                if !scope.mapping.fields[index].canon.same(value, &open.value) {
                    self.rewritten(scope, index, side, value.clone(), open, None);
                }
            }
        }
        self.release(scope, side);
    }

    /// The write found something else than expected. Its changes come first, in their order, then what the row shows.
    fn moved(
        &mut self,
        scope: &mut Scope<'_>,
        side: Side,
        flight: &Flight,
        pending: Vec<News>,
        row: Option<Row>,
        shard: u64,
    ) -> Next {
        self.close(scope, side, flight);
        for news in pending {
            let entry = Entry { place: 0, heard: scope.now, news };
            self.hear(scope, side, &entry, shard);
        }
        let overtaken = flight.overtaken && scope.mapping.ends[side].style == Style::Compared;
        match row {
            // What was heard may be newer, or in it already.
            _ if overtaken => self.reread[side] = Some(Reread::News),
            Some(row) => {
                // It was read when the write came there, however late the answer is.
                let read = scope.theirs(side, flight.sent);
                // What made it necessary to read the record anew was heard after that.
                let asked = self.reread[side].take();
                let used = self.row(scope, side, &row, Some(read));
                self.reread[side] = self.reread[side].or(asked);
                if used != RowUse::Taken && scope.mapping.ends[side].style != Style::Compared {
                    self.reread[side] = self.reread[side].or(Some(Reread::News));
                }
            }
            None if self.presence[side] == Presence::Present => self.deleted(scope, side, None, None),
            None => {}
        }
        Next::Go
    }

    /// A refusal closes: nothing was written. What was held is told now.
    fn close(&mut self, scope: &mut Scope<'_>, side: Side, flight: &Flight) {
        if matches!(flight.operation, Operation::Create { .. }) {
            self.loose[side].clone_from(&flight.before);
            let sent_before = !flight.before.is_empty();
            self.loosed[side] = sent_before.then_some(scope.now);
            if sent_before {
                self.keep_draft(side, flight);
            }
            if sent_before && self.keys[side].is_some() {
                // An earlier sending may have brought the record back.
                self.reread[side] = self.reread[side].or(Some(Reread::News));
            }
        }
        if self.keys[side].is_none() {
            // There is nothing to be read.
            self.reread[side] = None;
        }
        for field in &mut self.fields {
            field.open[side].retain(|open| open.tag != flight.tag);
        }
        self.release(scope, side);
        if matches!(flight.operation, Operation::Delete(_)) {
            self.delete_not_done(scope, side);
        }
    }

    /// The fields that the error names are dead letters; the others are wanted again at once. One that names none
    /// takes all.
    fn refuse(&mut self, scope: &mut Scope<'_>, side: Side, flight: &Flight, refusal: &Refusal) -> Next {
        let fields = self.shut(scope, side, flight, refusal);
        self.note_dead_letter(scope, side, fields, refusal);
        Next::Go
    }

    /// Nothing more of what the refusal names is sent. Its fields; none for the record as a whole.
    pub(super) fn shut(
        &mut self,
        scope: &mut Scope<'_>,
        side: Side,
        flight: &Flight,
        refusal: &Refusal,
    ) -> Vec<String> {
        self.close(scope, side, flight);
        let names = |index: usize| scope.mapping.fields[index].names[side].clone();
        let named: Vec<usize> = flight
            .values
            .iter()
            .map(|(index, _)| *index)
            .filter(|index| refusal.fields.iter().any(|field| field.eq_ignore_ascii_case(&names(*index))))
            .collect();
        let whole = named.is_empty() && !matches!(flight.operation, Operation::Update(_));
        let fields: Vec<usize> = match (whole, named.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => flight.values.iter().map(|(index, _)| *index).collect(),
            (false, false) => named,
        };
        for index in &fields {
            self.fields[*index].refused[side] = Some(refusal.clone());
        }
        if fields.is_empty() {
            self.refused[side] = Some(refusal.clone());
        }
        fields.into_iter().map(names).collect()
    }

    /// Nobody knows: nothing is repeated before it is known, unless repeating is harmless.
    fn unknown(&mut self, scope: &mut Scope<'_>, side: Side, flight: Flight) -> Next {
        let told = scope.mapping.ends[side].style != Style::Compared || flight.doubtful.is_empty();
        if flight.echoed && told {
            // Its echo told already that it was done.
            if is_soft_delete(scope, side, &flight) {
                self.deleted_by_us(scope, side);
            }
            self.await_echo(scope, side, flight);
            return Next::Go;
        }
        if scope.faulty(Mutation::UnknownIsDone) {
            let key = self.keys[side].clone().unwrap_or_default();
            return self.done(scope, side, flight, key, None);
        }
        if scope.faulty(Mutation::BlindRetry) {
            self.close(scope, side, &flight);
            return Next::Go;
        }
        self.flight[side] = Some(Flight { unknown: true, ..flight });
        Next::FindOut
    }

    /// A compared write is known by its operation id: sent again it is done once, whatever became of it before.
    pub(crate) fn resend(&mut self, scope: &mut Scope<'_>, side: Side, tag: Tag) -> Option<Write> {
        let mut flight = self.flight[side].take()?;
        let old = flight.tag;
        for (index, open) in &mut flight.values {
            open.tag = tag;
            for own in self.fields[*index].open[side].iter_mut().filter(|own| own.tag == old) {
                own.tag = tag;
            }
        }
        flight.before.push(old);
        flight.tag = tag;
        (flight.unknown, flight.overtaken) = (false, false);
        flight.sent = scope.now;
        let mut values: crate::sync::Values = flight
            .values
            .iter()
            .map(|(index, open)| (scope.mapping.fields[*index].names[side].clone(), open.value.clone()))
            .collect();
        values.extend(flight.extra.iter().cloned());
        scope.note(self.id, Step::Sent, side, values.clone(), format!("{} {tag} again", flight.operation.word()));
        let write = Write {
            link: self.id,
            mapping: self.mapping,
            side,
            operation: flight.operation.clone(),
            values,
            expect: self.expected(scope, side, &flight.values),
            unmodified_since: None,
            operation_id: flight.operation_id.clone(),
            group: None,
            insists: self.insists[side],
        };
        self.flight[side] = Some(flight);
        Some(write)
    }

    /// The write that nobody knows of is not there: it may be asked for anew.
    pub(crate) fn not_landed(&mut self, scope: &mut Scope<'_>, side: Side) {
        if let Some(flight) = self.flight[side].take() {
            // It may still land.
            self.keep_draft(side, &flight);
            self.close(scope, side, &flight);
            self.loose[side].push(flight.tag);
            self.loosed[side] = Some(scope.now);
        }
    }

    /// The record that a write of unknown outcome was to make is there.
    pub(crate) fn landed(&mut self, scope: &mut Scope<'_>, side: Side, row: &Row) {
        let Some(flight) = self.flight[side].take() else { return };
        self.keys[side] = Some(row.key.clone());
        self.presence[side] = Presence::Present;
        self.made[side] += 1;
        self.listen_for(scope, side, &flight.before);
        let shows = |(index, open): &(usize, crate::sync::Open)| {
            let pair = &scope.mapping.fields[*index];
            let shown = row.values.iter().find(|(name, _)| name.eq_ignore_ascii_case(&pair.names[side]));
            shown.is_some_and(|(_, shown)| pair.canon.same(shown, &open.value))
        };
        if self.drafts[side].is_empty() || flight.values.iter().all(shows) {
            let sent = flight.sent;
            self.await_echo(scope, side, flight);
            // Nobody answered: it was done soon after it was sent, not just now.
            if let Some(last) = self.ledger[side].last_mut() {
                last.at = sent;
            }
        } else {
            // An earlier one made it, which set something else.
            self.keep_draft(side, &flight);
            for field in &mut self.fields {
                field.open[side].retain(|open| open.tag != flight.tag);
            }
        }
        self.reread[side] = Some(Reread::Outcome);
        self.row(scope, side, row, None);
        scope.note(self.id, Step::Linked, side, Vec::new(), "found by its external id");
    }
}

/// Whether a write sets the mark of a soft delete.
fn is_soft_delete(scope: &Scope<'_>, side: Side, flight: &Flight) -> bool {
    sets_mark(scope, side, &flight.extra)
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { .. } => "done".to_owned(),
        Outcome::AlreadyDone { .. } => "done before".to_owned(),
        Outcome::Moved { .. } => "moved".to_owned(),
        Outcome::Duplicate { .. } => "duplicate".to_owned(),
        Outcome::Gone { .. } => "gone".to_owned(),
        Outcome::Questioned(refusal) => format!("questioned: {} {}", refusal.code, refusal.message),
        Outcome::Refused(refusal) => format!("refused: {} {}", refusal.code, refusal.message),
        Outcome::Unknown => "unknown".to_owned(),
        Outcome::NotDone(_) => "not done".to_owned(),
    }
}

//! Writes and questions on their way: when they land, what is answered, and what gets lost.

use tombolo_engine::sync::{Answer, Batch, Effect, Input, Mutation, Outcome, Read, Side};

use super::{SHORT, Task, World, telling};
use crate::{
    database,
    engine::Engine,
    history::{Boundary, Soul},
    ledger::{Author, CommitId},
    moment::{MILLI, MINUTE, Micros, SECOND, timestamp},
    org,
    plan::{self, CRM},
};

/// A batch that left.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who sent it.
    pub epoch: u64,
    /// What.
    pub batch: Batch,
    /// When.
    pub sent: Micros,
    /// How many commits the sender had been told.
    pub told: usize,
    /// When it was performed.
    pub landed: Option<Micros>,
    /// What became of each write.
    pub outcomes: Vec<Outcome>,
    /// How it is answered.
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered(Micros),
    /// It is performed, and nobody is told.
    Unknown(Micros),
    /// The answer was given up already.
    Late,
}

impl<E: Engine> World<E> {
    /// A batch leaves.
    pub(super) fn send(&mut self, epoch: u64, batch: Batch) {
        let side = if batch.connection == CRM { Side::Left } else { Side::Right };
        if self.dies(Boundary::BeforeSend, epoch) {
            return;
        }
        self.check_batch(epoch, side, &batch);
        let tag = batch.tag;
        let count = batch.writes.len();
        if side == Side::Left {
            self.called();
        }
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        let records = batch.writes.iter().map(|write| (write.side, write.link, operation_key(&write.operation)));
        instance.outstanding.extend(records);
        let told = instance.told.len();
        let answer = self.delay("answer", SHORT, 60 * MILLI) + self.armed.take_slow(side);
        let way = self.delay("way", SHORT, 80 * MILLI);
        let number = self.requests.len();
        let mut request = Request {
            epoch,
            batch,
            sent: self.now,
            told,
            landed: None,
            outcomes: Vec::new(),
            fate: Fate::Answered(answer),
        };
        let unknown = Input::Written { tag, outcomes: vec![Outcome::Unknown; count] };
        if self.armed.unavailable[side] > self.now {
            let again = timestamp(self.armed.unavailable[side]);
            let outcomes = vec![Outcome::NotDone(Some(again)); count];
            let input = Box::new(Input::Written { tag, outcomes });
            self.agenda.add(self.now + way, Task::Hear(epoch, input, Vec::new()));
        } else if self.armed.take_lost_request(side) {
            self.agenda.add(self.now + way + 10 * SECOND, Task::Hear(epoch, Box::new(unknown), Vec::new()));
        } else if let Some(later) = self.armed.take_late(side) {
            request.fate = Fate::Late;
            self.agenda.add(self.now + way + 5 * SECOND, Task::Hear(epoch, Box::new(unknown), Vec::new()));
            self.agenda.add(self.now + way + 5 * SECOND + later, Task::Land(number));
        } else {
            if self.armed.take_lost_answer(side) {
                request.fate = Fate::Unknown(answer + 5 * SECOND);
            }
            self.agenda.add(self.now + way, Task::Land(number));
        }
        self.requests.push(request);
        self.dies(Boundary::AfterSend, epoch);
    }

    /// What is written was put away before, and nothing about the record is under way.
    fn check_batch(&mut self, epoch: u64, side: Side, batch: &Batch) {
        let limit = self.plan.connections.get(&batch.connection).map_or(1, |connection| connection.batch);
        if batch.writes.is_empty() || batch.writes.len() > limit {
            self.violate("a batch of a wrong size", format!("{} writes in {}", batch.writes.len(), batch.tag));
        }
        // A field that came back is found by the scrub: nobody tells the engine of a schema.
        let found = |write: &tombolo_engine::sync::Write| {
            let object = plan::OBJECTS[write.mapping];
            let mapped = self.plan.mappings[write.mapping].fields.iter();
            let mut mapped = mapped.filter(|pair| self.disturbed.contains(&(object, pair.names[Side::Left].clone())));
            mapped.any(|pair| write.values.iter().all(|(name, _)| *name == pair.names[side]))
        };
        let expected = batch.writes.iter().all(found);
        if let Some(since) = self.quiet_since.filter(|_| !expected) {
            let text = format!("{} s after everything came to rest: {:?}", (self.now - since) / SECOND, batch.writes);
            self.violate("a write in the quiet period", text);
        }
        for write in &batch.writes {
            let row = self.store.links.get(&write.link).map(|row| &row.link);
            let noted = row.and_then(|link| link.flight[side].as_ref()).is_some_and(|flight| flight.tag == batch.tag);
            // The next holder may have put away by now what became of it.
            if !noted && self.store.epoch == epoch {
                let text = format!("{} of link {}, whose state says {row:?}", batch.tag, write.link);
                self.violate("a write left before it was put away", text);
            }
            // A link goes on with another record when its own is merged into that.
            let record = (side, write.link, operation_key(&write.operation));
            let twice = self.instances.get(&epoch).is_some_and(|i| i.outstanding.contains(&record));
            if twice || batch.writes.iter().filter(|other| other.link == write.link).count() > 1 {
                self.violate("a record is written twice at once", format!("{} of link {}", batch.tag, write.link));
            }
        }
    }

    /// A batch arrives.
    pub(super) fn land(&mut self, number: usize) {
        let Some(request) = self.requests.get(number) else { return };
        let (batch, epoch, fate) = (request.batch.clone(), request.epoch, request.fate);
        let side = if batch.connection == CRM { Side::Left } else { Side::Right };
        if side == Side::Right {
            let names = batch.writes.iter().filter_map(|write| match &write.operation {
                tombolo_engine::sync::Operation::Create { .. } => None,
                tombolo_engine::sync::Operation::Update(key)
                | tombolo_engine::sync::Operation::Delete(key)
                | tombolo_engine::sync::Operation::Undelete(key) => Some((plan::TABLES[write.mapping], key.clone())),
            });
            let held = names.filter_map(|name| self.database.held_until(&name, self.now)).max();
            if let Some(until) = held {
                self.agenda.add(until + SHORT, Task::Land(number));
                return;
            }
        }
        let outcomes = self.perform_batch(number, side, &batch);
        let commits: Vec<CommitId> = batch
            .writes
            .iter()
            .zip(&outcomes)
            .filter_map(|(write, outcome)| {
                let key = match outcome {
                    Outcome::Done { key, row: Some(_) } => key.clone(),
                    Outcome::Moved { .. } | Outcome::Gone { .. } => operation_key(&write.operation)?,
                    _ => return None,
                };
                Some(self.ledger.of(side, plan::entity(write.mapping, side), &key).to_vec())
            })
            .flatten()
            .collect();
        self.note(|| {
            let outcomes: Vec<String> = outcomes.iter().map(telling::outcome).collect();
            format!("     {} lands: {}", batch.tag, outcomes.join("; "))
        });
        let now = self.now;
        let request = &mut self.requests[number];
        request.landed = Some(now);
        request.outcomes.clone_from(&outcomes);
        let tag = batch.tag;
        match fate {
            Fate::Answered(delay) => {
                let input = Box::new(Input::Written { tag, outcomes });
                self.agenda.add(now + delay, Task::Hear(epoch, input, commits));
            }
            Fate::Unknown(delay) => {
                let outcomes = vec![Outcome::Unknown; outcomes.len()];
                self.agenda.add(now + delay, Task::Hear(epoch, Box::new(Input::Written { tag, outcomes }), Vec::new()));
            }
            Fate::Late => {}
        }
    }

    fn perform_batch(&mut self, number: usize, side: Side, batch: &Batch) -> Vec<Outcome> {
        let souls: Vec<Option<Soul>> = batch.writes.iter().map(|write| self.soul_of(write)).collect();
        let locked: Vec<bool> = batch.writes.iter().map(|_| self.armed.take_lock(side)).collect();
        let upserts = self.mutation() == Some(Mutation::UpsertOnUpdate);
        let plan = std::sync::Arc::clone(&self.plan);
        if side == Side::Left {
            let due = self.due();
            let mappings = &plan.mappings;
            let request =
                org::write::Request { number, now: self.now, due, mappings, souls: &souls, locked: &locked, upserts };
            let (outcomes, _) = self.org.write(batch, &request, &mut self.ledger);
            self.org_moved(true);
            return outcomes;
        }
        let request = database::Request {
            number,
            now: self.now,
            mappings: &plan.mappings,
            souls: &souls,
            locked: &locked,
            upserts,
            blind: self.mutation() == Some(Mutation::NoCompare),
            checks_epoch: self.mutation() != Some(Mutation::NoEpoch),
        };
        let (outcomes, _) = self.database.write(batch, &request, &mut self.ledger);
        self.database_moved();
        outcomes
    }

    /// The thing that a write is about: the one whose record it copies or changes.
    fn soul_of(&self, write: &tombolo_engine::sync::Write) -> Option<Soul> {
        match (&write.operation, write.side) {
            (tombolo_engine::sync::Operation::Create { other, .. }, Side::Left) => {
                let name = (plan::TABLES[write.mapping], other.clone());
                self.database.rows.get(&name).map(|row| row.soul).or_else(|| self.database.gone.get(&name).copied())
            }
            (tombolo_engine::sync::Operation::Create { other, .. }, Side::Right) => {
                self.org.records.get(other).map(|record| record.soul)
            }
            (operation, Side::Left) => {
                operation_key(operation).and_then(|key| self.org.records.get(&key)).map(|record| record.soul)
            }
            (operation, Side::Right) => {
                let name = (plan::TABLES[write.mapping], operation_key(operation)?);
                self.database.rows.get(&name).map(|row| row.soul).or_else(|| self.database.gone.get(&name).copied())
            }
        }
    }

    /// When events of what is committed now are delivered.
    pub(super) fn due(&mut self) -> Micros {
        let most = self.history.habits.event_delay;
        self.now + self.delay("event", SHORT.min(most), most) + self.armed.event_delay
    }

    pub(super) fn count_call(&mut self, effect: &Effect) {
        if matches!(effect, Effect::Read { connection, .. } if connection == CRM) {
            self.called();
        }
    }

    /// One more call, of those of the last day that the budget allows.
    fn called(&mut self) {
        self.calls.push(self.now);
        let share = self.history.habits.calls * u64::from(self.settings.budget.0) / 100;
        let since = self.now - 24 * 60 * MINUTE;
        let used = self.calls.iter().filter(|at| **at > since).count();
        if used > usize::try_from(share).unwrap_or(usize::MAX) {
            self.violate("over budget", format!("{used} calls in a day, {share} are the share"));
        }
    }

    /// A question arrives and is answered.
    pub(super) fn ask(&mut self, epoch: u64, effect: Effect) {
        let Effect::Read { ticket, connection, read, .. } = effect else { return };
        let side = if connection == CRM { Side::Left } else { Side::Right };
        let mut delay = self.delay("answer", SHORT, 60 * MILLI);
        let answer = if self.armed.unavailable[side] > self.now {
            Answer::Later(Some(timestamp(self.armed.unavailable[side])))
        } else {
            delay += self.armed.take_slow_read(side);
            let plan = std::sync::Arc::clone(&self.plan);
            match side {
                Side::Left => self.org.read(&read, &plan.mappings, self.now),
                Side::Right => self.database.read(&read, &plan.mappings, self.now),
            }
        };
        let told = self.told_by(&read, side, &answer);
        let input = Input::Answered { ticket, answer };
        if self.hurry && self.is_about_nothing(&read) {
            self.feed(epoch, input, told);
        } else {
            self.agenda.add(self.now + delay, Task::Hear(epoch, Box::new(input), told));
        }
    }

    /// The commits that an answer tells.
    fn told_by(&self, read: &Read, side: Side, answer: &Answer) -> Vec<CommitId> {
        let mapping = match read {
            Read::Rows { mapping, .. }
            | Read::External { mapping, .. }
            | Read::Page { mapping, .. }
            | Read::Deleted { mapping, .. }
            | Read::Keys { mapping, .. } => *mapping,
            Read::Children { .. } => return Vec::new(),
        };
        let entity = plan::entity(mapping, side);
        let of = |key: &String| self.ledger.of(side, entity, key).iter().copied();
        match (answer, read) {
            (Answer::Rows { .. }, Read::Rows { keys, .. }) => keys.iter().flat_map(of).collect(),
            (Answer::Rows { rows, .. }, _) => rows.iter().flat_map(|row| of(&row.key)).collect(),
            (Answer::Deleted { keys, .. }, _) => keys.iter().flat_map(|(key, _)| of(key)).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the sender of a write had been told of a commit when it sent.
    pub fn had_seen(&self, author: Author, commit: CommitId) -> bool {
        let Author::Engine(number, _) = author else { return true };
        let Some(request) = self.requests.get(number) else { return true };
        self.instances.get(&request.epoch).is_some_and(|instance| instance.knew(commit, request.told))
    }
}

/// The key that an operation is about, if it has one.
pub(crate) fn operation_key(operation: &tombolo_engine::sync::Operation) -> Option<String> {
    match operation {
        tombolo_engine::sync::Operation::Create { key, .. } => key.clone(),
        tombolo_engine::sync::Operation::Update(key)
        | tombolo_engine::sync::Operation::Delete(key)
        | tombolo_engine::sync::Operation::Undelete(key) => Some(key.clone()),
    }
}

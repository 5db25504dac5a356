//! Writing a batch: prepared record by record, sent in as few calls as will do, answered record by record.

use std::collections::{HashMap, VecDeque};

use serde_json::Value as Json;
use tokio::time::Instant;
use tombolo_client::{AllOrNone, Client, Composite, Error, ErrorKind, Record, SaveResult, SubResponse, Subrequest};
use tombolo_engine::sync::{Batch, Key, Operation, Outcome, Plan, Refusal, Row, Side, Stored, Write};
use tombolo_schema::{ErrorCode, FieldType, Id};

use super::{
    Asked, HOLDS, Shared, WriteRules,
    compose::{Call, CallKind, Part, Prepared, calls, is_about_records},
    object::Known,
    outcome::{not_done, of_error, of_result},
    value,
};
use crate::systems::system::Fence;

/// A batch that is being written.
struct Desk<'a> {
    shared: &'a Shared,
    client: Client,
    /// By place.
    prepared: HashMap<usize, Prepared>,
    outcomes: Vec<Option<Outcome>>,
    /// Records that changed since the moment that their write named.
    moved: Vec<usize>,
    queue: VecDeque<Call>,
}

impl Shared {
    /// A write that may have been carried out is never sent again.
    pub(super) async fn write(&self, batch: &Batch, fence: Fence) -> Vec<Outcome> {
        let remaining = fence.until.saturating_duration_since(Instant::now());
        let tagged = self.client.with_call_tag(&batch.tag.to_string());
        let (Some(plan), Ok(client), false) = (self.plan(), tagged, remaining.is_zero()) else {
            return vec![Outcome::NotDone(None); batch.writes.len()];
        };
        let mut desk = Desk {
            shared: self,
            client: client.with_send_once(true).with_deadline(remaining),
            prepared: HashMap::new(),
            outcomes: vec![None; batch.writes.len()],
            moved: Vec::new(),
            queue: VecDeque::new(),
        };
        for (place, write) in batch.writes.iter().enumerate() {
            match self.prepare_write(&plan, place, write).await {
                Ok(prepared) => drop(desk.prepared.insert(place, prepared)),
                Err(outcome) => desk.outcomes[place] = Some(outcome),
            }
        }
        desk.look_before_deleting(&plan, batch).await;
        desk.send_all().await;
        desk.read_moved(&plan, batch).await;
        // What was never sent was not done.
        desk.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::NotDone(None))).collect()
    }

    /// What a write may do on the side. What a person said is meant is saved whatever a rule says.
    fn rules_of(&self, mapping: &str, write: &Write) -> WriteRules {
        let rules = self.rules.get(mapping).copied().unwrap_or_default();
        WriteRules { duplicates_allowed: rules.duplicates_allowed || write.insists, ..rules }
    }

    async fn prepare_write(&self, plan: &Plan, place: usize, write: &Write) -> Result<Prepared, Outcome> {
        let Some(mapping) = plan.mappings.get(write.mapping) else { return Err(Outcome::NotDone(None)) };
        let end = &mapping.ends[write.side];
        let unknown = |error: Error| match not_done(&error) {
            Some(later) => Outcome::NotDone(later),
            None => Outcome::Refused(super::outcome::refusal(&error)),
        };
        let mut object = self.object(&end.entity, None).await.map_err(unknown)?;
        if write.values.iter().any(|(name, _)| !object.has(name)) {
            object = self.object(&end.entity, Some(HOLDS)).await.map_err(unknown)?;
        }
        let id = match &write.operation {
            Operation::Create { .. } => None,
            Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key) => {
                Some(Id::parse(key).map_err(|_| Outcome::Gone { certain: false })?.as_str().to_owned())
            }
        };
        let mut prepared = Prepared {
            place,
            operation: write.operation.clone(),
            object: object.name.clone(),
            id,
            fields: serde_json::Map::new(),
            since: write.unmodified_since,
            group: write.group.clone(),
            rules: self.rules_of(&mapping.name, write),
            external_id: end.external_id.clone(),
            has_references: false,
        };
        let missing = |name: &str| Outcome::Refused(no_such_field(name, &object.name));
        if let (Operation::Create { other, .. }, Some(name)) = (&write.operation, &end.external_id) {
            prepared
                .set(object.field(name).ok_or_else(|| missing(name))?, &other.as_str().into())
                .map_err(Outcome::Refused)?;
        }
        for (name, value) in &write.values {
            prepared.set(object.field(name).ok_or_else(|| missing(name))?, value).map_err(Outcome::Refused)?;
        }
        if prepared.fields.is_empty() && matches!(write.operation, Operation::Update(_)) {
            return Err(Outcome::Done { key: prepared.id.unwrap_or_default(), row: None });
        }
        Ok(prepared)
    }
}

impl Prepared {
    fn set(&mut self, field: &Known, value: &Stored) -> Result<(), Refusal> {
        let json = value::write(value, field)?;
        self.has_references |= field.kind == Some(FieldType::Reference) && !json.is_null();
        self.fields.insert(field.name.clone(), json);
        Ok(())
    }

    fn record(&self) -> Record {
        let mut fields = self.fields.clone();
        if let Some(id) = &self.id {
            fields.insert("Id".to_owned(), Json::from(id.as_str()));
        }
        Record::new(self.object.as_str(), fields)
    }
}

fn no_such_field(name: &str, object: &str) -> Refusal {
    Refusal {
        code: ErrorCode::InvalidField.as_str().to_owned(),
        message: format!("No such column '{name}' on entity '{object}'."),
        fields: vec![name.to_owned()],
        passing: false,
    }
}

impl Desk<'_> {
    async fn send_all(&mut self) {
        let mut writes: Vec<Prepared> = self.prepared.values().cloned().collect();
        writes.sort_by_key(|write| write.place);
        self.queue.extend(calls(&writes));
        while let Some(Call { rules, kind }) = self.queue.pop_front() {
            let client = self.ruled(rules);
            let done = match kind {
                CallKind::Undelete(places) => self.undelete(&client, places).await,
                CallKind::Composite(parts) => self.composite(&client, rules, parts).await,
                CallKind::Alone(part) => self.alone(&client, rules, part).await,
            };
            if done.is_none() {
                // The org cannot be reached, or takes no more: what is left stays undone.
                return;
            }
        }
    }

    fn ruled(&self, rules: WriteRules) -> Client {
        self.client.with_assignment_rules(rules.assignment_rules).with_duplicates_allowed(rules.duplicates_allowed)
    }

    fn settle(&mut self, place: usize, outcome: Outcome) {
        self.outcomes[place] = Some(outcome);
    }

    fn settle_all(&mut self, places: &[usize], error: &Error) {
        for place in places {
            if let Some(write) = self.prepared.get(place) {
                let outcome = of_error(error, write);
                self.settle(*place, outcome);
            }
        }
    }

    /// What is left of a part whose writes are not settled yet: one that did not come back gets no fields.
    fn open(&self, part: &Part) -> Option<Part> {
        part.only(|place| self.outcomes[place].is_none())
    }

    async fn undelete(&mut self, client: &Client, places: Vec<usize>) -> Option<()> {
        let ids: Vec<Key> = places.iter().filter_map(|place| self.prepared.get(place)?.id.clone()).collect();
        let results = match client.undelete(&ids).await {
            Ok(results) => results,
            Err(error) => {
                self.settle_all(&places, &error);
                return still_there(&error);
            }
        };
        for (place, result) in places.iter().zip(&results) {
            let Some(write) = self.prepared.get(place) else { continue };
            // Its fields are set afterwards, and say how it went.
            if !result.success || write.fields.is_empty() {
                let outcome = of_result(result, write);
                self.settle(*place, outcome);
            }
        }
        Some(())
    }

    /// None if the rest of the batch need not be tried.
    async fn composite(&mut self, client: &Client, rules: WriteRules, parts: Vec<Part>) -> Option<()> {
        let parts: Vec<Part> = parts.iter().filter_map(|part| self.open(part)).collect();
        if parts.is_empty() {
            return Some(());
        }
        let mut composite: Composite = client.composite().collate_subrequests(false);
        for (number, part) in parts.iter().enumerate() {
            composite = composite.add(self.subrequest(&format!("p{number}"), part)?);
        }
        let answer = match composite.send().await {
            Ok(answer) => answer,
            Err(error) if not_done(&error).is_none() && is_about_records(error.kind()) => {
                // The request as a whole was refused: one of its parts is to blame.
                self.queue.extend(parts.into_iter().map(|part| Call { rules, kind: CallKind::Alone(part) }));
                return Some(());
            }
            Err(error) => {
                for part in &parts {
                    self.settle_all(part.places(), &error);
                }
                return still_there(&error);
            }
        };
        for (part, response) in parts.iter().zip(&answer.responses) {
            match part_results(part, response) {
                Ok(results) => self.answered(part, &results),
                Err(error) => self.refused(rules, part, &error),
            }
        }
        Some(())
    }

    async fn alone(&mut self, client: &Client, rules: WriteRules, part: Part) -> Option<()> {
        let Some(part) = self.open(&part) else { return Some(()) };
        match self.sent_alone(client, &part).await {
            Ok(results) => self.answered(&part, &results),
            Err(error) if not_done(&error).is_none() => self.refused(rules, &part, &error),
            Err(error) => {
                self.settle_all(part.places(), &error);
                return still_there(&error);
            }
        }
        Some(())
    }

    async fn sent_alone(&self, client: &Client, part: &Part) -> Asked<Vec<SaveResult>> {
        let collections = client.collections();
        match part {
            Part::Create(places) => collections.create(&self.records(places), AllOrNone::No).await,
            Part::Update(places) => collections.update(&self.records(places), AllOrNone::No).await,
            Part::Delete(places) => collections.delete(&self.ids(places), AllOrNone::No).await,
            Part::Conditional(place) => {
                let Some(write) = self.prepared.get(place) else { return Ok(Vec::new()) };
                let (id, since) = (write.id.as_deref().unwrap_or_default(), write.since.unwrap_or_default());
                client.update_if_unmodified_since(&write.object, id, &write.fields, since).await?;
                Ok(vec![done()])
            }
        }
    }

    fn subrequest(&self, name: &str, part: &Part) -> Option<Subrequest> {
        Some(match part {
            Part::Create(places) => Subrequest::create_many(name, &self.records(places), AllOrNone::No),
            Part::Update(places) => Subrequest::update_many(name, &self.records(places), AllOrNone::No),
            Part::Delete(places) => Subrequest::delete_many(name, &self.ids(places), AllOrNone::No),
            Part::Conditional(place) => {
                let write = self.prepared.get(place)?;
                let id = write.id.as_deref().unwrap_or_default();
                Subrequest::update(name, &write.object, id, &write.fields).if_unmodified_since(write.since?)
            }
        })
    }

    fn records(&self, places: &[usize]) -> Vec<Record> {
        places.iter().filter_map(|place| Some(self.prepared.get(place)?.record())).collect()
    }

    fn ids(&self, places: &[usize]) -> Vec<Key> {
        places.iter().filter_map(|place| self.prepared.get(place)?.id.clone()).collect()
    }

    fn answered(&mut self, part: &Part, results: &[SaveResult]) {
        let whole = results.len() == part.places().len();
        for (at, place) in part.places().iter().enumerate() {
            let Some(write) = self.prepared.get(place) else { continue };
            // Nobody can say which result is whose.
            let outcome = if whole { of_result(&results[at], write) } else { Outcome::Unknown };
            self.settle(*place, outcome);
        }
    }

    /// A part was refused as a whole, and nothing of it was written: the records to blame are found, and the others
    /// are sent without them.
    fn refused(&mut self, rules: WriteRules, part: &Part, error: &Error) {
        if let (Part::Conditional(place), ErrorKind::PreconditionFailed) = (part, error.kind()) {
            self.moved.push(*place);
            return;
        }
        if !is_about_records(error.kind()) || not_done(error).is_some() {
            return self.settle_part(part, error);
        }
        let unknown = error.api_errors().iter().find_map(|error| error.unknown_field());
        let blamed = |place: usize| {
            unknown.is_some_and(|field| self.prepared.get(&place).is_some_and(|write| write.sets(field)))
        };
        let (guilty, others) = (part.only(blamed), part.only(|place| !blamed(place)));
        let again = match (guilty, others) {
            (Some(guilty), others) => {
                self.settle_part(&guilty, error);
                others.into_iter().collect()
            }
            (None, _) => match part.halves() {
                Some(halves) => halves.to_vec(),
                None => return self.settle_part(part, error),
            },
        };
        self.queue.extend(again.into_iter().map(|part| Call { rules, kind: CallKind::Alone(part) }));
    }

    /// Of a part inside an answer that came, trouble of the server says nothing about what was done.
    fn settle_part(&mut self, part: &Part, error: &Error) {
        if error.kind() == ErrorKind::Unavailable && error.status().is_some() {
            for place in part.places() {
                self.settle(*place, Outcome::Unknown);
            }
            return;
        }
        self.settle_all(part.places(), error);
    }

    /// A delete cannot name a condition (rest.md 2.8): the record is looked at first.
    async fn look_before_deleting(&mut self, plan: &Plan, batch: &Batch) {
        let conditional = |write: &Prepared| matches!(write.operation, Operation::Delete(_)) && write.since.is_some();
        let places: Vec<usize> =
            self.prepared.values().filter(|write| conditional(write)).map(|write| write.place).collect();
        for (place, found) in self.rows(plan, batch, places).await {
            let Some(row) = found else {
                self.settle(place, Outcome::NotDone(None));
                self.prepared.remove(&place);
                continue;
            };
            let since = self.prepared.get(&place).and_then(|write| write.since);
            let changed = row.as_ref().is_some_and(|row| !row.deleted && row.stamp > since);
            if changed {
                self.settle(place, Outcome::Moved { pending: Vec::new(), row });
                self.prepared.remove(&place);
            }
        }
    }

    async fn read_moved(&mut self, plan: &Plan, batch: &Batch) {
        let places = std::mem::take(&mut self.moved);
        for (place, found) in self.rows(plan, batch, places).await {
            // Where it cannot be read now it is asked again, and refused again.
            let outcome = found.map_or(Outcome::NotDone(None), |row| Outcome::Moved { pending: Vec::new(), row });
            self.settle(place, outcome);
        }
    }

    /// The rows of these writes' records: none where they could not be read, none within where there is no such.
    async fn rows(&self, plan: &Plan, batch: &Batch, places: Vec<usize>) -> Vec<(usize, Option<Option<Row>>)> {
        let mut ends: Vec<(usize, Side, Vec<usize>)> = Vec::new();
        for place in places {
            let write = &batch.writes[place];
            match ends.iter_mut().find(|(mapping, side, _)| (*mapping, *side) == (write.mapping, write.side)) {
                Some((_, _, places)) => places.push(place),
                None => ends.push((write.mapping, write.side, vec![place])),
            }
        }
        let mut rows = Vec::new();
        for (mapping, side, places) in ends {
            let ids = self.ids(&places);
            let read = match plan.mappings.get(mapping) {
                Some(mapping) => self.shared.rows_of(mapping, side, &ids).await.ok(),
                None => None,
            };
            for (place, id) in places.into_iter().zip(ids) {
                rows.push((place, read.as_ref().map(|read| read.get(&id).cloned())));
            }
        }
        rows
    }
}

/// Whether it is worth going on after a call that failed as a whole.
fn still_there(error: &Error) -> Option<()> {
    (not_done(error).is_none() && error.kind() != ErrorKind::UnknownOutcome).then_some(())
}

fn part_results(part: &Part, response: &SubResponse) -> Asked<Vec<SaveResult>> {
    match part {
        Part::Conditional(_) => response.save_result().map(|result| vec![result]),
        _ => response.save_results(),
    }
}

fn done() -> SaveResult {
    SaveResult { id: None, success: true, errors: Vec::new(), created: None }
}

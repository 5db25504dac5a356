//! The engine at work on both ends as they are, with every write kept back: what it would do is what it will do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tombolo_engine::sync::{
    Answer, Batch, Command, Conflict, Effect, Input, Key, LinkRow, Load, Operation, Outcome, Plan, Read, Row, Settings,
    Shard, Side, SourceId, Start, Stored, Values, Write,
};

use super::TENANT;
use crate::{
    Error, Result,
    state::{Lease, State, memory::MemoryState},
    systems::system::System,
};

/// How long the engine's time runs on while nothing else happens: the window of a batch and a few repetitions, but no
/// waiting for echoes, which do not come.
const HORIZON: SignedDuration = SignedDuration::from_secs(20);
/// How many links are taken over from the state at once.
const PAGE: usize = 500;

/// The engine at work, with every write kept back.
pub(super) struct Rehearsal<'s> {
    plan: Arc<Plan>,
    systems: &'s BTreeMap<String, Arc<dyn System>>,
    state: MemoryState,
    lease: Lease,
    now: Timestamp,
    /// What records would show, by (connection, entity, key).
    shown: BTreeMap<(String, String, Key), Shown>,
    /// Every write that was kept back.
    pub(super) writes: Vec<Write>,
    /// Every conflict that was found.
    pub(super) conflicts: Vec<Conflict>,
    made: usize,
}

/// What a record would show after the writes that were kept back.
#[derive(Default)]
struct Shown {
    values: Values,
    deleted: bool,
}

impl<'s> Rehearsal<'s> {
    /// A rehearsal over these systems; from what a state knows, if there is one.
    pub(super) async fn new(
        plan: &Plan,
        systems: &'s BTreeMap<String, Arc<dyn System>>,
        known: Option<&dyn State>,
    ) -> Result<Self> {
        let mut plan = plan.clone();
        // Nothing is written, so nothing is counted.
        plan.connections.values_mut().for_each(|connection| connection.budgeted = false);
        let state = MemoryState::default();
        let shard = state.shard(TENANT).await?;
        let lease = state.acquire(shard, "plan", Duration::from_secs(86_400)).await?;
        let lease = lease.ok_or_else(|| Error::failed("the rehearsal's own state is held by somebody else"))?;
        let rehearsal = Self {
            plan: Arc::new(plan),
            systems,
            state,
            lease,
            now: Timestamp::now(),
            shown: BTreeMap::new(),
            writes: Vec::new(),
            conflicts: Vec::new(),
            made: 0,
        };
        if let Some(known) = known {
            rehearsal.take_over(known).await?;
        }
        Ok(rehearsal)
    }

    /// Copies what is known of every record.
    async fn take_over(&self, known: &dyn State) -> Result<()> {
        let shard = known.shard(TENANT).await?;
        let mut seen = BTreeSet::new();
        for mapping in 0..self.plan.mappings.len() {
            for side in Side::BOTH {
                let mut after = None;
                loop {
                    let load = Load { keys: Some((mapping, side, after, PAGE)), ..Load::default() };
                    let keys = known.load(shard, &load).await?.keys;
                    let Some(last) = keys.last().cloned() else { break };
                    let by_key = keys.into_iter().map(|key| (mapping, side, key)).collect();
                    let mut links = known.load(shard, &Load { by_key, ..Load::default() }).await?.links;
                    links.retain(|link| seen.insert(link.id));
                    let rows = links.into_iter().map(|link| self.row(link)).collect();
                    let transaction = tombolo_engine::sync::Transaction { links: rows, ..Default::default() };
                    self.state.commit(&self.lease, &transaction).await?;
                    after = Some(last);
                }
            }
        }
        let mappings =
            known.status(shard).await?.mappings.into_iter().map(|(index, state, _)| (index, state)).collect();
        let transaction = tombolo_engine::sync::Transaction { mappings, ..Default::default() };
        self.state.commit(&self.lease, &transaction).await?;
        Ok(())
    }

    fn row(&self, link: tombolo_engine::sync::Link) -> LinkRow {
        let mapping = &self.plan.mappings[link.mapping];
        let matches = Side::BOTH.map(|side| link.match_text(mapping, side));
        LinkRow { active: link.is_active() || link.is_half(), matches, link }
    }

    /// Lets the engine do what it would do, until nothing is left.
    pub(super) async fn run(&mut self, settings: &Settings) -> Result<()> {
        let settings = Settings {
            window: Duration::ZERO,
            scrub_every: Duration::ZERO,
            // A person looks on already.
            brake: (u32::MAX, settings.brake.1),
            mass_delete: (100, u64::MAX, settings.mass_delete.2),
            ..settings.clone()
        };
        let start: Start = self.state.start(&self.lease).await?;
        let end = self.now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        let mut shard = Shard::new(self.now, Arc::clone(&self.plan), settings, start);
        for connection in self.systems.keys() {
            let source = SourceId { connection: connection.clone(), channel: "*".to_owned() };
            shard.handle(self.now, Input::Opened { source, at: self.now });
        }
        // What was loaded before is compared.
        shard.handle(self.now, Input::Command { id: 0, command: Command::Scrub(None) });
        loop {
            while let Some(effect) = shard.next_effect() {
                if let Some(input) = self.perform(effect).await? {
                    shard.handle(self.now, input);
                }
            }
            match shard.wake() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    shard.handle(self.now, Input::Tick);
                }
                _ => return Ok(()),
            }
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<Option<Input>> {
        Ok(Some(match effect {
            Effect::Commit { ticket, mut transaction } => {
                transaction.history.clear();
                transaction.commands.clear();
                self.conflicts.extend(transaction.conflicts.iter().cloned());
                let known = self.state.commit(&self.lease, &transaction).await?;
                Input::Committed { ticket, known }
            }
            Effect::Load { ticket, load } => {
                let loaded = Box::new(self.state.load(self.lease.shard, &load).await?);
                Input::Loaded { ticket, loaded }
            }
            Effect::Write(batch) => self.keep_back(batch),
            Effect::Read { ticket, connection, read, .. } => {
                Input::Answered { ticket, answer: self.read(&connection, read).await? }
            }
            Effect::Acknowledge { .. } | Effect::Reserve(_) => return Ok(None),
        }))
    }

    /// Writes nothing, and answers as if it had.
    fn keep_back(&mut self, batch: Batch) -> Input {
        let mut outcomes = Vec::new();
        for write in batch.writes {
            let end = &self.plan.mappings[write.mapping].ends[write.side];
            let key = match &write.operation {
                Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key) => key.clone(),
                Operation::Create { key: Some(key), .. } => key.clone(),
                Operation::Create { key: None, .. } => {
                    self.made += 1;
                    format!("(new {} {})", end.entity, self.made)
                }
            };
            let place = (end.connection.clone(), end.entity.clone(), key.clone());
            let shown = self.shown.entry(place).or_default();
            shown.deleted = matches!(write.operation, Operation::Delete(_));
            overlay(&mut shown.values, &write.values);
            let compared = end.style == tombolo_engine::sync::Style::Compared;
            let row = (compared && !shown.deleted).then(|| {
                let mut values = write.expect.clone();
                overlay(&mut values, &write.values);
                row_of(key.clone(), values)
            });
            outcomes.push(Outcome::Done { key, row });
            self.writes.push(write);
        }
        Input::Written { tag: batch.tag, outcomes }
    }

    /// Reads, and lays over it what was kept back.
    async fn read(&self, connection: &str, read: Read) -> Result<Answer> {
        let entity = |mapping: usize, side: Side| self.plan.mappings[mapping].ends[side].entity.clone();
        let (entity, read, new) = match read {
            Read::Rows { mapping, side, keys } => {
                let entity = entity(mapping, side);
                let (new, keys): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|key| key.starts_with("(new "));
                (entity, Read::Rows { mapping, side, keys }, new)
            }
            Read::Page { mapping, side, .. }
            | Read::External { mapping, side, .. }
            | Read::Deleted { mapping, side, .. }
            | Read::Keys { mapping, side, .. } => (entity(mapping, side), read, Vec::new()),
            Read::Children { mapping, .. } => (entity(mapping, Side::Left), read, Vec::new()),
        };
        let nothing = matches!(&read, Read::Rows { keys, .. } if keys.is_empty());
        let mut answer = if nothing {
            Answer::Rows { rows: Vec::new(), next: None, server: None }
        } else {
            let system = self.systems.get(connection);
            let system = system.ok_or_else(|| Error::failed(format!("`{connection}` is not open")))?;
            system.read(&read).await
        };
        let place = |key: &Key| (connection.to_owned(), entity.clone(), key.clone());
        match &mut answer {
            Answer::Rows { rows, .. } => {
                rows.extend(new.iter().map(|key| row_of(key.clone(), Vec::new())));
                for row in rows {
                    if let Some(shown) = self.shown.get(&place(&row.key)) {
                        overlay(&mut row.values, &shown.values);
                        row.deleted = shown.deleted;
                    }
                }
            }
            Answer::Failed(refusal) => {
                let text = format!("cannot read {entity} of `{connection}`: {}: {}", refusal.code, refusal.message);
                return Err(Error::failed(text));
            }
            Answer::Later(_) => {
                return Err(Error::failed(format!("`{connection}` cannot be read now")).may_pass(true));
            }
            Answer::Deleted { .. } | Answer::Keys { .. } => {}
        }
        Ok(answer)
    }
}

fn row_of(key: Key, values: Values) -> Row {
    Row { key, values, stamp: None, foreign_at: None, order: None, deleted: false, merged_into: None }
}

/// Sets these values among those.
fn overlay(values: &mut Values, set: &[(String, Stored)]) {
    for (name, value) in set {
        match values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.clone(),
            None => values.push((name.clone(), value.clone())),
        }
    }
}

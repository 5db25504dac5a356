//! What the hub does for the engine: starts it, tells it what happened, performs what it says.

use std::sync::Arc;

use tombolo_engine::sync::{Command, Effect, Input, Mutation, Reservation, SourceId, Transaction};

use super::{Instance, SHORT, Task, World, telling};
use crate::{
    database::identity_number,
    engine::Engine,
    history::Boundary,
    ledger::{CommitId, Told},
    moment::{MILLI, MINUTE, Micros, SECOND, micros, timestamp},
    org::Channel,
    plan::{APP, CRM},
};

/// The lease of a shard.
pub(super) const LEASE: Micros = 10 * SECOND;

impl<E: Engine> World<E> {
    /// A process takes the shard over.
    pub(super) fn start(&mut self) {
        let told = self.instances.values().next_back().map(|last| last.told[..last.durable].to_vec());
        let start = self.store.take_over();
        let epoch = start.epoch;
        self.note(|| format!("a process starts, epoch {epoch}"));
        let now = timestamp(self.now);
        let engine = E::start(now, Arc::clone(&self.plan), self.settings.clone(), start);
        self.instances.insert(epoch, Instance::new(engine, told.unwrap_or_default()));
        for (side, connection) in [(0, CRM), (1, APP)] {
            let error = self.delay("clock", -self.history.habits.uncertain, self.history.habits.uncertain);
            let ahead_ms = (self.history.habits.skew[side] + error) / MILLI;
            let uncertain_ms = u64::try_from(self.history.habits.uncertain / MILLI).unwrap_or(0) + 1;
            self.feed(epoch, Input::Clock { connection: connection.to_owned(), ahead_ms, uncertain_ms }, Vec::new());
        }
        self.tell_usage(epoch);
        let commands: Vec<(u64, Command)> = self.commands.iter().map(|(id, command)| (*id, command.clone())).collect();
        for (id, command) in commands {
            self.feed(epoch, Input::Command { id, command }, Vec::new());
        }
        let delay = self.delay("subscribe", SHORT, 800 * MILLI);
        self.agenda.add(self.now + delay, Task::Subscribe(epoch));
        self.drain(epoch);
    }

    /// The epoch of the process that lives and is not standing still.
    pub(super) fn current(&self) -> Option<u64> {
        let mut alive = self.instances.iter().rev().filter(|(_, instance)| instance.engine.is_some());
        alive.find(|(_, instance)| instance.paused.is_none()).map(|(epoch, _)| *epoch)
    }

    /// The engine hears something, and does what follows.
    pub(super) fn feed(&mut self, epoch: u64, input: Input, told: Vec<CommitId>) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        if instance.paused.is_some() {
            instance.deferred.push((input, told));
            return;
        }
        if matches!(input, Input::Written { .. } | Input::Answered { .. }) && self.dies(Boundary::BeforeAnswer, epoch) {
            return;
        }
        if !matches!(&input, Input::Committed { known, .. } if known.is_empty()) {
            self.note(|| format!("[{epoch}] <- {}", telling::input(&input)));
        }
        let mut known = Vec::new();
        for commit in told {
            match &mut self.ledger.commits[commit].told {
                Told::Gap(when @ None) if !matches!(input, Input::Answered { .. } | Input::Written { .. }) => {
                    *when = Some(now);
                }
                Told::Gap(_) if !matches!(input, Input::Answered { .. } | Input::Written { .. }) => {}
                _ => known.push(commit),
            }
        }
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        if let Input::Written { tag, outcomes } = &input {
            let request = self.requests.iter().find(|request| request.batch.tag == *tag);
            if let Some(request) = request {
                for write in &request.batch.writes {
                    instance.outstanding.remove(&(
                        write.side,
                        write.link,
                        super::requests::operation_key(&write.operation),
                    ));
                }
                debug_assert_eq!(outcomes.len(), request.batch.writes.len(), "one outcome for each write");
            }
        }
        instance.tell(known);
        let Some(engine) = &mut instance.engine else { return };
        engine.handle(timestamp(now), input);
        self.drain(epoch);
    }

    /// Performs everything that the engine wants done.
    fn drain(&mut self, epoch: u64) {
        for _ in 0..100_000 {
            let Some(instance) = self.instances.get_mut(&epoch) else { return };
            let Some(effect) = instance.engine.as_mut().and_then(E::next_effect) else { break };
            self.perform(epoch, effect);
        }
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        let Some(wake) = instance.engine.as_ref().and_then(E::wake).map(micros) else { return };
        if instance.wake.is_none_or(|planned| planned > wake || planned < now) {
            instance.wake = Some(wake);
            self.agenda.add(wake.max(now), Task::Tick(epoch));
        }
    }

    pub(super) fn tick(&mut self, epoch: u64) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        if let Some(until) = instance.paused {
            self.agenda.add(until, Task::Tick(epoch));
            return;
        }
        instance.wake = None;
        let Some(wake) = instance.engine.as_ref().and_then(E::wake).map(micros) else { return };
        if wake > now {
            instance.wake = Some(wake);
            self.agenda.add(wake, Task::Tick(epoch));
            return;
        }
        let (at, spins) = instance.spins;
        instance.spins = if at == now { (now, spins + 1) } else { (now, 0) };
        if spins > 1000 && at == now {
            instance.engine = None;
            self.violate("spins", format!("epoch {epoch} wants to be woken at {} for ever", timestamp(wake)));
            return;
        }
        self.feed(epoch, Input::Tick, Vec::new());
    }

    fn perform(&mut self, epoch: u64, effect: Effect) {
        self.note(|| format!("[{epoch}] -> {}", telling::effect(&effect)));
        match effect {
            Effect::Commit { .. } | Effect::Load { .. } => {
                let delay = self.delay("store", SHORT, 4 * MILLI);
                let Some(instance) = self.instances.get_mut(&epoch) else { return };
                if matches!(effect, Effect::Commit { .. }) {
                    let told = instance.told.len();
                    instance.asked_told.push_back(told);
                }
                instance.asked.push_back(effect);
                instance.busy = instance.busy.max(self.now) + delay;
                let at = instance.busy;
                self.agenda.add(at, Task::Store(epoch));
            }
            Effect::Reserve(ask) => {
                let delay = self.delay("ledger", SHORT, 20 * MILLI);
                self.agenda.add(self.now + delay, Task::Reserve(epoch, Box::new(ask)));
            }
            Effect::Write(batch) => self.send(epoch, batch),
            Effect::Read { .. } => {
                self.count_call(&effect);
                let delay = self.delay("ask", SHORT, 60 * MILLI);
                self.agenda.add(self.now + delay, Task::Ask(epoch, Box::new(effect)));
            }
            Effect::Acknowledge { source, identities } => self.acknowledge(epoch, &source, &identities),
        }
    }

    /// The ledger of the org's calls gives what it has. Whoever is dead by now took it all the same.
    pub(super) fn reserve(&mut self, epoch: u64, ask: &Reservation) {
        let reserved = self.store.ledger.reserve(ask);
        self.feed(epoch, Input::Reserved { connection: ask.connection.clone(), reserved }, Vec::new());
    }

    /// The state store does the first thing that it was asked.
    pub(super) fn serve_store(&mut self, epoch: u64) {
        let fenced = epoch < self.store.epoch && self.mutation() != Some(Mutation::NoEpoch);
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        if let Some(until) = instance.paused {
            self.agenda.add(until, Task::Store(epoch));
            return;
        }
        let Some(effect) = instance.asked.pop_front() else { return };
        if fenced {
            self.kill(epoch, "it is fenced");
            return;
        }
        let reply = match effect {
            Effect::Commit { ticket, transaction } => {
                if self.dies(Boundary::BeforeCommit, epoch) {
                    return;
                }
                self.check_transaction(epoch, &transaction);
                for id in &transaction.commands {
                    self.commands.remove(id);
                }
                let again = self.mutation() == Some(Mutation::NoDeduplication);
                let known = self.store.commit(*transaction, again);
                if let Some(instance) = self.instances.get_mut(&epoch) {
                    instance.durable = instance.asked_told.pop_front().unwrap_or(instance.durable);
                }
                if self.dies(Boundary::AfterCommit, epoch) {
                    return;
                }
                Input::Committed { ticket, known }
            }
            Effect::Load { ticket, load } => Input::Loaded { ticket, loaded: Box::new(self.store.load(&load)) },
            _ => return,
        };
        let delay = if self.hurry { 0 } else { SHORT };
        self.agenda.add(self.now + delay, Task::Stored(epoch, Box::new(reply)));
    }

    /// Positions move forward only, and over nothing that is not in the journal.
    fn check_transaction(&mut self, epoch: u64, transaction: &Transaction) {
        for (source, state) in &transaction.sources {
            let (Some(position), Some(channel)) = (&state.position, self.channel(source)) else { continue };
            let index = Channel::index(position);
            let before =
                self.store.sources.get(source).and_then(|state| state.position.as_deref()).map_or(0, Channel::index);
            let object = channel.0;
            let cursor = self.instances.get(&epoch).and_then(|instance| instance.cursors.get(object)).copied();
            if index < before || cursor.is_some_and(|cursor| index > cursor) {
                let text = format!("{object}: from {before} to {index}, delivered up to {cursor:?}");
                self.violate("a position that does not move forward", text);
                continue;
            }
            let heard = |connection: &str, identity: &str| {
                self.store.journaled(connection, identity)
                    || transaction.heard.iter().any(|entry| entry.news.identity == identity)
            };
            let first = before.max(self.armed.opened.get(object).copied().unwrap_or(0));
            let events = self.org.channels[object].log.iter().take(index).skip(first);
            let news = events.flat_map(|event| event.news(object));
            let missing = news.map(|news| news.identity).find(|identity| !heard(CRM, identity));
            if let Some(identity) = missing {
                self.violate("a position over what is not journaled", format!("{object} at {index}: {identity}"));
            }
        }
    }

    fn channel(&self, source: &SourceId) -> Option<(&'static str, &Channel)> {
        if source.connection != CRM {
            return None;
        }
        self.org
            .channels
            .iter()
            .find(|(object, _)| **object == source.channel)
            .map(|(object, channel)| (*object, channel))
    }

    fn acknowledge(&mut self, epoch: u64, source: &SourceId, identities: &[String]) {
        if self.dies(Boundary::BeforeAcknowledge, epoch) {
            return;
        }
        if let Some(identity) = identities.iter().find(|identity| !self.store.journaled(&source.connection, identity)) {
            let text = format!("{}: {identity}", source.channel);
            self.violate("acknowledged before it is in the journal", text);
        }
        if source.connection != APP {
            return;
        }
        let checks = self.mutation() != Some(Mutation::NoEpoch);
        if !self.database.acknowledge(identities, epoch, checks) {
            self.kill(epoch, "the epoch row says so");
            return;
        }
        if let Some(instance) = self.instances.get_mut(&epoch) {
            for id in identities.iter().filter_map(|identity| identity_number(identity)) {
                instance.handed.remove(&id);
            }
        }
        self.dies(Boundary::AfterAcknowledge, epoch);
    }

    /// Somebody asks the engine for something; the state keeps it until it is carried out.
    pub(super) fn command(&mut self, command: Command) {
        self.next_command += 1;
        let id = self.next_command;
        self.commands.insert(id, command.clone());
        if let Some(epoch) = self.current() {
            self.feed(epoch, Input::Command { id, command }, Vec::new());
        }
    }

    pub(super) fn tell_usage(&mut self, epoch: u64) {
        if self.instances.get(&epoch).is_none_or(|instance| instance.engine.is_none()) {
            return;
        }
        let since = self.now - 24 * 60 * MINUTE;
        self.calls.retain(|at| *at > since);
        let used = self.calls.len() as u64;
        let limit = self.history.habits.calls;
        self.feed(epoch, Input::Usage { connection: CRM.to_owned(), used, limit }, Vec::new());
        self.agenda.add(self.now + 5 * MINUTE, Task::Usage(epoch));
    }

    /// A process is gone.
    pub(super) fn kill(&mut self, epoch: u64, why: &str) {
        self.note(|| format!("[{epoch}] is gone: {why}"));
        if let Some(instance) = self.instances.get_mut(&epoch) {
            instance.engine = None;
            instance.paused = None;
            instance.deferred.clear();
            instance.asked.clear();
        }
    }
}

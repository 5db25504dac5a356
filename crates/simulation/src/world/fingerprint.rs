//! What a world's future, and the verdict on it, hangs on.

use std::fmt::{self, Write};

use tombolo_engine::sync::{Operation, Outcome};

use super::{Instance, Request, Task, World};
use crate::{
    explore::Explored,
    ledger::{Author, Commit, Told},
    org::Channel,
    plan::{APP, CRM},
    sketch::Sketch,
};

impl<E: Explored> World<E> {
    /// The same for worlds that have the same future and will be judged alike. What is left out of each part is said
    /// where the part is written.
    pub fn fingerprint(&self) -> u64 {
        let mut sketch = Sketch::default();
        // A sketch takes whatever it is given.
        let _ = self.sketch(&mut sketch);
        sketch.hash()
    }

    fn sketch(&self, out: &mut Sketch) -> fmt::Result {
        self.sketch_agenda(out)?;
        for (epoch, instance) in &self.instances {
            if let Some(engine) = &instance.engine {
                write!(out, "{epoch}")?;
                self.sketch_instance(instance, out)?;
                engine.essence(out)?;
            }
        }
        self.sketch_store(out)?;
        self.sketch_org(out)?;
        self.sketch_ledger(out)?;
        self.sketch_requests(out)?;
        write!(out, "{}{}{:?}{:?}{:?}", self.now, self.waited, self.wrong, self.disturbed, self.commands)?;
        self.armed.sketch(out)?;
        // Last: which operations can come again is known by now.
        self.sketch_database(out)
    }

    /// What is to happen, in no order: nothing here has one but the store's, which is asked and answers at once. Two
    /// tasks to hand over what is there do what one does. The engine is told of usage at no time of its own.
    fn sketch_agenda(&self, out: &mut Sketch) -> fmt::Result {
        let mut tasks: Vec<(String, &Task)> = Vec::new();
        for (at, task) in self.agenda.tasks() {
            let name = match task {
                Task::Usage(_) => continue,
                // Numbers of requests, and answers, are written below.
                Task::Land(number) => format!("land {:?}", self.requests[*number].batch.tag),
                Task::Hear(epoch, input, _) => format!("hear {epoch} {input:?}"),
                Task::Tick(epoch) => format!("tick {epoch} {at}"),
                task => format!("{task:?}"),
            };
            tasks.push((name, task));
        }
        tasks.sort_by(|one, other| one.0.cmp(&other.0));
        tasks.dedup_by(|one, other| one.0 == other.0);
        for (name, task) in tasks {
            match task {
                Task::Land(number) => {
                    let Request { epoch, batch, sent, fate, .. } = &self.requests[*number];
                    write!(out, "land {epoch} {batch:?}{sent}{fate:?}")?;
                }
                Task::Hear(epoch, input, _) => write!(out, "hear {epoch} {input:?}")?,
                Task::Ask(epoch, effect) => write!(out, "ask {epoch} {effect:?}")?,
                Task::Stored(epoch, input) => write!(out, "stored {epoch} {input:?}")?,
                _ => out.write_str(&name)?,
            }
        }
        Ok(())
    }

    /// What it was told matters to the oracle alone, and only where an event told nothing: see the ledger. What the
    /// store was asked and has not done is nothing: that is served first.
    fn sketch_instance(&self, instance: &Instance<E>, out: &mut Sketch) -> fmt::Result {
        for (object, cursor) in &instance.cursors {
            let length = self.org.channels.get(object).map_or(0, |channel| channel.log.len());
            write!(out, "{object} {}", length.saturating_sub(*cursor))?;
        }
        let Instance { asked, paused, deferred, cut, reads_outbox, outstanding, wake, .. } = instance;
        write!(out, "{asked:?}{paused:?}{deferred:?}{cut}{reads_outbox}{outstanding:?}{wake:?}")
    }

    /// Entries that are decided are never read again. Conflicts are told by what they say: nobody decides them here by
    /// their number.
    fn sketch_store(&self, out: &mut Sketch) -> fmt::Result {
        let store = &self.store;
        for (source, state) in &store.sources {
            let length = self.org.channels.get(source.channel.as_str()).map_or(0, |channel| channel.log.len());
            let stands = state.position.as_deref().map(|position| length.saturating_sub(Channel::index(position)));
            write!(out, "{source:?}{stands:?}{:?}{:?}", state.opened, state.committed)?;
        }
        write!(out, "{}{:?}", store.epoch, store.ever)?;
        for (id, row) in &store.links {
            let mut engines = self.instances.values().filter_map(|instance| instance.engine.as_ref());
            // What was written above need not be said again.
            if engines.any(|engine| engine.link(*id) == Some(&row.link)) {
                write!(out, "{id} {}", row.active)?;
            } else {
                write!(out, "{row:?}")?;
            }
        }
        let mut conflicts: Vec<String> = Vec::new();
        for conflict in store.conflicts.values() {
            let said = (&conflict.link, &conflict.field, &conflict.values, &conflict.times);
            conflicts.push(format!("{said:?}{:?}{:?}", conflict.kind, conflict.winner));
        }
        conflicts.sort_unstable();
        write!(out, "{conflicts:?}{:?}{:?}{:?}{:?}", store.dead_letters, store.dead_ever, store.gaps, store.mappings)?;
        store.sketch(out)
    }

    /// Events that everybody heard and nobody will be told again are history, and so are the calls that were made, and
    /// the numbers of transactions.
    fn sketch_org(&self, out: &mut Sketch) -> fmt::Result {
        let org = &self.org;
        write!(out, "{:?}{:?}", org.records, org.missing)?;
        for (object, channel) in &org.channels {
            let put_away = self.store.sources.iter().find(|(source, _)| source.channel == *object);
            let put_away = put_away.and_then(|(_, state)| state.position.as_deref()).map_or(0, Channel::index);
            let cursors = self.instances.values().filter(|instance| instance.engine.is_some());
            let heard = cursors.filter_map(|instance| instance.cursors.get(object).copied()).min();
            let from = put_away.min(heard.unwrap_or(put_away)).min(channel.log.len());
            write!(out, "{object}{}", channel.retained)?;
            for event in &channel.log[from..] {
                for news in event.news(object) {
                    write!(out, "{news:?}{}{}", event.due, self.store.journaled(CRM, &news.identity))?;
                }
            }
        }
        org.sketch(out)
    }

    /// An operation that nobody can ask for again is history.
    fn sketch_database(&self, out: &mut Sketch) -> fmt::Result {
        let database = &self.database;
        write!(out, "{:?}{}{:?}{:?}", database.rows, database.epoch, database.locked, database.gone)?;
        write!(out, "{} {}", database.cap, database.watermark)?;
        for (operation, key) in &database.operations {
            if out.knows(operation) {
                out.operation(operation);
                out.write_str(key)?;
            }
        }
        for (id, row) in &database.outbox {
            let news = database.news(*id, row);
            let journaled = self.store.journaled(APP, &news.identity);
            write!(out, "{news:?}{journaled}")?;
            let living = self.instances.values().filter(|instance| instance.engine.is_some());
            for instance in living {
                write!(out, "{}", instance.handed.contains(id))?;
            }
        }
        database.sketch(out)
    }

    /// The oracle looks at the commits of a record in their order; of those of several records only at their times.
    /// Who made one is, for the engine, what was asked. What a process had been told it asks only of commits whose
    /// events told nothing.
    fn sketch_ledger(&self, out: &mut Sketch) -> fmt::Result {
        for commits in self.ledger.by_record() {
            out.write_str(";")?;
            for id in commits {
                let commit = &self.ledger.commits[*id];
                let Commit { at, made, side, entity, key, author, kind, changes, stamp, told } = commit;
                write!(out, "{at}{made}{side:?}{entity}{key}{kind:?}{changes:?}{stamp}{told:?}")?;
                match author {
                    Author::Engine(number, place) => {
                        let request = &self.requests[*number];
                        let write = &request.batch.writes[*place];
                        write!(out, "{:?}{:?}", write.values, write.unmodified_since)?;
                    }
                    author => write!(out, "{author:?}")?,
                }
                if matches!(told, Told::Gap(_)) {
                    for instance in self.instances.values() {
                        write!(out, "{:?}{}", instance.told, instance.durable)?;
                    }
                    for request in &self.requests {
                        write!(out, "{}{}{}", request.epoch, request.told, request.sent)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Of writes that were done the oracle counts how many there were of each record, and asks what they set.
    fn sketch_requests(&self, out: &mut Sketch) -> fmt::Result {
        let mut done: Vec<String> = Vec::new();
        for Request { batch, sent, outcomes, .. } in &self.requests {
            let writes = batch.writes.iter().zip(outcomes);
            for (write, _) in writes.filter(|(_, outcome)| matches!(outcome, Outcome::Done { .. })) {
                let update = matches!(write.operation, Operation::Update(_));
                done.push(format!("{} {:?} {update} {:?} {sent}", write.link, write.side, write.values));
            }
        }
        done.sort_unstable();
        write!(out, "{done:?}")
    }
}

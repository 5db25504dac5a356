//! The world: two systems, a state store, the processes of the engine, people, and trouble, on one virtual clock.

mod agenda;
mod choices;
mod drive;
mod fingerprint;
mod instance;
mod people;
mod requests;
mod sources;
mod telling;
mod trouble;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tombolo_engine::sync::{Command, Mutation, Plan, Settings, Side, Style};

pub use agenda::{Agenda, Task};
pub use instance::Instance;
pub use requests::Request;

use crate::{
    database::{self, Database},
    dice::Dice,
    engine::Engine,
    history::History,
    ledger::Ledger,
    moment::{MILLI, MINUTE, Micros, SECOND, shown},
    oracle::Violation,
    org::{self, Org},
    plan,
    store::Store,
};

/// How long the world is watched after everything came to rest.
const QUIET: Micros = 30 * MINUTE;

/// Everything that there is.
#[derive(Debug, Clone)]
pub struct World<E> {
    /// What happens.
    pub history: Arc<History>,
    /// The plan of the engine.
    pub plan: Arc<Plan>,
    /// Its settings.
    pub settings: Settings,
    /// Now.
    pub now: Micros,
    /// What is going to happen.
    pub agenda: Agenda,
    /// Salesforce.
    pub org: Org,
    /// The database.
    pub database: Database,
    /// The state.
    pub store: Store,
    /// The truth.
    pub ledger: Ledger,
    /// The processes, by epoch.
    pub instances: BTreeMap<u64, Instance<E>>,
    /// What they wrote.
    pub requests: Vec<Request>,
    /// What is wrong already.
    pub wrong: Vec<Violation>,
    /// Whether writes are watched: after everything came to rest none is due.
    pub quiet_since: Option<Micros>,
    /// Fields that were missing for a while.
    pub disturbed: BTreeSet<(&'static str, String)>,
    /// What happened, for people.
    pub trace: Option<Vec<String>>,
    dice: Dice,
    armed: trouble::Armed,
    commands: BTreeMap<u64, Command>,
    next_command: u64,
    /// When API calls were made.
    calls: Vec<Micros>,
    lengths: BTreeMap<&'static str, usize>,
    hurry: bool,
    /// A long wait happened out of turn.
    waited: bool,
}

impl<E: Engine> World<E> {
    /// The world at the beginning of a history.
    pub fn new(history: Arc<History>, mutation: Option<Mutation>, traced: bool) -> Self {
        let plan = plan::plan(&history.choices);
        let heard = plan.mappings.iter().enumerate().flat_map(|(index, mapping)| {
            mapping.heard(Side::Right).map(move |column| (plan::TABLES[index], column.to_owned())).collect::<Vec<_>>()
        });
        let mut world = Self {
            org: Org::new(&history.habits, history.choices.style == Style::Tagged),
            database: Database::new(&history.habits, heard.collect()),
            settings: settings(mutation),
            plan,
            now: 0,
            agenda: Agenda::default(),
            store: Store::default(),
            ledger: Ledger::default(),
            instances: BTreeMap::new(),
            requests: Vec::new(),
            wrong: Vec::new(),
            quiet_since: None,
            disturbed: BTreeSet::new(),
            trace: traced.then(Vec::new),
            dice: Dice::new(history.seed),
            armed: trouble::Armed::default(),
            commands: BTreeMap::new(),
            next_command: 0,
            calls: Vec::new(),
            lengths: BTreeMap::new(),
            hurry: false,
            waited: false,
            history,
        };
        world.populate();
        world.agenda.add(0, Task::Start);
        for (index, act) in world.history.acts.iter().enumerate() {
            world.agenda.add(act.at, Task::Act(index));
        }
        for (index, fault) in world.history.faults.iter().enumerate() {
            world.agenda.add(fault.at, Task::Fault(index));
        }
        world
    }

    /// Events of the org are held back by so much throughout.
    pub fn with_event_delay(mut self, delay: Micros) -> Self {
        self.armed.event_delay = delay;
        self
    }

    fn populate(&mut self) {
        let history = Arc::clone(&self.history);
        for before in &history.before {
            if before.sides[Side::Left] {
                let parent = before.parent.and_then(|parent| self.org.find(parent, "Account"));
                let values = org::named(before.mapping, &before.values[Side::Left], parent);
                self.org.seed(before, values, &mut self.ledger);
            }
            if before.sides[Side::Right] {
                let parent = before.parent.and_then(|parent| self.database.find(parent, "accounts"));
                let values = database::named(before.mapping, &before.values[Side::Right], parent);
                self.database.seed(before, values, &mut self.ledger);
            }
        }
    }

    /// Runs until everything came to rest, and then a quiet while.
    pub fn run(&mut self) {
        let end = self.history.end();
        // Calls that ran out are there again after a day.
        let patience = if self.history.habits.is_tight() { 60 * 60 * MINUTE } else { 60 * MINUTE };
        if !self.settle(end, end + patience) {
            return;
        }
        self.quiet_since = Some(self.now);
        let until = self.now + QUIET;
        while self.agenda.next_at().is_some_and(|at| at <= until) && self.goes_on() {
            self.step();
        }
        self.now = self.now.max(until);
        self.command(Command::Scrub(None));
        let now = self.now;
        self.settle(now + SECOND, now + patience);
    }

    /// Runs until nothing is under way after this moment; whether that came to be.
    fn settle(&mut self, after: Micros, until: Micros) -> bool {
        let polled = self.history.choices.style == Style::Conditional;
        let pause = 3 * MINUTE;
        let mut rest = None;
        loop {
            if self.now > after && self.at_rest() {
                let since = *rest.get_or_insert(self.now);
                if self.agenda.next_at().is_none_or(|at| at > since + pause) {
                    self.now = since + pause;
                    return true;
                }
            } else if !polled || self.wrote_since(rest) {
                rest = None;
            }
            if self.now > until {
                let why = self.unrest();
                self.violate("never comes to rest", why);
                return false;
            }
            if !self.goes_on() || !self.step() {
                return self.at_rest();
            }
        }
    }

    fn wrote_since(&self, since: Option<Micros>) -> bool {
        let last = self.ledger.commits.iter().map(|commit| commit.at).max();
        since.is_none_or(|since| last > Some(since))
    }

    /// Nothing is under way anywhere.
    pub fn at_rest(&self) -> bool {
        self.unrest().is_empty()
    }

    /// What is under way.
    pub fn unrest(&self) -> String {
        let mut why = Vec::new();
        let mut alive = self.instances.values().filter(|instance| instance.engine.is_some());
        match (alive.next(), alive.next()) {
            (Some(instance), None) => {
                if !instance.engine.as_ref().is_some_and(E::is_quiet) {
                    why.push("the engine is not quiet".to_owned());
                }
                let behind = |(object, channel): (&&'static str, &org::Channel)| {
                    instance.cursors.get(*object).is_none_or(|cursor| *cursor < channel.log.len())
                };
                if self.org.channels.iter().any(behind) {
                    why.push("events are not delivered".to_owned());
                }
            }
            _ => why.push("not one process".to_owned()),
        }
        if self.store.undecided() > 0 {
            why.push(format!("{} entries undecided", self.store.undecided()));
        }
        if !self.database.outbox.is_empty() {
            why.push(format!("{} in the outbox", self.database.outbox.len()));
        }
        if let Some((_, task)) = self.agenda.tasks().find(|(_, task)| !task.is_idle()) {
            let task = format!("{task:?}");
            why.push(task.chars().take(100).collect());
        }
        why.join(", ")
    }

    fn goes_on(&self) -> bool {
        self.wrong.len() < 5
    }

    /// The next thing happens; false if nothing is left.
    pub fn step(&mut self) -> bool {
        let Some((at, task)) = self.agenda.pop() else { return false };
        self.now = self.now.max(at);
        self.happen(task);
        true
    }

    /// Something happens.
    pub fn happen(&mut self, task: Task) {
        match task {
            Task::Act(act) => self.act(act),
            Task::Finish { act, drawn, made } => self.finish(act, &drawn, made),
            Task::Fault(fault) => self.fault(fault),
            Task::Over(kind) => self.over(kind),
            Task::Start => self.start(),
            Task::Resume(epoch) => self.resume(epoch),
            Task::Subscribe(epoch) => self.subscribe(epoch),
            Task::Deliver(epoch, object) => self.deliver(epoch, object),
            Task::Again(object, index) => self.tell_again(object, index),
            Task::Outbox(epoch) => self.read_outbox(epoch),
            Task::Store(epoch) => self.serve_store(epoch),
            Task::Stored(epoch, input) => self.feed(epoch, *input, Vec::new()),
            Task::Reserve(epoch, ask) => self.reserve(epoch, &ask),
            Task::Land(request) => self.land(request),
            Task::Ask(epoch, effect) => self.ask(epoch, *effect),
            Task::Hear(epoch, input, told) => self.feed(epoch, *input, told),
            Task::Tick(epoch) => self.tick(epoch),
            Task::Usage(epoch) => self.tell_usage(epoch),
        }
    }

    /// A delay between these.
    fn delay(&mut self, kind: &'static str, least: Micros, most: Micros) -> Micros {
        if self.hurry { 0 } else { self.dice.of(kind).i64(least..=most) }
    }

    /// Something is wrong.
    pub fn violate(&mut self, kind: &'static str, text: String) {
        if self.trace.is_some() {
            self.note(|| format!("WRONG {kind}: {text}"));
        }
        self.wrong.push(Violation { kind, text });
    }

    /// Something for people to read.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {}", shown(now), text()));
        }
    }

    /// The systems' own clock.
    pub(crate) const fn clock(&self, side: Side) -> Micros {
        match side {
            Side::Left => self.now + self.org.skew,
            Side::Right => self.now + self.database.skew,
        }
    }

    fn mutation(&self) -> Option<Mutation> {
        self.settings.mutation
    }
}

fn settings(mutation: Option<Mutation>) -> Settings {
    Settings {
        parked: std::time::Duration::from_secs(30 * 60),
        scrub_every: std::time::Duration::ZERO,
        brake: (200, std::time::Duration::from_secs(600)),
        mutation,
        ..Settings::default()
    }
}

/// The shortest that anything takes.
const SHORT: Micros = MILLI;

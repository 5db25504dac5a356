//! What is to happen, in order of time; or, where every order is tried, what could happen next.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Effect, Input, Reservation};

use crate::{history::FaultKind, ledger::CommitId, moment::Micros};

/// Something that is going to happen.
#[derive(Debug, Clone)]
pub enum Task {
    /// An act of the history.
    Act(usize),
    /// The commit of a transaction that drew its outbox ids before.
    Finish {
        /// The act.
        act: usize,
        /// The ids, one for each row.
        drawn: Vec<u64>,
        /// When the triggers ran.
        made: Micros,
    },
    /// A fault of the history begins.
    Fault(usize),
    /// A fault ends.
    Over(FaultKind),
    /// A process takes over.
    Start,
    /// A process that stood still goes on.
    Resume(u64),
    /// The streams are opened.
    Subscribe(u64),
    /// Events of an object are delivered.
    Deliver(u64, &'static str),
    /// An event is told once more.
    Again(&'static str, usize),
    /// The outbox is read.
    Outbox(u64),
    /// The state store does what it was asked first.
    Store(u64),
    /// The state store answers.
    Stored(u64, Box<Input>),
    /// The ledger of the org's calls is asked for some.
    Reserve(u64, Box<Reservation>),
    /// A batch arrives.
    Land(usize),
    /// A question arrives.
    Ask(u64, Box<Effect>),
    /// An answer arrives, and tells these commits.
    Hear(u64, Box<Input>, Vec<CommitId>),
    /// Time passes.
    Tick(u64),
    /// The engine is told how much was used.
    Usage(u64),
}

/// What can only happen in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// What the engine's process does by itself.
    Process(u64, &'static str),
    /// Anything else: on its own.
    Alone(u64),
}

impl Task {
    fn lane(&self, number: u64) -> Lane {
        match self {
            Self::Store(epoch) => Lane::Process(*epoch, "store"),
            Self::Stored(epoch, _) => Lane::Process(*epoch, "stored"),
            Self::Deliver(epoch, object) => Lane::Process(*epoch, object),
            Self::Outbox(epoch) => Lane::Process(*epoch, "*"),
            Self::Tick(epoch) => Lane::Process(*epoch, "tick"),
            _ => Lane::Alone(number),
        }
    }

    /// Whether it may wait for ever without anything being left undone.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Tick(_) | Self::Usage(_))
    }
}

/// Everything that is going to happen.
#[derive(Debug, Clone, Default)]
pub struct Agenda {
    tasks: BTreeMap<(Micros, u64), Task>,
    next: u64,
}

impl Agenda {
    /// Something is to happen.
    pub fn add(&mut self, at: Micros, task: Task) {
        self.next += 1;
        self.tasks.insert((at, self.next), task);
    }

    /// What happens next.
    pub fn pop(&mut self) -> Option<(Micros, Task)> {
        self.tasks.pop_first().map(|((at, _), task)| (at, task))
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Micros> {
        self.tasks.keys().next().map(|(at, _)| *at)
    }

    /// What could happen next, if time were no matter: the first of each lane, and whether it is only waiting.
    pub fn candidates(&self) -> Vec<((Micros, u64), bool)> {
        let mut lanes = BTreeMap::new();
        for (place, task) in self.tasks.iter().filter(|(_, task)| !matches!(task, Task::Usage(_))) {
            lanes.entry(task.lane(place.1)).or_insert((*place, task.is_idle()));
        }
        let mut places: Vec<((Micros, u64), bool)> = lanes.into_values().collect();
        places.sort_unstable();
        places
    }

    /// One of the candidates.
    pub fn at(&self, place: (Micros, u64)) -> Option<&Task> {
        self.tasks.get(&place)
    }

    /// Takes one of the candidates.
    pub fn take(&mut self, place: (Micros, u64)) -> Option<Task> {
        self.tasks.remove(&place)
    }

    /// A look at everything.
    pub fn tasks(&self) -> impl Iterator<Item = (Micros, &Task)> {
        self.tasks.iter().map(|((at, _), task)| (*at, task))
    }

    /// Leaves out what is not wanted any more.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Task) -> bool) {
        self.tasks.retain(|_, task| wanted(task));
    }
}

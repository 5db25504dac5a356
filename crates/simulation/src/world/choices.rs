//! Every order: instead of the next thing in time, one of all that could happen next.

use tombolo_engine::sync::{Effect, Read};

use super::{Task, World};
use crate::{
    engine::Engine,
    history::Deed,
    moment::{Micros, SECOND},
};

/// A longer wait than this happens out of turn once only: otherwise time could pass for ever before anything else.
const SHORT_WAIT: Micros = SECOND;

impl<E: Engine> World<E> {
    /// No delays: every order is going to be tried. Where the world `waits`, a long time may pass once before something
    /// that could have happened.
    pub fn hurried(mut self, waits: bool) -> Self {
        self.hurry = true;
        self.waited = !waits;
        self.settings.window = std::time::Duration::ZERO;
        self
    }

    /// Runs in the order of time until this moment.
    pub fn run_until(&mut self, until: Micros) {
        while self.agenda.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = until;
    }

    /// What could happen next; nothing once all that is left is waiting.
    pub fn choices(&self) -> Vec<(Micros, u64)> {
        let candidates: Vec<((Micros, u64), bool)> = self.agenda.candidates();
        // What nobody else can see of, or what does nothing, is in no order to anything.
        let alone =
            candidates.iter().find(|(place, _)| self.agenda.at(*place).is_some_and(|task| self.is_unseen(task)));
        if let Some((place, _)) = alone {
            return vec![*place];
        }
        if candidates.iter().all(|(_, idle)| *idle) && self.at_rest() {
            return Vec::new();
        }
        let busy = candidates.iter().any(|(_, idle)| !idle);
        let wanted = candidates
            .into_iter()
            .filter(|((at, _), idle)| !idle || !busy || at - self.now <= SHORT_WAIT || !self.waited);
        let mut places: Vec<(Micros, u64)> = wanted.map(|(place, _)| place).collect();
        if !busy {
            places.truncate(1);
        }
        places
    }

    /// Makes one of them happen.
    pub fn choose(&mut self, place: (Micros, u64)) {
        let Some(task) = self.agenda.take(place) else { return };
        let out_of_turn = task.is_idle() && self.agenda.tasks().any(|(_, task)| !task.is_idle());
        self.waited |= out_of_turn && place.0 - self.now > SHORT_WAIT;
        if matches!(task, Task::Usage(_)) {
            return;
        }
        self.now = self.now.max(place.0.min(self.latest(&task)));
        self.happen(task);
    }

    /// Whether a task concerns a process and its state alone, or changes nothing.
    fn is_unseen(&self, task: &Task) -> bool {
        match task {
            Task::Store(_) | Task::Stored(..) | Task::Reserve(..) => true,
            Task::Subscribe(epoch) | Task::Resume(epoch) => {
                self.instances.get(epoch).is_none_or(|instance| instance.engine.is_none())
            }
            Task::Outbox(epoch) => self.instances.get(epoch).is_none_or(|instance| {
                instance.engine.is_none() || self.database.outbox.keys().all(|id| instance.handed.contains(id))
            }),
            Task::Deliver(epoch, object) => self.instances.get(epoch).is_none_or(|instance| {
                let length = self.org.channels.get(object).map_or(0, |channel| channel.log.len());
                instance.engine.is_none() || instance.cursors.get(object).is_none_or(|cursor| *cursor >= length)
            }),
            Task::Tick(epoch) | Task::Hear(epoch, ..) | Task::Ask(epoch, _)
                if self.instances.get(epoch).is_none_or(|instance| instance.engine.is_none()) =>
            {
                true
            }
            Task::Ask(_, effect) => match effect.as_ref() {
                Effect::Read { read, .. } => self.answers_alike(read),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether a question has the same answer whenever it is asked: nobody deletes a record here, or makes one of those
    /// that are there already.
    fn answers_alike(&self, read: &Read) -> bool {
        let edits = self.history.acts.iter().all(|act| matches!(act.deed, Deed::Update { .. }));
        edits && matches!(read, Read::Deleted { .. } | Read::Keys { .. }) || self.is_about_nothing(read)
    }

    /// Whether there never is a record of the kind that a question asks for. Its answer then changes nothing but where
    /// that question stands.
    pub(super) fn is_about_nothing(&self, read: &Read) -> bool {
        let (Read::Rows { mapping: asked, .. }
        | Read::External { mapping: asked, .. }
        | Read::Page { mapping: asked, .. }
        | Read::Deleted { mapping: asked, .. }
        | Read::Keys { mapping: asked, .. }
        | Read::Children { mapping: asked, .. }) = read;
        let edits = self.history.acts.iter().all(|act| matches!(act.deed, Deed::Update { .. }));
        edits && self.history.before.iter().all(|before| before.mapping != *asked)
    }

    /// Only waiting takes time.
    fn latest(&self, task: &Task) -> Micros {
        if task.is_idle() || matches!(task, Task::Start) { Micros::MAX } else { self.now }
    }
}

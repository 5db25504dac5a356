//! Every order in which things can happen, from a history of a few edits: each world is gone on from once.

use std::{collections::HashSet, fmt, rc::Rc, sync::Arc};

use tombolo_engine::sync::{Link, LinkId, Mutation, Policy, Shard, Side, Stored};

use crate::{
    Engine, History, Violation, World,
    history::{Act, Before, Boundary, Deed, Fault, FaultKind, Habits},
    judge,
    moment::{Micros, SECOND},
    plan::{ACCOUNT, Choices},
    sketch::Sketch,
};

/// An engine whose worlds can be compared.
pub trait Explored: Engine + Clone + fmt::Debug {
    /// Writes down what its future hangs on.
    fn essence(&self, out: &mut Sketch) -> fmt::Result;
    /// What it knows of a record.
    fn link(&self, id: LinkId) -> Option<&Link>;
}

impl Explored for Shard {
    fn essence(&self, out: &mut Sketch) -> fmt::Result {
        self.essence(out)
    }

    fn link(&self, id: LinkId) -> Option<&Link> {
        self.link(id)
    }
}

/// What is walked.
#[derive(Debug, Clone)]
pub struct Walk {
    /// What people do, and what goes wrong.
    pub history: Arc<History>,
    /// When every order begins to be tried: just before.
    pub begin: Micros,
    /// Whether a long time may pass once before something that could have happened.
    pub waits: bool,
    /// The fault that is put into the engine.
    pub mutation: Option<Mutation>,
    /// So many worlds at most.
    pub most: usize,
}

/// What a walk came to.
#[derive(Debug)]
pub enum Found {
    /// Nothing is wrong in any order.
    Nothing {
        /// How many worlds there were.
        worlds: usize,
        /// In how many of them everything had come to rest.
        ends: usize,
    },
    /// An order in which something is wrong.
    Wrong {
        /// What is wrong.
        wrong: Vec<Violation>,
        /// What happens, line by line.
        trace: Vec<String>,
    },
    /// There are more worlds than were asked for.
    TooMany,
}

/// What was chosen, newest first.
type Way = Option<Rc<Step>>;

#[derive(Debug)]
struct Step {
    choice: usize,
    before: Way,
}

impl Drop for Step {
    /// One after the other: a way is longer than a stack is deep.
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(step) = before {
            before = Rc::into_inner(step).and_then(|mut step| step.before.take());
        }
    }
}

/// More things than this do not happen one after the other without a choice.
const FORCED: usize = 10_000;

/// More writes than this are never made for a few edits.
const WRITES: usize = 30;

/// Tries every order.
pub fn explore<E: Explored>(walk: &Walk) -> Found {
    let mut seen = HashSet::new();
    let mut ends = 0;
    let mut open: Vec<(World<E>, Way)> = vec![(walk.world(false), None)];
    while let Some((mut world, mut way)) = open.pop() {
        let mut forced = 0;
        loop {
            let choices = world.choices();
            let alone = choices.len() == 1;
            if !alone && !seen.insert(world.fingerprint()) {
                break;
            }
            // Where there is no choice, nothing is looked up; but such a stretch has an end.
            forced = if alone { forced + 1 } else { 0 };
            if forced > FORCED || world.requests.len() > WRITES {
                let wrong = vec![Violation { kind: "never comes to rest", text: world.unrest() }];
                return Found::Wrong { wrong, trace: walk.told::<E>(&way) };
            }
            if seen.len() > walk.most {
                return Found::TooMany;
            }
            if choices.is_empty() {
                ends += 1;
                world.run();
            }
            let wrong = if choices.is_empty() { judge(&world) } else { world.wrong.clone() };
            if !wrong.is_empty() {
                return Found::Wrong { wrong, trace: walk.told::<E>(&way) };
            }
            let Some(first) = choices.first() else { break };
            for (choice, place) in choices.iter().enumerate().skip(1) {
                let mut other = world.clone();
                other.choose(*place);
                open.push((other, Some(Rc::new(Step { choice, before: way.clone() }))));
            }
            world.choose(*first);
            way = Some(Rc::new(Step { choice: 0, before: way }));
        }
    }
    Found::Nothing { worlds: seen.len(), ends }
}

impl Walk {
    /// Edits of one field of one record that both sides have, at one time; a process may die on the way. The numbers of
    /// the edits are their values.
    pub fn of_edits(policy: Policy, sides: &[Side], crash: Option<Boundary>) -> Self {
        let begin = 400 * SECOND;
        let text = |number: usize| Stored::from(format!("edit {number}").as_str());
        let before = Before {
            soul: 0,
            mapping: ACCOUNT,
            sides: [true, false],
            values: [vec![(0, Stored::from("Acme")), (1, Stored::from("0"))], Vec::new()],
            parent: None,
        };
        let act = |(number, side): (usize, &Side)| {
            let deed = Deed::Update { soul: 0, values: vec![(1, text(number))] };
            Act { at: begin, side: *side, deed }
        };
        let history = History {
            seed: 7,
            choices: Choices::plain(policy),
            habits: Habits { event_delay: 0, ..Habits::default() },
            before: vec![before],
            acts: sides.iter().enumerate().map(act).collect(),
            faults: crash.map(|boundary| Fault { at: begin, kind: FaultKind::Crash(boundary) }).into_iter().collect(),
        };
        Self { history: Arc::new(history), begin, waits: false, mutation: None, most: 100_000 }
    }

    fn world<E: Explored>(&self, traced: bool) -> World<E> {
        let mut world = World::<E>::new(Arc::clone(&self.history), self.mutation, traced).hurried(self.waits);
        world.run_until(self.begin - SECOND);
        world
    }

    /// What happens on a way.
    fn told<E: Explored>(&self, way: &Way) -> Vec<String> {
        let mut choices = Vec::new();
        let mut at = way.as_ref();
        while let Some(step) = at {
            choices.push(step.choice);
            at = step.before.as_ref();
        }
        let mut world = self.world::<E>(true);
        for choice in choices.into_iter().rev() {
            if let Some(place) = world.choices().get(choice) {
                world.choose(*place);
            }
        }
        world.run();
        world.trace.unwrap_or_default()
    }
}

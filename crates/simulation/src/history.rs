//! What happens in a run: who edits what, and what goes wrong. Drawn from a seed, and small enough to be shrunk.

use std::fmt;

use tombolo_engine::sync::{Side, Stored};

use crate::{
    canon,
    moment::{Micros, shown},
    plan::Choices,
};

/// The number of a thing in the world, whichever systems have a record of it.
pub type Soul = usize;

/// Everything that happens from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// What it was drawn from; delays still are.
    pub seed: u64,
    /// The plan.
    pub choices: Choices,
    /// How the systems behave throughout.
    pub habits: Habits,
    /// What was there before.
    pub before: Vec<Before>,
    /// What people do, in order of time.
    pub acts: Vec<Act>,
    /// What goes wrong, in order of time.
    pub faults: Vec<Fault>,
}

/// How the systems behave throughout a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// How far each system's clock runs ahead of ours.
    pub skew: [Micros; 2],
    /// How far off the measured offset may be.
    pub uncertain: Micros,
    /// The org changes what it stores: titles become upper case.
    pub org_rewrites: bool,
    /// The database does: titles become lower case.
    pub database_rewrites: bool,
    /// How many rows are in a page.
    pub page: usize,
    /// How many API calls a day the org allows.
    pub calls: u64,
    /// How long events take at most, as a rule.
    pub event_delay: Micros,
    /// Several changes of one transaction that are the same make one event.
    pub merged_events: bool,
    /// The greatest distance of ids in the outbox before it overflows.
    pub outbox_cap: u64,
}

impl Habits {
    /// Whether the calls may run out.
    pub const fn is_tight(&self) -> bool {
        self.calls < 1000
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            skew: [0, 0],
            uncertain: 0,
            org_rewrites: false,
            database_rewrites: false,
            page: 50,
            calls: 100_000,
            event_delay: 500_000,
            merged_events: true,
            outbox_cap: 1_000_000,
        }
    }
}

/// A thing that was there before.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    /// Its number.
    pub soul: Soul,
    /// Its mapping.
    pub mapping: usize,
    /// Which sides have a record of it.
    pub sides: [bool; 2],
    /// What each side shows, by the place of the pair.
    pub values: [Vec<(usize, Stored)>; 2],
    /// Its account.
    pub parent: Option<Soul>,
}

/// Somebody does something.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// When.
    pub at: Micros,
    /// On which side.
    pub side: Side,
    /// What.
    pub deed: Deed,
}

/// What somebody does.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Makes a record of a new thing.
    Create {
        /// The thing.
        soul: Soul,
        /// Its mapping.
        mapping: usize,
        /// Its values, by the place of the pair.
        values: Vec<(usize, Stored)>,
        /// Its account.
        parent: Option<Soul>,
    },
    /// Sets fields.
    Update {
        /// Of which thing.
        soul: Soul,
        /// To what, by the place of the pair.
        values: Vec<(usize, Stored)>,
    },
    /// Gives a contact another account.
    Move {
        /// The contact.
        soul: Soul,
        /// The account.
        parent: Option<Soul>,
    },
    /// Sets the same value in all records of a mapping, in one transaction.
    All {
        /// The mapping.
        mapping: usize,
        /// The place of the pair, and the value.
        value: (usize, Stored),
    },
    /// Deletes.
    Delete(Soul),
    /// Brings back from the recycle bin.
    Undelete(Soul),
    /// Empties the recycle bin of it.
    Purge(Soul),
    /// Merges the first into the second.
    Merge(Soul, Soul),
    /// Converts a lead into these two new things: an account and a contact.
    Convert(Soul, Soul, Soul),
    /// Empties a table at once.
    Truncate(usize),
    /// Asks the engine to compare everything.
    Scrub,
    /// Asks the engine to merge dead letters anew.
    Retry,
    /// Stops and continues all writing.
    Pause(bool),
}

/// Something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at: Micros,
    /// What.
    pub kind: FaultKind,
}

/// What goes wrong; a count is of the next operations that it could happen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Events of the org are held back by so much.
    DelayEvents(Micros),
    /// The next events come again later.
    DuplicateEvents(u32),
    /// The next changes by people are told as gap events.
    Gap(u32),
    /// The next change by people overflows: its entity is told as a gap.
    Overflow,
    /// The streams are cut and resumed.
    CutStreams,
    /// The streams are cut, and what was not heard is not retained.
    ExpireReplay,
    /// The answers of the next writes are lost after they were done.
    LostAnswer(Side, u32),
    /// The next writes are lost on their way.
    LostRequest(Side, u32),
    /// The next write is taken for lost, and lands so much later.
    LateLanding(Side, Micros),
    /// The answer of the next write takes so long.
    SlowAnswer(Side, Micros),
    /// The next record written is locked.
    RowLock(Side, u32),
    /// Requests are refused for so long.
    Unavailable(Side, Micros),
    /// The next reads show what was there so long ago.
    SlowRead(Side, Micros),
    /// The engine's process dies at the next such moment, and another one takes over.
    Crash(Boundary),
    /// The engine's process stands still for so long, past its lease; another one takes over.
    Pause(Micros),
    /// The next transactions of people in the database take this long, their outbox ids being drawn first.
    SlowTransaction(u32, Micros),
    /// The outbox is as good as full for so long.
    OutboxFull(Micros),
    /// A field of contacts is missing in the org for so long.
    FieldRemoved(Micros),
    /// What was claimed from the outbox is handed over again.
    OutboxAgain,
}

/// The moments at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// Anywhere.
    Now,
    /// Before a transaction of the state is durable.
    BeforeCommit,
    /// When it is durable and nobody knows.
    AfterCommit,
    /// Before a write leaves.
    BeforeSend,
    /// When it has left.
    AfterSend,
    /// Before its answer is heard.
    BeforeAnswer,
    /// Before a source is told what is kept.
    BeforeAcknowledge,
    /// When it was told.
    AfterAcknowledge,
}

impl Boundary {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Now,
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::BeforeSend,
        Self::AfterSend,
        Self::BeforeAnswer,
        Self::BeforeAcknowledge,
        Self::AfterAcknowledge,
    ];
}

impl History {
    /// When the last act or fault begins.
    pub fn end(&self) -> Micros {
        let acts = self.acts.iter().map(|act| act.at);
        acts.chain(self.faults.iter().map(|fault| fault.at)).max().unwrap_or(0)
    }
}

fn values(values: &[(usize, Stored)]) -> String {
    values.iter().map(|(pair, value)| format!("{pair}={}", canon::shown(value))).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan   {:?}", self.choices)?;
        writeln!(f, "habits {:?}", self.habits)?;
        for before in &self.before {
            let Before { soul, mapping, sides, values: shown, parent } = before;
            let sides = sides.map(|there| if there { "x" } else { "-" }).concat();
            let [left, right] = [values(&shown[0]), values(&shown[1])];
            writeln!(f, "before #{soul} mapping {mapping} [{sides}] parent {parent:?}: {left} | {right}")?;
        }
        let mut lines: Vec<(Micros, String)> = Vec::new();
        lines.extend(self.acts.iter().map(|act| (act.at, format!("{:?} {:?}", act.side, act.deed))));
        lines.extend(self.faults.iter().map(|fault| (fault.at, format!("fault {:?}", fault.kind))));
        lines.sort_by_key(|(at, _)| *at);
        lines.iter().try_for_each(|(at, line)| writeln!(f, "{} {line}", shown(*at)))
    }
}

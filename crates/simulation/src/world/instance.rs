//! A process that holds the shard, or thinks that it does.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tombolo_engine::sync::{Effect, Input, Key, LinkId, Side};

use crate::{ledger::CommitId, moment::Micros};

/// One process.
#[derive(Debug, Clone)]
pub struct Instance<E> {
    /// Its engine; none when it is dead.
    pub engine: Option<E>,
    /// What the state store was asked and has not done.
    pub asked: VecDeque<Effect>,
    /// Until when the state store is busy.
    pub busy: Micros,
    /// Until when the process stands still.
    pub paused: Option<Micros>,
    /// What it will hear when it goes on.
    pub deferred: Vec<(Input, Vec<CommitId>)>,
    /// How far it heard each stream; none before it is opened.
    pub cursors: BTreeMap<&'static str, usize>,
    /// Streams are cut until then.
    pub cut: Micros,
    /// Whether the outbox is read.
    pub reads_outbox: bool,
    /// What was handed over from the outbox and not acknowledged.
    pub handed: BTreeSet<u64>,
    /// The commits that it was told, in order.
    pub told: Vec<CommitId>,
    /// At which place.
    told_at: HashMap<CommitId, usize>,
    /// How many of them are put away.
    pub durable: usize,
    /// How many were told when each transaction that is not yet durable was asked for.
    pub asked_told: VecDeque<usize>,
    /// Records written and not answered.
    pub outstanding: BTreeSet<(Side, LinkId, Option<Key>)>,
    /// When it is woken.
    pub wake: Option<Micros>,
    /// How often it was woken at this moment.
    pub spins: (Micros, u32),
}

impl<E> Instance<E> {
    /// A process that was told this by its state.
    pub fn new(engine: E, told: Vec<CommitId>) -> Self {
        let mut instance = Self {
            engine: Some(engine),
            asked: VecDeque::new(),
            busy: 0,
            paused: None,
            deferred: Vec::new(),
            cursors: BTreeMap::new(),
            cut: 0,
            reads_outbox: false,
            handed: BTreeSet::new(),
            told: Vec::new(),
            told_at: HashMap::new(),
            durable: 0,
            asked_told: VecDeque::new(),
            outstanding: BTreeSet::new(),
            wake: None,
            spins: (0, 0),
        };
        instance.tell(told);
        instance.durable = instance.told.len();
        instance
    }

    /// Notes that these commits are known to it.
    pub fn tell(&mut self, commits: impl IntoIterator<Item = CommitId>) {
        for commit in commits {
            let place = self.told.len();
            if self.told_at.insert(commit, place).is_none() {
                self.told.push(commit);
            } else {
                // The first time counts.
                let first = self.told.iter().position(|told| *told == commit).unwrap_or(place);
                self.told_at.insert(commit, first);
            }
        }
    }

    /// Whether a commit was among the first so many things that it was told.
    pub fn knew(&self, commit: CommitId, first: usize) -> bool {
        self.told_at.get(&commit).is_some_and(|place| *place < first)
    }
}

//! One writer over one tenant's records: what comes in, what goes out, what is under way.

mod advance;
mod cache;
mod carried;
mod children;
mod commands;
#[cfg(feature = "mutations")]
mod essence;
mod gaps;
mod halves;
mod items;
mod jobs;
mod lanes;
mod lost;
mod matching;
mod outcomes;
mod reads;
mod recall;
mod recover;
mod rhythm;
mod running;
mod spending;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use cache::Cache;
use items::Item;
use lanes::Lane;
use reads::Asked;
use recall::Needs;
pub use recover::MADE_ANEW;
use running::Running;

use super::{
    Brake, Budget, Effect, Entry, Gap, Input, Key, LinkId, LinkRow, Mapping, MappingIndex, MappingState, Plan,
    Settings, Side, SourceId, SourceState, Start, Tag, Transaction,
    record::{Notes, Scope},
};

/// The engine of one shard. Only its holder has one; what it needs to be built again is put away.
#[derive(Debug, Clone)]
pub struct Shard {
    plan: Arc<Plan>,
    settings: Settings,
    number: u64,
    epoch: u64,
    now: Timestamp,
    cache: Cache,
    /// Links that were found by no key yet: made here, numbered on.
    last_link: LinkId,
    last_place: u64,
    last_gap: u64,
    last_batch: u64,
    last_ticket: u64,
    /// How many writes have left: rows asked for before a write do not count after it.
    writes_left: u64,
    /// What was told and not decided, in order.
    queue: VecDeque<Item>,
    /// What was told of records that are not known, and that a write of ours may be making.
    deferred: Vec<Item>,
    /// The keys of the changes among them.
    deferred_keys: HashSet<Key>,
    /// The journal holds undecided entries behind this place that are not in the queue.
    backlog: Option<u64>,
    /// Links to look at: what they want may have changed.
    touched: BTreeSet<LinkId>,
    dirty: BTreeSet<LinkId>,
    transaction: Transaction,
    notes: Notes,
    /// What is done when the transaction being collected is durable.
    after: Vec<Effect>,
    commits: BTreeMap<u64, Pending>,
    needs: Needs,
    reads: BTreeMap<u64, Asked>,
    /// Links whose record is being looked for by the key that it carries.
    looked_for: HashSet<LinkId>,
    /// Rows to be read, by mapping and side.
    rereads: BTreeMap<(MappingIndex, Side), BTreeSet<LinkId>>,
    /// Requests under way: over which connection, and what they write.
    batches: HashMap<Tag, (String, Vec<(LinkId, Side)>)>,
    lanes: BTreeMap<String, Lane>,
    rhythm: rhythm::Rhythm,
    timers: BTreeSet<(Timestamp, Timer)>,
    jobs: BTreeMap<String, Running>,
    gaps: BTreeMap<u64, Gap>,
    sources: BTreeMap<SourceId, Source>,
    mappings: Vec<MappingState>,
    clocks: HashMap<String, (i64, u64)>,
    budgets: HashMap<String, Budget>,
    brake: Brake,
    counts: Counts,
    effects: VecDeque<Effect>,
}

/// What a shard has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Changes decided.
    pub changes: u64,
    /// Records written.
    pub writes: u64,
    /// Conflicts found.
    pub conflicts: u64,
    /// Writes that overwrote what they had not seen, and were repaired or recorded.
    pub late: u64,
    /// Fields that both sides rewrite.
    pub rewritten: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// A transaction that is not durable yet.
#[derive(Debug, Clone, Default)]
struct Pending {
    /// How many changes and links it holds.
    rows: usize,
    heard: Vec<Entry>,
    after: Vec<Effect>,
}

/// A source and whether it can be relied on.
#[derive(Debug, Clone, Default)]
struct Source {
    state: SourceState,
    /// Changes were missed and are not made up for: updates are conditional.
    gap: bool,
    /// It was heard since this holder started: it goes on from where it was.
    heard: bool,
}

/// So many changes and links may wait to be put away before no more is heard or read.
const UNCOMMITTED: usize = 10_000;

/// What happens at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A link is looked at.
    Link(LinkId),
    /// A lane is emptied.
    Lane(String),
    /// What waited for the rhythm of its mapping may go.
    Beat(MappingIndex),
    /// A job goes on.
    Job(String),
    /// A mapping that was stopped is tried again.
    Probe(MappingIndex),
    /// The mark of a write in a connection's database is not needed any more.
    Operation(String, String),
    /// Everything is compared.
    Scrub,
}

impl Shard {
    /// Goes on from where the last holder put it away.
    pub fn new(now: Timestamp, plan: Arc<Plan>, settings: Settings, start: Start) -> Self {
        let brake = Brake::new(settings.brake, settings.mass_delete);
        let mut mappings = vec![MappingState::default(); plan.mappings.len()];
        for (index, state) in start.mappings {
            if let Some(slot) = mappings.get_mut(index) {
                *slot = state;
            }
        }
        let mut shard = Self {
            number: start.shard,
            epoch: start.epoch,
            now,
            cache: Cache::default(),
            last_link: start.last_link,
            last_place: start.last_place,
            last_gap: start.last_gap,
            last_batch: 0,
            last_ticket: 0,
            writes_left: 1,
            queue: VecDeque::new(),
            deferred: Vec::new(),
            deferred_keys: HashSet::new(),
            backlog: Some(0),
            touched: BTreeSet::new(),
            dirty: BTreeSet::new(),
            transaction: Transaction::default(),
            notes: Notes::default(),
            after: Vec::new(),
            commits: BTreeMap::new(),
            needs: Needs::default(),
            reads: BTreeMap::new(),
            looked_for: HashSet::new(),
            rereads: BTreeMap::new(),
            batches: HashMap::new(),
            lanes: BTreeMap::new(),
            rhythm: rhythm::Rhythm::default(),
            timers: BTreeSet::new(),
            jobs: BTreeMap::new(),
            gaps: start.gaps.into_iter().map(|gap| (gap.id, gap)).collect(),
            sources: BTreeMap::new(),
            mappings,
            clocks: HashMap::new(),
            budgets: HashMap::new(),
            brake,
            counts: Counts::default(),
            effects: VecDeque::new(),
            plan,
            settings,
        };
        shard.needs.active(start.active);
        for (source, state) in start.sources {
            let gap = shard.gaps.values().any(|gap| source.covers(&gap.connection, &gap.entity));
            shard.sources.insert(source, Source { state, gap, heard: false });
        }
        shard.resume_jobs(start.jobs);
        shard.probe_halted();
        shard.pump();
        shard
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Opened { source, at } => self.opened(source, at),
            Input::Heard(delivery) => self.heard(delivery),
            Input::Lost { source, reason } => self.lost(&source, &reason),
            Input::Committed { ticket, known } => self.committed(ticket, &known),
            Input::Loaded { ticket, loaded } => self.loaded(ticket, *loaded),
            Input::Written { tag, outcomes } => self.written(tag, outcomes),
            Input::Answered { ticket, answer } => self.answered(ticket, answer),
            Input::Usage { connection, used, limit } => self.budget(&connection).usage(now, used, limit),
            Input::Reserved { connection, reserved } => self.reserved(&connection, reserved),
            Input::Spent { connection, calls } => self.budget(&connection).spend(calls),
            Input::Delivered { connection, used, limit } => self.budget(&connection).events(now, used, limit),
            Input::Clock { connection, ahead_ms, uncertain_ms } => {
                self.clocks.insert(connection, (ahead_ms, uncertain_ms));
            }
            Input::Beat(mapping) => self.beat(mapping),
            Input::Command { id, command } => self.command(id, command),
            Input::Tick => {}
        }
        self.tick();
        self.pump();
    }

    /// The next thing to do, until there is none.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to say [`Input::Tick`], if nothing else happens before.
    pub fn wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether nothing is under way: no change undecided, no write unanswered, no job but polling.
    pub fn is_quiet(&self) -> bool {
        self.effects.is_empty()
            && self.queue.is_empty()
            && self.deferred.is_empty()
            && self.backlog.is_none()
            && self.commits.is_empty()
            && self.reads.is_empty()
            && self.batches.is_empty()
            && self.needs.is_empty()
            && self.needs.tries.is_empty()
            && self.lanes.values().all(Lane::is_empty)
            && self.jobs.values().all(Running::is_idle)
            && self.rereads.values().all(BTreeSet::is_empty)
            && !self
                .cache
                .links()
                .any(|link| link.flight.iter().any(Option::is_some) || link.reread.iter().any(Option::is_some))
    }

    /// Whether so much waits to be decided that nothing more should be heard for now.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= items::QUEUE || self.commits.len() > 64 || self.is_behind()
    }

    /// Whether the state store is so far behind that nothing more should be begun: what waits for it is held in memory.
    fn is_behind(&self) -> bool {
        self.commits.values().map(|pending| pending.rows).sum::<usize>() > UNCOMMITTED
    }

    /// Whether everything that was heard is decided and everything that was sent is answered.
    pub fn is_settled(&self) -> bool {
        self.effects.is_empty()
            && self.queue.is_empty()
            && self.commits.is_empty()
            && self.batches.is_empty()
            && self.lanes.values().all(Lane::is_empty)
    }

    /// What was done since it started.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many links are in memory.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// Whatever can go on goes on; then everything that changed is put away in one transaction, and what rests on it
    /// waits for that.
    fn pump(&mut self) {
        self.release_rows();
        while self.take_items() | self.advance() {}
        self.run_jobs();
        self.collect_reads();
        self.fill_lanes();
        self.flush();
        self.recall();
        if self.cache.len() > self.settings.cache + self.settings.cache / 8 {
            self.shrink();
        }
    }

    fn tick(&mut self) {
        while let Some((at, _)) = self.timers.first()
            && *at <= self.now
        {
            let Some((_, timer)) = self.timers.pop_first() else { break };
            match timer {
                Timer::Link(id) => self.touch_or_load(id),
                Timer::Lane(connection) => self.lane(&connection).due = Some(self.now),
                Timer::Beat(mapping) => self.beat(mapping),
                Timer::Job(name) => self.continue_job(&name),
                Timer::Probe(mapping) => self.probe(mapping),
                Timer::Operation(connection, operation) => {
                    self.transaction.operations.push((connection, operation));
                }
                Timer::Scrub => self.scrub_all(),
            }
        }
    }

    fn at(&mut self, after: std::time::Duration, timer: Timer) {
        let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.timers.insert((at, timer));
    }

    fn ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Works on a link: whatever it does to it is put away and looked at.
    fn with<T>(&mut self, id: LinkId, work: impl FnOnce(&mut super::Link, &mut Scope<'_>) -> T) -> Option<T> {
        let mut slot = self.cache.take(id)?;
        let plan = Arc::clone(&self.plan);
        let Some(mapping) = plan.mappings.get(slot.link.mapping) else {
            self.cache.put(slot, &plan);
            return None;
        };
        let was_whole = slot.link.is_whole();
        let result = work(&mut slot.link, &mut self.scope(mapping));
        let came_back = slot.link.is_whole() && !was_whole;
        self.cache.put(slot, &plan);
        if came_back {
            self.wake_children(id);
        }
        self.touched.insert(id);
        self.dirty.insert(id);
        Some(result)
    }

    /// Looks at a link without changing it.
    fn look<T>(&mut self, id: LinkId, work: impl FnOnce(&super::Link, &Scope<'_>) -> T) -> Option<T> {
        let slot = self.cache.take(id)?;
        let plan = Arc::clone(&self.plan);
        let mapping = plan.mappings.get(slot.link.mapping);
        let result = mapping.map(|mapping| work(&slot.link, &self.scope(mapping)));
        self.cache.put_back(slot);
        result
    }

    /// What a link that was taken out of the cache is judged by.
    fn scope<'a>(&'a mut self, mapping: &'a Mapping) -> Scope<'a> {
        Scope {
            mapping,
            settings: &self.settings,
            now: self.now,
            clocks: clocks(&self.clocks, mapping),
            references: &self.cache,
            notes: &mut self.notes,
            place: 0,
        }
    }

    fn mapping(&self, index: MappingIndex) -> &Mapping {
        &self.plan.mappings[index]
    }

    /// Puts away what changed, and what was collected with it.
    fn flush(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.transaction.links.reserve(dirty.len());
        for id in dirty {
            let Some(link) = self.cache.get(id) else { continue };
            let Some(mapping) = self.plan.mappings.get(link.mapping) else { continue };
            let matches = Side::BOTH.map(|side| link.match_text(mapping, side));
            let active = link.is_active() || self.is_unfinished(link);
            let mapping = link.mapping;
            self.transaction.links.push(LinkRow { link: link.clone(), matches, active });
            let change = self.cache.count(id);
            self.count_records(mapping, change);
        }
        let notes = &mut self.notes;
        self.counts.conflicts += notes.conflicts.len() as u64;
        self.counts.dead_letters += notes.dead_letters.len() as u64;
        self.counts.late += std::mem::take(&mut notes.late);
        self.counts.rewritten += std::mem::take(&mut notes.rewritten);
        self.transaction.history.append(&mut notes.history);
        self.transaction.conflicts.append(&mut notes.conflicts);
        self.transaction.dead_letters.append(&mut notes.dead_letters);
        self.transaction.delivered.append(&mut notes.delivered);
        if self.transaction == Transaction::default() {
            self.effects.extend(self.after.drain(..));
            return;
        }
        let transaction = std::mem::take(&mut self.transaction);
        let ticket = self.ticket();
        let rows = transaction.heard.len() + transaction.links.len();
        let pending = Pending { rows, heard: transaction.heard.clone(), after: std::mem::take(&mut self.after) };
        self.commits.insert(ticket, pending);
        self.effects.push_back(Effect::Commit { ticket, transaction: Box::new(transaction) });
    }

    /// Keeps count of the records of a mapping: with the links that tell of them, in one transaction.
    fn count_records(&mut self, mapping: MappingIndex, change: i64) {
        let Some(state) = self.mappings.get_mut(mapping).filter(|_| change != 0) else { return };
        state.records = state.records.saturating_add_signed(change);
        self.transaction.mappings.push((mapping, state.clone()));
    }

    /// A link goes into another one, and is no record of its own any more.
    fn forget(&mut self, id: LinkId) {
        if let Some(slot) = self.cache.slot(id) {
            let (mapping, change) = (slot.link.mapping, -i64::from(slot.counted));
            self.count_records(mapping, change);
        }
        self.cache.remove(id);
        self.dirty.remove(&id);
        self.transaction.forgotten.push(id);
    }

    fn committed(&mut self, ticket: u64, known: &[u64]) {
        let Some(pending) = self.commits.remove(&ticket) else { return };
        self.effects.extend(pending.after);
        let keep = self.settings.faulty(super::Mutation::NoDeduplication);
        let fresh = pending.heard.into_iter().filter(|entry| keep || !known.contains(&entry.place));
        self.enqueue(fresh);
    }

    fn shrink(&mut self) {
        // Rows that were asked for or read and are not decided: what was written since tells which of them count. A list
        // of keys is compared long after it was asked for.
        let queued = self.queue.iter().chain(&self.deferred).filter_map(Item::clock);
        let kept = self.jobs.values().flat_map(|running| running.unreleased.iter().map(|read| read.clock));
        let lists = self.jobs.values().map(|running| running.clock);
        let asked = self.reads.values().map(Asked::clock);
        let floor = asked.chain(queued).chain(kept).chain(lists).min().unwrap_or(u64::MAX);
        let (touched, dirty, plan) = (&self.touched, &self.dirty, &self.plan);
        let busy: BTreeSet<LinkId> = self.lanes.values().flat_map(Lane::links).collect();
        self.cache.shrink(self.settings.cache, |slot| {
            let id = slot.link.id;
            let needed = slot.link.is_active() || slot.link.is_to_be_made(&plan.mappings[slot.link.mapping]);
            let looked_at = touched.contains(&id) || dirty.contains(&id) || busy.contains(&id);
            let known = slot.left.iter().chain(&slot.asked).all(|clock| *clock < floor);
            !needed && !looked_at && known
        });
    }
}

/// How far the clocks of a mapping's sides are ahead of ours.
fn clocks(clocks: &HashMap<String, (i64, u64)>, mapping: &Mapping) -> [(i64, u64); 2] {
    Side::BOTH.map(|side| clocks.get(&mapping.ends[side].connection).copied().unwrap_or((0, 0)))
}

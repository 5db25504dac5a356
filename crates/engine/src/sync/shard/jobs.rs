//! Work that takes many steps: loading, joining, reconciling, scrubbing, polling, reading children. Each step is put
//! away, so that a restart goes on where it was.

use jiff::{SignedDuration, Timestamp};

use super::{
    Shard, Timer,
    cache::Lookup,
    items::{Item, ReadRow},
    reads::Asked,
    running::{JobId, Running},
};
use crate::sync::{Answer, Class, Job, JobKind, Key, MappingIndex, Mutation, Read, Side, Stage, Style};

/// So many keys or halves are asked of the state store at once.
pub(super) const PAGE: usize = 1_000;

impl Shard {
    /// Goes on with the jobs of the last holder. Comparing keys begins anew: what was listed is not put away.
    pub(super) fn resume_jobs(&mut self, jobs: Vec<(String, Job)>) {
        for (name, mut job) in jobs {
            if job.stage == Stage::Keys {
                job.after = None;
            }
            if job.mapping < self.plan.mappings.len() {
                let number = self.ticket();
                self.jobs.insert(name, Running::new(job, number));
            }
        }
        if !self.settings.scrub_every.is_zero() {
            self.at(self.settings.scrub_every, Timer::Scrub);
        }
        self.start_polls();
    }

    /// Sides that have no stream are read at once, and again and again.
    fn start_polls(&mut self) {
        for index in 0..self.plan.mappings.len() {
            for side in Side::BOTH {
                if self.mapping(index).ends[side].style != Style::Conditional {
                    continue;
                }
                if self.mappings[index].loaded[side] {
                    self.start(index, side, JobKind::Poll, None, None);
                } else {
                    self.start(index, side, JobKind::Load, None, None);
                }
            }
        }
    }

    /// Begins a job, unless the same is under way.
    pub(super) fn start(
        &mut self,
        mapping: MappingIndex,
        side: Side,
        kind: JobKind,
        since: Option<Timestamp>,
        gap: Option<u64>,
    ) {
        let name = job_name(kind, mapping, side);
        if let Some(running) = self.jobs.get_mut(&name)
            && (gap.is_none() || running.job.gap == gap)
        {
            return;
        }
        let name = gap.map_or(name.clone(), |gap| format!("{name}:{gap}"));
        let job = Job {
            kind,
            mapping,
            side,
            stage: Stage::Rows,
            after: None,
            since,
            rows: 0,
            found: 0,
            parent: None,
            gap,
            began: self.now,
        };
        self.begin(name, job);
    }

    pub(super) fn begin(&mut self, name: String, job: Job) {
        self.transaction.jobs.push((name.clone(), Some(job.clone())));
        let number = self.ticket();
        self.jobs.insert(name, Running::new(job, number));
    }

    /// Takes each job that waits for nothing one step on.
    pub(super) fn run_jobs(&mut self) {
        self.look_at_joins();
        let names: Vec<String> =
            self.jobs.iter().filter(|(_, running)| running.is_ready()).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.step_job(&name);
        }
    }

    fn step_job(&mut self, name: &str) {
        let Some(running) = self.jobs.get(name) else { return };
        if running.finished {
            let outdated = running.outdated;
            // What is lacking has to be known before the stage counts as done: a restart goes on behind it.
            if self.has_absences() {
                return;
            }
            if outdated {
                self.list_anew(name);
            } else {
                self.next_stage(name);
            }
            return;
        }
        let Job { kind, mapping, side, stage, since, ref parent, .. } = running.job;
        let after = running.behind();
        if matches!(kind, JobKind::Load | JobKind::Join) && self.is_busy_writing() {
            return;
        }
        let read = match (kind, stage, parent) {
            (JobKind::Join, ..) => {
                self.ask_halves(name, mapping, side, after.as_deref());
                return;
            }
            (JobKind::Children, _, Some((via, parent))) => {
                Read::Children { mapping, via: via.clone(), parent: parent.clone(), after }
            }
            (_, Stage::Rows, _) => Read::Page { mapping, side, since, after },
            (_, Stage::Deletes, _) => Read::Deleted { mapping, side, since: since.unwrap_or(running.job.began) },
            (_, Stage::Keys, _) if running.listed => {
                let after = after.and_then(|after| String::from_utf8(after).ok());
                if self.needs.keys.is_none() && !self.is_listing() {
                    self.needs.keys = Some((mapping, side, after, PAGE));
                    self.needs.keys_of = Some((name.to_owned(), running.number));
                    self.wait(name);
                }
                return;
            }
            (_, Stage::Keys, _) => {
                Read::Keys { mapping, side, after: after.and_then(|after| String::from_utf8(after).ok()) }
            }
        };
        let number = running.number;
        let class = match kind {
            JobKind::Load | JobKind::Join => Class::Backfill,
            JobKind::Reconcile | JobKind::Scrub | JobKind::Recover => Class::Reconcile,
            JobKind::Poll | JobKind::Children => Class::Live,
        };
        if let Some(until) = self.must_wait(mapping, side, class) {
            self.job_later(name, Some(until));
            return;
        }
        let clock = self.read_clock();
        self.wait(name);
        self.ask(mapping, side, class, read, Asked::Job { job: (name.to_owned(), number), clock });
    }

    /// Whether so much waits to be written that no more should be looked for.
    fn is_busy_writing(&self) -> bool {
        self.lanes.values().map(super::Lane::waiting).sum::<usize>() > 4 * PAGE || self.is_behind()
    }

    pub(super) fn wait(&mut self, name: &str) {
        if let Some(running) = self.jobs.get_mut(name) {
            running.waiting = true;
        }
    }

    fn is_listing(&self) -> bool {
        self.needs.keys_of.is_some()
    }

    pub(super) fn continue_job(&mut self, name: &str) {
        if let Some(running) = self.jobs.get_mut(name) {
            running.waiting = false;
            running.resting = false;
        }
    }

    /// A page was read.
    pub(super) fn job_answered(&mut self, job: JobId, clock: u64, answer: Answer) {
        let Some(running) = self.job(&job) else { return };
        let name = job.0.as_str();
        running.waiting = false;
        let (mapping, side) = (running.job.mapping, running.job.side);
        match answer {
            Answer::Rows { rows, next, server } => {
                running.finished = next.is_none();
                running.first = running.first.or(server);
                let page = running.turn_to(rows.len(), rows.len(), next.clone());
                running.newest = rows.iter().filter_map(|row| row.stamp).max().max(running.newest);
                running.read = next;
                for row in rows {
                    self.row(mapping, side, row, clock, server, Some((job.clone(), page)));
                }
                self.turn_pages(name);
            }
            Answer::Deleted { keys, complete } => {
                running.finished = true;
                if !complete {
                    running.job.stage = Stage::Keys;
                    running.job.after = None;
                    running.finished = false;
                }
                for (key, _) in keys {
                    self.confirm_absence(mapping, side, key);
                }
                self.put_job(name);
            }
            Answer::Keys { keys, next } => {
                running.clock = running.clock.min(clock);
                self.system_keys(name, keys, next);
            }
            Answer::Later(at) => self.job_later(name, at),
            Answer::Failed(refusal) => {
                self.halt(mapping, side, format!("{}: {}", refusal.code, refusal.message));
                self.job_later(name, None);
            }
        }
    }

    pub(super) fn job_later(&mut self, name: &str, at: Option<Timestamp>) {
        self.wait(name);
        let timer = Timer::Job(name.to_owned());
        match at.filter(|at| *at > self.now) {
            Some(at) => {
                self.timers.insert((at, timer));
            }
            None => self.at(self.settings.retry * 10, timer),
        }
    }

    /// The job that keeps a row until there is room: the first loading of a mapping whose records need not wait for each
    /// other. Its links are asked for meanwhile.
    pub(super) fn holding(&mut self, read: &ReadRow) -> Option<&mut Running> {
        let (job, _) = read.job.as_ref()?;
        if !self.is_plain(read.mapping) || self.job(job)?.job.kind != JobKind::Load {
            return None;
        }
        if self.cache.lookup(read.mapping, read.side, &read.row.key) == Lookup::Unloaded {
            self.needs.by_key.insert((read.mapping, read.side, read.row.key.clone()));
        }
        self.job(job)
    }

    /// Lets as many rows be decided as can be written at once: what is decided and cannot be sent would be put away
    /// twice.
    pub(super) fn release_rows(&mut self) {
        let holding = self.jobs.iter().filter(|(_, running)| !running.unreleased.is_empty());
        let holding: Vec<_> =
            holding.map(|(name, running)| (name.clone(), running.job.mapping, running.job.side)).collect();
        for (name, mapping, side) in holding {
            let room = self.room(mapping, side.other());
            let Some(running) = self.jobs.get_mut(&name) else { continue };
            let count = room.saturating_sub(running.released).min(running.unreleased.len());
            running.released += count;
            self.queue.extend(running.unreleased.drain(..count).map(|read| Item::Row(Box::new(read))));
        }
    }

    /// A row of a job is being decided.
    pub(super) fn row_handled(&mut self, job: &JobId, page: u64) {
        let Some(running) = self.job(job) else { return };
        running.released = running.released.saturating_sub(1);
        if let Some(page) = running.pages.iter_mut().find(|read| read.number == page) {
            page.undecided = page.undecided.saturating_sub(1);
        }
        self.turn_pages(&job.0);
    }

    /// Puts away behind which page a restart goes on: in the transaction with the last of its rows.
    pub(super) fn turn_pages(&mut self, name: &str) {
        if self.jobs.get_mut(name).is_some_and(Running::turn_pages) {
            self.put_job(name);
        }
    }

    /// A job, unless it is done or was begun anew.
    pub(super) fn job(&mut self, (name, number): &JobId) -> Option<&mut Running> {
        self.jobs.get_mut(name).filter(|running| running.number == *number)
    }

    /// The system's keys: those that nobody knows are read.
    fn system_keys(&mut self, name: &str, keys: Vec<Key>, next: Option<Key>) {
        let Some(running) = self.jobs.get_mut(name) else { return };
        let (mapping, side) = (running.job.mapping, running.job.side);
        let known = running.keys.get_or_insert_default();
        known.extend(keys.iter().map(|key| hash(key)));
        running.listed = next.is_none();
        running.job.after = next.map(String::into_bytes);
        self.find_unknown(mapping, side, keys);
    }

    /// The state's keys: those that the system does not have are asked for once more.
    pub(super) fn stored_keys(&mut self, keys: Vec<Key>) {
        let Some(job) = self.needs.keys_of.take() else { return };
        let Some(running) = self.job(&job) else { return };
        running.waiting = false;
        let (mapping, side, clock) = (running.job.mapping, running.job.side, running.clock);
        running.finished = keys.len() < PAGE;
        running.job.after = keys.last().map(|key| key.clone().into_bytes());
        let listed = running.keys.take().unwrap_or_default();
        let missing: Vec<Key> = keys.into_iter().filter(|key| !listed.contains(&hash(key))).collect();
        running.keys = Some(listed);
        let recovering = self.is_recovering(mapping, side);
        let (outdated, missing): (Vec<Key>, Vec<Key>) =
            missing.into_iter().partition(|key| recovering && self.was_written(mapping, side, key, clock));
        if let Some(running) = self.job(&job) {
            running.job.found += missing.len() as u64;
            running.outdated |= !outdated.is_empty();
        }
        for key in missing {
            self.confirm_absence(mapping, side, key);
        }
    }

    /// A stage is done: the next one, or the end.
    fn next_stage(&mut self, name: &str) {
        let Some(running) = self.jobs.get_mut(name) else { return };
        running.finished = false;
        (running.job.after, running.read) = (None, None);
        let next = match (running.job.kind, running.job.stage) {
            (JobKind::Reconcile | JobKind::Poll, Stage::Rows) if running.job.since.is_some() => Some(Stage::Deletes),
            (JobKind::Reconcile | JobKind::Scrub | JobKind::Recover, Stage::Rows) => Some(Stage::Keys),
            _ => None,
        };
        if let Some(stage) = next {
            running.job.stage = stage;
            self.put_job(name);
        } else {
            self.end_job(name);
        }
    }

    fn put_job(&mut self, name: &str) {
        if let Some(running) = self.jobs.get(name) {
            self.transaction.jobs.push((name.to_owned(), Some(running.job.clone())));
        }
    }

    fn end_job(&mut self, name: &str) {
        let Some(running) = self.jobs.remove(name) else { return };
        self.transaction.jobs.push((name.to_owned(), None));
        let Job { kind, mapping, side, rows, found, gap, .. } = running.job;
        match kind {
            JobKind::Load => self.side_loaded(mapping, side, running.first),
            JobKind::Poll => self.rest(name, running),
            JobKind::Reconcile => self.close_gap(gap, rows, found),
            JobKind::Recover => {
                self.close_gap(gap, rows, found);
                self.recovered(mapping, side);
            }
            JobKind::Join if side == Side::Left => self.start(mapping, Side::Right, JobKind::Join, None, None),
            JobKind::Join | JobKind::Scrub | JobKind::Children => {}
        }
    }

    /// Polling rests until its next time, and goes on a little before where it was.
    fn rest(&mut self, name: &str, mut running: Running) {
        let margin = SignedDuration::try_from(self.settings.margin).unwrap_or_default();
        let behind = |at: Timestamp| at.checked_sub(margin).unwrap_or(at);
        let job = &mut running.job;
        job.since = running.newest.map(behind).max(job.since);
        (job.stage, job.after, running.read) = (Stage::Rows, None, None);
        (running.waiting, running.resting) = (true, true);
        self.transaction.jobs.push((name.to_owned(), Some(running.job.clone())));
        self.jobs.insert(name.to_owned(), running);
        self.at(self.settings.poll_every, Timer::Job(name.to_owned()));
    }

    fn side_loaded(&mut self, mapping: MappingIndex, side: Side, first: Option<Timestamp>) {
        let state = &mut self.mappings[mapping];
        state.loaded[side] = true;
        self.transaction.mappings.push((mapping, state.clone()));
        if self.mapping(mapping).ends[side].style == Style::Conditional {
            let margin = SignedDuration::try_from(self.settings.margin).unwrap_or_default();
            let since = first.and_then(|at| at.checked_sub(margin).ok());
            self.start(mapping, side, JobKind::Poll, since, None);
        }
        if self.mappings[mapping].loaded == [true, true] {
            self.start(mapping, Side::Left, JobKind::Join, None, None);
        }
    }

    /// Compares everything on both sides of every mapping.
    pub(super) fn scrub_all(&mut self) {
        for index in 0..self.plan.mappings.len() {
            self.scrub(index);
        }
        if !self.settings.scrub_every.is_zero() {
            self.at(self.settings.scrub_every, Timer::Scrub);
        }
    }

    pub(super) fn scrub(&mut self, mapping: MappingIndex) {
        for side in Side::BOTH {
            if self.mappings[mapping].loaded[side] {
                self.start(mapping, side, JobKind::Scrub, None, None);
            }
        }
    }

    /// Reads what changed on both sides since then.
    pub(super) fn reconcile(&mut self, mapping: MappingIndex, since: Option<Timestamp>) {
        for side in Side::BOTH {
            if self.settings.faulty(Mutation::NoReconcile) {
                continue;
            }
            self.start(mapping, side, JobKind::Reconcile, since, None);
        }
    }
}

fn job_name(kind: JobKind, mapping: MappingIndex, side: Side) -> String {
    let kind = match kind {
        JobKind::Load => "load",
        JobKind::Reconcile => "reconcile",
        JobKind::Scrub => "scrub",
        JobKind::Recover => "recover",
        JobKind::Poll => "poll",
        JobKind::Children => "children",
        JobKind::Join => "join",
    };
    format!("{kind}:{mapping}:{}", if side == Side::Left { "left" } else { "right" })
}

/// Keys are remembered by hash while they are compared: a collision only means that a missing record is found by the
/// next comparison.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

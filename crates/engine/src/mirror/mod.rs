//! One entity of a source, kept equal in a store: what to do next, without doing any of it.
//!
//! The order that makes it whole: the stream is opened and the source's time of it stored *before* the first row is
//! read; every change told from then on is a hint to read the row again; a position is stored in one transaction with
//! the rows that it stands for. All requests of an entity follow one another, so that a later answer is never older
//! than an earlier one, and a crash at any point repeats reads but loses none.

mod effect;
mod job;
mod polling;
mod settings;
mod state;

use std::collections::BTreeSet;

use jiff::Timestamp;
use tombolo_schema::Id;

pub use effect::{Answer, Effect, Incoming, Input, Request, Write, Written};
pub use settings::Settings;
pub use state::{ClosedGap, Gap, Refill, Snapshot, State};

use crate::{
    Change, Cursor, Key, Position, Row,
    hints::{Cause, Hints},
};
use job::{Job, Kind, Step, differing};
use polling::Polling;

/// The mirror of one entity: takes inputs, returns effects.
#[derive(Debug)]
pub struct Mirror {
    settings: Settings,
    state: State,
    hints: Hints,
    polling: Polling,
    stream: Stream,
    /// The newest position told, stored or not.
    told: Option<Position>,
    job: Option<Job>,
    busy: Option<Busy>,
    /// What the last answer leads to.
    pending: Option<(Write, Option<Kind>)>,
    /// The state holds what is stored nowhere yet.
    unsaved: bool,
    /// It is the job's turn, not the hints'.
    job_next: bool,
    /// Rows refused once because what is stored is newer.
    stale: BTreeSet<Id>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// Nothing was asked for yet.
    Idle,
    /// A subscription is under way: nothing is read before it stands.
    Opening,
    /// It stands, or it never will.
    Settled,
}

/// The request whose answer is awaited.
#[derive(Debug)]
enum Busy {
    Read {
        ids: Vec<Id>,
        mark: u64,
    },
    Job,
    /// The answer belongs to a job that was given up.
    Orphan,
    Write {
        job: Option<Kind>,
    },
}

impl Mirror {
    /// Goes on from what is stored.
    pub fn new(settings: Settings, state: State) -> Self {
        Self {
            settings,
            told: state.position.clone(),
            polling: Polling::new(),
            hints: Hints::new(settings.retry),
            state,
            stream: Stream::Idle,
            job: None,
            busy: None,
            pending: None,
            unsaved: false,
            job_next: false,
            stale: BTreeSet::new(),
        }
    }

    /// How far it has come.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Whether a run of [`Settings::once`] has done all it had to.
    pub fn is_finished(&self) -> bool {
        self.settings.once && self.is_quiet() && self.polling.has_polled()
    }

    /// Whether this run has polled to the end since it began: from here on it follows.
    pub const fn has_caught_up(&self) -> bool {
        self.polling.has_polled() && self.state.gap.is_none()
    }

    /// Whether nothing is under way or waiting except the next poll.
    pub fn is_quiet(&self) -> bool {
        self.busy.is_none()
            && self.pending.is_none()
            && self.job.is_none()
            && self.hints.is_empty()
            && self.state.snapshot == Snapshot::Done
            && self.state.gap.is_none()
            && self.state.refill.is_none()
            && !self.unsaved
    }

    /// When to hand in a [`Input::Tick`] if nothing else comes before.
    pub fn wake(&self) -> Option<Timestamp> {
        let hints = self.hints.due(self.settings.window, self.settings.batch);
        let poll = (self.job.is_none() && self.stream == Stream::Settled).then_some(self.polling.next);
        hints.into_iter().chain(poll).min()
    }

    /// Takes an input; `now` is the source's time as far as it is known.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.take(now, input).map(Effect::Subscribe).into_iter().collect();
        if self.busy.is_none() {
            effects.extend(self.next(now).map(Effect::Ask));
        }
        effects
    }

    /// Notes the input. A subscription that has to be made is returned.
    fn take(&mut self, now: Timestamp, input: Input) -> Option<Option<Position>> {
        match input {
            Input::Start => return self.start(now),
            Input::Opened(at) => self.opened(at),
            Input::Reopened if !self.state.announced => self.polling.reach_back(now),
            Input::Refused => {
                self.state.announced = false;
                self.opened(now);
            }
            Input::Message(changes, position) => self.message(now, &changes, position),
            Input::PositionLost(reason) => self.position_lost(now, &reason),
            Input::StreamLost => {
                self.stream = Stream::Opening;
                if self.told.is_none() {
                    self.polling.reach_back(now);
                }
                return Some(self.told.clone());
            }
            Input::Answer(answer) => self.answer(now, answer),
            Input::Reopened | Input::Tick => {}
        }
        None
    }

    fn start(&mut self, now: Timestamp) -> Option<Option<Position>> {
        self.polling.reach_back(now);
        if self.settings.once {
            self.opened(now);
            return None;
        }
        self.stream = Stream::Opening;
        Some(self.state.position.clone())
    }

    fn opened(&mut self, at: Timestamp) {
        self.stream = Stream::Settled;
        if self.state.opened.is_none() {
            self.state.opened = Some(at);
            self.unsaved = true;
        }
        if self.told.is_none() && !self.settings.once {
            // A channel that was quiet has no position to go on from; until it speaks, polls reach back over the hole.
            self.state.announced = false;
        }
    }

    fn message(&mut self, now: Timestamp, changes: &[Change], position: Position) {
        self.state.announced = true;
        self.told = Some(position.clone());
        self.hints.message(Some(position));
        for change in changes {
            match change.key {
                Key::Record(id) => {
                    self.polling.announced(&id);
                    self.hints.add(now, id, Cause::Told(change.kind, change.committed));
                }
                Key::Entity => self.open_gap(now, None, "the source did not say which records changed"),
            }
        }
    }

    fn position_lost(&mut self, now: Timestamp, reason: &str) {
        self.stream = Stream::Opening;
        if self.told.take().is_none() {
            // Nothing was ever told, so polls cover this entity already.
            self.polling.reach_back(now);
            return;
        }
        let known = self.state.position.take().map(|position| position.committed).or(self.state.opened);
        self.state.announced = false;
        self.hints.forget_positions();
        self.open_gap(now, known.map(|known| earlier(known, self.settings.margin)), reason);
    }

    /// Notes a gap, or widens the one that is open, and begins its reconciliation anew.
    fn open_gap(&mut self, now: Timestamp, since: Option<Timestamp>, reason: &str) {
        let gap = self.state.gap.get_or_insert_with(|| Gap {
            detected: now,
            since,
            reason: reason.to_owned(),
            upserted: 0,
            deleted: 0,
        });
        gap.since = gap.since.zip(since).map(|(a, b)| a.min(b));
        if self.job.as_ref().is_some_and(|job| job.kind == Kind::Reconcile) {
            self.job = None;
            if matches!(self.busy, Some(Busy::Job)) {
                self.busy = Some(Busy::Orphan);
            }
        }
        self.unsaved = true;
    }

    /// The next request: what is not saved, hints that are due, a step of the job, in turns.
    fn next(&mut self, now: Timestamp) -> Option<Request> {
        if let Some((write, job)) = self.pending.take() {
            return Some(self.write(write, job));
        }
        if self.unsaved {
            return Some(self.write(Write::default(), None));
        }
        if self.stream == Stream::Settled && self.job.is_none() {
            self.job = self.new_job(now);
        }
        let due = self.hints.due(self.settings.window, self.settings.batch).is_some_and(|due| due <= now);
        if due && !(self.job_next && self.job_is_ready()) {
            self.job_next = true;
            let ids = self.hints.batch(now, self.settings.batch);
            if !ids.is_empty() {
                self.busy = Some(Busy::Read { ids: ids.clone(), mark: self.hints.mark() });
                return Some(Request::Read(ids));
            }
        }
        self.job_next = false;
        self.job_step(now)
    }

    fn new_job(&mut self, now: Timestamp) -> Option<Job> {
        if let Snapshot::Pending(after) = self.state.snapshot {
            return Some(Job::new(Kind::Snapshot, [Step::Pages(after)]));
        }
        if let Some(gap) = &self.state.gap {
            let since = gap.since.or(self.state.deletes_until).unwrap_or(now);
            let steps = [
                Step::Pages(gap.since.map(Cursor::at)),
                Step::Deletes(since),
                Step::List(None),
                Step::Compare,
                Step::Settle(None),
            ];
            return Some(Job::new(Kind::Reconcile, steps));
        }
        if let Some(refill) = self.state.refill {
            return Some(Job::new(Kind::Refill, [Step::Pages(refill.after)]));
        }
        let due = self.polling.next <= now && !self.is_finished();
        due.then(|| self.polling.job(now, &self.settings, &self.state))
    }

    /// Whether the job has something to ask, rather than waiting for hints to settle.
    fn job_is_ready(&self) -> bool {
        self.job.as_ref().is_some_and(|job| match job.steps.front() {
            Some(Step::Settle(Some(mark)) | Step::SettleDeletes(mark, _)) => self.hints.settled_up_to(*mark),
            _ => true,
        })
    }

    fn job_step(&mut self, now: Timestamp) -> Option<Request> {
        let job = self.job.as_mut()?;
        let request = match job.steps.front().copied() {
            Some(Step::Pages(after)) => Request::Page { after, bin: job.kind != Kind::Snapshot },
            Some(Step::Deletes(since)) => Request::Deleted(since),
            Some(Step::List(after)) => Request::List(after),
            Some(Step::Compare) => Request::Stored,
            Some(Step::Settle(None)) => {
                job.replace(Step::Settle(Some(self.hints.mark())));
                return self.job_step(now);
            }
            Some(Step::Settle(Some(mark)) | Step::SettleDeletes(mark, _)) if !self.hints.settled_up_to(mark) => {
                return None;
            }
            Some(step @ (Step::Settle(_) | Step::SettleDeletes(..))) => {
                if let Step::SettleDeletes(_, until) = step {
                    self.state.deletes_until = self.state.deletes_until.max(Some(until));
                    self.unsaved = true;
                }
                job.steps.pop_front();
                return self.job_step(now);
            }
            None => return self.end_job(now),
        };
        self.busy = Some(Busy::Job);
        Some(request)
    }

    /// Ends the job; what it leaves to be stored is stored now.
    fn end_job(&mut self, now: Timestamp) -> Option<Request> {
        let kind = self.job.take()?.kind;
        match kind {
            Kind::Snapshot => {
                let opened = self.state.opened.unwrap_or(now);
                self.state.snapshot = Snapshot::Done;
                self.state.polled = Some(Cursor::at(earlier(opened, self.settings.overlap)));
                self.state.deletes_until = Some(opened);
                self.polling.begin(now);
            }
            Kind::Refill => self.state.refill = None,
            Kind::Poll => self.polling.end(now, &self.settings, &mut self.state),
            Kind::Reconcile => {
                let closed = self.state.gap.take().map(|gap| ClosedGap { gap, closed: now });
                return Some(self.write(Write { closed, ..Write::default() }, Some(Kind::Reconcile)));
            }
        }
        let unsaved = self.unsaved || kind != Kind::Poll;
        if unsaved { Some(self.write(Write::default(), Some(kind))) } else { self.next(now) }
    }

    fn answer(&mut self, now: Timestamp, answer: Answer) {
        let busy = self.busy.take();
        match (busy, answer) {
            (Some(Busy::Read { ids, mark }), Answer::Rows(rows)) => self.rows_read(now, mark, &ids, rows),
            (Some(Busy::Job), answer) => self.job_answer(now, answer),
            (Some(Busy::Write { job }), Answer::Written(written)) => self.written(now, job, &written),
            // Rows of a job that was given up are read again by the one that took its place.
            (Some(Busy::Orphan | Busy::Read { .. } | Busy::Write { .. }) | None, _) => {}
        }
    }

    fn rows_read(&mut self, now: Timestamp, mark: u64, ids: &[Id], rows: Vec<Row>) {
        let committed: Vec<Option<Timestamp>> = rows.iter().map(|row| self.hints.committed(&row.id)).collect();
        let settled = self.hints.settle(now, mark, ids, &rows);
        let rows = rows.into_iter().zip(committed).map(|(row, committed)| self.incoming(row, committed)).collect();
        self.pending = Some((Write { rows, gone: settled.gone, ..Write::default() }, None));
    }

    fn job_answer(&mut self, now: Timestamp, answer: Answer) {
        let Some(mut job) = self.job.take() else { return };
        match answer {
            Answer::Page { rows, last } => self.page_read(&mut job, rows, last),
            Answer::Deleted { ids, until, complete } => {
                if !complete && job.kind == Kind::Poll {
                    let since = self.state.deletes_until.or(self.state.opened);
                    self.open_gap(now, since, "the source no longer lists the deletes since the last run");
                }
                self.suspect(now, &ids);
                job.replace(Step::SettleDeletes(self.hints.mark(), until));
            }
            Answer::Listed { entries, last } => {
                let end = entries.last().map(|(id, _)| *id);
                job.listed.extend(entries);
                match end {
                    Some(end) if !last => job.replace(Step::List(Some(end))),
                    _ => drop(job.steps.pop_front()),
                }
            }
            Answer::Stored(stored) => {
                let ids = differing(std::mem::take(&mut job.listed), &stored);
                self.suspect(now, &ids);
                job.steps.pop_front();
            }
            Answer::Rows(_) | Answer::Written(_) => {}
        }
        self.job = Some(job);
    }

    fn page_read(&mut self, job: &mut Job, rows: Vec<Row>, last: bool) {
        let end = rows.last().map(Cursor::behind);
        match end {
            Some(end) if !last => job.replace(Step::Pages(Some(end))),
            _ => drop(job.steps.pop_front()),
        }
        match job.kind {
            Kind::Snapshot => self.state.snapshot = Snapshot::Pending(end.or(job_cursor(&self.state))),
            Kind::Refill => self.state.refill = Some(Refill { after: end }),
            Kind::Poll => self.state.polled = self.state.polled.max(end),
            Kind::Reconcile => {}
        }
        if !rows.is_empty() {
            let told = job.kind == Kind::Poll;
            let rows = rows.into_iter().map(|row| (told.then_some(row.stamp), row));
            let rows = rows.map(|(committed, row)| self.incoming(row, committed)).collect();
            let bulk = matches!(job.kind, Kind::Snapshot | Kind::Refill);
            self.pending = Some((Write { rows, bulk, ..Write::default() }, Some(job.kind)));
        }
    }

    fn incoming(&mut self, row: Row, committed: Option<Timestamp>) -> Incoming {
        let force = self.stale.remove(&row.id);
        let known_only = row.deleted && self.state.opened.is_some_and(|opened| row.stamp < opened);
        Incoming { row, committed, force, known_only }
    }

    fn suspect(&mut self, now: Timestamp, ids: &[Id]) {
        self.hints.message(None);
        for id in ids {
            self.hints.add(now, *id, Cause::Suspected);
        }
    }

    fn written(&mut self, now: Timestamp, job: Option<Kind>, written: &Written) {
        self.hints.message(None);
        for id in &written.stale {
            self.stale.insert(*id);
            self.hints.again(now, *id);
        }
        if let Some(gap) = &mut self.state.gap {
            gap.upserted += (written.changed.len() as u64).saturating_sub(written.deleted);
            gap.deleted += written.deleted;
        }
        if job == Some(Kind::Poll) && self.state.announced {
            let unannounced = written.changed.iter().filter(|id| !self.hints.contains(id));
            self.polling.found(unannounced);
        }
    }

    fn write(&mut self, mut write: Write, job: Option<Kind>) -> Request {
        if let Some(position) = self.hints.position() {
            self.state.position = Some(position);
        }
        write.state = self.state.clone();
        self.unsaved = false;
        self.busy = Some(Busy::Write { job });
        Request::Write(Box::new(write))
    }
}

fn job_cursor(state: &State) -> Option<Cursor> {
    match state.snapshot {
        Snapshot::Pending(cursor) => cursor,
        Snapshot::Done => None,
    }
}

/// The moment that lies this far back, or the same moment at the beginning of time.
fn earlier(moment: Timestamp, by: jiff::SignedDuration) -> Timestamp {
    moment.checked_sub(by).unwrap_or(moment)
}

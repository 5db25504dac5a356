//! The org, the mirror's store and the mirror, driven through simulated time.

use std::collections::BTreeMap;

use tombolo_engine::{
    Position, Row, Transport,
    mirror::{Answer, ClosedGap, Effect, Input, Mirror, Request, Settings, Snapshot, State, Write, Written},
};
use tombolo_schema::Id;

use crate::org::{Org, at, id};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Upsert { number: u64, age: i64 },
    Delete(u64),
    Undelete(u64),
    Purge(u64),
    HardDelete(u64),
    GapUpdate(u64),
    Overflow,
    Duplicate,
    Delay(i64),
    CutStream,
    ExpireReplay,
    Kill { committed: bool },
}

/// How long a request takes; it sees the org as it was when it left.
const LATENCY: i64 = 120;
const STEP: i64 = 40;
const PAGE: usize = 3;

pub(crate) struct World {
    now: i64,
    org: Org,
    settings: Settings,
    mirror: Option<Mirror>,
    stored: State,
    table: BTreeMap<Id, Row>,
    /// Index of the next event to deliver; none while no subscription stands.
    stream: Option<usize>,
    /// When a subscription that was asked for is answered.
    subscribing: Option<(i64, Option<Position>)>,
    answer: Option<(i64, Request, Answer)>,
    pub(crate) closed: Vec<ClosedGap>,
    /// The next list of deletes does not reach back far enough.
    pub(crate) deletes_forgotten: bool,
    /// Polls find nothing: the stream has to do.
    pub(crate) blind_polls: bool,
    pub(crate) reads: u32,
    pub(crate) pages: u32,
    pub(crate) rows_read: usize,
}

impl World {
    pub(crate) fn new(selected: bool, settings: Settings, before: u64) -> Self {
        let mut org = Org::default();
        org.selected = selected;
        for number in 0..before {
            org.upsert(1_000_000 + 700 * number as i64, number, 0);
        }
        org.log.clear();
        let mut world = Self {
            now: 1_030_000,
            org,
            settings,
            mirror: None,
            stored: State::default(),
            table: BTreeMap::new(),
            stream: None,
            subscribing: None,
            answer: None,
            closed: Vec::new(),
            deletes_forgotten: false,
            blind_polls: false,
            reads: 0,
            pages: 0,
            rows_read: 0,
        };
        world.restart();
        world
    }

    pub(crate) fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Upsert { number, age } => self.org.upsert(now, number, age * 1_000),
            Event::Delete(number) => self.org.set_deleted(now, number, true),
            Event::Undelete(number) => self.org.set_deleted(now, number, false),
            Event::Purge(number) => self.org.purge(number),
            Event::HardDelete(number) => self.org.hard_delete(now, number),
            Event::GapUpdate(number) => self.org.tell(now, "GAP_UPDATE", id(number)),
            Event::Overflow => self.org.tell(now, "GAP_OVERFLOW", id(0)),
            Event::Duplicate => {
                if let Some((_, header)) = self.org.log.iter().rev().nth(2).cloned() {
                    self.org.publish(now, header);
                }
            }
            Event::Delay(millis) => self.org.delay = millis,
            Event::CutStream => self.cut(),
            Event::ExpireReplay => self.org.kept_from = self.org.log.len(),
            Event::Kill { committed } => {
                if committed && let Some((_, Request::Write(write), _)) = self.answer.take() {
                    self.commit(&write);
                }
                self.restart();
            }
        }
    }

    fn cut(&mut self) {
        if self.stream.take().is_some() {
            self.tell(Input::StreamLost);
        }
    }

    pub(crate) fn kill(&mut self) {
        (self.mirror, self.stream, self.subscribing, self.answer) = (None, None, None, None);
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.mirror = Some(Mirror::new(self.settings, self.stored.clone()));
        self.tell(Input::Start);
    }

    pub(crate) fn run_for(&mut self, millis: i64) {
        let end = self.now + millis;
        while self.now < end {
            self.now += STEP;
            self.turn();
        }
    }

    pub(crate) fn come_to_rest(&mut self) {
        self.org.delay = 0;
        self.run_for(20_000);
        for _ in 0..20_000 {
            let told = self.stream.is_none_or(|next| next >= self.org.log.len());
            if told && self.subscribing.is_none() && self.mirror.as_ref().is_some_and(Mirror::is_quiet) {
                // An entity that is not selected shows hard deletes only in the list of the next whole minute.
                let wait = if self.org.selected || self.settings.once { 0 } else { 130_000 };
                return self.run_for(wait);
            }
            self.run_for(STEP);
        }
        panic!("no rest: {:?}", self.mirror);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.mirror.as_ref().is_some_and(Mirror::is_finished)
    }

    fn turn(&mut self) {
        if let Some((due, after)) = self.subscribing.clone()
            && due <= self.now
        {
            self.subscribing = None;
            self.subscribe(after);
        }
        while let Some(next) = self.stream
            && let Some((due, header)) = self.org.log.get(next).cloned()
            && due <= self.now
        {
            self.stream = Some(next + 1);
            let position = position(next, header.committed);
            self.tell(Input::Message(header.changes("", "org", &position), position));
        }
        if self.answer.as_ref().is_some_and(|(due, ..)| *due <= self.now)
            && let Some((_, request, answer)) = self.answer.take()
        {
            let answer = if let Request::Write(write) = request { self.commit(&write) } else { answer };
            self.tell(Input::Answer(answer));
        }
        let wake = self.mirror.as_ref().and_then(Mirror::wake);
        if self.answer.is_none() && wake.is_some_and(|wake| wake <= at(self.now)) {
            self.tell(Input::Tick);
        }
    }

    fn subscribe(&mut self, after: Option<Position>) {
        let next = after.map(|position| usize::from_be_bytes(position.bytes.try_into().unwrap()) + 1);
        if next.is_some_and(|next| next < self.org.kept_from) {
            self.tell(Input::PositionLost("expired".to_owned()));
        }
        let next = next.filter(|next| *next >= self.org.kept_from);
        self.stream = Some(next.unwrap_or(self.org.log.len()));
        self.tell(Input::Opened(at(self.now)));
    }

    fn tell(&mut self, input: Input) {
        let Some(mirror) = &mut self.mirror else { return };
        for effect in mirror.step(at(self.now), input) {
            match effect {
                Effect::Subscribe(after) => self.subscribing = Some((self.now + LATENCY, after)),
                Effect::Ask(request) => {
                    assert!(self.answer.is_none(), "two requests at a time");
                    let answer = self.look(&request);
                    self.answer = Some((self.now + LATENCY, request, answer));
                }
            }
        }
    }

    fn look(&mut self, request: &Request) -> Answer {
        match request {
            Request::Page { .. } if self.blind_polls => Answer::Page { rows: Vec::new(), last: true },
            Request::Deleted(_) if self.blind_polls || self.deletes_forgotten => {
                let complete = !std::mem::take(&mut self.deletes_forgotten);
                Answer::Deleted { ids: Vec::new(), until: at(self.now), complete }
            }
            Request::Read(ids) => {
                assert!(ids.len() <= self.settings.batch);
                self.reads += 1;
                Answer::Rows(self.org.read(ids))
            }
            Request::Page { after, bin } => {
                let (rows, last) = self.org.page(*after, *bin, PAGE);
                self.pages += 1;
                self.rows_read += rows.len();
                Answer::Page { rows, last }
            }
            Request::Deleted(since) => {
                let (mut ids, until) = self.org.deleted(self.now, *since);
                ids.retain(|id| self.table.get(id).is_some_and(|row| !row.deleted));
                Answer::Deleted { ids, until, complete: true }
            }
            Request::List(after) => {
                let (entries, last) = self.org.list(*after, PAGE);
                Answer::Listed { entries, last }
            }
            Request::Stored => {
                let live = self.table.values().filter(|row| !row.deleted);
                Answer::Stored(live.map(|row| (row.id, row.stamp)).collect())
            }
            Request::Write(_) => Answer::Written(Written::default()),
        }
    }

    fn commit(&mut self, write: &Write) -> Answer {
        let mut written = Written::default();
        for incoming in &write.rows {
            let row = &incoming.row;
            match self.table.get(&row.id) {
                Some(stored) if stored.stamp > row.stamp && !incoming.force => written.stale.push(row.id),
                Some(stored) if stored == row => {}
                None if incoming.known_only => {}
                stored => {
                    written.deleted += u64::from(row.deleted && stored.is_none_or(|stored| !stored.deleted));
                    written.changed.push(row.id);
                    self.table.insert(row.id, row.clone());
                }
            }
        }
        for id in &write.gone {
            if let Some(row) = self.table.get_mut(id).filter(|row| !row.deleted) {
                row.deleted = true;
                written.changed.push(*id);
                written.deleted += 1;
            }
        }
        assert!(write.state.opened.is_some() || write.rows.is_empty(), "a row was read before the stream was opened");
        self.stored = write.state.clone();
        self.closed.extend(write.closed.clone());
        Answer::Written(written)
    }

    /// Live rows are equal field by field, rows in the bin too where the mirror has them, and no other row is live.
    pub(crate) fn assert_equal(&self) {
        assert_eq!(self.stored.snapshot, Snapshot::Done);
        for row in self.org.rows.values() {
            match self.table.get(&row.id) {
                Some(stored) => assert_eq!(stored, row),
                None => assert!(row.deleted, "missing: {row:?}"),
            }
        }
        for row in self.table.values().filter(|row| !row.deleted) {
            assert!(self.org.rows.contains_key(&row.id), "still live: {row:?}");
        }
    }
}

fn position(index: usize, committed: jiff::Timestamp) -> Position {
    Position {
        source: "org".to_owned(),
        channel: "/data/AccountChangeEvent".to_owned(),
        transport: Transport::CometD,
        bytes: index.to_be_bytes().to_vec(),
        committed,
    }
}

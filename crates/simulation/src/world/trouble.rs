//! Faults: armed at their time, they hit the next operations that they could happen to.

use std::collections::BTreeMap;

use tombolo_engine::sync::Side;

use super::{Task, World, drive::LEASE};
use crate::{
    engine::Engine,
    history::{Boundary, FaultKind},
    moment::{MILLI, Micros, SECOND},
    org::Telling,
};

/// What is going to go wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Armed {
    /// Events are held back by so much.
    pub(super) event_delay: Micros,
    /// Where streams were opened anew: what lies before is nobody's.
    pub(super) opened: BTreeMap<&'static str, usize>,
    /// Processes that die.
    pub(super) crashes: Vec<Boundary>,
    /// Until when each side refuses requests.
    pub(super) unavailable: [Micros; 2],
    duplicates: u32,
    gaps: u32,
    overflows: u32,
    lost_answers: [u32; 2],
    lost_requests: [u32; 2],
    locks: [u32; 2],
    late: [Option<Micros>; 2],
    slow: [Micros; 2],
    slow_reads: [Micros; 2],
    transactions: (u32, Micros),
}

fn take(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

impl Armed {
    /// All but where the streams were opened: the walk begins after that.
    pub(super) fn sketch(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        write!(out, "{:?}", Self { opened: BTreeMap::new(), ..self.clone() })
    }

    pub(super) fn take_duplicate(&mut self) -> bool {
        take(&mut self.duplicates)
    }

    pub(super) fn take_lost_answer(&mut self, side: Side) -> bool {
        take(&mut self.lost_answers[side])
    }

    pub(super) fn take_lost_request(&mut self, side: Side) -> bool {
        take(&mut self.lost_requests[side])
    }

    pub(super) fn take_lock(&mut self, side: Side) -> bool {
        take(&mut self.locks[side])
    }

    pub(super) fn take_late(&mut self, side: Side) -> Option<Micros> {
        self.late[side].take()
    }

    pub(super) fn take_slow(&mut self, side: Side) -> Micros {
        std::mem::take(&mut self.slow[side])
    }

    pub(super) fn take_slow_read(&mut self, side: Side) -> Micros {
        std::mem::take(&mut self.slow_reads[side])
    }

    /// How the change of a person is told.
    pub(super) fn take_telling(&mut self) -> Telling {
        if take(&mut self.overflows) {
            Telling::Overflow
        } else if take(&mut self.gaps) {
            Telling::Gap
        } else {
            Telling::Full
        }
    }

    /// How long the transaction of a person takes after its ids were drawn.
    pub(super) fn take_transaction(&mut self) -> Option<Micros> {
        let (count, long) = &mut self.transactions;
        take(count).then_some(*long)
    }
}

impl<E: Engine> World<E> {
    /// A fault begins.
    pub(super) fn fault(&mut self, number: usize) {
        let Some(fault) = self.history.faults.get(number).copied() else { return };
        self.note(|| format!("fault {:?}", fault.kind));
        let armed = &mut self.armed;
        match fault.kind {
            FaultKind::DelayEvents(long) => {
                armed.event_delay = long;
                self.agenda.add(self.now + 10 * SECOND, Task::Over(fault.kind));
            }
            FaultKind::DuplicateEvents(count) => armed.duplicates += count,
            FaultKind::Gap(count) => armed.gaps += count,
            FaultKind::Overflow => armed.overflows += 1,
            FaultKind::CutStreams => self.cut(false),
            FaultKind::ExpireReplay => self.cut(true),
            FaultKind::LostAnswer(side, count) => armed.lost_answers[side] += count,
            FaultKind::LostRequest(side, count) => armed.lost_requests[side] += count,
            FaultKind::LateLanding(side, later) => armed.late[side] = Some(later),
            FaultKind::SlowAnswer(side, long) => armed.slow[side] = long,
            FaultKind::RowLock(side, count) => armed.locks[side] += count,
            FaultKind::Unavailable(side, long) => armed.unavailable[side] = self.now + long,
            FaultKind::SlowRead(side, long) => armed.slow_reads[side] = long,
            FaultKind::Crash(Boundary::Now) => {
                if let Some(epoch) = self.current() {
                    self.crash(epoch, Boundary::Now);
                }
            }
            FaultKind::Crash(boundary) => armed.crashes.push(boundary),
            FaultKind::Pause(long) => self.stand_still(long),
            FaultKind::SlowTransaction(count, long) => armed.transactions = (count, long),
            FaultKind::OutboxFull(long) => {
                self.database.cap = 1;
                self.agenda.add(self.now + long, Task::Over(fault.kind));
            }
            FaultKind::FieldRemoved(long) => {
                let field = ("Contact", "Title".to_owned());
                self.disturbed.insert(field.clone());
                self.org.missing.insert(field);
                self.agenda.add(self.now + long, Task::Over(fault.kind));
            }
            FaultKind::OutboxAgain => {
                for instance in self.instances.values_mut() {
                    instance.handed.clear();
                }
                self.database_moved();
            }
        }
    }

    /// A fault ends.
    pub(super) fn over(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::DelayEvents(_) => self.armed.event_delay = 0,
            FaultKind::OutboxFull(_) => self.database.cap = self.history.habits.outbox_cap,
            FaultKind::FieldRemoved(_) => self.org.missing.clear(),
            _ => {}
        }
    }

    /// The streams break; what was not heard may not be kept for the next subscription.
    fn cut(&mut self, expired: bool) {
        if expired {
            for channel in self.org.channels.values_mut() {
                channel.retained = channel.log.len() + 1;
            }
        }
        let delay = self.delay("resubscribe", SECOND, 5 * SECOND);
        let at = self.now + delay;
        let mut again = Vec::new();
        for (epoch, instance) in self.instances.iter_mut().filter(|(_, instance)| instance.engine.is_some()) {
            instance.cut = at;
            again.push(*epoch);
        }
        for epoch in again {
            self.agenda.add(at, Task::Subscribe(epoch));
        }
    }

    /// A process dies; another one takes over.
    pub(super) fn crash(&mut self, epoch: u64, boundary: Boundary) {
        self.kill(epoch, &format!("crash at {boundary:?}"));
        let delay = self.delay("restart", 500 * MILLI, 15 * SECOND);
        self.agenda.add(self.now + delay, Task::Start);
    }

    /// A process stands still past its lease; another one takes over, and the first one goes on later.
    fn stand_still(&mut self, long: Micros) {
        let Some(epoch) = self.current() else { return };
        let until = self.now + long;
        self.note(|| format!("[{epoch}] stands still"));
        if let Some(instance) = self.instances.get_mut(&epoch) {
            instance.paused = Some(until);
        }
        self.agenda.add(until, Task::Resume(epoch));
        self.agenda.add(self.now + LEASE, Task::Start);
        // What was on its way may have left already, or leaves when the process goes on.
        let requests = &self.requests;
        let mut held = Vec::new();
        self.agenda.retain(|task| match task {
            Task::Land(number) if requests[*number].epoch == epoch && number % 2 == 0 => {
                held.push(*number);
                false
            }
            _ => true,
        });
        for number in held {
            self.agenda.add(until + MILLI, Task::Land(number));
        }
    }

    /// A process that stood still goes on, until it notices that its lease is over.
    pub(super) fn resume(&mut self, epoch: u64) {
        let Some(instance) = self.instances.get_mut(&epoch) else { return };
        if instance.engine.is_none() {
            return;
        }
        if instance.paused.take().is_none() {
            self.kill(epoch, "its lease is over");
            return;
        }
        let deferred = std::mem::take(&mut instance.deferred);
        self.agenda.add(self.now + LEASE / 3, Task::Resume(epoch));
        self.note(|| format!("[{epoch}] goes on"));
        for (input, told) in deferred {
            self.feed(epoch, input, told);
        }
    }
}

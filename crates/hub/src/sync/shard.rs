//! Drives one shard's engine: what it asks for is done, what happens is told to it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tombolo_engine::sync::{
    Answer, Batch, Command, Counts, Effect, Input, Outcome, Read, Shard, SourceId, SourceState, Transaction,
};

use super::{
    Happened, Setup,
    calendar::Days,
    keeper::{self, Ask, Kept},
    reload::{self, Fresh},
    spending::Meters,
    tenure::{self, Tenure},
};
use crate::{
    Result,
    config::Config,
    state::{Lease, State, Wake, Wakes},
    systems::system::{Fence, System, Told},
};

/// The systems of a plan, by connection.
pub(crate) type Systems = BTreeMap<String, Arc<dyn System>>;

/// How a shard ended.
pub(super) enum Ended {
    /// It was asked to.
    Stopped,
    /// A changed file is to be taken over.
    Changed(Box<Fresh>),
    /// Another process holds it, or nobody knows.
    Lost,
}

/// Everything that a shard is driven with.
pub(super) struct Driver {
    pub(super) state: Arc<dyn State>,
    pub(super) setup: Setup,
    pub(super) file: Option<Config>,
    pub(super) events: mpsc::Sender<Happened>,
}

/// What tasks report.
pub(super) enum Report {
    Input(Input),
    /// The file was read again: nothing new, a changed one, or one that cannot be used.
    Read(Result<Option<Box<Fresh>>>),
    Fenced,
    Trouble(String),
}

/// What a task reports to the engine.
pub(super) const fn told(input: Input) -> Report {
    Report::Input(input)
}

/// How often people's commands are looked for, and clocks are asked.
const COMMANDS: Duration = Duration::from_millis(500);
const CLOCKS: Duration = Duration::from_secs(60);
/// How long a source that broke is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what is older than the retention is forgotten, and how much of it at a time.
const PRUNES: Duration = Duration::from_secs(600);
const PRUNED: usize = 10_000;

impl Driver {
    /// Works on the shard as long as the lease lasts and nobody asks to stop. What is under way is finished first, for
    /// a while.
    pub(super) async fn run(
        &self,
        lease: Lease,
        tenure: watch::Sender<Tenure>,
        stop: watch::Receiver<bool>,
        counts: &mut Counts,
    ) -> Result<Ended> {
        let start = self.state.start(&lease).await?;
        let positions: HashMap<SourceId, SourceState> = start.sources.iter().cloned().collect();
        let shard = Shard::new(Timestamp::now(), Arc::clone(&self.setup.plan), self.setup.settings.clone(), start);
        let watched = tenure.subscribe();
        let (asks, asked) = mpsc::unbounded_channel();
        let (kept_out, kept) = mpsc::unbounded_channel();
        let (reports_out, reports) = mpsc::unbounded_channel();
        let (told_out, told) = mpsc::channel(8);
        let mut tasks = JoinSet::new();
        tasks.spawn(tenure::renew(Arc::clone(&self.state), lease.clone(), self.setup.lease, tenure));
        tasks.spawn(keeper::keep(Arc::clone(&self.state), lease.clone(), watched.clone(), asked, kept_out));
        for system in self.setup.systems.values() {
            for source in system.sources() {
                let from = positions.get(&source).cloned().unwrap_or_default();
                tasks.spawn(listen(Arc::clone(system), source, from, told_out.clone(), reports_out.clone()));
            }
        }
        let waiting = self.setup.systems.values().flat_map(|system| system.sources()).collect();
        let mut running = Running {
            driver: self,
            lease,
            tenure: watched,
            shard,
            asks,
            kept,
            reports,
            reports_out,
            told,
            tasks,
            meters: Meters::of(&self.setup),
            days: Days::from(Timestamp::now(), self.setup.calendar.clone()),
            commands: HashSet::new(),
            unopened: waiting,
            fenced: HashMap::new(),
            next_commands: Instant::now(),
            next_clocks: Instant::now(),
            next_prune: Instant::now() + PRUNES,
            wakes: self.state.wakes(),
            fresh: None,
            stop,
        };
        let ended = running.drive().await;
        *counts = running.shard.counts();
        running.surrender().await;
        let lease = running.lease.clone();
        drop(running);
        if matches!(ended, Ended::Stopped)
            && let Err(error) = self.state.release(&lease).await
        {
            tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
        }
        Ok(ended)
    }
}

/// Hears a source for as long as the shard is ours. What breaks is tried again, from where the source was heard last.
async fn listen(
    system: Arc<dyn System>,
    source: SourceId,
    mut from: SourceState,
    told: mpsc::Sender<Input>,
    reports: mpsc::UnboundedSender<Report>,
) {
    loop {
        let mut stream = system.listen(&source, from.clone());
        while let Some(news) = stream.next().await {
            let input = match news {
                Ok(Told::Opened(at)) => {
                    from.opened.get_or_insert(at);
                    Input::Opened { source: source.clone(), at }
                }
                Ok(Told::Heard(delivery)) => {
                    from.position = delivery.position.clone().or(from.position);
                    Input::Heard(delivery)
                }
                Ok(Told::Lost(reason)) => {
                    from.position = None;
                    Input::Lost { source: source.clone(), reason }
                }
                Err(error) => {
                    let trouble = format!("{} {}: {error}", source.connection, source.channel);
                    drop(reports.send(Report::Trouble(trouble)));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if told.send(input).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) struct Running<'a> {
    pub(super) driver: &'a Driver,
    pub(super) lease: Lease,
    pub(super) tenure: watch::Receiver<Tenure>,
    pub(super) shard: Shard,
    asks: mpsc::UnboundedSender<Ask>,
    kept: mpsc::UnboundedReceiver<Kept>,
    reports: mpsc::UnboundedReceiver<Report>,
    pub(super) reports_out: mpsc::UnboundedSender<Report>,
    told: mpsc::Receiver<Input>,
    /// Everything that runs beside; dropped with this, it ends.
    pub(super) tasks: JoinSet<()>,
    /// What orgs count.
    pub(super) meters: Meters,
    /// What is done by the calendar.
    days: Days,
    /// Commands that were told to the engine and are not done yet.
    commands: HashSet<u64>,
    unopened: HashSet<SourceId>,
    /// Whether older holders were kept from writing, by connection.
    fenced: HashMap<String, Arc<tokio::sync::OnceCell<()>>>,
    next_commands: Instant,
    next_clocks: Instant,
    next_prune: Instant,
    wakes: Wakes,
    /// The changed file that is taken over once everything is finished.
    fresh: Option<Box<Fresh>>,
    stop: watch::Receiver<bool>,
}

impl Running<'_> {
    async fn drive(&mut self) -> Ended {
        let mut leaving: Option<Instant> = None;
        loop {
            if !self.perform() || self.tenure.borrow().is_over() {
                return Ended::Lost;
            }
            if (*self.stop.borrow() || self.fresh.is_some()) && leaving.is_none() {
                leaving = Some(Instant::now() + Duration::from_secs(5));
            }
            if leaving.is_some_and(|until| self.shard.is_settled() || Instant::now() >= until) {
                let fresh = self.fresh.take().filter(|_| !*self.stop.borrow());
                return fresh.map_or(Ended::Stopped, Ended::Changed);
            }
            self.look_around();
            let wake = self.wake(leaving);
            let listening = leaving.is_none() && !self.shard.is_full();
            tokio::select! {
                biased;
                Some(kept) = self.kept.recv() => {
                    if !self.take_kept(kept) {
                        return Ended::Lost;
                    }
                }
                Some(report) = self.reports.recv() => {
                    if !self.take_report(report) {
                        return Ended::Lost;
                    }
                }
                Some(input) = self.told.recv(), if listening => self.tell(input),
                _ = self.stop.changed(), if leaving.is_none() => {}
                () = tokio::time::sleep_until(wake) => self.shard.handle(Timestamp::now(), Input::Tick),
                () = self.wakes.until(Wake::Asked(self.lease.shard)) => self.next_commands = Instant::now(),
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// When to look again if nothing happens.
    fn wake(&self, leaving: Option<Instant>) -> Instant {
        let now = Timestamp::now();
        let timer = self.shard.wake().map(|at| {
            let millis = at.as_millisecond().saturating_sub(now.as_millisecond()).max(0);
            Instant::now() + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        });
        let until = self.tenure.borrow().until;
        let next = timer.map_or(until, |timer| timer.min(until));
        next.min(self.next_commands).min(leaving.unwrap_or(next))
    }

    fn tell(&mut self, input: Input) {
        if let Input::Opened { source, .. } = &input
            && self.unopened.remove(source)
            && self.unopened.is_empty()
        {
            drop(self.driver.events.try_send(Happened::Ready));
        }
        if let Input::Lost { source, reason } = &input {
            let note = format!("{} {}: changes were missed: {reason}", source.connection, source.channel);
            drop(self.driver.events.try_send(Happened::Note(note)));
        }
        self.shard.handle(Timestamp::now(), input);
    }

    fn take_kept(&mut self, kept: Kept) -> bool {
        match kept {
            Kept::Input(input) => self.shard.handle(Timestamp::now(), input),
            Kept::Settled(operations) => self.settle(operations),
            Kept::Trouble(trouble) => drop(self.driver.events.try_send(Happened::Trouble(trouble))),
            Kept::Fenced => return false,
        }
        true
    }

    fn take_report(&mut self, report: Report) -> bool {
        match report {
            Report::Input(Input::Command { id, command }) => match command {
                _ if !self.commands.insert(id) => {}
                Command::Reload => self.reload(id),
                command => self.shard.handle(Timestamp::now(), Input::Command { id, command }),
            },
            Report::Input(input) => self.shard.handle(Timestamp::now(), input),
            Report::Read(Ok(Some(fresh))) => self.fresh = Some(fresh),
            Report::Read(Ok(None)) => self.driver.tell(Happened::Note("the file says nothing new".to_owned())),
            Report::Read(Err(error)) => self.driver.tell(reload::not_taken(&error)),
            Report::Fenced => return false,
            Report::Trouble(trouble) => {
                tracing::warn!("{trouble}");
                drop(self.driver.events.try_send(Happened::Trouble(trouble)));
            }
        }
        true
    }

    /// Does what the engine asks for. False when nobody keeps its state any more.
    fn perform(&mut self) -> bool {
        while let Some(effect) = self.shard.next_effect() {
            match effect {
                Effect::Commit { ticket, transaction } => {
                    if self.asks.send(Ask::Commit(ticket, transaction)).is_err() {
                        return false;
                    }
                }
                Effect::Load { ticket, load } => {
                    if self.asks.send(Ask::Load(ticket, load)).is_err() {
                        return false;
                    }
                }
                Effect::Reserve(ask) => self.reserve(ask),
                Effect::Write(batch) => self.write(batch),
                Effect::Read { ticket, connection, read, .. } => self.read(ticket, &connection, read),
                Effect::Acknowledge { source, identities } => self.acknowledge(source, identities),
            }
        }
        true
    }

    fn fence(&self) -> Fence {
        Fence { shard: self.lease.shard, epoch: self.lease.epoch, until: self.tenure.borrow().until }
    }

    fn write(&mut self, batch: Batch) {
        self.meters.performs(&batch.connection);
        let fence = self.fence();
        let reports = self.reports_out.clone();
        let system = self.driver.setup.systems.get(&batch.connection).cloned();
        let fenced = Arc::clone(self.fenced.entry(batch.connection.clone()).or_default());
        self.tasks.spawn(async move {
            let outcomes = match system {
                Some(system) => write(system.as_ref(), &batch, fence, &fenced, &reports).await,
                None => vec![Outcome::NotDone(None); batch.writes.len()],
            };
            drop(reports.send(Report::Input(Input::Written { tag: batch.tag, outcomes })));
        });
    }

    fn read(&mut self, ticket: u64, connection: &str, read: Read) {
        self.meters.performs(connection);
        let reports = self.reports_out.clone();
        let system = self.driver.setup.systems.get(connection).cloned();
        self.tasks.spawn(async move {
            let answer = match system {
                Some(system) => system.read(&read).await,
                None => Answer::Later(None),
            };
            drop(reports.send(Report::Input(Input::Answered { ticket, answer })));
        });
    }

    /// Tells a source that the journal has its changes, again and again until it knows.
    fn acknowledge(&mut self, source: SourceId, identities: Vec<String>) {
        let fence = self.fence();
        let tenure = self.tenure.clone();
        let reports = self.reports_out.clone();
        let Some(system) = self.driver.setup.systems.get(&source.connection).cloned() else { return };
        self.tasks.spawn(async move {
            let mut wait = Duration::from_millis(50);
            while let Err(error) = system.acknowledge(&source, &identities, fence).await {
                if error.is_fenced() {
                    drop(reports.send(Report::Fenced));
                    return;
                }
                if tenure.borrow().is_over() {
                    return;
                }
                tracing::warn!(connection = source.connection, %error, "changes could not be acknowledged, trying again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(2));
            }
        });
    }

    /// What was kept to recognise operations may go; what stays is found by the scrub.
    fn settle(&mut self, operations: Vec<(String, String)>) {
        let fence = self.fence();
        let mut by_connection: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (connection, operation) in operations {
            by_connection.entry(connection).or_default().push(operation);
        }
        for (connection, operations) in by_connection {
            let Some(system) = self.driver.setup.systems.get(&connection).cloned() else { continue };
            self.tasks.spawn(async move {
                if let Err(error) = system.settle(&operations, fence).await {
                    tracing::debug!(connection, %error, "operation rows stay for now");
                }
            });
        }
    }

    /// Reads the file again, while everything goes on. Whatever comes of it, what was asked is done.
    fn reload(&mut self, command: u64) {
        let Some(file) = self.driver.file.clone() else { return };
        let (state, plan) = (Arc::clone(&self.driver.state), Arc::clone(&self.driver.setup.plan));
        let (lease, reports) = (self.lease.clone(), self.reports_out.clone());
        self.tasks.spawn(async move {
            let read = reload::read(&file, &plan, &*state).await;
            let done = Transaction { commands: vec![command], ..Transaction::default() };
            if let Err(error) = state.commit(&lease, &done).await {
                tracing::warn!(%error, "that the file was read could not be put away; it is read once more");
            }
            drop(reports.send(Report::Read(read.map(|fresh| fresh.map(Box::new)))));
        });
    }

    /// Forgets what is older than the retention.
    fn prune(&mut self) {
        let retention =
            jiff::SignedDuration::try_from(self.driver.setup.retention).unwrap_or(jiff::SignedDuration::MAX);
        let Ok(before) = Timestamp::now().checked_sub(retention) else { return };
        let (state, shard) = (Arc::clone(&self.driver.state), self.lease.shard);
        self.tasks.spawn(async move {
            if let Err(error) = state.prune(shard, before, PRUNED).await {
                tracing::warn!(%error, "what is older than the retention could not be forgotten");
            }
        });
    }

    /// Looks for what people asked, and measures clocks, now and then.
    fn look_around(&mut self) {
        let now = Instant::now();
        if now >= self.next_commands {
            self.next_commands = now + COMMANDS;
            self.read_meters();
            for input in self.days.due(Timestamp::now()) {
                self.shard.handle(Timestamp::now(), input);
            }
            let (state, shard, reports) = (Arc::clone(&self.driver.state), self.lease.shard, self.reports_out.clone());
            self.tasks.spawn(async move {
                match state.commands(shard).await {
                    Ok(commands) => {
                        for (id, command) in commands {
                            drop(reports.send(Report::Input(Input::Command { id, command })));
                        }
                    }
                    Err(error) => tracing::debug!(%error, "commands could not be looked for"),
                }
            });
        }
        if now >= self.next_prune {
            self.next_prune = now + PRUNES;
            self.prune();
        }
        if now >= self.next_clocks {
            self.next_clocks = now + CLOCKS;
            for (connection, system) in &self.driver.setup.systems {
                let (connection, system, reports) = (connection.clone(), Arc::clone(system), self.reports_out.clone());
                self.tasks.spawn(async move {
                    if let Ok(clock) = system.clock().await {
                        let (ahead_ms, uncertain_ms) = (clock.ahead_ms, clock.uncertain_ms);
                        drop(reports.send(Report::Input(Input::Clock { connection, ahead_ms, uncertain_ms })));
                    }
                });
            }
        }
    }
}

/// Writes, after older holders were kept from writing. Nothing leaves when the lease is about to end.
async fn write(
    system: &dyn System,
    batch: &Batch,
    fence: Fence,
    fenced: &tokio::sync::OnceCell<()>,
    reports: &mpsc::UnboundedSender<Report>,
) -> Vec<Outcome> {
    if let Err(error) = fenced.get_or_try_init(|| system.fence(fence)).await {
        if error.is_fenced() {
            drop(reports.send(Report::Fenced));
        }
        drop(reports.send(Report::Trouble(format!("{}: {error}", batch.connection))));
        return vec![Outcome::NotDone(None); batch.writes.len()];
    }
    if Instant::now() >= fence.until {
        return vec![Outcome::NotDone(None); batch.writes.len()];
    }
    system.write(batch, fence).await
}

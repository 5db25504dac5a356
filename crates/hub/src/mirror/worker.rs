//! One object of a running mirror: tells the engine what happened and does what it asks for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    future::{BoxFuture, pending},
    stream::BoxStream,
};
use tokio::sync::{mpsc, watch};
use tombolo_engine::{
    Position, Transport,
    mirror::{Effect, Gap, Input, Mirror as Engine, Request, Settings, Snapshot, State, Write},
};
use tombolo_schema::Id;

use super::{
    MirrorOptions, ObjectReport, Progress,
    clock::Clock,
    report::Tally,
    requests::{Done, perform},
};
use crate::{
    Result,
    store::{Committed, Failpoints, Store},
    systems::{Entity, News, Source},
};

/// What all objects of a mirror share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) source: Arc<dyn Source>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) failpoints: Failpoints,
}

/// One object of a running mirror.
pub(super) struct Worker {
    desk: Desk,
    org: String,
    tenant: String,
    entity: Entity,
    settings: Settings,
    progress: mpsc::Sender<Progress>,
    tally: Tally,
    snapshot_rows: u64,
    /// The gap that was told of.
    gap: Option<Gap>,
    live: bool,
}

/// What happens next, whichever comes first.
enum Turn {
    Done(Result<Done>),
    News(Option<Result<News>>),
    Tick,
    Stop,
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Worker {
    pub(super) fn new(
        desk: Desk,
        org: &str,
        entity: Entity,
        options: &MirrorOptions,
        progress: mpsc::Sender<Progress>,
    ) -> Self {
        let lists_deletes = entity.lists_deletes;
        Self {
            desk,
            org: org.to_owned(),
            tenant: options.tenant.clone(),
            entity,
            settings: Settings { once: options.once, lists_deletes, ..options.settings },
            progress,
            tally: Tally::default(),
            snapshot_rows: 0,
            gap: None,
            live: false,
        }
    }

    /// Runs until it is told to stop, has done all it had to, or fails.
    pub(super) async fn run(mut self, state: State, mut stop: watch::Receiver<bool>) -> Result<ObjectReport> {
        let mut engine = Engine::new(self.settings, self.checked(state));
        let mut stream: Option<BoxStream<'static, Result<News>>> = None;
        let mut work: Option<(bool, BoxFuture<'static, Result<Done>>)> = None;
        let mut input = Input::Start;
        loop {
            for effect in engine.step(self.desk.clock.now(), input) {
                match effect {
                    Effect::Subscribe(after) => stream = Some(self.listen(after, stream.is_some())),
                    Effect::Ask(request) => work = Some((matches!(request, Request::Write(_)), self.ask(request))),
                }
            }
            self.tell_state(&engine).await;
            if engine.is_finished() {
                break;
            }
            let wake = if work.is_none() { engine.wake() } else { None };
            let turn = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Turn::Stop,
                done = work.as_mut().map_or_else(|| Box::pin(pending()) as BoxFuture<'_, _>, |(_, work)| Box::pin(work)) => Turn::Done(done),
                news = next(&mut stream) => Turn::News(news),
                () = self.sleep(wake) => Turn::Tick,
            };
            input = match turn {
                Turn::Done(done) => {
                    work = None;
                    self.done(done?).await
                }
                Turn::News(news) => {
                    if matches!(news, Some(Ok(News::Refused(_)))) {
                        stream = None;
                    }
                    self.news(news).await?
                }
                Turn::Tick => Input::Tick,
                Turn::Stop => {
                    // A transaction that was begun is seen to its end.
                    if let Some((true, work)) = work {
                        drop(self.done(work.await?).await);
                    }
                    break;
                }
            };
        }
        self.report().await
    }

    /// A position of another channel or org is no position but a gap.
    fn checked(&self, mut state: State) -> State {
        let holds = |position: &Position| position.holds_for(&self.org, &self.entity.channel, Transport::CometD);
        if let Some(position) = state.position.take_if(|position| !holds(position)) {
            state.announced = false;
            state.gap.get_or_insert(Gap {
                detected: self.desk.clock.now(),
                since: position.committed.checked_sub(self.settings.margin).ok(),
                reason: "the position that was stored belongs to another stream".to_owned(),
                upserted: 0,
                deleted: 0,
            });
        }
        state
    }

    fn listen(&self, after: Option<Position>, again: bool) -> BoxStream<'static, Result<News>> {
        let after = after.map(|position| position.bytes);
        let stream = self.desk.source.listen(&self.entity, after);
        if !again {
            return stream;
        }
        let pause =
            futures_util::stream::once(tokio::time::sleep(FIRST_PAUSE)).filter_map(|()| std::future::ready(None));
        pause.chain(stream).boxed()
    }

    fn ask(&self, request: Request) -> BoxFuture<'static, Result<Done>> {
        let (desk, entity, once) = (self.desk.clone(), self.entity.clone(), self.settings.once);
        let (progress, object) = (self.progress.clone(), self.entity.table.object.clone());
        Box::pin(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                match perform(desk.clone(), entity.clone(), request.clone()).await {
                    // A mirror that runs on outlives an org that is away for a while.
                    Err(error) if error.is_retryable() && !once => {
                        let message = error.to_string();
                        drop(progress.send(Progress::Trouble { object: object.clone(), message }).await);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    done => return done,
                }
            }
        })
    }

    async fn sleep(&self, wake: Option<jiff::Timestamp>) {
        match wake {
            Some(wake) => tokio::time::sleep_until(self.desk.clock.instant(wake)).await,
            None => pending().await,
        }
    }

    async fn news(&self, news: Option<Result<News>>) -> Result<Input> {
        Ok(match news {
            Some(Ok(News::Opened(at))) => Input::Opened(at),
            Some(Ok(News::Change(header, bytes))) => {
                let position = Position {
                    source: self.org.clone(),
                    channel: self.entity.channel.clone(),
                    transport: Transport::CometD,
                    bytes,
                    committed: header.committed,
                };
                Input::Message(header.changes(&self.tenant, "salesforce", &position), position)
            }
            Some(Ok(News::PositionLost(reason))) => Input::PositionLost(reason),
            Some(Ok(News::Reconnected)) => Input::Reopened,
            Some(Ok(News::Refused(reason))) => {
                self.say(Progress::Polled { object: self.entity.table.object.clone(), reason }).await;
                Input::Refused
            }
            Some(Err(error)) if error.is_retryable() => {
                self.trouble(error.to_string()).await;
                Input::Tick
            }
            Some(Err(error)) => return Err(error),
            None => Input::StreamLost,
        })
    }

    async fn done(&mut self, done: Done) -> Input {
        if let Some((write, committed)) = done.written {
            self.count(&write, &committed).await;
        }
        Input::Answer(done.answer)
    }

    /// Counts what a transaction did and tells of it.
    async fn count(&mut self, write: &Write, committed: &Committed) {
        let now = self.desk.clock.now();
        let times: HashMap<Id, jiff::Timestamp> =
            write.rows.iter().filter_map(|row| Some((row.row.id, row.committed?))).collect();
        for (id, applied) in &committed.applied {
            self.tally.add(*applied);
            let lag = times.get(id).map(|committed| now.duration_since(*committed));
            lag.into_iter().for_each(|lag| self.tally.add_lag(lag));
            if !write.bulk {
                let (object, id) = (self.entity.table.object.clone(), id.to_string());
                self.say(Progress::Applied { object, id, change: *applied, lag }).await;
            }
        }
        if write.bulk {
            self.snapshot_rows += write.rows.len() as u64;
            let (object, rows) = (self.entity.table.object.clone(), self.snapshot_rows);
            self.say(Progress::Snapshot { object, rows }).await;
        }
        if let Some(closed) = &write.closed {
            self.tally.gaps += 1;
            self.gap = None;
            let (upserted, deleted) = (closed.gap.upserted, closed.gap.deleted);
            self.say(Progress::GapClosed { object: self.entity.table.object.clone(), upserted, deleted }).await;
        }
    }

    /// Tells once of a gap and once of being live.
    async fn tell_state(&mut self, engine: &Engine) {
        let state = engine.state();
        if let Some(gap) = &state.gap
            && self.gap.as_ref().is_none_or(|told| told.detected != gap.detected)
        {
            self.gap = Some(gap.clone());
            self.say(Progress::Gap { object: self.entity.table.object.clone(), reason: gap.reason.clone() }).await;
        }
        if !self.live && !self.settings.once && state.snapshot == Snapshot::Done && engine.has_caught_up() {
            self.live = true;
            self.say(Progress::Live { object: self.entity.table.object.clone() }).await;
        }
    }

    async fn trouble(&self, message: String) {
        self.say(Progress::Trouble { object: self.entity.table.object.clone(), message }).await;
    }

    /// Nobody has to listen.
    async fn say(&self, progress: Progress) {
        drop(self.progress.send(progress).await);
    }

    async fn report(mut self) -> Result<ObjectReport> {
        let object = self.entity.table.object.clone();
        Ok(ObjectReport {
            rows: self.desk.store.count(&self.entity.table).await?,
            inserted: self.tally.inserted,
            updated: self.tally.updated,
            deleted: self.tally.deleted,
            api_calls: self.desk.source.calls(&object),
            lag_ms: self.tally.median_lag(),
            gaps: self.tally.gaps,
            object,
        })
    }
}

async fn next(stream: &mut Option<BoxStream<'static, Result<News>>>) -> Option<Result<News>> {
    match stream {
        Some(stream) => stream.next().await,
        None => pending().await,
    }
}

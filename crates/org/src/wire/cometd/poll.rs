//! `/meta/connect`: the poll that is held until there is something to tell (streaming.md 1.4).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, value::RawValue};

use super::{
    clients::{Client, End, Poll},
    event::Delivery,
    message::{Advice, Message, connected, refused, unsolicited_disconnect},
};
use crate::{
    core::{
        Channel, StoredEvent,
        faults::{EventPlace, FaultKind},
        limits::Counted,
        record::{CoreError, Result},
        security::Session,
    },
    wire::App,
};

/// A poll with nothing to tell is held this long.
const HOLD: SignedDuration = SignedDuration::from_secs(110);
/// Deliveries on a channel in one answer; the next poll gets the rest at once.
const MAX_DELIVERED: usize = 2000;

/// How a poll ended.
pub(super) enum Polled {
    /// The events, and behind them the replies.
    Answer { events: Vec<Box<RawValue>>, replies: Vec<Value> },
    /// The connection is to break, with these events on the way.
    Cut { events: Vec<Box<RawValue>> },
}

impl Polled {
    fn quiet(reply: Value) -> Self {
        Self::Answer { events: Vec::new(), replies: vec![reply] }
    }

    /// Told to stop, after a disconnect that nobody asked for.
    fn stopped(message: &Message, error: &str) -> Self {
        let refusal = refused(message, error, Some(Advice::None), None);
        Self::Answer { events: Vec::new(), replies: vec![unsolicited_disconnect(), refusal] }
    }
}

/// What is there to deliver now, and when more is due.
#[derive(Default)]
struct Harvest {
    /// Of each channel, by replay id.
    channels: Vec<Vec<(u64, Box<RawValue>)>>,
    events: Vec<(u64, Box<RawValue>)>,
    next_due: Option<Timestamp>,
    progress: Vec<(String, u64, u64)>,
}

/// What a client polls with.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    pub(super) session: &'a Session,
    pub(super) message: &'a Message,
}

/// Holds a client's poll.
pub(super) async fn hold(app: &Arc<App>, client: &Arc<Client>, asked: Asked<'_>) -> Polled {
    let mut poll = client.begin_poll();
    // The older poll, if any, gives up first.
    let _turn = Arc::clone(&client.turn).lock_owned().await;
    let polled = wait(app, client, asked, &mut poll).await;
    let now = app.core.clock().now();
    poll.seen_at(now);
    // Whoever stays connected stays logged in.
    app.security.keep_alive(&asked.session.token, now);
    polled
}

async fn wait(app: &Arc<App>, client: &Arc<Client>, asked: Asked<'_>, poll: &mut Poll) -> Polled {
    let message = asked.message;
    let clock = app.core.clock();
    let started = clock.now();
    let deadline = started.saturating_add(HOLD).unwrap_or(Timestamp::MAX);
    let (mut log, mut faults) = (app.core.events().watch(), app.core.faults().watch());
    let mut shutdown = app.shutdown.clone();
    loop {
        // Whatever changes from here on is noticed below.
        let bell = client.bell.notified();
        tokio::pin!(bell);
        bell.as_mut().enable();
        log.mark_unchanged();
        faults.mark_unchanged();
        let now = clock.now();
        poll.seen_at(now);
        if let Some(polled) = interrupted(app, client, asked, poll) {
            return polled;
        }
        let harvest = match harvest(app, client, asked.path).await {
            Ok(harvest) => harvest,
            Err(error) => {
                tracing::error!(%error, "cannot read the event log");
                return Polled::quiet(refused(message, "500::Internal error", Some(Advice::Handshake), None));
            }
        };
        // The first answer holds nothing that a cut could lose.
        if !poll.first && befalls(app, client, asked.path, FaultKind::DropConnections) {
            return Polled::Cut { events: collected(app, client, harvest) };
        }
        let no_wait = poll.first || message.wants_no_wait() || now >= deadline || *shutdown.borrow();
        if no_wait || !harvest.events.is_empty() {
            return deliver(app, client, message, poll, harvest);
        }
        let wake_at = harvest.next_due.map_or(deadline, |due| due.min(deadline));
        tokio::select! {
            () = &mut bell => {}
            _ = log.changed() => {}
            _ = faults.changed() => {}
            _ = shutdown.changed() => {}
            () = clock.sleep_until(wake_at) => {}
        }
    }
}

/// What ends a poll without events.
fn interrupted(app: &App, client: &Client, asked: Asked<'_>, poll: &Poll) -> Option<Polled> {
    let message = asked.message;
    match client.ended() {
        Some(End::Disconnected) => return Some(Polled::quiet(connected(message, &client.id, false))),
        Some(End::Forgotten) => {
            let refusal = refused(message, "403::Unknown client", Some(Advice::Handshake), None);
            return Some(Polled::quiet(refusal));
        }
        None => {}
    }
    if poll.is_superseded() {
        return Some(Polled::quiet(connected(message, &client.id, false)));
    }
    if !app.security.exists(&asked.session.token) {
        return Some(Polled::stopped(message, "401::Authentication invalid"));
    }
    if befalls(app, client, asked.path, FaultKind::UnknownClient) {
        app.cometd.end(client, End::Forgotten);
        return Some(Polled::stopped(message, "403::Unknown client"));
    }
    None
}

/// Whether a fault befalls the client, on whichever of its channels.
fn befalls(app: &App, client: &Client, path: &str, kind: FaultKind) -> bool {
    let channels = client.subscriptions();
    let names = channels.iter().map(|(name, _)| name.as_str()).chain(channels.is_empty().then_some(""));
    befall(app, path, names, kind)
}

fn befall<'a>(app: &App, path: &str, mut channels: impl Iterator<Item = &'a str>, kind: FaultKind) -> bool {
    let now = app.core.clock().now();
    channels.any(|name| app.core.faults().take_for_channel(kind, path, name, now).is_some())
}

fn deliver(app: &App, client: &Client, message: &Message, poll: &Poll, harvest: Harvest) -> Polled {
    let events = collected(app, client, harvest);
    Polled::Answer { events, replies: vec![connected(message, &client.id, poll.first)] }
}

/// The events of a harvest; the client's positions move behind them, whether they arrive or not (streaming.md 6.3).
fn collected(app: &App, client: &Client, harvest: Harvest) -> Vec<Box<RawValue>> {
    for (name, from, up_to) in &harvest.progress {
        client.delivered(name, *from, *up_to);
    }
    let delivered = u64::try_from(harvest.events.len()).unwrap_or(u64::MAX);
    app.core.limits().count(Counted::DeliveredEvents, delivered);
    harvest.events.into_iter().map(|(_, event)| event).collect()
}

/// Reads what the client's subscriptions have waiting.
async fn harvest(app: &Arc<App>, client: &Client, path: &str) -> Result<Harvest> {
    let subscriptions = client.subscriptions();
    if subscriptions.is_empty() {
        return Ok(Harvest::default());
    }
    let (app, path) = (Arc::clone(app), path.to_owned());
    let work = move || {
        let mut harvest = Harvest::default();
        for (name, subscription) in &subscriptions {
            let waiting = app.core.events().read_after(&subscription.channel, subscription.after, MAX_DELIVERED)?;
            gather(&app, &mut harvest, name, subscription.after, &waiting)?;
        }
        let full = harvest.channels.iter().filter(|events| !events.is_empty()).count();
        let names = subscriptions.iter().map(|(name, _)| name.as_str());
        let mixed = full > 1 && befall(&app, &path, names, FaultKind::MixChannels);
        if mixed {
            // The channels one after the other, the one with the latest beginning first.
            harvest.channels.sort_by_key(|events| std::cmp::Reverse(events.first().map(|(replay_id, _)| *replay_id)));
        }
        harvest.events = std::mem::take(&mut harvest.channels).into_iter().flatten().collect();
        if !mixed {
            harvest.events.sort_by_key(|(replay_id, _)| *replay_id);
        }
        Ok(harvest)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| CoreError::Internal("reading events failed".to_owned()))?
}

/// Takes events in their order, up to the first that is late.
fn gather(app: &App, harvest: &mut Harvest, name: &str, after: u64, waiting: &[StoredEvent]) -> Result<()> {
    let now = app.core.clock().now();
    let mut up_to = after;
    let mut events = Vec::new();
    for stored in waiting {
        if let Some(due) = due(app, stored).filter(|due| *due > now) {
            harvest.next_due = Some(harvest.next_due.map_or(due, |next| next.min(due)));
            break;
        }
        let json = serde_json::value::to_raw_value(&Delivery { channel: name, stored })
            .map_err(|error| CoreError::Internal(format!("an event cannot be written: {error}")))?;
        events.push((stored.replay_id, json));
        up_to = stored.replay_id;
    }
    harvest.channels.push(events);
    if up_to > after {
        harvest.progress.push((name.to_owned(), after, up_to));
    }
    Ok(())
}

fn due(app: &App, stored: &StoredEvent) -> Option<Timestamp> {
    let channel = Channel::Entity(stored.event.entity.clone()).name();
    let channels = [channel.as_str(), ALL];
    app.core.faults().due(place(stored, &channels))
}

const ALL: &str = "/data/ChangeEvents";

fn place<'a>(stored: &'a StoredEvent, channels: &'a [&'a str]) -> EventPlace<'a> {
    let committed = Timestamp::from_millisecond(stored.event.commit_timestamp).unwrap_or(Timestamp::MIN);
    EventPlace { replay_id: stored.replay_id, channels, entity: &stored.event.entity, committed }
}

/// When the duplicate of an event is to come, if a fault asks for one.
pub(super) fn duplicate_due(app: &App, stored: &StoredEvent) -> Option<Timestamp> {
    let channel = Channel::Entity(stored.event.entity.clone()).name();
    let channels = [channel.as_str(), ALL];
    let fault = app.core.faults().take_for_event(FaultKind::DuplicateEvents, place(stored, &channels))?;
    let delay = SignedDuration::try_from(fault.delay).unwrap_or(SignedDuration::MAX);
    Some(app.core.clock().now().saturating_add(delay).unwrap_or(Timestamp::MAX))
}

//! Misbehaviour on demand: what an org does wrong because a test asked it to.
//!
//! A fault says what goes wrong, for how long or how often, and where. This is the book of them; the places
//! that misbehave ask it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultKind { $($(#[$doc])* $variant,)* }

        impl FaultKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in `POST /_tombolo/faults`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

fault_kinds! {
    /// Events are delivered [`Fault::delay`] after their commit, in order.
    DelayEvents = "delay_events",
    /// Events come a second time [`Fault::delay`] later: same transaction, new replay id.
    DuplicateEvents = "duplicate_events",
    /// Answers break off in the middle; polls that are held are cut.
    DropConnections = "drop_connections",
    /// A subscription that names a replay id is refused as if it had expired, and the streams that are open
    /// have to begin again.
    ExpireReplay = "expire_replay",
    /// A write is done, and its answer never arrives.
    LostAnswer = "lost_answer",
    /// 503 instead of an answer; nothing is done.
    Status503 = "status_503",
    /// A CometD client is forgotten, and told so with the advice not to come back (streaming.md 1.5).
    UnknownClient = "unknown_client",
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultSpan {
    /// A while, on the org's clock.
    For(Duration),
    /// A number of times.
    Count(u64),
    /// Until it is taken back.
    UntilCleared,
}

/// Something to do wrong.
///
/// ```
/// use std::time::Duration;
/// use tombolo_org::{Fault, FaultKind};
///
/// let busy = Fault::new(FaultKind::Status503).count(2).path("/query");
/// let late = Fault::new(FaultKind::DelayEvents).lasting(Duration::from_secs(30)).delay(Duration::from_secs(5));
/// # let _ = (busy, late);
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) span: FaultSpan,
    pub(crate) path: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) delay: Duration,
    pub(crate) status: Option<u16>,
}

impl Fault {
    /// A fault that lasts until it is taken back; `expire_replay` and `lost_answer` happen once.
    pub fn new(kind: FaultKind) -> Self {
        let span = match kind {
            FaultKind::ExpireReplay | FaultKind::LostAnswer | FaultKind::UnknownClient => FaultSpan::Count(1),
            _ => FaultSpan::UntilCleared,
        };
        Self { kind, span, path: None, channel: None, delay: Duration::from_secs(5), status: None }
    }

    /// Lasts this long on the org's clock.
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.span = FaultSpan::For(duration);
        self
    }

    /// Happens this often.
    pub fn count(mut self, times: u64) -> Self {
        self.span = FaultSpan::Count(times);
        self
    }

    /// Only for requests whose path holds this text; `*` stands for anything.
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Only for this channel: `/data/AccountChangeEvent`.
    pub fn channel(mut self, channel: &str) -> Self {
        self.channel = Some(channel.to_owned());
        self
    }

    /// How late events and their duplicates are: 5 s unless told.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The status a lost answer has; without one the connection is dropped.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// The number of a fault, to take it back by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FaultId(pub(crate) u64);

impl std::fmt::Display for FaultId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

struct Active {
    id: FaultId,
    fault: Fault,
    /// Events up to this replay id were there before.
    after_event: u64,
    left: Option<u64>,
    until: Option<Timestamp>,
}

impl Active {
    fn covers(&self, moment: Timestamp) -> bool {
        self.until.is_none_or(|until| moment < until) && self.left != Some(0)
    }

    /// The fault, used up by once.
    fn taken(&mut self) -> Fault {
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        self.fault.clone()
    }
}

/// An event as far as faults look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventPlace<'a> {
    pub(crate) replay_id: u64,
    pub(crate) channels: &'a [&'a str],
    pub(crate) committed: Timestamp,
}

#[derive(Default)]
struct Book {
    last_id: u64,
    active: Vec<Active>,
    /// When events that were found to be late are due: decided once an event, whoever reads it.
    due: HashMap<u64, Timestamp>,
    on_time: HashSet<u64>,
}

/// The faults that are on.
pub(crate) struct Faults {
    book: Mutex<Book>,
    changed: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { book: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Faults {
    /// Turns a fault on.
    pub(crate) fn inject(&self, fault: Fault, now: Timestamp, after_event: u64) -> FaultId {
        let mut book = self.book();
        book.last_id += 1;
        let id = FaultId(book.last_id);
        let left = if let FaultSpan::Count(times) = fault.span { Some(times) } else { None };
        let until = match fault.span {
            FaultSpan::For(lasting) => Some(later(now, lasting)),
            _ => None,
        };
        book.active.push(Active { id, fault, after_event, left, until });
        drop(book);
        self.changed.send_modify(|version| *version += 1);
        id
    }

    /// Turns a fault off; tells whether there was one.
    pub(crate) fn clear(&self, id: FaultId) -> bool {
        let mut book = self.book();
        let before = book.active.len();
        book.active.retain(|active| active.id != id);
        let found = book.active.len() < before;
        drop(book);
        self.changed.send_modify(|version| *version += 1);
        found
    }

    /// Turns all faults off; events that were late are due now.
    pub(crate) fn clear_all(&self) {
        let mut book = self.book();
        book.active.clear();
        book.due.clear();
        drop(book);
        self.changed.send_modify(|version| *version += 1);
    }

    /// Told whenever a fault is turned on or off.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The fault of this kind that befalls a request, used up by being asked for.
    pub(crate) fn take_for_path(&self, kind: FaultKind, path: &str, now: Timestamp) -> Option<Fault> {
        let matches =
            |fault: &Fault| fault.channel.is_none() && fault.path.as_deref().is_none_or(|pattern| holds(path, pattern));
        self.take(kind, now, matches)
    }

    /// The fault of this kind that befalls a channel in a request to a path, used up by being asked for.
    pub(crate) fn take_for_channel(&self, kind: FaultKind, path: &str, channel: &str, now: Timestamp) -> Option<Fault> {
        let matches = |fault: &Fault| {
            fault.path.as_deref().is_none_or(|pattern| holds(path, pattern))
                && fault.channel.as_deref().is_none_or(|wanted| wanted == channel)
        };
        self.take(kind, now, matches)
    }

    fn take(&self, kind: FaultKind, now: Timestamp, matches: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut book = self.book();
        let found = book
            .active
            .iter_mut()
            .find(|active| active.fault.kind == kind && active.covers(now) && matches(&active.fault))?;
        Some(found.taken())
    }

    /// The fault of this kind that befalls an event, used up by being asked for.
    pub(crate) fn take_for_event(&self, kind: FaultKind, event: EventPlace<'_>) -> Option<Fault> {
        event_fault(&mut self.book(), kind, event)
    }

    /// When a late event may be delivered; none when at once.
    pub(crate) fn due(&self, event: EventPlace<'_>) -> Option<Timestamp> {
        let mut book = self.book();
        if let Some(due) = book.due.get(&event.replay_id) {
            return Some(*due);
        }
        if book.on_time.contains(&event.replay_id) {
            return None;
        }
        let Some(late) = event_fault(&mut book, FaultKind::DelayEvents, event) else {
            // Worth remembering only while a fault may still change its mind about the next one.
            if book.active.iter().any(|active| active.fault.kind == FaultKind::DelayEvents) {
                book.on_time.insert(event.replay_id);
            }
            return None;
        };
        let due = later(event.committed, late.delay);
        book.due.insert(event.replay_id, due);
        Some(due)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event_fault(book: &mut Book, kind: FaultKind, event: EventPlace<'_>) -> Option<Fault> {
    let found = book.active.iter_mut().find(|active| {
        active.fault.kind == kind
            && active.after_event < event.replay_id
            && active.covers(event.committed)
            && active.fault.channel.as_deref().is_none_or(|wanted| event.channels.contains(&wanted))
    });
    found.map(Active::taken)
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether a text holds the parts of a pattern in their order; `*` stands for anything.
fn holds(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("/services/data/v66.0/query", "/query", true),
            ("/services/data/v66.0/query", "/services/*/query", true),
            ("/services/data/v66.0/sobjects", "/query", false),
            ("/cometd/66.0", "/cometd", true),
            ("/a", "", true),
        ] {
            assert_eq!(holds(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn a_fault_ends_by_count_by_time_or_by_being_cleared() {
        let faults = Faults::default();
        faults.inject(Fault::new(FaultKind::Status503).count(2).path("/query"), at(0), 0);
        let take = |path, moment| faults.take_for_path(FaultKind::Status503, path, at(moment)).is_some();
        assert!(!take("/limits", 1), "another path");
        assert!(take("/query", 1) && take("/query", 2));
        assert!(!take("/query", 3), "used up");
        faults.inject(Fault::new(FaultKind::Status503).lasting(Duration::from_secs(30)), at(0), 0);
        assert!(take("/limits", 29) && !take("/limits", 30));
        let id = faults.inject(Fault::new(FaultKind::Status503), at(0), 0);
        assert!(take("/limits", 100_000));
        assert!(faults.clear(id) && !faults.clear(id));
        assert!(!take("/limits", 100_000));
    }

    #[test]
    fn lateness_is_decided_once_an_event() {
        let faults = Faults::default();
        let account = ["/data/AccountChangeEvent", "/data/ChangeEvents"];
        let contact = ["/data/ContactChangeEvent", "/data/ChangeEvents"];
        let due = |replay_id, channels: &[&str], seconds| {
            faults.due(EventPlace { replay_id, channels, committed: at(seconds) })
        };
        let delay = Fault::new(FaultKind::DelayEvents).count(1).delay(Duration::from_secs(5));
        faults.inject(delay.channel("/data/AccountChangeEvent"), at(0), 10);
        assert_eq!(due(10, &account, 1), None, "it was there before");
        assert_eq!(due(11, &contact, 1), None, "another channel");
        assert_eq!(due(12, &account, 2), Some(at(7)));
        assert_eq!(due(12, &account, 2), Some(at(7)), "asked again");
        assert_eq!(due(13, &account, 3), None, "used up");
        faults.clear_all();
        assert_eq!(due(12, &account, 2), None, "cleared");
    }

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), FaultKind::ALL.len());
    }
}

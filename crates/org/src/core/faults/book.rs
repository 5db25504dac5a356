//! The faults that are on: whose turn it is, and what is used up.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{Fault, FaultKind, FaultSpan};

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
    /// Sessions up to this number were open before.
    after_session: u64,
    /// How often it was asked for.
    asked: u64,
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

    /// The fault, used up by once; none when it is not its turn.
    fn taken(&mut self) -> Option<Fault> {
        self.asked += 1;
        if !self.asked.is_multiple_of(self.fault.every) {
            return None;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Some(self.fault.clone())
    }

    fn is_of(&self, kind: FaultKind, object: &str) -> bool {
        self.fault.kind == kind && self.fault.object.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(object))
    }
}

/// An event as far as faults look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventPlace<'a> {
    pub(crate) replay_id: u64,
    pub(crate) channels: &'a [&'a str],
    /// `Account`
    pub(crate) entity: &'a str,
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
    /// The kinds of which there may be one, for those who ask often.
    kinds: AtomicU64,
    changed: watch::Sender<u64>,
}

/// What was there before a fault.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    /// The replay id of the last event.
    pub(crate) event: u64,
    /// The number of the last session.
    pub(crate) session: u64,
}

fn bit(kind: FaultKind) -> u64 {
    1 << (kind as u32)
}

impl Default for Faults {
    fn default() -> Self {
        Self { book: Mutex::default(), kinds: AtomicU64::new(0), changed: watch::channel(0).0 }
    }
}

impl Faults {
    /// Turns a fault on.
    pub(crate) fn inject(&self, fault: Fault, now: Timestamp, after: Before) -> FaultId {
        let mut book = self.book();
        self.kinds.fetch_or(bit(fault.kind), Ordering::Relaxed);
        book.last_id += 1;
        let id = FaultId(book.last_id);
        let left = if let FaultSpan::Count(times) = fault.span { Some(times) } else { None };
        let until = match fault.span {
            FaultSpan::For(lasting) => Some(later(now, lasting)),
            _ => None,
        };
        let (after_event, after_session) = (after.event, after.session);
        book.active.push(Active { id, after_session, asked: 0, fault, after_event, left, until });
        drop(book);
        self.changed.send_modify(|version| *version += 1);
        id
    }

    /// Turns a fault off; tells whether there was one.
    pub(crate) fn clear(&self, id: FaultId) -> bool {
        let mut book = self.book();
        let before = book.active.len();
        book.active.retain(|active| active.id != id);
        self.note_kinds(&book);
        let found = book.active.len() < before;
        drop(book);
        self.changed.send_modify(|version| *version += 1);
        found
    }

    /// Turns all faults off; events that were late are due now.
    pub(crate) fn clear_all(&self) {
        let mut book = self.book();
        book.active.clear();
        self.note_kinds(&book);
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
        found.taken()
    }

    /// The fault of this kind that befalls a record of an object, used up by being asked for.
    pub(crate) fn take_for_record(&self, kind: FaultKind, object: &str, now: Timestamp) -> Option<Fault> {
        if !self.may_be(kind) {
            return None;
        }
        let mut book = self.book();
        let found = book.active.iter_mut().find(|active| active.is_of(kind, object) && active.covers(now))?;
        found.taken()
    }

    /// The faults of this kind that befall the records of an object, each used up by being asked for.
    pub(crate) fn take_all_for_record(&self, kind: FaultKind, object: &str, now: Timestamp) -> Vec<Fault> {
        if !self.may_be(kind) {
            return Vec::new();
        }
        let mut book = self.book();
        let found = book.active.iter_mut().filter(|active| active.is_of(kind, object) && active.covers(now));
        found.filter_map(Active::taken).collect()
    }

    /// The fault of this kind that befalls an entity's event as it is committed.
    pub(crate) fn take_at_commit(
        &self,
        kind: FaultKind,
        entity: &str,
        channels: &[&str],
        now: Timestamp,
    ) -> Option<Fault> {
        if !self.may_be(kind) {
            return None;
        }
        let mut book = self.book();
        let found = book.active.iter_mut().find(|active| {
            active.is_of(kind, entity)
                && active.covers(now)
                && active.fault.channel.as_deref().is_none_or(|wanted| channels.contains(&wanted))
        })?;
        found.taken()
    }

    /// Whether a session that was opened as the nth is to be taken for expired in a request to a path.
    pub(crate) fn expires_session(&self, nth: u64, path: &str, now: Timestamp) -> bool {
        if !self.may_be(FaultKind::ExpiredSession) {
            return false;
        }
        let mut book = self.book();
        let found = book.active.iter_mut().find(|active| {
            active.fault.kind == FaultKind::ExpiredSession
                && nth <= active.after_session
                && active.covers(now)
                && active.fault.path.as_deref().is_none_or(|pattern| holds(path, pattern))
        });
        found.and_then(Active::taken).is_some()
    }

    /// The fields that are hidden now: object and field, as they were written.
    pub(crate) fn hidden_fields(&self, now: Timestamp) -> Vec<(String, String)> {
        if !self.may_be(FaultKind::HideField) {
            return Vec::new();
        }
        let book = self.book();
        let hidden =
            book.active.iter().filter(|active| active.fault.kind == FaultKind::HideField && active.covers(now));
        hidden.filter_map(|active| Some((active.fault.object.clone()?, active.fault.field.clone()?))).collect()
    }

    /// Whether a fault of this kind was turned on and not taken back.
    pub(crate) fn may_be(&self, kind: FaultKind) -> bool {
        self.kinds.load(Ordering::Relaxed) & bit(kind) != 0
    }

    fn note_kinds(&self, book: &Book) {
        let kinds = book.active.iter().fold(0, |kinds, active| kinds | bit(active.fault.kind));
        self.kinds.store(kinds, Ordering::Relaxed);
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
            && active.is_of(kind, event.entity)
    });
    found.and_then(Active::taken)
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
        faults.inject(Fault::new(FaultKind::Status503).count(2).path("/query"), at(0), Before::default());
        let take = |path, moment| faults.take_for_path(FaultKind::Status503, path, at(moment)).is_some();
        assert!(!take("/limits", 1), "another path");
        assert!(take("/query", 1) && take("/query", 2));
        assert!(!take("/query", 3), "used up");
        faults.inject(Fault::new(FaultKind::Status503).lasting(Duration::from_secs(30)), at(0), Before::default());
        assert!(take("/limits", 29) && !take("/limits", 30));
        let id = faults.inject(Fault::new(FaultKind::Status503), at(0), Before::default());
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
            faults.due(EventPlace { replay_id, channels, entity: "Account", committed: at(seconds) })
        };
        let delay = Fault::new(FaultKind::DelayEvents).count(1).delay(Duration::from_secs(5));
        faults.inject(delay.channel("/data/AccountChangeEvent"), at(0), Before { event: 10, session: 0 });
        assert_eq!(due(10, &account, 1), None, "it was there before");
        assert_eq!(due(11, &contact, 1), None, "another channel");
        assert_eq!(due(12, &account, 2), Some(at(7)));
        assert_eq!(due(12, &account, 2), Some(at(7)), "asked again");
        assert_eq!(due(13, &account, 3), None, "used up");
        faults.clear_all();
        assert_eq!(due(12, &account, 2), None, "cleared");
    }

    #[test]
    fn each_nth_record_of_an_object() {
        let faults = Faults::default();
        let take = |object| faults.take_for_record(FaultKind::RowLock, object, at(0)).is_some();
        assert!(!take("Contact"));
        faults.inject(Fault::new(FaultKind::RowLock).object("contact").every(3).count(2), at(0), Before::default());
        let taken: Vec<_> = (0..12).map(|_| take("Contact")).collect();
        assert_eq!(taken.iter().enumerate().filter(|(_, taken)| **taken).map(|(at, _)| at).collect::<Vec<_>>(), [2, 5]);
        assert!(!take("Account"));
    }

    #[test]
    fn sessions_opened_before_are_expired() {
        let faults = Faults::default();
        faults.inject(Fault::new(FaultKind::ExpiredSession).count(2), at(0), Before { event: 0, session: 3 });
        assert!(!faults.expires_session(4, "/x", at(1)), "it was opened since");
        assert!(faults.expires_session(3, "/x", at(1)) && faults.expires_session(1, "/x", at(1)));
        assert!(!faults.expires_session(1, "/x", at(1)), "used up");
    }
}

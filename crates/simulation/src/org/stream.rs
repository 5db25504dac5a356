//! The change streams: events in the order of commits, with places that mean nothing to anybody else.

use jiff::Timestamp;
use tombolo_engine::sync::{Key, News, NewsKind, Tag, Values};

use crate::{ledger::CommitId, moment::Micros, plan::CRM};

/// What was told on the channel of one object.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    /// The events, in the order of their commits; late duplicates where they were told again.
    pub log: Vec<Event>,
    /// Events before this one are not retained.
    pub retained: usize,
    /// When the last one is delivered.
    pub last_due: Micros,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// What tells it from any other: transaction and sequence.
    pub identity: String,
    /// What happened.
    pub kind: NewsKind,
    /// To which records; to the whole object without.
    pub keys: Vec<Key>,
    /// The values of changed fields.
    pub values: Values,
    /// The tag of the request that made it.
    pub origin: Option<Tag>,
    /// commitTimestamp, in whole seconds of the org's clock.
    pub at: Timestamp,
    /// When it is delivered at the earliest.
    pub due: Micros,
    /// The commits it tells.
    pub commits: Vec<CommitId>,
}

impl Channel {
    /// Adds an event; it is never delivered before those before it.
    pub fn push(&mut self, mut event: Event) {
        self.last_due = self.last_due.max(event.due);
        event.due = self.last_due;
        self.log.push(event);
    }

    /// The position behind so many events.
    pub fn position(index: usize) -> Vec<u8> {
        format!("p{index}").into_bytes()
    }

    /// How many events lie before a position.
    pub fn index(position: &[u8]) -> usize {
        std::str::from_utf8(position).ok().and_then(|text| text.strip_prefix('p')?.parse().ok()).unwrap_or(0)
    }
}

impl Event {
    /// The changes that it tells, one for each record.
    pub fn news(&self, object: &'static str) -> Vec<News> {
        let one = |key: Option<Key>| News {
            connection: CRM.to_owned(),
            entity: object.to_owned(),
            identity: format!("{object}/{}/{}", self.identity, key.as_deref().unwrap_or("*")),
            key,
            kind: self.kind.clone(),
            values: self.values.clone(),
            origin: self.origin,
            at: Some(self.at),
            order: None,
        };
        if self.keys.is_empty() {
            vec![one(None)]
        } else {
            self.keys.iter().cloned().map(|key| one(Some(key))).collect()
        }
    }
}

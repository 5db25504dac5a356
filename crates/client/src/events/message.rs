//! What a subscriber asks for and what it gets.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A position in a channel. Opaque: it is not a number to compute with or to compare, only to give back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayId(String);

impl ReplayId {
    /// The position with this text, as [`as_str`](Self::as_str) once gave it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to keep.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Replay {
    /// With what happens from now on.
    #[default]
    New,
    /// With everything that is retained: up to three days, and each event counts.
    All,
    /// After this position.
    After(ReplayId),
}

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The channel, such as `/data/AccountChangeEvent`. The case matters.
    pub channel: String,
    /// Where to begin.
    pub replay: Replay,
}

impl Subscribe {
    /// The channel, from now on.
    pub fn new(channel: impl Into<String>) -> Self {
        Self { channel: channel.into(), replay: Replay::New }
    }

    /// Begins elsewhere.
    pub fn from(mut self, replay: Replay) -> Self {
        self.replay = replay;
        self
    }
}

/// What a [`Subscription`](crate::Subscription) gives.
///
/// It begins with `Opened`. After trouble on the way comes an error that
/// [`is_retryable`](crate::Error::is_retryable), and then, in the same stream, either `Reconnected` (nothing was
/// missed) or `PositionLost` followed by `Opened` (something may have been).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "nearly every item is an event")]
pub enum StreamItem {
    /// The server accepted the subscription: every event after this moment will come.
    Opened {
        /// The server's clock (the answer's `Date`), whole seconds.
        server_time: Timestamp,
    },
    /// An event.
    Event(ChangeMessage),
    /// The position is gone: it has expired, or the stream was lost before its first event. What happened in
    /// between has to be found by reading. The stream goes on with new events, after another `Opened`.
    PositionLost {
        /// What the server said, or what happened.
        reason: String,
    },
    /// The stream was interrupted and goes on where it stopped.
    Reconnected,
}

/// An event as it was delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeMessage {
    /// The channel it came through.
    pub channel: String,
    /// Its position.
    pub replay: ReplayId,
    /// What is known about the change. All empty for an event that is not a change event.
    pub header: ChangeEventHeader,
    /// The fields, without the header.
    pub payload: Map<String, Value>,
}

/// What is known about a change (streaming.md 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ChangeEventHeader {
    /// The object.
    pub entity_name: String,
    /// The records: often one; several when changes were merged; `001*` or `000000000000000AAA` for a whole object.
    pub record_ids: Vec<String>,
    /// `CREATE`, `UPDATE`, `DELETE`, `UNDELETE`, `GAP_CREATE`…, `GAP_OVERFLOW`.
    pub change_type: String,
    /// For an update: the fields, parts of compound ones as `BillingAddress.City`.
    pub changed_fields: Vec<String>,
    /// The API and client that made the change: `com/salesforce/api/rest/66.0;client=payroll`.
    pub change_origin: String,
    /// The same for all changes of a transaction.
    pub transaction_key: String,
    /// The place in the transaction, from 1.
    pub sequence_number: u32,
    /// When it was committed, in milliseconds.
    pub commit_timestamp: i64,
    /// The number of the commit; exceeds 2^53.
    pub commit_number: u64,
    /// The user's Id.
    pub commit_user: String,
}

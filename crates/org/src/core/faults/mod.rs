//! Misbehaviour on demand: what an org does wrong because a test asked it to.
//!
//! A fault says what goes wrong, for how long or how often, and where. `book` keeps those that are on; the places that
//! misbehave ask it.

mod book;
mod rewrite;

use std::time::Duration;

pub use book::FaultId;
pub(crate) use book::{Before, EventPlace, Faults};
pub use rewrite::Rewrite;

/// What a fault befalls, and so which matches make sense for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Requests: `path`.
    Request,
    /// Change events: `channel`, `object`.
    Event,
    /// CometD clients: `path`, `channel`.
    Client,
    /// Records that are written: `object`.
    Record,
}

macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $place:ident, $once:literal;)*) => {
        /// What goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultKind { $($(#[doc = $doc])* $variant,)* }

        impl FaultKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in `POST /_tombolo/faults`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does, in a sentence.
            pub const fn note(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii(),)* }
            }

            /// What it befalls.
            pub(crate) const fn place(self) -> Place {
                match self { $(Self::$variant => Place::$place,)* }
            }

            /// Whether it happens once unless told otherwise.
            const fn is_once(self) -> bool {
                match self { $(Self::$variant => $once,)* }
            }
        }
    };
}

fault_kinds! {
    /// Events are delivered [`Fault::delay`] after their commit, in order.
    DelayEvents = "delay_events", Event, false;
    /// Events come a second time [`Fault::delay`] later: same transaction, new replay id.
    DuplicateEvents = "duplicate_events", Event, false;
    /// Instead of an event comes a gap event, which says that something changed and not what.
    GapEvents = "gap_events", Event, false;
    /// Instead of the events that a transaction has for an entity comes one that says there were too many.
    OverflowEvents = "overflow_events", Event, false;
    /// Events of different channels are delivered in another order than that of their commits; within a channel the
    /// order is kept.
    MixChannels = "mix_channels", Client, false;
    /// Answers break off in the middle; polls that are held are cut.
    DropConnections = "drop_connections", Client, false;
    /// A subscription that names a replay id is refused as if it had expired, and the streams that are open
    /// have to begin again.
    ExpireReplay = "expire_replay", Client, true;
    /// A write is done, and its answer never arrives.
    LostAnswer = "lost_answer", Request, true;
    /// 503 instead of an answer; nothing is done.
    Status503 = "status_503", Request, false;
    /// A request is done at once and answered [`Fault::delay`] later.
    SlowAnswers = "slow_answers", Request, false;
    /// 403 `REQUEST_LIMIT_EXCEEDED` instead of an answer; nothing is done.
    LimitExceeded = "limit_exceeded", Request, false;
    /// Sessions that were opened before are not valid any more: 401 `INVALID_SESSION_ID`.
    ExpiredSession = "expired_session", Request, true;
    /// A CometD client is forgotten, and told so with the advice not to come back (streaming.md 1.5).
    UnknownClient = "unknown_client", Client, true;
    /// A record is not written, and its error has [`Fault::code`] and [`Fault::message`].
    PartialFailure = "partial_failure", Record, false;
    /// A record is not written: `UNABLE_TO_LOCK_ROW`.
    RowLock = "row_lock", Record, false;
    /// A duplicate rule takes a record that is made or changed for another one: `DUPLICATES_DETECTED`, unless the request
    /// carries `Sforce-Duplicate-Rule-Header: allowSave=true`.
    DuplicatesDetected = "duplicates_detected", Record, false;
    /// Queries and getUpdated show a record as it was before a write for [`Fault::delay`]; reading it by its Id, and
    /// its events, show what it is.
    LateRows = "late_rows", Record, false;
    /// A record is stamped as if its transaction had begun [`Fault::delay`] before it was committed.
    LateCommit = "late_commit", Record, false;
    /// An automation changes what is written into a field, before it is saved: [`Fault::field`], [`Fault::rewrite`].
    RewriteField = "rewrite_field", Record, false;
    /// A field is gone: [`Fault::field`]. It comes back, with its values, when the fault ends.
    HideField = "hide_field", Record, false;
}

/// The kinds of faults: name, what can be told apart by `match`, what happens. What `docs/org.md` lists.
pub fn fault_kinds() -> Vec<(&'static str, &'static str, String)> {
    let line = |kind: &FaultKind| {
        let matches = match kind.place() {
            Place::Request => "path",
            Place::Event => "channel, object",
            Place::Client => "path, channel",
            Place::Record => "object",
        };
        let note = kind.note().replace("[`Fault::", "`").replace("`]", "`");
        (kind.name(), matches, note)
    };
    FaultKind::ALL.iter().map(line).collect()
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
/// use tombolo_org::{Fault, FaultKind, Rewrite};
///
/// let busy = Fault::new(FaultKind::Status503).count(2).path("/query");
/// let late = Fault::new(FaultKind::DelayEvents).lasting(Duration::from_secs(30)).delay(Duration::from_secs(5));
/// let loud = Fault::new(FaultKind::RewriteField).object("Contact").field("LastName").rewrite(Rewrite::Upper);
/// # let _ = (busy, late, loud);
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) span: FaultSpan,
    pub(crate) every: u64,
    pub(crate) path: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) delay: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

impl Fault {
    /// A fault that lasts until it is taken back; `expire_replay`, `lost_answer`, `expired_session` and
    /// `unknown_client` happen once.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            span: if kind.is_once() { FaultSpan::Count(1) } else { FaultSpan::UntilCleared },
            every: 1,
            path: None,
            channel: None,
            object: None,
            field: None,
            rewrite: None,
            delay: Duration::from_secs(5),
            status: None,
            code: None,
            message: None,
        }
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

    /// Happens each nth time only.
    pub fn every(mut self, nth: u64) -> Self {
        self.every = nth.max(1);
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

    /// Only for records, or for events, of this object.
    pub fn object(mut self, object: &str) -> Self {
        self.object = Some(object.to_owned());
        self
    }

    /// The field that is rewritten or hidden.
    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// What becomes of the field's value.
    pub fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// How late events, duplicates, rows and answers are: 5 s unless told.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The status a lost answer has; without one the connection is dropped.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The error code of a record that fails; `FIELD_CUSTOM_VALIDATION_EXCEPTION` unless told.
    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }

    /// The error text of a record that fails.
    pub fn message(mut self, message: &str) -> Self {
        self.message = Some(message.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), FaultKind::ALL.len());
        assert!(FaultKind::ALL.iter().all(|kind| kind.note().ends_with('.') || kind.note().ends_with("].")));
    }
}

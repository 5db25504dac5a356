//! What goes into a shard and what comes out of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Batch, Choice, Class, Delivery, Key, LinkId, Load, Loaded, MappingIndex, Outcome, Read, Reservation,
    Reserved, Side, SourceId, Tag, Transaction,
};

/// What a shard is told. Whoever drives it tells it what became of every [`Effect`], once.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A source is heard from this moment of its clock on.
    Opened {
        /// Which.
        source: SourceId,
        /// Since when.
        at: Timestamp,
    },
    /// Changes were heard. They are acknowledged when the journal has them.
    Heard(Delivery),
    /// A source cannot go on from where it stood: changes were missed.
    Lost {
        /// Which.
        source: SourceId,
        /// Why.
        reason: String,
    },
    /// A transaction is durable; these places of its journal entries were known already and are left out.
    Committed {
        /// Which.
        ticket: u64,
        /// The entries that were known.
        known: Vec<u64>,
    },
    /// The state store answered.
    Loaded {
        /// Which question.
        ticket: u64,
        /// The answer.
        loaded: Box<Loaded>,
    },
    /// A batch was answered: an outcome for each write, in order.
    Written {
        /// The batch.
        tag: Tag,
        /// What became of each write.
        outcomes: Vec<Outcome>,
    },
    /// A system answered.
    Answered {
        /// Which question.
        ticket: u64,
        /// The answer.
        answer: Answer,
    },
    /// How many API calls a connection has used today, and how many it may.
    Usage {
        /// Which.
        connection: String,
        /// Used in the last 24 hours.
        used: u64,
        /// Allowed.
        limit: u64,
    },
    /// The ledger of a connection's org gave calls.
    Reserved {
        /// Which.
        connection: String,
        /// What it gave.
        reserved: Reserved,
    },
    /// More calls were made than one for each question and batch.
    Spent {
        /// Over which connection.
        connection: String,
        /// How many more.
        calls: u64,
    },
    /// How many events an org has delivered in the last 24 hours, and how many it may.
    Delivered {
        /// Which.
        connection: String,
        /// Delivered.
        used: u64,
        /// Allowed.
        limit: u64,
    },
    /// A system's clock runs ahead of ours by so many milliseconds, give or take.
    Clock {
        /// Which.
        connection: String,
        /// By how much.
        ahead_ms: i64,
        /// Give or take.
        uncertain_ms: u64,
    },
    /// The moment came at which a mapping is written to.
    Beat(MappingIndex),
    /// Somebody asks for something.
    Command {
        /// Its number in the state store.
        id: u64,
        /// What.
        command: Command,
    },
    /// Time passed: the moment of [`super::Shard::wake`] came.
    Tick,
}

/// What whoever drives a shard does for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Put this away. Commits and loads are performed in the order in which they were asked for.
    Commit {
        /// Which.
        ticket: u64,
        /// What.
        transaction: Box<Transaction>,
    },
    /// Ask the state store.
    Load {
        /// Which.
        ticket: u64,
        /// What.
        load: Load,
    },
    /// Write. Its open writes are durable.
    Write(Batch),
    /// Ask a system.
    Read {
        /// Which.
        ticket: u64,
        /// How urgent.
        class: Class,
        /// The connection.
        connection: String,
        /// What.
        read: Read,
    },
    /// Take calls from the ledger that all shards of an org share.
    Reserve(Reservation),
    /// The journal has what was heard up to this position: the source may forget it.
    Acknowledge {
        /// Which.
        source: SourceId,
        /// Identities of the changes (an outbox deletes exactly those).
        identities: Vec<String>,
    },
}

/// What somebody asks of a shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take over a changed file: whoever drives the shard ends it and starts anew.
    Reload,
    /// Write nothing for this mapping, or for all; go on listening.
    Pause(Option<MappingIndex>),
    /// Go on; a brake is released, too.
    Resume(Option<MappingIndex>),
    /// Merge dead letters anew: of a record, or all of them with this cause, or all.
    Retry {
        /// Of this record.
        link: Option<LinkId>,
        /// With this code.
        code: Option<String>,
    },
    /// Compare everything that changed in the last days on both sides.
    Reconcile {
        /// Of this mapping; of all without.
        mapping: Option<MappingIndex>,
        /// From when on.
        since: Option<Timestamp>,
    },
    /// Compare keys and values of everything on both sides.
    Scrub(Option<MappingIndex>),
    /// Decide a conflict: take this side's, or these values.
    Decide {
        /// The conflict.
        conflict: String,
        /// The record.
        link: LinkId,
        /// Whose value.
        side: Side,
    },
    /// Decide fields of a record by giving values.
    Choose {
        /// The record.
        link: LinkId,
        /// Whose names and values.
        side: Side,
        /// The values.
        values: Vec<Choice>,
    },
    /// Erase what is known of a record.
    Forget {
        /// The mapping.
        mapping: MappingIndex,
        /// A side.
        side: Side,
        /// The key there.
        key: Key,
    },
}

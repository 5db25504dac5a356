//! A system of record that is kept in step: the trait that Salesforce and databases fulfil, each with its twin.

use std::sync::Arc;

use futures_util::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use tokio::time::Instant;
use tombolo_engine::sync::{Answer, Batch, Delivery, Outcome, Plan, Read, SourceId, SourceState};

use crate::Result;

/// A system with records, changes and writes.
///
/// - Every call may be made from several tasks at once. None holds state that a restart would miss, except what
///   [`System::prepare`] learned.
/// - Calls repeat by themselves what certainly did not happen and may pass soon; nothing that may have happened.
/// - Values are given in the words of the system's own fields; what a field's type is the system knows by itself.
pub(crate) trait System: Send + Sync {
    /// What makes it the same system after a restart: the org's Id, the database's own mark. A position of another
    /// identity is lost.
    fn identity(&self) -> BoxFuture<'_, Result<String>>;

    /// What an object or table looks like; none if there is no such.
    fn describe<'a>(&'a self, entity: &'a str) -> BoxFuture<'a, Result<Option<Entity>>>;

    /// The objects or tables that there are, by name: for "did you mean".
    fn entities(&self) -> BoxFuture<'_, Result<Vec<String>>>;

    /// Learns the plan and makes ready for its own entities of it: a database gets outbox and triggers, Salesforce
    /// is asked which entities have change events. Repeated when the plan changes; what is there already is left or
    /// adapted.
    fn prepare(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>>;

    /// Learns the plan and makes nothing: what is asked after it is [`System::read`] alone, for `tombolo plan`.
    fn learn(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        drop(plan);
        let text = "this system cannot be looked at before `tombolo up` has made it ready";
        Box::pin(std::future::ready(Err(crate::Error::failed(text))))
    }

    /// The sources to listen to under the plan.
    fn sources(&self) -> Vec<SourceId>;

    /// Listens from where the source stood, or from now on. Repairs itself; what cannot be repaired is told as
    /// [`Told::Lost`], and it goes on with what happens from the next [`Told::Opened`] on. The next delivery is only
    /// asked for when the last one was taken.
    fn listen(&self, source: &SourceId, from: SourceState) -> BoxStream<'static, Result<Told>>;

    /// The journal has these changes: a database deletes exactly their outbox rows, in a transaction that checks the
    /// epoch.
    fn acknowledge<'a>(
        &'a self,
        source: &'a SourceId,
        identities: &'a [String],
        fence: Fence,
    ) -> BoxFuture<'a, Result<()>>;

    /// Keeps every older holder of the shard from writing, where the system can: before the first write of an epoch.
    fn fence(&self, fence: Fence) -> BoxFuture<'_, Result<()>>;

    /// Writes. One outcome for each write, in order; an error of the whole request is an outcome of each.
    fn write<'a>(&'a self, batch: &'a Batch, fence: Fence) -> BoxFuture<'a, Vec<Outcome>>;

    /// Reads.
    fn read<'a>(&'a self, read: &'a Read) -> BoxFuture<'a, Answer>;

    /// The outcome of these operations is known: what was kept to recognise them may go.
    fn settle<'a>(&'a self, operations: &'a [String], fence: Fence) -> BoxFuture<'a, Result<()>>;

    /// How far its clock is ahead of ours: measured, with half the round trip as uncertainty.
    fn clock(&self) -> BoxFuture<'_, Result<ClockReading>>;

    /// API calls used in 24 hours and allowed, if it counts them.
    fn usage(&self) -> Option<(u64, u64)>;

    /// What it was asked and what it delivered since this was looked at last, if that is counted.
    fn metered(&self) -> Metered {
        Metered::default()
    }

    /// What it allows in a day, and how much of that is used: asked.
    fn allocations(&self) -> BoxFuture<'_, Result<Allocations>> {
        Box::pin(std::future::ready(Ok(Allocations::default())))
    }

    /// Removes everything that [`System::prepare`] made. Refused while changes wait, unless forced.
    fn uninstall(&self, force: bool) -> BoxFuture<'_, Result<()>>;
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Metered {
    /// API calls made.
    pub(crate) calls: u64,
    /// Events delivered to us.
    pub(crate) events: u64,
}

/// What an org allows in a day: used, and how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Allocations {
    /// API calls.
    pub(crate) calls: Option<(u64, u64)>,
    /// Events delivered.
    pub(crate) events: Option<(u64, u64)>,
}

/// The right to write for a shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fence {
    /// The shard.
    pub(crate) shard: u64,
    /// The epoch of its holder.
    pub(crate) epoch: u64,
    /// The lease ends then: no remote call may outlast it.
    pub(crate) until: Instant,
}

/// What a source tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// What is committed after this moment of the system's clock will be told.
    Opened(Timestamp),
    /// Changes.
    Heard(Delivery),
    /// Changes were missed.
    Lost(String),
}

/// How far a clock is ahead of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// In milliseconds; behind is negative.
    pub(crate) ahead_ms: i64,
    /// Give or take.
    pub(crate) uncertain_ms: u64,
}

/// An object or table, as far as mappings have to know it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entity {
    /// Its name, as the system writes it.
    pub(crate) name: String,
    /// The fields that make its primary key. Salesforce: `Id`.
    pub(crate) key: Vec<String>,
    /// Its fields.
    pub(crate) fields: Vec<Field>,
    /// Whether it has a stream whose events carry the tags of writes (change events, selected).
    pub(crate) change_events: ChangeEvents,
    /// What speaks against mapping it: cascaded foreign keys, no permission, a table of another schema.
    pub(crate) objections: Vec<String>,
    /// Whether records may be made, set and deleted by us.
    pub(crate) may: Permissions,
}

/// Whether change events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeEvents {
    /// They do.
    Selected,
    /// They could, if an administrator selected the entity.
    Available,
    /// There are none.
    None,
}

/// What we may do with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// Make.
    pub(crate) create: bool,
    /// Set fields.
    pub(crate) update: bool,
    /// Delete.
    pub(crate) delete: bool,
}

/// A field or column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its name, as the system writes it.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) kind: FieldKind,
    /// The system's own name of the type, for messages: `varchar(80)`, `currency`.
    pub(crate) type_name: String,
    /// Whether it may be null.
    pub(crate) nullable: bool,
    /// Whether it has a default, so that a create may leave it out.
    pub(crate) defaulted: bool,
    /// Whether it may be written on creates, and on updates.
    pub(crate) createable: bool,
    /// And on updates.
    pub(crate) updateable: bool,
    /// Whether no two records share a value.
    pub(crate) unique: bool,
    /// Whether it is an external id.
    pub(crate) external_id: bool,
    /// The entities whose keys it holds.
    pub(crate) references: Vec<String>,
    /// The name under which the parent's fields are reached: `Account` for `AccountId`.
    pub(crate) relationship: Option<String>,
    /// The values that it takes, if it takes only those.
    pub(crate) picklist: Option<Vec<String>>,
    /// Whether it is computed by the system (formula, generated column).
    pub(crate) calculated: bool,
}

/// What a field holds, with what limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Text, up to so many characters.
    Text(Option<u32>),
    /// Yes or no.
    Boolean,
    /// A whole number.
    Integer,
    /// A number with so many decimals; none: floating.
    Decimal(Option<u8>),
    /// A day.
    Date,
    /// A moment: digits of its second's fraction.
    DateTime(u8),
    /// A time of day.
    Time,
    /// Picklist values separated by `;`.
    MultiPicklist,
    /// An Id of the system's own, or a reference to one.
    Id,
    /// A UUID.
    Uuid,
    /// Something that cannot be mapped.
    Other,
}

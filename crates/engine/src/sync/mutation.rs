//! Faults that can be put into the engine on purpose, to prove that the simulation finds them.

/// A fault put into the engine on purpose.
#[cfg_attr(
    not(feature = "mutations"),
    expect(
        dead_code,
        unreachable_pub,
        reason = "some faults are put in by the simulation, where the engine has no say"
    )
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// Echoes are not recognised by their tag.
    NoTag,
    /// What was written counts as shown as soon as the write is acknowledged.
    ImageAtAcknowledgement,
    /// What is written counts as shown before the answer.
    BaseBeforeAnswer,
    /// A source is told that changes are kept before they are.
    AcknowledgeBeforeJournal,
    /// The outbox is read behind the greatest id seen.
    Watermark,
    /// An update of a record that is not there makes it.
    UpsertOnUpdate,
    /// The epoch is not checked.
    NoEpoch,
    /// A retry sends the body that was refused.
    ReplayBody,
    /// A row counts though a write left after it was asked for.
    StaleRead,
    /// A foreign change before the echo is forgotten.
    NoLateConflict,
    /// A write whose outcome is unknown is taken for done.
    UnknownIsDone,
    /// A write whose outcome is unknown is sent again as a create.
    BlindRetry,
    /// A lost position is followed by no reconcile.
    NoReconcile,
    /// The compared write does not compare.
    NoCompare,
    /// An echo is dropped though it shows other values.
    DropByTag,
    /// A change that is delivered again is applied again.
    NoDeduplication,
    /// A delete wins without looking for edits.
    BlindDelete,
    /// Nothing is read when an echo never comes.
    NoEchoWait,
    /// Calls are made without looking what all holders have made.
    NoLedger,
}

#[cfg(feature = "mutations")]
impl Mutation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::NoTag,
        Self::ImageAtAcknowledgement,
        Self::BaseBeforeAnswer,
        Self::AcknowledgeBeforeJournal,
        Self::Watermark,
        Self::UpsertOnUpdate,
        Self::NoEpoch,
        Self::ReplayBody,
        Self::StaleRead,
        Self::NoLateConflict,
        Self::UnknownIsDone,
        Self::BlindRetry,
        Self::NoReconcile,
        Self::NoCompare,
        Self::DropByTag,
        Self::NoDeduplication,
        Self::BlindDelete,
        Self::NoEchoWait,
        Self::NoLedger,
    ];
}

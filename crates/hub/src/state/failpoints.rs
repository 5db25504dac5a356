//! Named places in the state store where a test may stop the world.

/// The lease is checked and locked; nothing is written yet.
pub(crate) const LEASE_LOCKED: &str = "state.lease_locked";
/// The journal is written and the links are not.
pub(crate) const HALF_WRITTEN: &str = "state.half_written";
/// The transaction holds everything and is not committed.
pub(crate) const BEFORE_COMMIT: &str = "state.before_commit";
/// It is committed, and nobody was told.
pub(crate) const COMMITTED: &str = "state.committed";
/// A shard was taken, and nobody was told.
pub(crate) const ACQUIRED: &str = "state.acquired";
/// A step of the layout is made and not committed.
pub(crate) const MIGRATING: &str = "state.migrating";
/// All of them.
#[cfg_attr(not(test), expect(dead_code, reason = "the tests name every failpoint"))]
pub(crate) const ALL: [&str; 6] = [LEASE_LOCKED, HALF_WRITTEN, BEFORE_COMMIT, COMMITTED, ACQUIRED, MIGRATING];

//! Named places where a test may stop the world.

use std::{fmt, sync::Arc};

use crate::Result;

/// The names.
pub mod names {
    /// A request was answered, and nothing of the answer is used yet.
    pub const ANSWERED: &str = "mirror.answered";
    /// The transaction holds the rows and not yet the state.
    pub const ROWS_WRITTEN: &str = "store.rows_written";
    /// The transaction holds everything and is not committed.
    pub const BEFORE_COMMIT: &str = "store.before_commit";
    /// It is committed, and nobody was told.
    pub const COMMITTED: &str = "store.committed";
    /// All of them.
    pub const ALL: [&str; 4] = [ANSWERED, ROWS_WRITTEN, BEFORE_COMMIT, COMMITTED];
}

type Hook = dyn Fn(&'static str) -> Result<()> + Send + Sync;

/// What is asked at each named place; nothing unless a test says so. An error ends the mirror there and then.
#[derive(Clone, Default)]
pub(crate) struct Failpoints(Option<Arc<Hook>>);

impl Failpoints {
    /// Asks this at each place.
    pub(crate) fn new(hook: impl Fn(&'static str) -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn reach(&self, name: &'static str) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(name))
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failpoints")
    }
}

//! What a mirror is asked to do.

use tombolo_engine::mirror::Settings;

use super::Target;
use crate::{Result, store::Failpoints};

/// What a mirror is asked to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MirrorOptions {
    /// The objects, as a person writes them.
    pub objects: Vec<String>,
    /// Where to.
    pub to: Target,
    /// The schema, for PostgreSQL; `public` unless given.
    pub schema: Option<String>,
    /// Read everything once and stop.
    pub once: bool,
    /// Whose data it is: part of every key of the state.
    pub tenant: String,
    /// The numbers.
    pub settings: Settings,
    pub(crate) failpoints: Failpoints,
}

impl MirrorOptions {
    /// These objects into this database, and kept there.
    pub fn new<O: Into<String>>(objects: impl IntoIterator<Item = O>, to: Target) -> Self {
        Self {
            objects: objects.into_iter().map(Into::into).collect(),
            to,
            schema: None,
            once: false,
            tenant: "default".to_owned(),
            settings: Settings::default(),
            failpoints: Failpoints::default(),
        }
    }

    /// Asks at each of the named failpoints whether to go on. For tests: an error ends the mirror there and then.
    pub fn with_failpoints(mut self, hook: impl Fn(&'static str) -> Result<()> + Send + Sync + 'static) -> Self {
        self.failpoints = Failpoints::new(hook);
        self
    }
}

//! The times and bounds of a shard. Each is a setting.

use std::{collections::BTreeMap, time::Duration};

use super::MappingIndex;

/// When a mapping is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// At the full multiples of this since 1970.
    Every(Duration),
    /// Whenever it is told: see [`super::Input::Beat`].
    Told,
}

/// The times and bounds of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How long changes are collected before they are written to a system whose calls are counted. To others they are
    /// written after a quarter of that.
    pub window: Duration,
    /// Mappings that are written to on a rhythm.
    pub rhythms: BTreeMap<MappingIndex, Rhythm>,
    /// How long an echo is waited for before the row is read.
    pub echo_wait: Duration,
    /// How long a write may still land after nobody knows what became of it, where nothing would recognise it.
    pub landing: Duration,
    /// How long a child waits for its parent before it is a dead letter.
    pub parked: Duration,
    /// How far reconciling reaches back behind what is known.
    pub margin: Duration,
    /// How many writes of one record, in how much time, stop it.
    pub brake: (u32, Duration),
    /// A mapping is stopped when more than this share (in percent) and more than this many of its records are to be
    /// deleted, in how much time.
    pub mass_delete: (u32, u64, Duration),
    /// How many changes are decided in one step.
    pub step: usize,
    /// How many links are kept in memory while nothing is under way with them.
    pub cache: usize,
    /// How often everything is compared, unasked. Zero: never.
    pub scrub_every: Duration,
    /// How often a polled entity is read.
    pub poll_every: Duration,
    /// How long to wait before a write that may pass is sent again, at first; doubled each time up to a minute.
    pub retry: Duration,
    /// How much of the API calls of a day may be used, and how much of that is kept for live changes, in percent.
    pub budget: (u32, u32),
    /// The fault put into the engine on purpose.
    #[cfg(feature = "mutations")]
    pub mutation: Option<super::Mutation>,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            window: Duration::from_millis(200),
            rhythms: BTreeMap::new(),
            echo_wait: minutes(1),
            landing: minutes(10),
            parked: minutes(24 * 60),
            margin: Duration::from_secs(5),
            brake: (20, minutes(10)),
            mass_delete: (5, 100, minutes(10)),
            step: 500,
            cache: 20_000,
            scrub_every: minutes(24 * 60),
            poll_every: Duration::from_secs(60),
            retry: Duration::from_millis(500),
            budget: (50, 20),
            #[cfg(feature = "mutations")]
            mutation: None,
        }
    }
}

impl Settings {
    /// How long changes are collected for a connection.
    pub fn window_of(&self, connection: &super::Connection) -> Duration {
        if connection.budgeted { self.window } else { self.window / 4 }
    }

    /// Whether this fault was put in on purpose.
    #[cfg(feature = "mutations")]
    pub(crate) fn faulty(&self, mutation: super::Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// No fault is put in on purpose.
    #[cfg(not(feature = "mutations"))]
    #[expect(clippy::unused_self, reason = "the same call as where faults can be put in")]
    pub(crate) const fn faulty(&self, _: super::Mutation) -> bool {
        false
    }
}

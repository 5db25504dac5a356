//! The mirror's numbers.

use jiff::SignedDuration;

/// The mirror's numbers. The defaults suit a production org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Read everything once and stop, without listening.
    pub once: bool,
    /// How long a hint waits for others, to be read with them.
    pub window: SignedDuration,
    /// The most records read at once: what a retrieve takes (`rest.md 3.5`).
    pub batch: usize,
    /// How long to wait before a record is asked for again that the source did not show yet.
    pub retry: SignedDuration,
    /// How often entities are polled that the stream has told nothing of.
    pub poll: SignedDuration,
    /// How often every entity is polled, and deletes are listed.
    pub scrub: SignedDuration,
    /// Whether the source can list deletes. If not, each scrub compares the lists of Ids instead.
    pub lists_deletes: bool,
    /// How far a poll reaches back behind the newest row seen, for rows that became visible late.
    pub overlap: SignedDuration,
    /// How far it reaches back every `scrub`.
    pub scrub_overlap: SignedDuration,
    /// How far the first poll of a run and the reconciliation of a gap reach back: longer than a transaction takes.
    pub margin: SignedDuration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            once: false,
            window: SignedDuration::from_millis(300),
            batch: 2_000,
            retry: SignedDuration::from_secs(1),
            poll: SignedDuration::from_secs(5),
            scrub: SignedDuration::from_secs(60),
            lists_deletes: true,
            overlap: SignedDuration::from_secs(5),
            scrub_overlap: SignedDuration::from_secs(120),
            margin: SignedDuration::from_secs(300),
        }
    }
}

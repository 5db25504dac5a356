//! The org's time: real time with an offset, or time that passes only when told.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::ClockMode;

/// The org's clock. Clones show the same time.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    mode: ClockMode,
    face: Arc<Mutex<Face>>,
    moved: Arc<watch::Sender<()>>,
}

/// Offset mode: what is added to real time. Manual mode: the time itself.
#[derive(Debug)]
struct Face {
    offset: SignedDuration,
    stopped_at: Timestamp,
}

impl Clock {
    /// A clock that shows `start` now.
    pub(crate) fn starting_at(mode: ClockMode, start: Timestamp) -> Self {
        let face = Face { offset: Timestamp::now().duration_until(start), stopped_at: start };
        Self { mode, face: Arc::new(Mutex::new(face)), moved: Arc::new(watch::Sender::new(())) }
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        let face = self.face.lock().unwrap_or_else(PoisonError::into_inner);
        match self.mode {
            ClockMode::Offset => Timestamp::now().saturating_add(face.offset).unwrap_or(Timestamp::MAX),
            ClockMode::Manual => face.stopped_at,
        }
    }

    /// What the clock shows, in whole milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }

    /// What the clock shows, cut to the second: rows are stamped in whole seconds.
    pub(crate) fn now_in_seconds(&self) -> Timestamp {
        Timestamp::from_second(self.now().as_second()).unwrap_or(Timestamp::MAX)
    }

    /// Sets the clock forward and wakes who sleeps until then.
    pub(crate) fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        {
            let mut face = self.face.lock().unwrap_or_else(PoisonError::into_inner);
            face.offset = face.offset.saturating_add(by);
            face.stopped_at = face.stopped_at.saturating_add(by).unwrap_or(Timestamp::MAX);
        }
        self.moved.send_replace(());
    }

    /// Waits until the clock shows this time.
    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        let mut moved = self.moved.subscribe();
        loop {
            moved.mark_unchanged();
            let left = self.now().duration_until(deadline);
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            match self.mode {
                ClockMode::Manual => drop(moved.changed().await),
                ClockMode::Offset => drop(tokio::time::timeout(left, moved.changed()).await),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_manual_clock_stands_until_told() {
        let clock = Clock::starting_at(ClockMode::Manual, at("2026-01-01T00:00:00Z"));
        assert_eq!(clock.now(), at("2026-01-01T00:00:00Z"));
        let same = clock.clone();
        clock.advance(Duration::from_secs(7200));
        assert_eq!(same.now(), at("2026-01-01T02:00:00Z"));
    }

    #[test]
    fn an_offset_clock_runs() {
        let clock = Clock::starting_at(ClockMode::Offset, at("2030-01-01T00:00:00Z"));
        clock.advance(Duration::from_secs(60));
        assert!(clock.now() >= at("2030-01-01T00:01:00Z"));
        assert!(clock.now() < at("2030-01-01T00:02:00Z"));
    }

    #[tokio::test]
    async fn sleepers_wake_when_the_clock_is_set_forward() {
        for mode in [ClockMode::Manual, ClockMode::Offset] {
            let clock = Clock::starting_at(mode, Timestamp::now());
            let sleeper = tokio::spawn({
                let clock = clock.clone();
                async move { clock.sleep_until(clock.now() + SignedDuration::from_hours(1)).await }
            });
            tokio::task::yield_now().await;
            assert!(!sleeper.is_finished());
            clock.advance(Duration::from_secs(3601));
            sleeper.await.unwrap();
        }
    }
}

//! When a request is sent again: one table of what failed against what may be repeated.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tombolo_schema::ErrorCode;

use crate::{Error, ErrorKind, request::Repeat};

/// When and how often a request is sent again. The default retries; [`RetryPolicy::none`] does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
    deadline: Duration,
    repeat_upserts: bool,
    seed: Option<u64>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            deadline: Duration::from_secs(180),
            repeat_upserts: false,
            seed: None,
        }
    }
}

impl RetryPolicy {
    /// Sends everything once.
    pub fn none() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// How often a request is sent at most, the first time included.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The delay before the second attempt; it doubles with each further one, up to `max`, and is spread by chance.
    pub fn delays(mut self, first: Duration, max: Duration) -> Self {
        (self.first_delay, self.max_delay) = (first, max);
        self
    }

    /// No attempt begins later than this after the first.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether an upsert by external id whose answer was lost may be sent again. Off by default: a trigger or flow
    /// would run twice.
    pub fn repeat_upserts(mut self, yes: bool) -> Self {
        self.repeat_upserts = yes;
        self
    }

    /// Makes the spread of the delays repeatable.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// What went wrong, as far as sending again is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The request never left, or was turned away at the door.
    NotDone,
    /// It left; what became of it is unknown.
    LostAnswer,
    /// It was answered, but with nothing that says what became of it. The next answer would say no more.
    Unclear,
    /// A lock was held elsewhere. Nothing was written.
    Locked,
    /// Too many long requests at once. Nothing was done.
    Crowded,
    /// The answer will be the same next time.
    Settled,
}

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Usual,
    /// Requests that run for 20 seconds and longer have to end first (rest.md 6.3).
    Long,
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Again(Pace),
    GiveUp,
    /// Nobody knows whether it was done; say so.
    Unknown,
}

fn verdict(failure: Failure, may_repeat: bool) -> Verdict {
    match (failure, may_repeat) {
        (Failure::NotDone | Failure::Locked, _) => Verdict::Again(Pace::Usual),
        (Failure::Crowded, _) => Verdict::Again(Pace::Long),
        (Failure::LostAnswer, true) => Verdict::Again(Pace::Usual),
        (Failure::LostAnswer | Failure::Unclear, false) => Verdict::Unknown,
        (Failure::Unclear, true) | (Failure::Settled, _) => Verdict::GiveUp,
    }
}

fn failure(error: &Error) -> Failure {
    match (error.kind(), error.status()) {
        (ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Unavailable, _) if !error.was_sent() => Failure::NotDone,
        (ErrorKind::Connect | ErrorKind::Timeout, _) => Failure::LostAnswer,
        (ErrorKind::Locked, _) => Failure::Locked,
        // Turned away before it reached the org (rest.md 2.2).
        (_, Some(420 | 429)) => Failure::NotDone,
        (ErrorKind::LimitExceeded, _) if error.is_concurrency_limit() => Failure::Crowded,
        // A gateway that gave up, an answer that does not come from the API, an UNKNOWN_EXCEPTION: each may come
        // after the commit.
        (ErrorKind::Unavailable, _) => Failure::LostAnswer,
        (ErrorKind::TooLarge, _) if error.was_sent() => Failure::Unclear,
        (ErrorKind::Api, Some(500..)) if matches!(error.code(), None | Some(ErrorCode::Other(_))) => Failure::Unclear,
        (
            ErrorKind::Api
            | ErrorKind::Login
            | ErrorKind::SessionExpired
            | ErrorKind::NotFound
            | ErrorKind::MultipleMatches
            | ErrorKind::Forbidden
            | ErrorKind::LimitExceeded
            | ErrorKind::PreconditionFailed
            | ErrorKind::Halted
            | ErrorKind::UnknownOutcome
            | ErrorKind::InvalidQuery
            | ErrorKind::InvalidName
            | ErrorKind::InvalidRequest
            | ErrorKind::Configuration
            | ErrorKind::Decode
            | ErrorKind::TooLarge,
            _,
        ) => Failure::Settled,
    }
}

/// The first delay when too many long requests run at once.
const CROWDED_DELAY: Duration = Duration::from_secs(15);

/// What to do after an attempt that failed: wait this long and send again, or stop with this error.
pub(crate) enum Next {
    Wait(Duration),
    Stop(Error),
}

/// The delays of one request, and the chance that spreads them.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Backoff {
    pub(crate) fn new(policy: &RetryPolicy) -> Self {
        let random = policy.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self { policy: policy.clone(), random: Arc::new(Mutex::new(random)) }
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.policy.max_attempts
    }

    /// The delay after the attempt with this number: doubled each time, capped, then spread over its upper half, so
    /// that late attempts do not bunch at the cap.
    pub(crate) fn delay(&self, attempt: u32) -> Duration {
        self.spread(self.policy.first_delay, self.policy.max_delay, attempt)
    }

    /// What to do about `error`, which ended the attempt with this number, so long after the first began.
    /// `left` is what is left until the deadline of the call, if it has one.
    pub(crate) fn next(
        &self,
        error: Error,
        repeat: Repeat,
        attempt: u32,
        elapsed: Duration,
        left: Option<Duration>,
    ) -> Next {
        let may_repeat = match repeat {
            Repeat::Safe => true,
            Repeat::Upsert => self.policy.repeat_upserts,
            Repeat::Never => false,
        };
        let error = error.with_attempts(attempt);
        let pace = match verdict(failure(&error), may_repeat) {
            Verdict::Again(pace) => pace,
            Verdict::GiveUp => return Next::Stop(error),
            Verdict::Unknown => return Next::Stop(error.into_unknown_outcome()),
        };
        let wait = self.wait(pace, attempt, error.retry_after());
        let too_late = elapsed + wait > self.policy.deadline || left.is_some_and(|left| wait >= left);
        if attempt >= self.policy.max_attempts || too_late {
            return Next::Stop(error);
        }
        Next::Wait(wait)
    }

    fn wait(&self, pace: Pace, attempt: u32, told: Option<Duration>) -> Duration {
        let own = match pace {
            Pace::Usual => self.delay(attempt),
            Pace::Long => self.spread(CROWDED_DELAY, CROWDED_DELAY * 8, attempt),
        };
        // Everyone was told the same moment: come a little later, each at another time.
        told.map_or(own, |told| told + own.min(told) / 4)
    }

    fn spread(&self, first: Duration, max: Duration, attempt: u32) -> Duration {
        let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let share = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner).f64();
        doubled.min(max).mul_f64(0.5 + share / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;

    use super::*;

    fn answered(status: u16, code: &str, message: &str) -> Error {
        let body = match code {
            "" => message.to_owned(),
            code => format!(r#"[{{"errorCode":"{code}","message":"{message}"}}]"#),
        };
        Error::from_answer(&Response::builder().status(status).body(Bytes::from(body)).unwrap(), "/x")
    }

    fn outcome(error: Error, repeat: Repeat) -> &'static str {
        match Backoff::new(&RetryPolicy::default().seed(1)).next(error, repeat, 1, Duration::ZERO, None) {
            Next::Wait(delay) if delay > Duration::from_secs(5) => "later",
            Next::Wait(_) => "again",
            Next::Stop(error) if error.kind() == ErrorKind::UnknownOutcome => "unknown",
            Next::Stop(_) => "stop",
        }
    }

    #[test]
    fn the_table() {
        let broken = || Error::new(ErrorKind::Connect, "broke");
        for (error, safe, write) in [
            (broken(), "again", "again"),
            (broken().mark_sent(), "again", "unknown"),
            (Error::new(ErrorKind::Timeout, "slow").mark_sent(), "again", "unknown"),
            (answered(503, "SERVER_UNAVAILABLE", "m"), "again", "unknown"),
            (answered(503, "SERVER_UNAVAILABLE", "m").into_unsent(), "again", "again"),
            (answered(502, "", "<html>"), "again", "unknown"),
            (answered(500, "", ""), "again", "unknown"),
            (answered(500, "UNKNOWN_EXCEPTION", "m"), "again", "unknown"),
            (answered(500, "SOMETHING_NEW", "m"), "stop", "unknown"),
            (answered(500, "MALFORMED_ID", "m"), "stop", "stop"),
            (answered(412, "", ""), "stop", "stop"),
            (Error::new(ErrorKind::TooLarge, "large").mark_sent(), "stop", "unknown"),
            (answered(500, "APEX_ERROR", "m"), "stop", "stop"),
            (answered(420, "", ""), "again", "again"),
            (answered(429, "", ""), "again", "again"),
            (answered(400, "UNABLE_TO_LOCK_ROW", "m"), "again", "again"),
            (answered(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."), "later", "later"),
            (answered(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), "stop", "stop"),
            (answered(401, "INVALID_SESSION_ID", "m"), "stop", "stop"),
            (answered(400, "MALFORMED_QUERY", "m"), "stop", "stop"),
            (answered(404, "NOT_FOUND", "m"), "stop", "stop"),
        ] {
            let name = error.to_string();
            assert_eq!(outcome(error.clone(), Repeat::Safe), safe, "{name}");
            assert_eq!(outcome(error.clone(), Repeat::Never), write, "{name}");
            assert_eq!(outcome(error, Repeat::Upsert), write, "{name}");
        }
    }

    #[test]
    fn upserts_are_repeated_when_asked() {
        let backoff = Backoff::new(&RetryPolicy::default().repeat_upserts(true));
        let lost = Error::new(ErrorKind::Connect, "broke").mark_sent();
        assert!(matches!(backoff.next(lost, Repeat::Upsert, 1, Duration::ZERO, None), Next::Wait(_)));
    }

    #[test]
    fn it_ends() {
        let policy = RetryPolicy::default().max_attempts(3).deadline(Duration::from_secs(60));
        let next = |attempt, elapsed| {
            let error = Error::new(ErrorKind::Connect, "broke");
            Backoff::new(&policy).next(error, Repeat::Safe, attempt, Duration::from_secs(elapsed), None)
        };
        assert!(matches!(next(2, 0), Next::Wait(_)));
        assert!(matches!(next(3, 0), Next::Stop(error) if error.attempts() == 3));
        assert!(matches!(next(1, 60), Next::Stop(_)));
    }

    #[test]
    fn delays_double_and_are_spread_by_the_seed() {
        let policy = RetryPolicy::default().delays(Duration::from_secs(1), Duration::from_secs(8)).seed(7);
        let delays = || {
            let backoff = Backoff::new(&policy);
            (1..=40).map(|attempt| backoff.delay(attempt)).collect::<Vec<_>>()
        };
        assert_eq!(delays(), delays(), "the same seed");
        for (delay, cap) in delays().iter().zip([1, 2, 4, 8, 8, 8]) {
            let cap = Duration::from_secs(cap);
            assert!(*delay >= cap / 2 && *delay <= cap, "{delay:?} of {cap:?}");
        }
        let told = Backoff::new(&policy).wait(Pace::Usual, 1, Some(Duration::from_secs(20)));
        assert!(told >= Duration::from_secs(20) && told < Duration::from_secs(21), "{told:?}");
    }
}

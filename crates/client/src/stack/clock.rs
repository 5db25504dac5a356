//! What time it is for the org, from the `Date` of its answers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tower::Service;

use super::Answer;
use crate::{Error, Result, error::server_time};

/// One look at the org's clock: what its `Date` said, and between which moments of our own clock it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerClock {
    /// The answer's `Date`; the rest of the second is cut off.
    pub server_time: Timestamp,
    /// When the request left, by our clock.
    pub asked: Timestamp,
    /// When its answer was there, by our clock.
    pub answered: Timestamp,
}

impl ServerClock {
    /// How far the org's clock is ahead of ours; negative if it is behind. Right to within the
    /// [`uncertainty`](Self::uncertainty).
    pub fn offset(&self) -> SignedDuration {
        let ours = self.asked + self.round_trip() / 2;
        // The `Date` stands for a whole second; its middle is the best guess.
        self.server_time.duration_since(ours) + SignedDuration::from_millis(500)
    }

    /// How wrong the [`offset`](Self::offset) can be, either way: half a second, and half of what the request took.
    pub fn uncertainty(&self) -> Duration {
        Duration::from_millis(500) + self.round_trip().unsigned_abs() / 2
    }

    fn round_trip(&self) -> SignedDuration {
        self.answered.duration_since(self.asked)
    }
}

/// The last look, for all clones of a client.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Mutex<Option<ServerClock>>,
}

impl Clock {
    pub(crate) fn last(&self) -> Option<ServerClock> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the `Date` of each answer. Lies below `auth`, so that no login is part of the time between.
#[derive(Debug, Clone)]
pub(crate) struct Watch<S> {
    inner: S,
    clock: Arc<Clock>,
}

impl<S> Watch<S> {
    pub(crate) fn new(inner: S, clock: Arc<Clock>) -> Self {
        Self { inner, clock }
    }
}

impl<S> Service<Request<Bytes>> for Watch<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Answer {
        // A poll that is held for minutes says little about the time in between.
        let is_held = request.uri().path().starts_with("/cometd/");
        let (asked, answer, clock) = (Timestamp::now(), self.inner.call(request), self.clock.clone());
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(server_time) = server_time(answer.headers()).filter(|_| !is_held) {
                let look = ServerClock { server_time, asked, answered: Timestamp::now() };
                *clock.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;

    #[test]
    fn offsets() {
        for (asked, answered, server, offset, uncertainty) in [
            ("10:00:00", "10:00:01", "10:00:00", 0, 1000),
            ("10:00:00", "10:00:00", "10:05:00", 300_500, 500),
            ("10:00:00", "10:00:04", "09:59:00", -61_500, 2500),
        ] {
            let at = |time: &str| format!("2026-11-22T{time}Z").parse().unwrap();
            let look = ServerClock { server_time: at(server), asked: at(asked), answered: at(answered) };
            assert_eq!(look.offset(), SignedDuration::from_millis(offset), "{server}");
            assert_eq!(look.uncertainty(), Duration::from_millis(uncertainty), "{server}");
        }
    }

    #[tokio::test]
    async fn every_answer_is_a_look() {
        let clock = Arc::new(Clock::default());
        for (path, date, expect) in [
            ("/services/data/v66.0/query", "", None),
            ("/cometd/66.0", "Sun, 22 Nov 2026 10:00:00 GMT", None),
            ("/services/data/v66.0/query", "Sun, 22 Nov 2026 10:00:07 GMT", Some("2026-11-22T10:00:07Z")),
            ("/services/data/v66.0/query", "yesterday", Some("2026-11-22T10:00:07Z")),
        ] {
            let server = tower::service_fn(move |_: Request<Bytes>| async move {
                Ok(Response::builder().header("Date", date).body(Bytes::new()).unwrap())
            });
            let request = Request::get(path).body(Bytes::new()).unwrap();
            Watch::new(server, clock.clone()).oneshot(request).await.unwrap();
            assert_eq!(clock.last().map(|look| look.server_time.to_string()).as_deref(), expect, "{path} {date}");
        }
    }
}

//! Judges each answer and sends again what may be sent again.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt as _};

use super::{Answer, Backoff, RetryPolicy, policy::Next};
use crate::{
    Error, Result,
    request::{Deadline, Repeat, Unjudged},
};

#[derive(Debug, Clone)]
pub(crate) struct Retry<S> {
    inner: S,
    backoff: Backoff,
}

impl<S> Retry<S> {
    pub(crate) fn new(inner: S, policy: &RetryPolicy) -> Self {
        Self { inner, backoff: Backoff::new(policy) }
    }
}

impl<S> Service<Request<Bytes>> for Retry<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Answer {
        let (inner, backoff) = (self.inner.clone(), self.backoff.clone());
        if request.extensions().get::<Unjudged>().is_some() {
            return Box::pin(inner.oneshot(request));
        }
        Box::pin(send(inner, backoff, request))
    }
}

async fn send<S>(inner: S, backoff: Backoff, request: Request<Bytes>) -> Result<Response<Bytes>>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = Error> + Clone,
{
    let repeat = request.extensions().get().copied().unwrap_or_else(|| Repeat::of(request.method()));
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let deadline: Option<Deadline> = request.extensions().get().copied();
    let begun = Instant::now();
    let mut attempt = 1;
    loop {
        let answer = inner.clone().oneshot(request.clone()).await;
        let error = match answer.and_then(|answer| judge(answer, uri.path())) {
            Ok(answer) => return Ok(answer),
            Err(error) => error.with_request(&method, &uri),
        };
        let kind = error.kind();
        match backoff.next(error, repeat, attempt, begun.elapsed(), deadline.map(Deadline::left)) {
            Next::Stop(error) => return Err(error),
            Next::Wait(delay) => {
                tracing::info!(%method, path = uri.path(), %kind, attempt, ?delay, "sending again");
                sleep(delay).await;
            }
        }
        attempt += 1;
    }
}

/// 304 is the answer to a conditional request; the other redirects are never followed and never meant.
fn judge(answer: Response<Bytes>, path: &str) -> Result<Response<Bytes>> {
    let status = answer.status();
    if status.is_success() || status == http::StatusCode::NOT_MODIFIED {
        return Ok(answer);
    }
    Err(Error::from_answer(&answer, path))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::*;
    use crate::ErrorKind;

    type Script = Vec<Result<(u16, &'static str)>>;

    /// Answers from a script; tells how many requests came and how long it all took.
    async fn run(script: Script, repeat: Repeat) -> (Result<u16, ErrorKind>, usize, Duration) {
        let left = Arc::new(Mutex::new(script.into_iter()));
        let seen = Arc::new(Mutex::new(0));
        let counted = seen.clone();
        let inner = tower::service_fn(move |_: Request<Bytes>| {
            *counted.lock().unwrap() += 1;
            let next = left.lock().unwrap().next().expect("one request too many");
            async move { next.map(|(status, body)| Response::builder().status(status).body(Bytes::from(body)).unwrap()) }
        });
        let begun = Instant::now();
        let retry = Retry::new(inner, &RetryPolicy::default().seed(3));
        let request = Request::post("/services/data/v66.0/x?q=secret").extension(repeat).body(Bytes::new()).unwrap();
        let result = retry.oneshot(request).await;
        let seen = *seen.lock().unwrap();
        (result.map(|answer| answer.status().as_u16()).map_err(|error| error.kind()), seen, begun.elapsed())
    }

    fn broke() -> Result<(u16, &'static str)> {
        Err(Error::new(ErrorKind::Connect, "broke").mark_sent())
    }

    const LOCKED: &str = r#"[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access"}]"#;
    const CROWDED: &str = r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentRequests Limit exceeded."}]"#;
    const SPENT: &str = r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#;

    #[tokio::test(start_paused = true)]
    async fn scripts() {
        let cases: Vec<(Script, Repeat, Result<u16, ErrorKind>, usize)> = vec![
            (vec![Ok((200, ""))], Repeat::Never, Ok(200), 1),
            (vec![Ok((304, ""))], Repeat::Safe, Ok(304), 1),
            (vec![broke(), Ok((503, "")), Ok((200, ""))], Repeat::Safe, Ok(200), 3),
            (vec![broke()], Repeat::Never, Err(ErrorKind::UnknownOutcome), 1),
            (vec![Ok((504, "<html>"))], Repeat::Upsert, Err(ErrorKind::UnknownOutcome), 1),
            (vec![Ok((400, LOCKED)), Ok((400, LOCKED)), Ok((201, ""))], Repeat::Never, Ok(201), 3),
            (vec![Ok((403, SPENT))], Repeat::Safe, Err(ErrorKind::LimitExceeded), 1),
            (vec![Ok((302, ""))], Repeat::Safe, Err(ErrorKind::Api), 1),
            ((0..5).map(|_| broke()).collect(), Repeat::Safe, Err(ErrorKind::Connect), 5),
        ];
        for (script, repeat, expect, requests) in cases {
            let name = format!("{script:?}");
            let (result, seen, _) = run(script, repeat).await;
            assert_eq!((result, seen), (expect, requests), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_after_the_deadline() {
        for (left, requests) in [(0, 1), (1, 2), (600, 5)] {
            let seen = Arc::new(Mutex::new(0));
            let counted = seen.clone();
            let inner = tower::service_fn(move |_: Request<Bytes>| {
                *counted.lock().unwrap() += 1;
                async { Err::<Response<Bytes>, _>(Error::new(ErrorKind::Connect, "cannot connect")) }
            });
            let deadline = Deadline(Instant::now() + Duration::from_secs(left));
            let request = Request::get("/x").extension(deadline).body(Bytes::new()).unwrap();
            let begun = Instant::now();
            let error = Retry::new(inner, &RetryPolicy::default().seed(3)).oneshot(request).await.unwrap_err();
            assert_eq!((error.kind(), *seen.lock().unwrap()), (ErrorKind::Connect, requests), "{left}");
            assert!(begun.elapsed() <= Duration::from_secs(left));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowded_org_is_given_time() {
        let (result, _, took) = run(vec![Ok((403, CROWDED)), Ok((200, ""))], Repeat::Never).await;
        assert_eq!(result, Ok(200));
        assert!(took >= Duration::from_secs(7), "{took:?}");
    }
}

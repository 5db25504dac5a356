//! Counts API calls, and keeps what the org says about its allocation.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::Answer;
use crate::{ApiUsage, Error, Result};

/// What is counted, for all clones of a client.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    calls: AtomicU64,
    told: Mutex<Option<ApiUsage>>,
}

impl Usage {
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn told(&self) -> Option<ApiUsage> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, answer: &Response<Bytes>) {
        let header = answer.headers().get("sforce-limit-info").and_then(|value| value.to_str().ok());
        if let Some(usage) = header.and_then(ApiUsage::from_header) {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
        }
    }
}

/// `/services/data/vXX.0/…` is counted; the list of versions, logins and CometD are not (rest.md 2.3).
fn is_counted(path: &str) -> bool {
    path.starts_with("/services/data/v") || path.starts_with("/services/Soap/")
}

#[derive(Debug, Clone)]
pub(crate) struct Limit<S> {
    inner: S,
    usage: Arc<Usage>,
}

impl<S> Limit<S> {
    pub(crate) fn new(inner: S, usage: Arc<Usage>) -> Self {
        Self { inner, usage }
    }
}

impl<S> Service<Request<Bytes>> for Limit<S>
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
        let counted = is_counted(request.uri().path());
        let (answer, usage) = (self.inner.call(request), self.usage.clone());
        Box::pin(async move {
            let result = answer.await;
            let was_sent = result.as_ref().map_or_else(Error::was_sent, |_| true);
            if counted && was_sent {
                usage.calls.fetch_add(1, Ordering::Relaxed);
            }
            result.inspect(|answer| usage.note(answer))
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;
    use crate::ErrorKind;

    #[tokio::test]
    async fn what_counts() {
        for (path, outcome, calls) in [
            ("/services/data/v66.0/query?q=x", "ok", 1),
            ("/services/data/v66.0/query?q=x", "lost", 1),
            ("/services/data/v66.0/query?q=x", "unreachable", 0),
            ("/services/data", "ok", 0),
            ("/services/oauth2/userinfo", "ok", 0),
            ("/cometd/66.0", "ok", 0),
        ] {
            let usage = Arc::new(Usage::default());
            let inner = tower::service_fn(move |_: Request<Bytes>| async move {
                match outcome {
                    "lost" => Err(Error::new(ErrorKind::Connect, "broke").mark_sent()),
                    "unreachable" => Err(Error::new(ErrorKind::Connect, "refused")),
                    _ => Ok(Response::builder()
                        .header("Sforce-Limit-Info", "api-usage=18/5000")
                        .body(Bytes::new())
                        .unwrap()),
                }
            });
            let request = Request::get(path).body(Bytes::new()).unwrap();
            let answer = Limit::new(inner, usage.clone()).oneshot(request).await;
            assert_eq!(usage.calls(), calls, "{path} {outcome}");
            assert_eq!(usage.told(), answer.is_ok().then_some(ApiUsage { used: 18, max: 5000 }));
        }
    }
}

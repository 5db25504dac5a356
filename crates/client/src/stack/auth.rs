//! Adds the session. When it has expired, renews it and sends the request once more, never a third time.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use secrecy::ExposeSecret as _;
use tower::{Service, ServiceExt as _};

use super::Answer;
use crate::{
    Error, ErrorKind, Result,
    auth::{Session, Sessions},
};

#[derive(Debug, Clone)]
pub(crate) struct Auth<S> {
    inner: S,
    sessions: Arc<Sessions>,
}

impl<S> Auth<S> {
    pub(crate) fn new(inner: S, sessions: Arc<Sessions>) -> Self {
        Self { inner, sessions }
    }
}

impl<S> Service<Request<Bytes>> for Auth<S>
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
        let (inner, sessions) = (self.inner.clone(), self.sessions.clone());
        Box::pin(async move {
            let session = sessions.current().await?;
            let answer = inner.clone().oneshot(with_session(request.clone(), &session)?).await?;
            if !is_expired(&answer) {
                return Ok(with_mark(answer, session));
            }
            let session = sessions.renew(&session).await?;
            let answer = inner.oneshot(with_session(request, &session)?).await?;
            Ok(with_mark(answer, session))
        })
    }
}

fn with_session(mut request: Request<Bytes>, session: &Arc<Session>) -> Result<Request<Bytes>> {
    let bearer = format!("Bearer {}", session.access_token.expose_secret());
    let mut value = HeaderValue::try_from(bearer)
        .map_err(|_| Error::new(ErrorKind::Configuration, "the access token has characters that no token has"))?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request.extensions_mut().insert(session.clone());
    Ok(request)
}

/// So that a subscriber can say which session it was that a Bayeux message refused.
fn with_mark(mut answer: Response<Bytes>, session: Arc<Session>) -> Response<Bytes> {
    answer.extensions_mut().insert(session);
    answer
}

/// Any 401, whatever its body looks like, except where a new session would be refused as well (rest.md 1.15); and
/// what the identity service says instead.
fn is_expired(answer: &Response<Bytes>) -> bool {
    let says = |text: &str| answer.body().windows(text.len()).any(|window| window == text.as_bytes());
    match answer.status() {
        StatusCode::UNAUTHORIZED => {
            !says("This session is not valid for use with the REST API")
                && !says("Connected app is not attached to Agent")
        }
        StatusCode::FORBIDDEN => says("Bad_OAuth_Token"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::auth::testing::{Counting, sessions};

    /// A server that knows one session only: the one after `logins` logins.
    fn server(
        valid: &'static str,
    ) -> impl Service<Request<Bytes>, Response = Response<Bytes>, Error = Error, Future: Send> + Clone + Send + 'static
    {
        tower::service_fn(move |request: Request<Bytes>| async move {
            let given = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
            let (status, body) = match given == format!("Bearer {valid}") {
                true => (200, "ok"),
                false => (401, r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#),
            };
            tokio::task::yield_now().await;
            Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap())
        })
    }

    fn request() -> Request<Bytes> {
        Request::get("/services/data/v66.0/x").body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn a_hundred_expired_calls_make_one_login() {
        let login = Arc::new(Counting::default());
        let sessions = sessions(login.clone());
        let auth = Auth::new(server("token-2"), sessions);
        let calls = (0..100).map(|_| auth.clone().oneshot(request()));
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
        assert_eq!(login.count(), 2, "the first login and one renewal");
    }

    #[tokio::test]
    async fn it_does_not_go_round_in_circles() {
        let login = Arc::new(Counting::default());
        let auth = Auth::new(server("never"), sessions(login.clone()));
        assert_eq!(auth.oneshot(request()).await.unwrap().status(), 401);
        assert_eq!(login.count(), 2);
    }

    #[tokio::test]
    async fn what_means_expired() {
        for (status, body, logins) in [
            (401, "", 2),
            (401, "<html>", 2),
            (403, "Bad_OAuth_Token", 2),
            (403, "no rights", 1),
            (401, r#"[{"message":"This session is not valid for use with the REST API"}]"#, 1),
            (500, "", 1),
        ] {
            let login = Arc::new(Counting::default());
            let seen = Arc::new(AtomicU32::new(0));
            let server = {
                let seen = seen.clone();
                tower::service_fn(move |_: Request<Bytes>| {
                    seen.fetch_add(1, Ordering::Relaxed);
                    async move { Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap()) }
                })
            };
            let answer = Auth::new(server, sessions(login.clone())).oneshot(request()).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!((login.count(), seen.load(Ordering::Relaxed)), (logins, logins), "{status} {body}");
        }
    }
}

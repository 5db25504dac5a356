//! Adds the session. When it has expired, renews it and sends the request once more, never a third time.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use quick_xml::escape::escape;
use secrecy::ExposeSecret as _;
use tokio::time::timeout_at;
use tombolo_schema::ErrorCode;
use tower::{Service, ServiceExt as _};

use super::Answer;
use crate::{
    Error, ErrorKind, Result,
    auth::{Session, Sessions},
    request::{Deadline, SessionInBody},
    soap::fault,
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
            let deadline = request.extensions().get().copied();
            let in_body = request.extensions().get::<SessionInBody>().is_some();
            let session = in_time(deadline, sessions.current()).await?;
            let answer = inner.clone().oneshot(with_session(request.clone(), &session)?).await?;
            if !is_expired(&answer, in_body) {
                return Ok(with_mark(answer, session));
            }
            let session = in_time(deadline, sessions.renew(&session)).await?;
            let answer = inner.oneshot(with_session(request, &session)?).await?;
            Ok(with_mark(answer, session))
        })
    }
}

/// A login takes its time, too: what needs it is not sent when the deadline has passed.
async fn in_time<T>(deadline: Option<Deadline>, work: impl Future<Output = Result<T>>) -> Result<T> {
    match deadline {
        Some(Deadline(moment)) => timeout_at(moment, work).await.unwrap_or_else(|_| Err(Deadline::passed())),
        None => work.await,
    }
}

fn with_session(mut request: Request<Bytes>, session: &Arc<Session>) -> Result<Request<Bytes>> {
    if request.extensions().get::<SessionInBody>().is_some() {
        let text = String::from_utf8_lossy(request.body());
        let id = escape(session.access_token.expose_secret());
        *request.body_mut() = text.replacen(SessionInBody::PLACE, &id, 1).into();
    }
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
/// what the identity service and SOAP say instead.
fn is_expired(answer: &Response<Bytes>, soap: bool) -> bool {
    let says = |text: &str| answer.body().windows(text.len()).any(|window| window == text.as_bytes());
    match answer.status() {
        StatusCode::UNAUTHORIZED => {
            !says("This session is not valid for use with the REST API")
                && !says("Connected app is not attached to Agent")
        }
        StatusCode::FORBIDDEN => says("Bad_OAuth_Token"),
        StatusCode::INTERNAL_SERVER_ERROR if soap => {
            fault(answer.body()).is_some_and(|(code, _)| code == ErrorCode::InvalidSessionId.as_str())
        }
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

    /// Counts logins and requests of a SOAP call; the fault is answered to `token-1` only.
    #[tokio::test]
    async fn soap_has_the_session_in_its_body() {
        let fault = "<Envelope><Body><Fault><faultcode>sf:INVALID_SESSION_ID</faultcode></Fault></Body></Envelope>";
        let server = tower::service_fn(move |request: Request<Bytes>| async move {
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            let (status, answer) = if body == "<a>token-1</a>" { (500, fault.to_owned()) } else { (200, body) };
            Ok(Response::builder().status(status).body(Bytes::from(answer)).unwrap())
        });
        let login = Arc::new(Counting::default());
        let body = format!("<a>{}</a>", SessionInBody::PLACE);
        let request = Request::post("/services/Soap/u/64.0").extension(SessionInBody).body(body.into()).unwrap();
        let answer = Auth::new(server, sessions(login.clone())).oneshot(request).await.unwrap();
        assert_eq!((answer.status(), answer.body().as_ref()), (StatusCode::OK, b"<a>token-2</a>".as_slice()));
        assert_eq!(login.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_takes_too_long() {
        #[derive(Debug)]
        struct Never;
        impl crate::auth::LogIn for Never {
            fn log_in(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<crate::auth::Granted>> + Send + '_>> {
                Box::pin(std::future::pending())
            }
        }
        let deadline = Deadline(tokio::time::Instant::now() + std::time::Duration::from_secs(3));
        let request = Request::get("/x").extension(deadline).body(Bytes::new()).unwrap();
        let auth = Auth::new(server("token-1"), Arc::new(Sessions::new(Box::new(Never))));
        let error = auth.oneshot(request).await.unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, false));
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

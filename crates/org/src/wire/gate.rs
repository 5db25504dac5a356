//! What happens to every request before it is routed and after it is answered: the Host it names, its size,
//! slashes, misbehaviour on demand, the journal.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version, header::HOST, uri::PathAndQuery};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::{SignedDuration, Timestamp};
use tombolo_schema::ErrorCode;
use tower::ServiceExt;

use super::{
    App,
    answer::{Refusal, Reply},
    body,
    call::parse_form,
    journal::Entry,
    origin::Origin,
    soap,
};
use crate::core::faults::FaultKind;

/// A URI, and a URI with its headers, may be this long (rest.md 2.1).
const MAX_URI: usize = 16_384;

/// On an answer: this many API calls were counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted(pub(crate) u64);

/// On an answer: the request may have changed something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrote;

/// On an answer to a request that might have written: it did not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Untouched;

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on demand")]
pub(crate) struct Dropped;

/// Answers a request, or drops its connection.
pub(crate) async fn serve(
    app: Arc<App>,
    router: Router,
    scheme: &'static str,
    request: Request<Incoming>,
) -> Result<Reply, Dropped> {
    let mut request = request.map(Body::new);
    if let Err(refusal) = enter(&app, scheme, &mut request) {
        let (parts, body) = request.into_parts();
        body::discard(&parts, body).await;
        return Ok(refusal.into_reply());
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if path.starts_with("/_tombolo") {
        return Ok(answer(router, request).await);
    }
    let result = misbehaving(&app, router, request, &path).await;
    let (status, calls) = match &result {
        Ok(reply) => (Some(reply.status()), reply.extensions().get::<Counted>().map_or(0, |counted| counted.0)),
        Err((_, calls)) => (None, *calls),
    };
    app.journal.note(Entry::new(&method, &path, status, calls));
    result.map_err(|(dropped, _)| dropped)
}

/// Answers as well or badly as the faults that are on allow.
async fn misbehaving(app: &App, router: Router, request: Request<Body>, path: &str) -> Result<Reply, (Dropped, u64)> {
    let take = |kind| app.core.faults().take_for_path(kind, path, app.core.clock().now());
    if take(FaultKind::Status503).is_some() {
        let (parts, body) = request.into_parts();
        body::discard(&parts, body).await;
        let message = "The server is temporarily unable to answer: a fault was asked for";
        return Ok(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::ServerUnavailable, message).into_reply());
    }
    let is_soap = path.starts_with("/services/Soap");
    if (is_soap || path.starts_with("/services/data/")) && take(FaultKind::LimitExceeded).is_some() {
        let (parts, body) = request.into_parts();
        body::discard(&parts, body).await;
        let message = "TotalRequests Limit exceeded.";
        let refusal = match is_soap {
            true => soap::limit_exceeded(message),
            false => Refusal::new(StatusCode::FORBIDDEN, ErrorCode::RequestLimitExceeded, message),
        };
        return Ok(refusal.into_reply());
    }
    let slow = take(FaultKind::SlowAnswers);
    // A poll that is held is cut where it waits (cometd), as soon as the fault is on.
    let cut = !path.starts_with("/cometd") && take(FaultKind::DropConnections).is_some();
    let reply = answer(router, request).await;
    if let Some(slow) = slow {
        let delay = SignedDuration::try_from(slow.delay).unwrap_or(SignedDuration::MAX);
        let clock = app.core.clock();
        clock.sleep_until(clock.now().saturating_add(delay).unwrap_or(Timestamp::MAX)).await;
    }
    let calls = reply.extensions().get::<Counted>().map_or(0, |counted| counted.0);
    if reply.extensions().get::<DropThis>().is_some() {
        return Err((Dropped, calls));
    }
    if reply.extensions().get::<Wrote>().is_some()
        && let Some(lost) = take(FaultKind::LostAnswer)
    {
        let Some(status) = lost.status.and_then(|status| StatusCode::from_u16(status).ok()) else {
            return Err((Dropped, calls));
        };
        let message = "The answer was lost: a fault was asked for";
        return Ok(Refusal::new(status, ErrorCode::ServerUnavailable, message).into_reply());
    }
    Ok(if cut { break_off(reply).await } else { reply })
}

/// On an answer: it is not to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DropThis;

async fn answer(router: Router, request: Request<Body>) -> Reply {
    let answered: Result<Reply, Infallible> = router.oneshot(request).await;
    match answered {
        Ok(reply) => reply,
        Err(never) => match never {},
    }
}

/// The first half of an answer, and then nothing more.
async fn break_off(reply: Reply) -> Reply {
    let (parts, body) = reply.into_parts();
    let whole = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let pieces: [Result<Bytes, std::io::Error>; 2] = [Ok(half), Err(std::io::ErrorKind::ConnectionReset.into())];
    Reply::from_parts(parts, Body::from_stream(stream::iter(pieces)))
}

/// Checks a request's Host and size, and brings its path into the form that the routing table knows.
fn enter(app: &App, scheme: &'static str, request: &mut Request<Body>) -> Result<(), Refusal> {
    let authority = authority_of(request)?;
    if !app.hosts.answer_to(&authority) {
        let message = "This org does not answer to the host name of the request; --host NAME adds one";
        let code = ErrorCode::Other("MISDIRECTED_REQUEST".to_owned());
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, code, message));
    }
    let uri_length = request.uri().path_and_query().map_or(1, |path| path.as_str().len());
    if uri_length > MAX_URI {
        let message = format!("The URI is longer than {MAX_URI} bytes");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, ErrorCode::Other("URI_TOO_LONG".to_owned()), message));
    }
    if uri_length + headers_length(request.headers()) > MAX_URI {
        let message = format!("The URI and the headers together are longer than {MAX_URI} bytes");
        let code = ErrorCode::Other("REQUEST_HEADER_FIELDS_TOO_LARGE".to_owned());
        return Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, code, message));
    }
    if *request.method() == Method::POST
        && let Some(method) = overriding_method(request.uri())
    {
        *request.method_mut() = method;
    }
    body::settle_encoding(request.headers_mut())?;
    *request.uri_mut() = straightened(request.uri())?;
    request.extensions_mut().insert(Origin { scheme, authority });
    Ok(())
}

/// The one host a request names: HTTP/2 has it in `:authority`, HTTP/1 in Host, proxies in both.
fn authority_of(request: &Request<Body>) -> Result<String, Refusal> {
    let bad = || Refusal::bad(ErrorCode::Other("BAD_REQUEST".to_owned()), "The request must name one Host");
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let in_uri = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if second.is_some() {
        return Err(bad());
    }
    let host = host.map(|host| host.to_str().map(str::to_owned)).transpose().map_err(|_| bad())?;
    match (host, in_uri) {
        (Some(host), Some(in_uri)) if !host.eq_ignore_ascii_case(&in_uri) => Err(bad()),
        (Some(host), _) => Ok(host),
        (None, Some(in_uri)) => Ok(in_uri),
        // HTTP/1.0 knew no Host.
        (None, None) if request.version() == Version::HTTP_10 => Ok("localhost".to_owned()),
        (None, None) => Err(bad()),
    }
}

fn headers_length(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// `_HttpMethod=PATCH` on a POST stands for the method that the client's library does not know (rest.md 2.1).
fn overriding_method(uri: &Uri) -> Option<Method> {
    let query = parse_form(uri.query()?);
    let (_, method) = query.into_iter().find(|(key, _)| key == "_HttpMethod")?;
    Method::from_bytes(method.as_bytes()).ok()
}

/// Without doubled and trailing slashes: clients send both (clients.md).
fn straightened(uri: &Uri) -> Result<Uri, Refusal> {
    let mut path = String::with_capacity(uri.path().len());
    for part in uri.path().split('/').filter(|part| !part.is_empty()) {
        path.push('/');
        path.push_str(part);
    }
    if path.is_empty() {
        path.push('/');
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(|_| Refusal::not_found())?);
    Uri::from_parts(parts).map_err(|_| Refusal::not_found())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_straightened() {
        for (given, expected) in [
            ("//services/data/", "/services/data"),
            ("/services/data/v66.0/query/?q=a//b/", "/services/data/v66.0/query?q=a//b/"),
            ("/", "/"),
            ("/a%2Fb//c", "/a%2Fb/c"),
        ] {
            let uri = Uri::builder().path_and_query(given).build().unwrap();
            assert_eq!(straightened(&uri).unwrap().to_string(), expected, "{given}");
        }
    }

    #[test]
    fn methods_are_overridden() {
        let method = |uri: &str| overriding_method(&uri.parse().unwrap());
        assert_eq!(method("/a?_HttpMethod=PATCH"), Some(Method::PATCH));
        assert_eq!(method("/a?b=1&_HttpMethod=DELETE"), Some(Method::DELETE));
        assert_eq!(method("/a?_httpmethod=PATCH"), None, "the name has its case");
    }
}

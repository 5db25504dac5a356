//! The bottom of the stack: reqwest. No redirects, a time limit, a limit on the size of the answer.

use std::{
    error::Error as _,
    net::IpAddr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use reqwest::{Certificate, redirect};
use tower::Service;

use super::Answer;
use crate::{
    Error, ErrorKind, Result,
    request::{Deadline, Within},
};

/// How the network is used.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) ca_certificates: &'a [Vec<u8>],
    pub(crate) timeout: Duration,
    pub(crate) max_body: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    /// For loopback: a proxy of the environment does not lead to a server on this machine.
    direct: reqwest::Client,
    timeout: Duration,
    max_body: usize,
}

impl Transport {
    pub(crate) fn new(settings: &Settings<'_>) -> Result<Self> {
        let mut certificates = Vec::new();
        for pem in settings.ca_certificates {
            let bundle = Certificate::from_pem_bundle(pem).map_err(|e| not_built("the CA certificate is no PEM", e))?;
            if bundle.is_empty() {
                return Err(Error::new(ErrorKind::Configuration, "the CA certificate is no PEM"));
            }
            certificates.extend(bundle);
        }
        let builder = || {
            reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .referer(false)
                .connect_timeout(Duration::from_secs(10))
                .tcp_keepalive(Duration::from_secs(30))
                // A connection that the server may have closed meanwhile would make a write's outcome unknown.
                .pool_idle_timeout(Duration::from_secs(20))
                .user_agent(concat!("tombolo-client/", env!("CARGO_PKG_VERSION")))
                .tls_certs_merge(certificates.clone())
        };
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|e| not_built("TLS cannot be set up", e));
        Ok(Self {
            http: build(builder())?,
            direct: build(builder().no_proxy())?,
            timeout: settings.timeout,
            max_body: settings.max_body,
        })
    }
}

fn not_built(message: &str, error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Configuration, message).with_source(error.without_url())
}

impl Service<Request<Bytes>> for Transport {
    type Response = Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Answer {
        let http = if is_loopback(request.uri()) { self.direct.clone() } else { self.http.clone() };
        let within = request.extensions().get::<Within>().map_or(self.timeout, |within| within.0);
        let deadline = request.extensions().get::<Deadline>().copied();
        let within = deadline.map_or(within, |deadline| within.min(deadline.left()));
        let max_body = self.max_body;
        if within.is_zero() {
            return Box::pin(async { Err(Deadline::passed()) });
        }
        Box::pin(async move {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            let answer = tokio::time::timeout(within, send(http, request, max_body)).await;
            let late = |_| {
                let message = format!("no answer within {within:.1?}");
                Err(Error::new(ErrorKind::Timeout, message).mark_sent())
            };
            answer.unwrap_or_else(late).map_err(|error| error.with_request(&method, &uri))
        })
    }
}

fn is_loopback(uri: &Uri) -> bool {
    uri.host().is_some_and(is_loopback_host)
}

/// This machine, by name or number.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn send(http: reqwest::Client, request: Request<Bytes>, max_body: usize) -> Result<Response<Bytes>> {
    let request = reqwest::Request::try_from(request)
        .map_err(|e| Error::new(ErrorKind::InvalidRequest, "not a URL").with_source(e.without_url()))?;
    let mut answer = http.execute(request).await.map_err(broken)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > max_body {
            let message = format!("the answer is larger than {max_body} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message).mark_sent());
        }
        body.extend_from_slice(&chunk);
    }
    let mut read = Response::new(body.freeze());
    *read.status_mut() = answer.status();
    *read.headers_mut() = answer.headers().clone();
    Ok(read)
}

fn broken(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_builder() {
        return Error::new(ErrorKind::InvalidRequest, "this makes no valid request").with_source(error);
    }
    if error.is_connect() {
        return Error::new(ErrorKind::Connect, "cannot connect").with_source(Cause::of(&error));
    }
    Error::new(ErrorKind::Connect, "the connection broke").with_source(Cause::of(&error)).mark_sent()
}

/// The cause below reqwest's own levels, which say "error sending request" and no more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl Cause {
    fn of(error: &reqwest::Error) -> Self {
        let mut deepest: &(dyn std::error::Error + 'static) = error;
        let mut level = error.source();
        while let Some(source) = level {
            (deepest, level) = (source, source.source());
        }
        Self(deepest.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine() {
        for (host, expect) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.8.8.8", true),
            ("[::1]", true),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(is_loopback_host(host), expect, "{host}");
        }
    }

    /// A held poll brings its own time limit; what stays silent for longer is dead.
    #[tokio::test]
    async fn a_request_may_say_how_long_it_takes() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings { ca_certificates: &[], timeout: Duration::from_secs(600), max_body: 1 };
        let uri = format!("http://{}/", silent.local_addr().unwrap());
        let within = Within(Duration::from_millis(20));
        let request = Request::get(uri).extension(within).body(Bytes::new()).unwrap();
        let error = Transport::new(&settings).unwrap().call(request).await.unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, true));
    }

    #[tokio::test]
    async fn nothing_leaves_after_its_deadline() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings { ca_certificates: &[], timeout: Duration::from_secs(600), max_body: 1 };
        let mut transport = Transport::new(&settings).unwrap();
        for (left, sent) in [(Duration::ZERO, false), (Duration::from_millis(50), true)] {
            let uri = format!("http://{}/", silent.local_addr().unwrap());
            let deadline = Deadline(tokio::time::Instant::now() + left);
            let request = Request::get(uri).extension(deadline).body(Bytes::new()).unwrap();
            let error = transport.call(request).await.unwrap_err();
            assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, sent));
        }
    }

    #[test]
    fn a_ca_that_is_none() {
        let settings =
            Settings { ca_certificates: &[b"nonsense".to_vec()], timeout: Duration::from_secs(1), max_body: 1 };
        assert_eq!(Transport::new(&settings).unwrap_err().kind(), ErrorKind::Configuration);
    }
}

//! Makes each path a URL of the org. A URL of any other origin is refused here, before the session could leave.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use tower::Service;

use super::Answer;
use crate::{
    Error, ErrorKind, Result,
    auth::{Origin, Session},
};

#[derive(Debug, Clone)]
pub(crate) struct BaseUrl<S> {
    inner: S,
}

impl<S> BaseUrl<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<Request<Bytes>> for BaseUrl<S>
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

    fn call(&mut self, mut request: Request<Bytes>) -> Answer {
        let session = request.extensions().get::<Arc<Session>>().cloned();
        let uri = match session.as_deref().map(|session| resolve(request.uri(), &session.instance)) {
            Some(Ok(uri)) => uri,
            Some(Err(error)) => return Box::pin(async { Err(error) }),
            None => return Box::pin(async { Err(Error::new(ErrorKind::Configuration, "no session to send it with")) }),
        };
        *request.uri_mut() = uri;
        Box::pin(self.inner.call(request))
    }
}

fn resolve(uri: &Uri, instance: &Origin) -> Result<Uri> {
    if let Some(host) = uri.host() {
        if Origin::of(uri).as_ref() != Some(instance) {
            let message = format!("`{host}` is not the org's own address; nothing was sent there");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        return Ok(uri.clone());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{instance}{path}")
        .parse()
        .map_err(|e: http::uri::InvalidUri| Error::new(ErrorKind::InvalidRequest, "not a path").with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_org() {
        let instance = Origin::parse("https://acme.my.salesforce.com").unwrap();
        for (given, expect) in [
            ("/services/data?x=1", Some("https://acme.my.salesforce.com/services/data?x=1")),
            ("//evil.example/x", Some("https://acme.my.salesforce.com//evil.example/x")),
            ("https://acme.my.salesforce.com/a", Some("https://acme.my.salesforce.com/a")),
            ("https://ACME.my.salesforce.com:443/a", Some("https://ACME.my.salesforce.com:443/a")),
            ("http://acme.my.salesforce.com/a", None),
            ("https://acme.my.salesforce.com:8443/a", None),
            ("https://acme.my.salesforce.com.evil.example/a", None),
            ("https://acme.my.salesforce.com@evil.example/a", None),
            ("https://evil.example/a", None),
        ] {
            let seen = resolve(&given.parse().unwrap(), &instance);
            assert_eq!(seen.ok().map(|uri| uri.to_string()).as_deref(), expect, "{given}");
        }
    }
}

//! The client itself.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use serde::de::DeserializeOwned;
use tombolo_schema::ApiVersion;
use tower::ServiceExt as _;

use crate::{
    ApiUsage, ClientBuilder, Error, ErrorKind, Result, Subscribe, Subscription,
    auth::Sessions,
    request::describe,
    stack::{Backoff, Stack, limit::Usage},
};

/// A connection to one Salesforce org as one user. Cheap to clone; clones share the session, the connections and
/// the counters.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    options: Option<HeaderValue>,
}

pub(crate) struct Shared {
    pub(crate) stack: Stack,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) backoff: Backoff,
    pub(crate) version: AtomicU16,
    pub(crate) version_was_chosen: bool,
    pub(crate) renewable: bool,
}

impl Client {
    /// Begins to make a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn new(shared: Shared, name: Option<&str>) -> Result<Self> {
        Ok(Self { shared: Arc::new(shared), options: name.map(call_options).transpose()? })
    }

    /// Logs in now rather than with the first request, and, unless a version was chosen, settles on the newest one
    /// that both sides know. A bare token is tried out, which costs an API call.
    pub async fn login(&self) -> Result<()> {
        let offered = self.versions().await?;
        let newest = offered.iter().map(|offer| offer.version).max();
        if let Some(newest) = newest.filter(|newest| !self.shared.version_was_chosen && *newest < self.api_version()) {
            self.shared.version.store(newest.major(), Ordering::Relaxed);
        }
        if !self.shared.renewable {
            self.send(describe::resources(self.api_version())?).await?;
        }
        Ok(())
    }

    /// The API version in use.
    pub fn api_version(&self) -> ApiVersion {
        ApiVersion::new(self.shared.version.load(Ordering::Relaxed))
    }

    /// The org's own address, scheme and authority only. Logs in if that is how it becomes known.
    pub async fn instance_url(&self) -> Result<String> {
        Ok(self.shared.sessions.current().await?.instance.to_string())
    }

    /// The same client under another `Sforce-Call-Options: client=NAME`, say for one batch of writes.
    pub fn named(&self, name: &str) -> Result<Self> {
        Ok(Self { shared: self.shared.clone(), options: Some(call_options(name)?) })
    }

    /// The number of API calls made by this client and its clones, repeated ones included. Logins, the list of
    /// versions and event polling are not API calls.
    pub fn calls(&self) -> u64 {
        self.shared.usage.calls()
    }

    /// What the last answer said about the org's API calls of the day.
    pub fn api_usage(&self) -> Option<ApiUsage> {
        self.shared.usage.told()
    }

    /// Sends any request to the org: a path such as `/services/data/v66.0/limits`, or a URL of the same origin.
    ///
    /// Retried like everything else, a POST or PATCH only where nothing can have been done. An answer of 400 and
    /// above, and of 300, is an error; redirects are not followed but errors, too.
    pub async fn request(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        let has_body = !request.body().is_empty();
        let headers = request.headers_mut();
        if has_body && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        }
        self.send(request).await
    }

    /// Follows the events of a channel over CometD (API 37.0 and later).
    ///
    /// Nothing is sent before the subscription is polled for the first time. From then on a task of its own keeps
    /// the connection alive; it ends when the subscription is dropped.
    pub fn subscribe(&self, what: Subscribe) -> Subscription {
        Subscription::new(self.clone(), what)
    }

    /// Sends a request through the stack, with the headers that every request of this client has.
    pub(crate) async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        let headers = request.headers_mut();
        if !headers.contains_key(header::ACCEPT) {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        }
        if let Some(options) = &self.options
            && !headers.contains_key(CALL_OPTIONS)
        {
            headers.insert(CALL_OPTIONS, options.clone());
        }
        self.shared.stack.clone().oneshot(request).await
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: Request<Bytes>) -> Result<T> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let answer = self.send(request).await?;
        decode(&answer).map_err(|error| error.with_request(&method, &uri))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("api_version", &self.api_version()).finish_non_exhaustive()
    }
}

/// Reads a JSON answer.
pub(crate) fn decode<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T> {
    serde_json::from_slice(answer.body())
        .map_err(|e| Error::new(ErrorKind::Decode, "the answer is not what this resource answers with").with_source(e))
}

const CALL_OPTIONS: &str = "sforce-call-options";

fn call_options(name: &str) -> Result<HeaderValue> {
    let wrong = || {
        let message = format!("`{name}` cannot be a client's name: letters, digits, blanks and `._-/` can");
        Error::new(ErrorKind::Configuration, message)
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._-/".contains(c);
    if name.trim().is_empty() || !name.chars().all(is_plain) {
        return Err(wrong());
    }
    HeaderValue::try_from(format!("client={name}")).map_err(|_| wrong())
}

/// Cheap to share between tasks and to keep in any collection.
const _: fn() = || {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Client>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_a_header() {
        for (name, expect) in [
            ("payroll", Some("client=payroll")),
            ("tombolo.3.12.7", Some("client=tombolo.3.12.7")),
            ("sfdx toolbelt", Some("client=sfdx toolbelt")),
            ("", None),
            (" ", None),
            ("a;defaultNamespace=b", None),
            ("a,b", None),
            ("a\r\nX: y", None),
            ("ä", None),
        ] {
            let seen = call_options(name).ok().map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(seen.as_deref(), expect, "{name:?}");
        }
    }
}

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
    options::Options,
    request::{Writes, describe},
    stack::{Backoff, ServerClock, Stack, clock::Clock, limit::Usage},
};

/// A connection to one Salesforce org as one user. Cheap to clone; clones share the session, the connections and
/// the counters.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    options: Options,
}

pub(crate) struct Shared {
    pub(crate) stack: Stack,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) clock: Arc<Clock>,
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
        Ok(Self { shared: Arc::new(shared), options: Options::new(name)? })
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

    /// The number of API calls made by this client and its clones, repeated ones included. Logins, the list of
    /// versions and event polling are not API calls.
    pub fn calls(&self) -> u64 {
        self.shared.usage.calls()
    }

    /// What the last answer said about the org's API calls of the day.
    pub fn api_usage(&self) -> Option<ApiUsage> {
        self.shared.usage.told()
    }

    /// What the last answer, to this client or a clone, said about the org's clock.
    pub fn server_clock(&self) -> Option<ServerClock> {
        self.shared.clock.last()
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
        let client = Self { options: self.options.unhurried(), ..self.clone() };
        Subscription::new(client, what)
    }

    /// Sends a request through the stack, with the headers that every request of this client has.
    pub(crate) async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        let headers = request.headers_mut();
        if !headers.contains_key(header::ACCEPT) {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        }
        self.options.apply(&mut request);
        self.shared.stack.clone().oneshot(request).await
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: Request<Bytes>) -> Result<T> {
        self.read_with(request, decode).await
    }

    /// Sends a request and reads its answer in its own way. Where it writes, an answer that cannot be read is as
    /// good as lost.
    pub(crate) async fn read_with<T>(
        &self,
        request: Request<Bytes>,
        read: impl FnOnce(&Response<Bytes>) -> Result<T>,
    ) -> Result<T> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let writes = request.extensions().get::<Writes>().is_some();
        let answer = self.send(request).await?;
        read(&answer).map_err(|error| {
            let error = error.with_request(&method, &uri).mark_sent();
            if writes { error.into_unknown_outcome() } else { error }
        })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn with_options(&self, change: impl FnOnce(&mut Options)) -> Self {
        let mut client = self.clone();
        change(&mut client.options);
        client
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

/// Cheap to share between tasks and to keep in any collection.
const _: fn() = || {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Client>();
};

//! The network, as layers in one order, outermost first:
//!
//! 1. `trace`: one line a call
//! 2. `retry`: judges the answer, and sends again what may be sent again
//! 3. `limit`: counts calls and keeps what the org says about its allocation
//! 4. `auth`: adds the session; renews it once when it has expired
//! 5. `clock`: keeps what time it is for the org
//! 6. `base_url`: makes the path a URL of the org, and lets nothing else pass
//! 7. `transport`: sends

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use crate::{Error, Result, auth::Sessions};

pub(crate) mod auth;
pub(crate) mod base_url;
pub(crate) mod clock;
pub(crate) mod limit;
mod policy;
pub(crate) mod retry;
pub(crate) mod trace;
pub(crate) mod transport;

pub use clock::ServerClock;
pub(crate) use policy::Backoff;
pub use policy::RetryPolicy;

/// What every layer answers with.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Bytes>>> + Send>>;

/// The whole stack. Neither its layers nor its transport show in its type.
pub(crate) type Stack = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, Error>;

/// Puts the layers on a transport.
pub(crate) fn stack(
    transport: Stack,
    sessions: Arc<Sessions>,
    usage: Arc<limit::Usage>,
    clock: Arc<clock::Clock>,
    policy: &RetryPolicy,
) -> Stack {
    let layered = ServiceBuilder::new()
        .layer_fn(trace::Trace::new)
        .layer_fn(|inner| retry::Retry::new(inner, policy))
        .layer_fn(|inner| limit::Limit::new(inner, usage.clone()))
        .layer_fn(|inner| auth::Auth::new(inner, sessions.clone()))
        .layer_fn(|inner| clock::Watch::new(inner, clock.clone()))
        .layer_fn(base_url::BaseUrl::new)
        .service(transport);
    BoxCloneSyncService::new(layered)
}

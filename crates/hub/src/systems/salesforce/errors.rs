//! What the client's errors mean to the hub: one table.

use tombolo_client::{Error as ClientError, ErrorKind as ClientKind};

use crate::{Error, ErrorKind};

/// Says what could not be done, and what kind of trouble that is.
pub(super) fn failed(what: impl Into<String>, error: ClientError) -> Error {
    let kind = match error.kind() {
        ClientKind::Connect | ClientKind::Timeout | ClientKind::Unavailable => ErrorKind::Connect,
        ClientKind::Login | ClientKind::SessionExpired => ErrorKind::Login,
        ClientKind::Configuration => ErrorKind::Usage,
        _ => ErrorKind::Failed,
    };
    let retryable = error.is_retryable();
    Error::new(kind, what).may_pass(retryable).with_source(error)
}

/// Whether trouble with a subscription is trouble with the session, and not with the channel.
pub(super) fn is_session(error: &ClientError) -> bool {
    matches!(error.kind(), ClientKind::Login | ClientKind::SessionExpired | ClientKind::Configuration)
}

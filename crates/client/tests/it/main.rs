//! The client against a scripted server, and against recorded answers where the shared folder is at hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at what it did not expect"
)]

mod composite;
mod events;
mod fixtures;
mod rows;
mod server;
mod sessions;
mod writes;

use std::time::Duration;

use tombolo_client::{Client, ClientBuilder, Credentials, Fields, RetryPolicy};

/// Retries without waiting: the delays have tests of their own.
fn impatient() -> RetryPolicy {
    RetryPolicy::default().delays(Duration::from_millis(1), Duration::from_millis(2)).seed(1)
}

fn fields(value: serde_json::Value) -> Fields {
    value.as_object().cloned().unwrap()
}

fn builder(origin: &str) -> ClientBuilder {
    Client::builder().credentials(Credentials::token(origin, "00D000000000001!token-0")).retry(impatient())
}

fn client(origin: &str) -> Client {
    builder(origin).build().unwrap()
}

fn password(origin: &str) -> Credentials {
    Credentials::Password {
        login_url: origin.into(),
        username: "admin@example.com".into(),
        password: "hunter2".to_owned().into(),
        security_token: "TOK".to_owned().into(),
        client_id: "id".into(),
        client_secret: "secret".to_owned().into(),
    }
}

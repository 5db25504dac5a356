//! Events over CometD: a state machine that knows no network, and a task that performs what it asks for.

mod bayeux;
mod components;
mod cookies;
mod machine;
mod message;
mod subscription;
mod trouble;

pub use message::{ChangeEventHeader, ChangeMessage, Replay, ReplayId, StreamItem, Subscribe};
pub use subscription::Subscription;

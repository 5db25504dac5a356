//! The sync engine without IO: changes, positions, and what to do about them.
//!
//! The engine takes events and returns effects; it opens no connection, asks no clock and rolls no dice. What performs
//! the effects is `tombolo-hub`. So years of trouble can be driven through it in seconds.
//!
//! Here today: what a [`Change`] and a [`Position`] are, how the header of a change event becomes changes, and
//! [`mirror::Mirror`], which keeps one entity equal in a store.
//!
//! ```
//! use jiff::Timestamp;
//! use tombolo_engine::mirror::{Effect, Input, Mirror, Settings, State};
//!
//! let now = Timestamp::UNIX_EPOCH;
//! let mut mirror = Mirror::new(Settings::default(), State::default());
//! // Before anything is read, the stream is opened: the start without a hole.
//! assert_eq!(mirror.step(now, Input::Start), [Effect::Subscribe(None)]);
//! assert!(matches!(mirror.step(now, Input::Opened(now))[..], [Effect::Ask(_)]));
//! ```
#![deny(missing_docs)]

mod change;
mod header;
mod hints;
pub mod mirror;
mod position;
mod row;
pub mod sync;

pub use change::{Change, ChangeIdentity, ChangeKind, Key};
pub use header::ChangeHeader;
pub use position::{Position, Transport};
pub use row::{Cursor, Row};

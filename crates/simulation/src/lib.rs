//! Years of trouble for the sync engine, drawn from a seed, and the oracle that judges what it made of them.
//!
//! A [`History`] says what people do on both sides and what goes wrong; [`World`] is a Salesforce org, an application's
//! database, a state store and the processes that drive an [`Engine`], all on one virtual clock; [`judge`] knows what
//! was committed on each side, and of each write which commits it had seen, and nothing of how the engine works.
//!
//! ```no_run
//! use tombolo_engine::sync::Shard;
//!
//! for seed in 0..1000 {
//!     if let Some(failure) = tombolo_simulation::check::<Shard>(seed, None) {
//!         panic!("{failure}");
//!     }
//! }
//! ```
#![deny(missing_docs)]

pub mod canon;
pub mod database;
pub mod dice;
mod draw;
mod engine;
mod explore;
pub mod history;
pub mod ledger;
pub mod moment;
pub mod oracle;
pub mod org;
pub mod plan;
mod run;
mod shrink;
pub mod sketch;
pub mod store;
pub mod world;

pub use draw::history;
pub use engine::Engine;
pub use explore::{Explored, Found, Walk, explore};
pub use history::History;
pub use oracle::{Violation, judge};
pub use run::{Failure, check, story, verdict, wrong, wrong_with};
pub use shrink::shrink;
pub use world::World;

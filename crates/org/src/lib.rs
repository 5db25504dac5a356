//! A local Salesforce org that unmodified third-party clients work against: REST, SOAP login, OAuth, change events
//! over CometD, on top of SQLite.
//!
//! It is a server for tests and development on one's own machine. It is not Salesforce: `docs/deviations.md` lists
//! where it differs, and it is not affiliated with Salesforce.
//!
//! ```no_run
//! use tombolo_org::{CdcSelection, OrgConfig, RunningOrg};
//!
//! # async fn example() -> Result<(), tombolo_org::OrgError> {
//! let org = RunningOrg::start(OrgConfig { cdc: CdcSelection::All, ..OrgConfig::default() }).await?;
//! println!("{} {}", org.ready().instance_url, org.ready().access_token);
//! org.stop().await;
//! # Ok(())
//! # }
//! ```
// Describe answers are written as they look, and they are long.
#![recursion_limit = "512"]

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod config;
mod core;
mod running;
mod server;
mod store;
mod wire;

pub use config::{OrgConfig, Ready};
pub use core::faults::{Fault, FaultId, FaultKind, FaultSpan, Rewrite, fault_kinds};
pub use core::{CdcSelection, ClockMode, LimitProfile, SchemaEdit, Storage};
pub use running::{OrgError, RunningOrg};
pub use server::{RunningFile, running};
pub use wire::routes::served_paths;

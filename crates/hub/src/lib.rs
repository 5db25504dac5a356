//! The engine's IO shell: sources, stores, and the mirror that joins one of each.
//!
//! [`mirror::Mirror`] keeps Salesforce objects in SQLite or PostgreSQL: a first reading, then every change as it is
//! told, with the state beside the data. What to do next is decided in `tombolo-engine`; here it is done. It is not a
//! two-way sync: nothing is written to Salesforce.
//!
//! ```no_run
//! use tombolo_client::{Client, Credentials};
//! use tombolo_hub::mirror::{Mirror, MirrorOptions};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder()
//!     .credentials(Credentials::token("https://example.my.salesforce.com", "00D…!…"))
//!     .build()?;
//! let options = MirrorOptions::new(["Contact", "Account"], "sqlite:org.db".parse()?);
//! let mirror = Mirror::open(client, options).await?;
//! let (progress, _) = tokio::sync::mpsc::channel(100);
//! let report = mirror.run(async { drop(tokio::signal::ctrl_c().await) }, progress).await?;
//! println!("{} objects", report.objects.len());
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

pub mod config;
mod error;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod mirror;
pub mod operate;
mod state;
mod store;
pub mod sync;
mod systems;

pub use error::{Error, ErrorKind, Result};

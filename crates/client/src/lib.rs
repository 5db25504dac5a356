//! The Salesforce SDK: one cheap-to-clone [`Client`], requests built as values, everything long as a stream.
//!
//! It logs in by itself, renews a session once for however many calls found it expired, retries what is safe to
//! repeat, says so when the outcome of a write is unknown, and follows change events with their replay positions.
//! It is not an object mapper, it keeps no state on disk, and it is not affiliated with Salesforce.
//!
//! ```no_run
//! use futures_util::TryStreamExt;
//! use tombolo_client::{Client, Credentials};
//!
//! # async fn run() -> tombolo_client::Result<()> {
//! let client = Client::builder()
//!     .credentials(Credentials::token("https://example.my.salesforce.com", "00D…!…"))
//!     .client_name("payroll")
//!     .build()?;
//! let mut contacts = client.query("SELECT Id, LastName FROM Contact ORDER BY Id");
//! while let Some(contact) = contacts.try_next().await? {
//!     println!("{:?} {:?}", contact.id(), contact.get("LastName"));
//! }
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

mod auth;
mod builder;
mod client;
mod error;
mod events;
mod options;
mod request;
mod rest;
mod soap;
mod stack;

pub use auth::Credentials;
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{ApiError, Error, ErrorKind, Result};
pub use events::{ChangeEventHeader, ChangeMessage, Replay, ReplayId, StreamItem, Subscribe, Subscription};
pub use request::Subrequest;
pub use rest::{
    AllOrNone, ApiUsage, ChildRelationship, Collections, Composite, CompositeResponse, DeletedRecord, DeletedRecords,
    FieldDescribe, Fields, GlobalDescribe, Identity, Limit, Limits, ObjectDescribe, ObjectSummary, PicklistEntry,
    QueryPage, Record, RecordStream, RecordTypeInfo, SaveResult, SubResponse, UpdatedRecords, Version,
};
pub use secrecy::SecretString;
pub use stack::{RetryPolicy, ServerClock};

/// The examples of the README compile, too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

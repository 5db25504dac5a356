//! What Salesforce is made of: Ids, API versions, error codes, field types and values,
//! and the facts about objects and fields that describe, SOQL and DML all rest on.
//!
//! It is not a wire format: nothing here knows JSON or XML. The client and the local org
//! each spell their own names, so that one wrong name cannot pass both sides.
//!
//! ```
//! use tombolo_schema::{FieldType, Id};
//!
//! let id = Id::parse("0015500001QdQWa")?;
//! assert_eq!(id.as_str(), "0015500001QdQWaAAN");
//! assert_eq!(id.key_prefix(), "001");
//! assert!(Id::parse("0015500001QdQWaAAA").is_err(), "a wrong checksum is no Id");
//! assert_eq!(FieldType::from_name("currency"), Some(FieldType::Currency));
//! # Ok::<(), tombolo_schema::InvalidId>(())
//! ```
#![deny(missing_docs)]

mod api_version;
mod error_code;
mod field;
mod field_type;
mod id;
mod object;
#[cfg(feature = "standard-objects")]
mod standard;
mod value;

pub use api_version::{ApiVersion, InvalidApiVersion};
pub use error_code::ErrorCode;
pub use field::{DefaultValue, Field, FieldFlags, PicklistValue};
pub use field_type::FieldType;
pub use id::{Id, InvalidId};
pub use object::{ChildRelationship, Object, ObjectFlags, Scope};
#[cfg(feature = "standard-objects")]
pub use standard::{compact, standard_objects};
pub use value::{InvalidValue, Value, format_datetime, format_time, parse_date, parse_datetime, parse_time};

//! The REST resources: rows, queries, collections, describe, replication, limits, identity.

mod collections;
mod composite;
mod describe;
mod identity;
mod limits;
mod pages;
mod query;
mod record;
mod replication;
mod rows;
mod undelete;

pub use collections::{AllOrNone, Collections};
pub use composite::{Composite, CompositeResponse, SubResponse};
pub use describe::{
    ChildRelationship, FieldDescribe, GlobalDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo,
};
pub use identity::{Identity, Version};
pub use limits::{ApiUsage, Limit, Limits};
pub use query::{QueryPage, RecordStream};
pub use record::{Fields, Record};
pub use replication::{DeletedRecord, DeletedRecords, UpdatedRecords};
pub use rows::SaveResult;

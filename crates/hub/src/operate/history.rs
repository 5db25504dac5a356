//! The life of a record.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use tombolo_engine::sync::{History, Link};
use tombolo_schema::Id;

use super::{
    record::{Names, RecordSide, plain},
    status::spelled,
};

/// The life of a record in one mapping.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordHistory {
    /// The mapping.
    pub mapping: String,
    /// The record.
    pub record: [RecordSide; 2],
    /// What was done, oldest first.
    pub steps: Vec<StepView>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// When.
    pub at: Timestamp,
    /// `heard`, `read`, `linked`, `decided`, `sent`, `answered`, `confirmed`, `parked`.
    pub step: String,
    /// The connection that it concerns.
    pub connection: String,
    /// The fields and values concerned.
    pub values: Map<String, Json>,
    /// In words.
    pub note: String,
}

impl RecordHistory {
    pub(super) fn new(names: Names<'_>, link: &Link, steps: Vec<History>) -> Self {
        let steps = steps.into_iter().map(|step| StepView {
            at: step.at,
            step: spelled(&step.step),
            connection: names.connection(link.mapping, step.side),
            values: step.values.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            note: step.note,
        });
        Self {
            mapping: names.mapping(link.mapping),
            record: names.record(link.mapping, &link.keys),
            steps: steps.collect(),
        }
    }
}

/// The keys that a person may mean by what was typed: an Id of 15 characters is one of 18.
pub(super) fn keys_of(typed: &str) -> Vec<String> {
    let mut keys = vec![typed.to_owned()];
    if typed.len() == 15
        && let Ok(id) = Id::parse(typed)
    {
        keys.push(id.to_string());
    }
    keys
}

//! Conflicts, and writes that a system refuses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use tombolo_engine::sync::{Conflict, DeadLetter, Side};

use super::{
    record::{Names, RecordSide, plain},
    status::spelled,
};

/// Two ends that moved apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictView {
    /// By what it is named.
    pub id: String,
    /// The mapping.
    pub mapping: String,
    /// The record.
    pub record: [RecordSide; 2],
    /// `edit`, `late`, `delete`, `first_merge`, `match`, `severed`, `duplicate`.
    pub kind: String,
    /// The field at each end; none for the record as a whole.
    pub field: Option<[String; 2]>,
    /// What each end had shown before.
    pub before: [Json; 2],
    /// What each end moved to.
    pub values: [Json; 2],
    /// When each end moved.
    pub times: [Option<Timestamp>; 2],
    /// The connection whose value was taken; none while a person has to decide.
    pub winner: Option<String>,
    /// By what rule, or by whom.
    pub rule: String,
    /// When it was found.
    pub at: Timestamp,
}

/// A write that a system refuses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetterView {
    /// The mapping.
    pub mapping: String,
    /// The record.
    pub record: [RecordSide; 2],
    /// The connection that refuses.
    pub refused_by: String,
    /// The fields that are not written; empty for the record as a whole.
    pub fields: Vec<String>,
    /// The system's own code.
    pub code: String,
    /// Its own words.
    pub message: String,
    /// Since when.
    pub at: Timestamp,
}

/// Dead letters, and what they have in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetters {
    /// Newest first.
    pub dead_letters: Vec<DeadLetterView>,
    /// Their causes, the most frequent first.
    pub causes: Vec<Cause>,
}

/// Why several writes are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The mapping.
    pub mapping: String,
    /// The connection that refuses.
    pub refused_by: String,
    /// Its code.
    pub code: String,
    /// How many.
    pub count: usize,
    /// What may be done about it.
    pub remedy: &'static str,
}

impl ConflictView {
    pub(super) fn new(names: Names<'_>, conflict: Conflict) -> Self {
        let shown = |values: &[Option<tombolo_engine::sync::Stored>; 2]| {
            values.each_ref().map(|value| value.as_ref().map_or(Json::Null, plain))
        };
        Self {
            mapping: names.mapping(conflict.mapping),
            record: names.record(conflict.mapping, &conflict.keys),
            kind: spelled(&conflict.kind),
            before: shown(&conflict.images),
            values: shown(&conflict.values),
            times: conflict.times,
            winner: conflict.winner.map(|side| names.connection(conflict.mapping, side)),
            field: conflict.field,
            rule: conflict.rule,
            at: conflict.at,
            id: conflict.id,
        }
    }
}

impl DeadLetters {
    pub(super) fn new(names: Names<'_>, letters: Vec<DeadLetter>) -> Self {
        let mut counts: BTreeMap<(usize, Side, String), usize> = BTreeMap::new();
        for letter in &letters {
            *counts.entry((letter.mapping, letter.side, letter.cause.code.clone())).or_default() += 1;
        }
        let mut causes: Vec<Cause> = counts
            .into_iter()
            .map(|((mapping, side, code), count)| Cause {
                mapping: names.mapping(mapping),
                refused_by: names.connection(mapping, side),
                remedy: remedy(&code),
                code,
                count,
            })
            .collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        let dead_letters = letters
            .into_iter()
            .map(|letter| DeadLetterView {
                mapping: names.mapping(letter.mapping),
                record: names.record(letter.mapping, &letter.keys),
                refused_by: names.connection(letter.mapping, letter.side),
                fields: letter.fields,
                code: letter.cause.code,
                message: letter.cause.message,
                at: letter.at,
            })
            .collect();
        Self { dead_letters, causes }
    }
}

/// What may be done about a refusal, by its code: Salesforce's words, and the five digits of SQL.
fn remedy(code: &str) -> &'static str {
    match code {
        "PARENT_MISSING" => "its parent has no record on the other end: look why that is, then retry",
        "REQUIRED_FIELD_MISSING" | "23502" => "a required field is blank: give it a value where it comes from",
        "STRING_TOO_LONG" | "22001" => "the value is too long there: shorten it, or widen the field, then retry",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" => "add the value to the picklist, or change it where it comes from",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" | "23514" => {
            "a rule of that system refuses it: change the value or the rule"
        }
        "DUPLICATE_VALUE" | "23505" => "another record has this value already: make one of them give way, then retry",
        "DUPLICATES_DETECTED" => "a duplicate rule refuses it: merge the records, or set `duplicates: allow`",
        "INVALID_EMAIL_ADDRESS"
        | "INVALID_TYPE_ON_FIELD_IN_RECORD"
        | "NUMBER_OUTSIDE_VALID_RANGE"
        | "22003"
        | "22P02" => "the value is none that the field takes: change it where it comes from",
        "INSUFFICIENT_ACCESS_OR_READONLY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "INVALID_FIELD_FOR_INSERT_UPDATE"
        | "42501" => "the user that writes may not: give it the permission, then retry",
        "INVALID_CROSS_REFERENCE_KEY" | "23503" => "it refers to a record that is not there: look for it, then retry",
        "UNABLE_TO_LOCK_ROW" | "40001" | "40P01" => "somebody else held the record: retry",
        "ENTITY_IS_DELETED" => "the record was deleted there",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" => {
            "automation in Salesforce fails on it: look into the flow or trigger that the message names"
        }
        _ => "see the message; when its cause is gone, retry",
    }
}

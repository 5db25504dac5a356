//! A record of a mapping, as people are shown it.

use serde::Serialize;
use serde_json::Value as Json;
use tombolo_engine::sync::{Key, MappingIndex, Side, Stored};

use crate::config::{Config, Mapping};

/// A record at one end of its mapping.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordSide {
    /// The connection.
    pub connection: String,
    /// The object or table.
    pub entity: String,
    /// The record's key there.
    pub key: Option<String>,
}

/// The names of a file's mappings and ends.
#[derive(Clone, Copy)]
pub(super) struct Names<'c>(pub(super) &'c Config);

impl<'c> Names<'c> {
    fn of(self, mapping: MappingIndex) -> Option<&'c Mapping> {
        self.0.mappings.get(mapping)
    }

    /// A mapping's name; its number, if the file has it no more.
    pub(super) fn mapping(self, mapping: MappingIndex) -> String {
        self.of(mapping).map_or_else(|| format!("mapping {mapping}"), |mapping| mapping.name.value.clone())
    }

    /// The connection of an end.
    pub(super) fn connection(self, mapping: MappingIndex, side: Side) -> String {
        let end = self.of(mapping).map(|mapping| &mapping.ends[side]);
        end.map_or_else(|| word(side).to_owned(), |end| end.connection.value.clone())
    }

    /// The object or table of an end.
    pub(super) fn entity(self, mapping: MappingIndex, side: Side) -> String {
        let end = self.of(mapping).map(|mapping| &mapping.ends[side]);
        end.map(|end| end.entity.value.clone()).unwrap_or_default()
    }

    /// Both ends of a record.
    pub(super) fn record(self, mapping: MappingIndex, keys: &[Option<Key>; 2]) -> [RecordSide; 2] {
        Side::BOTH.map(|side| RecordSide {
            connection: self.connection(mapping, side),
            entity: self.entity(mapping, side),
            key: keys[side].clone(),
        })
    }
}

const fn word(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

/// A value as JSON has it: dates and times as text.
pub(super) fn plain(value: &Stored) -> Json {
    match value {
        Stored::Null => Json::Null,
        Stored::Boolean(yes) => (*yes).into(),
        Stored::Int(number) => (*number).into(),
        Stored::Double(number) => (*number).into(),
        Stored::Text(text) => text.as_str().into(),
        Stored::Date(day) => day.to_string().into(),
        Stored::DateTime(moment) => moment.to_string().into(),
        Stored::Time(time) => time.to_string().into(),
    }
}

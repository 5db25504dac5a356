//! Change events: what is selected, what a write made, and the log that subscribers read.

mod changes;
mod encoding;
mod log;
mod misreport;

use std::sync::Arc;

use tombolo_schema::Id;

use super::record::Output;
pub(crate) use changes::{Change, Commit, change_events};
pub(crate) use log::EventLog;

/// What happened to the records of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ChangeType {
    Create,
    Update,
    Delete,
    Undelete,
    GapCreate,
    GapUpdate,
    GapDelete,
    GapUndelete,
    GapOverflow,
}

impl ChangeType {
    const ALL: [Self; 9] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Undelete,
        Self::GapCreate,
        Self::GapUpdate,
        Self::GapDelete,
        Self::GapUndelete,
        Self::GapOverflow,
    ];

    /// As the header spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Undelete => "UNDELETE",
            Self::GapCreate => "GAP_CREATE",
            Self::GapUpdate => "GAP_UPDATE",
            Self::GapDelete => "GAP_DELETE",
            Self::GapUndelete => "GAP_UNDELETE",
            Self::GapOverflow => "GAP_OVERFLOW",
        }
    }

    fn from_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == text)
    }
}

/// A change event, before a wire format writes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChangeEvent {
    /// `Account`, `Property__c`
    pub(crate) entity: String,
    pub(crate) change_type: ChangeType,
    pub(crate) record_ids: Vec<Id>,
    /// Of updates: `Name`, `BillingAddress.City`.
    pub(crate) changed_fields: Vec<String>,
    /// The body (streaming.md 2.2), compounds nested under the names change events give their parts.
    pub(crate) fields: Vec<(Arc<str>, Output)>,
    /// `com/salesforce/api/rest/66.0;client=x`
    pub(crate) origin: String,
    pub(crate) transaction_key: String,
    pub(crate) sequence_number: u32,
    /// Milliseconds, of whole seconds.
    pub(crate) commit_timestamp: i64,
    /// Beyond 2^53.
    pub(crate) commit_number: u64,
    pub(crate) commit_user: Id,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredEvent {
    pub(crate) replay_id: u64,
    pub(crate) event: ChangeEvent,
}

/// A channel of change events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// `/data/ChangeEvents`
    All,
    /// `/data/AccountChangeEvent`, `/data/X__ChangeEvent`: the object's name as the channel spells it.
    Entity(String),
}

impl Channel {
    /// Reads a channel's name; names are case-sensitive (streaming.md 1.7).
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let event = name.strip_prefix("/data/")?;
        if event == "ChangeEvents" {
            return Some(Self::All);
        }
        match event.strip_suffix("ChangeEvent")? {
            "" => None,
            custom if custom.ends_with("__") => Some(Self::Entity(format!("{custom}c"))),
            standard => Some(Self::Entity(standard.to_owned())),
        }
    }

    /// The channel's name.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::All => "/data/ChangeEvents".to_owned(),
            Self::Entity(object) => {
                let stem = object.strip_suffix("__c").map_or_else(|| object.clone(), |stem| format!("{stem}__"));
                format!("/data/{stem}ChangeEvent")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels() {
        for (name, object) in [
            ("/data/AccountChangeEvent", "Account"),
            ("/data/Property__ChangeEvent", "Property__c"),
            ("/data/ns__Thing__ChangeEvent", "ns__Thing__c"),
        ] {
            let channel = Channel::parse(name).unwrap();
            assert_eq!(channel, Channel::Entity(object.to_owned()));
            assert_eq!(channel.name(), name);
        }
        assert_eq!(Channel::parse("/data/ChangeEvents"), Some(Channel::All));
        for name in ["/data/ChangeEvent", "/topic/X", "/data/Account", ""] {
            assert_eq!(Channel::parse(name), None, "{name}");
        }
    }

    #[test]
    fn change_types_are_read_back() {
        for change in ChangeType::ALL {
            assert_eq!(ChangeType::from_str(change.as_str()), Some(change));
        }
    }
}

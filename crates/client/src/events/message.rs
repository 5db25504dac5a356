//! What a subscriber asks for and what it gets.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

use super::components;
use crate::Fields;

/// A position in a channel. Opaque: it is not a number to compute with or to compare, only to give back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayId(String);

impl ReplayId {
    /// The position with this text, as [`as_str`](Self::as_str) once gave it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to keep.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Replay {
    /// With what happens from now on.
    #[default]
    New,
    /// With everything that is retained: up to three days, and each event counts.
    All,
    /// After this position.
    After(ReplayId),
}

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The channel, such as `/data/AccountChangeEvent`. The case matters.
    pub channel: String,
    /// Where to begin.
    pub replay: Replay,
}

impl Subscribe {
    /// The channel, from now on.
    pub fn new(channel: impl Into<String>) -> Self {
        Self { channel: channel.into(), replay: Replay::New }
    }

    /// Begins elsewhere.
    pub fn from(mut self, replay: Replay) -> Self {
        self.replay = replay;
        self
    }
}

/// What a [`Subscription`](crate::Subscription) gives.
///
/// It begins with `Opened`. After trouble on the way comes an error that
/// [`is_retryable`](crate::Error::is_retryable), and then, in the same stream, either `Reconnected` (nothing was
/// missed) or `PositionLost` followed by `Opened` (something may have been).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "nearly every item is an event")]
pub enum StreamItem {
    /// The server accepted the subscription: every event after this moment will come.
    Opened {
        /// The server's clock (the answer's `Date`), whole seconds.
        server_time: Timestamp,
    },
    /// An event.
    Event(ChangeMessage),
    /// The position is gone: it has expired, or the stream was lost before its first event. What happened in
    /// between has to be found by reading. The stream goes on with new events, after another `Opened`.
    PositionLost {
        /// What the server said, or what happened.
        reason: String,
    },
    /// The stream was interrupted and goes on where it stopped.
    Reconnected,
}

/// An event as it was delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeMessage {
    /// The channel it came through.
    pub channel: String,
    /// Its position.
    pub replay: ReplayId,
    /// What is known about the change. All empty for an event that is not a change event.
    pub header: ChangeEventHeader,
    /// The fields as they came, without the header. Parts of compound fields are nested.
    pub payload: Fields,
}

impl ChangeMessage {
    /// The fields as rows have them: parts of compound fields by their own names (`Name.FirstName` is `FirstName`,
    /// `MailingAddress.City` is `MailingCity`), without those of which only a difference was sent.
    ///
    /// ```no_run
    /// # fn show(event: tombolo_client::ChangeMessage) {
    /// for (field, value) in event.fields() {
    ///     println!("{field} is now {value}");
    /// }
    /// # }
    /// ```
    pub fn fields(&self) -> Fields {
        components::fields(&self.payload)
    }

    /// The fields of which only a difference was sent, as is done with long texts: their values have to be read.
    pub fn diffed(&self) -> Vec<&str> {
        let wrapped = self.payload.iter().filter(|(_, value)| components::is_difference(value));
        let mut names: Vec<&str> = wrapped.map(|(name, _)| name.as_str()).collect();
        for name in &self.header.diff_fields {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}

/// What is known about a change (streaming.md 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ChangeEventHeader {
    /// The object.
    pub entity_name: String,
    /// The records: often one; several when changes were merged; `001*` or `000000000000000AAA` for a whole object.
    pub record_ids: Vec<String>,
    /// `CREATE`, `UPDATE`, `DELETE`, `UNDELETE`, `GAP_CREATE`…, `GAP_OVERFLOW`.
    pub change_type: String,
    /// For an update: the fields, parts of compound ones as `BillingAddress.City`; see
    /// [`changed_components`](Self::changed_components).
    pub changed_fields: Vec<String>,
    /// The fields that were emptied. CometD leaves it out: there an empty field is null in the payload.
    pub nulled_fields: Vec<String>,
    /// The fields of which only a difference was sent. CometD leaves it out; see [`ChangeMessage::diffed`].
    pub diff_fields: Vec<String>,
    /// The API and client that made the change: `com/salesforce/api/rest/66.0;client=payroll`.
    pub change_origin: String,
    /// The same for all changes of a transaction.
    pub transaction_key: String,
    /// The place in the transaction, from 1.
    pub sequence_number: u32,
    /// When it was committed, in milliseconds.
    pub commit_timestamp: i64,
    /// The number of the commit; exceeds 2^53.
    pub commit_number: u64,
    /// The user's Id.
    pub commit_user: String,
}

impl ChangeEventHeader {
    /// The changed fields as rows have them: `BillingAddress.City` is `BillingCity`.
    pub fn changed_components(&self) -> Vec<String> {
        self.changed_fields.iter().flat_map(|name| components::names(name)).collect()
    }

    /// Who made the change: the NAME of `Sforce-Call-Options: client=NAME`, where one was given.
    pub fn client_name(&self) -> Option<&str> {
        let (_, name) = self.change_origin.split_once(";client=")?;
        // Some of Salesforce's own clients come with a slash behind (streaming.md 2.1).
        Some(name.split(';').next().unwrap_or(name).trim_end_matches('/')).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_made_it() {
        for (origin, expect) in [
            ("com/salesforce/api/rest/66.0;client=tombolo.7.3.1042", Some("tombolo.7.3.1042")),
            ("com/salesforce/api/rest/49.0;client=sfdx toolbelt", Some("sfdx toolbelt")),
            ("com/salesforce/api/soap/60.0;client=SfdcInternalAPI/", Some("SfdcInternalAPI")),
            ("com/salesforce/api/rest/56.0", None),
            ("com/salesforce/api/rest/56.0;client=", None),
            ("", None),
        ] {
            let header = ChangeEventHeader { change_origin: origin.to_owned(), ..Default::default() };
            assert_eq!(header.client_name(), expect, "{origin}");
        }
    }
}

//! What a CometD server answers, read leniently (streaming.md 1).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ChangeEventHeader, ChangeMessage, ReplayId};

/// One message of an answer. Which keys are there depends on the channel and on the server's mood.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Message {
    pub(super) channel: String,
    pub(super) client_id: Option<String>,
    pub(super) successful: Option<bool>,
    pub(super) error: Option<String>,
    pub(super) advice: Option<Advice>,
    ext: Option<Value>,
    data: Option<Value>,
}

/// What the server wants to happen next.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Advice {
    pub(super) reconnect: Option<String>,
    /// Milliseconds to wait before the next connect.
    pub(super) interval: Option<u64>,
    /// Milliseconds for which a connect is held.
    pub(super) timeout: Option<u64>,
}

impl Message {
    /// The true cause of a failure: `ext.sfdc.failureReason` where there is one. Beside it, `error` shows something
    /// unrelated (streaming.md 1.5).
    pub(super) fn reason(&self) -> Option<&str> {
        let nested = self.ext.as_ref().and_then(|ext| ext.get("sfdc")?.get("failureReason")?.as_str());
        nested.or(self.error.as_deref())
    }

    /// The event that the message delivers, if it is a delivery.
    pub(super) fn event(&self) -> Option<Delivery> {
        if self.channel.starts_with("/meta/") {
            return None;
        }
        let data = self.data.as_ref()?;
        let replay = match data.get("event").and_then(|event| event.get("replayId")) {
            Some(Value::String(text)) => Some(ReplayId::new(text.clone())),
            Some(Value::Number(number)) => Some(ReplayId::new(number.to_string())),
            _ => None,
        };
        let mut payload = match data.get("payload").or_else(|| data.get("sobject")) {
            Some(Value::Object(fields)) => fields.clone(),
            Some(other) => Map::from_iter([("payload".to_owned(), other.clone())]),
            None => Map::new(),
        };
        let header = payload.shift_remove("ChangeEventHeader");
        Some(Delivery {
            channel: self.channel.clone(),
            replay,
            header: header.as_ref().map(read_header).unwrap_or_default(),
            payload,
        })
    }
}

/// An event whose position may be missing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    pub(super) replay: Option<ReplayId>,
    channel: String,
    header: ChangeEventHeader,
    payload: Map<String, Value>,
}

impl Delivery {
    pub(super) fn at(self, replay: ReplayId) -> ChangeMessage {
        ChangeMessage { channel: self.channel, replay, header: self.header, payload: self.payload }
    }
}

/// Key by key: one that is odd must not cost the others, nor the event.
fn read_header(header: &Value) -> ChangeEventHeader {
    let text = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |name: &str| {
        let items = header.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let number = |name: &str| header.get(name).and_then(Value::as_u64).unwrap_or_default();
    ChangeEventHeader {
        entity_name: text("entityName"),
        record_ids: list("recordIds"),
        change_type: text("changeType"),
        changed_fields: list("changedFields"),
        nulled_fields: list("nulledFields"),
        diff_fields: list("diffFields"),
        change_origin: text("changeOrigin"),
        transaction_key: text("transactionKey"),
        sequence_number: u32::try_from(number("sequenceNumber")).unwrap_or(u32::MAX),
        commit_timestamp: header.get("commitTimestamp").and_then(Value::as_i64).unwrap_or_default(),
        commit_number: number("commitNumber"),
        commit_user: text("commitUser"),
    }
}

/// Reads an answer: an array, or the single object that some servers send. `None` if it is neither, or no Bayeux.
pub(super) fn read(body: &[u8]) -> Option<Vec<Message>> {
    let entries = match serde_json::from_slice(body).ok()? {
        Value::Array(entries) => entries,
        entry @ Value::Object(_) => vec![entry],
        _ => return None,
    };
    let messages: Vec<Message> = entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
    messages.iter().any(|message| !message.channel.is_empty()).then_some(messages)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nested_reason_wins() {
        for (body, reason) in [
            (
                r#"{"channel":"/meta/connect","error":"401::Authentication invalid","ext":{"sfdc":{"failureReason":"503::Server is too busy."}}}"#,
                Some("503::Server is too busy."),
            ),
            (r#"[{"channel":"/meta/connect","error":"403::Unknown client"}]"#, Some("403::Unknown client")),
            (r#"[{"channel":"/meta/connect","ext":{"replay":true},"successful":true}]"#, None),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap()[0].reason(), reason, "{body}");
        }
    }

    #[test]
    fn deliveries() {
        let change = r#"{"channel":"/data/ChangeEvents","data":{"schema":"s","event":{"replayId":15529464},"payload":
            {"Name":"M","ChangeEventHeader":{"commitNumber":1709306004367179779,"recordIds":["a02"],"changeType":"UPDATE",
             "sequenceNumber":1,"entityName":"D__c","commitTimestamp":1708850804000,"changedFields":["Name"],"odd":[]}}}}"#;
        let event = read(change.as_bytes()).unwrap()[0].event().unwrap();
        assert_eq!(event.replay, Some(ReplayId::new("15529464")));
        assert_eq!(event.payload.keys().collect::<Vec<_>>(), ["Name"]);
        assert_eq!(
            (event.header.entity_name.as_str(), event.header.commit_number),
            ("D__c", 1_709_306_004_367_179_779)
        );

        let topic = r#"{"channel":"/topic/T","data":{"event":{"replayId":"x7"},"sobject":{"Id":"001"}}}"#;
        let event = read(topic.as_bytes()).unwrap()[0].event().unwrap();
        assert_eq!((event.replay, event.payload.len()), (Some(ReplayId::new("x7")), 1));

        let generic = r#"{"channel":"/u/x","data":{"event":{},"payload":"text"}}"#;
        let event = read(generic.as_bytes()).unwrap()[0].event().unwrap();
        assert_eq!((event.replay, event.payload["payload"].as_str()), (None, Some("text")));

        assert_eq!(read(br#"{"channel":"/meta/connect","data":{}}"#).unwrap()[0].event(), None);
    }

    #[test]
    fn what_is_no_bayeux() {
        for body in ["", "<html>", "[]", "[1]", "{}", r#"[{"errorCode":"X"}]"#] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_answered(body in ".{0,200}") {
            let _ = read(body.as_bytes());
        }
    }
}

//! Bayeux messages: what clients send, and the answers with exactly the keys that Salesforce's have (streaming.md 1).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::wire::json_in::{self, Elements};

/// A message from a client; what else it holds is of no interest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Message {
    pub(super) channel: Option<String>,
    pub(super) client_id: Option<String>,
    /// Text or number, echoed as it came.
    pub(super) id: Option<Value>,
    pub(super) supported_connection_types: Option<Vec<String>>,
    pub(super) connection_type: Option<String>,
    /// One channel, or several.
    pub(super) subscription: Option<Value>,
    pub(super) ext: Option<Value>,
    pub(super) advice: Option<Value>,
}

impl Message {
    /// faye sends `timeout: 0` along with other messages and counts on an answer at once (streaming.md 1.4).
    pub(super) fn wants_no_wait(&self) -> bool {
        self.advice.as_ref().and_then(|advice| advice.get("timeout")).and_then(Value::as_f64) == Some(0.0)
    }

    /// The channels to subscribe to.
    pub(super) fn subscriptions(&self) -> Vec<String> {
        match &self.subscription {
            Some(Value::String(channel)) => vec![channel.clone()],
            Some(Value::Array(channels)) => channels.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    }

    /// The replay id asked for on a channel, as it was written; a channel's query string is no part of its name.
    pub(super) fn replay(&self, channel: &str) -> Option<&Value> {
        let asked = self.ext.as_ref()?.get("replay")?.as_object()?;
        let name = without_query(channel);
        asked.iter().find(|(key, _)| without_query(key) == name).map(|(_, id)| id)
    }
}

/// A channel's name without the filter behind it.
pub(super) fn without_query(channel: &str) -> &str {
    channel.split('?').next().unwrap_or_default()
}

/// Reads a body: an array of messages, or a single one (streaming.md 1.1).
pub(super) fn read(body: &str) -> Option<Vec<Message>> {
    if body.trim_start().starts_with('{') {
        return json_in::parse(body).ok().map(|message| vec![message]);
    }
    let Elements(elements) = json_in::parse(body).ok()?;
    elements.into_iter().map(|element| json_in::parse(element.get()).ok()).collect()
}

/// What a client is advised to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Begin again.
    Handshake,
    /// Stop.
    None,
}

impl Advice {
    fn rendered(self) -> Value {
        match self {
            Self::Handshake => json!({ "interval": 0, "reconnect": "handshake" }),
            Self::None => json!({ "reconnect": "none", "interval": 0 }),
        }
    }
}

/// A reply in the making: keys in the order in which they are added.
pub(super) struct ReplyTo(Map<String, Value>);

impl ReplyTo {
    pub(super) fn new() -> Self {
        Self(Map::new())
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn with_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// A successful handshake. There is no advice in it (streaming.md 1.3).
pub(super) fn handshaken(message: &Message, client_id: &str) -> Value {
    ReplyTo::new()
        .with("ext", json!({ "replay": true, "payload.format": true }))
        .with("minimumVersion", "1.0")
        .with("clientId", client_id)
        .with("supportedConnectionTypes", json!(["long-polling"]))
        .with("channel", "/meta/handshake")
        .with_some("id", message.id.clone())
        .with("version", "1.0")
        .with("successful", true)
        .done()
}

/// A refused handshake; the cause is told in `ext`.
pub(super) fn handshake_denied(message: &Message, cause: &str) -> Value {
    ReplyTo::new()
        .with("ext", json!({ "sfdc": { "failureReason": cause }, "replay": true, "payload.format": true }))
        .with("advice", json!({ "reconnect": "none" }))
        .with("channel", "/meta/handshake")
        .with_some("id", message.id.clone())
        .with("error", "403::Handshake denied")
        .with("successful", false)
        .done()
}

/// The answer to a poll; only the first after a handshake comes with advice (streaming.md 1.4).
pub(super) fn connected(message: &Message, client_id: &str, first: bool) -> Value {
    let advice = first.then(|| json!({ "interval": 0, "timeout": 110_000, "reconnect": "retry" }));
    ReplyTo::new()
        .with("clientId", client_id)
        .with_some("advice", advice)
        .with("channel", "/meta/connect")
        .with_some("id", message.id.clone())
        .with("successful", true)
        .done()
}

/// The answer to subscribe, unsubscribe and disconnect.
pub(super) fn agreed(message: &Message, subscription: Option<&str>) -> Value {
    ReplyTo::new()
        .with_some("clientId", message.client_id.clone())
        .with_some("channel", message.channel.clone())
        .with_some("id", message.id.clone())
        .with_some("subscription", subscription)
        .with("successful", true)
        .done()
}

/// The refusal of one message.
pub(super) fn refused(message: &Message, error: &str, advice: Option<Advice>, subscription: Option<&str>) -> Value {
    ReplyTo::new()
        .with_some("clientId", message.client_id.clone().filter(|_| advice != Some(Advice::Handshake)))
        .with_some("advice", advice.map(Advice::rendered))
        .with_some("channel", message.channel.clone())
        .with_some("id", message.id.clone())
        .with_some("subscription", subscription)
        .with("error", error)
        .with("successful", false)
        .done()
}

/// A disconnect nobody asked for; it precedes the refusals that advise to stop (streaming.md 1.5).
pub(super) fn unsolicited_disconnect() -> Value {
    json!({ "channel": "/meta/disconnect" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        read(text).unwrap().remove(0)
    }

    #[test]
    fn single_messages_and_arrays_are_read() {
        assert_eq!(read(r#"{"channel":"/meta/handshake"}"#).unwrap().len(), 1);
        assert_eq!(read(r#" [{"channel":"/meta/connect"},{"channel":"/meta/subscribe"}]"#).unwrap().len(), 2);
        assert_eq!(read("[]").unwrap().len(), 0);
        for text in ["", "x", "[1]", "{", "\"a\"", "[{\"channel\":1}]"] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn replay_ids_are_found() {
        let subscribe = message(r#"{"ext":{"replay":{"/data/A?x=1":"-2","/data/B":7,"/data/C":null}}}"#);
        assert_eq!(subscribe.replay("/data/A"), Some(&json!("-2")));
        assert_eq!(subscribe.replay("/data/B"), Some(&json!(7)));
        assert_eq!(subscribe.replay("/data/C"), Some(&Value::Null));
        assert_eq!(subscribe.replay("/data/D"), None);
        assert_eq!(message(r#"{"ext":{"replay":true}}"#).replay("/data/A"), None);
    }

    #[test]
    fn replies_have_exactly_their_keys() {
        let sent = message(r#"{"channel":"/meta/connect","clientId":"c1","id":"9"}"#);
        for (reply, expected) in [
            (
                handshaken(&sent, "c1"),
                r#"{"ext":{"replay":true,"payload.format":true},"minimumVersion":"1.0","clientId":"c1","supportedConnectionTypes":["long-polling"],"channel":"/meta/handshake","id":"9","version":"1.0","successful":true}"#,
            ),
            (
                connected(&sent, "c1", true),
                r#"{"clientId":"c1","advice":{"interval":0,"timeout":110000,"reconnect":"retry"},"channel":"/meta/connect","id":"9","successful":true}"#,
            ),
            (
                connected(&sent, "c1", false),
                r#"{"clientId":"c1","channel":"/meta/connect","id":"9","successful":true}"#,
            ),
            (
                refused(&sent, "403::Unknown client", Some(Advice::Handshake), None),
                r#"{"advice":{"interval":0,"reconnect":"handshake"},"channel":"/meta/connect","id":"9","error":"403::Unknown client","successful":false}"#,
            ),
            (
                refused(&sent, "401::Authentication invalid", Some(Advice::None), None),
                r#"{"clientId":"c1","advice":{"reconnect":"none","interval":0},"channel":"/meta/connect","id":"9","error":"401::Authentication invalid","successful":false}"#,
            ),
        ] {
            assert_eq!(reply.to_string(), expected);
        }
    }
}

//! Bayeux messages to `/cometd/XX.0` (streaming.md 1). The type is not put into the path: Salesforce answers on the
//! bare one.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json as value};
use tombolo_schema::ApiVersion;

use super::{Repeat, Unjudged, Within, json, path::Path};
use crate::{Replay, Result};

/// What a subscriber says to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Say {
    Handshake,
    Connect { client_id: String },
    Subscribe { client_id: String, channel: String, replay: Replay },
    Disconnect { client_id: String },
}

pub(crate) fn message(version: ApiVersion, id: u64, say: &Say, within: Duration) -> Result<Request<Bytes>> {
    let id = id.to_string();
    let message = match say {
        Say::Handshake => value!({
            "channel": "/meta/handshake", "id": id, "version": "1.0", "minimumVersion": "1.0",
            "supportedConnectionTypes": ["long-polling"], "ext": {"replay": true},
        }),
        Say::Connect { client_id } => value!({
            "channel": "/meta/connect", "id": id, "clientId": client_id, "connectionType": "long-polling",
        }),
        Say::Subscribe { client_id, channel, replay } => value!({
            "channel": "/meta/subscribe", "id": id, "clientId": client_id, "subscription": channel,
            "ext": {"replay": {bare_channel(channel): position(replay)}},
        }),
        Say::Disconnect { client_id } => value!({
            "channel": "/meta/disconnect", "id": id, "clientId": client_id,
        }),
    };
    let path = Path::verbatim(&format!("/cometd/{version}"));
    let mut request = json(Method::POST, path, &[message], Repeat::Never)?;
    request.extensions_mut().insert(Unjudged);
    request.extensions_mut().insert(Within(within));
    Ok(request)
}

/// The replay map is keyed by the channel without its filter (streaming.md 1.6).
fn bare_channel(channel: &str) -> &str {
    channel.split('?').next().unwrap_or(channel)
}

/// Positions are opaque, but go back as the JSON they came as: a number where it was one.
fn position(replay: &Replay) -> Value {
    match replay {
        Replay::New => value!(-1),
        Replay::All => value!(-2),
        Replay::After(id) => match id.as_str().parse::<u64>() {
            Ok(number) if number.to_string() == id.as_str() => value!(number),
            _ => value!(id.as_str()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::show, *};
    use crate::ReplayId;

    #[test]
    fn every_message() {
        let client_id = || "c1".to_owned();
        let subscribe =
            |channel: &str, replay| Say::Subscribe { client_id: client_id(), channel: channel.into(), replay };
        for (say, body) in [
            (
                Say::Handshake,
                r#"{"channel":"/meta/handshake","id":"7","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"replay":true}}"#,
            ),
            (
                Say::Connect { client_id: client_id() },
                r#"{"channel":"/meta/connect","id":"7","clientId":"c1","connectionType":"long-polling"}"#,
            ),
            (
                subscribe("/data/ChangeEvents", Replay::New),
                r#"{"channel":"/meta/subscribe","id":"7","clientId":"c1","subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":-1}}}"#,
            ),
            (
                subscribe("/topic/T?Field=1", Replay::After(ReplayId::new("15529464"))),
                r#"{"channel":"/meta/subscribe","id":"7","clientId":"c1","subscription":"/topic/T?Field=1","ext":{"replay":{"/topic/T":15529464}}}"#,
            ),
            (
                subscribe("/data/X", Replay::After(ReplayId::new("007"))),
                r#"{"channel":"/meta/subscribe","id":"7","clientId":"c1","subscription":"/data/X","ext":{"replay":{"/data/X":"007"}}}"#,
            ),
            (Say::Disconnect { client_id: client_id() }, r#"{"channel":"/meta/disconnect","id":"7","clientId":"c1"}"#),
        ] {
            let request = message(ApiVersion::new(66), 7, &say, Duration::from_secs(1)).unwrap();
            assert_eq!(show(&request), ("POST /cometd/66.0".into(), format!("[{body}]")));
        }
    }
}

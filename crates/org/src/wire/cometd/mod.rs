//! CometD: change events over Bayeux long polls (streaming.md 1). A state machine per client; the log is the core's.

mod clients;
pub(crate) mod duplicates;
mod event;
mod message;
mod poll;
mod subscribe;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture, stream};
use http::{HeaderValue, StatusCode, header::AUTHORIZATION, header::SET_COOKIE};
use serde_json::{Value, json, value::RawValue};
use tombolo_schema::ApiVersion;

pub(crate) use self::clients::Clients;
use self::{
    clients::{Client, End, Subscription},
    message::{Advice, Message},
    poll::{Asked, Polled},
    subscribe::Replay,
};
use super::{
    answer::{self, Outcome, Refusal, Reply},
    call::Call,
    dispatch::NEWEST,
    gate::DropThis,
};
use crate::core::security::Session;

/// Versions before this one are not served (streaming.md 1.1).
const OLDEST: ApiVersion = ApiVersion::new(37);

/// Why a message has no session.
#[derive(Debug, Clone, Copy)]
enum Stranger {
    /// No Authorization at all.
    Unnamed,
    /// One that is not valid, or not any more.
    Unknown,
}

impl Stranger {
    fn error(self) -> &'static str {
        match self {
            Self::Unnamed => "401::Request requires authentication",
            Self::Unknown => "401::Authentication invalid",
        }
    }
}

/// `POST /cometd/66.0[/handshake|connect|…]`
pub(crate) fn serve(call: Call) -> BoxFuture<'static, Outcome> {
    async move { Ok(answer_all(call).await) }.boxed()
}

/// The refusal of a body that is too large.
pub(crate) fn too_large() -> Refusal {
    let body = json!([{ "error": "413::Maximum Request Size Exceeded", "successful": false }]);
    Refusal::Finished(Box::new(answer::json(StatusCode::PAYLOAD_TOO_LARGE, &body)))
}

/// The refusal of a body that does not arrive, or cannot be unpacked.
pub(crate) fn not_read(message: &str) -> Refusal {
    Refusal::Finished(Box::new(whole_refused(&format!("400::{message}"))))
}

async fn answer_all(call: Call) -> Reply {
    if let Some(error) = version_error(&call) {
        return whole_refused(&error);
    }
    let Some(messages) = std::str::from_utf8(&call.body).ok().and_then(message::read) else {
        return whole_refused("400::The request body is no Bayeux message");
    };
    let session = session_of(&call);
    let mut replies = Vec::new();
    let mut shook_hands = false;
    let mut poll = None;
    for message in messages {
        match message.channel.as_deref().unwrap_or_default() {
            "/meta/handshake" => {
                let (reply, agreed) = handshake(&call, &session, &message);
                shook_hands |= agreed;
                replies.push(reply);
            }
            // The poll is answered last, however the messages are ordered.
            "/meta/connect" => poll = Some(message),
            _ => replies.extend(other(&call, &session, &message).await),
        }
    }
    let polled = match poll {
        Some(message) => connect(&call, &session, &message).await,
        None => Polled::Answer { events: Vec::new(), replies: Vec::new() },
    };
    let mut reply = match polled {
        Polled::Answer { events, replies: last } => rendered(replies, events, last),
        Polled::Cut { events } => broken_off(&events),
    };
    if shook_hands {
        set_cookies(&call, &mut reply);
    }
    reply
}

fn handshake(call: &Call, session: &Result<Session, Stranger>, message: &Message) -> (Value, bool) {
    let session = match session {
        Ok(session) => session,
        Err(stranger) => return (message::handshake_denied(message, stranger.error()), false),
    };
    let types = message.supported_connection_types.as_deref();
    if let Some(types) = types.filter(|types| !types.iter().any(|kind| kind == "long-polling")) {
        let error = format!("400::Invalid connection type {}", types.first().map_or("", String::as_str));
        return (message::refused(message, &error, Some(Advice::None), None), false);
    }
    let id = call.app.security.random_text(28).to_ascii_lowercase().replace(['.', '_'], "0");
    call.app.cometd.add(id.clone(), session.user_id, call.app.core.clock().now());
    (message::handshaken(message, &id), true)
}

async fn connect(call: &Call, session: &Result<Session, Stranger>, message: &Message) -> Polled {
    let quiet = |reply| Polled::Answer { events: Vec::new(), replies: vec![reply] };
    let session = match session {
        Ok(session) => session,
        Err(stranger) => {
            let refusal = message::refused(message, stranger.error(), Some(Advice::None), None);
            return Polled::Answer { events: Vec::new(), replies: vec![message::unsolicited_disconnect(), refusal] };
        }
    };
    if let Some(kind) = message.connection_type.as_deref().filter(|kind| *kind != "long-polling") {
        let error = format!("400::Invalid connection type {kind}");
        return quiet(message::refused(message, &error, Some(Advice::None), None));
    }
    match client_of(call, session, message) {
        Ok(client) => poll::hold(&call.app, &client, Asked { path: &call.path, session, message }).await,
        Err(refusal) => quiet(refusal),
    }
}

/// Subscribe, unsubscribe, disconnect, and what is none of them.
async fn other(call: &Call, session: &Result<Session, Stranger>, message: &Message) -> Vec<Value> {
    let named = message.subscriptions();
    let first = named.first().map(String::as_str);
    let session = match session {
        Ok(session) => session,
        Err(stranger) => return vec![message::refused(message, stranger.error(), Some(Advice::None), first)],
    };
    let client = match client_of(call, session, message) {
        Ok(client) => client,
        Err(refusal) => return vec![refusal],
    };
    client.answered(call.app.core.clock().now());
    match message.channel.as_deref().unwrap_or_default() {
        "/meta/subscribe" => {
            let mut replies = Vec::new();
            for name in if named.is_empty() { vec![String::new()] } else { named } {
                replies.push(subscribe(call, &client, message, &name).await);
            }
            replies
        }
        "/meta/unsubscribe" => named
            .iter()
            .map(|name| {
                client.unsubscribe(name);
                message::agreed(message, Some(name))
            })
            .collect(),
        "/meta/disconnect" => {
            call.app.cometd.end(&client, End::Disconnected);
            // The held poll ends first, without events (clients.md).
            drop(client.turn.lock().await);
            vec![message::agreed(message, None)]
        }
        "" => vec![message::refused(message, "400::Channel name not specified", None, None)],
        _ => vec![message::refused(message, "403::Restricted channel", None, None)],
    }
}

async fn subscribe(call: &Call, client: &Arc<Client>, message: &Message, name: &str) -> Value {
    let refused = |error: &str| message::refused(message, error, None, Some(name).filter(|name| !name.is_empty()));
    let bare = message::without_query(name).to_owned();
    let channel = match subscribe::channel(&call.app.core.schema(), &bare) {
        Ok(channel) => channel,
        Err(error) => return refused(&error),
    };
    let replay = Replay::read(message.replay(&bare));
    let (app, path, wanted) = (Arc::clone(&call.app), call.path.clone(), bare.clone());
    let begin = move || subscribe::begin_after(&app, &path, &wanted, replay);
    match tokio::task::spawn_blocking(begin).await {
        Ok(Ok(Ok(after))) => {
            client.subscribe(&bare, Subscription { channel, after });
            message::agreed(message, Some(name))
        }
        Ok(Ok(Err(error))) => refused(&error),
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot find a position in the event log");
            refused("500::Internal error")
        }
        Err(error) => {
            tracing::error!(%error, "cannot find a position in the event log");
            refused("500::Internal error")
        }
    }
}

/// The client that a message comes from, or its refusal.
fn client_of(call: &Call, session: &Session, message: &Message) -> Result<Arc<Client>, Value> {
    let subscriptions = message.subscriptions();
    let named = subscriptions.first().map(String::as_str);
    let Some(id) = message.client_id.as_deref().filter(|id| !id.is_empty()) else {
        let error = "403::Client has not completed handshake";
        return Err(message::refused(message, error, Some(Advice::Handshake), named));
    };
    let Some(client) = call.app.cometd.find(id, call.app.core.clock().now()) else {
        return Err(message::refused(message, "403::Unknown client", Some(Advice::Handshake), named));
    };
    if client.user_id != session.user_id {
        let error = "400::Authenticated user id does not match the session's user id";
        return Err(message::refused(message, error, Some(Advice::None), named));
    }
    Ok(client)
}

/// The session of a request: three styles of Authorization are in use, one of them the bare token (streaming.md 1.1).
fn session_of(call: &Call) -> Result<Session, Stranger> {
    let header = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::trim);
    let header = header.filter(|header| !header.is_empty()).ok_or(Stranger::Unnamed)?;
    let token = header.split_once(' ').map_or(header, |(_, token)| token.trim());
    call.app.authenticate(token, &call.path).map_err(|_| Stranger::Unknown)
}

fn version_error(call: &Call) -> Option<String> {
    if call.param("version").is_empty() {
        return Some(format!("400::API version in the URI is mandatory. URI format: '/cometd/{NEWEST}'"));
    }
    (call.version < OLDEST || call.version > NEWEST).then(|| {
        format!(
            "400::Unsupported API version. Only API versions '{OLDEST}' and later are supported. URI format: '/cometd/{NEWEST}'"
        )
    })
}

/// The refusal of a request as a whole.
fn whole_refused(error: &str) -> Reply {
    let body = json!([{ "channel": "/meta/handshake", "error": error, "successful": false, "advice": { "reconnect": "none" } }]);
    answer::json(StatusCode::BAD_REQUEST, &body)
}

/// One array: replies to what else was sent, the events, the reply to the poll.
fn rendered(replies: Vec<Value>, events: Vec<Box<RawValue>>, last: Vec<Value>) -> Reply {
    let raw = |value: Value| serde_json::value::to_raw_value(&value).unwrap_or_default();
    let all: Vec<_> = replies.into_iter().map(raw).chain(events).chain(last.into_iter().map(raw)).collect();
    answer::json(StatusCode::OK, &all)
}

/// Half an answer, or none.
fn broken_off(events: &[Box<RawValue>]) -> Reply {
    if events.is_empty() {
        let mut reply = answer::json(StatusCode::OK, &json!([]));
        reply.extensions_mut().insert(DropThis);
        return reply;
    }
    let whole = serde_json::to_vec(events).unwrap_or_default();
    let half = Bytes::copy_from_slice(&whole[..whole.len() / 2]);
    let pieces: [Result<Bytes, std::io::Error>; 2] = [Ok(half), Err(std::io::ErrorKind::ConnectionReset.into())];
    let mut reply = answer::json(StatusCode::OK, &());
    *reply.body_mut() = Body::from_stream(stream::iter(pieces));
    reply
}

/// The cookies of a handshake (streaming.md 1.2). Nothing here needs them back.
fn set_cookies(call: &Call, reply: &mut Reply) {
    let secure = if call.origin.is_secure() { ";Secure" } else { "" };
    let secret = |length| call.app.security.random_text(length).replace(['.', '_'], "0");
    for cookie in [
        format!("BrowserId={};Path=/", secret(22)),
        format!("t={};Path=/cometd/;HttpOnly", secret(22)),
        format!("BAYEUX_BROWSER={};Path=/cometd/{secure}", secret(28)),
        format!("sfdc-stream=!{};path=/", secret(40)),
    ] {
        if let Ok(value) = HeaderValue::try_from(cookie) {
            reply.headers_mut().append(SET_COOKIE, value);
        }
    }
}

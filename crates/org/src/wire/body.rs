//! Reading request bodies: how much is taken, and in whose words the rest is refused.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT},
    request::Parts,
};
use http_body_util::BodyExt;
use tombolo_schema::ErrorCode;

use super::{answer::Refusal, cometd, oauth, routes::Door, soap};

/// Salesforce takes bodies up to 50 MB, and 32,768 bytes over CometD (rest.md 2.4, streaming.md 1.1).
const MAX_BODY: usize = 50 * 1024 * 1024;
const MAX_COMETD_BODY: usize = 32_768;
/// What is too large is still read, unkept, so that the sender comes to see the refusal; but not without end.
const MAX_DISCARDED: usize = 512 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a body up to the door's limit. What is beyond is read, too, but not kept.
pub(super) async fn read(parts: &Parts, body: Body, door: Door) -> Result<Bytes, Refusal> {
    let limit = if door == Door::Cometd { MAX_COMETD_BODY } else { MAX_BODY };
    if sender_waits(parts) && declared(parts).is_some_and(|length| length > limit) {
        // The sender waits for a word before it sends: it gets the last one.
        return Err(too_large(limit, door));
    }
    match tokio::time::timeout(PATIENCE, collect(body, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large(limit, door)),
        Ok(Err(())) => Err(unreadable(door, "The request body ended early or cannot be unpacked")),
        Err(_) => Err(unreadable(door, "The request body took too long to arrive")),
    }
}

/// Reads a body away: a refusal that comes before it is read would reach a sender that still writes as a reset.
pub(super) async fn discard(parts: &Parts, body: Body) {
    if !sender_waits(parts) {
        // Neither time nor size says anything any more: the request is refused as it is.
        drop(tokio::time::timeout(PATIENCE, collect(body, 0)).await);
    }
}

/// Names the packing of a body as the layer that unpacks it knows it, or refuses it in Salesforce's shape.
pub(super) fn settle_encoding(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let named: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    let named = named.join(",").trim().to_ascii_lowercase();
    let settled = match named.as_str() {
        "" | "identity" => None,
        "gzip" | "x-gzip" => Some(HeaderValue::from_static("gzip")),
        "deflate" => Some(HeaderValue::from_static("deflate")),
        other => {
            let message = format!("Content-Encoding {other} is not supported here; send gzip, deflate or none");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Refusal::new(status, ErrorCode::UnsupportedMediaType, message));
        }
    };
    headers.remove(CONTENT_ENCODING);
    if let Some(settled) = settled {
        headers.insert(CONTENT_ENCODING, settled);
    }
    Ok(())
}

fn sender_waits(parts: &Parts) -> bool {
    parts.headers.contains_key(EXPECT)
}

fn declared(parts: &Parts) -> Option<usize> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, or none when there is more than the limit.
async fn collect(mut body: Body, limit: usize) -> Result<Option<Bytes>, ()> {
    let mut kept = BytesMut::new();
    let mut total = 0usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ())?.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total > MAX_DISCARDED {
            break;
        }
        if total <= limit {
            kept.extend_from_slice(&data);
        } else {
            kept = BytesMut::new();
        }
    }
    Ok((total <= limit).then(|| kept.freeze()))
}

fn too_large(limit: usize, door: Door) -> Refusal {
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    let message = format!("The request body is larger than {limit} bytes");
    match door {
        Door::Cometd => cometd::too_large(),
        Door::Soap => soap::not_read(status, message),
        Door::OAuth => oauth::not_read(status, message),
        _ => Refusal::new(status, ErrorCode::Other("EXCEEDED_MAX_SIZE_REQUEST".to_owned()), message),
    }
}

fn unreadable(door: Door, message: &str) -> Refusal {
    match door {
        Door::Cometd => cometd::not_read(message),
        Door::Soap => soap::not_read(StatusCode::INTERNAL_SERVER_ERROR, message.to_owned()),
        Door::OAuth => oauth::not_read(StatusCode::BAD_REQUEST, message.to_owned()),
        _ => Refusal::bad(ErrorCode::JsonParserError, message),
    }
}

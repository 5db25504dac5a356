//! OAuth: the token endpoint and revocation (rest.md 1.2-1.4, 1.11).

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, StatusCode, header::AUTHORIZATION};
use serde::Serialize;

use super::{
    answer::{self, Outcome, Refusal, with_header},
    call::{Call, parse_form},
    identity, multipart,
};
use crate::core::security::{CLIENT_ID, CLIENT_SECRET, Session};

#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    instance_url: String,
    id: String,
    token_type: &'static str,
    issued_at: String,
    signature: String,
}

/// `POST /services/oauth2/token`
pub(crate) fn token(call: &Call) -> Outcome {
    let form = parameters(call)?;
    let value = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    match value("grant_type") {
        "password" => {}
        _ => return Err(refused("unsupported_grant_type", "grant type not supported")),
    }
    let basic = basic_credentials(call);
    let (client, secret) = match &basic {
        Some((client, secret)) => (client.as_str(), secret.as_str()),
        None => (value("client_id"), value("client_secret")),
    };
    if client != CLIENT_ID {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    if secret != CLIENT_SECRET {
        return Err(refused("invalid_client", "invalid client credentials"));
    }
    let now = call.app.core.clock().now();
    let session = call
        .app
        .security
        .login(value("username"), value("password"), now)
        .map_err(|_| refused("invalid_grant", "authentication failure"))?;
    let reply = answer::json(StatusCode::OK, &granted(call, &session));
    Ok(with_header(reply, HeaderName::from_static("x-readonlymode"), "false"))
}

fn granted<'a>(call: &Call, session: &'a Session) -> TokenBody<'a> {
    let id = identity::url(call, Some(session.user_id));
    let issued_at = call.app.core.clock().now().as_millisecond().to_string();
    TokenBody {
        access_token: &session.token,
        instance_url: call.origin.instance_url(),
        signature: signature(&id, &issued_at),
        id,
        token_type: "Bearer",
        issued_at,
    }
}

/// Whoever knows the secret can tell that Salesforce made the answer: HMAC-SHA256 over id and issued_at (rest.md 1.3).
fn signature(id: &str, issued_at: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()))
}

/// `GET|POST /services/oauth2/revoke`
pub(crate) fn revoke(call: &Call) -> Outcome {
    let form = parameters(call)?;
    let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let revoked = value("token").is_some_and(|token| call.app.security.revoke(token));
    // A poll of the session is told at once.
    call.app.cometd.wake_all();
    match (revoked, value("callback")) {
        (true, None) => Ok(answer::text(StatusCode::OK, "text/plain;charset=UTF-8", "")),
        (true, Some(callback)) => Ok(answer::text(StatusCode::OK, "application/javascript", jsonp(callback)?)),
        (false, _) => {
            // Clients read this one error as a query string (rest.md 1.11).
            let body = "error=invalid_token&error_description=invalid%20token";
            Ok(answer::text(StatusCode::BAD_REQUEST, "application/x-www-form-urlencoded", body))
        }
    }
}

/// A callback is a name; anything else would be a script of the caller's.
fn jsonp(callback: &str) -> Result<String, Refusal> {
    let named = !callback.is_empty() && callback.chars().all(|c| c.is_ascii_alphanumeric() || "_$.".contains(c));
    if named { Ok(format!("{callback}({{}});")) } else { Err(refused("invalid_request", "invalid callback")) }
}

/// The parameters of the query, a form, or a multipart body: all three occur (rest.md 1.2).
fn parameters(call: &Call) -> Result<Vec<(String, String)>, Refusal> {
    let mut parameters = call.query.clone();
    match call.media_type().as_deref() {
        Some("multipart/form-data") => {
            let content_type = call.header("content-type").unwrap_or_default();
            let parts = multipart::text_parts(content_type, &call.body);
            parameters.extend(parts.ok_or_else(|| refused("invalid_request", "malformed multipart body"))?);
        }
        _ => parameters.extend(parse_form(&String::from_utf8_lossy(&call.body))),
    }
    Ok(parameters)
}

fn basic_credentials(call: &Call) -> Option<(String, String)> {
    let value = call.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (client, secret) =
        String::from_utf8(decoded).ok()?.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    Some((client, secret))
}

fn refused(error: &'static str, description: &str) -> Refusal {
    refused_with(StatusCode::BAD_REQUEST, error, description)
}

/// The refusal of a request that could not be read.
pub(super) fn not_read(status: StatusCode, message: String) -> Refusal {
    refused_with(status, "invalid_request", &message)
}

fn refused_with(status: StatusCode, error: &str, description: &str) -> Refusal {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a str,
        error_description: &'a str,
    }
    let body = Body { error, error_description: description };
    Refusal::Finished(Box::new(answer::json(status, &body)))
}

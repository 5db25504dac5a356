//! From a routed request to its handler: version, session, body, and back.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode, header::AUTHORIZATION, request::Parts};
use http_body_util::BodyExt;
use tombolo_schema::{ApiVersion, ErrorCode};
use tracing::Instrument;

use super::{
    App,
    answer::{Outcome, Refusal, Reply, with_header},
    body,
    call::{Call, parse_form},
    gate::{Counted, Untouched, Wrote},
    origin::Origin,
    routes::{Door, Effect, Handler, Methods, Route, panicked},
};
use crate::core::security::Session;

/// The versions that are served; older ones are retired, newer ones not there yet.
pub(crate) const OLDEST: ApiVersion = ApiVersion::new(31);
pub(crate) const NEWEST: ApiVersion = ApiVersion::new(68);

/// Answers a request whose path is served.
pub(crate) async fn serve(
    app: Arc<App>,
    methods: Arc<Methods>,
    params: Vec<(String, String)>,
    request: Request<Body>,
) -> Reply {
    let (parts, body) = request.into_parts();
    let door = methods.door();
    let reply = match admitted(&app, &methods, &params, &parts) {
        Ok(admitted) => match body::read(&parts, body, door).await {
            Ok(body) => {
                let route = admitted.route;
                run(route, call_of(&app, parts, params, body, admitted)).await
            }
            Err(refusal) => refusal.into_reply(),
        },
        Err(refusal) => {
            body::discard(&parts, body).await;
            refusal.into_reply()
        }
    };
    if door == Door::Rest { with_usage(&app, reply) } else { reply }
}

/// Answers a request whose path is not served.
pub(crate) async fn not_served(app: Arc<App>, request: Request<Body>) -> Reply {
    let (parts, body) = request.into_parts();
    body::discard(&parts, body).await;
    let refusal = match parts.uri.path().strip_prefix("/services/data/") {
        Some(rest) => {
            let version = rest.split('/').next().unwrap_or_default().to_owned();
            let params = [("version".to_owned(), version)];
            let query = parse_form(parts.uri.query().unwrap_or_default());
            let admitted = version_of(Door::Rest, &params).and_then(|_| admit(&app, Door::Rest, &parts, &query));
            admitted.err().unwrap_or_else(Refusal::not_found)
        }
        None => Refusal::not_found(),
    };
    refusal.into_reply()
}

/// What is known of a request before its body is read.
struct Admitted {
    route: &'static Route,
    version: ApiVersion,
    query: Vec<(String, String)>,
    session: Option<Session>,
}

fn admitted(app: &App, methods: &Methods, params: &[(String, String)], parts: &Parts) -> Result<Admitted, Refusal> {
    let door = methods.door();
    let version = version_of(door, params)?;
    let query = parse_form(parts.uri.query().unwrap_or_default());
    let session = admit(app, door, parts, &query)?;
    match methods.get(&parts.method) {
        Some(route) => Ok(Admitted { route, version, query, session }),
        None => Err(Refusal::method_not_allowed(parts.method.as_str(), &methods.allowed())),
    }
}

fn call_of(app: &Arc<App>, parts: Parts, params: Vec<(String, String)>, body: Bytes, admitted: Admitted) -> Call {
    let origin = parts.extensions.get::<Origin>().cloned();
    Call {
        app: Arc::clone(app),
        core: app.core.clone(),
        path: parts.uri.path().to_owned(),
        method: parts.method,
        params,
        query: admitted.query,
        headers: parts.headers,
        body,
        origin: origin.unwrap_or_else(|| Origin { scheme: "http", authority: "localhost".to_owned() }),
        version: admitted.version,
        session: admitted.session,
    }
}

/// Runs a handler; what it did is noted on the answer for the gate.
async fn run(route: &'static Route, call: Call) -> Reply {
    let span = tracing::debug_span!("request", method = %call.method, path = route.path);
    let app = Arc::clone(&call.app);
    let pretty = call.header("x-prettyprint").is_some_and(|value| value != "0");
    let outcome: Outcome = match route.handler {
        Handler::Waiting(handler) => handler(call).instrument(span).await,
        Handler::Blocking(handler) => {
            let work = move || span.in_scope(|| handler(&call));
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(panicked()))
        }
    };
    let succeeded = outcome.is_ok();
    let mut reply = outcome.unwrap_or_else(Refusal::into_reply);
    if route.effect == Effect::Writes && succeeded && reply.extensions().get::<Untouched>().is_none() {
        reply.extensions_mut().insert(Wrote);
    }
    if route.door == Door::Rest {
        let calls = reply.extensions().get::<Counted>().map_or(1, |counted| counted.0);
        app.core.limits().count(crate::core::limits::Counted::ApiRequests, calls);
        reply.extensions_mut().insert(Counted(calls));
    }
    if pretty { prettily(reply).await } else { reply }
}

/// The version a path names. CometD and SOAP say in their own words what is wrong with it.
pub(super) fn version_of(door: Door, params: &[(String, String)]) -> Result<ApiVersion, Refusal> {
    let Some((_, text)) = params.iter().find(|(key, _)| key == "version") else { return Ok(NEWEST) };
    let version: Option<ApiVersion> = match door {
        Door::Rest => {
            text.strip_prefix('v').filter(|number| number.contains('.')).and_then(|number| number.parse().ok())
        }
        _ => text.parse().ok(),
    };
    match (door, version) {
        (Door::Rest, None) => Err(Refusal::not_found()),
        (Door::Rest, Some(version)) if version > NEWEST || version.major() < 7 => Err(Refusal::not_found()),
        (Door::Rest, Some(version)) if version < OLDEST => {
            let message = format!("API version {version} is retired; {OLDEST} to {NEWEST} are served");
            Err(Refusal::new(StatusCode::GONE, ErrorCode::UnsupportedApiVersion, message))
        }
        (_, version) => Ok(version.unwrap_or(ApiVersion::new(0))),
    }
}

/// Who the caller is, on doors where that is asked before anything else.
fn admit(app: &App, door: Door, parts: &Parts, query: &[(String, String)]) -> Result<Option<Session>, Refusal> {
    match door {
        Door::Open | Door::OAuth | Door::Soap | Door::Cometd => Ok(None),
        Door::Rest => {
            let token = rest_token(parts)?;
            app.authenticate(token, parts.uri.path()).map(Some).map_err(|_| Refusal::session_expired())
        }
        Door::Identity => super::identity::admit(app, parts, query).map(Some),
        Door::Admin => super::admin::admit(app, parts).map(|()| None),
    }
}

/// The token of an Authorization header; `OAuth` is the older word for `Bearer` (rest.md 1.15).
fn rest_token(parts: &Parts) -> Result<&str, Refusal> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(header) = header.filter(|header| !header.is_empty()) else {
        return Err(Refusal::auth_header("INVALID_AUTH_HEADER"));
    };
    let (scheme, token) = header.split_once(' ').ok_or_else(|| Refusal::auth_header("INVALID_AUTH_HEADER"))?;
    if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("oauth") {
        return Err(Refusal::auth_header("INVALID_HEADER_TYPE"));
    }
    match token.trim() {
        "" => Err(Refusal::auth_header("INVALID_AUTH_HEADER")),
        token if token.starts_with("eyJ") => Err(Refusal::auth_header("INVALID_JWT_FORMAT")),
        token => Ok(token),
    }
}

/// `Sforce-Limit-Info`, on what is counted.
fn with_usage(app: &App, reply: Reply) -> Reply {
    if reply.extensions().get::<Counted>().is_none() {
        return reply;
    }
    let (used, max) = app.core.limits().api_usage();
    with_header(reply, http::HeaderName::from_static("sforce-limit-info"), &format!("api-usage={used}/{max}"))
}

/// The same JSON on several lines.
async fn prettily(reply: Reply) -> Reply {
    let (parts, body) = reply.into_parts();
    let Ok(collected) = body.collect().await else { return Reply::from_parts(parts, Body::empty()) };
    let bytes = collected.to_bytes();
    let pretty = serde_json::from_slice::<serde_json::Value>(&bytes)
        .and_then(|value| serde_json::to_vec_pretty(&value))
        .unwrap_or_else(|_| bytes.to_vec());
    Reply::from_parts(parts, Body::from(pretty))
}

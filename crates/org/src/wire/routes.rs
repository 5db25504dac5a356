//! The routing table: what the org serves, as data. The router is built from it, and `docs/org.md`, too.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{RawPathParams, rejection::RawPathParamsRejection},
    routing::any,
};
use futures_util::future::BoxFuture;
use http::{Method, Request};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, decompression::RequestDecompressionLayer,
};

use super::{
    App, admin,
    answer::{Outcome, Refusal, Reply},
    call::{Call, percent_decode},
    collections, cometd, composite, describe, dispatch, identity, limits, oauth, query, replication, resources, rows,
    search, soap, tooling,
};

/// Which door a path belongs to: how its callers show who they are, and in what shape they are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Nobody has to show anything: the list of versions.
    Open,
    /// A session, in REST's way; counted as an API call.
    Rest,
    /// OAuth's own requests.
    OAuth,
    /// Identity and userinfo: a session, refused in plain text.
    Identity,
    /// SOAP: the session is in the envelope.
    Soap,
    /// CometD: the session is looked at with each message.
    Cometd,
    /// The admin token.
    Admin,
}

/// Whether an answer that gets lost leaves something done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Reads,
    Writes,
}

/// A handler: most wait for the store, some for events.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Blocking(fn(&Call) -> Outcome),
    Waiting(fn(Call) -> BoxFuture<'static, Outcome>),
}

/// One line of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) door: Door,
    pub(crate) effect: Effect,
    pub(crate) handler: Handler,
    pub(crate) note: &'static str,
}

const fn route(
    method: Method,
    path: &'static str,
    door: Door,
    effect: Effect,
    handler: Handler,
    note: &'static str,
) -> Route {
    Route { method, path, door, effect, handler, note }
}

const fn read(path: &'static str, handler: fn(&Call) -> Outcome, note: &'static str) -> Route {
    route(Method::GET, path, Door::Rest, Effect::Reads, Handler::Blocking(handler), note)
}

const fn write(method: Method, path: &'static str, handler: fn(&Call) -> Outcome, note: &'static str) -> Route {
    route(method, path, Door::Rest, Effect::Writes, Handler::Blocking(handler), note)
}

const fn open(
    method: Method,
    path: &'static str,
    door: Door,
    handler: fn(&Call) -> Outcome,
    note: &'static str,
) -> Route {
    route(method, path, door, Effect::Reads, Handler::Blocking(handler), note)
}

const fn soap(path: &'static str, note: &'static str) -> Route {
    route(Method::POST, path, Door::Soap, Effect::Writes, Handler::Blocking(soap::serve), note)
}

const fn cometd(path: &'static str, note: &'static str) -> Route {
    route(Method::POST, path, Door::Cometd, Effect::Reads, Handler::Waiting(cometd::serve), note)
}

const fn admin(method: Method, path: &'static str, handler: fn(&Call) -> Outcome, note: &'static str) -> Route {
    route(method, path, Door::Admin, Effect::Reads, Handler::Blocking(handler), note)
}

/// Everything that is served.
pub(crate) const ROUTES: &[Route] = &[
    open(Method::GET, "/services/data", Door::Open, resources::versions, "the API versions; no session needed"),
    read("/services/data/{version}", resources::resources, "the resources of a version"),
    read("/services/data/{version}/sobjects", describe::global, "describe global"),
    read("/services/data/{version}/sobjects/{object}", describe::basic, "an object in brief, recent items"),
    read("/services/data/{version}/sobjects/{object}/describe", describe::full, "an object and its fields"),
    read("/services/data/{version}/sobjects/{object}/deleted", replication::deleted, "getDeleted: start, end"),
    read("/services/data/{version}/sobjects/{object}/updated", replication::updated, "getUpdated: start, end"),
    write(Method::POST, "/services/data/{version}/sobjects/{object}", rows::create, "create a record"),
    read("/services/data/{version}/sobjects/{object}/{id}", rows::read, "read a record: fields"),
    write(Method::PATCH, "/services/data/{version}/sobjects/{object}/{id}", rows::update, "update a record"),
    write(Method::DELETE, "/services/data/{version}/sobjects/{object}/{id}", rows::delete, "delete a record"),
    write(Method::POST, "/services/data/{version}/sobjects/{object}/{id}", rows::create_by_id, "create: sobjects/X/Id"),
    read(
        "/services/data/{version}/sobjects/{object}/{id}/{value}",
        rows::read_by_key,
        "by external id; a blob; a parent",
    ),
    write(
        Method::PATCH,
        "/services/data/{version}/sobjects/{object}/{id}/{value}",
        rows::upsert,
        "upsert by external id",
    ),
    write(
        Method::DELETE,
        "/services/data/{version}/sobjects/{object}/{id}/{value}",
        rows::delete_by_key,
        "by external id",
    ),
    read("/services/data/{version}/composite", composite::list, "the composite resources"),
    write(
        Method::POST,
        "/services/data/{version}/composite",
        composite::composite,
        "up to 25 requests in one call: references, allOrNone",
    ),
    write(
        Method::POST,
        "/services/data/{version}/composite/batch",
        composite::batch,
        "up to 25 requests, each for itself: haltOnError",
    ),
    write(
        Method::POST,
        "/services/data/{version}/composite/tree/{object}",
        composite::plant,
        "records and their children",
    ),
    write(
        Method::POST,
        "/services/data/{version}/composite/graph",
        composite::graph,
        "up to 75 composite requests, each as a whole",
    ),
    write(Method::POST, "/services/data/{version}/composite/sobjects", collections::insert, "up to 200 records"),
    write(Method::PATCH, "/services/data/{version}/composite/sobjects", collections::update, "up to 200 records"),
    write(Method::DELETE, "/services/data/{version}/composite/sobjects", collections::delete, "ids, allOrNone"),
    read("/services/data/{version}/composite/sobjects/{object}", collections::retrieve_by_url, "ids, fields"),
    route(
        Method::POST,
        "/services/data/{version}/composite/sobjects/{object}",
        Door::Rest,
        Effect::Reads,
        Handler::Blocking(collections::retrieve_by_body),
        "up to 2,000 ids, fields",
    ),
    write(
        Method::PATCH,
        "/services/data/{version}/composite/sobjects/{object}/{field}",
        collections::upsert,
        "up to 200",
    ),
    read("/services/data/{version}/query", query::query, "SOQL: q; how it would be run: explain"),
    read("/services/data/{version}/query/{locator}", query::more, "the next page"),
    read("/services/data/{version}/queryAll", query::query_all, "SOQL, deleted records included"),
    read("/services/data/{version}/queryAll/{locator}", query::more, "the next page"),
    read("/services/data/{version}/search", search::search, "SOSL: q"),
    read("/services/data/{version}/parameterizedSearch", search::by_url, "q, sobject, fields, in, overallLimit, …"),
    route(
        Method::POST,
        "/services/data/{version}/parameterizedSearch",
        Door::Rest,
        Effect::Reads,
        Handler::Blocking(search::by_body),
        "a search, its parts in the body",
    ),
    read("/services/data/{version}/limits", limits::limits, "allocations and what is left of them"),
    read("/services/data/{version}/limits/recordCount", limits::record_count, "rows per object: sObjects"),
    write(
        Method::POST,
        "/services/data/{version}/tooling/sobjects/CustomField",
        tooling::create,
        "a new custom field: FullName, Metadata",
    ),
    write(
        Method::PATCH,
        "/services/data/{version}/tooling/sobjects/CustomField/{id}",
        tooling::update,
        "another definition: Metadata",
    ),
    write(
        Method::DELETE,
        "/services/data/{version}/tooling/sobjects/CustomField/{id}",
        tooling::delete,
        "a custom field goes",
    ),
    open(Method::POST, "/services/oauth2/token", Door::OAuth, oauth::token, "grant_type=password"),
    open(Method::POST, "/services/oauth2/revoke", Door::OAuth, oauth::revoke, "end a session: token"),
    open(Method::GET, "/services/oauth2/revoke", Door::OAuth, oauth::revoke, "end a session: token, callback"),
    open(Method::GET, "/services/oauth2/userinfo", Door::Identity, identity::userinfo, "who the session belongs to"),
    open(Method::POST, "/services/oauth2/userinfo", Door::Identity, identity::userinfo, "who the session belongs to"),
    open(Method::GET, "/id/{org}/{user}", Door::Identity, identity::identity, "the identity URL"),
    open(Method::POST, "/id/{org}/{user}", Door::Identity, identity::identity, "the identity URL"),
    soap(
        "/services/Soap/u/{version}",
        "partner: login, logout, undelete, emptyRecycleBin, merge, convertLead, getUserInfo, getServerTimestamp",
    ),
    soap("/services/Soap/u/{version}/{org}", "partner, under the address that login answers with"),
    soap("/services/Soap/c/{version}", "enterprise: the same operations"),
    soap("/services/Soap/c/{version}/{org}", "enterprise, under the address that login answers with"),
    cometd("/cometd", "refused: the version is mandatory"),
    cometd("/cometd/{version}", "Bayeux: change events with replay"),
    cometd("/cometd/{version}/{step}", "Bayeux, with the kind of message in the path"),
    admin(Method::GET, "/_tombolo/requests", admin::requests, "the requests that were served"),
    admin(Method::POST, "/_tombolo/faults", admin::inject, "misbehave"),
    admin(Method::DELETE, "/_tombolo/faults", admin::clear_all, "behave again"),
    admin(Method::DELETE, "/_tombolo/faults/{id}", admin::clear, "take one fault back"),
    admin(Method::POST, "/_tombolo/clock", admin::clock, "set the clock forward: advance"),
    admin(Method::POST, "/_tombolo/reset", admin::reset, "back to the state right after the start"),
    admin(Method::POST, "/_tombolo/schema", admin::schema, "edit the schema: add, change, remove"),
    admin(Method::POST, "/_tombolo/cdc", admin::cdc, "select the objects that deliver change events"),
];

/// The served paths with their methods and notes, in the table's order: what `docs/org.md` lists.
pub fn served_paths() -> Vec<(&'static str, &'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method.as_str(), route.path, route.note)).collect()
}

/// The handlers of one path, by method.
pub(crate) struct Methods(Vec<&'static Route>);

impl Methods {
    /// The route of a method; HEAD is answered as GET is, without its body.
    pub(crate) fn get(&self, method: &Method) -> Option<&'static Route> {
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        self.0.iter().copied().find(|route| route.method == *wanted)
    }

    /// The door that all methods of the path share.
    pub(crate) fn door(&self) -> Door {
        self.0.first().map_or(Door::Open, |route| route.door)
    }

    /// `HEAD,GET,PATCH`, as the error for any other method lists them.
    pub(crate) fn allowed(&self) -> String {
        let mut names: Vec<_> = self.0.iter().map(|route| route.method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        let order = ["HEAD", "GET", "POST", "PATCH", "DELETE"];
        order.into_iter().filter(|name| names.contains(name)).collect::<Vec<_>>().join(",")
    }
}

/// What stands in the braces of a path, by name.
type Params = Vec<(String, String)>;

/// The route of a path, and what stands in its braces: for requests inside of requests.
pub(crate) fn find(
    method: &Method,
    path: &str,
    allowed: impl Fn(&str) -> bool,
) -> Result<(&'static Route, Params), Refusal> {
    // A name that is written out comes before one that stands for any.
    let literal = |route: &Route| route.path.split('/').map(|part| !part.starts_with('{')).collect::<Vec<_>>();
    let served = ROUTES.iter().filter(|route| allowed(route.path));
    let served = served.filter_map(|route| Some((route, matched(route.path, path)?)));
    let (best, _) = served.clone().max_by_key(|(route, _)| literal(route)).ok_or_else(Refusal::not_found)?;
    let methods = Methods(ROUTES.iter().filter(|route| route.path == best.path).collect());
    let route = methods.get(method).ok_or_else(|| Refusal::method_not_allowed(method.as_str(), &methods.allowed()))?;
    Ok((route, matched(route.path, path).unwrap_or_default()))
}

/// Matches a path against the pattern of a route: what stands in its braces.
fn matched(pattern: &str, path: &str) -> Option<Params> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/').filter(|part| !part.is_empty()));
    let mut params = Vec::new();
    // Patterns begin with a slash.
    pattern.next();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(params),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => params.push((name.to_owned(), percent_decode(given, false))),
                None if wanted == given => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// The router over the table.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut paths: BTreeMap<&str, Vec<&'static Route>> = BTreeMap::new();
    for route in ROUTES {
        paths.entry(route.path).or_default().push(route);
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let methods = Arc::new(Methods(routes));
        let app = Arc::clone(app);
        let serve = move |params: Result<RawPathParams, RawPathParamsRejection>, request: Request<_>| {
            let (app, methods) = (Arc::clone(&app), Arc::clone(&methods));
            async move {
                // What is not UTF-8 names nothing that is served.
                let Ok(params) = params else { return dispatch::not_served(app, request).await };
                let params = params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                dispatch::serve(app, methods, params, request).await
            }
        };
        router = router.route(path, any(serve));
    }
    let fallback = Arc::clone(app);
    router
        .fallback(move |request: Request<_>| dispatch::not_served(Arc::clone(&fallback), request))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| -> Reply { panicked().into_reply() }))
        .layer(RequestDecompressionLayer::new())
        .layer(CompressionLayer::new())
}

/// A handler that panicked: the client learns no more than a number.
pub(crate) fn panicked() -> Refusal {
    Refusal::unknown(&std::io::Error::other("a handler panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_routes_without_the_router() {
        let path_of = |path: &str| find(&Method::GET, path, |_| true).map(|(route, _)| route.path).ok();
        for (path, pattern) in [
            ("/services/data/v66.0/sobjects/Account", Some("/services/data/{version}/sobjects/{object}")),
            (
                "/services/data/v66.0/sobjects/Account/describe",
                Some("/services/data/{version}/sobjects/{object}/describe"),
            ),
            ("/services/data/v66.0/sobjects/Account/001", Some("/services/data/{version}/sobjects/{object}/{id}")),
            ("/services/data/v66.0/nothing/here/at/all", None),
        ] {
            assert_eq!(path_of(path), pattern, "{path}");
        }
        let (_, params) = find(&Method::GET, "/services/data/v66.0/sobjects/A%20b", |_| true).ok().unwrap();
        assert_eq!(params, [("version", "v66.0"), ("object", "A b")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn no_line_stands_twice_and_each_path_has_one_door() {
        let mut seen = std::collections::HashSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method.as_str(), route.path)), "{} {}", route.method, route.path);
            assert!(!route.note.is_empty(), "{} {}", route.method, route.path);
            let doors = ROUTES.iter().filter(|other| other.path == route.path).map(|other| other.door);
            assert!(doors.clone().all(|door| door == route.door), "{}", route.path);
        }
    }
}
